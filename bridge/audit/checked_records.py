"""Verify records: each is the one whose hash is kept, follows what its writer wrote before, and is found as what it is.

For a range at a time, and in time proportional to it: where a writer stood before the range is read from its record
before, so parts of a log can be verified beside each other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, and_, select

from bridge.audit import tables
from bridge.audit.checkpoints import STEPPED_BACK
from bridge.audit.merkle import leaf_hash
from bridge.audit.record import FIRST_MAC, UNREADABLE, link, read_record, record_id, split_id, to_microseconds
from bridge.audit.retired import NOTHING_RETIRED, Retired, read_retired
from bridge.audit.tables import BLOCK_LEAVES
from bridge.audit.tree import read_leaves
from bridge.errors import ChainBroken

AT_ONCE = 8 * BLOCK_LEAVES
STEP_SECONDS = 5
"""A clock that goes back by more has to be recorded (AUD-04)."""
DRIFT_SHARE = 0.001
"""So much may a clock be slowed down to agree with others again."""

_INDEX_NAMES = tuple(column.name for column in tables.index.c)
_INDEX_WIDTH = len(_INDEX_NAMES)
_in_columns = itemgetter(*_INDEX_NAMES)
_POSITION, _ID = _INDEX_NAMES.index("position"), _INDEX_NAMES.index("id")
_MICROSECONDS = 1_000_000
_QUERY = (
    select(*tables.index.c, tables.records.c.body, tables.records.c.mac)
    .outerjoin(
        tables.records,
        # The month leads PostgreSQL to one partition.
        and_(tables.records.c.id == tables.index.c.id, tables.records.c.month == tables.index.c.month),
    )
    .order_by(tables.index.c.position)
)


@dataclass
class Span:
    """What one writer wrote within a range."""

    first_number: int
    first_position: int
    last_number: int


@dataclass
class _Stand:
    """A writer's last record so far."""

    number: int
    mac: bytes
    time: int
    """Microseconds since 1970."""
    monotonic: int | None
    """Milliseconds of a clock that nobody sets back."""


_NOTHING_YET = _Stand(0, FIRST_MAC, 0, None)


def check_records(connection: Connection, begin: int, end: int, mac_key: bytes | None) -> dict[int, Span]:
    """Verify the records from ``begin`` up to, and without, ``end``.

    Args:
        connection: sees one state of the database.
        begin: the first position.
        end: the position after the last one.
        mac_key: ties each record to the one before (see ``record.py``); None: that is not verified.

    Returns:
        For each writer what of its records is in the range; see :func:`join_spans`.

    Raises:
        ChainBroken: at the first record that is not what was written.
    """
    check = RecordCheck(connection, mac_key)
    check.check(begin, end)
    return check.spans


def join_spans(
    before: dict[int, Span], after: dict[int, Span], *, begin: int, retired: Retired = NOTHING_RETIRED
) -> dict[int, Span]:
    """Return the spans of two ranges that follow each other, the first of which begins at ``begin``.

    Raises:
        ChainBroken: of some writer, records are missing, or in another order.
    """
    for writer, span in sorted(after.items(), key=lambda item: item[1].first_position):
        known = before.get(writer)
        number = known.last_number if known else (0 if begin == 0 else span.first_number - 1)
        if span.first_number != number + 1 and not retired.ends_before(writer, span.first_number):
            raise ChainBroken(
                _describe_order(span.first_position, writer, number, span.first_number), span.first_position
            )
    return before | {
        writer: Span(before[writer].first_number, before[writer].first_position, span.last_number)
        if writer in before
        else span
        for writer, span in after.items()
    }


class RecordCheck:
    """Verifies ranges that follow each other."""

    def __init__(self, connection: Connection, mac_key: bytes | None) -> None:
        """Take what :func:`check_records` takes."""
        self._connection = connection
        self._mac_key = mac_key
        self._retired = read_retired(connection)
        self._stands: dict[int, _Stand] = {}
        self.spans: dict[int, Span] = {}
        """What of each writer's records was in the ranges."""

    def check(self, begin: int, end: int) -> None:
        """Verify the next range; raises what :func:`check_records` raises."""
        for part_begin, part_end in self._retired.leave_out(begin, end):
            for first in range(part_begin, part_end, AT_ONCE):
                self._check_some(first, min(first + AT_ONCE, part_end))

    def _check_some(self, begin: int, end: int) -> None:
        hashes = _read_hashes(self._connection, begin, end)
        query = _QUERY.where(tables.index.c.position >= begin, tables.index.c.position < end)
        # As text, so that values come as the driver gives them: converting them would take a third of the time.
        statement = str(query.compile(self._connection.engine, compile_kwargs={"literal_binds": True}))
        position = begin
        for row in self._connection.exec_driver_sql(statement).fetchall():
            if row[_POSITION] != position:
                break
            self._check_row(position, row, hashes.get(position))
            position += 1
        if position != end:
            raise ChainBroken(f"no record has the position {position}", position)

    def _check_row(self, position: int, row: Sequence[Any], kept_hash: bytes | None) -> None:
        identifier, body, mac = row[_ID], row[_INDEX_WIDTH], row[_INDEX_WIDTH + 1]
        if body is None:
            raise ChainBroken(self._describe_missing(position, identifier), position)
        if leaf_hash(body.encode()) != kept_hash:
            raise ChainBroken(f"record {position} is not the one whose hash is kept", position)
        content, expected = read_record(position, identifier, body)
        if content is UNREADABLE:
            raise ChainBroken(f"record {position} is none that the bridge wrote", position)
        if _in_columns(expected) != row[:_INDEX_WIDTH]:
            names = [name for name, value in zip(_INDEX_NAMES, row, strict=False) if expected[name] != value]
            raise ChainBroken(f"the index says otherwise than record {position}: {', '.join(names)}", position)
        self._check_writer(position, identifier, content, body, mac)

    def _check_writer(self, position: int, identifier: int, content: Mapping[str, Any], body: str, mac: bytes) -> None:
        writer, number = split_id(identifier)
        stand = self._stands.get(writer) or self._find_stand(writer, number, position)
        if number > stand.number + 1 and self._retired.ends_before(writer, number):
            stand = self._find_stand(writer, number, position)
        if number != stand.number + 1:
            raise ChainBroken(_describe_order(position, writer, stand.number, number), position)
        if (content.get("writer"), content.get("number")) != (writer, number):
            raise ChainBroken(f"record {position} says that it has another place", position)
        if self._mac_key is not None and link(self._mac_key, stand.mac, body) != mac:
            raise ChainBroken(f"record {position} was not written by the bridge: its mac is wrong", position)
        moment, monotonic = to_microseconds(content["time"]), content.get("monotonic")
        if content["event"] != STEPPED_BACK:
            _check_clock(position, stand, moment, monotonic)
        self._stands[writer] = _Stand(number, mac, moment, monotonic)
        span = self.spans.setdefault(writer, Span(number, position, number))
        span.last_number = number

    def _find_stand(self, writer: int, number: int, position: int) -> _Stand:
        """Return where a writer stood before its first record of the range."""
        if number == 1:
            return _NOTHING_YET
        row = self._connection.execute(
            select(tables.records.c.body, tables.records.c.mac).where(
                tables.records.c.id == record_id(writer, number - 1)
            )
        ).first()
        if row is None:
            mac = self._retired.ends.get(record_id(writer, number - 1))
            if mac is not None:
                return _Stand(number - 1, mac, 0, None)
            raise ChainBroken(f"record {number - 1} of writer {writer} is gone; it was before this one", position)
        content, columns = read_record(0, 0, row.body)
        return _Stand(number - 1, row.mac, columns["time"], content.get("monotonic"))

    def _describe_missing(self, position: int, identifier: int) -> str:
        found = select(tables.records.c.id).where(tables.records.c.id == identifier)
        if self._connection.execute(found).first():
            return f"the index says another month than record {position}"
        writer, number = split_id(identifier)
        return f"record {position}, number {number} of writer {writer}, is gone"


def _check_clock(position: int, stand: _Stand, moment: int, monotonic: object) -> None:
    back = stand.time - moment
    if isinstance(monotonic, int) and isinstance(stand.monotonic, int) and monotonic >= stand.monotonic:
        passed = (monotonic - stand.monotonic) * 1_000
        back += int(passed * (1 - DRIFT_SHARE))
    if back > STEP_SECONDS * _MICROSECONDS:
        seconds = back // _MICROSECONDS
        raise ChainBroken(
            f"before record {position} a clock was set back by {seconds} s, and no record says so", position
        )


def _read_hashes(connection: Connection, begin: int, end: int) -> dict[int, bytes]:
    hashes: dict[int, bytes] = {}
    for block in range(begin // BLOCK_LEAVES, -(-end // BLOCK_LEAVES)):
        hashes.update(enumerate(read_leaves(connection, block), start=block * BLOCK_LEAVES))
    return hashes


def _describe_order(position: int, writer: int, last: int, number: int) -> str:
    if number > last + 1:
        missing = f"{last + 1}" if number == last + 2 else f"{last + 1} to {number - 1}"
        return f"before record {position}, number {missing} of writer {writer} is missing"
    return f"record {position}, number {number} of writer {writer}, stands after its number {last}"
