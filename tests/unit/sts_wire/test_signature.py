"""The vendor's vectors, what a verified signature covers, and which times are accepted."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bridge.sts_wire.reply import STSFault
from bridge.sts_wire.signature import (
    Signature,
    build_string_to_sign_v1,
    build_string_to_sign_v3,
    check_timestamp,
    compute_signature,
    sign_v3,
    verify_signature,
)

POLICY = '{"Version": "1", "Statement": [{"Effect": "Allow", "Action": "oss:Get*", "Resource": "*"}]}'
OWN = {
    "DurationSeconds": "3600",
    "Policy": POLICY,
    "RoleArn": "acs:ram::1234567890123456:role/dev-role",
    "RoleSessionName": "alice@example.com",
}
COMMON = {
    "AccessKeyId": "testid",
    "Action": "AssumeRole",
    "Format": "JSON",
    "SignatureMethod": "HMAC-SHA1",
    "SignatureNonce": "0123456789abcdef0123456789abcdef",
    "SignatureVersion": "1.0",
    "Timestamp": "2026-01-02T03:04:05Z",
    "Version": "2015-04-01",
}
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def make_signature(**changes):
    string_to_sign = build_string_to_sign_v1("POST", COMMON | OWN)
    given = {
        "scheme": "v1",
        "access_key_id": "testid",
        "security_token": None,
        "nonce": COMMON["SignatureNonce"],
        "timestamp": COMMON["Timestamp"],
        "string_to_sign": string_to_sign,
        "value": compute_signature("v1", string_to_sign, "testsecret"),
    }
    return Signature(**given | changes)


@pytest.mark.parametrize(
    ("method", "expected"),
    [("POST", "DHghj21nv8JM0p/ORY2jBG22Er0="), ("GET", "YrnQaEFOSj0RwuC3tYKMLyj+7Wk=")],
)
def test_rpc_signature_is_the_vendors(method, expected):
    string_to_sign = build_string_to_sign_v1(method, COMMON | OWN)

    assert compute_signature("v1", string_to_sign, "testsecret") == expected


def test_acs3_signature_is_the_vendors():
    headers = sign_v3(
        method="POST",
        host="sts.example.test:8443",
        action="AssumeRole",
        version="2015-04-01",
        query=OWN,
        body=b"",
        content_type=None,
        date="2026-01-02T03:04:05Z",
        nonce="0123456789abcdef0123456789abcdef",
        access_key_id="testid",
        access_key_secret="testsecret",
    )

    assert headers.pop("authorization") == (
        "ACS3-HMAC-SHA256 Credential=testid,"
        "SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version,"
        "Signature=a1e0d467071e6960673804254959bfd1692a2c640a85b9ea46783acc77fb32f9"
    )
    assert headers["x-acs-content-sha256"] == hashlib.sha256(b"").hexdigest()
    string_to_sign = build_string_to_sign_v3("POST", OWN, headers, sorted(headers), b"")
    assert string_to_sign.endswith("\n5f977abdc258db3a7f7f667b0fb6d6d8304a03a639f0a59a98e8674cec74ee4a")


def test_body_and_session_token_are_covered_by_acs3():
    given = {
        "method": "POST",
        "host": "sts.aliyuncs.com",
        "action": "AssumeRole",
        "version": "2015-04-01",
        "query": {},
        "body": b"RoleArn=a",
        "content_type": "application/x-www-form-urlencoded",
        "date": "2026-01-02T03:04:05Z",
        "nonce": "n" * 32,
        "access_key_id": "STS.id",
        "access_key_secret": "secret",
        "security_token": "token",
    }

    headers = sign_v3(**given)

    assert headers["x-acs-security-token"] == "token"
    assert headers["x-acs-accesskey-id"] == "STS.id"
    for change in ({"body": b"RoleArn=b"}, {"security_token": "other"}, {"content_type": "text/plain"}):
        assert sign_v3(**given | change)["authorization"] != headers["authorization"]


def test_genuine_signature_is_verified():
    verify_signature(make_signature(), "testsecret")


@pytest.mark.parametrize(
    ("changes", "secret"),
    [
        pytest.param({}, "testsecres", id="another secret"),
        pytest.param({}, "", id="no secret"),
        pytest.param({"value": ""}, "testsecret", id="empty"),
        pytest.param({"value": "DHghj21nv8JM0p/ORY2jBG22Er0"}, "testsecret", id="without padding"),
        pytest.param({"value": "DHghj21nv8JM0p/ORY2jBG22Er0=="}, "testsecret", id="too much padding"),
        pytest.param({"value": "dhGHJ21NV8jm0P/ory2JbG22eR0="}, "testsecret", id="case changed"),
        pytest.param({"value": "\ud7ffä"}, "testsecret", id="not ASCII"),
        pytest.param({"scheme": "v3"}, "testsecret", id="taken for the other scheme"),
        pytest.param(
            {"string_to_sign": build_string_to_sign_v1("GET", COMMON | OWN)}, "testsecret", id="another method"
        ),
        pytest.param(
            {"string_to_sign": build_string_to_sign_v1("POST", COMMON | OWN | {"DurationSeconds": "43200"})},
            "testsecret",
            id="a parameter changed",
        ),
        pytest.param(
            {"string_to_sign": build_string_to_sign_v1("POST", COMMON | OWN | {"ExternalId": "x"})},
            "testsecret",
            id="a parameter added",
        ),
    ],
)
def test_any_other_signature_is_refused(changes, secret):
    with pytest.raises(STSFault) as refused:
        verify_signature(make_signature(**changes), secret)

    assert refused.value.code == "SignatureDoesNotMatch"


def test_mismatch_message_ends_with_our_string_after_its_only_colon_before():
    signature = make_signature(value="wrong")

    with pytest.raises(STSFault) as refused:
        verify_signature(signature, "testsecret")

    head, _, tail = refused.value.message.partition(":")
    assert head == "Specified signature is not matched with our calculation. server string to sign is"
    assert tail == signature.string_to_sign


@pytest.mark.parametrize("minutes", [-15, -1, 0, 1, 15])
def test_time_within_fifteen_minutes_is_accepted(minutes):
    check_timestamp(make_signature(), NOW + timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("timestamp", "code"),
    [
        ("2026-01-02T02:48:05Z", "InvalidTimeStamp.Expired"),
        ("2026-01-02T03:20:05Z", "InvalidTimeStamp.Expired"),
        ("2099-01-01T00:00:00Z", "InvalidTimeStamp.Expired"),
        ("1970-01-01T00:00:00Z", "InvalidTimeStamp.Expired"),
        ("2026-01-02T03:04:05", "InvalidTimeStamp.Format"),
        ("2026-01-02T03:04:05+00:00", "InvalidTimeStamp.Format"),
        ("2026-01-02T03:04:05.000Z", "InvalidTimeStamp.Format"),
        ("2026-01-02 03:04:05Z", "InvalidTimeStamp.Format"),
        ("2026-13-02T03:04:05Z", "InvalidTimeStamp.Format"),
        ("2026-01-02T03:04:05Z\n", "InvalidTimeStamp.Format"),
        ("\uff12026-01-02T03:04:05Z", "InvalidTimeStamp.Format"),
        ("", "InvalidTimeStamp.Format"),
    ],
)
def test_other_times_are_refused(timestamp, code):
    with pytest.raises(STSFault) as refused:
        check_timestamp(replace(make_signature(), timestamp=timestamp), NOW)

    assert refused.value.code == code


def test_secrets_do_not_show_in_repr():
    shown = repr(make_signature(security_token="the-token"))

    assert "the-token" not in shown
    assert "DHghj21nv8JM0p" not in shown
