"""Opening a terminal's session for whoever let it in: the same for each door that gives programs a token."""

from bridge.audit import events
from bridge.audit.log import AuditLog
from bridge.clock import format_utc
from bridge.errors import DeviceOver
from bridge.identity.verified import VerifiedIdentity
from bridge.sessions.session import Session
from bridge.sessions.store import SessionStore
from bridge.web.origin import current_origin


class TerminalOpening:
    """Opens sessions of terminals."""

    def __init__(self, sessions: SessionStore, terminals: SessionStore, audit: AuditLog) -> None:
        """Take the sessions of both kinds, and the log."""
        self._sessions = sessions
        self._terminals = terminals
        self._audit = audit

    def open(self, key: str, client: str, token: str | None = None) -> tuple[str, Session]:
        """Return the token of a new terminal, and its session; it is recorded before.

        Args:
            key: the key of the browser's session in which the terminal was let in.
            client: what the program calls itself.
            token: what names the new session, 256 random bits; made here where absent.

        Raises DeviceOver if the browser's session has ended, before or meanwhile.
        """
        browser = self._sessions.find(key)
        if browser is None:
            raise DeviceOver("the session in which it was allowed has ended meanwhile")
        identity = browser.identity
        self._audit.append(
            current_origin(),
            events.TerminalOpened(
                **identity.as_recorded(),
                client=client,
                ends_at=format_utc(browser.ends_at),
            ),
        )
        token, session = self._terminals.create(
            identity, ends_by=browser.ends_at, value=token, program=client, opened_from=current_origin().source_address
        )
        # A sign-out since the first look ended the terminals that there were then, and this one was not among them.
        if self._sessions.find(key) is None:
            self.close(token, identity, "signed_out_meanwhile")
            raise DeviceOver("the session in which it was allowed ended while the terminal was opened")
        return token, session

    def close(self, token: str, identity: VerifiedIdentity, reason: str) -> None:
        """End the session of a terminal, and record that, unless somebody else did."""
        if not self._terminals.end(token):
            return
        ended = events.SessionEnded(
            **identity.as_recorded(),
            reason=reason,
        )
        self._audit.append(current_origin(), ended)
