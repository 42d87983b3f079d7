"""Resource groups. Which resource is in which group, nobody needs to say here: a question names the group."""

import re

from bridge.clock import format_utc
from bridge.sandbox.cloud.entities import Account, ResourceGroup
from bridge.sandbox.cloud.management.faults import already_exists, limit_exceeded, not_found
from bridge.sandbox.cloud.management.operation import Request, Result, declare
from bridge.sandbox.cloud.management.parameters import is_taken, read_number, read_required, read_text, replace_named
from bridge.sandbox.cloud.ram.identifiers import make_resource_group_id
from bridge.sts_wire.reply import Value, build_malformed

MAX_GROUPS = 30
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{1,49}")


def _create(request: Request) -> Result:
    account = request.account
    name = read_required(request.parameters, "Name")
    if not _NAME.fullmatch(name):
        raise build_malformed("Name")
    if is_taken(account.resource_groups, name):
        raise already_exists("ResourceGroup", name)
    if len(account.resource_groups) >= MAX_GROUPS:
        raise limit_exceeded("ResourceGroup", MAX_GROUPS)
    read_required(request.parameters, "DisplayName")
    group = ResourceGroup(
        id=make_resource_group_id(),
        name=name,
        display_name=read_text(request.parameters, "DisplayName", 50),
        created_at=request.now,
    )
    changed = account.model_copy(update={"resource_groups": (*account.resource_groups, group)})
    return changed, {"ResourceGroup": _show(account, group)}


def _get(request: Request) -> Result:
    return request.account, {"ResourceGroup": _show(request.account, _find(request))}


def _list(request: Request) -> Result:
    account = request.account
    number = read_number(request.parameters, "PageNumber", 1, 1000, 1)
    size = read_number(request.parameters, "PageSize", 1, 100, 10)
    page = account.resource_groups[(number - 1) * size : number * size]
    return account, {
        "PageNumber": number,
        "PageSize": size,
        "TotalCount": len(account.resource_groups),
        "ResourceGroups": {"ResourceGroup": [_show(account, group) for group in page]},
    }


def _delete(request: Request) -> Result:
    account, group = request.account, _find(request)
    if any(attached.resource_group == group.id for holder in account.holders for attached in holder.policies):
        raise build_malformed("ResourceGroupId", "Policies are still attached within the resource group.")
    groups = replace_named(account.resource_groups, group.name)
    shown = {**_show(account, group), "Status": "PendingDelete"}
    return account.model_copy(update={"resource_groups": groups}), {"ResourceGroup": shown}


def _find(request: Request) -> ResourceGroup:
    group_id = read_required(request.parameters, "ResourceGroupId")
    group = next((each for each in request.account.resource_groups if each.id == group_id), None)
    if group is None:
        raise not_found("ResourceGroup", group_id)
    return group


def _show(account: Account, group: ResourceGroup) -> dict[str, Value]:
    return {
        "Id": group.id,
        "Name": group.name,
        "DisplayName": group.display_name,
        "AccountId": account.id,
        "Status": "OK",
        "CreateDate": format_utc(group.created_at),
    }


_RESOURCE = "resourcegroup/{ResourceGroupId}"
OPERATIONS = {
    "CreateResourceGroup": declare(_create, "resourcegroup/*", "Name", "DisplayName"),
    "GetResourceGroup": declare(_get, _RESOURCE, "ResourceGroupId"),
    "ListResourceGroups": declare(_list, "resourcegroup/*", "PageNumber", "PageSize"),
    "DeleteResourceGroup": declare(_delete, _RESOURCE, "ResourceGroupId"),
}
