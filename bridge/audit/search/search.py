"""Find records by anything that is known of them, at ten million as at ten."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Select, func, select

from bridge.audit.reader import AuditReader, database_errors
from bridge.audit.search.asking import Asking
from bridge.audit.search.figures import read_counts, read_overview
from bridge.audit.search.indexes import has_reference
from bridge.audit.search.overview import Count, Overview
from bridge.audit.search.page import Page
from bridge.audit.search.people import FoundPerson, People
from bridge.audit.search.positions import END, Asked, Found, find_positions
from bridge.audit.search.query import Search
from bridge.audit.search.tables import kinds
from bridge.audit.secrets import AuditSecrets
from bridge.audit.sequencer import Sequencer
from bridge.audit.tables import SAME_RECORD, index, records
from bridge.clock import Clock

PAGE = 50
SECONDS = 0.25
"""How long a page may look for records that are far apart, before it shows what it has."""
_OF_REQUEST = 200
_VALUES = 500


class AuditSearch:
    """The log, as auditors ask it. One for each process; may be used by several threads at once."""

    def __init__(
        self, engine: Engine, secrets: AuditSecrets, clock: Clock, reader: AuditReader, sequencer: Sequencer
    ) -> None:
        """Take the database, the log's keys, the clock, what opens records and what gives new ones their position."""
        self._engine = engine
        self._reader = reader
        self._sequencer = sequencer
        self._people = People(engine, secrets)
        self._asking = Asking(secrets, self._people, clock)

    def find(self, search: Search, before: int | None = None, count: int = PAGE) -> Page:
        """Return the newest ``count`` records that match, or the newest before the position ``before``.

        Raises:
            AuditUnavailable: the database does not answer.
        """
        before = None if before is None else min(max(before, 0), END)
        with self._reading() as connection:
            asked = self._asking.read(connection, search, before)
            parts = [find_positions(connection, each, count + 1, SECONDS) for each in asked]
            found = Found()
            for part in parts:
                found = found.join(part, count + 1)
            shown = found.positions[:count]
            contents = self._read(connection, shown)
            older = shown[-1] if len(found.positions) > count else found.searched_to
            reached = None if found.searched_to is None else _time_at(connection, found.searched_to)
            total = _count(connection, asked, parts) if before is None else None
        return Page(tuple(contents), older, reached, total)

    def around(self, position: int) -> tuple[dict[str, Any], ...]:
        """Return all records of the request that the record at ``position`` belongs to, oldest first; at least itself.

        Empty if there is no such record (any more); at most 200. Raises AuditUnavailable.
        """
        with self._reading() as connection:
            reference = connection.execute(select(index.c.reference).where(index.c.position == position)).scalar()
            if reference is None:
                return ()
            query = select(index.c.position).where(has_reference(reference))
            positions = list(connection.execute(query.order_by(index.c.position).limit(_OF_REQUEST)).scalars())
            return tuple(self._read(connection, positions or [position])[::-1])

    def people(self, part: str, count: int = 20) -> Sequence[FoundPerson]:
        """Return people whose name has ``part`` in it (case does not matter), those whose name begins with it first.

        Somebody whose key was destroyed is not found. Raises AuditUnavailable.
        """
        with database_errors():
            return self._people.find(part, count)

    def person(self, subject_digest: str) -> FoundPerson | None:
        """Return the person with this keyed digest; None if nothing can be read of them (any more).

        Raises AuditUnavailable.
        """
        with database_errors():
            return self._people.get(subject_digest)

    def values(self, field: str) -> tuple[str, ...]:
        """Return the values of a field that occur in the log, sorted: what a form offers; at most 500.

        Takes ``event``, ``code``, ``provider``, ``account`` or ``role``. Raises AuditUnavailable.
        """
        column = kinds.c["entitlement" if field == "role" else field]
        with self._reading() as connection:
            return tuple(value.removeprefix("role ") for value in connection.execute(_values_of(column)).scalars())

    def overview(self, since: datetime, until: datetime) -> Overview:
        """Return the figures of a period (UTC; both are moved to full hours outwards). Raises AuditUnavailable."""
        with self._reading() as connection:
            return read_overview(connection, since, until)

    def counts(self, field: str, since: datetime, until: datetime, *, refused: bool | None = None) -> Sequence[Count]:
        """Return how many records there were on whole days (UTC) by ``event``, ``code`` or ``provider``.

        With ``refused`` only refusals, or only what was no refusal. Raises AuditUnavailable.
        """
        with self._reading() as connection:
            return read_counts(connection, field, since, until, refused=refused)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with database_errors():
            self._sequencer.catch_up()
            with self._engine.connect().execution_options(read_only=True) as connection:
                yield connection

    def _read(self, connection: Connection, positions: Sequence[int]) -> list[dict[str, Any]]:
        """Return opened contents, newest first."""
        query = (
            select(index.c.position, records.c.body)
            .join(records, SAME_RECORD)
            .where(index.c.position.in_(positions))
            .order_by(index.c.position.desc())
        )
        return self._reader.open_rows(dict(row) for row in connection.execute(query).mappings())


def _time_at(connection: Connection, position: int) -> int | None:
    query = select(index.c.time).where(index.c.position >= position).order_by(index.c.position).limit(1)
    return connection.execute(query).scalar()


def _values_of(column: ColumnElement[str]) -> Select[str]:
    """Return a query for the values of an indexed column, rising: from each one step to the next.

    Where a database looks for what is ``DISTINCT``, it goes through everything.
    """
    least = func.min(column).label("value")
    offered = select(least).where(column.is_not(None)).cte("offered", recursive=True)
    following = select(least).where(column > offered.c.value).correlate(offered).scalar_subquery()
    offered = offered.union_all(select(following).where(offered.c.value.is_not(None)))
    return select(offered.c.value).where(offered.c.value.is_not(None)).limit(_VALUES)


def _count(connection: Connection, asked: Sequence[Asked], found: Sequence[Found]) -> int | None:
    """Return how many records there are in all, where that takes no counting."""
    if len(asked) != 1 or asked[0].drivers or asked[0].exact:
        return None
    if asked[0].by_kind:
        return found[0].total
    return int(connection.execute(select(func.sum(kinds.c.count))).scalar() or 0)
