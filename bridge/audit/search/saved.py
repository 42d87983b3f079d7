"""Searches that an auditor keeps under a name of their own."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, delete, func, insert, select, update

from bridge.audit.reader import database_errors
from bridge.audit.search.query import Search
from bridge.audit.search.tables import saved_searches

MAX_SAVED = 100
"""How many searches one auditor may keep."""
MAX_NAME = 80


@dataclass(frozen=True)
class SavedSearch:
    """A search under a name."""

    number: int
    """For addresses; of no other meaning."""
    name: str
    """At most 80 characters."""
    search: Search


class SavedSearches:
    """What each auditor keeps. An owner is the keyed digest of the auditor (``subject_digest``)."""

    def __init__(self, engine: Engine) -> None:
        """Take the database."""
        self._engine = engine

    def list(self, owner: str) -> Sequence[SavedSearch]:
        """Return the owner's searches by name. Raises AuditUnavailable."""
        table = saved_searches.c
        query = select(table.number, table.name, table.query).where(table.owner == owner).order_by(table.name)
        with database_errors(), self._engine.connect().execution_options(read_only=True) as connection:
            rows = connection.execute(query).all()
        return [SavedSearch(row.number, row.name, Search.parse(json.loads(row.query))[0]) for row in rows]

    def save(self, owner: str, name: str, search: Search) -> bool:
        """Keep a search; one that has the name already is replaced. Return False if there are 100 others already.

        Raises AuditUnavailable.
        """
        name = name.strip()[:MAX_NAME]
        query = json.dumps(search.to_query())
        mine = saved_searches.c.owner == owner
        with database_errors(), self._engine.begin() as connection:
            same = update(saved_searches).where(mine, saved_searches.c.name == name).values(query=query)
            if connection.execute(same).rowcount:
                return True
            if (
                connection.execute(select(func.count()).select_from(saved_searches).where(mine)).scalar_one()
                >= MAX_SAVED
            ):
                return False
            connection.execute(insert(saved_searches).values(owner=owner, name=name, query=query))
        return True

    def delete(self, owner: str, number: int) -> None:
        """Forget one of the owner's searches; nothing happens if it is not theirs. Raises AuditUnavailable."""
        mine = (saved_searches.c.owner == owner) & (saved_searches.c.number == number)
        with database_errors(), self._engine.begin() as connection:
            connection.execute(delete(saved_searches).where(mine))
