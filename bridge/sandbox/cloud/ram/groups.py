"""Groups of RAM users, and who is in them."""

from typing import Any

from bridge.clock import format_utc
from bridge.sandbox.cloud.entities import Account, Group, Member, User
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
from bridge.sandbox.cloud.ram.users import find_user
from bridge.sts_wire.reply import Fields

MAX_GROUPS = 300
MAX_GROUPS_OF_USER = 10


def find_group(account: Account, name: str) -> Group:
    """Return the group, or raise ``EntityNotExist.Group``."""
    group = find_named(account.groups, name)
    if group is None:
        raise not_found("Group", name)
    return group


def change_group(account: Account, group: Group, **changes: Any) -> Account:
    """Return the account with a changed group."""
    return account.model_copy(
        update={"groups": replace_named(account.groups, group.name, group.model_copy(update=changes))}
    )


def _create(request: Request) -> Result:
    account = request.account
    name = read_name(request.parameters, "GroupName")
    if is_taken(account.groups, name):
        raise already_exists("Group", name)
    if len(account.groups) >= MAX_GROUPS:
        raise limit_exceeded("Group", MAX_GROUPS)
    group = Group(
        name=name,
        id=make_entity_id(1),
        comments=read_text(request.parameters, "Comments", 128),
        created_at=request.now,
        updated_at=request.now,
    )
    return account.model_copy(update={"groups": (*account.groups, group)}), {"Group": _show(group)}


def _get(request: Request) -> Result:
    return request.account, {"Group": _show(find_group(request.account, read_name(request.parameters, "GroupName")))}


def _update(request: Request) -> Result:
    account, parameters = request.account, request.parameters
    group = find_group(account, read_name(parameters, "GroupName"))
    name = read_name(parameters, "NewGroupName") if "NewGroupName" in parameters else group.name
    if name != group.name and is_taken(replace_named(account.groups, group.name), name):
        raise already_exists("Group", name)
    changes = {
        "name": name,
        "comments": read_text(parameters, "NewComments", 128, group.comments),
        "updated_at": request.now,
    }
    return change_group(account, group, **changes), {"Group": _show(group.model_copy(update=changes))}


def _list(request: Request) -> Result:
    return request.account, list_page(request.parameters, request.account.groups, "Group", _show)


def _delete(request: Request) -> Result:
    account = request.account
    group = find_group(account, read_name(request.parameters, "GroupName"))
    if group.members:
        raise delete_conflict("Group", "User")
    if group.policies:
        raise delete_conflict("Group", "Policy")
    return account.model_copy(update={"groups": replace_named(account.groups, group.name)}), {}


def _add_user(request: Request) -> Result:
    account = request.account
    user, group = _read_pair(request)
    if group.has(user.name):
        raise already_exists("User.Group", group.name)
    if sum(each.has(user.name) for each in account.groups) >= MAX_GROUPS_OF_USER:
        raise limit_exceeded("User.Group", MAX_GROUPS_OF_USER)
    return change_group(account, group, members=(*group.members, Member(user=user.name, joined_at=request.now))), {}


def _remove_user(request: Request) -> Result:
    user, group = _read_pair(request)
    if not group.has(user.name):
        raise not_found("User.Group", group.name)
    members = tuple(member for member in group.members if member.user != user.name)
    return change_group(request.account, group, members=members), {}


def _list_of_user(request: Request) -> Result:
    user = find_user(request.account, read_name(request.parameters, "UserName"))
    shown = [
        {
            "GroupId": group.id,
            "GroupName": group.name,
            "Comments": group.comments,
            "JoinDate": format_utc(member.joined_at),
        }
        for group in request.account.groups
        for member in group.members
        if member.user == user.name
    ]
    return request.account, {"Groups": {"Group": shown}}


def _list_users(request: Request) -> Result:
    group = find_group(request.account, read_name(request.parameters, "GroupName"))
    joined = {member.user: member.joined_at for member in group.members}

    def show(user: User) -> Fields:
        return {
            "UserName": user.name,
            "DisplayName": user.display_name,
            "JoinDate": format_utc(joined[user.name]),
        }

    members = [user for user in request.account.users if user.name in joined]
    return request.account, list_page(request.parameters, members, "User", show)


def _read_pair(request: Request) -> tuple[User, Group]:
    user = find_user(request.account, read_name(request.parameters, "UserName"))
    return user, find_group(request.account, read_name(request.parameters, "GroupName"))


def _show(group: Group) -> Fields:
    return {
        "GroupId": group.id,
        "GroupName": group.name,
        "Comments": group.comments,
        "CreateDate": format_utc(group.created_at),
        "UpdateDate": format_utc(group.updated_at),
    }


OPERATIONS = {
    "CreateGroup": declare(_create, "group/{GroupName}", "GroupName", "Comments"),
    "GetGroup": declare(_get, "group/{GroupName}", "GroupName"),
    "UpdateGroup": declare(_update, "group/{GroupName}", "GroupName", "NewGroupName", "NewComments"),
    "ListGroups": declare(_list, "group/*", "Marker", "MaxItems"),
    "DeleteGroup": declare(_delete, "group/{GroupName}", "GroupName"),
    "AddUserToGroup": declare(_add_user, "group/{GroupName}", "UserName", "GroupName"),
    "RemoveUserFromGroup": declare(_remove_user, "group/{GroupName}", "UserName", "GroupName"),
    "ListGroupsForUser": declare(_list_of_user, "user/{UserName}", "UserName"),
    "ListUsersForGroup": declare(_list_users, "group/{GroupName}", "GroupName", "Marker", "MaxItems"),
}
