"""Long-term keys of RAM users. The secret is shown once, when the key is made."""

from pydantic import SecretStr

from bridge.clock import format_utc
from bridge.sandbox.cloud.callers import UserCaller
from bridge.sandbox.cloud.entities import AccessKey, User
from bridge.sandbox.cloud.management.faults import limit_exceeded, not_found
from bridge.sandbox.cloud.management.operation import Request, Result, declare
from bridge.sandbox.cloud.management.parameters import read_name, read_required
from bridge.sandbox.cloud.ram.identifiers import make_access_key_id, make_access_key_secret
from bridge.sandbox.cloud.ram.users import change_user, find_user
from bridge.sts_wire.reply import Value, build_malformed

MAX_KEYS = 2
_STATUS = {True: "Active", False: "Inactive"}


def _create(request: Request) -> Result:
    user = _read_user(request)
    if len(user.access_keys) >= MAX_KEYS:
        raise limit_exceeded("User.AccessKey", MAX_KEYS)
    secret = make_access_key_secret()
    key = AccessKey(id=make_access_key_id(), secret=SecretStr(secret), created_at=request.now)
    changed = change_user(request.account, user, access_keys=(*user.access_keys, key))
    return changed, {"AccessKey": {**_show(key), "AccessKeySecret": secret}}


def _update(request: Request) -> Result:
    user = _read_user(request)
    key = _read_key(request, user)
    status = read_required(request.parameters, "Status")
    if status not in _STATUS.values():
        raise build_malformed("Status")
    changed = key.model_copy(update={"active": status == "Active"})
    keys = tuple(changed if each is key else each for each in user.access_keys)
    return change_user(request.account, user, access_keys=keys), {}


def _list(request: Request) -> Result:
    shown = [_show(key) for key in _read_user(request).access_keys]
    return request.account, {"AccessKeys": {"AccessKey": shown}}


def _delete(request: Request) -> Result:
    user = _read_user(request)
    key = _read_key(request, user)
    keys = tuple(each for each in user.access_keys if each is not key)
    return change_user(request.account, user, access_keys=keys), {}


def _read_user(request: Request) -> User:
    """Return the user who is named; a user who names nobody means itself."""
    if "UserName" not in request.parameters and isinstance(request.caller, UserCaller):
        return find_user(request.account, request.caller.user.name)
    return find_user(request.account, read_name(request.parameters, "UserName"))


def _read_key(request: Request, user: User) -> AccessKey:
    key_id = read_required(request.parameters, "UserAccessKeyId")
    key = next((key for key in user.access_keys if key.id == key_id), None)
    if key is None:
        raise not_found("User.AccessKey", key_id)
    return key


def _show(key: AccessKey) -> dict[str, Value]:
    return {"AccessKeyId": key.id, "Status": _STATUS[key.active], "CreateDate": format_utc(key.created_at)}


_RESOURCE = "user/{UserName}"
OPERATIONS = {
    "CreateAccessKey": declare(_create, _RESOURCE, "UserName"),
    "UpdateAccessKey": declare(_update, _RESOURCE, "UserName", "UserAccessKeyId", "Status"),
    "ListAccessKeys": declare(_list, _RESOURCE, "UserName"),
    "DeleteAccessKey": declare(_delete, _RESOURCE, "UserName", "UserAccessKeyId"),
}
