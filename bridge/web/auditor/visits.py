"""What auditors looked at, recorded: a search once, a person once an hour (docs/decisions/0126)."""

from collections import OrderedDict
from datetime import datetime, timedelta
from threading import Lock

from bridge.audit.events import PersonOpened, RecordsSearched
from bridge.audit.log import AuditLog
from bridge.audit.search.query import Search
from bridge.clock import Clock
from bridge.web.access import Access
from bridge.web.origin import current_origin

_ONCE_IN = timedelta(hours=1)
_REMEMBERED = 10_000
_PERSONAL = frozenset({"person", "address", "session_name", "text", "access_key_id", "request_id", "reference"})
"""Filters whose value says whom or what somebody looked for; the record has their names alone."""


class Visits:
    """Records before anything is shown. One for each process: several processes may each record the same hour."""

    def __init__(self, access: Access, audit: AuditLog, clock: Clock) -> None:
        """Take what knows who asks, the log and the clock."""
        self._access = access
        self._audit = audit
        self._clock = clock
        self._seen: OrderedDict[tuple[str, ...], datetime] = OrderedDict()
        self._lock = Lock()

    def record_search(self, search: Search) -> None:
        """Record that what this finds is about to be shown. Raises AuditUnavailable."""
        asked = tuple(
            name if name in _PERSONAL else f"{name} {value.removesuffix(':00Z')}"
            for name, value in sorted(search.to_query().items())
        )
        filters = sorted(f"{name}={value}" for name, value in search.to_query().items())
        who = self._access.require_auditor().identity
        event = RecordsSearched(who.provider, who.issuer, who.subject, who.name, asked)
        self._record(event, "search", *filters)

    def record_person(self, subject_digest: str) -> None:
        """Record that something of this person is about to be shown. Raises AuditUnavailable."""
        who = self._access.require_auditor().identity
        event = PersonOpened(who.provider, who.issuer, who.subject, who.name, subject_digest)
        self._record(event, "person", subject_digest)

    def _record(self, event: RecordsSearched | PersonOpened, *what: str) -> None:
        key, now = (event.issuer, event.subject, *what), self._clock.now()
        with self._lock:
            last = self._seen.get(key)
        if last is not None and now - last < _ONCE_IN:
            return
        self._audit.append(current_origin(), event)
        with self._lock:  # only now: what could not be recorded is tried again
            self._seen[key] = now
            self._seen.move_to_end(key)
            if len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
