"""The enterprise identity providers that we trust, as an administrator describes them: one file each.

These are settings only. How a provider is spoken to stands in ``saml/`` and ``oidc/``.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class _Provider(BaseModel):
    """What both protocols share."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    """How addresses, rules and records name this provider."""
    title: str = Field(min_length=1, max_length=80)
    """What the sign-in page calls it."""
    groups_claim: str = "groups"
    """The claim that the ``groups:`` shorthand of rules reads."""
    claims: dict[str, str] = Field(default_factory=dict)
    """Our claim name: their attribute or claim name. What is not listed keeps its own name."""
    single_valued: frozenset[str] = frozenset()
    """SAML attributes (by our claim name) that become one string instead of a list; several values are refused."""
    clock_skew_seconds: int = Field(default=60, ge=0, le=300)
    """How far the provider's clock and ours may differ."""
    logout: Literal["local", "provider"] = "local"
    """Whether signing out here ends our session alone, or then leads on to the provider to end its own as well."""


class SAMLProvider(_Provider):
    """A SAML 2.0 identity provider."""

    protocol: Literal["saml"]
    entity_id: str = Field(min_length=1, max_length=1024)
    """The provider's entity ID; compared exactly with every ``Issuer``."""
    metadata: str
    """A path relative to the provider's file, or an https URL (http in development)."""
    request_binding: Literal["redirect", "post"] = "redirect"
    signed: Literal["any", "assertion", "response", "both"] = "any"
    """Which signatures must be there; whichever are there must be valid."""
    idp_initiated: bool = False
    """Whether the provider may start a sign-in that nobody asked for here."""
    name_id_format: str | None = None
    """The ``NameID`` format that we request, and then the only one that we accept."""
    max_authentication_age_seconds: int = Field(default=43_200, ge=60)
    """How long ago the person may have authenticated at the provider."""


class OIDCProvider(_Provider):
    """An OpenID provider."""

    protocol: Literal["oidc"]
    issuer: str = Field(min_length=1, max_length=1024)
    """Compared exactly with ``iss`` and with the discovery document."""
    client_id: str = Field(min_length=1, max_length=255)
    client_secret: SecretStr
    """A reference: ``env:NAME`` or ``file:PATH``."""
    client_authentication: Literal["client_secret_basic", "client_secret_post"] = "client_secret_basic"
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    algorithms: tuple[Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384"], ...] = (
        "RS256",
        "PS256",
        "ES256",
    )
    """The ID-token algorithms that we accept; the provider's metadata can narrow this, never widen it."""
    max_age_seconds: int | None = Field(default=None, ge=60)
    """``max_age`` to ask for; ``auth_time`` is then required and checked."""
    logout_token_typ_jwt: bool = False
    """Whether a logout token may have the ``typ`` ``JWT``, which some providers send instead of ``logout+jwt``."""


Provider = Annotated[SAMLProvider | OIDCProvider, Field(discriminator="protocol")]
