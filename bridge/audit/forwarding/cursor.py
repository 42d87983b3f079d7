"""How far a receiver of records got, in the database, so that it is known after a restart and on every node."""

from dataclasses import dataclass

from sqlalchemy import Engine, insert, select, update
from sqlalchemy.exc import IntegrityError

from bridge.audit.tables import forwarding
from bridge.clock import Clock

MAX_FAILURE = 300


@dataclass(frozen=True)
class Place:
    """Where a receiver is. Moments are microseconds since 1970, UTC."""

    position: int
    """The first record that it does not have for certain."""
    moved: int
    """When that last changed."""
    failing_since: int | None = None
    failure: str | None = None
    """What went wrong the last time, if nothing went well since."""


class Cursor:
    """The place of one receiver."""

    def __init__(self, engine: Engine, target: str, clock: Clock) -> None:
        """Take the database, the receiver's name there, and the clock."""
        self._engine = engine
        self._target = target
        self._clock = clock

    def read(self) -> Place | None:
        """Return the place, or None for a receiver that is new."""
        return read_places(self._engine, (self._target,)).get(self._target)

    def begin(self, position: int) -> Place:
        """Return the place of a receiver that is new: ``position``, unless another process was quicker."""
        row = {"target": self._target, "position": position, "moved": self._now()}
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(forwarding), row)
        except IntegrityError:
            pass
        place = self.read()
        return place or Place(position, row["moved"])  # type: ignore[arg-type]  # an int, as the line above has it

    def advance(self, before: Place, position: int) -> bool:
        """Move the place on, and forget failures; False if another process has moved it meanwhile."""
        values = {"position": position, "moved": self._now(), "failing_since": None, "failure": None}
        here = (forwarding.c.target == self._target) & (forwarding.c.position == before.position)
        with self._engine.begin() as connection:
            return connection.execute(update(forwarding).where(here).values(values)).rowcount == 1

    def note_failure(self, before: Place, failure: str) -> None:
        """Write down what went wrong, and since when something does."""
        values = {"failing_since": before.failing_since or self._now(), "failure": failure[:MAX_FAILURE]}
        with self._engine.begin() as connection:
            connection.execute(update(forwarding).where(forwarding.c.target == self._target).values(values))

    def _now(self) -> int:
        return int(self._clock.now().timestamp() * 1_000_000)


def read_places(engine: Engine, targets: tuple[str, ...]) -> dict[str, Place]:
    """Return where these receivers are; those that are new are left out."""
    query = select(forwarding).where(forwarding.c.target.in_(targets))
    with engine.connect().execution_options(read_only=True) as connection:
        rows = connection.execute(query).all()
    return {row.target: Place(row.position, row.moved, row.failing_since, row.failure) for row in rows}
