"""The Alibaba Cloud accounts that we issue into, as an administrator describes them: one file each."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr

from bridge.described import Described
from bridge.entitlements.entitlement import Sensitivity

TAG_KEY = r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$"

ADDRESS = r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+$"
"""An e-mail address as companies have them, with nothing in it that means something in the address of a link."""

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
RAMName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,128}$")]
ExternalId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_+=,.@:/-]{2,1224}$")]
Site = Literal["china", "international"]
ConsoleSignIn = Literal["saml", "token", "mixed"]


class Console(Described):
    """Where a browser is sent to sign in at the console, and what it must bring."""

    role_sso_url: str
    """The ACS for role sign-in, which is also ``Recipient`` and ``saml:recipient``."""
    role_sso_audience: str
    """The audience of a response for a role."""
    user_sso_url: str
    """The ACS for sign-in as a RAM user."""
    user_sso_audience: str
    """``{account}`` stands for the account's id."""
    form_action: tuple[str, ...]
    """The origins (CSP sources) that the hand-over form may reach, redirects included."""
    federation_url: str | None = None
    """Gives a sign-in token for temporary credentials, and takes it from the browser; without a query."""
    home_url: str | None = None
    """The page of the console on which a sign-in by token ends."""


CONSOLES: dict[Site, Console] = {
    "china": Console(
        role_sso_url="https://signin.aliyun.com/saml-role/sso",
        role_sso_audience="urn:alibaba:cloudcomputing",
        user_sso_url="https://signin.aliyun.com/saml/SSO",
        user_sso_audience="https://signin.aliyun.com/{account}/saml/SSO",
        form_action=("https://*.aliyun.com",),
        federation_url="https://signin.aliyun.com/federation",
        home_url="https://home.console.aliyun.com/",
    ),
    "international": Console(
        role_sso_url="https://signin.alibabacloud.com/saml-role/sso",
        role_sso_audience="urn:alibaba:cloudcomputing:international",
        user_sso_url="https://signin-intl.aliyun.com/saml/SSO",
        user_sso_audience="https://signin.aliyun.com/{account}/saml/SSO",
        form_action=("https://*.alibabacloud.com", "https://*.aliyun.com"),
        federation_url="https://signin.alibabacloud.com/federation",
        home_url="https://home-intl.console.aliyun.com/",
    ),
}


class Via(Described):
    """A role in another account, from which this one is entered (role chaining)."""

    account: Name
    """The other account's name; its own ``trust`` lets us in there."""
    role: RAMName
    """The role there, which may call ``sts:AssumeRole`` on the roles here."""


class Account(Described):
    """One Alibaba Cloud account and how it trusts us."""

    name: Name
    """How rules, pages and records name the account."""
    id: Annotated[str, Field(pattern=r"^[0-9]{6,20}$")]
    """The account's UID; write it in quotes."""
    title: str = Field(min_length=1, max_length=80)
    """What the portal calls it."""
    owner: str = Field(default="", max_length=80)
    """Whom to ask about it, such as a team or an address; the portal shows it, and searches by it."""
    owner_address: str | None = Field(default=None, max_length=254, pattern=ADDRESS)
    """The owner's e-mail address, for the message that somebody who was refused a role may send."""
    may_be_asked_for: bool = False
    """Whether whoever is signed in may learn that this account is there and whom to ask for a role in it; else only
    those who have a role in it."""
    sensitivity: Sensitivity | None = None
    """The colour of its roles in the portal; a grant may say another one."""
    alias: Name | None = None
    """Another name, such as its alias in RAM, that rules may use as ``account_alias``."""
    tags: dict[Annotated[str, Field(pattern=TAG_KEY)], Annotated[str, Field(min_length=1, max_length=128)]] = Field(
        default_factory=dict
    )
    """Any words, such as ``env: production``, by which rules may mean several accounts (``account_tags``)."""
    roles: tuple[RAMName, ...] | None = Field(default=None, min_length=1)
    """The only RAM roles that rules may grant here. Without it, any."""
    site: Site = "china"
    """Decides the console's addresses."""
    trust: Literal["saml", "oidc", "access_key"] = "saml"
    """How credentials are asked for: docs/operating.md has the three."""
    console: ConsoleSignIn = "saml"
    """How a role's console is opened: by a signed response, by a sign-in token for temporary credentials, or ``mixed``:
    by a token where a session policy narrows the role. A RAM user's console is always opened by SAML."""
    saml_provider: RAMName = "rambridge"
    """The name of the RAM SAML identity provider that holds our metadata."""
    oidc_provider: RAMName = "rambridge"
    """With ``trust: oidc``: the name of the RAM OIDC identity provider that holds our issuer."""
    oidc_audience: str = "sts.aliyuncs.com"
    """With ``trust: oidc``: a client ID that the RAM OIDC identity provider lists."""
    access_key_id: SecretStr | None = None
    """With ``trust: access_key``: a reference, ``env:NAME`` or ``file:PATH``."""
    access_key_secret: SecretStr | None = None
    """With ``trust: access_key``: a reference as well."""
    via: Via | None = None
    """Credentials are asked for from a role of another account, instead of by ``trust``. The console goes by SAML."""
    external_id: ExternalId | None = None
    """With ``via`` or ``trust: access_key``: what roles' trust policies here demand as ``sts:ExternalId``."""
    source_identity: bool = False
    """With ``via`` or ``trust: access_key``: STS remembers who the person is, along every further change of role."""
    endpoint: str = "https://sts.aliyuncs.com"
    """The STS-compatible endpoint, without a path: ``https://sts.<region>.aliyuncs.com``, in a VPC ``sts-vpc``."""
    proxy: str | None = None
    """The address of an HTTP proxy through which to reach the endpoint (CONNECT), for this account's STS alone.
    The console's federation endpoint is reached without it, unless ``custom_console`` names another one."""
    ca_file: Path | None = None
    """A PEM bundle to trust for the endpoint instead of the system's; for a console only with ``custom_console``."""
    connect_timeout_seconds: float = Field(default=3.0, gt=0, le=30)
    """For connecting, in seconds."""
    timeout_seconds: float = Field(default=8.0, gt=0, le=60)
    """For everything together, in seconds."""
    max_duration_seconds: int = Field(default=43_200, ge=900, le=43_200)
    """This account's limit on a session, in seconds."""
    role_max_duration_seconds: dict[str, int] = Field(default_factory=dict)
    """``MaxSessionDuration``, in seconds, of roles for which it is not 3600, by role name."""
    default_domain: str | None = None
    """The domain of RAM user names; ``<id>.onaliyun.com`` where this is absent."""
    session_name_claim: str = "email"
    """The claim that names a role session; the subject where the claim is absent."""
    custom_console: Console | None = None
    """For the sandbox: stands in for the site's own console addresses."""

    @property
    def console_addresses(self) -> Console:
        """Return the console sign-in addresses of this account's site."""
        return self.custom_console or CONSOLES[self.site]

    @property
    def signs_calls(self) -> bool:
        """Return whether credentials are asked for by AssumeRole, the call that carries the most."""
        return self.via is not None or self.trust == "access_key"

    @property
    def user_domain(self) -> str:
        """Return the domain of this account's RAM user names."""
        return self.default_domain or f"{self.id}.onaliyun.com"

    def role_arn(self, role: str) -> str:
        """Return the ARN of a RAM role of this account."""
        return f"acs:ram::{self.id}:role/{role}"

    @property
    def saml_provider_arn(self) -> str:
        """Return the ARN of the RAM SAML identity provider that stands for us."""
        return f"acs:ram::{self.id}:saml-provider/{self.saml_provider}"

    @property
    def oidc_provider_arn(self) -> str:
        """Return the ARN of the RAM OIDC identity provider that stands for us."""
        return f"acs:ram::{self.id}:oidc-provider/{self.oidc_provider}"
