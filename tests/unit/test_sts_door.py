"""Whatever is sent to the STS door: it answers in the vendor's shape, and never by a fault of its own.

``RAMBRIDGE_TEST_EXAMPLES=20000`` tries more, and different ones each time.
"""

import io
import json
import os
import random
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import pytest

from bridge.errors import NotEntitled, StoreUnavailable, walk_leaves
from bridge.sts_endpoint.door import STSDoor, is_sts_call
from bridge.sts_endpoint.faults import translate
from bridge.sts_wire.request import MAX_REQUEST_BYTES

EXAMPLES = int(os.environ.get("RAMBRIDGE_TEST_EXAMPLES", "0"))
NAMES = [
    "Action",
    "Version",
    "Format",
    "RoleArn",
    "OIDCToken",
    "Signature",
    "AccessKeyId",
    "Timestamp",
    "x",
    "",
    "%",
    "é",
]
VALUES = [
    "AssumeRole",
    "AssumeRoleWithOIDC",
    "GetCallerIdentity",
    "2015-04-01",
    "JSON",
    "XML",
    "",
    "\0",
    "%zz",
    "林",
    "a;b",
]
PAGE = [b"a page"]


class Nobody:
    """Actions and budget of a service to which nobody may come."""

    def answer(self, request, origin):
        raise NotEntitled("nobody")

    def count_address(self, address):
        pass


class Down(Nobody):
    def count_address(self, address):
        raise StoreUnavailable("down")


def make_door(actions=None, **changes):
    nobody = actions or Nobody()
    given = {"public_url": "https://bridge.example", "knows_scheme": False} | changes
    public_url = given.pop("public_url")
    return STSDoor(lambda environ, start: PAGE, nobody, nobody, public_url, **given)


def make_environ(method="POST", path="/", query="", body=b"", **changes):
    return {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": "application/x-www-form-urlencoded",
        "HTTP_HOST": "bridge.example",
        "REMOTE_ADDR": "192.0.2.1",
        "wsgi.input": io.BytesIO(body),
        "wsgi.url_scheme": "https",
    } | changes


def call(door, environ):
    started = []
    body = b"".join(door(environ, lambda status, headers: started.append((int(status[:3]), dict(headers)))))
    return (*started[0], body) if started else (None, {}, body)


@pytest.mark.parametrize(
    ("environ", "is_call"),
    [
        (make_environ(), True),
        (make_environ(path=""), True),
        (make_environ(path="//"), True),
        (make_environ("GET"), False),
        (make_environ("GET", query="choose=1"), False),
        (make_environ("GET", query="Action=AssumeRole"), True),
        (make_environ("GET", query="x=1&Signature=a"), True),
        (make_environ("GET", HTTP_X_ACS_ACTION="AssumeRole"), True),
        (make_environ("GET", HTTP_AUTHORIZATION="ACS3-HMAC-SHA256 x"), True),
        (make_environ("GET", HTTP_AUTHORIZATION="Bearer x"), False),
        (make_environ(path="/saml/corp/acs"), False),
        (make_environ("GET", path="/sign-in", query="Action=AssumeRole"), False),
        (make_environ("HEAD"), False),
    ],
)
def test_calls_are_told_from_requests_for_pages(environ, is_call):
    assert is_sts_call(environ) is is_call
    assert (call(make_door(), environ)[2] == b"a page") is not is_call


def test_whatever_is_sent_is_answered_in_the_vendors_shape():
    chance = random.Random() if EXAMPLES else random.Random(5)
    door = make_door()
    for _ in range(EXAMPLES or 400):
        pairs = [(chance.choice(NAMES), chance.choice(VALUES)) for _ in range(chance.randint(0, 9))]
        written = urlencode(pairs).encode() if chance.random() < 0.7 else chance.randbytes(chance.randint(0, 200))
        in_query = chance.random() < 0.4
        headers = {}
        if chance.random() < 0.3:
            headers["HTTP_AUTHORIZATION"] = chance.choice(["ACS3-", "ACS3-HMAC-SHA256 Credential=a", "\xff" * 9])
        if chance.random() < 0.2:
            headers["CONTENT_LENGTH"] = chance.choice(["", "-1", "x", "7", "999999999999"])
        environ = make_environ(
            query=f"Action=AssumeRole&{written.decode('latin-1')}" if in_query else "",
            body=b"" if in_query else written,
            **headers,
        )
        status, answered, body = call(door, environ)
        assert 400 <= status < 500, (environ, body)
        if "xml" in answered["Content-Type"]:
            fields = {child.tag: child.text for child in ET.fromstring(body)}
        else:
            fields = json.loads(body)
        assert fields["Code"]
        assert fields["Message"]
        assert fields["RequestId"] == answered["x-acs-request-id"]


def test_a_body_is_read_whole_and_no_further_than_allowed():
    body = urlencode({"Action": "GetCallerIdentity", "Version": "2015-04-01"}).encode()
    large = io.BytesIO(b"x" * (MAX_REQUEST_BYTES + 10_000))

    chunked = {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}
    assert b"MissingAccessKeyId" in call(make_door(), make_environ(body=body, **chunked))[2]
    assert call(make_door(), make_environ(**chunked | {"wsgi.input": large}))[0] == 413
    assert large.tell() <= MAX_REQUEST_BYTES + 1
    announced = io.BytesIO(b"x")
    assert call(make_door(), make_environ(CONTENT_LENGTH="300000", **{"wsgi.input": announced}))[0] == 413
    assert announced.tell() == 0
    assert b"shorter" in call(make_door(), make_environ(body=body, CONTENT_LENGTH="4000"))[2]


def test_nothing_is_answered_over_plain_http_where_that_can_be_known():
    plain = {"wsgi.url_scheme": "http"}

    assert b"InvalidProtocol.NeedSsl" in call(make_door(knows_scheme=True), make_environ(**plain))[2]
    assert b"NeedSsl" not in call(make_door(knows_scheme=True), make_environ())[2]
    assert b"NeedSsl" not in call(make_door(), make_environ(**plain))[2]


def test_a_part_that_is_down_is_a_reason_to_try_again():
    status, headers, body = call(make_door(Down()), make_environ())

    assert status == 503
    assert json.loads(body)["Code"] == "ServiceUnavailable"
    assert int(headers["Retry-After"]) > 0


@pytest.mark.parametrize("action", ["AssumeRoleWithOIDC", "AssumeRoleWithSAML", "AssumeRole", "GetCallerIdentity", ""])
def test_every_error_of_ours_has_a_code_of_the_vendors(action):
    for leaf in walk_leaves():
        error = leaf.__new__(leaf)
        error.detail, error.upstream_code, error.retry_after_seconds = "", "", 1
        fault, _ = translate(error, action)
        assert fault.status >= 400
        assert fault.message
