"""Searches that an auditor keeps under a name of their own.

What is looked for may be a person's name. It is sealed under the auditor's own key, so no name stands in the database.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, delete, func, insert, select, update

from bridge.audit.reader import database_errors
from bridge.audit.search.query import Search
from bridge.audit.search.tables import saved_searches
from bridge.audit.secrets import AuditSecrets, Label

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

    def forget_person(self, subject_digest: str, label: Label, addresses: Sequence[str]) -> None:
        """Delete what a person keeps, and every search that would find the person by what it asks or that names them.

        Args:
            subject_digest: who it is.
            label: what people call them.
            addresses: digests of addresses that are theirs alone.

        Raises AuditUnavailable.
        """
        names = {_fold(label.get(each, "")) for each in ("subject", "person")} - {""}
        with database_errors():
            with self._engine.connect().execution_options(read_only=True) as connection:
                rows = connection.execute(select(saved_searches)).all()
            sealed = [{"sealed": row.query, "sealed_for": f"subject/{row.owner}"} for row in rows]
            gone = [
                row.number
                for row, content in zip(rows, self._secrets.open_all(sealed), strict=True)
                if row.owner == subject_digest or self._is_about(content, {subject_digest, *names}, addresses)
            ]
            with self._engine.begin() as connection:
                connection.execute(delete(saved_searches).where(saved_searches.c.number.in_(gone)))

    def _is_about(self, content: Mapping[str, Any], names: Collection[str], addresses: Collection[str]) -> bool:
        if "query" not in content:
            return False
        asked = content["query"]
        person, said = _fold(asked.get("person", "")), _fold(" ".join([content["name"], *asked.values()]))
        if asked.get("address") and self._secrets.digest("address", asked["address"]) in addresses:
            return True
        return any((person and person in name) or f" {name} " in f" {said} " for name in names)


def _fold(text: str) -> str:
    return " ".join(text.casefold().split())
