"""Exports that are written regularly: each has everything that was recorded since the one before.

How far the last one came stands in the database, by position, so no record is left out whatever its time says, and a
service that was down catches up with one file at its next start. One process writes, however many there are.
"""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from bridge.audit.events import BACKGROUND
from bridge.audit.exclusive import Turn
from bridge.audit.export.exporter import Exporter, Request
from bridge.audit.forwarding.cursor import Cursor
from bridge.clock import Clock
from bridge.errors import BridgeError

_logger = logging.getLogger(__name__)

POLL_SECONDS = 10.0
_MONDAY = 0


@dataclass(frozen=True)
class Plan:
    """One export that is written regularly."""

    name: str
    format: str
    every: str
    """``hour``, ``day``, ``week`` or ``month``."""
    at: str
    """``HH:MM``, UTC."""
    folder: Path
    opened: bool


class Schedule:
    """Writes what is due."""

    def __init__(self, plans: Sequence[Plan], exporter: Exporter, engine: Engine, clock: Clock) -> None:
        """Take what is to be written, what writes it, the database and the clock."""
        self._plans = plans
        self._exporter = exporter
        self._engine = engine
        self._clock = clock
        self._turn = Turn(engine, "exports")

    def run_forever(self, stop: threading.Event) -> None:
        """Write what is due until ``stop`` is set. What fails is tried again."""
        while not stop.wait(POLL_SECONDS):
            try:
                if self._turn.take():
                    self.write_due()
            except (SQLAlchemyError, OSError) as error:
                _logger.warning("scheduled exports wait for the database: %s", type(error).__name__)
            except Exception:  # a thread that died would stop all exports until somebody restarts the service
                _logger.exception("scheduled exports failed")
        self._turn.leave()

    def write_due(self) -> list[Path]:
        """Write every export whose time has come, and return the files. One that fails does not stop the others.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database does not answer.
        """
        written = []
        for plan in self._plans:
            try:
                place = self._write(plan)
            except BridgeError as error:
                _logger.error("the export %s could not be written: %s", plan.name, error.detail or error.code)  # noqa: TRY400  the detail says all
                continue
            written += [place] if place else []
        return written

    def _write(self, plan: Plan) -> Path | None:
        cursor = Cursor(self._engine, f"export/{plan.name}", self._clock)
        due = last_due(plan.every, plan.at, self._clock.now())
        last = cursor.read()
        if last is None:
            # Like a receiver that is new: what was recorded before is for an export on demand.
            cursor.begin(self._exporter.find_span().end)
            return None
        if last.moved >= int(due.timestamp() * 1_000_000):
            return None
        span = self._exporter.find_span(first=last.position)
        place = plan.folder / f"{plan.name}-{due:%Y%m%dT%H%MZ}{self._exporter.suffix(plan.format)}"
        request = Request(plan.format, plan.opened, "schedule", BACKGROUND, plan.name)
        try:
            exported = self._exporter.write(place, span, request)
        except BridgeError as error:
            cursor.note_failure(last, error.detail or error.code)
            raise
        # If this process ends here, the next file repeats these records, and none is left out.
        cursor.advance(last, span.end)
        _logger.info("the export %s has %d records: %s", plan.name, exported.records, place.name)
        return place


def last_due(every: str, at: str, now: datetime) -> datetime:
    """Return the last moment, up to now, at which an export was due; UTC."""
    hour, minute = int(at[:2]), int(at[3:])
    now = now.astimezone(UTC)
    if every == "hour":
        due = now.replace(minute=minute, second=0, microsecond=0)
        return due if due <= now else due - timedelta(hours=1)
    due = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if due > now:
        due -= timedelta(days=1)
    if every == "week":
        due -= timedelta(days=(due.weekday() - _MONDAY) % 7)
    if every == "month":
        due = due.replace(day=1)
    return due
