"""Calls signed with credentials that we released: accepted as they were signed, once, in time (STS-01 to STS-05)."""

import secrets
import threading
from urllib.parse import urlencode

import pytest
import requests

from bridge.sts_wire.signature import compute_signature
from tests.attacks.sts.rig import ACCOUNT, Credentials, code_of

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def credentials(rig):
    return rig.issue("Developer", "pods")


def test_t_sts_01_genuine_calls_of_both_schemes_are_answered(rig, credentials):
    for answer in (
        rig.post(rig.sign_v1(credentials)),
        rig.post(query=rig.sign_v1(credentials)),
        requests.get(f"{rig.url}/", params=rig.sign_v1(credentials, "GET"), timeout=60),
        rig.post(headers=rig.sign_v3(credentials)),
        requests.get(f"{rig.url}/", headers=rig.sign_v3(credentials, method="GET"), timeout=60),
    ):
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert body["Arn"] == f"acs:ram::{ACCOUNT}:assumed-role/Developer/ci"
        assert body["AccountId"] == ACCOUNT
        assert body["IdentityType"] == "AssumedRoleUser"
        assert body["PrincipalId"] == f"{body['RoleId']}:ci"
        assert body["RoleId"].isdigit()


def v1_cases(rig, credentials):
    good = rig.sign_v1(credentials)
    signature = good["Signature"]
    yield "another secret", good | {"Signature": compute_signature("v1", "x", "y")}, "SignatureDoesNotMatch"
    yield "empty signature", good | {"Signature": ""}, "MissingSignature"
    yield "cut short", good | {"Signature": signature[:-2]}, "SignatureDoesNotMatch"
    yield "padded", good | {"Signature": signature + "="}, "SignatureDoesNotMatch"
    yield "a parameter added", good | {"RegionId": "cn-hangzhou"}, "SignatureDoesNotMatch"
    yield "a parameter changed", good | {"Format": "json"}, "SignatureDoesNotMatch"
    dropped = {name: value for name, value in good.items() if name != "Format"}
    yield "a parameter dropped", dropped, "SignatureDoesNotMatch"
    yield "signed for GET", rig.sign_v1(credentials, "GET"), "SignatureDoesNotMatch"
    yield "another version", rig.sign_v1(credentials, SignatureVersion="2.0"), "IncompleteSignature"
    yield "another method", rig.sign_v1(credentials, SignatureMethod="HMAC-MD5"), "InvalidSignatureMethod"
    yield "a bearer token", rig.sign_v1(credentials, SignatureType="BEARERTOKEN"), "IncompleteSignature"


def test_t_sts_01_a_call_that_was_not_signed_like_this_is_refused(rig, credentials):
    for name, parameters, code in v1_cases(rig, credentials):
        answer = rig.post(parameters)
        assert code_of(answer) == code, name
    record = rig.records("call.refused")[-1]
    assert record["access_key_id"] == credentials.id
    assert record["code"] == "SignatureDoesNotMatch"
    assert len(record["request_digest"]) == 64


def v3_cases(rig, credentials):
    good = rig.sign_v3(credentials)
    authorization = good["authorization"]
    yield "another action", good | {"x-acs-action": "AssumeRole"}, "SignatureDoesNotMatch"
    yield "another date", good | {"x-acs-date": rig.ago(seconds=5)}, "SignatureDoesNotMatch"
    yield "another nonce", good | {"x-acs-signature-nonce": "0" * 32}, "SignatureDoesNotMatch"
    yield "an unsigned header", good | {"x-acs-extra": "1"}, "IncompleteSignature"
    yield (
        "not in order",
        good | {"authorization": authorization.replace("host;x-acs-accesskey-id", "x-acs-accesskey-id;host")},
        ("IncompleteSignature"),
    )
    yield (
        "a header listed twice",
        good | {"authorization": authorization.replace("host;", "host;host;")},
        ("IncompleteSignature"),
    )
    yield "host not signed", good | {"authorization": authorization.replace("host;", "")}, "IncompleteSignature"
    yield (
        "no headers signed",
        good | {"authorization": authorization.replace("SignedHeaders=host;", "Signed=")},
        ("IncompleteSignature"),
    )
    yield (
        "another algorithm",
        good | {"authorization": authorization.replace("SHA256", "SM3", 1)},
        ("InvalidSignatureMethod"),
    )
    yield "the body not hashed", good | {"x-acs-content-sha256": "UNSIGNED-PAYLOAD"}, "IncompleteSignature"
    yield "signed for another host", rig.sign_v3(credentials, host="sts.aliyuncs.com"), "IncompleteSignature"
    yield "another key", good | {"x-acs-accesskey-id": "STS.another"}, "IncompleteSignature"


def test_t_sts_01_an_acs3_call_that_was_not_signed_like_this_is_refused(rig, credentials):
    for name, headers, code in v3_cases(rig, credentials):
        answer = rig.post(headers=headers)
        assert code_of(answer) == code, name
    both = rig.post(rig.sign_v1(credentials), headers=rig.sign_v3(credentials))
    assert code_of(both) == "IncompleteSignature", "two signatures are none"


def test_t_sts_01_an_acs3_body_is_covered(rig, credentials):
    body = urlencode({"RoleArn": rig.role("ReadOnly"), "RoleSessionName": "next"}).encode()
    signed = rig.sign_v3(credentials, "AssumeRole", body=body, content_type=FORM["Content-Type"])

    assert code_of(rig.post(body.replace(b"ReadOnly", b"Developer"), headers=signed)) == "IncompleteSignature"
    assert rig.post(body, headers=signed).status_code == 200


def test_t_sts_01_a_key_that_nobody_has_is_refused_and_recorded(rig):
    nobody = Credentials("STS.nobody", "x", "y")

    assert code_of(rig.post(rig.sign_v1(nobody))) == "InvalidAccessKeyId.NotFound"
    assert rig.records("call.refused")[-1]["access_key_id"] == "STS.nobody"


def test_t_sts_02_a_nonce_is_used_once_whatever_else_changes(rig, credentials):
    nonce = secrets.token_hex(16)
    first = rig.sign_v1(credentials, SignatureNonce=nonce)

    assert rig.post(first).status_code == 200
    again = [
        rig.post(first),
        rig.post(rig.sign_v1(credentials, SignatureNonce=nonce, Format="XML", Timestamp=rig.ago(seconds=3))),
        requests.get(f"{rig.url}/", params=rig.sign_v1(credentials, "GET", SignatureNonce=nonce), timeout=60),
        rig.post(headers=rig.sign_v3(credentials, nonce=nonce)),
    ]
    assert "SignatureNonceUsed" in again[1].text
    assert [code_of(answer) for answer in (again[0], *again[2:])] == ["SignatureNonceUsed"] * 3


@pytest.mark.parametrize(
    ("nonce", "code"),
    [(None, "MissingSignatureNonce"), ("", "MissingSignatureNonce"), ("short", "InvalidParameter.SignatureNonce"),
     ("x" * 10_000, "InvalidParameter.SignatureNonce"), ("with blanks in it", "InvalidParameter.SignatureNonce")],
)  # fmt: skip
def test_t_sts_02_a_nonce_that_cannot_be_remembered_is_refused(rig, credentials, nonce, code):
    assert code_of(rig.post(rig.sign_v1(credentials, SignatureNonce=nonce))) == code


def test_t_sts_02_of_twenty_equal_calls_at_once_one_is_answered(rig, credentials):
    signed, statuses = rig.sign_v1(credentials), []
    threads = [threading.Thread(target=lambda: statuses.append(rig.post(signed).status_code)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(statuses) == [200, *[400] * 19]


def test_t_sts_02_a_stranger_cannot_use_up_a_nonce(rig, credentials):
    signed = rig.sign_v1(credentials)

    assert rig.post(signed | {"Signature": "AAAA"}).status_code == 400
    assert rig.post(signed).status_code == 200


@pytest.mark.parametrize(
    ("stamp", "code"),
    [({"minutes": 16}, "InvalidTimeStamp.Expired"), ({"minutes": -16}, "InvalidTimeStamp.Expired"),
     ("2099-01-01T00:00:00Z", "InvalidTimeStamp.Expired"), ("1970-01-01T00:00:00Z", "InvalidTimeStamp.Expired"),
     ("2026-01-01T00:00:00+00:00", "InvalidTimeStamp.Format"), ("2026-01-01T00:00:00", "InvalidTimeStamp.Format"),
     (None, "MissingTimestamp")],
)  # fmt: skip
def test_t_sts_03_a_time_that_is_far_or_malformed_is_refused(rig, credentials, stamp, code):
    moment = rig.ago(**stamp) if isinstance(stamp, dict) else stamp

    assert code_of(rig.post(rig.sign_v1(credentials, Timestamp=moment))) == code
    if moment:
        assert code_of(rig.post(headers=rig.sign_v3(credentials, date=moment))) == code
    for twin in ({"minutes": 14}, {"minutes": -14}):
        assert rig.post(rig.sign_v1(credentials, Timestamp=rig.ago(**twin))).status_code == 200


def pollute(parameters, extra):
    return urlencode(parameters).encode() + extra


def test_t_sts_04_what_two_programs_could_read_differently_is_refused(rig):
    good = rig.oidc(rig.issuers["pods"].token(), "Developer", "pods")
    other = rig.role("ReadOnly")
    bodies = {
        "twice in the body": pollute(good, b"&RoleArn=" + other.encode()),
        "in another case": pollute(good, b"&rolearn=" + other.encode()),
        "as a list": pollute(good, b"&RoleArn[]=" + other.encode()),
        "behind a semicolon": pollute(good, b";RoleArn=" + other.encode()),
        "an unknown one": pollute(good, b"&DurationSecond=900"),
        "a broken escape": pollute(good, b"&Policy=%zz"),
        "not UTF-8": pollute(good, b"&Policy=%ff"),
        "NUL": pollute(good, b"&Policy=%00"),
        "the action twice": pollute(good, b"&Action=AssumeRoleWithOIDC"),
        "the token twice": pollute(good, b"&OIDCToken=x"),
    }
    for name, body in bodies.items():
        assert code_of(rig.post(body, headers=FORM)) == "InvalidParameter", name
    assert code_of(rig.post(good, {"RoleArn": other})) == "InvalidParameter", "in query and body"
    assert code_of(rig.post(b"{}", headers={"Content-Type": "application/json"})) == "InvalidParameter.ContentType"
    multipart = {name: (None, value) for name, value in good.items()}
    assert code_of(requests.post(rig.url, files=multipart, timeout=60)) == "InvalidParameter.ContentType"
    assert rig.post(good).status_code == 200


def test_t_sts_05_a_key_counts_only_with_its_own_token(rig, credentials):
    other = rig.issue("Developer", "github")

    def swap(token):
        return Credentials(credentials.id, credentials.secret, token)

    assert code_of(rig.post(rig.sign_v1(credentials, SecurityToken=None))) == "MissingSecurityToken"
    for token in (other.token, credentials.token[:-1], credentials.token + "x", "garbage"):
        refused = rig.post(rig.sign_v1(swap(token)))
        assert code_of(refused) == "InvalidSecurityToken.MismatchWithAccessKey"
        assert code_of(rig.post(headers=rig.sign_v3(swap(token)))) == "InvalidSecurityToken.MismatchWithAccessKey"
    assert code_of(rig.post(rig.sign_v1(Credentials("LTAIlongterm", "s", credentials.token)))) == (
        "InvalidAccessKeyId.NotFound"
    )
    assert rig.post(rig.sign_v1(credentials)).status_code == 200


def test_a_role_chain_goes_by_the_rules_of_whoever_is_behind_it(rig, credentials):
    asked = {"Action": "AssumeRole", "RoleSessionName": "next", "RoleArn": rig.role("ReadOnly")}

    answer = rig.post(rig.sign_v1(credentials, **asked))

    assert answer.status_code == 200, answer.text
    assert answer.json()["AssumedRoleUser"]["Arn"] == f"{rig.role('ReadOnly')}/next"
    chosen = rig.records("choice.made")[-1]
    assert chosen["purpose"] == "chaining"
    assert chosen["subject"] == "system:serviceaccount:shop:deployer"
    for role in ("DataScientist", "NoSuchRole"):
        refused = rig.post(rig.sign_v1(credentials, **asked | {"RoleArn": rig.role(role)}))
        assert (refused.status_code, code_of(refused)) == (403, "NoPermission")
    refused = rig.post(rig.sign_v1(credentials, **asked, ExternalId="rambridge"))
    assert code_of(refused) == "InvalidParameter.ExternalId", "nobody here would compare it"


def test_no_chain_of_roles_outlasts_its_first_session(rig):
    first = rig.issue("Developer", "pods", DurationSeconds="900")
    asked = {"Action": "AssumeRole", "RoleSessionName": "next", "RoleArn": rig.role("ReadOnly")}

    refused = rig.post(rig.sign_v1(first, **asked))

    assert (refused.status_code, code_of(refused)) == (403, "NoPermission"), "the rest is shorter than STS issues"
    longer = rig.issue("Developer", "pods", DurationSeconds="1800")
    assert rig.post(rig.sign_v1(longer, **asked)).status_code == 200
    assert rig.records("exchange.issued")[-1]["duration_seconds"] <= 1800


def test_t_sts_11_a_caller_never_chooses_the_external_id_by_which_we_are_trusted(rig, credentials):
    asked = {"Action": "AssumeRole", "RoleSessionName": "next", "RoleArn": rig.role("ReadOnly")}

    for external_id in ("rambridge", "*", "", "x" * 1225):
        refused = rig.post(rig.sign_v1(credentials, **asked, ExternalId=external_id))
        assert (refused.status_code, code_of(refused)) == (400, "InvalidParameter.ExternalId")
    assert rig.post(rig.sign_v1(credentials, **asked)).status_code == 200
