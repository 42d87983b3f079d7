"""What somebody did, as a line through time: one entry for each request, days apart."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from markupsafe import Markup

from bridge.web.auditor.lines import Line, Mark, write_line
from bridge.web.auditor.sentences import Record, Sentences

_SAID_BY_ANOTHER = {
    "entitlements.resolved": "sign_in.accepted",
    "choice.made": "exchange.issued",
    "exchange.issued": "delivery.credentials",
    "exchange.reused": "delivery.credentials",
}
"""What need not be told where the same request has a record that tells more."""
_CONSOLE = "delivery.console"


@dataclass(frozen=True)
class Entry:
    """One request."""

    time: str
    refused: bool
    sentences: tuple[Markup, ...]
    marks: tuple[Mark, ...]
    origin: str
    records: tuple[Line, ...]
    """Its records, the earliest first."""


@dataclass(frozen=True)
class Day:
    """One day, the latest moment first."""

    date: str
    title: str
    entries: tuple[Entry, ...]


def draw_timeline(records: Sequence[Record], say: Sentences) -> Iterator[Day]:
    """Yield days of records that come newest first."""
    for day, entries in groupby(_join(records, say), key=lambda entry: entry.time[:10]):
        yield Day(day, date.fromisoformat(day).strftime("%A, %-d %B %Y"), tuple(entries))


def _join(records: Iterable[Record], say: Sentences) -> Iterator[Entry]:
    for _, same in groupby(
        records, key=lambda record: (record["reference"] or record["position"], record["time"][:10])
    ):
        lines = [write_line(record, say) for record in same][::-1]
        events = {line.event for line in lines}
        told = [line for line in lines if not _is_told(line.event, events)]
        marks = dict.fromkeys(mark for line in lines for mark in line.marks)
        yield Entry(
            time=lines[0].time,
            refused=any(line.refused for line in lines),
            sentences=tuple(line.sentence for line in told),
            marks=tuple(marks),
            origin=next((line.origin for line in lines if line.origin), ""),
            records=tuple(lines),
        )


def _is_told(event: str, events: set[str]) -> bool:
    return event in _SAID_BY_ANOTHER and (_SAID_BY_ANOTHER[event] in events or _CONSOLE in events)
