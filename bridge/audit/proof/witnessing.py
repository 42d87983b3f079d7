"""Show checkpoints to the witnesses, each as often as it wants, by one process at a time."""

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, Select, insert, select
from sqlalchemy.exc import SQLAlchemyError

from bridge.audit import tables
from bridge.audit.exclusive import Turn
from bridge.audit.proof.notes import VerifierKey
from bridge.audit.proof.proofs import read_last
from bridge.audit.proof.witness import Witness
from bridge.clock import Clock
from bridge.database import snapshot
from bridge.errors import BridgeError

_logger = logging.getLogger(__name__)

PERIOD_SECONDS = 5.0
_MICROSECONDS = 1_000_000


@dataclass(frozen=True)
class Named:
    """A witness, what it is called, and how often it is shown a checkpoint (seconds)."""

    name: str
    witness: Witness = field(repr=False)
    every: int


class Witnessing:
    """Shows checkpoints of one log."""

    def __init__(self, engine: Engine, keys: Sequence[VerifierKey], clock: Clock, witnesses: Sequence[Named]) -> None:
        """Take the database, the keys that sign checkpoints, the clock, and the witnesses."""
        self._engine = engine
        self._keys = keys
        self._clock = clock
        self._witnesses = witnesses
        self._turn = Turn(engine, "witnessing")
        self._told: dict[str, str] = {}

    def run_forever(self, stop: threading.Event) -> None:
        """Show what is due every few seconds until ``stop`` is set. Whatever goes wrong is tried again."""
        while not stop.wait(PERIOD_SECONDS):
            try:
                if self._turn.take():
                    self.show_due()
            except (SQLAlchemyError, OSError) as error:
                _logger.error("checkpoints are not shown to witnesses: %s", type(error).__name__)  # noqa: TRY400  the text names hosts
        self._turn.leave()

    def show_due(self) -> Mapping[str, str]:
        """Show the last checkpoint to each witness whose time it is; return what went wrong, by witness.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database does not answer.
        """
        faults = {}
        for each in self._witnesses:
            try:
                self._show(each)
            except BridgeError as error:
                faults[each.name] = error.detail
        for name, detail in faults.items():
            if self._told.get(name) != detail:
                _logger.error("witness %s: %s", name, detail)
        self._told = faults
        return faults

    def _show(self, named: Named) -> None:
        now = int(self._clock.now().timestamp() * _MICROSECONDS)
        with snapshot(self._engine) as connection:
            last = connection.execute(_last_of(named.name)).first()
            if last is not None and now - last.time < named.every * _MICROSECONDS:
                return
            signed = read_last(connection, self._keys)
            number = connection.execute(
                select(tables.checkpoints.c.number).order_by(tables.checkpoints.c.number.desc()).limit(1)
            ).scalar()
            if signed is None or (last is not None and last.number == number):
                return
            answer = named.witness.show(connection, signed, last.size if last is not None else 0)
        row = {
            "witness": named.name,
            "number": number,
            "size": signed.checkpoint.size,
            "time": now,
            "answer": answer,
        }
        with self._engine.begin() as connection:
            connection.execute(insert(tables.witnessed), row)


@dataclass(frozen=True)
class Seen:
    """What a witness was shown last."""

    number: int
    """The checkpoint's."""
    size: int
    time: int
    """Microseconds since 1970."""
    answer: bytes
    note: str


def read_seen(engine: Engine, name: str) -> Seen | None:
    """Return what a witness was shown last; None if nothing was.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database does not answer.
    """
    with snapshot(engine) as connection:
        row = connection.execute(_last_of(name)).first()
        if row is None:
            return None
        note = connection.execute(
            select(tables.checkpoints.c.note).where(tables.checkpoints.c.number == row.number)
        ).scalar()
        return Seen(row.number, row.size, row.time, row.answer, note or "")


def _last_of(name: str) -> Select[Any]:
    return (
        select(tables.witnessed)
        .where(tables.witnessed.c.witness == name)
        .order_by(tables.witnessed.c.number.desc())
        .limit(1)
    )
