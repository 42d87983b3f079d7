"""``exports`` in ``audit.yaml``: files that are written regularly."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from bridge.described import Described
from bridge.settings.audit_forwarding import Personal, ReceiverName


class ScheduledExport(Described):
    """A file with everything that was recorded since the one before."""

    name: ReceiverName
    """How the files begin, and how records name the export."""
    format: Literal["jsonl", "csv", "ocsf", "bundle"] = "bundle"
    """`bundle` is a zip with the records, their proofs, and a program that verifies them."""
    every: Literal["hour", "day", "week", "month"] = "day"
    """How often; a week begins on Monday."""
    at: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] = "00:00"
    """When in the day, UTC; of `hour`, only the minutes count."""
    folder: Path
    """Where the files go, relative to this file. It must exist. Mount other storage there if you can."""
    personal: Personal = "sealed"
    """Whether files hold what records say of people. `rambridge audit erase` reaches only what stays `sealed` there."""
