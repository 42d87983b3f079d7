"""What was handed out to a person and still lives: credentials and console sessions, as the audit log has them.

The cloud keeps to the end of each; nobody can take one back here. What is not in the log was not released by us.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from bridge.audit.search.page import Page
from bridge.audit.search.query import Search
from bridge.audit.search.search import AuditSearch
from bridge.audit.secrets import AuditSecrets
from bridge.clock import Clock
from bridge.exchange.cache import LONGEST
from bridge.identity.verified import VerifiedIdentity

MOST_RECORDS = 200
"""Of each kind of event that is looked for: more are not looked at."""

Record = Mapping[str, Any]


@dataclass(frozen=True)
class HandedOut:
    """Credentials, or the console of a role or RAM user."""

    kind: Literal["credentials", "console"]
    account: str
    """The account's name in our configuration."""
    name: str
    """The RAM role's or RAM user's."""
    at: str
    """When they were handed out last; UTC."""
    ends_at: datetime
    address: str
    """Where they went."""
    reference: str
    access_key_id: str
    """Empty for a console that was opened by a signed response."""
    times: int = 1
    """How often it was handed out and has not ended: only the last to end is described."""


class HandedOutList:
    """Finds what was handed out to whoever asks."""

    def __init__(self, search: AuditSearch, secrets: AuditSecrets, clock: Clock) -> None:
        """Take what finds records, what stands there for a person, and the clock."""
        self._search = search
        self._secrets = secrets
        self._clock = clock

    def find(self, identity: VerifiedIdentity) -> tuple[list[HandedOut], bool]:
        """Return what :func:`find_handed_out` finds for this person. Raises AuditUnavailable."""
        digest = self._secrets.subject_digest(identity.issuer, identity.subject)
        return find_handed_out(self._search, digest, self._clock)


def find_handed_out(search: AuditSearch, person: str, clock: Clock) -> tuple[list[HandedOut], bool]:
    """Return what was handed out to the person with this keyed digest and has not ended, the last to end first.

    Credentials that several requests shared are listed once, and so is a role's console, by its last end. The second
    value says whether that is all: who has very many records is shown the newest.

    Raises:
        AuditUnavailable: the log does not answer.
    """
    now = clock.now()
    delivered, exchanged = (_find(search, person, event, now) for event in ("delivery", "exchange"))
    ends = {
        each["access_key_id"]: datetime.fromisoformat(each["expires_at"])
        for each in exchanged.records
        if each.get("access_key_id") and each.get("expires_at")
    }
    latest: dict[tuple[str, ...], HandedOut] = {}
    times = Counter[tuple[str, ...]]()
    for record in delivered.records:  # the newest first
        console = record["event"] == "delivery.console"
        key_id = str(record.get("access_key_id", ""))
        ends_at = _find_console_end(record) if console and key_id not in ends else ends.get(key_id)
        if ends_at is None or ends_at <= now:
            continue
        kind: Literal["credentials", "console"] = "console" if console else "credentials"
        account, name = str(record.get("account", "")), str(record.get("entitlement", "")).partition(" ")[2]
        same = (kind, account, name) if console else (kind, key_id)
        times[same] += 1
        if same not in latest or ends_at > latest[same].ends_at:
            latest[same] = HandedOut(
                kind,
                account,
                name,
                record["time"],
                ends_at,
                str(record.get("source_address", "")),
                str(record["reference"]),
                key_id,
            )
    complete = all(page.older is None for page in (delivered, exchanged))
    found = [replace(each, times=times[same]) for same, each in latest.items()]
    return sorted(found, key=lambda each: each.ends_at, reverse=True), complete


def _find(search: AuditSearch, person: str, event: str, now: datetime) -> Page:
    asked = Search(person=person, event=event, outcome="accepted", since=now - LONGEST - timedelta(minutes=1))
    return search.find(asked, count=MOST_RECORDS)


def _find_console_end(record: Record) -> datetime:
    return datetime.fromisoformat(record["time"]) + timedelta(seconds=int(record.get("duration_seconds", 0)))
