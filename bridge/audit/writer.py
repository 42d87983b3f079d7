"""One process's chain of records in the database.

Nothing on this path is shared with other processes: each has a number of its own, and its records follow one another
by ``number`` and ``mac``. What ties the chains together comes afterwards (``sequencer``).
"""

import contextlib
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import compress
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Pool, Select, bindparam, event, func, insert, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from bridge.audit.content import Content, Describer
from bridge.audit.events import BACKGROUND, ClockSteppedBack, SignInAccepted
from bridge.audit.record import FORMAT, Head, encode_body, format_time, link, month_of, read_record, record_id, split_id
from bridge.audit.secrets import AuditSecrets, FoundKeys, Label
from bridge.audit.tables import NUMBER_BITS, index, records, writers
from bridge.audit.turns import turn
from bridge.clock import Clock

IDLE_SECONDS = 86_400.0
"""A writer that has been silent for so long takes a new number, so that few have to be looked at for new records."""
_MARKS = {"sqlite": "?", "postgresql": "%s"}
PROCESSES = 8
"""Of how many processes of this machine that began last the last record is looked at,"""
RECORDS = 256
"""and at how many of the last records of the log, whoever wrote them."""
LOOK_SECONDS = 2.0
"""How old what we know of the others' records may be when somebody signs in; less than a clock may go back."""
ATTEMPTS = 3
_EPOCH = datetime.fromtimestamp(0, UTC)
PAUSE_SECONDS = 0.05


@dataclass
class Unwritten:
    """A record without its place."""

    content: Content
    sealed: str | None
    """The personal fields, sealed; None: not all keys that it needs are known to be there."""


class Writer:
    """Appends to one chain. For one thread at a time; not to be used across a fork."""

    def __init__(  # noqa: PLR0917  what it writes with
        self, engine: Engine, secrets: AuditSecrets, clock: Clock, node: str, describer: Describer, tolerance: timedelta
    ) -> None:
        """Take what it writes with. Nothing is asked of the database yet.

        Args:
            engine: the audit database.
            secrets: the log's keys.
            clock: what the records' times are read from.
            node: the name of this machine.
            describer: turns events into contents.
            tolerance: how far the clock may go back.
        """
        self._engine = engine
        self._secrets = secrets
        self._clock = clock
        self._node = node
        self._describer = describer
        self._tolerance = tolerance
        self._connection: Connection | None = None
        self._pool: Pool | None = None
        """Whose connection it is, or was."""
        self._letting_go = threading.RLock()
        self._process = os.getpid()
        self._writer = 0
        """Our number; 0: none yet."""
        self._head: Head | None = None
        """Where our chain ends; None: it has to be found out."""
        self._ends = [Head()]
        """Where it can end by what we did ourselves."""
        self._read_end_at = 0.0
        """When we last saw that it does, by the process's own clock."""
        self._written_at = 0.0
        self._latest: datetime | None = None
        """The latest time of a record of this machine."""
        self._looked_at = float("-inf")
        """When we read what the others wrote last, by the process's own clock (``time.monotonic``)."""
        self._stepped_back = False
        event.listen(engine, "engine_disposed", lambda _: self._drop())
        mark = _MARKS[engine.dialect.name]
        self._insert = f"INSERT INTO audit_records (id, month, body, mac) VALUES ({mark}, {mark}, {mark}, {mark})"  # noqa: S608

    def is_behind(self) -> bool:
        """Tell whether the clock was set back, and is not beyond the last record again."""
        latest = self._latest
        if latest is None:
            return False
        now = self._clock.now()
        return now < latest - self._tolerance or (self._stepped_back and now <= latest)

    def write(self, appends: Sequence[Sequence[Unwritten]]) -> list[bool]:
        """Return when the records are on disk, in this order and next to each other.

        If the clock was set back, a record says so, and none is written of an append with an accepted sign-in (threat
        AUD-04): what must not be used twice is remembered by the clock. Returned is for each append whether its
        records were written.

        After a failure nobody knows whether a commit took place. So the chain's end is read again, and what is not
        there is written again: nothing is there twice, and no number is left out.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: they are not on disk, or it cannot be found out.
        """
        ends: list[Head] = []
        for attempts_left in reversed(range(ATTEMPTS)):
            try:
                connection = self._connect()
                head = self._find_head(connection)
                if head in ends:  # one of our commits came through after all
                    break
                if any(map(_opens_session, appends)):
                    self._look_at_others(connection)
                now = self._clock.now()
                behind = self.is_behind()
                written = [not (behind and _opens_session(append)) for append in appends]
                items = [item for append in compress(appends, written) for item in append]
                if behind and not self._stepped_back:
                    items.insert(0, self._describe_step(now))
                if items:
                    with turn(self._engine), connection.begin():
                        found = self._provide_keys(connection, items)
                        rows, end = self._place(head, items, found, now)
                        ends.append(end)
                        self._ends.append(end)
                        connection.exec_driver_sql(self._insert, rows)
                    self._secrets.keep(found)
                    self._head, self._ends = end, [end]
                break
            except SQLAlchemyError:
                self._give_up()
                if not attempts_left:
                    raise
                time.sleep(PAUSE_SECONDS)
        self._written_at = time.monotonic()
        self._stepped_back = behind
        self._latest = now if self._latest is None else max(self._latest, now)
        return written

    def rest(self) -> None:
        """Let the connection go for as long as nothing is written.

        Another thread may dispose of the engine meanwhile; what a pool gets back after that would stay open.
        """
        with self._letting_go:
            connection, self._connection = self._connection, None
            if connection is not None:
                with contextlib.suppress(SQLAlchemyError):
                    connection.close()
            if self._pool is not None and self._pool is not self._engine.pool:
                self._pool.dispose()

    def _give_up(self) -> None:
        """Let go of a connection that failed, and believe nothing of what was done with it."""
        self._head = None
        self._drop()

    def _drop(self) -> None:
        if os.getpid() != self._process:
            return  # the connection is the parent's, which goes on with it
        with self._letting_go:
            if self._connection is not None:
                with contextlib.suppress(SQLAlchemyError):
                    self._connection.invalidate()
            self.rest()

    def _connect(self) -> Connection:
        if self._connection is None:
            self._pool = self._engine.pool
            self._connection = self._engine.connect()
        return self._connection

    def _find_head(self, connection: Connection) -> Head:
        """Return where our chain ends, and begin one where we have none."""
        if not self._writer or time.monotonic() - self._written_at > IDLE_SECONDS:
            self._look_at_others(connection)
            self._begin_chain(connection)
        elif self._head is None or time.monotonic() - self._read_end_at > LOOK_SECONDS:
            self._head = self._read_end(connection)
        return self._head or self._begin_chain(connection)

    def _begin_chain(self, connection: Connection) -> Head:
        self._writer = self._take_number(connection)
        self._head, self._ends, self._read_end_at = Head(), [Head()], time.monotonic()
        return self._head

    def _read_end(self, connection: Connection) -> Head | None:
        """Return where our chain ends; None if somebody else wrote into it, so that another one has to be begun.

        Behind a foreign record with a later number nobody would look for ours. Until we notice, they come before it:
        see ``sequencer.GAP_SECONDS``.
        """
        this = select(records.c.mac).where(records.c.id == bindparam("of"))
        with connection.begin():
            row = connection.execute(_last_of(self._writer, records.c.id, records.c.mac)).first()
            last = Head(split_id(row.id)[1], row.mac) if row else Head()
            if last in self._ends:
                self._read_end_at = time.monotonic()
                return last
            for end in reversed(self._ends[1:]):  # what nobody knew of a commit is asked of what it wrote
                if connection.execute(this, {"of": record_id(self._writer, end.number)}).scalar() == end.mac:
                    return end
        return None

    def _look_at_others(self, connection: Connection) -> None:
        """Learn the latest time among the last records of this machine, if we have not just read it.

        A process that was silent does not know by itself that the clock was later. Of this machine alone: the clocks of
        others are not this one's. One that began long ago may still be writing, so the end of the log is looked at too.
        """
        if time.monotonic() - self._looked_at < LOOK_SECONDS:
            return
        ours = select(writers.c.writer).where(writers.c.node == self._node)
        tail = select(index.c.id, index.c.time).order_by(index.c.position.desc()).limit(RECORDS).subquery()
        latest = select(func.max(tail.c.time)).where((tail.c.id // (1 << NUMBER_BITS)).in_(ours))
        times = [] if self._latest is None else [self._latest]
        with connection.begin():
            microseconds = connection.execute(latest).scalar()
            if microseconds is not None:
                times.append(_EPOCH + timedelta(microseconds=microseconds))
            for writer in connection.execute(ours.order_by(writers.c.writer.desc()).limit(PROCESSES)).scalars().all():
                body = connection.execute(_last_of(writer, records.c.body)).scalar()
                if body is not None:
                    times.append(_EPOCH + timedelta(microseconds=read_record(0, 0, body)[1]["time"]))
        self._latest = max(times, default=None)
        self._looked_at = time.monotonic()

    def _take_number(self, connection: Connection) -> int:
        for attempts_left in reversed(range(ATTEMPTS)):
            try:
                with connection.begin():
                    number = connection.execute(select(func.coalesce(func.max(writers.c.writer), 0))).scalar_one() + 1
                    started = format_time(self._clock.now())
                    connection.execute(insert(writers).values(writer=number, node=self._node, started=started))
            except IntegrityError:  # another process took it at the same moment
                if not attempts_left:
                    raise
            else:
                return int(number)
        raise AssertionError

    def _provide_keys(self, connection: Connection, items: Sequence[Unwritten]) -> FoundKeys:
        needed: dict[str, Label | None] = {}
        for item in items:
            if item.sealed is None:
                needed |= item.content.keys
        return self._secrets.provide(connection, needed) if needed else FoundKeys({})

    def _describe_step(self, now: datetime) -> Unwritten:
        latest = self._latest or now
        stepped = ClockSteppedBack(self._node, round((latest - now).total_seconds()), format_time(latest))
        return Unwritten(self._describer.describe(BACKGROUND, stepped), None)

    def _place(
        self, head: Head, items: Sequence[Unwritten], found: FoundKeys, now: datetime
    ) -> tuple[list[tuple[int, int, str, bytes]], Head]:
        """Return the rows, and where the chain ends with them."""
        rows = []
        writer, number, mac, key = self._writer, head.number, head.mac, self._secrets.mac_key
        written_at = format_time(now)
        place = {"format": FORMAT, "writer": writer, "time": written_at, "monotonic": time.monotonic_ns() // 1_000_000}
        month = month_of(written_at)
        for item in items:
            number += 1
            content = item.content.plain | place | {"number": number}
            if item.content.key_name:
                content["sealed"] = item.sealed or found.seal(item.content.key_name, item.content.personal)
                content["sealed_for"] = item.content.key_name
            body = encode_body(content)
            mac = link(key, mac, body)
            rows.append((record_id(writer, number), month, body, mac))
        return rows, Head(number, mac)


def _opens_session(append: Sequence[Unwritten]) -> bool:
    return any(item.content.plain["event"] == SignInAccepted.name for item in append)


def _last_of(writer: int, *columns: ColumnElement[Any]) -> Select[Any]:
    first, last = record_id(writer, 0), record_id(writer + 1, 0)
    query = select(*columns).where(records.c.id > first, records.c.id < last)
    return query.order_by(records.c.id.desc()).limit(1)
