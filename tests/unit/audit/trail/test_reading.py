"""Files of events in every form that they come in, and files that are none."""

import contextlib
import gzip
import json
import os

import pytest

from bridge.audit.trail.events import read_event
from bridge.audit.trail.reading import PIECE_BYTES, TrailFile, find_files
from bridge.errors import TrailUnreadable

EVENTS = [{"eventId": f"E{number}", "eventTime": "2026-01-01T00:00:00Z", "text": '],[{"\\'} for number in range(5)]
LINES = [json.dumps(event) for event in EVENTS]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\n".join(LINES), id="an event per line"),
        pytest.param("\r\n".join(LINES) + "\r\n\n", id="lines that Windows ended"),
        pytest.param(json.dumps(EVENTS), id="one array"),
        pytest.param("\ufeff" + json.dumps(EVENTS, indent=2), id="an array that somebody made pretty, with a mark"),
        pytest.param(f"[{','.join(LINES[:2])}]\n[{','.join(LINES[2:])}]", id="an array per line"),
        pytest.param(json.dumps({"Events": EVENTS, "RequestId": "1"}), id="an answer of the API"),
        pytest.param("\n".join(json.dumps({"__time__": 1, "event": each}) for each in EVENTS), id="inside another"),
        pytest.param("\n".join(json.dumps({"__time__": 1, "event": each}) for each in LINES), id="inside, as a text"),
    ],
)
@pytest.mark.parametrize("compress", [False, True])
def test_each_form_gives_the_same_events(tmp_path, text, compress):
    path = tmp_path / "events"
    path.write_bytes(gzip.compress(text.encode()) if compress else text.encode())
    assert list(TrailFile(path).read()) == EVENTS


def test_an_event_across_two_pieces_is_read_whole(tmp_path):
    path = tmp_path / "events.json"
    padding = {"eventId": "first", "padding": "é" * (PIECE_BYTES // 2)}
    path.write_text(json.dumps([padding, *EVENTS], ensure_ascii=False), encoding="utf-8")
    assert list(TrailFile(path).read()) == [padding, *EVENTS]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b'[{"eventId": "E0"}, {"eventId": ', id="cut off"),
        pytest.param(gzip.compress(os.urandom(3_000))[:-500], id="gzip that is cut off"),
        pytest.param(b'{"eventId": "E0"}\n<html>', id="a page of an error"),
        pytest.param(b'{"eventId": "\xff"}', id="no UTF-8"),
        pytest.param(b'["eventId"]', id="texts in place of events"),
        pytest.param(b'{"a":' * 100_000, id="without an end"),
        pytest.param(b'{"eventId": ' + b"9" * 5_000 + b"}", id="a number of 5,000 digits"),
    ],
)
def test_what_is_no_file_of_events_is_named(tmp_path, content):
    path = tmp_path / "broken"
    path.write_bytes(content)
    with pytest.raises(TrailUnreadable, match="broken"):
        list(TrailFile(path).read())


def test_only_a_file_that_was_read_whole_has_a_digest(tmp_path):
    """The record of an import names it; that of a half is the digest of no file."""
    for text, digests in (("{}", 1), ("{} {", 0)):
        (tmp_path / "file").write_text(text)
        file = TrailFile(tmp_path / "file")
        with contextlib.suppress(TrailUnreadable):
            list(file.read())
        assert bool(file.digest) == digests


def test_what_stands_before_the_fault_is_read(tmp_path):
    path = tmp_path / "broken"
    path.write_text("\n".join([*LINES, "{"]))
    events = TrailFile(path).read()
    assert [next(events) for _ in EVENTS] == EVENTS


def test_folders_are_read_whole_and_in_order(tmp_path):
    for name in ("2026/01/02/b.gz", "2026/01/01/a.gz", "2026/.DS_Store", ".partial/c.gz"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [file.path.name for file in find_files([tmp_path])] == ["a.gz", "b.gz"]


SAMPLE = {
    "eventId": "2546c4b7-6b56-403e-97d3-500d8d29339a",
    "eventVersion": 1,
    "eventName": "AssumeRole",
    "eventSource": "sts.aliyuncs.com",
    "eventTime": "2021-08-02T03:42:19Z",
    "eventType": "ApiCall",
    "requestId": "R1",
    "sourceIpAddress": "192.0.2.7",
    "serviceName": "Sts",
    "acsRegion": "cn-hangzhou",
    "eventRW": "Write",
    "userIdentity": {
        "type": "ram-user",
        "accountId": "1594986938260000",
        "userName": "Alice",
        "accessKeyId": "LTAI5t",
        "principalId": "238902601002290000",
    },
    "requestParameters": {"RoleArn": "acs:ram::1594986938260000:role/Custom-Role", "RoleSessionName": "Alice"},
    "responseElements": {
        "requestId": "R1",
        "assumedRoleUser": {"arn": "acs:ram::1594986938260000:role/custom-role/Alice", "assumedRoleId": "3948:Alice"},
        "credentials": {"accessKeyId": "STS.NUQNP", "accessKeySecret": "Ss7sq2j0ZoJujZnmVgXcu6QT9e"},
    },
}


def test_an_assumed_role_is_read_whatever_the_case_of_names():
    event = read_event(SAMPLE)
    assert event is not None
    assert event.birth is not None
    assert event.birth[:5] == ("STS.NUQNP", "1594986938260000", "Custom-Role", "Alice", "AssumeRole")
    assert (event.actor, event.user, event.role) == ("ram-user", "Alice", "")


def test_no_secret_is_kept():
    assert "Ss7sq2j0ZoJujZnmVgXcu6QT9e" not in str(read_event(SAMPLE))


def test_a_refused_assume_role_gave_nothing_out():
    event = read_event(SAMPLE | {"errorCode": "NoPermission"})
    assert event is not None
    assert event.birth is None


@pytest.mark.parametrize(
    "identity",
    [
        pytest.param({"userName": "Dev:lin@example.com", "principalId": "3:lin@example.com"}, id="as user name"),
        pytest.param({"userName": "", "principalId": "3:lin@example.com"}, id="as principal of the token"),
    ],
)
def test_role_and_session_name_are_read(identity):
    raw = SAMPLE | {
        "eventName": "DescribeInstances",
        "userIdentity": {"type": "assumed-role", "accountId": "1", "accessKeyId": "STS.A"} | identity,
        "requestParameters": {"stsTokenPrincipalName": "Dev/lin@example.com"},
    }
    event = read_event(raw)
    assert event is not None
    assert (event.role, event.session_name, event.access_key_id) == ("Dev", "lin@example.com", "STS.A")


@pytest.mark.parametrize("spoiled", [{"eventId": 7}, {"eventId": ""}, {"eventTime": "yesterday"}, {"eventTime": None}])
def test_what_has_no_identifier_or_time_is_no_event(spoiled):
    assert read_event(SAMPLE | spoiled) is None


@pytest.mark.parametrize(
    "member", ["userIdentity", "requestParameters", "responseElements", "referencedResources", "eventName"]
)
@pytest.mark.parametrize("value", [None, 7, [], ["x"], "{", '{"a": 1}', {"Credentials": 1, "credentials": []}])
def test_members_of_other_kinds_are_as_good_as_absent(member, value):
    assert read_event(SAMPLE | {member: value}) is not None
