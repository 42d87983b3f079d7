"""What is kept of an ActionTrail event, and nothing else of it.

Names and forms are those of ActionTrail's event structure, version 1. The same member is written ``accessKeyId`` in one
service's answers and ``AccessKeyId`` in another's, and role names in ARNs come in lower case: both are allowed for.
Nothing here is believed beyond what it says; texts are cut, and what is not a text is absent.
"""

import json
from datetime import UTC, datetime
from typing import Any, NamedTuple

MAX_TEXT = 128
_ROLE = "assumed-role"
_BIRTHS = frozenset({"AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithOIDC"})


class Birth(NamedTuple):
    """Credentials that STS gave out in an event."""

    access_key_id: str
    account: str
    """The account's id, of the role."""
    role: str
    session_name: str
    action: str
    """``AssumeRole``, ``AssumeRoleWithSAML`` or ``AssumeRoleWithOIDC``."""
    provider: str
    """The name of the RAM identity provider, where there was one."""


class TrailEvent(NamedTuple):
    """One event. Where neither a role's session acted nor credentials were given out, only when it was."""

    event_id: str
    time: int
    """Microseconds since 1970, by their clock."""
    account: str = ""
    """The id of the account of whoever acted."""
    actor: str = ""
    """``assumed-role``, ``ram-user``, ``root-account``, ``saml-user`` and so on."""
    access_key_id: str = ""
    """Of whoever acted; nothing for much of what a console does."""
    role: str = ""
    session_name: str = ""
    """Both only of an assumed role."""
    user: str = ""
    """What the account calls whoever acted, unless it is a role."""
    created: int | None = None
    """When the session of whoever acted began, as they say it; microseconds since 1970."""
    service: str = ""
    name: str = ""
    region: str = ""
    write: bool = False
    error_code: str = ""
    request_id: str = ""
    address: str = ""
    birth: Birth | None = None


def read_event(raw: dict[str, Any]) -> TrailEvent | None:
    """Return what is kept of an event; None where it lacks an identifier or a time, and so can be no event."""
    event_id, time = _text(raw.get("eventId")), _time(raw.get("eventTime"))
    if not event_id or time is None:
        return None
    name = _text(raw.get("eventName"))
    identity = _object(raw.get("userIdentity"))
    actor = _text(identity.get("type"))
    if actor != _ROLE and name not in _BIRTHS:
        return TrailEvent(event_id, time)
    user = _text(identity.get("userName"))
    role = session_name = ""
    created = None
    if actor == _ROLE:
        role, session_name = _read_session(raw, identity, user)
        user = ""
        attributes = _object(_object(identity.get("sessionContext")).get("attributes"))
        created = _time(attributes.get("creationDate"))
    error_code = _text(raw.get("errorCode"))
    access_key_id = _text(identity.get("accessKeyId"))
    return TrailEvent(
        event_id,
        time,
        _text(identity.get("accountId")),
        actor,
        access_key_id,
        role,
        session_name,
        user,
        created,
        _text(raw.get("serviceName")),
        name,
        _text(raw.get("acsRegion")),
        raw.get("eventRW") == "Write",
        error_code,
        _text(raw.get("requestId")),
        _text(raw.get("sourceIpAddress")),
        _read_birth(raw, name, access_key_id) if name in _BIRTHS and not error_code else None,
    )


def read_key(raw: dict[str, Any]) -> str:
    """Return the AccessKeyId with which an event was done, without looking at anything else of it."""
    return _text(_object(raw.get("userIdentity")).get("accessKeyId"))


def _read_session(raw: dict[str, Any], identity: dict[str, Any], user: str) -> tuple[str, str]:
    role, colon, session_name = user.partition(":")
    if not colon:
        principal = _text(_object(raw.get("requestParameters")).get("stsTokenPrincipalName"))
        role, _, session_name = principal.replace("/", ":", 1).partition(":")
    return role, session_name or _text(identity.get("principalId")).partition(":")[2]


def _read_birth(raw: dict[str, Any], action: str, access_key_id: str) -> Birth | None:
    answer = _object(raw.get("responseElements"))
    asked = _object(raw.get("requestParameters"))
    child = _text(_member(_object(_member(answer, "Credentials")), "AccessKeyId")) or _referenced(raw, access_key_id)
    assumed = _object(_member(answer, "AssumedRoleUser"))
    account, role, session_name = _read_role_arn(_text(_member(assumed, "Arn")))
    asked_account, asked_role, _ = _read_role_arn(_text(_member(asked, "RoleArn")))
    if not child or not (role or asked_role):
        return None
    provider = _text(_member(asked, "SAMLProviderArn")) or _text(_member(asked, "OIDCProviderArn"))
    return Birth(
        child,
        account or asked_account,
        asked_role or role,  # as somebody wrote it; the answer has it in lower case
        session_name or _text(_member(asked, "RoleSessionName")),
        action,
        provider.rpartition("/")[2],
    )


def _read_role_arn(arn: str) -> tuple[str, str, str]:
    """Return account, role and session name of ``acs:ram::ACCOUNT:role/ROLE`` with or without ``/SESSION``."""
    head, _, rest = arn.partition(":role/")
    role, _, session_name = rest.partition("/")
    return head.rpartition(":")[2], role, session_name


def _referenced(raw: dict[str, Any], actor: str) -> str:
    keys = _object(raw.get("referencedResources")).get("ACS::RAM::AccessKey")
    names = [_text(key) for key in keys] if isinstance(keys, list) else []
    return next((name for name in names if name.startswith("STS.") and name != actor), "")


def _member(content: dict[str, Any], name: str) -> Any:
    return content[name] if name in content else content.get(name[0].lower() + name[1:])


def _object(value: Any) -> dict[str, Any]:
    if isinstance(value, str) and value.startswith("{"):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    """Return a text without what a database refuses or a terminal obeys, and not too long."""
    if not isinstance(value, str):
        return ""
    if len(value) <= MAX_TEXT and value.isprintable():
        return value
    text = value[:MAX_TEXT]
    return text if text.isprintable() else "".join(each if each.isprintable() else "\ufffd" for each in text)


def _time(value: Any) -> int | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return int(moment.timestamp()) * 1_000_000
    except (ValueError, OverflowError):
        return None
