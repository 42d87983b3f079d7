"""The stand-in cloud as its administrator set it up: ``config/sandbox.yaml``, key ``cloud``.

The file is meant to be read and changed: accounts, identity providers, roles with their trust policies in RAM's own
words, and RAM users. The one secret it needs is a reference, so that none is ever committed.
"""

import contextlib
import os
import secrets
import tempfile
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from bridge.errors import Problem, SettingsError
from bridge.sandbox.cloud.entities import AccessKey, Account, OIDCProvider, Role, SAMLProvider, User
from bridge.sandbox.cloud.workloads import Cluster, Instance
from bridge.sts_wire.arn import ARN

Origin = Annotated[str, Field(pattern=r"^https?://[^/?#]+$")]

CONSOLE_AUDIENCE = "urn:alibaba:cloudcomputing"


class CloudState(BaseModel):
    """The whole stand-in cloud at one moment."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Origin = "http://127.0.0.1:8082"
    """Where browsers and SDKs reach it; every sign-in address is made from it."""
    accounts: tuple[Account, ...] = Field(min_length=1)
    instance: Instance | None = None
    clusters: tuple[Cluster, ...] = ()

    @model_validator(mode="after")
    def _check_unique_ids(self) -> "CloudState":
        ids = [account.id for account in self.accounts]
        ids += [key.id for account in self.accounts for user in account.users for key in user.access_keys]
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

    def find_user(self, arn: ARN) -> User | None:
        """Return the user of this ARN."""
        account = self.find_account(arn.account)
        return next((user for user in account.users if user.name == arn.name), None) if account else None

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
                for key in user.access_keys:
                    if key.id == access_key_id:
                        return account, user, key
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
        keys = [
            key.model_copy(update={"secret": SecretStr(_resolve_secret(key.secret.get_secret_value(), path))})
            for key in user.access_keys
        ]
        return user.model_copy(update={"access_keys": tuple(keys)})

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
