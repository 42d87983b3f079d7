"""A person's own sessions, in browsers and terminals: what the page and API v1 list, and how one is ended.

What is looked through is the list of this person alone, so nobody can name somebody else's session (threat WEB-16).
Sessions end before that is recorded, as everywhere: an audit log that is down must not keep anybody signed in.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from bridge.audit import events
from bridge.audit.log import AuditLog
from bridge.errors import NotFound
from bridge.identity.verified import VerifiedIdentity
from bridge.sessions.session import Session
from bridge.sessions.store import SessionStore
from bridge.web.origin import current_origin

_PREFIX = "rambridge:"
_ROUNDS = 3


@dataclass(frozen=True)
class OwnSession:
    """One session of the person who asks."""

    key: str
    """The :func:`~bridge.sessions.store.session_key`."""
    session: Session
    current: bool
    """Whether it is the one that asks."""

    @property
    def id(self) -> str:
        """Return its name for programs and addresses; it leads to no cookie and no token."""
        return self.key.removeprefix(_PREFIX).replace(":", ".")

    @property
    def kind(self) -> Literal["browser", "terminal"]:
        """Return where it is."""
        return "terminal" if self.key.startswith(f"{_PREFIX}terminal:") else "browser"


class SessionList:
    """Lists and ends the sessions of whoever asks."""

    def __init__(self, sessions: SessionStore, audit: AuditLog) -> None:
        """Take the sessions, and the log."""
        self._sessions = sessions
        self._audit = audit

    def list(self, identity: VerifiedIdentity, current: str) -> list[OwnSession]:
        """Return the person's sessions, the newest first; ``current`` is the key of the one that asks.

        Raises StoreUnavailable.
        """
        found = self._sessions.list_of(identity.issuer, identity.subject)
        return [OwnSession(key, session, key == current) for key, session in found]

    def end(self, identity: VerifiedIdentity, current: str, id: str) -> OwnSession:  # noqa: A002  as the address calls it
        """End one session, record that, and return it.

        Raises:
            NotFound: the person has no such session, whoever else may have it.
            AuditUnavailable: it is over, and that cannot be recorded.
        """
        found = next((each for each in self.list(identity, current) if each.id == id), None)
        if found is None:
            raise NotFound("no session of this person")
        self._end([found], "signed_out_here" if found.current else "ended_from_list")
        return found

    def end_others(self, identity: VerifiedIdentity, current: str) -> None:
        """End every session but the one that asks, and record each. Raises AuditUnavailable."""
        # Once more, since a session that is about to end may have let a terminal in meanwhile.
        for _ in range(_ROUNDS):
            others = [each for each in self.list(identity, current) if not each.current]
            if not others:
                return
            self._end(others, "ended_from_list")

    def end_key(self, key: str, identity: VerifiedIdentity, reason: str) -> None:
        """End the session of this key, which is of ``identity``, and record why. Raises AuditUnavailable."""
        if self._sessions.end_key(key):
            self._audit.append(current_origin(), events.SessionEnded(**identity.as_recorded(), reason=reason))

    def _end(self, found: Iterable[OwnSession], reason: str) -> None:
        ended = [each.session.identity for each in found if self._sessions.end_key(each.key)]
        if ended:
            self._audit.append(
                current_origin(), *(events.SessionEnded(**each.as_recorded(), reason=reason) for each in ended)
            )
