"""Who is signed in at the provider, and how strongly."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from flask import Response, request

from bridge.clock import Clock
from bridge.sandbox.idp.memory import Memory
from bridge.sandbox.idp.state import Person

COOKIE = "acme_idp"
LIFETIME = timedelta(hours=8)


class Method(StrEnum):
    """How a person proved who they are."""

    PASSWORD = "password"  # noqa: S105 -- the name of a method
    SECURITY_KEY = "security-key"

    @property
    def acr(self) -> str:
        """The authentication context class: SAML ``AuthnContextClassRef`` and OIDC ``acr`` alike."""
        return MFA_CONTEXT if self is Method.SECURITY_KEY else PASSWORD_CONTEXT

    @property
    def amr(self) -> list[str]:
        """The authentication methods (RFC 8176)."""
        return ["pwd", "hwk"] if self is Method.SECURITY_KEY else ["pwd"]

    @property
    def contexts(self) -> tuple[str, ...]:
        """Every context that this sign-in may truthfully be called, the strongest first."""
        return (MFA_CONTEXT, PASSWORD_CONTEXT) if self is Method.SECURITY_KEY else (PASSWORD_CONTEXT,)


PASSWORD_CONTEXT = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"  # noqa: S105 -- a name
MFA_CONTEXT = "https://refeds.org/profile/mfa"


@dataclass(frozen=True)
class Session:
    """One sign-in of one person."""

    person: Person
    method: Method
    authenticated_at: datetime
    ends_at: datetime
    index: str
    """What relying parties know the session by: ``SessionIndex`` and ``sid``. It opens nothing."""


class Sessions:
    """The sessions of this process. The cookie is host-only; cookies do not know ports, hence its own name."""

    def __init__(self, clock: Clock, *, secure: bool) -> None:
        """Mark the cookie Secure if we are served over https."""
        self._clock = clock
        self._secure = secure
        self._memory: Memory[Session] = Memory(clock, LIFETIME)

    def find_current(self) -> Session | None:
        """Return the session of the browser that asks, or None."""
        return self._memory.find(request.cookies.get(COOKIE, ""))

    def start(self, response: Response, person: Person, method: Method) -> None:
        """The browser that receives ``response`` has a new session; the one it had is over."""
        self._memory.take(request.cookies.get(COOKIE, ""))
        now = self._clock.now()
        session = Session(person, method, now, now + LIFETIME, "_" + secrets.token_hex(16))
        handle = self._memory.put(session)
        response.set_cookie(COOKIE, handle, httponly=True, secure=self._secure, samesite="Lax")

    def end(self, response: Response) -> None:
        """The browser that asks has no session any more."""
        self._memory.take(request.cookies.get(COOKIE, ""))
        response.delete_cookie(COOKIE, httponly=True, secure=self._secure, samesite="Lax")
