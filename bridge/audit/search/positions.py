"""Where the records stand that a search means: statements that answer at once, however long the log is.

A search is answered in one of these ways, whichever comes first:

- by a number that few records share (AccessKeyId, RequestId, reference, session name, a whole value): all of them;
- by a person or an address: along the index of that column, newest first;
- by kinds: the kinds that match are looked up, and of them those with the newest records; of each of these, the newest
  records. No more are read than could be on the page;
- by nothing: along the positions.

What else is asked is then checked record by record. So that this never takes long, it goes backwards through windows of
positions that grow, and stops when its time is up; the page says how far it came.
"""

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    case,
    func,
    literal,
    literal_column,
    select,
    true,
)

from bridge.audit.search.tables import hours, kinds, terms
from bridge.audit.tables import index

END = 1 << 62
"""Behind every position."""
_FIRST_WINDOW = 50_000
_GROWTH = 4
_QUICK_SECONDS = 0.01
"""A window that took longer is followed by one that is as wide, so that the time that is left is not overdrawn."""
_NEAR = 2_000


@dataclass(frozen=True)
class Bounds:
    """Positions from ``first`` up to, and without, ``end``."""

    first: int = 0
    end: int = END


@dataclass(frozen=True)
class Driver:
    """What leads to records, newest first, along an index of its own."""

    condition: ColumnElement[bool] | None = None
    """On ``audit_index``."""
    term: int | None = None
    """Instead: a hash in ``audit_terms``."""


@dataclass(frozen=True)
class Asked:
    """A search, as conditions."""

    bounds: Bounds = Bounds()
    drivers: Sequence[Driver] = ()
    """A record that one of them leads to is meant, if it meets all conditions. Empty: every record that does."""
    few: bool = False
    """Whether the drivers lead to few records."""
    by_kind: Sequence[ColumnElement[bool]] = ()
    """Conditions on ``audit_kinds``."""
    on_index: Sequence[ColumnElement[bool]] = ()
    """The same conditions, on ``audit_index``."""
    exact: Sequence[ColumnElement[bool]] = ()
    """Further conditions on ``audit_index``, which most records between the bounds meet: the time."""


@dataclass
class Found:
    """Positions, newest first, and how far the search came."""

    positions: list[int] = field(default_factory=list)
    searched_to: int | None = None
    """It gave up here: there may be more before this position. None: enough was found, or there is no more."""
    total: int | None = None
    """How many records there are in all, where that is known besides."""

    def join(self, other: "Found", count: int) -> "Found":
        """Return what both found, up to where both came."""
        reached = max((each.searched_to for each in (self, other) if each.searched_to is not None), default=None)
        positions = sorted({*self.positions, *other.positions}, reverse=True)
        if reached is not None:
            positions = [position for position in positions if position >= reached]
        return Found(positions[:count], None if len(positions) >= count else reached)


def find_positions(connection: Connection, asked: Asked, count: int, seconds: float) -> Found:
    """Return the newest ``count`` positions; fewer if there are no more, or if ``seconds`` have passed."""
    deadline = time.monotonic() + seconds
    if asked.drivers:
        conditions = [*asked.on_index, *asked.exact]
        if asked.few or not conditions:
            return Found(_newest(connection, asked.drivers, conditions, asked.bounds, count))
        return _walk(connection, asked.drivers, conditions, asked.bounds, count, deadline)
    if asked.by_kind:
        return _find_near(connection, asked, count) or _find_by_kind(connection, asked, count, deadline)
    return _walk(connection, [Driver()], list(asked.exact), asked.bounds, count, deadline)


def read_bounds(connection: Connection, first_hour: int | None, last_hour: int | None) -> Bounds | None:
    """Return between which positions the records of these hours stand (since 1970, UTC); None if there are none."""
    query = select(func.min(hours.c.first_position), func.max(hours.c.last_position))
    if first_hour is not None:
        query = query.where(hours.c.hour >= first_hour)
    if last_hour is not None:
        query = query.where(hours.c.hour <= last_hour)
    first, last = connection.execute(query).one()
    return None if first is None else Bounds(first, last + 1)


def _newest(
    connection: Connection,
    drivers: Sequence[Driver],
    conditions: Sequence[ColumnElement[bool]],
    bounds: Bounds,
    count: int,
) -> list[int]:
    """Return the newest positions that a driver leads to, and that meet all conditions."""
    found: set[int] = set()
    for driver in drivers:
        found.update(connection.execute(_newest_of(driver, conditions, bounds, count)).scalars())
    return sorted(found, reverse=True)[:count]


def _newest_of(driver: Driver, conditions: Iterable[ColumnElement[bool]], bounds: Bounds, count: int) -> Select[int]:
    if driver.term is None:
        position = index.c.position
        query = select(position)
    else:
        position = terms.c.position
        query = select(position).join(index, index.c.position == position).where(terms.c.term == driver.term)
    if driver.condition is not None:
        query = query.where(driver.condition)
    return (
        query.where(*conditions, position >= bounds.first, position < bounds.end).order_by(position.desc()).limit(count)
    )


def _walk(  # noqa: PLR0917  what leads there, what has to hold, and how much of it
    connection: Connection,
    drivers: Sequence[Driver],
    conditions: Sequence[ColumnElement[bool]],
    bounds: Bounds,
    count: int,
    deadline: float,
) -> Found:
    """Go backwards through windows until enough is found, nothing is left, or the time is up."""
    found = Found()
    end, width = min(bounds.end, _log_end(connection)), _FIRST_WINDOW
    while end > bounds.first:
        window, began = Bounds(max(bounds.first, end - width), end), time.monotonic()
        found.positions += _newest(connection, drivers, conditions, window, count - len(found.positions))
        if len(found.positions) >= count:
            return found
        end = window.first
        if time.monotonic() - began < _QUICK_SECONDS:
            width *= _GROWTH
        if end > bounds.first and time.monotonic() > deadline:
            found.searched_to = end
            return found
    return found


def _log_end(connection: Connection) -> int:
    last: int | None = connection.execute(select(func.max(index.c.position))).scalar()
    return 0 if last is None else last + 1


def _find_near(connection: Connection, asked: Asked, count: int) -> Found | None:
    """Return the page if it is full of what stands right before the end of the bounds, as with a frequent kind."""
    end = asked.bounds.end
    if end == END:
        return None
    near = Bounds(max(asked.bounds.first, end - _NEAR), end)
    positions = _newest(connection, [Driver()], [*asked.on_index, *asked.exact], near, count)
    return Found(positions) if len(positions) == count else None


def _find_by_kind(connection: Connection, asked: Asked, count: int, deadline: float) -> Found:
    found = Found()
    bounds = asked.bounds
    while True:
        newest, total = _kinds_with_newest(connection, asked.by_kind, bounds, count)
        if bounds == Bounds() and not asked.exact:
            found.total = total
        if not newest:
            return found
        # Each of these kinds has a record at ``reach`` or after it, and no other kind has.
        last = len(newest) < count
        reach = bounds.first if last else newest[-1][1]
        near = replace(bounds, first=reach)
        wanted = [kind for kind, _ in newest]
        found.positions += _newest_of_kinds(connection, wanted, asked.exact, near, count - len(found.positions))
        if last or len(found.positions) >= count:
            return found
        bounds = replace(bounds, end=reach)
        if time.monotonic() > deadline:
            found.searched_to = reach
            return found


def _kinds_with_newest(
    connection: Connection, conditions: Sequence[ColumnElement[bool]], bounds: Bounds, count: int
) -> tuple[list[tuple[int, int]], int]:
    """Return the kinds whose newest record within the bounds is newest, at most ``count``, with that position.

    And how many records there are of all kinds that meet the conditions and have one within the bounds.
    """
    below = (
        select(func.max(index.c.position))
        .where(index.c.kind == kinds.c.kind, index.c.position < bounds.end)
        .correlate(kinds)
        .scalar_subquery()
    )
    newest = case((kinds.c.last_position < bounds.end, kinds.c.last_position), else_=func.coalesce(below, -1))
    query = (
        select(kinds.c.kind, newest.label("newest"), func.sum(kinds.c["count"]).over().label("records"))
        .where(*conditions, kinds.c.first_position < bounds.end, kinds.c.last_position >= bounds.first)
        .order_by(literal_column("newest").desc())
        .limit(count)
    )
    rows = connection.execute(query).all()
    found = [(row.kind, row.newest) for row in rows if row.newest >= bounds.first]
    return found, int(rows[0].records) if rows else 0


def _newest_of_kinds(
    connection: Connection,
    wanted: Sequence[int],
    conditions: Sequence[ColumnElement[bool]],
    bounds: Bounds,
    count: int,
) -> list[int]:
    """Return the newest positions of all these kinds together, by at most ``count`` of each."""
    if connection.dialect.name == "postgresql":
        each = func.unnest(literal(wanted, ARRAY(BigInteger))).table_valued("value", name="wanted").render_derived()
        of_each = _newest_of(Driver(index.c.kind == each.c.value), conditions, bounds, count).lateral("found")
        query = select(of_each.c.position).select_from(each).join(of_each, true())
        query = query.order_by(of_each.c.position.desc())
    else:
        # SQLite has no LATERAL; within IN, a subquery may look at the row beside it.
        each = func.json_each(literal(json.dumps(wanted))).table_valued("value", name="wanted")
        of_each_kind = _newest_of(Driver(index.c.kind == each.c.value), conditions, bounds, count).correlate(each)
        placed = index.alias("placed")
        query = select(placed.c.position).select_from(each).join(placed, placed.c.position.in_(of_each_kind))
        query = query.order_by(placed.c.position.desc())
    return list(connection.execute(query.limit(count)).scalars())


def contains(connection: Connection, column: ColumnElement[str], part: str) -> ColumnElement[bool]:
    """Return the condition that a text has a part in it, case included."""
    find = func.strpos if connection.dialect.name == "postgresql" else func.instr
    condition: ColumnElement[bool] = find(column, part) > 0
    return condition
