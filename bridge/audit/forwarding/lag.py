"""How far behind each receiver is, in records and in seconds."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Engine

from bridge.audit.feed import Feed
from bridge.audit.forwarding.cursor import read_places
from bridge.audit.reader import database_errors
from bridge.clock import Clock

_SECOND = 1_000_000


@dataclass(frozen=True)
class Lag:
    """What a receiver does not have yet."""

    name: str
    position: int | None
    """The first record that it does not have for certain; None: nothing was tried yet."""
    records: int
    seconds: float
    """How long the first of them waits already."""
    failing_seconds: float | None
    """For how long nothing has reached it; None: the last attempt went well."""
    failure: str | None

    @property
    def state(self) -> str:
        """``ok``, ``behind``, ``failing`` or ``new``, for programs that watch."""
        if self.position is None:
            return "new"
        if self.failing_seconds is not None:
            return "failing"
        return "behind" if self.seconds > BEHIND_SECONDS else "ok"


BEHIND_SECONDS = 60.0
"""From when on somebody should look."""


def measure_lags(engine: Engine, names: Sequence[str], clock: Clock) -> list[Lag]:
    """Return the lag of each receiver, in the order of ``names``.

    Raises:
        AuditUnavailable: the database does not answer.
    """
    with database_errors():
        return _measure(engine, names, clock.now().timestamp())


def _measure(engine: Engine, names: Sequence[str], now: float) -> list[Lag]:
    feed = Feed(engine)
    size = feed.size() if names else 0
    places = read_places(engine, tuple(f"forwarding/{name}" for name in names))
    lags = []
    for name in names:
        place = places.get(f"forwarding/{name}")
        if place is None:
            lags.append(Lag(name, None, 0, 0.0, None, None))
            continue
        waiting = max(0, size - place.position)
        oldest = feed.time_of(place.position) if waiting else None
        seconds = max(0.0, now - oldest / _SECOND) if oldest is not None else 0.0
        failing = None if place.failing_since is None else max(0.0, now - place.failing_since / _SECOND)
        lags.append(Lag(name, place.position, waiting, seconds, failing, place.failure))
    return lags
