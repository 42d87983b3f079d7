"""Which policy is attached to which user, group or role, in the whole account or within a resource group."""

from collections.abc import Callable
from typing import Literal

from bridge.clock import format_utc
from bridge.sandbox.cloud.entities import Account, Attached, AttachedPolicy, Group, Role, User
from bridge.sandbox.cloud.management.faults import already_exists, limit_exceeded, not_found
from bridge.sandbox.cloud.management.operation import Operation, Request, Result, declare
from bridge.sandbox.cloud.management.parameters import read_name, read_policy_name
from bridge.sandbox.cloud.ram.groups import change_group, find_group
from bridge.sandbox.cloud.ram.policies import find_any, read_policy_type
from bridge.sandbox.cloud.ram.roles import change_role, find_role
from bridge.sandbox.cloud.ram.users import change_user, find_user

MAX_ATTACHED = {"System": 20, "Custom": 10}

PrincipalKind = Literal["User", "Group", "Role"]
Principal = User | Group | Role


def find_principal(account: Account, kind: PrincipalKind, name: str) -> Principal:
    """Return the user, group or role, or raise ``EntityNotExist``."""
    find: dict[PrincipalKind, Callable[[Account, str], Principal]] = {
        "User": find_user, "Group": find_group, "Role": find_role,
    }  # fmt: skip
    return find[kind](account, name)


def attach(account: Account, kind: PrincipalKind, principal: Principal, policy: AttachedPolicy) -> Account:
    """Return the account with one more attached policy.

    Raises ``EntityAlreadyExists.User.Policy`` and ``LimitExceeded.User.Policy`` (or ``Group``, ``Role``).
    """
    if _find(principal.policies, policy) is not None:
        raise already_exists(f"{kind}.Policy", policy.policy)
    if sum(each.type == policy.type for each in principal.policies) >= MAX_ATTACHED[policy.type]:
        raise limit_exceeded(f"{kind}.Policy", MAX_ATTACHED[policy.type])
    return _change(account, principal, (*principal.policies, policy))


def detach(account: Account, kind: PrincipalKind, principal: Principal, policy: AttachedPolicy) -> Account:
    """Return the account without the policy; raises ``EntityNotExist.User.Policy`` (or ``Group``, ``Role``)."""
    found = _find(principal.policies, policy)
    if found is None:
        raise not_found(f"{kind}.Policy", policy.policy)
    return _change(account, principal, tuple(each for each in principal.policies if each is not found))


def read_scope(account: Account, scope: str | None) -> str | None:
    """Return the resource group that a policy is limited to; the account's own id is the whole account."""
    if scope is None or scope == account.id:
        return None
    if scope not in {group.id for group in account.resource_groups}:
        raise not_found("ResourceGroup", scope)
    return scope


def _find(attached: Attached, policy: AttachedPolicy) -> AttachedPolicy | None:
    wanted = (policy.policy, policy.resource_group)
    return next((each for each in attached if (each.policy, each.resource_group) == wanted), None)


def _change(account: Account, principal: Principal, policies: Attached) -> Account:
    match principal:
        case User():
            return change_user(account, principal, policies=policies)
        case Group():
            return change_group(account, principal, policies=policies)
        case Role():
            return change_role(account, principal, policies=policies)


def _read(request: Request, kind: PrincipalKind) -> tuple[Principal, AttachedPolicy]:
    account, parameters = request.account, request.parameters
    policy = find_any(account, read_policy_type(parameters), read_policy_name(parameters))
    principal = find_principal(account, kind, read_name(parameters, f"{kind}Name"))
    scope = read_scope(account, parameters.get("ResourceGroupId"))
    return principal, AttachedPolicy(policy=policy.name, resource_group=scope, attached_at=request.now)


def _attach_to(kind: PrincipalKind) -> Callable[[Request], Result]:
    def run(request: Request) -> Result:
        return attach(request.account, kind, *_read(request, kind)), {}

    return run


def _detach_from(kind: PrincipalKind) -> Callable[[Request], Result]:
    def run(request: Request) -> Result:
        return detach(request.account, kind, *_read(request, kind)), {}

    return run


def _list_for(kind: PrincipalKind) -> Callable[[Request], Result]:
    def run(request: Request) -> Result:
        account = request.account
        principal = find_principal(account, kind, read_name(request.parameters, f"{kind}Name"))
        shown = []
        for attached in principal.policies:
            if attached.resource_group is not None:
                continue
            policy = find_any(account, attached.type, attached.policy)
            shown.append(
                {
                    "PolicyName": policy.name,
                    "PolicyType": policy.type,
                    "Description": policy.description,
                    "DefaultVersion": policy.default_version,
                    "AttachDate": format_utc(attached.attached_at),
                }
            )
        return account, {"Policies": {"Policy": shown}}

    return run


def _list_entities(request: Request) -> Result:
    account = request.account
    policy = find_any(account, read_policy_type(request.parameters), read_policy_name(request.parameters))

    def list_attached(principal: Principal) -> list[str]:
        return [format_utc(each.attached_at) for each in principal.policies if each.policy == policy.name]

    users = [
        {"UserId": user.id, "UserName": user.name, "DisplayName": user.display_name, "AttachDate": at}
        for user in account.users
        for at in list_attached(user)
    ]
    groups = [
        {"GroupName": group.name, "Comments": group.comments, "AttachDate": at}
        for group in account.groups
        for at in list_attached(group)
    ]
    roles = [
        {
            "RoleId": role.id,
            "RoleName": role.name,
            "Arn": str(account.build_arn("role", role.name)),
            "Description": role.description,
            "AttachDate": at,
        }
        for role in account.roles
        for at in list_attached(role)
    ]
    return account, {"Users": {"User": users}, "Groups": {"Group": groups}, "Roles": {"Role": roles}}


def _declare_all(kind: PrincipalKind) -> dict[str, Operation]:
    name, resource = f"{kind}Name", f"{kind.lower()}/{{{kind}Name}}"
    return {
        f"AttachPolicyTo{kind}": declare(
            _attach_to(kind), resource, name, "PolicyName", "PolicyType", "ResourceGroupId"
        ),
        f"DetachPolicyFrom{kind}": declare(
            _detach_from(kind), resource, name, "PolicyName", "PolicyType", "ResourceGroupId"
        ),
        f"ListPoliciesFor{kind}": declare(_list_for(kind), resource, name),
    }


OPERATIONS = {
    **_declare_all("User"),
    **_declare_all("Group"),
    **_declare_all("Role"),
    "ListEntitiesForPolicy": declare(_list_entities, "policy/{PolicyName}", "PolicyName", "PolicyType"),
}
