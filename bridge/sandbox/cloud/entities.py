"""What an account of the stand-in cloud consists of. Each entity is immutable; a change makes a new one."""

from datetime import UTC, datetime
from typing import Annotated, Literal, Protocol, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, IPvAnyNetwork, SecretStr, model_validator

from bridge.sandbox.cloud.policy import PermissionPolicy, TrustPolicy
from bridge.sandbox.cloud.system_policies import SYSTEM_POLICIES
from bridge.sts_wire.arn import ARN, Kind

RAMName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
ProviderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,128}$")]
PolicyName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,128}$")]
EntityId = Annotated[str, Field(pattern=r"^[0-9]{18}$")]
ResourceGroupId = Annotated[str, Field(pattern=r"^rg-[a-z0-9]{4,30}$")]
HTTPURL = Annotated[str, Field(pattern=r"^https?://\S+$", max_length=255)]

DECLARED_AT = datetime(2026, 1, 1, tzinfo=UTC)
"""When everything was made that the sandbox's file declares."""


class Named(Protocol):
    """Whatever an account has under a name."""

    @property
    def name(self) -> str:
        """Return the name."""


class _Entity(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Dated(_Entity):
    created_at: datetime = DECLARED_AT
    updated_at: datetime = DECLARED_AT


class SAMLSource(_Entity):
    """Where the metadata of an identity provider comes from: a document, or an address to fetch it from."""

    metadata_url: HTTPURL | None = None
    """Fetched as if somebody had uploaded it a moment ago."""
    metadata: str | None = None
    """The document as somebody did upload it."""
    authn_sign_algorithm: Literal["rsa-sha1", "rsa-sha256"] = "rsa-sha1"
    """How the console signs its requests to the provider."""

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        if (self.metadata is None) == (self.metadata_url is None):
            raise ValueError("an identity provider has one of metadata_url and metadata")
        return self


class SAMLProvider(SAMLSource, _Dated):
    """A SAML identity provider of an account."""

    name: ProviderName
    description: str = ""


class OIDCProvider(_Dated):
    """An OIDC identity provider of an account."""

    name: ProviderName
    description: str = ""
    issuer: HTTPURL
    client_ids: tuple[str, ...] = Field(min_length=1, max_length=20)
    fingerprints: tuple[str, ...] = Field(default=(), max_length=5)
    issuance_limit_hours: int = Field(default=12, ge=1, le=168)
    """``IssuanceLimitTime``: how old a token's ``iat`` may be."""


def _read_attachment(value: object) -> object:
    """A policy's name alone attaches it in the whole account."""
    return {"policy": value} if isinstance(value, str) else value


class AttachedPolicy(_Entity):
    """A policy that is attached to a user, a group or a role."""

    policy: PolicyName
    resource_group: ResourceGroupId | None = None
    """The resource group that it is limited to; None for the whole account."""
    attached_at: datetime = DECLARED_AT

    @property
    def type(self) -> str:
        """Return ``System`` or ``Custom``; the names of system policies are taken."""
        return "System" if self.policy in SYSTEM_POLICIES else "Custom"


Attached = tuple[Annotated[AttachedPolicy, BeforeValidator(_read_attachment)], ...]


class _Holder(_Dated):
    """Whatever policies can be attached to."""

    name: RAMName
    policies: Attached = ()


class PolicyVersion(_Entity):
    """One version of a custom policy."""

    id: Annotated[str, Field(pattern=r"^v[1-9][0-9]*$")]
    document: PermissionPolicy
    created_at: datetime = DECLARED_AT


class CustomPolicy(_Dated):
    """A policy of the account's own, in up to five versions."""

    name: PolicyName
    description: str = ""
    versions: tuple[PolicyVersion, ...] = Field(min_length=1, max_length=5)
    default_version: str = "v1"

    @model_validator(mode="after")
    def _check_default(self) -> "CustomPolicy":
        if self.default_version not in {version.id for version in self.versions}:
            raise ValueError("the default version does not exist")
        return self

    def find_version(self, version_id: str) -> PolicyVersion | None:
        """Return the version with this id."""
        return next((version for version in self.versions if version.id == version_id), None)

    @property
    def document(self) -> PermissionPolicy:
        """Return the version that counts."""
        return next(version.document for version in self.versions if version.id == self.default_version)


class Role(_Holder):
    """A RAM role."""

    id: EntityId
    description: str = ""
    max_session_duration: int = Field(default=3600, ge=3600, le=43_200)
    allow_console_login: bool = True
    trust: TrustPolicy


class AccessKey(_Entity):
    """A long-term key of a RAM user."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9]{8,128}$")]
    secret: SecretStr
    """In the file a reference, ``env:NAME`` or ``file:PATH`` (relative to the file; a missing one is made)."""
    active: bool = True
    networks: tuple[IPvAnyNetwork, ...] = Field(default=(), max_length=50)
    """From where it may be used; from everywhere if empty."""
    created_at: datetime = DECLARED_AT


class User(_Holder):
    """A RAM user."""

    id: EntityId
    display_name: str = Field(min_length=1, max_length=128)
    comments: str = ""
    email: str = ""
    mobile_phone: str = ""
    console: bool = False
    """Whether the user may sign in to the console."""
    access_keys: tuple[AccessKey, ...] = Field(default=(), max_length=2)


class Member(_Entity):
    """A user in a group."""

    user: RAMName
    joined_at: datetime = DECLARED_AT


def _read_member(value: object) -> object:
    return {"user": value} if isinstance(value, str) else value


class Group(_Holder):
    """A group of RAM users; what is attached to it counts for each of them."""

    id: EntityId
    comments: str = ""
    members: tuple[Annotated[Member, BeforeValidator(_read_member)], ...] = ()

    def has(self, user: str) -> bool:
        """Whether the user is a member."""
        return any(member.user == user for member in self.members)


class ResourceGroup(_Entity):
    """Some of an account's resources, which policies can be limited to."""

    id: ResourceGroupId
    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{1,49}$")]
    display_name: str = Field(min_length=1, max_length=50)
    created_at: datetime = DECLARED_AT


class UserSSO(SAMLSource):
    """The identity provider that signs RAM users of an account in to the console."""

    enabled: bool = True
    login_with_domain: bool = True
    """Whether ``NameID`` is ``<user>@<domain>``; else it is the user's name alone."""
    auxiliary_domain: str | None = None


class Account(_Entity):
    """An Alibaba Cloud account."""

    id: Annotated[str, Field(pattern=r"^[0-9]{16}$")]
    alias: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,49}$")]
    title: str = Field(min_length=1, max_length=80)
    user_sso: UserSSO | None = None
    saml_providers: tuple[SAMLProvider, ...] = ()
    oidc_providers: tuple[OIDCProvider, ...] = ()
    policies: tuple[CustomPolicy, ...] = ()
    roles: tuple[Role, ...] = ()
    users: tuple[User, ...] = ()
    groups: tuple[Group, ...] = ()
    resource_groups: tuple[ResourceGroup, ...] = ()

    @model_validator(mode="after")
    def _check_unique_names(self) -> "Account":
        kinds: tuple[tuple[Named, ...], ...] = (
            self.saml_providers, self.oidc_providers, self.policies, self.roles, self.users, self.groups,
            self.resource_groups,
        )  # fmt: skip
        for entities in kinds:
            names = [entity.name.lower() for entity in entities]
            if len(set(names)) != len(names):
                raise ValueError("two entities of one kind have the same name")
        return self

    @model_validator(mode="after")
    def _check_references(self) -> "Account":
        """What is attached, who is in a group, and which resource groups are meant: all of it exists."""
        policies = {policy.name for policy in self.policies}
        if policies & SYSTEM_POLICIES.keys():
            raise ValueError("a custom policy has the name of a system policy")
        scopes = {group.id for group in self.resource_groups} | {None}
        for holder in self.holders:
            for attached in holder.policies:
                if attached.policy not in policies | SYSTEM_POLICIES.keys():
                    raise ValueError(f"{holder.name}: there is no policy {attached.policy}")
                if attached.resource_group not in scopes:
                    raise ValueError(f"{holder.name}: there is no resource group {attached.resource_group}")
        members = {member.user for group in self.groups for member in group.members}
        if not members <= {user.name for user in self.users}:
            raise ValueError("a group has a member that is no user")
        return self

    @property
    def holders(self) -> tuple[_Holder, ...]:
        """Return everybody that policies can be attached to."""
        return (*self.users, *self.groups, *self.roles)

    @property
    def domains(self) -> frozenset[str]:
        """Return the domains that may follow ``@`` in the name of a user of this account."""
        defaults = {f"{self.id}.onaliyun.com", f"{self.alias}.onaliyun.com"}
        auxiliary = self.user_sso.auxiliary_domain if self.user_sso else None
        return frozenset(defaults | {auxiliary} if auxiliary else defaults)

    def build_arn(self, kind: Kind, name: str) -> ARN:
        """Return the name of one of this account's entities."""
        return ARN(self.id, kind, name)
