"""Temporary credentials: issued for one role session, found again by access key ID, bound to one security token."""

import secrets
from dataclasses import dataclass, field
from datetime import timedelta

from bridge.clock import Clock
from bridge.sandbox.cloud.callers import RoleSession
from bridge.sandbox.store import ExpiringStore

_REMEMBER_EXPIRED = timedelta(hours=1)


@dataclass(frozen=True)
class IssuedCredentials:
    """Temporary credentials and the session they stand for."""

    access_key_id: str
    access_key_secret: str = field(repr=False)
    security_token: str = field(repr=False)
    session: RoleSession


class CredentialStore:
    """All temporary credentials of this process; expired ones are known a while longer, to say so."""

    def __init__(self, clock: Clock) -> None:
        self._issued: ExpiringStore[IssuedCredentials] = ExpiringStore(clock)

    def issue(self, session: RoleSession) -> IssuedCredentials:
        """Return new credentials for the session."""
        issued = IssuedCredentials(
            access_key_id=f"STS.{secrets.token_hex(12)}",
            access_key_secret=secrets.token_hex(22),
            security_token=f"CAIS{secrets.token_urlsafe(192)}",
            session=session,
        )
        self._issued.put(issued.access_key_id, issued, session.expires_at + _REMEMBER_EXPIRED)
        return issued

    def find(self, access_key_id: str) -> IssuedCredentials | None:
        """Return the credentials with this id, even if they have expired a short while ago."""
        return self._issued.find(access_key_id)
