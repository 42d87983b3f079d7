"""The enterprise identity providers that we trust, as an administrator describes them: one file each.

These are settings only. How a provider is spoken to stands in ``saml/`` and ``oidc/``.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from bridge.described import Described
from bridge.identity.home_realm import normalize_domain

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


TENANT = "{tenantid}"
"""In an issuer: the place of the tenant's ID, as Entra ID publishes it."""
TenantId = Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
ACR = Annotated[str, Field(pattern=r"^[!-~]{1,255}$")]
"""A name of an authentication context: no blanks, since a list of them is sent in one parameter."""


PERSON = "{person}"
"""In the address of a groups endpoint: the place of the person."""


class GroupsEndpoint(Described):
    """Where to ask for somebody's groups when a message leaves them out because they are many."""

    url: str = Field(min_length=1, max_length=1024)
    """With ``{person}`` as one whole part of its path."""
    person_claim: str = Field(min_length=1, max_length=255)
    """The claim, by our name, that stands for the person there."""
    body: dict[str, bool | int | str] | None = None
    """What to post, as JSON; None: the address is fetched by GET."""
    scope: str | None = Field(default=None, pattern=r"^[!-~]+( [!-~]+)*$", max_length=1024)
    """What to ask for at the token endpoint."""


def _check_domain(text: str) -> str:
    domain = normalize_domain(text)
    if domain is None:
        raise ValueError("this is not a domain: write what stands behind the @ of an address, such as acme.example")
    return domain


EmailDomain = Annotated[str, AfterValidator(_check_domain)]


class _Provider(Described):
    """What both protocols share."""

    name: Name
    """How addresses, rules and records name this provider."""
    title: str = Field(min_length=1, max_length=80)
    """What the sign-in page calls it."""
    groups_claim: str = "groups"
    """The claim that the ``groups:`` shorthand of rules reads."""
    groups_are: Literal["ids", "names"] = "names"
    """Whether groups are immutable IDs (UUID, SID, distinguished name), or names; the other kind is left out."""
    claim_types: dict[str, Literal["string", "list", "bool", "int", "map"]] = Field(default_factory=dict)
    """By our claim name, what a claim is: rules are checked against it, and a claim of another type is unreadable."""
    claims: dict[str, str] = Field(default_factory=dict)
    """Our claim name: their attribute or claim name. What is not listed keeps its own name."""
    single_valued: frozenset[str] = frozenset()
    """SAML attributes (by our claim name) that become one string instead of a list; several values are refused."""
    clock_skew_seconds: int = Field(default=60, ge=0, le=300)
    """How far the provider's clock and ours may differ, in seconds."""
    logout: Literal["local", "provider"] = "local"
    """Whether signing out here ends our session alone, or then leads on to the provider to end its own as well."""
    step_up_contexts: tuple[ACR, ...] = ()
    """The authentication contexts that the provider can be asked for when a rule requires one (``require: acr``)."""
    email_domains: tuple[EmailDomain, ...] = ()
    """Whoever types an e-mail address of one of these domains on the sign-in page is led here; compared whole."""


class SAMLProvider(_Provider):
    """A SAML 2.0 identity provider."""

    protocol: Literal["saml"]
    """It speaks SAML 2.0."""
    entity_id: str = Field(min_length=1, max_length=1024)
    """The provider's entity ID; compared exactly with every ``Issuer``."""
    metadata: str
    """A path relative to the provider's file, or an https URL (http in development)."""
    request_binding: Literal["redirect", "post"] = "redirect"
    """How our question reaches the provider."""
    signed: Literal["any", "assertion", "response", "both"] = "any"
    """Which signatures must be there; whichever are there must be valid."""
    idp_initiated: bool = False
    """Whether the provider may start a sign-in that nobody asked for here."""
    name_id_format: str | None = None
    """The ``NameID`` format that we request, and then the only one that we accept."""
    max_authentication_age_seconds: int = Field(default=43_200, ge=60)
    """How long ago, in seconds, the person may have authenticated at the provider."""
    encryption: Literal["refuse", "allow", "require"] = "allow"
    """Whether the assertion may, or must, be encrypted for us; where it may, so may its name and attributes.

    ``allow`` without a decryption key is ``refuse``.
    """
    encryption_cbc: bool = False
    """Whether AES-CBC is accepted beside AES-GCM, and then only where a signature by the provider covers it."""
    requested_authn_contexts: tuple[Annotated[str, Field(min_length=1, max_length=1024)], ...] = ()
    """The authentication context classes to ask for (compared exactly), and then the only ones that we accept."""
    force_authn: bool = False
    """Whether the person must authenticate anew for each of our questions, whatever session the provider has."""
    repeated_attributes: Literal["refuse", "merge"] = "refuse"
    """What to do with an attribute that comes several times: ``merge`` takes the values of all of them."""
    subject_in_request: bool = False
    """Whether the address that a person typed on our sign-in page goes along as ``Subject``, as a hint."""
    metadata_signing_certificate: Path | None = None
    """A certificate (PEM), relative to the provider's file: the metadata must be signed by exactly its key."""
    metadata_max_validity_days: int | None = Field(default=None, ge=1, le=400)
    """With an address: the metadata must have a ``validUntil``, and at most so many days ahead."""
    approved_certificates: tuple[Path, ...] = Field(default=(), max_length=16)
    """Certificates (PEM); with an address: a key in the metadata counts only if it is the key of one of these."""
    staged_certificates: tuple[Path, ...] = Field(default=(), max_length=4)
    """Certificates (PEM) that the provider will sign with: rehearsed at each sign-in, and never trusted."""

    @model_validator(mode="after")
    def _check_that_freshness_can_be_measured(self) -> Self:
        if self.force_authn and self.idp_initiated:
            raise ValueError("force_authn needs a question to be newer than: set idp_initiated to false")
        return self


class OIDCProvider(_Provider):
    """An OpenID provider."""

    protocol: Literal["oidc"]
    """It speaks OpenID Connect."""
    issuer: str = Field(min_length=1, max_length=1024)
    """Compared exactly with ``iss`` and with the discovery document; with ``{tenantid}`` in it, once per tenant."""
    tenants: tuple[TenantId, ...] = ()
    """With ``{tenantid}`` in the issuer: the tenants whose people may sign in."""
    client_id: str = Field(min_length=1, max_length=255)
    """What the provider calls us."""
    client_secret: SecretStr | None = None
    """A reference: ``env:NAME`` or ``file:PATH``; with one of the two methods that are named after it."""
    client_authentication: Literal["client_secret_basic", "client_secret_post", "private_key_jwt", "federated"] = (
        "client_secret_basic"
    )
    """How we prove to the provider who we are."""
    client_assertion_file: str | None = None
    """With ``federated``: the file that holds somebody else's assertion about us, read at each use."""
    client_assertion_audience: Literal["issuer", "token_endpoint"] = "issuer"
    """With ``private_key_jwt``: whom our assertions are for."""
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    """What we ask for; ``openid`` is needed."""
    algorithms: tuple[Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384"], ...] = (
        "RS256",
        "PS256",
        "ES256",
    )
    """The ID-token algorithms that we accept; the provider's metadata can narrow this, never widen it."""
    encryption: Literal["refuse", "allow", "require"] = "refuse"
    """Whether an ID token may, or must, be encrypted for us. It is signed in any case."""
    max_age_seconds: int | None = Field(default=None, ge=60)
    """``max_age`` to ask for, in seconds; ``auth_time`` is then required and checked."""
    acr_values: tuple[ACR, ...] = ()
    """The authentication contexts to ask for, the preferred one first."""
    required_acr: tuple[ACR, ...] = ()
    """The contexts of which the token must name one; empty: any will do."""
    prompt: Literal["login", "select_account", "consent"] | None = None
    """What the provider is to ask the person, each time."""
    par: Literal["auto", "require", "never"] = "auto"
    """Whether to push the question to the provider first (RFC 9126); ``auto``: where it offers that."""
    userinfo: Literal["never", "when_offered", "always"] = "never"
    """Whether to ask the userinfo endpoint for claims that are not in the ID token."""
    email_verified_required: bool = False
    """Whether an e-mail address counts only beside ``email_verified: true``; otherwise the person has none."""
    groups_endpoint: GroupsEndpoint | None = None
    """Where to ask for groups that the token leaves out, as ourselves; None: then nobody knows them."""
    frontchannel_logout: bool = False
    """Whether a frame on the provider's page may end sessions by naming them, which nothing proves."""
    logout_token_typ_jwt: bool = False
    """Whether a logout token may have the ``typ`` ``JWT``, which some providers send instead of ``logout+jwt``."""

    @property
    def issuers(self) -> frozenset[str]:
        """Who may make statements here: the issuer, or one for each tenant where it has a place for one."""
        if TENANT not in self.issuer:
            return frozenset({self.issuer})
        return frozenset(self.issuer.replace(TENANT, tenant) for tenant in self.tenants)


Provider = Annotated[SAMLProvider | OIDCProvider, Field(discriminator="protocol")]
