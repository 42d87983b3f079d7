"""Every event that can be recorded, against the published schema (ocsf-1.8.0.json says where it is from)."""

import dataclasses
import json
import types
import typing
from pathlib import Path

import pytest

from bridge.audit import events
from bridge.audit.events import Event
from bridge.audit.export.ocsf import to_ocsf
from tests.json_schema import find_faults

SCHEMA = json.loads((Path(__file__).parent / "ocsf-1.8.0.json").read_text())
SAMPLES = {
    "source_address": "203.0.113.7",
    "protocol": "saml",
    "trust": "oidc",
    "entitlement": "role PlatformAdmin",
    "expires_at": "2026-11-29T13:00:00Z",
    "since": "2026-11-29T12:00:00Z",
    "of_event": "sign_in.refused",
}
PERSONAL = {"subject", "person", "issuer", "source_address", "role_session_name", "detail"}


def all_events(kind=Event):
    for each in kind.__subclasses__():
        yield from ([each] if "name" in vars(each) else [])
        yield from all_events(each)


def sample(name, kind):
    if name in SAMPLES:
        return SAMPLES[name]
    if isinstance(kind, types.UnionType):
        kind = kind.__args__[0]
    origin = typing.get_origin(kind)
    if origin is tuple:
        return (sample("", kind.__args__[0]),)
    return {bool: True, int: 7}.get(kind, f"a {name}")


def record(kind, **changes):
    hints = typing.get_type_hints(kind)
    fields = {field.name: sample(field.name, hints[field.name]) for field in dataclasses.fields(kind)}
    return {
        **kind(**fields).fields(),
        "event": kind.name,
        "time": "2026-11-29T12:00:00.123456Z",
        "reference": "1A2B-3C4D-5E6F",
        "source_address": "203.0.113.7",
        "writer": 3,
        "number": 7,
        "position": 41,
        **changes,
    }


def faults(event):
    profiles = event["metadata"].get("profiles", [])
    assert profiles in ([], ["cloud"])
    profiled = SCHEMA["cloud"] if profiles else SCHEMA
    definitions = {**SCHEMA["$defs"], **profiled["$defs"]}
    schema = profiled["classes"][str(event["class_uid"])]
    found = find_faults(json.loads(json.dumps(event)), schema, {"$defs": definitions})
    return found + list(wrong_captions(event))


def wrong_captions(event):
    """What the framework demands beyond the schema: the uid's arithmetic, and names that belong to their numbers."""
    if event["type_uid"] != event["class_uid"] * 100 + event["activity_id"]:
        yield "type_uid"
    captions = SCHEMA["captions"][str(event["class_uid"])]
    for number, name in (
        ("class_uid", "class_name"),
        ("category_uid", "category_name"),
        ("activity_id", "activity_name"),
        ("severity_id", "severity"),
        ("status_id", "status"),
        ("auth_protocol_id", "auth_protocol"),
    ):
        if number in event and event[number] != 99 and event[name] != captions[number].get(str(event[number])):
            yield f"{name}: {event[name]}"


KINDS = sorted(all_events(), key=lambda kind: kind.name)


@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
def test_every_event_is_valid_opened_sealed_erased_and_without_a_request(kind):
    opened = record(kind)
    digests = {"subject_digest": "ab" * 16, "address_digest": "cd" * 16, "sealed": "AAAA", "sealed_for": "subject/ab"}
    sealed = {name: value for name, value in opened.items() if name not in PERSONAL} | digests
    erased = {name: value for name, value in sealed.items() if name not in {"sealed", "sealed_for"}} | {"erased": True}
    background = {**opened, "reference": "", "source_address": ""}
    for each in (opened, sealed, erased, background):
        assert faults(to_ocsf(each, "bridge.example.com/audit")) == []


def test_an_event_that_the_schema_does_not_allow_is_found():
    """The twin of the test above: without it, a validator that accepts everything would pass."""
    event = to_ocsf(record(events.SignInAccepted), "bridge.example.com/audit")
    assert faults({**event, "severity_id": 8})
    assert faults({**event, "surprise": 1})
    assert faults({**event, "user": {"type_id": 1}})
    assert faults({**event, "src_endpoint": {"ip": "somewhere"}})
    assert faults({**event, "activity_name": "Logoff"})
    assert faults({name: value for name, value in event.items() if name != "user"})


def test_nothing_of_a_record_is_lost():
    content = record(events.ExchangeIssued)
    event = to_ocsf(content, "bridge.example.com/audit")
    text = json.dumps(event)
    for name in ("access_key_id", "sts_request_id", "rule", "rules_version", "decided_by", "role_session_name"):
        assert content[name] in text, name
    assert event["metadata"]["sequence"] == 41
    assert event["metadata"]["correlation_uid"] == "1A2B-3C4D-5E6F"
    assert event["api"]["operation"] == "AssumeRoleWithOIDC"
    assert event["actor"]["session"]["credential_uid"] == content["access_key_id"]


def test_the_page_of_the_console_is_a_resource_beside_the_role():
    named = [each["name"] for each in to_ocsf(record(events.ConsoleOpened), "log")["resources"]]
    assert named == ["role PlatformAdmin", "a destination"]


def test_privileged_use_without_mfa_is_graver_than_with_it():
    weak = to_ocsf(record(events.ChoiceMade, privileged=True, mfa=False), "log")
    strong = to_ocsf(record(events.ChoiceMade, privileged=True, mfa=True), "log")
    assert (weak["severity"], strong["severity"]) == ("Medium", "Informational")


def test_somebody_who_is_forgotten_is_an_account_that_changed():
    event = to_ocsf(record(events.AuditErased), "log")
    assert (event["class_uid"], event["activity_name"], event["user"]["uid"]) == (3001, "Forget", "a of_subject_digest")


def test_refusals_that_are_summed_up_are_what_each_of_them_would_be_with_their_count():
    event = to_ocsf(record(events.RepeatedRefusals), "log")
    assert (event["class_uid"], event["status"], event["count"]) == (3002, "Failure", 7)
    assert event["start_time"] < event["time"]


def test_an_address_that_is_none_is_kept_beside_the_schema():
    event = to_ocsf(record(events.SignInRefused, source_address="unix:/run/x"), "log")
    assert faults(event) == []
    assert "src_endpoint" not in event
    assert event["unmapped"]["source_address"] == "unix:/run/x"
