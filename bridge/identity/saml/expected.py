"""What the answer to one sign-in has to fit: everything that the checks compare with, none of it from the message."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from bridge.identity.providers import SAMLProvider
from bridge.identity.saml.signature import PublicKey


@dataclass(frozen=True)
class Expected:
    """The question that we asked, of whom, where we await the answer, and when."""

    provider: SAMLProvider
    keys: tuple[PublicKey, ...]
    """The keys that the provider's metadata pins."""
    sp_entity_id: str
    acs_url: str
    request_id: str | None
    """The ``ID`` of our AuthnRequest. None: nobody asked, the provider began."""
    now: datetime
    decryption_keys: tuple[RSAPrivateKey, ...] = field(default=(), repr=False)
    """Our keys that open an encrypted assertion; without one, none is accepted."""
    asked_at: datetime | None = None
    """When we asked; None if nobody did."""

    @cached_property
    def skew(self) -> timedelta:
        """How far the provider's clock and ours may differ."""
        return timedelta(seconds=self.provider.clock_skew_seconds)
