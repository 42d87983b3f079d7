"""Records as events of the Open Cybersecurity Schema Framework, version 1.8.0 (https://schema.ocsf.io/1.8.0).

Which record becomes which class of event:

- ``sign_in.*``, ``terminal.opened`` and the end of a session: Authentication (3002);
- what somebody may become, and which of it they chose: Authorize Session (3003);
- what was asked of STS and the console, and what was handed out: API Activity (6003);
- what is forgotten of a person: Account Change (3001);
- rules, providers' keys, the log itself, and whatever is new here: Entity Management (3004).

A field for which the class has no place is kept under ``unmapped``, so nothing is lost. ``metadata.sequence`` is the
record's place in the log, and ``metadata.correlation_uid`` the reference number of the request.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import Any

from bridge import __version__

VERSION = "1.8.0"

_AUTHENTICATION, _ACCOUNT_CHANGE, _AUTHORIZE_SESSION, _ENTITY_MANAGEMENT, _API_ACTIVITY = 3002, 3001, 3003, 3004, 6003
_CLASS_NAMES = {
    _ACCOUNT_CHANGE: "Account Change",
    _AUTHENTICATION: "Authentication",
    _AUTHORIZE_SESSION: "Authorize Session",
    _ENTITY_MANAGEMENT: "Entity Management",
    _API_ACTIVITY: "API Activity",
}
_CATEGORY_NAMES = {3: "Identity & Access Management", 6: "Application Activity"}
_OTHER = 99
_ACTIVITY_NAMES = {
    _AUTHENTICATION: {1: "Logon", 2: "Logoff"},
    _AUTHORIZE_SESSION: {1: "Assign Privileges"},
    _ENTITY_MANAGEMENT: {1: "Create", 2: "Read", 3: "Update", 4: "Delete"},
    _API_ACTIVITY: {1: "Create", 2: "Read", 3: "Update", 4: "Delete"},
}
_SEVERITIES = {1: "Informational", 2: "Low", 3: "Medium"}
_PROTOCOLS = {"saml": (5, "SAML"), "oidc": (4, "OpenID")}
_OPERATIONS = {"saml": "AssumeRoleWithSAML", "oidc": "AssumeRoleWithOIDC", "access_key": "AssumeRole"}
_ENVELOPE = frozenset({"event", "time", "reference", "position", "format", "sealed", "sealed_for"})
_OUR_OPERATIONS = frozenset({"DeliverCredentials", "SignedCall", "OpenPage"})
_REPEATED = "repeated.refused"
_CLOUD = "Alibaba Cloud"
_THE_SERVICE = {"app_name": "Rambridge"}


@dataclass(frozen=True)
class _Kind:
    """What a record is in the framework's words."""

    class_uid: int
    activity: int
    label: str = ""
    """What the activity is called, where the framework has no number for it; the operation, of an API Activity."""
    entity: str = ""


_KINDS: Mapping[str, _Kind] = {
    "sign_in.accepted": _Kind(_AUTHENTICATION, 1),
    "sign_in.refused": _Kind(_AUTHENTICATION, 1),
    "terminal.opened": _Kind(_AUTHENTICATION, 1),
    "session.ended": _Kind(_AUTHENTICATION, 2),
    "logout.accepted": _Kind(_AUTHENTICATION, 2),
    "logout.refused": _Kind(_AUTHENTICATION, 2),
    "entitlements.resolved": _Kind(_AUTHORIZE_SESSION, 1),
    "choice.made": _Kind(_AUTHORIZE_SESSION, 1),
    "choice.refused": _Kind(_AUTHORIZE_SESSION, 1),
    "device.authorized": _Kind(_AUTHORIZE_SESSION, _OTHER, "Let a terminal in"),
    "device.refused": _Kind(_AUTHORIZE_SESSION, _OTHER, "Let a terminal in"),
    "authorization.granted": _Kind(_AUTHORIZE_SESSION, _OTHER, "Let a program in"),
    "authorization.refused": _Kind(_AUTHORIZE_SESSION, _OTHER, "Let a program in"),
    "grant.refused": _Kind(_AUTHENTICATION, 1),
    "exchange.issued": _Kind(_API_ACTIVITY, 1, "AssumeRole"),
    "exchange.refused": _Kind(_API_ACTIVITY, 1, "AssumeRole"),
    "exchange.reused": _Kind(_API_ACTIVITY, 2, "AssumeRole"),
    "doctor.exchanged": _Kind(_API_ACTIVITY, 1, "AssumeRole"),
    "doctor.refused": _Kind(_API_ACTIVITY, 1, "AssumeRole"),
    "delivery.credentials": _Kind(_API_ACTIVITY, 2, "DeliverCredentials"),
    "delivery.console": _Kind(_API_ACTIVITY, 1, "ConsoleSignin"),
    "call.refused": _Kind(_API_ACTIVITY, _OTHER, "SignedCall"),
    "audit.refused": _Kind(_API_ACTIVITY, 2, "OpenPage"),
    "administration.refused": _Kind(_API_ACTIVITY, 2, "OpenPage"),
    "sign_in.explained": _Kind(_ENTITY_MANAGEMENT, 2, entity="sign-in"),
    "rules.promoted": _Kind(_ENTITY_MANAGEMENT, 3, entity="rules"),
    "rules.rolled_back": _Kind(_ENTITY_MANAGEMENT, 3, entity="rules"),
    "rules.files_taken": _Kind(_ENTITY_MANAGEMENT, 3, entity="rules"),
    "rules.refused": _Kind(_ENTITY_MANAGEMENT, 3, entity="rules"),
    "rules.held": _Kind(_ENTITY_MANAGEMENT, _OTHER, "Hold", entity="rules"),
    "rules.not_loaded": _Kind(_ENTITY_MANAGEMENT, _OTHER, "Load", entity="rules"),
    "metadata.keys_changed": _Kind(_ENTITY_MANAGEMENT, 3, entity="identity provider"),
    "audit.erased": _Kind(_ACCOUNT_CHANGE, _OTHER, "Forget"),
    "audit.exported": _Kind(_ENTITY_MANAGEMENT, 2, entity="audit log"),
    "audit.searched": _Kind(_ENTITY_MANAGEMENT, 2, entity="audit log"),
    "audit.person_opened": _Kind(_ENTITY_MANAGEMENT, 2, entity="person"),
    "audit.retired": _Kind(_ENTITY_MANAGEMENT, 4, entity="audit log"),
    "audit.search_rebuilt": _Kind(_ENTITY_MANAGEMENT, 3, entity="audit log"),
    "audit.key_changed": _Kind(_ENTITY_MANAGEMENT, 3, entity="signing key"),
    "trail.imported": _Kind(_ENTITY_MANAGEMENT, 1, entity="ActionTrail events"),
    "clock.stepped_back": _Kind(_ENTITY_MANAGEMENT, _OTHER, "Step back", entity="clock"),
}


class _Fields:
    """A record's fields, and which of them have found their place."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        self.event: str = record["event"]
        self.time: str = record["time"]
        self.refused = self.event.endswith(".refused")
        self._record = record
        self._left = {name: value for name, value in record.items() if name not in _ENVELOPE}

    def has(self, name: str) -> bool:
        return name in self._record

    def see(self, name: str) -> Any:
        """Return a field that stays where it is as well; None where the record has none."""
        return self._record.get(name)

    def take(self, name: str) -> Any:
        """Return a field that has found its place; None where the record has none."""
        self._left.pop(name, None)
        return self._record.get(name)

    def left(self) -> dict[str, Any]:
        return self._left


def to_ocsf(record: Mapping[str, Any], log_name: str) -> dict[str, Any]:
    """Return a record, opened or sealed, as an event of the framework.

    Args:
        record: the content, with ``position``.
        log_name: which log that position is in.
    """
    fields = _Fields(record)
    kind = _find_kind(fields)
    event = _describe(kind, fields) | {"metadata": _metadata(fields, log_name)}
    if fields.has("account"):
        event["cloud"] = {"provider": _CLOUD, "account": {"name": fields.take("account")}}
    event |= _DESCRIBE[kind.class_uid](kind, fields)
    if kind.class_uid != _ENTITY_MANAGEMENT:  # that class has no place for it
        event |= _filled({"src_endpoint": _source(fields)})
    if fields.event == _REPEATED:
        event |= _filled({"count": fields.take("times"), "start_time": _milliseconds(fields.take("since"))})
    return event | _filled({"unmapped": fields.left()})


def _find_kind(fields: _Fields) -> _Kind:
    """Return what a record is; many refusals that are summed up are what each of them would be."""
    event = fields.see("of_event") if fields.event == _REPEATED else fields.event
    unknown = _Kind(_ENTITY_MANAGEMENT, _OTHER, fields.event, entity=fields.event.partition(".")[0])
    return _KINDS.get(event, unknown)


def _describe(kind: _Kind, fields: _Fields) -> dict[str, Any]:
    named = _ACTIVITY_NAMES.get(kind.class_uid, {})
    activity = named.get(kind.activity, kind.label)
    severity = 2 if fields.refused else 3 if fields.see("privileged") and fields.see("mfa") is False else 1
    category = kind.class_uid // 1000
    return {
        "class_uid": kind.class_uid,
        "class_name": _CLASS_NAMES[kind.class_uid],
        "category_uid": category,
        "category_name": _CATEGORY_NAMES[category],
        "activity_id": kind.activity,
        "activity_name": activity,
        "type_uid": kind.class_uid * 100 + kind.activity,
        "type_name": f"{_CLASS_NAMES[kind.class_uid]}: {activity}",
        "severity_id": severity,
        "severity": _SEVERITIES[severity],
        "status_id": 2 if fields.refused else 1,
        "status": "Failure" if fields.refused else "Success",
        "time": _milliseconds(fields.time),
        **_filled({"status_code": fields.take("code"), "status_detail": fields.take("detail")}),
    }


def _metadata(fields: _Fields, log_name: str) -> dict[str, Any]:
    return {
        "version": VERSION,
        "product": {"name": "Rambridge", "vendor_name": "Rambridge", "version": __version__},
        "log_name": log_name,
        "uid": f"{log_name}/{fields.see('position')}",
        "sequence": fields.see("position"),
        "event_code": fields.event,
        "original_time": fields.time,
        **_filled({"correlation_uid": fields.see("reference")}),
        **({"profiles": ["cloud"]} if fields.has("account") else {}),
    }


def _describe_authentication(_kind: _Kind, fields: _Fields) -> dict[str, Any]:
    protocol = fields.take("protocol")
    number, name = _PROTOCOLS.get(protocol or "", (_OTHER, protocol or "none"))
    session = {"uid": fields.take("session_index"), "is_mfa": fields.see("mfa"), "issuer": fields.see("issuer")}
    return {
        "user": _user(fields),
        "service": {"name": "Rambridge"},
        "auth_protocol_id": number,
        "auth_protocol": name,
        "is_remote": True,
        "actor": _THE_SERVICE | _idp(fields),
        **_filled({"is_mfa": fields.take("mfa"), "session": _filled(session)}),
    }


def _describe_authorization(_kind: _Kind, fields: _Fields) -> dict[str, Any]:
    entitlement = fields.take("entitlement")
    granted = fields.take("granted")
    privileges = [entitlement] if entitlement else [str(each) for each in granted or ()]
    return {"user": _user(fields), "privileges": privileges, "actor": _THE_SERVICE | _idp(fields)}


def _describe_account_change(_kind: _Kind, fields: _Fields) -> dict[str, Any]:
    return {"user": _user(fields), "actor": _actor(fields)}


def _describe_api_activity(kind: _Kind, fields: _Fields) -> dict[str, Any]:
    operation = fields.take("action") or _OPERATIONS.get(fields.see("trust") or "", kind.label)
    service = "Rambridge" if kind.label in _OUR_OPERATIONS else _CLOUD
    request, error = fields.take("sts_request_id"), fields.take("sts_code")
    entitlement = fields.take("entitlement") or fields.see("role")
    resource = {"name": str(entitlement), "type": str(entitlement).partition(" ")[0]} if entitlement else None
    page, destination = fields.take("page"), fields.take("destination")
    resources = [resource] if resource else [{"name": page, "type": "page"}] if page else []
    if destination:
        resources.append({"name": destination, "type": "console page"})
    session = {
        "uid": fields.take("role_session_name"),
        "credential_uid": fields.take("access_key_id"),
        "expiration_time": _milliseconds(fields.see("expires_at")),
    }
    actor = _actor(fields)
    return {
        "api": {
            "operation": operation,
            "service": {"name": service},
            **_filled({"request": {"uid": request} if request else None, "response": _filled({"error": error})}),
        },
        "actor": actor | _filled({"session": _filled(session)}),
        "src_endpoint": {"svc_name": "Rambridge"},  # where a person asked, the person's address replaces it
        **_filled({"resources": resources}),
    }


def _describe_entity(kind: _Kind, fields: _Fields) -> dict[str, Any]:
    names = {
        "identity provider": "provider",
        "sign-in": "of",
        "signing key": "new_key",
        "person": "of",
        "clock": "node",
    }
    name = fields.take(names.get(kind.entity, ""))
    version = fields.take("version")
    entity = {"name": str(name) if name else kind.entity, "type": kind.entity, **_filled({"version": version})}
    return {"entity": entity, "actor": _actor(fields)}


_DESCRIBE: Mapping[int, Callable[[_Kind, _Fields], dict[str, Any]]] = {
    _AUTHENTICATION: _describe_authentication,
    _AUTHORIZE_SESSION: _describe_authorization,
    _ACCOUNT_CHANGE: _describe_account_change,
    _API_ACTIVITY: _describe_api_activity,
    _ENTITY_MANAGEMENT: _describe_entity,
}


def _user(fields: _Fields) -> dict[str, Any]:
    """Return whom a record is about. Of a refused message nobody knows that."""
    known = _filled({"uid": fields.take("subject"), "name": fields.take("person"), "domain": fields.take("issuer")})
    digest = fields.take("subject_digest") or fields.take("of_subject_digest")
    if digest:
        known |= {"uid_alt": digest} if "uid" in known else {"uid": digest}
    if known.keys() & {"uid", "name"}:
        return {"type_id": 1, "type": "User", **known}
    return {"type_id": 0, "type": "Unknown", "name": "unknown", **known}


def _actor(fields: _Fields) -> dict[str, Any]:
    """Return who did what an event tells of: somebody who is signed in, who gave a command, or the service itself."""
    author = fields.take("author")
    if author:
        return {"user": {"type_id": 1, "type": "User", "name": str(author)}}
    if any(fields.has(name) for name in ("subject", "subject_digest", "person")):
        return {"user": _user(fields), **_idp(fields)}
    return _THE_SERVICE


def _idp(fields: _Fields) -> dict[str, Any]:
    provider = fields.take("provider")
    if not provider:
        return {}
    issuer = fields.see("issuer") or fields.see("claimed_issuer")
    return {"idp": {"name": provider, **_filled({"issuer": issuer, "protocol_name": fields.see("protocol")})}}


def _source(fields: _Fields) -> dict[str, Any] | None:
    """Return from where somebody asked: the address, or what stands for it where that is sealed."""
    address, digest = fields.see("source_address"), fields.see("address_digest")
    try:
        written = str(ip_address(address)) if address else None
    except ValueError:
        return None  # it is left under ``unmapped``
    if written:
        fields.take("source_address")
        return {"ip": written}
    return {"uid": fields.take("address_digest")} if digest else None


def _milliseconds(time: str | None) -> int | None:
    return int(datetime.fromisoformat(time).timestamp() * 1000) if time else None


def _filled(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, "", {}, [])}
