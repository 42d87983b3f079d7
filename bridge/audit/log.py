"""Append records durably, or refuse to go on.

One thread in each process writes. It takes whatever callers are waiting, writes all of it in one transaction, and wakes
them after the commit: sixteen sign-ins at once cost one fsync, not sixteen. Several processes share the chain: each
transaction reads the head under the database's own write lock.
"""

import logging
import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine, insert, select
from sqlalchemy.exc import SQLAlchemyError

from bridge.audit.chain import Head, encode_body, link
from bridge.audit.events import Event, Origin
from bridge.audit.schema import COPIED_FIELDS, records
from bridge.clock import Clock
from bridge.errors import AuditUnavailable

_logger = logging.getLogger(__name__)

WAIT_SECONDS = 10.0
"""How long a caller waits for the disk before it gives up and refuses."""
BATCH = 256

_INSERT = insert(records)
_LAST = select(records.c.sequence, records.c.digest).order_by(records.c.sequence.desc()).limit(1)


@dataclass(eq=False)
class _Waiting:
    events: Sequence[Event]
    origin: Origin
    written: threading.Event = field(default_factory=threading.Event)
    failure: Exception | None = None


class AuditLog:
    """The log of one process. Open it after a fork, not before: it owns a thread."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        """Take the database (see :func:`bridge.audit.schema.open_database`) and the clock."""
        self._engine = engine
        self._clock = clock
        self._queue: queue.SimpleQueue[_Waiting] = queue.SimpleQueue()
        threading.Thread(target=self._write_forever, name="audit-writer", daemon=True).start()

    def append(self, origin: Origin, *events: Event) -> None:
        """Return only when all ``events`` are on disk, in this order and next to each other.

        Raises:
            AuditUnavailable: they are not, or not known to be; the caller must not release anything.
        """
        waiting = _Waiting(events, origin)
        self._queue.put(waiting)
        if not waiting.written.wait(WAIT_SECONDS):
            raise AuditUnavailable(f"the database did not answer within {WAIT_SECONDS:.0f} s")
        if waiting.failure is not None:
            raise AuditUnavailable(type(waiting.failure).__name__) from waiting.failure

    def check(self) -> None:
        """Return only if the database answers.

        Raises:
            AuditUnavailable: it does not.
        """
        try:
            with self._engine.connect().execution_options(read_only=True) as connection:
                read_head(connection)
        except SQLAlchemyError as error:
            raise AuditUnavailable(type(error).__name__) from error

    def _write_forever(self) -> None:
        while True:
            batch = [self._queue.get()]
            while len(batch) < BATCH and not self._queue.empty():
                batch.append(self._queue.get())
            try:
                with self._engine.begin() as connection:
                    self._write(connection, batch)
            except Exception as failure:  # noqa: BLE001  a writer that died would stop every later sign-in
                _logger.error("audit records could not be written: %s", type(failure).__name__)  # noqa: TRY400  a traceback would show the rows
                for waiting in batch:
                    waiting.failure = failure
            for waiting in batch:
                waiting.written.set()

    def _write(self, connection: Connection, batch: Sequence[_Waiting]) -> None:
        head = read_head(connection)
        rows = []
        for waiting in batch:
            for happened in waiting.events:
                content = {
                    "sequence": head.sequence + 1,
                    "time": self._clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                    "event": happened.name,
                    "reference": waiting.origin.reference,
                    "source_address": waiting.origin.source_address,
                    **happened.fields(),
                }
                body = encode_body(content)
                head = Head(head.sequence + 1, link(head.digest, body))
                copied = {name: content.get(name) for name in COPIED_FIELDS}
                rows.append({"sequence": head.sequence, "body": body, "digest": head.digest, **copied})
        connection.execute(_INSERT, rows)


def read_head(connection: Connection) -> Head:
    """Return where the chain ends."""
    last = connection.execute(_LAST).first()
    return Head(last.sequence, last.digest) if last else Head()
