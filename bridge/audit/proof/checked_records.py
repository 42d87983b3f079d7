"""Verify records: each is the one whose hash is kept, follows what its writer wrote before, and is found as what it is.

For a range at a time, and in time proportional to it: where a writer stood before the range is read from its record
before, so parts of a log can be verified beside each other.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from sqlalchemy import ColumnElement, Connection, Select, and_, func, select

from bridge.audit import tables
from bridge.audit.keeping.retired import NOTHING_RETIRED, Retired, read_retired
from bridge.audit.proof.chain import is_tied, says_its_place
from bridge.audit.proof.checkpoints import STEPPED_BACK
from bridge.audit.proof.merkle import leaf_hash
from bridge.audit.proof.tree import read_hashes
from bridge.audit.record import FIRST_MAC, INDEX_COLUMNS, UNREADABLE, read_values, record_id, split_id
from bridge.audit.tables import BLOCK_LEAVES, NUMBER_BITS
from bridge.database import exact_texts
from bridge.errors import ChainBroken

AT_ONCE = 8 * BLOCK_LEAVES
STEP_SECONDS = 5
"""A clock that goes back by more has to be recorded (AUD-04), unless the settings allow more."""

_UNDECODABLE = "Could not decode to UTF-8"
"""What SQLite's driver says of a text that is none."""
_STRANGE = (TypeError, AttributeError, ValueError, OverflowError, sqlite3.OperationalError)
"""What values lead to that only somebody else wrote: in SQLite a column can be made to hold anything."""

_WIDTH = len(INDEX_COLUMNS)
_POSITION, _ID, _TIME = (INDEX_COLUMNS.index(name) for name in ("position", "id", "time"))
_MICROSECONDS = 1_000_000
_NUMBER_MASK = (1 << NUMBER_BITS) - 1


def _select_records(*narrower: ColumnElement[bool]) -> Select[Any]:
    return (
        select(*(tables.index.c[name] for name in INDEX_COLUMNS), tables.records.c.body, tables.records.c.mac)
        .outerjoin(tables.records, and_(tables.SAME_RECORD, *narrower))
        .order_by(tables.index.c.position)
    )


_QUERY = _select_records()


class RecordDiffers(ChainBroken):
    """A position has not what is kept of it: a fault of its own, which does not make the kept hashes wrong ones."""


class Stand(NamedTuple):
    """Where a writer's log stands after a record, or would stand before one."""

    position: int
    number: int
    time: int
    """Microseconds since 1970."""
    says_stepped_back: bool = False
    mac: bytes | None = None
    """None: not known, because the record is not in the range and was itself changed."""


@dataclass
class Span:
    """What one writer wrote within a range: its first and its last record."""

    first: Stand
    last: Stand


def check_records(
    connection: Connection,
    begin: int,
    end: int,
    mac_key: bytes | None,
    step_seconds: int = STEP_SECONDS,
    *,
    retired: Retired | None = None,
) -> dict[int, Span]:
    """Verify the records from ``begin`` up to, and without, ``end``.

    Args:
        connection: sees one state of the database.
        begin: the first position.
        end: the position after the last one.
        mac_key: ties each record to the one before (see ``record.py``); None: that is not verified.
        step_seconds: how far a clock may go back without a record that says so.
        retired: what need not be there; None: what the log says was retired.

    Returns:
        For each writer what of its records is in the range; see :func:`join_spans`.

    Raises:
        ChainBroken: at the first record that is not what was written.
    """
    check = RecordCheck(connection, mac_key, step_seconds, retired)
    check.check(begin, end)
    return check.spans


def join_spans(
    before: dict[int, Span],
    after: dict[int, Span],
    *,
    begin: int,
    retired: Retired = NOTHING_RETIRED,
    step_seconds: int = STEP_SECONDS,
) -> dict[int, Span]:
    """Return the spans of two ranges that follow each other, the first of which begins at ``begin``.

    Raises:
        ChainBroken: of some writer, records are missing, or in another order.
    """
    joined = before.copy()
    for writer, span in sorted(after.items(), key=lambda item: item[1].first.position):
        known = before.get(writer)
        if retired.ends_before(writer, span.first.number):
            if known is not None:
                _check_is_later(writer, known.last, span.first)
        elif known is not None:
            _check_follows(writer, known.last, span.first, step_seconds)
        elif begin == 0 and span.first.number != 1:
            raise ChainBroken(_describe_order(writer, 0, span.first), span.first.position)
        joined[writer] = Span(known.first if known else span.first, span.last)
    return joined


class RecordCheck:
    """Verifies ranges that follow each other."""

    def __init__(
        self,
        connection: Connection,
        mac_key: bytes | None,
        step_seconds: int = STEP_SECONDS,
        retired: Retired | None = None,
    ) -> None:
        """Take what :func:`check_records` takes."""
        self._step_seconds = step_seconds
        self._connection = connection
        self._mac_key = mac_key
        self._retired = read_retired(connection, mac_key) if retired is None else retired
        self._ends = self._retired.ends
        self.spans: dict[int, Span] = {}
        """What of each writer's records was in the ranges."""

    def check(self, begin: int, end: int) -> None:
        """Verify the next range; raises what :func:`check_records` raises."""
        for part_begin, part_end in self._retired.leave_out(begin, end):
            for first in range(part_begin, part_end, AT_ONCE):
                self._check_some(first, min(first + AT_ONCE, part_end))

    def _check_some(self, begin: int, end: int) -> None:
        hashes = read_hashes(self._connection, begin, end)
        position = begin
        try:
            for row in self._read(begin, end):
                if row[_POSITION] != position:
                    break
                self._check_row(position, row, hashes.get(position))
                position += 1
        except _STRANGE as error:
            if isinstance(error, sqlite3.Error) and _UNDECODABLE not in str(error):
                raise
            raise ChainBroken(f"record {position} has values that no record of the bridge has", position) from error
        if position != end:
            raise RecordDiffers(f"no record has the position {position}", position)

    def _read(self, begin: int, end: int) -> Iterator[Sequence[Any]]:
        in_range = and_(tables.index.c.position >= begin, tables.index.c.position < end)
        query = _QUERY.where(in_range)
        if self._connection.dialect.name == "postgresql":
            # The planner knows partitions that it need not look into by constants alone.
            months = select(func.min(tables.index.c.month), func.max(tables.index.c.month)).where(in_range)
            first, last = self._connection.execute(months).one()
            query = _select_records(tables.records.c.month.between(first, last)).where(in_range)
        with exact_texts(self._connection), closing(self._connection.execute(query)) as result:
            # Past SQLAlchemy: rows as the driver gives them, since converting them would take a third of the time.
            yield from cast("Iterator[Sequence[Any]]", result.cursor)

    def _check_row(self, position: int, row: Sequence[Any], kept_hash: bytes | None) -> None:
        identifier, body, mac = row[_ID], row[_WIDTH], row[_WIDTH + 1]
        if body is None:
            raise RecordDiffers(self._describe_missing(position, identifier), position)
        if leaf_hash(body.encode()) != kept_hash:
            raise self._find_changed(position, row)
        content, expected = read_values(position, identifier, body)
        if content is UNREADABLE:
            raise ChainBroken(f"record {position} is none that the bridge wrote", position)
        if expected != row[:_WIDTH]:
            compared = zip(INDEX_COLUMNS, expected, row, strict=False)
            names = ", ".join(name for name, right, said in compared if right != said)
            raise RecordDiffers(f"the index says otherwise than record {position}: {names}", position)
        stand = Stand(position, identifier & _NUMBER_MASK, expected[_TIME], content["event"] == STEPPED_BACK, mac)
        self._check_writer(identifier >> NUMBER_BITS, stand, content, body)

    def _check_writer(self, writer: int, stand: Stand, content: Mapping[str, Any], body: str) -> None:
        position, number = stand.position, stand.number
        if not says_its_place(content, record_id(writer, number)):
            raise ChainBroken(f"record {position} says that it has another place", position)
        span = self.spans.get(writer)
        retired_mac = self._ends.get(record_id(writer, number - 1))
        if retired_mac is not None:
            if span is not None:
                _check_is_later(writer, span.last, stand)
            mac_before: bytes | None = retired_mac
        elif span is not None:
            _check_follows(writer, span.last, stand, self._step_seconds)
            mac_before = span.last.mac
        else:
            mac_before = self._read_mac_before(writer, stand)
        key = self._mac_key
        if key is not None and mac_before is not None and not is_tied(key, mac_before, body, stand.mac):
            raise ChainBroken(f"record {position} was not written by the bridge: its mac is wrong", position)
        if span is not None:
            span.last = stand
        else:
            self.spans[writer] = Span(stand, stand)

    def _read_mac_before(self, writer: int, stand: Stand) -> bytes | None:
        """Return the mac of a writer's record before its first one of the range; None if that one was changed."""
        if stand.number == 1:
            return FIRST_MAC
        numbers = [record_id(writer, number) for number in (stand.number - 2, stand.number - 1) if number]
        query = select(tables.records.c.body, tables.records.c.mac).where(tables.records.c.id.in_(numbers))
        rows = self._connection.execute(query.order_by(tables.records.c.id)).all()
        if len(rows) < len(numbers):
            return None
        before = rows[0].mac if len(rows) > 1 else FIRST_MAC
        sound = self._mac_key is None or is_tied(self._mac_key, before, rows[-1].body, rows[-1].mac)
        return bytes(rows[-1].mac) if sound else None

    def _find_changed(self, position: int, row: Sequence[Any]) -> ChainBroken:
        """Return whether it is the record or its hash that was changed. Only the former leaves the hash right."""
        identifier, body, mac = row[_ID], row[_WIDTH], row[_WIDTH + 1]
        writer, number = split_id(identifier)
        span = self.spans.get(writer)
        if span is not None and span.last.number == number - 1:
            before = span.last.mac
        else:
            before = self._read_mac_before(writer, Stand(position, number, 0))
        if self._mac_key is not None and before is not None and is_tied(self._mac_key, before, body, mac):
            return ChainBroken(f"the hash that is kept of record {position} was changed, or the record moved", position)
        return RecordDiffers(f"record {position} was changed: it is not the one whose hash is kept", position)

    def _describe_missing(self, position: int, identifier: int) -> str:
        found = select(tables.records.c.id).where(tables.records.c.id == identifier)
        if self._connection.execute(found).first():
            return f"record {position} and its row in the index are of different months"
        writer, number = split_id(identifier)
        return f"record {position}, number {number} of writer {writer}, is gone"


def _check_follows(writer: int, last: Stand, stand: Stand, step_seconds: int) -> None:
    if stand.number > last.number + 1:  # what is missing stood somewhere between the two
        raise ChainBroken(_describe_order(writer, last.number, stand), last.position + 1, stand.position + 1)
    _check_is_later(writer, last, stand)
    if stand.says_stepped_back:
        return
    back = last.time - stand.time
    if back > step_seconds * _MICROSECONDS:
        detail = f"before record {stand.position} a clock was set back by {back // _MICROSECONDS} s"
        raise ChainBroken(f"{detail}, and no record says so", stand.position)


def _check_is_later(writer: int, last: Stand, stand: Stand) -> None:
    if stand.number <= last.number:
        raise ChainBroken(_describe_order(writer, last.number, stand), stand.position)


def _describe_order(writer: int, last: int, stand: Stand) -> str:
    if stand.number > last + 1:
        missing = f"{last + 1}" if stand.number == last + 2 else f"{last + 1} to {stand.number - 1}"
        return f"before record {stand.position}, number {missing} of writer {writer} is missing"
    return f"record {stand.position}, number {stand.number} of writer {writer}, stands after its number {last}"
