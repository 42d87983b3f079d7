"""What somebody did, here and in the cloud, as a line through time: one entry for each request, days apart."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

from markupsafe import Markup

from bridge.audit.record import format_time
from bridge.audit.trail.threads import Call
from bridge.language import translate
from bridge.web.auditor.cloud_calls import tell_calls
from bridge.web.auditor.lines import Line, Mark, write_line
from bridge.web.auditor.sentences import Record, Sentences
from bridge.web.days import Day, group_by_day

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
    """One request, or calls in the cloud that follow each other."""

    time: str
    refused: bool
    sentences: tuple[Markup, ...]
    marks: tuple[Mark, ...]
    origin: str
    records: tuple[Line, ...]
    """Its records, the earliest first."""


def draw_timeline(line: Iterable[Record | Call], say: Sentences) -> Iterator[Day[Entry]]:
    """Yield days of records and calls that come newest first."""
    return group_by_day(_join(line, say))


def _join(line: Iterable[Record | Call], say: Sentences) -> Iterator[Entry]:
    for _, same in groupby(line, key=_find_together):
        together = list(same)
        calls = [each for each in together if isinstance(each, Call)]
        yield (
            _write_calls(calls)
            if calls
            else _write_request([each for each in together if isinstance(each, Mapping)], say)
        )


def _find_together(each: Record | Call) -> tuple[object, ...]:
    """Return what entries of one line have in common: a request, or the credentials of calls; and the day."""
    if isinstance(each, Call):
        return "calls", each.access_key_id, _show_time(each.time)[:10]
    return "request", each["reference"] or each["position"], each["time"][:10]


def _write_calls(calls: Sequence[Call]) -> Entry:
    first = calls[-1]
    return Entry(
        time=_show_time(first.time),
        refused=False,
        sentences=(tell_calls(calls),),
        marks=(Mark(translate("in the cloud"), "plain"),),
        origin=first.source_address or first.network,
        records=(),
    )


def _write_request(records: Sequence[Record], say: Sentences) -> Entry:
    lines = [write_line(record, say) for record in records][::-1]
    events = {line.event for line in lines}
    return Entry(
        time=lines[0].time,
        refused=any(line.refused for line in lines),
        sentences=tuple(line.sentence for line in lines if not _is_told(line.event, events)),
        marks=tuple(dict.fromkeys(mark for line in lines for mark in line.marks)),
        origin=next((line.origin for line in lines if line.origin), ""),
        records=tuple(lines),
    )


def _show_time(microseconds: int) -> str:
    return format_time(datetime.fromtimestamp(microseconds / 1_000_000, UTC))


def _is_told(event: str, events: set[str]) -> bool:
    return event in _SAID_BY_ANOTHER and (_SAID_BY_ANOTHER[event] in events or _CONSOLE in events)
