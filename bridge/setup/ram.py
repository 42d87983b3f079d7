"""Reads and changes RAM (2015-05-01) and IMS (2019-08-15) of one account through the official SDKs.

The only module that needs the extra ``setup``. Each change is one call; each can be repeated, since a plan is made anew
from what is there. Nothing is deleted, and no policy is attached or detached.
"""

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from alibabacloud_ims20190815 import models as ims_models
from alibabacloud_ims20190815.client import Client as IMSClient
from alibabacloud_ram20150501 import models as ram_models
from alibabacloud_ram20150501.client import Client as RAMClient
from alibabacloud_tea_openapi.client import Client
from alibabacloud_tea_openapi.exceptions import AlibabaCloudException
from alibabacloud_tea_openapi.utils_models import Config, OpenApiRequest, Params
from darabonba.runtime import RuntimeOptions

from bridge.errors import SetupFailed
from bridge.exchange.accounts import Account
from bridge.machine_credentials import Client as MachineCredentials
from bridge.ram_policies.snapshot import PolicyContent, RolePolicies
from bridge.setup.desired import Desired, OIDCProvider, Role, SAMLProvider
from bridge.setup.existing import Existing
from bridge.setup.plan import Step
from bridge.setup.trust import encode, parse_trust

RAM_ADDRESS, IMS_ADDRESS = "https://ram.aliyuncs.com", "https://ims.aliyuncs.com"
DESCRIPTION = "Rambridge"
CONNECT_MS, READ_MS = 5_000, 15_000


@dataclass(frozen=True)
class AdministratorKey:
    """An AccessKey that may read RAM and IMS, and change them for ``apply``."""

    id: str
    secret: str = field(repr=False)


class Administration:
    """One account's RAM and IMS."""

    def __init__(self, account: Account, key: AdministratorKey | None = None, endpoint: str | None = None) -> None:
        """Connect to nothing yet.

        Args:
            account: which the credentials must be of; its STS is asked.
            key: what signs the calls; the SDKs' default chain finds something (environment, files, metadata) without.
            endpoint: where RAM and IMS both are, for the sandbox.

        Raises:
            SetupFailed: the default chain finds no credentials.
        """
        self._account = account
        given = {"access_key_id": key.id, "access_key_secret": key.secret} if key else _find_credentials()
        self._ram = RAMClient(_configure(endpoint or RAM_ADDRESS, given))
        self._ims = IMSClient(_configure(endpoint or IMS_ADDRESS, given))
        self._sts = Client(_configure(account.endpoint, given, account.ca_file))

    def read(self, desired: Desired) -> Existing:
        """Return what RAM has of what an account must have.

        Raises:
            SetupFailed: RAM refuses, or cannot be reached; or the credentials are another account's.
        """
        saml, oidc = desired.saml_provider, desired.oidc_provider
        self.check_account()
        roles = {role.name: found for role in desired.roles if (found := self._read_role(role.name)) is not None}
        return Existing(
            saml_provider=self._read_saml_provider(saml.name) if saml else None,
            oidc_provider=self._read_oidc_provider(oidc.name) if oidc else None,
            roles=roles,
            users=frozenset(user for user in desired.users if self._has_user(user)),
        )

    def check_account(self) -> None:
        """The credentials are of the account that is meant. Raises SetupFailed."""
        with _errors("GetCallerIdentity"):
            answer = self._sts.call_api(_GET_CALLER_IDENTITY, OpenApiRequest(), RuntimeOptions())
        found = answer["body"].get("AccountId")
        if found != self._account.id:
            raise SetupFailed(f"these credentials are of the account {found}, not of {self._account.id}")

    def read_role_policies(self, roles: Iterable[str] | None, now: datetime) -> RolePolicies:
        """Return what is attached to roles in the whole account, each policy in its default version.

        Args:
            roles: which ones; None: every role of the account. One that does not exist is left out.
            now: the moment (UTC) to note.

        Raises:
            SetupFailed: RAM refuses, or cannot be reached; or the credentials are another account's.
        """
        self.check_account()
        attached: dict[str, tuple[str, ...]] = {}
        policies: dict[str, PolicyContent] = {}
        for role in self._list_roles() if roles is None else roles:
            body = self._list_attached(role)
            if body is None:
                continue
            found = [(each.policy_type, each.policy_name) for each in (body.policies.policy or ())]
            attached[role] = tuple(f"{kind}/{name}" for kind, name in found)
            for kind, name in found:
                if f"{kind}/{name}" not in policies:
                    policies[f"{kind}/{name}"] = self._read_policy(kind, name)
        return RolePolicies(
            account=self._account.name,
            account_id=self._account.id,
            read_at=now.replace(microsecond=0),
            policies=policies,
            roles=attached,
        )

    def _list_attached(self, role: str) -> Any | None:
        request = ram_models.ListPoliciesForRoleRequest(role_name=role)
        return _find(f"ListPoliciesForRole {role}", lambda: self._ram.list_policies_for_role(request).body)

    def _list_roles(self) -> Iterator[str]:
        marker: str | None = None
        while True:
            request = ram_models.ListRolesRequest(marker=marker, max_items=100)
            with _errors("ListRoles"):
                body = self._ram.list_roles(request).body
            yield from (each.role_name for each in (body.roles.role or ()))
            if not body.is_truncated:
                return
            marker = body.marker

    def _read_policy(self, kind: str, name: str) -> PolicyContent:
        request = ram_models.GetPolicyRequest(policy_name=name, policy_type=kind)
        with _errors(f"GetPolicy {name}"):
            found = self._ram.get_policy(request).body.default_policy_version
            return PolicyContent(version=found.version_id, document=json.loads(found.policy_document))

    def take(self, step: Step) -> None:
        """Do one step of a plan. Raises SetupFailed; whether RAM did it all the same, the next plan shows."""
        entity = step.entity
        if isinstance(entity, SAMLProvider):
            self._put_saml_provider(entity, new=step.before is None)
        elif isinstance(entity, OIDCProvider):
            self._put_oidc_provider(entity, step.before if isinstance(step.before, OIDCProvider) else None)
        elif isinstance(entity, Role):
            self._put_role(entity, step.before if isinstance(step.before, Role) else None)
        else:
            with _errors(f"CreateUser {entity}"):
                self._ram.create_user(ram_models.CreateUserRequest(user_name=entity, display_name=entity))

    def _read_saml_provider(self, name: str) -> SAMLProvider | None:
        request = ims_models.GetSAMLProviderRequest(samlprovider_name=name)
        body = _find(f"GetSAMLProvider {name}", lambda: self._ims.get_samlprovider(request).body)
        if body is None:
            return None
        found = body.samlprovider
        document = base64.b64decode(found.encoded_samlmetadata_document or "")
        return SAMLProvider(name, document, found.authn_sign_algo or "rsa-sha1")

    def _read_oidc_provider(self, name: str) -> OIDCProvider | None:
        request = ims_models.GetOIDCProviderRequest(oidcprovider_name=name)
        body = _find(f"GetOIDCProvider {name}", lambda: self._ims.get_oidcprovider(request).body)
        if body is None:
            return None
        found = body.oidcprovider
        return OIDCProvider(name, found.issuer_url, _split(found.client_ids), _split(found.fingerprints))

    def _read_role(self, name: str) -> Role | None:
        body = _find(f"GetRole {name}", lambda: self._ram.get_role(ram_models.GetRoleRequest(role_name=name)).body)
        if body is None:
            return None
        with _errors(f"ListPoliciesForRole {name}"):
            request = ram_models.ListPoliciesForRoleRequest(role_name=name)
            policies = self._ram.list_policies_for_role(request).body.policies
        attached = tuple(f"{each.policy_name} ({each.policy_type})" for each in (policies.policy or ()))
        role = body.role
        trust = parse_trust(role.assume_role_policy_document or "")
        return Role(name, trust, int(role.max_session_duration or 0), policies=attached)

    def _has_user(self, name: str) -> bool:
        request = ram_models.GetUserRequest(user_name=name)
        return _find(f"GetUser {name}", lambda: self._ram.get_user(request).body) is not None

    def _put_saml_provider(self, provider: SAMLProvider, *, new: bool) -> None:
        document = base64.b64encode(provider.metadata).decode()
        with _errors(f"{'Create' if new else 'Update'}SAMLProvider {provider.name}"):
            if new:
                created = ims_models.CreateSAMLProviderRequest(
                    samlprovider_name=provider.name,
                    encoded_samlmetadata_document=document,
                    authn_sign_algo=provider.signature_algorithm,
                    description=DESCRIPTION,
                )
                self._ims.create_samlprovider(created)
                return
            changed = ims_models.UpdateSAMLProviderRequest(
                samlprovider_name=provider.name,
                new_encoded_samlmetadata_document=document,
                authn_sign_algo=provider.signature_algorithm,
            )
            self._ims.update_samlprovider(changed)

    def _put_oidc_provider(self, provider: OIDCProvider, found: OIDCProvider | None) -> None:
        name = provider.name
        if found is None:
            request = ims_models.CreateOIDCProviderRequest(
                oidcprovider_name=name,
                issuer_url=provider.issuer,
                client_ids=",".join(provider.client_ids),
                fingerprints=",".join(provider.fingerprints) or None,
                description=DESCRIPTION,
            )
            with _errors(f"CreateOIDCProvider {name}"):
                self._ims.create_oidcprovider(request)
            return
        for client_id in (each for each in provider.client_ids if each not in found.client_ids):
            with _errors(f"AddClientIdToOIDCProvider {name}"):
                self._ims.add_client_id_to_oidcprovider(
                    ims_models.AddClientIdToOIDCProviderRequest(oidcprovider_name=name, client_id=client_id)
                )
        known = {each.lower() for each in found.fingerprints}
        for fingerprint in (each for each in provider.fingerprints if each.lower() not in known):
            with _errors(f"AddFingerprintToOIDCProvider {name}"):
                self._ims.add_fingerprint_to_oidcprovider(
                    ims_models.AddFingerprintToOIDCProviderRequest(oidcprovider_name=name, fingerprint=fingerprint)
                )

    def _put_role(self, role: Role, found: Role | None) -> None:
        if found is None:
            created = ram_models.CreateRoleRequest(
                role_name=role.name,
                assume_role_policy_document=encode(role.trust),
                max_session_duration=role.max_session_seconds,
                description=f"{DESCRIPTION}: {', '.join(role.rules)}"[:1024],
            )
            with _errors(f"CreateRole {role.name}"):
                self._ram.create_role(created)
            return
        changed = ram_models.UpdateRoleRequest(
            role_name=role.name,
            new_assume_role_policy_document=encode(role.trust) if role.trust != found.trust else None,
            new_max_session_duration=role.max_session_seconds
            if role.max_session_seconds != found.max_session_seconds
            else None,
        )
        with _errors(f"UpdateRole {role.name}"):
            self._ram.update_role(changed)


_GET_CALLER_IDENTITY = Params(
    action="GetCallerIdentity",
    version="2015-04-01",
    protocol="HTTPS",
    pathname="/",
    method="POST",
    auth_type="AK",
    style="RPC",
    req_body_type="formData",
    body_type="json",
)


def _find_credentials() -> dict[str, Any]:
    """Return what the SDKs' default chain finds; it is asked here, so that nothing found is told before any call."""
    client = MachineCredentials()
    try:
        client.get_credential()
    except Exception as error:  # whatever one link of the chain raises
        said = "the official SDKs find no credentials in the environment, in files, or on this machine"
        advice = "Say with --access-key-id and --access-key-secret what may read RAM (AliyunRAMReadOnlyAccess)."
        raise SetupFailed(said, advice) from error
    return {"credential": client}


def _configure(address: str, credentials: dict[str, Any], ca_file: Path | None = None) -> Config:
    parts = urlsplit(address)
    return Config(
        endpoint=parts.netloc,
        protocol=parts.scheme,
        connect_timeout=CONNECT_MS,
        read_timeout=READ_MS,
        ca=str(ca_file) if ca_file else None,
        **credentials,
    )


def _split(text: str | None) -> tuple[str, ...]:
    return tuple(each for each in (text or "").split(",") if each)


def _find(action: str, ask: Callable[[], Any]) -> Any | None:
    """Return the answer, or None where RAM says that there is no such thing."""
    with _errors(action):
        try:
            return ask()
        except AlibabaCloudException as error:
            if str(error.code).startswith("EntityNotExist"):
                return None
            raise


@contextmanager
def _errors(action: str) -> Iterator[None]:
    """Turn what the SDKs raise into one error of ours. Their messages quote no secret."""
    try:
        yield
    except AlibabaCloudException as error:
        # The SDKs put status and RequestId into the message as well.
        said = re.sub(r"^code: \d+, | request id: \S+$", "", str(error.message)).partition("\n")[0]
        raise SetupFailed(f"{action}: {error.code}: {said} (RequestId {error.request_id})") from error
    except Exception as error:  # the SDKs raise bare exceptions for a network that fails, and for no credentials
        raise SetupFailed(f"{action}: {type(error).__name__}: {str(error)[:200]}") from error
