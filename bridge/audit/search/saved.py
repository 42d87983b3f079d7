"""Searches that an auditor keeps under a name of their own."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Engine

from bridge.audit.search.query import Search


@dataclass(frozen=True)
class SavedSearch:
    """A search under a name."""

    number: int
    """For addresses; of no other meaning."""
    name: str
    """At most 80 characters."""
    search: Search


MAX_SAVED = 100
"""How many searches one auditor may keep."""


class SavedSearches:
    """What each auditor keeps. An owner is the keyed digest of the auditor (``subject_digest``)."""

    def __init__(self, engine: Engine) -> None:
        """Take the database."""

    def list(self, owner: str) -> Sequence[SavedSearch]:
        """Return the owner's searches by name. Raises AuditUnavailable."""
        raise NotImplementedError

    def save(self, owner: str, name: str, search: Search) -> bool:
        """Keep a search; one that has the name already is replaced. Return False if there are 100 others already.

        Raises AuditUnavailable.
        """
        raise NotImplementedError

    def delete(self, owner: str, number: int) -> None:
        """Forget one of the owner's searches; nothing happens if it is not theirs. Raises AuditUnavailable."""
        raise NotImplementedError
