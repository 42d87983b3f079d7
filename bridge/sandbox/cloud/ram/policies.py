"""Custom policies in up to five versions, and system policies, which can only be read."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bridge.clock import format_utc
from bridge.sandbox.cloud.entities import DECLARED_AT, Account, CustomPolicy, PolicyVersion
from bridge.sandbox.cloud.management.faults import already_exists, delete_conflict, limit_exceeded, not_found
from bridge.sandbox.cloud.management.operation import Request, Result, declare
from bridge.sandbox.cloud.management.parameters import (
    Parameters,
    find_named,
    is_taken,
    list_page,
    read_flag,
    read_policy_name,
    read_required,
    read_text,
    replace_named,
)
from bridge.sandbox.cloud.policy import PermissionPolicy, parse_permission_policy
from bridge.sandbox.cloud.policy.documents import write_document
from bridge.sandbox.cloud.system_policies import SYSTEM_POLICIES
from bridge.sts_wire.reply import Fields, Value, build_malformed

MAX_POLICIES = 1500
MAX_VERSIONS = 5


@dataclass(frozen=True)
class AnyPolicy:
    """A policy of either type, as it is listed."""

    name: str
    type: str
    description: str
    default_version: str
    document: PermissionPolicy
    created_at: datetime = DECLARED_AT
    updated_at: datetime = DECLARED_AT

    def show(self, attachments: int) -> dict[str, Value]:
        """Return the fields of the policy itself, without its document."""
        return {
            "PolicyName": self.name,
            "PolicyType": self.type,
            "Description": self.description,
            "DefaultVersion": self.default_version,
            "AttachmentCount": attachments,
            "CreateDate": format_utc(self.created_at),
            "UpdateDate": format_utc(self.updated_at),
        }


def read_policy_type(parameters: Parameters) -> str:
    """Return ``PolicyType``: ``Custom`` or ``System``."""
    kind = read_required(parameters, "PolicyType")
    if kind not in {"Custom", "System"}:
        raise build_malformed("PolicyType")
    return kind


def find_any(account: Account, kind: str, name: str) -> AnyPolicy:
    """Return the policy of this type, or raise ``EntityNotExist.Policy``."""
    policy = next((each for each in _list_all(account) if (each.type, each.name) == (kind, name)), None)
    if policy is None:
        raise not_found("Policy", name)
    return policy


def _list_all(account: Account) -> list[AnyPolicy]:
    custom = [
        AnyPolicy(
            each.name, "Custom", each.description, each.default_version, each.document, each.created_at, each.updated_at
        )
        for each in account.policies
    ]
    system = [
        AnyPolicy(name, "System", description, "v1", document)
        for name, (description, document) in SYSTEM_POLICIES.items()
    ]
    return [*custom, *system]


def _count_attachments(account: Account, name: str) -> int:
    return sum(attached.policy == name for holder in account.holders for attached in holder.policies)


def _find_custom(account: Account, name: str) -> CustomPolicy:
    policy = find_named(account.policies, name)
    if policy is None:
        raise not_found("Policy", name)
    return policy


def _change(account: Account, policy: CustomPolicy, **changes: Any) -> Account:
    changed = policy.model_copy(update=changes)
    return account.model_copy(update={"policies": replace_named(account.policies, policy.name, changed)})


def _create(request: Request) -> Result:
    account, parameters = request.account, request.parameters
    name = read_policy_name(parameters)
    document = parse_permission_policy(read_required(parameters, "PolicyDocument"))
    if is_taken(account.policies, name) or name in SYSTEM_POLICIES:
        raise already_exists("Policy", name)
    if len(account.policies) >= MAX_POLICIES:
        raise limit_exceeded("Policy", MAX_POLICIES)
    policy = CustomPolicy(
        name=name,
        description=read_text(parameters, "Description", 1024),
        versions=(PolicyVersion(id="v1", document=document, created_at=request.now),),
        default_version="v1",
        created_at=request.now,
        updated_at=request.now,
    )
    changed = account.model_copy(update={"policies": (*account.policies, policy)})
    return changed, {"Policy": find_any(changed, "Custom", name).show(0)}


def _get(request: Request) -> Result:
    account, parameters = request.account, request.parameters
    policy = find_any(account, read_policy_type(parameters), read_policy_name(parameters))
    custom = find_named(account.policies, policy.name)
    version = custom.find_version(custom.default_version) if custom else None
    shown = _show_version(
        version or PolicyVersion(id="v1", document=policy.document, created_at=policy.created_at), is_default=True
    )
    document = write_document(policy.document)
    fields = policy.show(_count_attachments(account, policy.name))
    return account, {"Policy": {**fields, "PolicyDocument": document}, "DefaultPolicyVersion": shown}


def _list(request: Request) -> Result:
    account = request.account
    kinds = {read_policy_type(request.parameters)} if "PolicyType" in request.parameters else {"Custom", "System"}
    policies = [each for each in _list_all(account) if each.type in kinds]
    return account, list_page(
        request.parameters, policies, "Policy", lambda each: each.show(_count_attachments(account, each.name))
    )


def _delete(request: Request) -> Result:
    account = request.account
    policy = _find_custom(account, read_policy_name(request.parameters))
    for kind, entities in (("User", account.users), ("Group", account.groups), ("Role", account.roles)):
        if any(attached.policy == policy.name for entity in entities for attached in entity.policies):
            raise delete_conflict("Policy", kind)
    if len(policy.versions) > 1:
        raise delete_conflict("Policy", "Version")
    return account.model_copy(update={"policies": replace_named(account.policies, policy.name)}), {}


def _create_version(request: Request) -> Result:
    """Add a version; with ``RotateStrategy`` the oldest that is not in force makes room."""
    account, parameters = request.account, request.parameters
    policy = _find_custom(account, read_policy_name(parameters))
    document = parse_permission_policy(read_required(parameters, "PolicyDocument"))
    rotates = _read_rotation(parameters)
    kept = policy.versions
    if len(kept) >= MAX_VERSIONS:
        if not rotates:
            raise limit_exceeded("Policy.Version", MAX_VERSIONS)
        oldest = next(version for version in kept if version.id != policy.default_version)
        kept = tuple(version for version in kept if version is not oldest)
    number = max(int(version.id[1:]) for version in policy.versions) + 1
    version = PolicyVersion(id=f"v{number}", document=document, created_at=request.now)
    becomes_default = read_flag(parameters, "SetAsDefault", default=False)
    changed = _change(
        account,
        policy,
        versions=(*kept, version),
        default_version=version.id if becomes_default else policy.default_version,
        updated_at=request.now,
    )
    return changed, {"PolicyVersion": _show_version(version, is_default=becomes_default)}


def _read_rotation(parameters: Parameters) -> bool:
    strategy = parameters.get("RotateStrategy", "None")
    if strategy not in {"None", "DeleteOldestNonDefaultVersionWhenLimitExceeded"}:
        raise build_malformed("RotateStrategy")
    return strategy != "None"


def _read_version(request: Request, policy: CustomPolicy) -> PolicyVersion:
    version_id = read_required(request.parameters, "VersionId")
    version = policy.find_version(version_id)
    if version is None:
        raise not_found("Policy.Version", version_id)
    return version


def _get_version(request: Request) -> Result:
    account, parameters = request.account, request.parameters
    policy = find_any(account, read_policy_type(parameters), read_policy_name(parameters))
    custom = find_named(account.policies, policy.name) or _as_custom(policy)
    version = _read_version(request, custom)
    return account, {"PolicyVersion": _show_version(version, is_default=version.id == custom.default_version)}


def _list_versions(request: Request) -> Result:
    account, parameters = request.account, request.parameters
    policy = find_any(account, read_policy_type(parameters), read_policy_name(parameters))
    custom = find_named(account.policies, policy.name) or _as_custom(policy)
    shown = [_show_version(each, is_default=each.id == custom.default_version) for each in custom.versions]
    return account, {"PolicyVersions": {"PolicyVersion": shown}}


def _set_default_version(request: Request) -> Result:
    policy = _find_custom(request.account, read_policy_name(request.parameters))
    version = _read_version(request, policy)
    return _change(request.account, policy, default_version=version.id, updated_at=request.now), {}


def _delete_version(request: Request) -> Result:
    policy = _find_custom(request.account, read_policy_name(request.parameters))
    version = _read_version(request, policy)
    if version.id == policy.default_version:
        raise delete_conflict("Policy.Version", "Default")
    versions = tuple(each for each in policy.versions if each is not version)
    return _change(request.account, policy, versions=versions, updated_at=request.now), {}


def _as_custom(policy: AnyPolicy) -> CustomPolicy:
    """Return a system policy in the shape of a custom one, with its only version."""
    return CustomPolicy(
        name=policy.name,
        versions=(PolicyVersion(id="v1", document=policy.document, created_at=policy.created_at),),
        default_version="v1",
    )


def _show_version(version: PolicyVersion, *, is_default: bool) -> Fields:
    return {
        "VersionId": version.id,
        "IsDefaultVersion": is_default,
        "PolicyDocument": write_document(version.document),
        "CreateDate": format_utc(version.created_at),
    }


_RESOURCE = "policy/{PolicyName}"
OPERATIONS = {
    "CreatePolicy": declare(_create, _RESOURCE, "PolicyName", "PolicyDocument", "Description"),
    "GetPolicy": declare(_get, _RESOURCE, "PolicyName", "PolicyType"),
    "ListPolicies": declare(_list, "policy/*", "PolicyType", "Marker", "MaxItems"),
    "DeletePolicy": declare(_delete, _RESOURCE, "PolicyName"),
    "CreatePolicyVersion": declare(
        _create_version, _RESOURCE, "PolicyName", "PolicyDocument", "SetAsDefault", "RotateStrategy"
    ),
    "GetPolicyVersion": declare(_get_version, _RESOURCE, "PolicyName", "PolicyType", "VersionId"),
    "ListPolicyVersions": declare(_list_versions, _RESOURCE, "PolicyName", "PolicyType"),
    "SetDefaultPolicyVersion": declare(_set_default_version, _RESOURCE, "PolicyName", "VersionId"),
    "DeletePolicyVersion": declare(_delete_version, _RESOURCE, "PolicyName", "VersionId"),
}
