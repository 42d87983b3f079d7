"""Compute again what searches and figures go by, from the records, and mend what is otherwise.

Each record is held against the hash that the log keeps of it; that those hashes are what was signed is for verification
to say. Then the rows that search needs of it are compared with those that are there, and only what is wrong is written:
a few rows in each transaction while people sign in, and the counts at the end, while nobody sequences. So whatever
stops it leaves nothing worse, and the next run has less to write.

What was counted of months that were retired cannot be computed again, and stays as it is.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Engine, Table, and_, bindparam, delete, exists, func, insert, or_, select, update

from bridge.audit.exclusive import Turn
from bridge.audit.keeping.retired import NOTHING_RETIRED, read_retired
from bridge.audit.kinds import kind_row, terms
from bridge.audit.proof.merkle import leaf_hash
from bridge.audit.proof.tree import read_hashes
from bridge.audit.record import read_record
from bridge.audit.search.tables import hours, kinds, networks
from bridge.audit.search.tables import terms as term_table
from bridge.audit.search.upkeep import DAY, HOUR, TURN, Tally, traits_of
from bridge.audit.sequencer import ROWS, wait_for_turn
from bridge.audit.tables import SAME_RECORD, index, records, retired
from bridge.audit.turns import turn
from bridge.database import snapshot
from bridge.errors import ChainBroken, SearchBusy

PART = 262_144
"""For how many positions words are read at once. No index leads from a position to them, so all are looked through."""
_AT_ONCE = 2_048
_WRITTEN_AT_ONCE = 500
_PAUSE_SECONDS = 0.01
_MICROSECONDS = 1_000_000

Row = Mapping[str, Any]
Progress = Callable[[int, int], None]
"""Called with how many positions were looked at, and of how many."""

_INDEXED = select(index, records.c.body).outerjoin(records, SAME_RECORD).order_by(index.c.position)
_WORDS = select(term_table.c.position, term_table.c.term).order_by(term_table.c.position)
_THIS_WORD = and_(term_table.c.term == bindparam("of_term"), term_table.c.position == bindparam("of_position"))
_DROP_WORD = delete(term_table).where(_THIS_WORD)
_DROP_STRANGE_WORD = _DROP_WORD.where(~exists().where(index.c.position == bindparam("of_position")))
"""Of a position that no record had when we looked; by now one may have it."""
_NO_WORDS: tuple[int | None, Iterator[Any]] = None, iter(())
_TOLD_BY_ONE = "privileged"
"""Of a day's uses of a role, what any of its records says; it is no part of the row's key."""
_MEND_ROW = update(index).where(index.c.position == bindparam("of_position"))


@dataclass
class Rebuilt:
    """What was done."""

    positions: int = 0
    """How many were looked at."""
    mended: Counter[str] = field(default_factory=Counter)
    """By table, how many rows were wrong, missing or too many."""

    def list_mended(self) -> list[tuple[str, int]]:
        """Return each table that was mended with the number of its rows."""
        return [(name, number) for name, number in sorted(self.mended.items()) if number]


class Rebuilding:
    """One run. What it did so far is in ``done``, however it ends."""

    def __init__(self, engine: Engine, mac_key: bytes, progress: Progress) -> None:
        """Take the database, as who may change its tables, and the key of the writers' chains."""
        self._engine = engine
        self._mac_key = mac_key
        self._progress = progress
        self._tally = Tally()
        self._retired = NOTHING_RETIRED
        self.done = Rebuilt()

    def run(self) -> None:
        """Mend everything.

        Raises:
            SearchBusy: another process rebuilds, or months are being retired.
            ChainBroken: a record is not the one that got its place; at its position. What comes before is mended, but
                for what is counted.
            sqlalchemy.exc.SQLAlchemyError: the database does not answer.
        """
        mine = Turn(self._engine, TURN)
        if not mine.take():
            raise SearchBusy("another process rebuilds them, or retires months")
        try:
            with snapshot(self._engine) as connection:
                self._read_retired(connection)
                size = _count_positions(connection)
            self._mend_to(size)
            while size - self.done.positions > ROWS:  # what came meanwhile, until little is left
                self._mend_to(size)
                with snapshot(self._engine) as connection:
                    size = _count_positions(connection)
            self._mend_counts()
        finally:
            mine.leave()

    def _read_retired(self, connection: Connection) -> None:
        self._retired = read_retired(connection, self._mac_key)
        for first, end in self._retired.spans:
            left = select(index.c.position).where(index.c.position >= first, index.c.position < end)
            if connection.execute(left.limit(1)).first() is not None:
                raise SearchBusy("a month is half retired: let `rambridge audit retire` finish first")

    def _mend_to(self, size: int) -> None:
        for first in range(self.done.positions, size, PART) or [0]:
            self._mend_part(first, min(first + PART, size), size)

    def _mend_part(self, begin: int, end: int, size: int) -> None:
        """Mend the rows and words of some positions, and words of positions that there are not; count the records."""
        rows: list[Row] = []
        changes: list[tuple[Any, Row]] = []
        with snapshot(self._engine) as connection:
            there = _count_positions(connection)
            low = term_table.c.position < end if not begin else term_table.c.position.between(begin, end - 1)
            words = connection.execution_options(yield_per=4 * _AT_ONCE).execute(
                _WORDS.where(or_(low, term_table.c.position >= there))
            )
            with words:
                grouped = groupby(words, key=itemgetter(0))
                at, kept = next(grouped, _NO_WORDS)
                for row, content, wrong in self._read(connection, begin, end):
                    position = row["position"]
                    while at is not None and at < position:
                        changes += [(_DROP_STRANGE_WORD, _bind(at, word)) for _, word in kept]
                        at, kept = next(grouped, _NO_WORDS)
                    have = {word for _, word in kept} if at == position else set()
                    if at == position:
                        at, kept = next(grouped, _NO_WORDS)
                    expected = terms(content)
                    changes += [(_DROP_WORD, _bind(position, word)) for word in have - expected]
                    rows += [{"term": word, "position": position} for word in expected - have]
                    if wrong:
                        changes.append((_MEND_ROW, {"of_position": position, **row}))
                    self._count(row, content)
                    self.done.positions = position + 1
                    if not self.done.positions % _AT_ONCE:
                        self._write(rows, changes)
                        self._progress(self.done.positions, size)
                while at is not None:
                    changes += [(_DROP_STRANGE_WORD, _bind(at, word)) for _, word in kept]
                    at, kept = next(grouped, _NO_WORDS)
        self.done.positions = end
        self._write(rows, changes)
        self._progress(end, size)

    def _read(self, connection: Connection, begin: int, end: int) -> Iterator[tuple[dict[str, Any], Row, bool]]:
        """Yield of each record its row of the index as it should be, what it says, and whether its row is another one.

        Raises:
            ChainBroken: it is not the record that got this place.
        """
        for part_begin, part_end in self._retired.leave_out(begin, end):
            for first in range(part_begin, part_end, _AT_ONCE):
                last = min(first + _AT_ONCE, part_end)
                hashes = read_hashes(connection, first, last)
                some = _INDEXED.where(index.c.position >= first, index.c.position < last)
                found = {row["position"]: dict(row) for row in connection.execute(some).mappings()}
                for position in range(first, last):
                    row = found.get(position)
                    if row is None:
                        raise ChainBroken(f"no record has the position {position}", position)
                    body = row.pop("body")
                    if body is None:  # what nobody can read has another month than its row
                        body = connection.scalar(select(records.c.body).where(records.c.id == row["id"]))
                    if body is None or leaf_hash(body.encode()) != hashes.get(position):
                        raise ChainBroken(f"record {position} is not the one that got this place", position)
                    content, expected = read_record(position, row["id"], body)
                    yield expected, content, expected != row

    def _count(self, row: Row, content: Row) -> None:
        kind = row["kind"]
        if kind not in self._tally.kind_rows:
            self._tally.kind_rows[kind] = kind_row(content)
        self._tally.note(row["position"], row["time"], traits_of(row), row["network"])

    def _write(self, new_words: list[Row], changes: list[tuple[Any, Row]]) -> None:
        """Write in small transactions, between which whoever waits to append goes first."""
        for begin in range(0, len(new_words), _WRITTEN_AT_ONCE):
            some = new_words[begin : begin + _WRITTEN_AT_ONCE]
            with turn(self._engine), self._engine.begin() as connection:
                connection.execute(insert(term_table), some)
            self.done.mended[term_table.name] += len(some)
            time.sleep(_PAUSE_SECONDS)
        for begin in range(0, len(changes), _WRITTEN_AT_ONCE):
            done = Counter[str]()
            with turn(self._engine), self._engine.begin() as connection:
                for statement, values in changes[begin : begin + _WRITTEN_AT_ONCE]:
                    done[statement.table.name] += connection.execute(statement, values).rowcount
            self.done.mended += done
            time.sleep(_PAUSE_SECONDS)
        new_words.clear()
        changes.clear()

    def _mend_counts(self) -> None:
        """Count the last records as well, and write what is counted otherwise, while nobody sequences."""
        mended = Counter[str]()
        with turn(self._engine), self._engine.begin() as connection:
            wait_for_turn(connection)
            end = _count_positions(connection)
            for row, content, _ in self._read(connection, self.done.positions, end):
                self._count(row, content)
            months = frozenset(connection.scalars(select(retired.c.month)))
            mended[kinds.name] = _settle(connection, kinds, self._tally.kinds(), (), lambda _row: False)
            for table, sums, rows in self._tally.rows():
                mended[table.name] = _settle(connection, table, rows, sums, self._may_be_older(table, months))
        self.done.positions = end
        self.done.mended += mended

    def _may_be_older(self, table: Table, months: AbstractSet[int]) -> Callable[[Row], bool]:
        """Return what tells whether records that were retired may be counted in a row of a table."""
        if table is networks:
            return lambda row: any(first <= row["first_position"] < end for first, end in self._retired.spans)
        unit = HOUR if table is hours else DAY
        return lambda row: _month_of(row[next(iter(table.primary_key)).name] * unit) in months


def _settle(
    connection: Connection, table: Table, rows: Sequence[Row], sums: Sequence[str], is_older: Callable[[Row], bool]
) -> int:
    """Let a table have these rows, and what is counted there of records that were retired; return how many changed."""
    names = [column.name for column in table.primary_key]
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    said: dict[tuple[Any, ...], set[Any]] = {}
    for row in rows:
        key = tuple(row[name] for name in names)
        before = found.get(key)
        found[key] = dict(row) if before is None else {**row, "count": before["count"] + row["count"]}
        said.setdefault(key, set()).add(row.get(_TOLD_BY_ONE))
    kept = {tuple(row[name] for name in names): dict(row) for row in connection.execute(select(table)).mappings()}
    gone, new = [], []
    for key in kept.keys() | found.keys():
        old, right = kept.get(key), found.get(key)
        if old is not None and right is not None and old.get(_TOLD_BY_ONE) in said[key]:
            right |= {name: old[name] for name in (_TOLD_BY_ONE,) if name in old}
        if old is not None and is_older(old):
            right = old if right is None else _join(old, right, sums)
        if old != right:
            gone += [] if old is None else [{f"of_{name}": value for name, value in zip(names, key, strict=True)}]
            new += [] if right is None else [right]
    if gone:
        this = and_(*(table.c[name] == bindparam(f"of_{name}") for name in names))
        connection.execute(delete(table).where(this), gone)
    if new:
        connection.execute(insert(table), new)
    return max(len(gone), len(new))


def _join(old: Row, found: Row, sums: Sequence[str]) -> dict[str, Any]:
    """Return a row that counts what is found, and what was retired."""
    joined = {**found, **{name: max(old[name], found[name]) for name in sums}}
    if "first_position" in old and old["first_position"] < found["first_position"]:
        joined |= {name: old[name] for name in ("first_position", "first_time") if name in old}
    return joined


def _bind(position: int, word: int) -> Row:
    return {"of_position": position, "of_term": word}


def _month_of(time: int) -> int:
    moment = datetime.fromtimestamp(time // _MICROSECONDS, UTC)
    return moment.year * 100 + moment.month


def _count_positions(connection: Connection) -> int:
    last = connection.execute(select(func.max(index.c.position))).scalar()
    return 0 if last is None else int(last) + 1
