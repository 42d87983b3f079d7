"""One process's chain of records in the database.

Nothing on this path is shared with other processes: each has a number of its own, and its records follow one another
by ``number`` and ``mac``. What ties the chains together comes afterwards (``sequencer``).
"""

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, event, func, insert, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from bridge.audit.content import Content
from bridge.audit.record import FORMAT, Head, encode_body, format_time, link, month_of, record_id, split_id
from bridge.audit.secrets import AuditSecrets, FoundKeys, Label
from bridge.audit.tables import records, writers
from bridge.clock import Clock

IDLE_SECONDS = 86_400.0
"""A writer that has been silent for so long takes a new number, so that few have to be looked at for new records."""
_MARKS = {"sqlite": "?", "postgresql": "%s"}
ATTEMPTS = 3
RETRY_SECONDS = 5.0
"""For how long what failed is tried again: callers wait for it."""


@dataclass
class Unwritten:
    """A record without its place."""

    content: Content
    sealed: str | None
    """The personal fields, sealed; None: not all keys that it needs are known to be there."""


class Writer:
    """Appends to one chain. For one thread at a time; not to be used across a fork."""

    def __init__(self, engine: Engine, secrets: AuditSecrets, clock: Clock, node: str) -> None:
        """Take the database, the log's keys, the clock, and the name of this machine. Nothing is asked of them yet."""
        self._engine = engine
        self._secrets = secrets
        self._clock = clock
        self._node = node
        self._connection: Connection | None = None
        self._writer = 0
        """Our number; 0: none yet."""
        self._head: Head | None = None
        self._written_at = 0.0
        event.listen(engine, "engine_disposed", lambda _: self._drop())
        mark = _MARKS[engine.dialect.name]
        self._insert = f"INSERT INTO audit_records (id, month, body, mac) VALUES ({mark}, {mark}, {mark}, {mark})"  # noqa: S608

    def write(self, items: Sequence[Unwritten]) -> None:
        """Return when the records are on disk, in this order and next to each other.

        After a failure nobody knows whether a commit took place. So the chain's end is read again, and what is not
        there is written again: nothing is there twice, and no number is left out.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: they are not, or it cannot be found out.
        """
        give_up_at = time.monotonic() + RETRY_SECONDS
        ends: list[Head] = []
        while True:
            try:
                connection = self._connect()
                head = self._find_head(connection)
                if head in ends:  # one of our commits came through after all
                    break
                with connection.begin():
                    found = self._provide_keys(connection, items)
                    rows, end = self._place(head, items, found)
                    ends.append(end)
                    connection.exec_driver_sql(self._insert, rows)
            except SQLAlchemyError:
                self._give_up()
                if len(ends) >= ATTEMPTS or time.monotonic() >= give_up_at:
                    raise
            else:
                self._secrets.keep(found)
                self._head = end
                break
        self._written_at = time.monotonic()

    def rest(self) -> None:
        """Let the connection go for as long as nothing is written."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(SQLAlchemyError):
                connection.close()

    def _give_up(self) -> None:
        """Let go of a connection that failed, and believe nothing of what was done with it."""
        self._head = None
        self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(SQLAlchemyError):
                self._connection.invalidate()
        self.rest()

    def _connect(self) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection

    def _find_head(self, connection: Connection) -> Head:
        """Return where our chain ends, and begin one where we have none."""
        if not self._writer or time.monotonic() - self._written_at > IDLE_SECONDS:
            self._writer = self._take_number(connection)
            self._head = Head()
        if self._head is None:
            first, last = record_id(self._writer, 0), record_id(self._writer + 1, 0)
            query = select(records.c.id, records.c.mac).where(records.c.id > first, records.c.id < last)
            with connection.begin():
                row = connection.execute(query.order_by(records.c.id.desc()).limit(1)).first()
            self._head = Head(split_id(row.id)[1], row.mac) if row else Head()
        return self._head

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

    def _place(
        self, head: Head, items: Sequence[Unwritten], found: FoundKeys
    ) -> tuple[list[tuple[int, int, str, bytes]], Head]:
        """Return the rows, and where the chain ends with them."""
        rows = []
        writer, number, mac, key = self._writer, head.number, head.mac, self._secrets.mac_key
        for item in items:
            number += 1
            content, now = item.content, format_time(self._clock.now())
            body = encode_body(
                content.plain
                | {
                    "format": FORMAT,
                    "writer": writer,
                    "number": number,
                    "time": now,
                    "monotonic": time.monotonic_ns() // 1_000_000,
                    "sealed": item.sealed or found.seal(content.key_name, content.personal),
                    "sealed_for": content.key_name,
                }
            )
            mac = link(key, mac, body)
            rows.append((record_id(writer, number), month_of(now), body, mac))
        return rows, Head(number, mac)
