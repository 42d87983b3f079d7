"""RAM roles and their trust policies."""

from typing import Any

from bridge.clock import format_utc
from bridge.sandbox.cloud.entities import Account, Role
from bridge.sandbox.cloud.management.faults import already_exists, delete_conflict, limit_exceeded, not_found
from bridge.sandbox.cloud.management.operation import Request, Result, declare
from bridge.sandbox.cloud.management.parameters import (
    find_named,
    is_taken,
    list_page,
    read_flag,
    read_name,
    read_number,
    read_required,
    read_text,
    replace_named,
)
from bridge.sandbox.cloud.policy import parse_trust_policy
from bridge.sandbox.cloud.policy.documents import write_document
from bridge.sandbox.cloud.ram.identifiers import make_entity_id
from bridge.sts_wire.reply import Value

MAX_ROLES = 1000
SHORTEST_MAXIMUM, LONGEST_MAXIMUM = 3600, 43_200


def find_role(account: Account, name: str) -> Role:
    """Return the role, or raise ``EntityNotExist.Role``."""
    role = find_named(account.roles, name)
    if role is None:
        raise not_found("Role", name)
    return role


def change_role(account: Account, role: Role, **changes: Any) -> Account:
    """Return the account with a changed role."""
    return account.model_copy(
        update={"roles": replace_named(account.roles, role.name, role.model_copy(update=changes))}
    )


def _create(request: Request) -> Result:
    account, parameters = request.account, request.parameters
    name = read_name(parameters, "RoleName")
    trust = parse_trust_policy(read_required(parameters, "AssumeRolePolicyDocument"))
    if is_taken(account.roles, name):
        raise already_exists("Role", name)
    if len(account.roles) >= MAX_ROLES:
        raise limit_exceeded("Role", MAX_ROLES)
    role = Role(
        name=name,
        id=make_entity_id(3),
        description=read_text(parameters, "Description", 1024),
        max_session_duration=read_number(
            parameters, "MaxSessionDuration", SHORTEST_MAXIMUM, LONGEST_MAXIMUM, SHORTEST_MAXIMUM
        ),
        allow_console_login=read_flag(parameters, "AllowConsoleLogin", default=True),
        trust=trust,
        created_at=request.now,
        updated_at=request.now,
    )
    return account.model_copy(update={"roles": (*account.roles, role)}), {"Role": _show(account, role)}


def _get(request: Request) -> Result:
    role = find_role(request.account, read_name(request.parameters, "RoleName"))
    return request.account, {"Role": {**_show(request.account, role), "IsServiceLinkedRole": False}}


def _update(request: Request) -> Result:
    account, parameters = request.account, request.parameters
    role = find_role(account, read_name(parameters, "RoleName"))
    document = parameters.get("NewAssumeRolePolicyDocument")
    changes = {
        "description": read_text(parameters, "NewDescription", 1024, role.description),
        "max_session_duration": read_number(
            parameters, "NewMaxSessionDuration", SHORTEST_MAXIMUM, LONGEST_MAXIMUM, role.max_session_duration
        ),
        "allow_console_login": read_flag(parameters, "NewAllowConsoleLogin", default=role.allow_console_login),
        "trust": role.trust if document is None else parse_trust_policy(document),
        "updated_at": request.now,
    }
    shown = _show(account, role.model_copy(update=changes))
    return change_role(account, role, **changes), {"Role": shown}


def _list(request: Request) -> Result:
    account = request.account

    def show(role: Role) -> dict[str, Value]:
        return {name: value for name, value in _show(account, role).items() if name != "AssumeRolePolicyDocument"}

    return account, list_page(request.parameters, account.roles, "Role", show)


def _delete(request: Request) -> Result:
    account = request.account
    role = find_role(account, read_name(request.parameters, "RoleName"))
    if role.policies:
        raise delete_conflict("Role", "Policy")
    return account.model_copy(update={"roles": replace_named(account.roles, role.name)}), {}


def _show(account: Account, role: Role) -> dict[str, Value]:
    return {
        "RoleId": role.id,
        "RoleName": role.name,
        "Arn": str(account.build_arn("role", role.name)),
        "Description": role.description,
        "AssumeRolePolicyDocument": write_document(role.trust),
        "MaxSessionDuration": role.max_session_duration,
        "AllowConsoleLogin": role.allow_console_login,
        "CreateDate": format_utc(role.created_at),
        "UpdateDate": format_utc(role.updated_at),
    }


OPERATIONS = {
    "CreateRole": declare(
        _create,
        "role/{RoleName}",
        "RoleName", "AssumeRolePolicyDocument", "Description", "MaxSessionDuration", "AllowConsoleLogin",
    ),
    "GetRole": declare(_get, "role/{RoleName}", "RoleName"),
    "UpdateRole": declare(
        _update,
        "role/{RoleName}",
        "RoleName", "NewAssumeRolePolicyDocument", "NewDescription", "NewMaxSessionDuration", "NewAllowConsoleLogin",
    ),
    "ListRoles": declare(_list, "role/*", "Marker", "MaxItems"),
    "DeleteRole": declare(_delete, "role/{RoleName}", "RoleName"),
}  # fmt: skip
