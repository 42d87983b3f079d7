"""Whom the identity providers of this suite know: their people, and the bridge in its two roles."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Person:
    """An employee, as the enterprise's directory has them."""

    uid: str
    name: str
    mail: str
    groups: tuple[str, ...]
    department: str

    @property
    def password(self) -> str:
        """Return what this person types into the sign-in form."""
        return f"{self.uid}-has-a-secret"


@dataclass(frozen=True)
class SAMLSP:
    """The bridge as a SAML service provider."""

    entity_id: str
    acs_url: str
    metadata_xml: str
    encryption: str = "none"
    """What the provider encrypts: ``none`` or ``assertion``."""


@dataclass(frozen=True)
class OIDCClient:
    """The bridge as an OIDC relying party."""

    client_id: str
    client_secret: str
    redirect_uri: str
    logout_channel: str = "back"
    """How LemonLDAP::NG says that somebody signed out there: ``back`` or ``front``."""
