"""RAM users, and the account's alias."""

from typing import Any

from bridge.clock import format_utc
from bridge.sandbox.cloud.entities import Account, User
from bridge.sandbox.cloud.management.faults import already_exists, delete_conflict, limit_exceeded, not_found
from bridge.sandbox.cloud.management.operation import Request, Result, declare
from bridge.sandbox.cloud.management.parameters import (
    find_named,
    is_taken,
    list_page,
    read_name,
    read_text,
    replace_named,
)
from bridge.sandbox.cloud.ram.identifiers import make_entity_id
from bridge.sts_wire.reply import Fields

MAX_USERS = 5000


def find_user(account: Account, name: str) -> User:
    """Return the user, or raise ``EntityNotExist.User``."""
    user = find_named(account.users, name)
    if user is None:
        raise not_found("User", name)
    return user


def change_user(account: Account, user: User, **changes: Any) -> Account:
    """Return the account with a changed user."""
    return account.model_copy(
        update={"users": replace_named(account.users, user.name, user.model_copy(update=changes))}
    )


def _create(request: Request) -> Result:
    account, parameters = request.account, request.parameters
    name = read_name(parameters, "UserName")
    if is_taken(account.users, name):
        raise already_exists("User", name)
    if len(account.users) >= MAX_USERS:
        raise limit_exceeded("User", MAX_USERS)
    user = User(
        name=name,
        id=make_entity_id(2),
        display_name=read_text(parameters, "DisplayName", 128) or name,
        comments=read_text(parameters, "Comments", 128),
        email=read_text(parameters, "Email", 128),
        mobile_phone=read_text(parameters, "MobilePhone", 32),
        created_at=request.now,
        updated_at=request.now,
    )
    return account.model_copy(update={"users": (*account.users, user)}), {"User": _show(user)}


def _get(request: Request) -> Result:
    user = find_user(request.account, read_name(request.parameters, "UserName"))
    return request.account, {"User": {**_show(user), "LastLoginDate": ""}}


def _update(request: Request) -> Result:
    account, parameters = request.account, request.parameters
    user = find_user(account, read_name(parameters, "UserName"))
    name = read_name(parameters, "NewUserName") if "NewUserName" in parameters else user.name
    if name != user.name and is_taken(replace_named(account.users, user.name), name):
        raise already_exists("User", name)
    changed = user.model_copy(
        update={
            "name": name,
            "display_name": read_text(parameters, "NewDisplayName", 128, user.display_name) or name,
            "comments": read_text(parameters, "NewComments", 128, user.comments),
            "email": read_text(parameters, "NewEmail", 128, user.email),
            "mobile_phone": read_text(parameters, "NewMobilePhone", 32, user.mobile_phone),
            "updated_at": request.now,
        }
    )
    groups = tuple(
        group.model_copy(
            update={
                "members": tuple(
                    member.model_copy(update={"user": name}) if member.user == user.name else member
                    for member in group.members
                )
            }
        )
        for group in account.groups
    )
    users = replace_named(account.users, user.name, changed)
    return account.model_copy(update={"users": users, "groups": groups}), {"User": _show(changed)}


def _list(request: Request) -> Result:
    return request.account, list_page(request.parameters, request.account.users, "User", _show)


def _delete(request: Request) -> Result:
    account = request.account
    user = find_user(account, read_name(request.parameters, "UserName"))
    if user.access_keys:
        raise delete_conflict("User", "AccessKey")
    if user.policies:
        raise delete_conflict("User", "Policy")
    if any(group.has(user.name) for group in account.groups):
        raise delete_conflict("User", "Group")
    return account.model_copy(update={"users": replace_named(account.users, user.name)}), {}


def _get_alias(request: Request) -> Result:
    return request.account, {"AccountAlias": request.account.alias}


def _show(user: User) -> Fields:
    return {
        "UserId": user.id,
        "UserName": user.name,
        "DisplayName": user.display_name,
        "Comments": user.comments,
        "Email": user.email,
        "MobilePhone": user.mobile_phone,
        "CreateDate": format_utc(user.created_at),
        "UpdateDate": format_utc(user.updated_at),
    }


OPERATIONS = {
    "CreateUser": declare(
        _create, "user/{UserName}", "UserName", "DisplayName", "Comments", "Email", "MobilePhone"
    ),
    "GetUser": declare(_get, "user/{UserName}", "UserName"),
    "UpdateUser": declare(
        _update,
        "user/{UserName}",
        "UserName", "NewUserName", "NewDisplayName", "NewComments", "NewEmail", "NewMobilePhone",
    ),
    "ListUsers": declare(_list, "user/*", "Marker", "MaxItems"),
    "DeleteUser": declare(_delete, "user/{UserName}", "UserName"),
    "GetAccountAlias": declare(_get_alias, "*"),
}  # fmt: skip
