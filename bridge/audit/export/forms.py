"""The forms that records are exported in, each a file that is written from the first record to the last."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from bridge.audit.export.json_lines import encode_line
from bridge.audit.export.ocsf import to_ocsf
from bridge.audit.export.spreadsheet import encode_head, encode_row


@dataclass(frozen=True)
class Form:
    """How a file begins, and what becomes of each record in it."""

    suffix: str
    """What its name ends with."""
    media_type: str
    """As in a ``Content-Type``."""
    encode: Callable[[Mapping[str, Any]], str]
    head: str = ""


def find_form(name: str, log_name: str) -> Form:
    """Return the form ``jsonl``, ``csv`` or ``ocsf``. Raises KeyError for any other name."""
    return {
        "jsonl": Form(".jsonl", "application/jsonl", encode_line),
        "csv": Form(".csv", "text/csv; charset=utf-8", encode_row, encode_head()),
        "ocsf": Form(".ocsf.jsonl", "application/jsonl", partial(_encode_ocsf, log_name)),
    }[name]


def _encode_ocsf(log_name: str, record: Mapping[str, Any]) -> str:
    return encode_line(to_ocsf(record, log_name))
