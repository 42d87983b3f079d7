"""The thread that keeps sign-ins: in batches, beside the requests, and never longer than it may.

Nobody waits for it. While the database does not answer, what is to be kept waits in memory; beyond a bound it is
dropped, counted, and the log says how much.
"""

import logging
import queue
import secrets
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Column, Engine, Table, delete, insert, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bridge.clock import Clock
from bridge.entitlements.resolve import Resolution
from bridge.history.mapping_inputs import pack_inputs, reduce_identity
from bridge.history.people import People
from bridge.history.tables import metadata, rule_uses, sign_ins, to_microseconds
from bridge.identity.verified import VerifiedIdentity
from bridge.sealing import Sealer

_logger = logging.getLogger(__name__)

WAITING = 2_000
"""How many sign-ins may wait in memory."""
BATCH = 500
GATHER_SECONDS = 1.0
"""How long the first of a batch waits for others: a process writes once a second, unless many come at once."""
RETRY_SECONDS = 5.0
CLEAN_SECONDS = 3600.0
CLEAN_BATCH = 1_000
"""How many rows one transaction deletes: other writers wait for it."""

_DOES_NOT_ANSWER = (OperationalError, InterfaceError, PoolTimeout)


@dataclass(frozen=True)
class Noted:
    """One sign-in that is to be kept, with the claims that may be."""

    identity: VerifiedIdentity
    allowed: frozenset[str] | None
    source_address: str
    at: datetime
    resolution: Resolution


class Writer:
    """The writer of one process. Make it after a fork, not before: it owns a thread."""

    def __init__(self, engine: Engine, sealer: Sealer, clock: Clock, keep_days: int) -> None:
        """Take the database, what seals, the clock, and for how many days to keep; with 0, delete what there is."""
        self._engine = engine
        self._sealer = sealer
        self._people = People(sealer)
        self._clock = clock
        self._keep_days = keep_days
        self._queue: queue.SimpleQueue[Noted | threading.Event] = queue.SimpleQueue()
        self._hurry = threading.Event()
        self._dropped = 0
        self._is_prepared = False
        self._is_failing = False
        threading.Thread(target=self._write_forever, name="history-writer", daemon=True).start()

    def put(self, noted: Noted) -> None:
        """Let the thread keep it; drop it where too many wait."""
        if self._queue.qsize() >= WAITING:
            self._dropped += 1
        else:
            self._queue.put(noted)

    def flush(self, seconds: float) -> bool:
        """Wait until everything that was put before is in the database; return whether it is."""
        written = threading.Event()
        self._queue.put(written)
        self._hurry.set()
        return written.wait(seconds)

    def _write_forever(self) -> None:
        clean_at = time.monotonic()
        batch: list[Noted | threading.Event] = []
        while True:
            if not batch:
                batch = self._gather(clean_at - time.monotonic())
            if not self._attempt(batch):
                self._hurry.wait(RETRY_SECONDS)
                self._hurry.clear()
                continue
            for marker in batch:
                if isinstance(marker, threading.Event):
                    marker.set()
            batch = []
            if time.monotonic() >= clean_at:
                clean_at = time.monotonic() + (CLEAN_SECONDS if self._clean() else RETRY_SECONDS)

    def _gather(self, seconds: float) -> list[Noted | threading.Event]:
        """Return what waits; nothing if nothing comes within this time."""
        try:
            batch = [self._queue.get(timeout=max(seconds, 0))]
        except queue.Empty:
            return []
        if self._queue.qsize() < BATCH:
            self._hurry.wait(GATHER_SECONDS)
        self._hurry.clear()
        while len(batch) < BATCH and not self._queue.empty():
            batch.append(self._queue.get())
        return batch

    def _attempt(self, batch: Sequence[Noted | threading.Event]) -> bool:
        """Write a batch; return whether it is done with. What cannot be written at all is dropped."""
        noted = [each for each in batch if isinstance(each, Noted)]
        try:
            self._prepare()
            if noted:
                self._write(noted)
        except _DOES_NOT_ANSWER as error:
            self._is_prepared = False
            if not self._is_failing:
                kind = type(error).__name__
                _logger.warning("sign-ins cannot be kept for previews: %s; %d can wait in memory", kind, WAITING)
            self._is_failing = True
            return False
        except Exception as error:  # noqa: BLE001  a thread that died would keep nothing any more
            self._is_prepared = False
            self._dropped += len(noted)
            _logger.warning("sign-ins could not be kept for previews: %s", type(error).__name__)
        if self._dropped or self._is_failing:
            dropped, self._dropped, self._is_failing = self._dropped, 0, False
            _logger.warning("sign-ins are kept for previews again; %d were dropped meanwhile", dropped)
        return True

    def _prepare(self) -> None:
        if self._is_prepared:
            return
        create_tables(self._engine)
        self._people.load(self._engine)
        self._is_prepared = True

    def _write(self, batch: Sequence[Noted]) -> None:
        rows = []
        uses: dict[tuple[str, str], int] = {}
        for each in batch:
            identity = reduce_identity(each.identity, each.allowed)
            at, person = to_microseconds(each.at), self._people.digest(identity.issuer, identity.subject)
            tie = secrets.randbits(62)
            inputs = pack_inputs(identity, each.source_address, each.resolution)
            sealed = self._sealer.seal_json(name_of(at, tie, person), inputs)
            rows.append({"at": at, "tie": tie, "person": person, "sealed": sealed})
            for outcome in each.resolution.explanations:
                if outcome.applied:
                    uses[outcome.rule, person] = max(at, uses.get((outcome.rule, person), 0))
        # In one order for all processes, so that no two wait for each other's rows.
        used = [{"rule": rule, "person": person, "last": last} for (rule, person), last in sorted(uses.items())]
        dialect = postgresql if self._engine.dialect.name == "postgresql" else sqlite
        upsert = dialect.insert(rule_uses)
        last = upsert.excluded.last
        with self._engine.begin() as connection:
            connection.execute(insert(sign_ins), rows)
            if used:
                connection.execute(
                    upsert.on_conflict_do_update(
                        index_elements=["rule", "person"], set_={"last": last}, where=last > rule_uses.c.last
                    ),
                    used,
                )

    def _clean(self) -> bool:
        """Delete what is older than it may be; return whether all of it is gone."""
        oldest = self._clock.now() - timedelta(days=self._keep_days)
        before = to_microseconds(oldest if self._keep_days else datetime.max.replace(tzinfo=UTC))
        try:
            _delete_older(self._engine, sign_ins, sign_ins.c.at, before)
            _delete_older(self._engine, rule_uses, rule_uses.c.last, before)
        except Exception as error:  # noqa: BLE001  as above
            _logger.warning("old sign-ins could not be deleted: %s", type(error).__name__)
            return False
        return True


def create_tables(engine: Engine) -> None:
    """Create what is missing of the tables. Raises SQLAlchemyError."""
    try:
        metadata.create_all(engine)
    except (IntegrityError, ProgrammingError, OperationalError):  # another process was faster
        metadata.create_all(engine)


def name_of(at: int, tie: int, person: str) -> str:
    """Return the name under which a row is sealed: it opens in its own place only, as this person's."""
    return f"history:{at}:{tie}:{person}"


def _delete_older(engine: Engine, table: Table, moment: Column[int], before: int) -> None:
    key = tuple_(*table.primary_key.columns)
    some = delete(table).where(key.in_(select(*table.primary_key.columns).where(moment < before).limit(CLEAN_BATCH)))
    deleted = CLEAN_BATCH
    while deleted >= CLEAN_BATCH:
        with engine.begin() as connection:
            deleted = connection.execute(some).rowcount
