"""Temporary credentials that do not show themselves.

The secret and the token appear in no ``repr``, so neither a log line nor a traceback can leak them; whoever needs
them asks by name.
"""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class TemporaryCredentials:
    """What STS issued for one choice."""

    access_key_id: str
    """Begins ``STS.``; not secret: it is the key that joins our audit record to ActionTrail."""
    access_key_secret: str = field(repr=False)
    security_token: str = field(repr=False)
    expires_at: datetime
    """UTC."""
    assumed_role_arn: str
    """As STS answered it: ``acs:ram::<account>:role/<role>/<session>``."""
    role_session_name: str
    request_id: str
    """STS's RequestId."""
    duration_seconds: int
    decided_by: str
    """Which limit set it: ``default``, ``asked``, ``rule``, ``account``, ``role``, ``api`` or ``identity provider``."""
    limits: tuple[tuple[str, int], ...] = ()
    """All of these limits in seconds, by name."""
    source_identity: str = ""
    """What STS remembers of the person, all along a chain of roles; empty: nothing."""
    reused: bool = False
    """Whether they were issued for an equal request before, so that less than the whole duration is left."""
    assumed_role_id: str = ""
    """As STS answered it: ``<role id>:<session>``."""
