"""What RAM has of what an account must have."""

from collections.abc import Mapping
from dataclasses import dataclass

from bridge.setup.desired import OIDCProvider, Role, SAMLProvider


@dataclass(frozen=True)
class Existing:
    """One account as it is; None or absent is what it does not have."""

    saml_provider: SAMLProvider | None
    oidc_provider: OIDCProvider | None
    roles: Mapping[str, Role]
    users: frozenset[str]
