"""The only thing about a person that later stages accept.

Only the verifiers in ``identity/saml`` and ``identity/oidc`` construct a :class:`VerifiedIdentity`; a raw message
never travels further than the function that verifies it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

Claim: TypeAlias = "str | bool | int | float | list[Claim] | dict[str, Claim] | None"


@dataclass(frozen=True)
class VerifiedIdentity:
    """Who somebody is, as a trusted provider stated it.

    ``issuer`` and ``subject`` together are the person; neither alone is. ``claims`` holds JSON values: a SAML
    attribute is a list of strings, unless the provider's settings call it single-valued.
    """

    provider: str
    """The name of the provider in our configuration."""
    protocol: Literal["saml", "oidc"]
    issuer: str
    subject: str
    claims: Mapping[str, Claim]
    authenticated_at: datetime
    """When the person authenticated at the provider (``AuthnInstant``, ``auth_time``, else ``iat``); UTC."""
    message_id: str
    """The assertion's ``ID``, or the ID token's ``jti``, else its digest: what makes the statement single-use."""
    accept_until: datetime
    """The last moment (UTC, leeway included) at which the same statement would still be accepted."""
    valid_until: datetime | None = None
    """``SessionNotOnOrAfter``: no session and no credentials may outlast it; UTC. None: the provider set no end."""
    acr: str | None = None
    """``AuthnContextClassRef`` or ``acr``."""
    amr: tuple[str, ...] = field(default=())
    session_index: str | None = None
    """``SessionIndex`` or ``sid``: the provider's own name for its session, for single logout."""
    name_format: str | None = None
    """SAML: the ``Format`` of the ``NameID``, which a logout request has to repeat."""
    authentication_time_stated: bool = True
    """Whether the provider itself said when; without ``auth_time`` the person may have authenticated long before."""
    proxy_count: int | None = None
    """SAML: how many assertions, each based on the one before, the provider lets follow its own; None: any number."""

    @property
    def email(self) -> str:
        """The ``email`` claim, or nothing. It names a person to people; it proves nothing."""
        return self._text("email")

    @property
    def name(self) -> str:
        """What to call the person: the ``name`` claim, else the e-mail address, else the subject."""
        return self._text("name") or self.email or self.subject

    def as_recorded(self) -> dict[str, Any]:
        """Return what an audit record says of the person: the fields of ``PersonEvent``."""
        return {
            "provider": self.provider,
            "issuer": self.issuer,
            "subject": self.subject,
            "person": self.name,
            "acr": self.acr,
            "amr": self.amr,
        }

    def _text(self, claim: str) -> str:
        value = self.claims.get(claim)
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        return value if isinstance(value, str) else ""
