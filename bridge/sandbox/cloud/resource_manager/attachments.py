"""Policies attached by Resource Manager: a principal is named with the account's domain, and so is a scope, always."""

import re

from bridge.sandbox.cloud.entities import AttachedPolicy
from bridge.sandbox.cloud.management.operation import Request, Result, declare
from bridge.sandbox.cloud.management.parameters import read_policy_name, read_required
from bridge.sandbox.cloud.ram.attachments import (
    Principal,
    PrincipalKind,
    attach,
    detach,
    find_principal,
    read_scope,
)
from bridge.sandbox.cloud.ram.policies import find_any, read_policy_type
from bridge.sts_wire.reply import build_malformed

_KINDS: dict[str, tuple[PrincipalKind, str]] = {
    "IMSUser": ("User", "onaliyun.com"),
    "IMSGroup": ("Group", "onaliyun.com"),
    "ServiceRole": ("Role", "onaliyunservice.com"),
}
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


def _attach(request: Request) -> Result:
    return attach(request.account, *_read(request)), {}


def _detach(request: Request) -> Result:
    return detach(request.account, *_read(request)), {}


def _read(request: Request) -> tuple[PrincipalKind, Principal, AttachedPolicy]:
    account, parameters = request.account, request.parameters
    policy = find_any(account, read_policy_type(parameters), read_policy_name(parameters))
    kind, domain = _KINDS.get(read_required(parameters, "PrincipalType"), (None, ""))
    if kind is None:
        raise build_malformed("PrincipalType")
    name, _, given = read_required(parameters, "PrincipalName").partition("@")
    prefix = {"User": "", "Group": "group.", "Role": "role."}[kind]
    if not _NAME.fullmatch(name) or given not in {f"{prefix}{each}.{domain}" for each in (account.alias, account.id)}:
        raise build_malformed("PrincipalName")
    scope = read_scope(account, read_required(parameters, "ResourceGroupId"))
    attached = AttachedPolicy(policy=policy.name, resource_group=scope, attached_at=request.now)
    return kind, find_principal(account, kind, name), attached


_PARAMETERS = ("PolicyName", "PolicyType", "PrincipalName", "PrincipalType", "ResourceGroupId")
OPERATIONS = {
    "AttachPolicy": declare(_attach, "*", *_PARAMETERS),
    "DetachPolicy": declare(_detach, "*", *_PARAMETERS),
}
