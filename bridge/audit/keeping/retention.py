"""Records whose time is over go, a whole month at a time; what proves the others stays (see ``retired.py``).

What goes is written into the log first, under a checkpoint. Then PostgreSQL drops the month's partition; SQLite deletes
in small steps, between which people sign in. Whatever stops it, the next run goes on. With the last record that speaks
of a person the person's key goes too.
"""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Column, Connection, Engine, delete, func, insert, literal_column, select

from bridge.audit.events import BACKGROUND, AuditRetired
from bridge.audit.exclusive import Turn
from bridge.audit.keeping.append_only import lift_delete_guard, restore_delete_guard
from bridge.audit.keeping.partitions import create_ahead, drop_month, lock_layout
from bridge.audit.keeping.retired import Retired, Span, merge_spans, read_retired
from bridge.audit.log import AuditLog
from bridge.audit.proof.checked_records import check_records
from bridge.audit.record import record_id
from bridge.audit.search.upkeep import TURN, forget_positions
from bridge.audit.sequencer import Sequencer, wait_for_turn
from bridge.audit.tables import index, keys, records, retired, sequenced, writers
from bridge.audit.trail.forgetting import forget_before
from bridge.clock import Clock
from bridge.errors import RetentionRefused, SearchBusy

_AT_ONCE = 1_000
_PAUSE_SECONDS = 0.01


@dataclass(frozen=True)
class Due:
    """A month whose time is over."""

    month: int
    """``year * 100 + month``."""
    records: int


class Retention:
    """Retires months of one log."""

    def __init__(self, engine: Engine, audit: AuditLog, sequencer: Sequencer, clock: Clock, *, mac_key: bytes) -> None:
        """Take the database, as whoever owns its tables, the log, what sequences and signs it, and the clock.

        ``mac_key`` is that of the writers' chains: what does not verify does not go.
        """
        self._engine = engine
        self._audit = audit
        self._sequencer = sequencer
        self._clock = clock
        self._mac_key = mac_key

    def find_due(self, keep_months: int) -> list[Due]:
        """Return the months that are over for more than ``keep_months`` whole months, the oldest first."""
        first_kept = months_before(self._clock.now(), keep_months)
        query = (
            select(index.c.month, func.count())
            .where(index.c.month < first_kept)
            .group_by(index.c.month)
            .order_by(index.c.month)
        )
        with self._engine.connect().execution_options(read_only=True) as connection:
            return [Due(month, count) for month, count in connection.execute(query)]

    def retire(self, month: int, author: str) -> None:
        """Let the records of a month go; every earlier month went before. ``author`` is who wants it.

        Raises:
            RetentionRefused: a record of the month has no place in the log, or the log is not what was signed.
            SearchBusy: somebody rebuilds what searches go by.
            ChainBroken: a record of the month is not what was written.
            AuditUnavailable: it cannot be recorded; nothing was deleted.
            sqlalchemy.exc.SQLAlchemyError: the database does not answer.
        """
        mine = Turn(self._engine, TURN)
        if not mine.take():
            raise SearchBusy("what searches go by is being rebuilt")
        try:
            self._retire(month, author)
        finally:
            mine.leave()

    def _retire(self, month: int, author: str) -> None:
        with self._engine.connect().execution_options(read_only=True) as connection:
            spans, known = list(_find_spans(connection, month)), read_retired(connection, self._mac_key)
        if merge_spans([*known.spans, *spans]) != known.spans:  # else it was stopped in between
            self._declare(month, author)
        with self._engine.connect().execution_options(read_only=True) as connection:
            spoken_of = list(_find_spoken_of(connection, month))
        self._delete(month)
        self._sequencer.catch_up()
        with self._engine.begin() as connection:
            _forget(connection, spoken_of)
        forget_before(self._engine, _end_of(month))

    def _declare(self, month: int, author: str) -> None:
        self._sequencer.sign_now()
        if self._sequencer.broken is not None:
            raise RetentionRefused(f"the log does not verify: {self._sequencer.broken.detail}")
        with self._engine.connect().execution_options(read_only=True) as connection:
            _check_sequenced(connection, month)
            spans = list(_find_spans(connection, month))
            for span in spans:
                check_records(connection, *span, self._mac_key)
            before = read_retired(connection, self._mac_key)
            now = Retired(merge_spans([*before.spans, *spans]), _find_ends(connection, month, before))
        count = sum(end - first for first, end in spans)
        event = AuditRetired(
            month=month, count=count, positions=now.describe_spans(), ends=now.describe_ends(), author=author
        )
        self._audit.append(BACKGROUND, event)
        self._sequencer.sign_now()
        with self._engine.begin() as connection:
            position = _find_declaration(connection, spans[-1][1], month)
            connection.execute(insert(retired).values(month=month, position=position))

    def _delete(self, month: int) -> None:
        sqlite = self._engine.dialect.name == "sqlite"
        if not sqlite:
            with self._engine.begin() as connection:
                lock_layout(connection)
                create_ahead(connection, self._clock.now())  # so that nothing of the month is in the default partition
                drop_month(connection, month)
        some = select(index.c.position, index.c.id).where(index.c.month == month)
        some = some.order_by(index.c.position).limit(_AT_ONCE)
        while True:
            with self._engine.begin() as connection:
                rows = connection.execute(some).all()
                if not rows:
                    return
                positions = [row.position for row in rows]
                if sqlite:
                    lift_delete_guard(connection, records)
                    connection.execute(delete(records).where(records.c.id.in_([row.id for row in rows])))
                    restore_delete_guard(connection, records)
                wait_for_turn(connection)  # who sequences counts in the same rows
                forget_positions(connection, positions)
                connection.execute(delete(index).where(index.c.position.in_(positions)))
            time.sleep(_PAUSE_SECONDS)  # whoever waits to append goes first


def months_before(now: datetime, months: int) -> int:
    """Return the month that is so many months before this one, as ``year * 100 + month``."""
    number = now.year * 12 + now.month - 1 - months
    return number // 12 * 100 + number % 12 + 1


def _end_of(month: int) -> int:
    """Return the first moment after a month, in microseconds since 1970."""
    following = datetime(month // 100 + month % 100 // 12, month % 100 % 12 + 1, 1, tzinfo=UTC)
    return int(following.timestamp()) * 1_000_000


def _check_sequenced(connection: Connection, month: int) -> None:
    written = connection.execute(select(func.count()).where(records.c.month == month)).scalar_one()
    placed = connection.execute(select(func.count()).where(index.c.month == month)).scalar_one()
    if written != placed:
        raise RetentionRefused(f"of {written} records of the month {placed} have a place in the log")


def _find_spans(connection: Connection, month: int) -> Iterator[Span]:
    island = (index.c.position - func.row_number().over(order_by=index.c.position)).label("island")
    placed = select(index.c.position, island).where(index.c.month == month).subquery()
    query = select(func.min(placed.c.position), func.max(placed.c.position)).group_by(placed.c.island)
    for first, last in connection.execute(query.order_by(literal_column("1"))):
        yield first, last + 1


def _find_ends(connection: Connection, month: int, before: Retired) -> dict[int, bytes]:
    island = (index.c.id - func.row_number().over(order_by=index.c.id)).label("island")
    placed = select(index.c.id, island).where(index.c.month == month).subquery()
    ends = dict(before.ends)
    for last in connection.execute(select(func.max(placed.c.id)).group_by(placed.c.island)).scalars():
        ends[last] = connection.execute(select(records.c.mac).where(records.c.id == last)).scalar_one()
    following = {
        identifier: connection.execute(select(records.c.month).where(records.c.id == identifier + 1)).scalar()
        for identifier in ends
    }
    return {end: mac for end, mac in ends.items() if following[end] not in {None, month}}


def _find_declaration(connection: Connection, after: int, month: int) -> int:
    query = select(index.c.position, records.c.body).join(records, records.c.id == index.c.id)
    query = query.where(index.c.position >= after, index.c.event == AuditRetired.name)
    for position, body in connection.execute(query.order_by(index.c.position.desc())):
        if json.loads(body)["month"] == month:
            return int(position)
    raise RetentionRefused("the record that says so has no place in the log")


def _find_spoken_of(connection: Connection, month: int) -> Iterator[tuple[Column[str], str]]:
    """Yield of whom records of a month speak: the column of the index, and the digest."""
    for column in (index.c.subject, index.c.address):
        query = select(column).distinct().where(index.c.month == month, column.is_not(None))
        yield from ((column, digest) for digest in connection.execute(query).scalars())


def _forget(connection: Connection, spoken_of: Sequence[tuple[Column[str], str]]) -> None:
    """Destroy the keys of those people and addresses of whom no record speaks any more.

    Nobody may be about to write a record under such a key: the lock waits for whoever has read it.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"LOCK TABLE {keys.name} IN ACCESS EXCLUSIVE MODE")
    waiting = "".join(_read_unplaced(connection))
    for column, digest in spoken_of:
        is_used = connection.execute(select(index.c.position).where(column == digest).limit(1)).first()
        if not is_used and digest not in waiting:
            connection.execute(delete(keys).where(keys.c.name == f"{column.name}/{digest}"))


def _read_unplaced(connection: Connection) -> Iterator[str]:
    """Yield the records that have no position yet."""
    ends = connection.execute(
        select(writers.c.writer, func.coalesce(sequenced.c.number, 0)).outerjoin(
            sequenced, sequenced.c.writer == writers.c.writer
        )
    ).all()
    for writer, number in ends:
        after, before = record_id(writer, number), record_id(writer + 1, 0)
        yield from connection.execute(
            select(records.c.body).where(records.c.id > after, records.c.id < before)
        ).scalars()
