"""Append records durably, or refuse to go on.

One thread in each process writes. It takes whatever callers are waiting, writes all of it in one transaction, and wakes
them after the commit: sixteen sign-ins at once cost one fsync, not sixteen. Several processes share nothing but the
disk: each appends to a chain of its own (:mod:`bridge.audit.writer`).
"""

import atexit
import logging
import os
import queue
import threading
import time
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from bridge.audit.content import Describer
from bridge.audit.events import Event, Origin
from bridge.audit.repetitions import Repetitions
from bridge.audit.secrets import AuditSecrets
from bridge.audit.tables import writers
from bridge.audit.writer import Unwritten, Writer
from bridge.clock import Clock
from bridge.errors import AuditUnavailable, BridgeError, ClockBehind

_logger = logging.getLogger(__name__)

WAIT_SECONDS = 10.0
"""How long a caller waits for the disk before it gives up and refuses."""
REST_SECONDS = 1.0
"""How long the database's connection is held while nobody comes."""
CLOSE_SECONDS = 2.0
"""How long a process that ends waits for its last records."""
BATCH = 256
"""How many callers share a commit at most."""


def _taken_lock() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(eq=False)
class _Waiting:
    items: Sequence[Unwritten]
    is_summary: bool = False
    """Whether nobody waits for it; it is written with the next ones if it cannot be at once."""
    written: threading.Lock = field(default_factory=_taken_lock)
    """Released by the thread that writes; cheaper than an event."""
    failure: Exception | None = None


class AuditLog:
    """The log of one process. After a fork, the child appends to a chain of its own."""

    def __init__(
        self,
        engine: Engine,
        secrets: AuditSecrets,
        clock: Clock,
        *,
        node: str = "",
        privileged: Sequence[str] = (),
        max_clock_step_seconds: int = 5,
        refusals_per_minute: int = 0,
    ) -> None:
        """Take the database, the log's keys and the clock. Nothing is asked of the database yet.

        Args:
            engine: see :func:`bridge.audit.database.open_database`.
            secrets: the log's keys.
            clock: what the records' times are read from.
            node: the name of this machine.
            privileged: the roles whose use is marked, as ``ACCOUNT/ROLE``; ``*``, ``?`` and ``[ ]`` as in file names.
            max_clock_step_seconds: how far the clock may be set back before sign-ins are refused.
            refusals_per_minute: how many equal refusals of one source are recorded one by one; 0: all.
        """
        self._engine = engine
        self._secrets = secrets
        self._clock = clock
        self._describer = Describer(secrets, privileged)
        self._refusals_per_minute = refusals_per_minute
        tolerance = timedelta(seconds=max_clock_step_seconds)
        self._build_writer = partial(Writer, engine, secrets, clock, node, self._describer, tolerance)
        self._start()
        itself = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: _restart(itself))
        atexit.register(_close, itself)

    def append(self, origin: Origin, *events: Event) -> None:
        """Return only when all ``events`` are on disk, in this order and next to each other.

        A refusal alone, of which there were too many of the same kind and source within a minute, is counted instead.

        Raises:
            ClockBehind: a sign-in was accepted among them, and the clock was set back.
            AuditUnavailable: they are not on disk, or not known to be; the caller must not release anything.
        """
        if len(events) == 1 and self._repetitions.count(origin, events[0], self._clock.now()):
            return
        waiting = _Waiting([self._prepare(origin, event) for event in events])
        self._queue.put(waiting)
        self._run()
        if not waiting.written.acquire(timeout=WAIT_SECONDS):
            raise AuditUnavailable(f"the database did not answer within {WAIT_SECONDS:.0f} s")
        if isinstance(waiting.failure, ClockBehind):
            raise waiting.failure
        if waiting.failure is not None:
            raise AuditUnavailable(type(waiting.failure).__name__) from waiting.failure

    def check_clock(self) -> None:
        """Return only if the clock was not set back, or is beyond the last record again. Before a sign-in is verified.

        Raises:
            ClockBehind: it was.
        """
        if self._writer.is_behind():
            raise ClockBehind("the clock was set back, and is not beyond the last record yet")

    def check(self) -> None:
        """Return only if the database answers.

        Raises:
            AuditUnavailable: it does not.
        """
        try:
            with self._engine.connect().execution_options(read_only=True) as connection:
                connection.execute(select(writers.c.writer).limit(1))
        except SQLAlchemyError as error:
            raise AuditUnavailable(type(error).__name__) from error

    def close(self) -> None:
        """Sum up at once what was counted of refusals, for a process that ends; wait for the disk, but not for long."""
        waiting = [_Waiting([self._prepare(*summary)]) for summary in self._repetitions.take(early=True)]
        for each in waiting:
            self._queue.put(each)
            self._run()
        deadline = time.monotonic() + CLOSE_SECONDS
        for each in waiting:
            each.written.acquire(timeout=max(deadline - time.monotonic(), 0.0))

    def _start(self) -> None:
        self._repetitions = Repetitions(self._refusals_per_minute)
        self._queue: queue.SimpleQueue[_Waiting] = queue.SimpleQueue()
        self._postponed: list[_Waiting] = []
        self._writer = self._build_writer()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def _run(self) -> None:
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._write_forever, name="audit-writer", daemon=True)
                    self._thread.start()

    def _prepare(self, origin: Origin, event: Event) -> Unwritten:
        try:
            content = self._describer.describe(origin, event)
        except (TypeError, ValueError) as error:
            raise AuditUnavailable(f"{event.name} cannot be recorded: {type(error).__name__}") from error
        if not content.key_name:
            return Unwritten(content, None)
        return Unwritten(content, self._secrets.seal_if_known(content.keys, content.key_name, content.personal))

    def _write_forever(self) -> None:
        while True:
            batch = self._gather()
            try:
                written = self._writer.write([waiting.items for waiting in batch])
            except Exception as failure:  # noqa: BLE001  a thread that died would stop every later sign-in
                kind = failure.detail if isinstance(failure, BridgeError) else type(failure).__name__
                _logger.error("audit records could not be written: %s", kind)  # noqa: TRY400  a traceback would show the rows
                for waiting in batch:
                    waiting.failure = failure
                self._postponed = [waiting for waiting in batch if waiting.is_summary]
            else:
                for waiting, is_written in zip(batch, written, strict=True):
                    if not is_written:
                        waiting.failure = ClockBehind("the clock was set back")
            for waiting in batch:
                waiting.written.release()

    def _gather(self) -> list[_Waiting]:
        """Return whoever waits, as soon as somebody does, and what has to be summed up meanwhile."""
        batch: list[_Waiting] = []
        wait: float | None = REST_SECONDS
        while not batch:
            try:
                batch.append(self._queue.get(timeout=wait))
            except queue.Empty:
                self._writer.rest()
                wait = self._repetitions.due_in()
            batch += [_Waiting([self._prepare(*summary)], is_summary=True) for summary in self._repetitions.take()]
        batch += self._postponed
        self._postponed = []
        while len(batch) < BATCH and not self._queue.empty():
            batch.append(self._queue.get())
        return batch


def _close(log: "weakref.ref[AuditLog]") -> None:
    ending = log()
    if ending is not None:
        ending.close()


def _restart(log: "weakref.ref[AuditLog]") -> None:
    """Begin anew in the child of a fork: the thread and the database's connections stayed with the parent."""
    forked = log()
    if forked is not None:
        forked._engine.dispose(close=False)  # noqa: SLF001  our own
        forked._start()  # noqa: SLF001
