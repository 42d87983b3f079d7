"""CSV for spreadsheets (RFC 4180), in which no cell is a formula (threat WEB-14).

A spreadsheet runs what begins with ``=``, ``+``, ``-`` or ``@``, also in the full-width forms that it takes for the
same, and names in records are written by strangers. Quotes do not help: they are gone before it looks. So

- every field is quoted, and a ``'`` stands before each such character that begins a cell;
- the same inside a field, wherever a cell would begin for a program that takes another separator (``;``, ``|``) or
  reads the quotes differently;
- control characters, line breaks and tabs among them, and characters that nobody sees are written as escapes.

That changes texts: the lossless form is JSON Lines. The file begins with a byte order mark, without which Excel reads
UTF-8 as something else.
"""

import csv
import io
import json
import re
from collections.abc import Mapping
from typing import Any

BEGINNING = "\N{ZERO WIDTH NO-BREAK SPACE}"

COLUMNS = (
    "position",
    "time",
    "event",
    "refused",
    "code",
    "reference",
    "provider",
    "protocol",
    "issuer",
    "subject",
    "person",
    "source_address",
    "network",
    "account",
    "entitlement",
    "rule",
    "role_session_name",
    "access_key_id",
    "sts_request_id",
    "acr",
    "amr",
    "mfa",
    "privileged",
    "detail",
    "erased",
    "subject_digest",
    "address_digest",
    "session_name_digest",
)
OTHERS = "others"
"""The last column: what else the record holds, as JSON."""
_LEFT_OUT = frozenset({"sealed", "sealed_for"})
"""Ciphertext: nobody reads it in a spreadsheet."""

_STARTS_A_FORMULA = (
    "=+@\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}"
    "\N{SMALL EQUALS SIGN}\N{SMALL PLUS SIGN}\N{SMALL HYPHEN-MINUS}\N{SMALL COMMERCIAL AT}\N{MINUS SIGN}-"
)
_BEGINS_A_CELL = (
    "\"'`,;|\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}\N{FULLWIDTH QUOTATION MARK}"
    "\N{FULLWIDTH COMMA}\N{FULLWIDTH SEMICOLON}"
)
_LIVE = re.compile(rf"(^\s*|[{_BEGINS_A_CELL}]\s*)([{_STARTS_A_FORMULA}])")


def encode_head() -> str:
    """Return how a file begins: a byte order mark, and the names of the columns."""
    return BEGINNING + _encode((*COLUMNS, OTHERS))


def encode_row(content: Mapping[str, Any]) -> str:
    """Return a record as one line with its line break. Its cells hold nothing that a spreadsheet would run."""
    row = {**content, "refused": str(content.get("event", "")).endswith(".refused")}
    others = {name: value for name, value in row.items() if name not in COLUMNS and name not in _LEFT_OUT}
    return _encode((*(defuse(_write(row.get(name))) for name in COLUMNS), defuse(_write(others or None))))


def defuse(text: str) -> str:
    """Return a text that is no formula as a cell, nor as several cells."""
    if not text.isprintable():
        text = "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in text)
    return _LIVE.sub(r"\1'\2", text)


def _write(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
        return " ".join(value)
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, sort_keys=True, ensure_ascii=False)
    return str(value)


def _encode(cells: tuple[str, ...]) -> str:
    line = io.StringIO()
    csv.writer(line, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(cells)
    return line.getvalue()
