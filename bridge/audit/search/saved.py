"""Searches that an auditor keeps under a name of their own.

What is looked for may be a person's name. It is sealed under the auditor's own key, so no name stands in the database.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, delete, func, insert, select, update

from bridge.audit.reader import database_errors
from bridge.audit.search.query import Search
from bridge.audit.search.tables import saved_searches
from bridge.audit.secrets import AuditSecrets

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

    def __init__(self, engine: Engine, secrets: AuditSecrets) -> None:
        """Take the database and the log's keys."""
        self._engine = engine
        self._secrets = secrets

    def list(self, owner: str) -> Sequence[SavedSearch]:
        """Return the owner's searches by name. Raises AuditUnavailable."""
        table = saved_searches.c
        query = select(table.number, table.query).where(table.owner == owner)
        with database_errors(), self._engine.connect().execution_options(read_only=True) as connection:
            rows = connection.execute(query).all()
            key = f"subject/{owner}"
            opened = self._secrets.open_all([{"sealed": row.query, "sealed_for": key} for row in rows])
        found = [
            SavedSearch(row.number, content["name"], Search.parse(content["query"])[0])
            for row, content in zip(rows, opened, strict=True)
            if "query" in content
        ]
        return sorted(found, key=lambda each: each.name.casefold())

    def save(self, owner: str, name: str, search: Search) -> bool:
        """Keep a search; one that has the name already is replaced. Return False if there are 100 others already.

        Raises AuditUnavailable.
        """
        name = name.strip()[:MAX_NAME]
        mine = saved_searches.c.owner == owner
        digest = self._secrets.digest("name", name)
        with database_errors():
            sealed = self._secrets.seal(f"subject/{owner}", {"name": name, "query": search.to_query()})
            with self._engine.begin() as connection:
                same = update(saved_searches).where(mine, saved_searches.c.name == digest).values(query=sealed)
                if connection.execute(same).rowcount:
                    return True
                kept = select(func.count()).select_from(saved_searches).where(mine)
                if connection.execute(kept).scalar_one() >= MAX_SAVED:
                    return False
                connection.execute(insert(saved_searches).values(owner=owner, name=digest, query=sealed))
        return True

    def delete(self, owner: str, number: int) -> None:
        """Forget one of the owner's searches; nothing happens if it is not theirs. Raises AuditUnavailable."""
        mine = (saved_searches.c.owner == owner) & (saved_searches.c.number == number)
        with database_errors(), self._engine.begin() as connection:
            connection.execute(delete(saved_searches).where(mine))
