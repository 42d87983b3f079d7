"""Grants: what a program of ours got by OAuth. An access token opens API v1, a refresh token gets the next pair.

A grant is a terminal's session (``store``), so a sign-out ends it, and it ends when the browser's session would have.
Its name is in both tokens, sealed; the store has only marks of refresh tokens that were used:

============================================  =======================================================================
``rambridge:refreshed:<digest of the token>``  which token came after this one, when, and where it went, sealed
============================================  =======================================================================

A refresh token that is shown again ends the grant, since one of two who have it is a thief (RFC 9700 4.14.2). Within
``REPEAT_SECONDS`` and from the same address it gets the same next token once more, for the program whose answer was
lost: of two who have that one, the second still ends the grant.
"""

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bridge.clock import Clock
from bridge.errors import AccessTokenUnknown, RefreshTokenOver, SessionError, Unsealable
from bridge.identity.verified import VerifiedIdentity
from bridge.sealing import Sealer
from bridge.sessions.session import Session
from bridge.sessions.store import SessionStore, session_key
from bridge.sessions.tickets import Kind, Tickets
from bridge.store_connection import RedisClient, build_key, store_errors

ACCESS_SECONDS = 900
REPEAT_SECONDS = 10


@dataclass(frozen=True)
class IssuedTokens:
    """What a program gets."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int
    """Seconds until the access token ends."""


@dataclass(frozen=True)
class Refreshed:
    """What became of a refresh token."""

    terminal: str
    """What names the session of the grant."""
    session: Session
    tokens: IssuedTokens | None
    """None: it was used before, and the grant has to end."""


class Grants:
    """The grants of everybody's programs."""

    def __init__(self, terminals: SessionStore, redis: RedisClient, sealer: Sealer, clock: Clock) -> None:
        """Take the sessions of terminals, the store, the sealer and the clock."""
        self._terminals = terminals
        self._redis = redis
        self._sealer = sealer
        self._clock = clock
        self._tickets = Tickets(sealer)

    def issue(self, terminal: str, session: Session) -> IssuedTokens:
        """Return the first tokens of a grant: of this terminal, whose session this is."""
        return self._write(terminal, session, secrets.token_urlsafe(16))

    def load(self, access_token: str) -> Session:
        """Return the session of an access token, in one round trip. Raises AccessTokenUnknown."""
        terminal, ends_at = self._open_access(access_token)
        if self._clock.now() >= ends_at:
            raise AccessTokenUnknown("at its end")
        try:
            return self._terminals.load(terminal)
        except SessionError as error:
            raise AccessTokenUnknown(f"its grant is over: {error.detail}") from error

    def find_key(self, access_token: str) -> str:
        """Return the :func:`session_key` of an access token's grant. Raises AccessTokenUnknown."""
        return session_key(self._open_access(access_token)[0], "terminal")

    def refresh(self, refresh_token: str, asked_from: str) -> Refreshed:
        """Return the next tokens for one that was not used yet; ``asked_from`` is who asks.

        Raises RefreshTokenOver if we did not write it, or its grant is over.
        """
        try:
            ticket = self._tickets.read("refresh-token", refresh_token, parts=2)
            terminal, number = ticket.values
            session = self._terminals.load(terminal)
        except (Unsealable, SessionError) as error:
            raise RefreshTokenOver(error.detail) from error
        now = self._clock.now()
        mark = build_key("refreshed", terminal, number)
        following = secrets.token_urlsafe(16)
        written = self._sealer.seal_json(mark, [following, asked_from, now.timestamp()])
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.set(mark, written, px=session.ends_at - now, nx=True)
        pipeline.get(mark)
        with store_errors():
            is_first, found = pipeline.execute()
        if not is_first:
            following = self._find_repeated(mark, found, asked_from, now)
            if not following:
                return Refreshed(terminal, session, None)
        return Refreshed(terminal, session, self._write(terminal, session, following))

    def end(self, token: str) -> VerifiedIdentity | None:
        """End the grant of an access or a refresh token; return whose it was, None if there is none (RFC 7009)."""
        terminal = self._find_terminal(token)
        session = self._terminals.find(session_key(terminal, "terminal")) if terminal else None
        if terminal is None or session is None or not self._terminals.end(terminal):
            return None
        return session.identity

    def _find_repeated(self, mark: str, found: bytes | None, asked_from: str, now: datetime) -> str:
        try:
            following, by, used_at = self._sealer.open_json(mark, found or b"")
        except (Unsealable, ValueError, TypeError):
            return ""
        is_repeat = by == asked_from and now.timestamp() - used_at <= REPEAT_SECONDS
        return str(following) if is_repeat else ""

    def _find_terminal(self, token: str) -> str | None:
        kinds: tuple[tuple[Kind, int], ...] = (("refresh-token", 2), ("access-token", 1))
        for kind, parts in kinds:
            try:
                return str(self._tickets.read(kind, token, parts=parts).values[0])
            except Unsealable:
                continue
        return None

    def _open_access(self, access_token: str) -> tuple[str, datetime]:
        try:
            ticket = self._tickets.read("access-token", access_token, parts=1)
        except Unsealable as error:
            raise AccessTokenUnknown(error.detail) from error
        return str(ticket.values[0]), ticket.ends_at

    def _write(self, terminal: str, session: Session, number: str) -> IssuedTokens:
        now = self._clock.now()
        access_ends = min(now + timedelta(seconds=ACCESS_SECONDS), session.ends_at)
        return IssuedTokens(
            access_token=self._tickets.write("access-token", [terminal], access_ends),
            refresh_token=self._tickets.write("refresh-token", [terminal, number], session.ends_at),
            expires_in=int((access_ends - now).total_seconds()),
        )
