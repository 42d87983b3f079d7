"""Authorization codes (RFC 6749 4.1.2): for one use within a minute, by the program that began (RFC 7636).

A code is a sealed ticket, so there is nothing to guess and nothing stored for it, but for a mark once it was shown:

=============================================  ======================================================================
``rambridge:code-shown:<digest of the code>``  the terminal that it opened, and whether that is to be over, sealed
=============================================  ======================================================================

The mark is written in one atomic command, before anything is checked: a wrong proof uses the code up as well. Who shows
it again ends what it gave (RFC 9700 2.1.1, OUT-05), even while that is being opened.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from bridge.authorization.client import CLIENT_ID
from bridge.authorization.requests import AuthorizationRequest
from bridge.clock import Clock
from bridge.errors import CodeRefused, Unsealable
from bridge.portal_protocol.devices import is_proof
from bridge.sealing import Sealer
from bridge.sessions.store import new_value
from bridge.sessions.tickets import Tickets
from bridge.store_connection import RedisClient, build_key, store_errors

LIFETIME_SECONDS = 60


@dataclass(frozen=True)
class ShownCode:
    """A code of ours that a program showed."""

    client: str
    redirect_uri: str
    challenge: str
    browser: str
    """The key of the session in which it was given."""
    ends_at: datetime
    mark: str
    """The name under which its use is kept."""
    terminal: str
    """What names the terminal's session that it opens, or opened."""
    shown_again: bool


class Codes:
    """Gives codes and takes them."""

    def __init__(self, redis: RedisClient, sealer: Sealer, clock: Clock, remembered_seconds: int) -> None:
        """Take the store, the sealer, the clock, and for how long what a code gave can last at most."""
        self._redis = redis
        self._sealer = sealer
        self._clock = clock
        self._tickets = Tickets(sealer)
        self._remembered = timedelta(seconds=remembered_seconds)

    def give(self, request: AuthorizationRequest, browser: str) -> str:
        """Return a code for this request, given in the session of this key."""
        values = [secrets.token_urlsafe(16), CLIENT_ID, request.receiver.redirect_uri, request.challenge, browser]
        ends_at = self._clock.now() + timedelta(seconds=LIFETIME_SECONDS)
        return self._tickets.write("authorization-code", values, ends_at)

    def take(self, code: str) -> ShownCode:
        """Return what a code leads to, used up by this. Raises CodeRefused if it is not ours."""
        try:
            ticket = self._tickets.read("authorization-code", code, parts=5)
        except Unsealable as error:
            raise CodeRefused(error.detail) from error
        number, client, redirect_uri, challenge, browser = ticket.values
        mark = build_key("code-shown", number)
        terminal = new_value()
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.set(mark, self._seal(mark, terminal, over=False), px=self._remembered, nx=True)
        pipeline.get(mark)
        with store_errors():
            is_first, found = pipeline.execute()
        if not is_first:
            terminal, _ = self._open(mark, found)
            with store_errors():
                self._redis.set(mark, self._seal(mark, terminal, over=True), px=self._remembered)
        return ShownCode(
            client, redirect_uri, challenge, browser, ticket.ends_at, mark, terminal, shown_again=not is_first
        )

    def check(self, shown: ShownCode, client: str, redirect_uri: str, verifier: str) -> None:
        """Raise CodeRefused unless the code is in time, and shown by who began (RFC 6749 4.1.3, RFC 7636 4.6)."""
        if self._clock.now() >= shown.ends_at:
            raise CodeRefused("too old")
        if client != shown.client:
            raise CodeRefused("another client")
        if redirect_uri != shown.redirect_uri:
            raise CodeRefused("another redirect URI")
        if not is_proof(verifier, shown.challenge):
            raise CodeRefused("the code verifier is not the challenge's")

    def is_over(self, shown: ShownCode) -> bool:
        """Return whether somebody has shown the code again since."""
        with store_errors():
            found = self._redis.get(shown.mark)
        return self._open(shown.mark, found)[1]

    def _seal(self, mark: str, terminal: str, *, over: bool) -> bytes:
        return self._sealer.seal_json(mark, [terminal, over])

    def _open(self, mark: str, found: bytes | None) -> tuple[str, bool]:
        try:
            terminal, over = self._sealer.open_json(mark, found or b"")
        except (Unsealable, ValueError, TypeError):
            return "", True
        return str(terminal), bool(over)
