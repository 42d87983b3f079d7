"""Find records by anything that is known of them, at ten million as at ten."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from bridge.audit.search.overview import Count, Overview
from bridge.audit.search.page import Page
from bridge.audit.search.people import FoundPerson
from bridge.audit.search.query import Search
from bridge.clock import Clock

PAGE = 50


class AuditSearch:
    """The log, as auditors ask it. One for each process; may be used by several threads at once."""

    def __init__(
        self, engine: Engine, secrets: Any, clock: Clock, open_rows: Callable[[Sequence[Any]], list[dict[str, Any]]]
    ) -> None:
        """Take the database, the log's secrets, the clock, and ``AuditReader.open_rows``."""

    def find(self, search: Search, before: int | None = None, count: int = PAGE) -> Page:
        """Return the newest ``count`` records that match, or the newest before the position ``before``.

        Raises:
            AuditUnavailable: the database does not answer.
        """
        raise NotImplementedError

    def around(self, position: int) -> tuple[dict[str, Any], ...]:
        """Return all records of the request that the record at ``position`` belongs to, oldest first; at least itself.

        Empty if there is no such record (any more); at most 200. Raises AuditUnavailable.
        """
        raise NotImplementedError

    def people(self, part: str, count: int = 20) -> Sequence[FoundPerson]:
        """Return people whose name has ``part`` in it (case does not matter), those whose name begins with it first.

        Somebody whose key was destroyed is not found. Raises AuditUnavailable.
        """
        raise NotImplementedError

    def person(self, subject_digest: str) -> FoundPerson | None:
        """Return the person with this keyed digest; None if nothing can be read of them (any more).

        Raises AuditUnavailable.
        """
        raise NotImplementedError

    def values(self, field: str) -> tuple[str, ...]:
        """Return the values of a field that occur in the log, sorted: what a form offers; at most 500.

        Takes ``event``, ``code``, ``provider``, ``account`` or ``role``. Raises AuditUnavailable.
        """
        raise NotImplementedError

    def overview(self, since: datetime, until: datetime) -> Overview:
        """Return the figures of a period (UTC; both are moved to full hours outwards). Raises AuditUnavailable."""
        raise NotImplementedError

    def counts(self, field: str, since: datetime, until: datetime, *, refused: bool | None = None) -> Sequence[Count]:
        """Return how many records there were on whole days (UTC) by ``event``, ``code``, ``provider`` or ``account``.

        With ``refused`` only refusals, or only what was no refusal. Raises AuditUnavailable.
        """
        raise NotImplementedError
