"""The stand-in cloud as its administrator set it up: ``config/sandbox.yaml``, key ``cloud``.

The file is meant to be read and changed: accounts, identity providers, roles with their trust policies in RAM's own
words, and RAM users. The one secret it needs is a reference, so that none is ever committed.
"""

import contextlib
import os
import secrets
import tempfile
from pathlib import Path
from typing import Annotated, Any, cast

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from bridge.errors import Problem, SettingsError
from bridge.sandbox.cloud.policy import PermissionPolicy, TrustPolicy
from bridge.sts_wire.arn import ARN, Kind

RAMName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
ProviderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,128}$")]
EntityId = Annotated[str, Field(pattern=r"^[0-9]{18}$")]
Origin = Annotated[str, Field(pattern=r"^https?://[^/?#]+$")]
HTTPURL = Annotated[str, Field(pattern=r"^https?://\S+$", max_length=255)]

CONSOLE_AUDIENCE = "urn:alibaba:cloudcomputing"


class _Entity(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SAMLProvider(_Entity):
    """A SAML identity provider of an account; its metadata is fetched as if somebody had uploaded it."""

    name: ProviderName
    metadata_url: HTTPURL


class OIDCProvider(_Entity):
    """An OIDC identity provider of an account."""

    name: ProviderName
    issuer: HTTPURL
    client_ids: tuple[str, ...] = Field(min_length=1, max_length=20)
    issuance_limit_hours: int = Field(default=12, ge=1, le=168)
    """``IssuanceLimitTime``: how old a token's ``iat`` may be."""


class Role(_Entity):
    """A RAM role."""

    name: RAMName
    id: EntityId
    max_session_duration: int = Field(default=3600, ge=3600, le=43_200)
    allow_console_login: bool = True
    trust: TrustPolicy
    policy: PermissionPolicy | None = None
    """What its sessions may do; here it matters only for assuming further roles."""


class AccessKey(_Entity):
    """A long-term key of a RAM user."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9]{8,128}$")]
    secret: SecretStr
    """A reference, ``env:NAME`` or ``file:PATH`` (relative to this file; a missing file is made)."""
    active: bool = True


class User(_Entity):
    """A RAM user."""

    name: RAMName
    id: EntityId
    display_name: str = Field(min_length=1, max_length=128)
    console: bool = False
    """Whether the user may sign in to the console."""
    access_key: AccessKey | None = None
    policy: PermissionPolicy | None = None


class UserSSO(_Entity):
    """The identity provider that signs RAM users of an account in to the console."""

    metadata_url: HTTPURL
    auxiliary_domain: str | None = None


class Account(_Entity):
    """An Alibaba Cloud account."""

    id: Annotated[str, Field(pattern=r"^[0-9]{16}$")]
    alias: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,49}$")]
    title: str = Field(min_length=1, max_length=80)
    user_sso: UserSSO | None = None
    saml_providers: tuple[SAMLProvider, ...] = ()
    oidc_providers: tuple[OIDCProvider, ...] = ()
    roles: tuple[Role, ...] = ()
    users: tuple[User, ...] = ()

    @model_validator(mode="after")
    def _check_unique_names(self) -> "Account":
        for entities in (self.saml_providers, self.oidc_providers, self.roles, self.users):
            names = [entity.name.lower() for entity in cast("tuple[SAMLProvider, ...]", entities)]
            if len(set(names)) != len(names):
                raise ValueError("two entities of one kind have the same name")
        return self

    @property
    def domains(self) -> frozenset[str]:
        """Return the domains that may follow ``@`` in the name of a user of this account."""
        defaults = {f"{self.id}.onaliyun.com", f"{self.alias}.onaliyun.com"}
        auxiliary = self.user_sso.auxiliary_domain if self.user_sso else None
        return frozenset(defaults | {auxiliary} if auxiliary else defaults)

    def build_arn(self, kind: Kind, name: str) -> ARN:
        """Return the name of one of this account's entities."""
        return ARN(self.id, kind, name)


class CloudState(_Entity):
    """The whole stand-in cloud, as declared."""

    url: Origin = "http://127.0.0.1:8082"
    """Where browsers and SDKs reach it; every sign-in address is made from it."""
    accounts: tuple[Account, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_unique_ids(self) -> "CloudState":
        ids = [account.id for account in self.accounts]
        ids += [user.access_key.id for account in self.accounts for user in account.users if user.access_key]
        if len(set(ids)) != len(ids):
            raise ValueError("two accounts or two access keys have the same id")
        return self

    @property
    def role_sso_url(self) -> str:
        """Return the address that takes responses for role sign-in."""
        return f"{self.url}/saml-role/sso"

    @property
    def user_sso_url(self) -> str:
        """Return the address that takes responses for sign-in as a RAM user."""
        return f"{self.url}/saml/SSO"

    def build_user_sso_audience(self, account: Account) -> str:
        """Return the entity ID under which an account's users sign in."""
        return f"{self.url}/{account.id}/saml/SSO"

    def find_account(self, account_id: str) -> Account | None:
        """Return the account with this id."""
        return next((account for account in self.accounts if account.id == account_id), None)

    def find_role(self, arn: ARN) -> Role | None:
        """Return the role of this ARN."""
        account = self.find_account(arn.account)
        return next((role for role in account.roles if role.name == arn.name), None) if account else None

    def find_saml_provider(self, arn: ARN) -> SAMLProvider | None:
        """Return the SAML provider of this ARN."""
        account = self.find_account(arn.account)
        return next((each for each in account.saml_providers if each.name == arn.name), None) if account else None

    def find_oidc_provider(self, arn: ARN) -> OIDCProvider | None:
        """Return the OIDC provider of this ARN."""
        account = self.find_account(arn.account)
        return next((each for each in account.oidc_providers if each.name == arn.name), None) if account else None

    def find_key_owner(self, access_key_id: str) -> tuple[Account, User, AccessKey] | None:
        """Return who owns this long-term key."""
        for account in self.accounts:
            for user in account.users:
                if user.access_key is not None and user.access_key.id == access_key_id:
                    return account, user, user.access_key
        return None


def load_cloud_state(path: Path) -> CloudState:
    """Return the cloud declared in this file, its secrets resolved.

    Raises :class:`SettingsError` with the line of every fault. A ``file:`` secret that does not exist is made, with
    mode 0600: the sandbox's one key belongs to nobody else.
    """
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError([Problem(path, 1, 1, str(error), "Write a YAML file.")]) from error
    try:
        state = CloudState.model_validate(document["cloud"])
    except (KeyError, TypeError) as error:
        raise SettingsError([Problem(path, 1, 1, "there is no key `cloud`", "Add it.")]) from error
    except ValidationError as error:
        raise SettingsError(
            Problem(path, *_find_place(node, ("cloud", *fault["loc"])), fault["msg"], _write_fix(fault["loc"]))
            for fault in error.errors()
        ) from error
    return state.model_copy(update={"accounts": tuple(_resolve_secrets(account, path) for account in state.accounts)})


def _find_place(node: Any, location: tuple[int | str, ...]) -> tuple[int, int]:
    """Return line and column of the deepest part of the location that the file has."""
    for step in location:
        if isinstance(node, yaml.MappingNode):
            found = next((value for key, value in node.value if key.value == step), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            found = node.value[step] if step < len(node.value) else None
        else:
            found = None
        if found is None:
            break
        node = found
    return node.start_mark.line + 1, node.start_mark.column + 1


def _write_fix(location: tuple[int | str, ...]) -> str:
    return f"Correct `{'.'.join(str(step) for step in location)}`."


def _resolve_secrets(account: Account, path: Path) -> Account:
    """Return the account with each key's reference replaced by what it refers to."""

    def resolve(user: User) -> User:
        if user.access_key is None:
            return user
        secret = _resolve_secret(user.access_key.secret.get_secret_value(), path)
        return user.model_copy(update={"access_key": user.access_key.model_copy(update={"secret": SecretStr(secret)})})

    return account.model_copy(update={"users": tuple(resolve(user) for user in account.users)})


def _resolve_secret(reference: str, path: Path) -> str:
    scheme, _, name = reference.partition(":")
    if scheme == "env" and os.environ.get(name):
        return os.environ[name]
    if scheme == "file":
        return _load_or_create_secret(path.parent / name)
    message, fix = "an access key's secret refers to nothing", "Write `env:NAME` (and set it) or `file:PATH`."
    raise SettingsError([Problem(path, 1, 1, message, fix)])


def _load_or_create_secret(path: Path) -> str:
    """Return the file's secret, made in one step if there is none, so that two starts share one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{secrets.token_hex(15)}\n")
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)
    Path(draft).unlink()
    return path.read_text(encoding="ascii").strip()
