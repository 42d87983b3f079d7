"""The four actions: who becomes which role for how long, and the vendor's code for every refusal."""

import base64
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest

from bridge.clock import format_utc
from tests.unit.sandbox.cloud.client import Cloud, read_key, role_arn
from tests.unit.sandbox.cloud.parties import (
    ACS,
    ENTITY_ID,
    ISSUER,
    KEY_ID,
    KEY_SECRET,
    METADATA_URL,
    NOW,
    PRODUCTION,
    ROLE,
    SANDBOX,
    SESSION_NAME,
    Response,
    Token,
    role_value,
    user_response,
)

DENY_ALL = '{"Version":"1","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}'


@pytest.fixture
def cloud():
    return Cloud()


def refuse(answer):
    status, body = answer
    assert status >= 400, body
    assert set(body) - {"AccessDeniedDetail"} == {"RequestId", "HostId", "Code", "Message", "Recommend"}
    return status, body["Code"]


# ── AssumeRole and GetCallerIdentity ─────────────────────────────────────────────────────────────────────────


def test_user_becomes_a_role_and_the_credentials_say_who_it_is(cloud):
    status, answer = cloud.assume_role(DurationSeconds="900")

    assert status == 200
    assert answer["AssumedRoleUser"] == {
        "Arn": f"acs:ram::{PRODUCTION}:role/Automation/bridge-1",
        "AssumedRoleId": f"{34:018}:bridge-1",
    }
    assert answer["Credentials"]["AccessKeyId"].startswith("STS.")
    assert answer["Credentials"]["Expiration"] == format_utc(NOW + timedelta(minutes=15))
    assert "SourceIdentity" not in answer
    status, caller = cloud.call_signed("GetCallerIdentity", key=read_key(answer))
    assert status == 200
    assert caller.pop("RequestId")
    assert caller == {
        "IdentityType": "AssumedRoleUser",
        "AccountId": PRODUCTION,
        "Arn": f"acs:ram::{PRODUCTION}:assumed-role/Automation/bridge-1",
        "PrincipalId": f"{34:018}:bridge-1",
        "RoleId": f"{34:018}",
    }


def test_user_key_says_which_user_it_is(cloud):
    status, caller = cloud.call_signed("GetCallerIdentity")

    assert status == 200
    assert (caller["IdentityType"], caller["Arn"]) == ("RAMUser", f"acs:ram::{PRODUCTION}:user/bridge")
    assert caller["UserId"] == caller["PrincipalId"] == f"{23:018}"


def test_session_lasts_an_hour_where_nothing_is_asked(cloud):
    _, answer = cloud.assume_role()

    assert answer["Credentials"]["Expiration"] == format_utc(NOW + timedelta(hours=1))


ARABIC_3600 = "\u0663\u0666\u0660\u0660"


@pytest.mark.parametrize(
    "duration",
    ["0", "-1", "899", "43201", "9" * 400, "3600.5", "1e3", " 3600", "3600\n", ARABIC_3600, "3_600", "+3600", ""],
)
def test_duration_outside_the_roles_limits_is_refused(cloud, duration):
    assert refuse(cloud.assume_role(DurationSeconds=duration)) == (400, "InvalidParameter.DurationSeconds")


@pytest.mark.parametrize("duration", ["900", "43200"])
def test_duration_at_the_roles_limits_is_granted(cloud, duration):
    _, answer = cloud.assume_role(DurationSeconds=duration)

    assert answer["Credentials"]["Expiration"] == format_utc(NOW + timedelta(seconds=int(duration)))


@pytest.mark.parametrize(
    "name",
    ["", "a", "a" * 65, "a b", "a/b", "a:b", "alice\n", "al\0ice", "ålice", "${x}", "=cmd", "a,b", "a+b"],
)
def test_role_session_name_of_another_form_is_refused(cloud, name):
    status, code = refuse(cloud.assume_role(RoleSessionName=name))

    assert status == 400
    assert code == ("InvalidParameter" if "\0" in name else "InvalidParameter.RoleSessionName")


@pytest.mark.parametrize("name", ["ab", "a" * 64, "alice.w@example-corp.com", "a_b"])
def test_role_session_name_of_the_documented_form_is_accepted(cloud, name):
    assert cloud.assume_role(RoleSessionName=name)[1]["AssumedRoleUser"]["AssumedRoleId"].endswith(f":{name}")


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"RoleArn": "acs:ram::1000000000000001:role/*"}, "InvalidParameter.RoleArn"),
        ({"RoleArn": ""}, "InvalidParameter.RoleArn"),
        ({"ExternalId": "x"}, "InvalidParameter.ExternalId"),
        ({"ExternalId": "x" * 1225}, "InvalidParameter.ExternalId"),
        ({"ExternalId": "a b"}, "InvalidParameter.ExternalId"),
        ({"SourceIdentity": "acs:root"}, "InvalidParameter.SourceIdentity"),
        ({"SourceIdentity": "aliyun:x"}, "InvalidParameter.SourceIdentity"),
        ({"SourceIdentity": "x"}, "InvalidParameter.SourceIdentity"),
        ({"Policy": "{}"}, "InvalidParameter.PolicyGrammar"),
        ({"Policy": "x" * 2049}, "InvalidParameter.PolicySize"),
    ],
)
def test_malformed_parameter_is_refused_with_its_name(cloud, parameters, code):
    assert refuse(cloud.assume_role(**parameters)) == (400, code)


@pytest.mark.parametrize("name", ["RoleArn", "RoleSessionName"])
def test_absent_parameter_is_refused_with_its_name(cloud, name):
    given = {"RoleArn": role_arn("Automation"), "RoleSessionName": "bridge-1"}
    del given[name]

    assert refuse(cloud.call_signed("AssumeRole", **given)) == (400, f"MissingParameter.{name}")


def test_role_that_does_not_exist_is_404(cloud):
    assert refuse(cloud.assume_role("Nobody")) == (404, "EntityNotExist.Role")
    arn = f"acs:ram::{PRODUCTION[:-1]}9:role/Automation"
    assert refuse(cloud.assume_role(RoleArn=arn)) == (404, "EntityNotExist.Role")


@pytest.mark.parametrize("role", ["PlatformAdmin", "Chained"])
def test_role_that_does_not_trust_the_user_is_refused(cloud, role):
    assert refuse(cloud.assume_role(role)) == (403, "NoPermission")


def test_user_without_a_policy_for_it_is_refused_though_the_account_is_trusted(cloud):
    idle = ("LTAITestIdle", KEY_SECRET, None)
    given = {"RoleArn": role_arn("BreakGlass"), "RoleSessionName": "idle", "ExternalId": "agreed-id"}

    assert cloud.call_signed("AssumeRole", **given)[0] == 200
    assert refuse(cloud.call_signed("AssumeRole", key=idle, **given)) == (403, "NoPermission")


@pytest.mark.parametrize("external_id", [None, "Agreed-ID", "agreed-id2", "agreed-i", "**"])
def test_external_id_must_be_exactly_the_agreed_one(cloud, external_id):
    given = {"ExternalId": external_id} if external_id and external_id != "**" else {}

    assert refuse(cloud.assume_role("BreakGlass", **given)) == (403, "NoPermission")
    assert cloud.assume_role("BreakGlass", ExternalId="agreed-id")[0] == 200


def test_source_identity_is_answered_and_sticks_to_the_chain(cloud):
    _, first = cloud.assume_role(SourceIdentity="alice@example.com")
    assert first["SourceIdentity"] == "alice@example.com"
    chained = {"RoleArn": role_arn("Chained"), "RoleSessionName": "second"}

    _, second = cloud.call_signed("AssumeRole", key=read_key(first), **chained)
    changed = cloud.call_signed("AssumeRole", key=read_key(first), SourceIdentity="someone-else", **chained)

    assert second["SourceIdentity"] == "alice@example.com"
    assert refuse(changed) == (403, "NoPermission")


def test_session_policy_narrows_what_a_session_may_assume(cloud):
    _, whole = cloud.assume_role()
    _, narrowed = cloud.assume_role(Policy=DENY_ALL)
    chained = {"RoleArn": role_arn("Chained"), "RoleSessionName": "second"}

    assert cloud.call_signed("AssumeRole", key=read_key(whole), **chained)[0] == 200
    assert refuse(cloud.call_signed("AssumeRole", key=read_key(narrowed), **chained)) == (403, "NoPermission")


def test_role_without_a_policy_cannot_assume_another(cloud):
    _, session = cloud.assume_with_saml(Response())
    chained = {"RoleArn": role_arn("Chained"), "RoleSessionName": "second"}

    assert refuse(cloud.call_signed("AssumeRole", key=read_key(session), **chained)) == (403, "NoPermission")


# ── keys, tokens, nonces, time ───────────────────────────────────────────────────────────────────────────────


def test_wrong_secret_and_unknown_key_are_refused(cloud):
    wrong, unknown = (KEY_ID, "other", None), ("LTAINobody", KEY_SECRET, None)

    assert refuse(cloud.call_signed("GetCallerIdentity", key=wrong)) == (400, "SignatureDoesNotMatch")
    assert refuse(cloud.call_signed("GetCallerIdentity", key=unknown)) == (404, "InvalidAccessKeyId.NotFound")


def test_disabled_key_is_refused(cloud):
    former = ("LTAITestFormer", KEY_SECRET, None)

    assert refuse(cloud.call_signed("GetCallerIdentity", key=former)) == (400, "InvalidAccessKeyId.Inactive")


def test_parameter_changed_after_signing_is_refused(cloud):
    form = cloud.sign("AssumeRole", RoleArn=role_arn("Automation"), RoleSessionName="bridge-1")

    changed = cloud.http.post("/", data=form | {"DurationSeconds": "43200"})

    assert changed.json["Code"] == "SignatureDoesNotMatch"
    assert cloud.http.post("/", data=form).status_code == 200


def test_request_signed_for_one_method_is_refused_as_another(cloud):
    form = cloud.sign("GetCallerIdentity")

    assert cloud.http.get("/", query_string=form).json["Code"] == "SignatureDoesNotMatch"


def test_each_way_to_lose_the_session_token_has_its_code(cloud):
    key_id, secret, token = read_key(cloud.assume_role()[1])
    other = read_key(cloud.assume_role()[1])[2]
    cases = {
        "MissingSecurityToken": None,
        "InvalidSecurityToken.MismatchWithAccessKey": other,
        "InvalidSecurityToken.Malformed": token[:-1],
    }

    for code, sent in cases.items():
        assert refuse(cloud.call_signed("GetCallerIdentity", key=(key_id, secret, sent))) == (400, code)
    assert cloud.call_signed("GetCallerIdentity", key=(key_id, secret, token))[0] == 200


def test_long_term_key_with_a_token_is_refused(cloud):
    token = read_key(cloud.assume_role()[1])[2]

    answer = cloud.call_signed("GetCallerIdentity", key=(KEY_ID, KEY_SECRET, token))

    assert refuse(answer) == (400, "InvalidSecurityToken.MismatchWithAccessKey")


def test_credentials_work_until_they_expire(cloud):
    key = read_key(cloud.assume_role(DurationSeconds="900")[1])

    cloud.clock.advance(seconds=899)
    assert cloud.call_signed("GetCallerIdentity", key=key)[0] == 200
    cloud.clock.advance(seconds=1)
    assert refuse(cloud.call_signed("GetCallerIdentity", key=key)) == (400, "InvalidSecurityToken.Expired")


def test_request_sent_twice_is_refused_and_only_one_of_twenty_at_once_is_done(cloud):
    form = cloud.sign("GetCallerIdentity")

    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: cloud.app.test_client().post("/", data=form), range(20)))

    codes = [answer.json.get("Code") for answer in answers]
    assert sorted(codes, key=str) == [None, *["SignatureNonceUsed"] * 19]


def test_nonce_of_a_refused_request_is_not_used_up(cloud):
    nonce = "n" * 32
    cloud.call_signed("GetCallerIdentity", key=(KEY_ID, "other", None), SignatureNonce=nonce)

    assert cloud.call_signed("GetCallerIdentity", SignatureNonce=nonce)[0] == 200
    assert refuse(cloud.assume_role(SignatureNonce=nonce)) == (400, "SignatureNonceUsed")


@pytest.mark.parametrize(
    ("timestamp", "code"),
    [
        (format_utc(NOW - timedelta(minutes=16)), "InvalidTimeStamp.Expired"),
        (format_utc(NOW + timedelta(minutes=16)), "InvalidTimeStamp.Expired"),
        ("2026-03-04T05:06:07+00:00", "InvalidTimeStamp.Format"),
    ],
)
def test_request_of_another_time_is_refused(cloud, timestamp, code):
    assert refuse(cloud.call_signed("GetCallerIdentity", Timestamp=timestamp)) == (400, code)


# ── AssumeRoleWithSAML ───────────────────────────────────────────────────────────────────────────────────────


def test_saml_subject_becomes_the_listed_role(cloud):
    status, answer = cloud.assume_with_saml(Response(), DurationSeconds="7200")

    assert status == 200
    assert answer["AssumedRoleUser"]["Arn"] == f"acs:ram::{PRODUCTION}:role/PlatformAdmin/alice@example.com"
    assert answer["Credentials"]["Expiration"] == format_utc(NOW + timedelta(hours=2))
    assert answer["SAMLAssertionInfo"] == {
        "SubjectType": "persistent",
        "Subject": "alice@example.com",
        "Recipient": ACS,
        "Issuer": ENTITY_ID,
    }


def test_junk_signature_does_not_disturb_an_anonymous_action(cloud):
    junk = {"AccessKeyId": "dummy", "Signature": "dummy", "SignatureMethod": "HMAC-SHA1", "Timestamp": "x"}

    assert cloud.assume_with_saml(Response(), **junk)[0] == 200
    assert cloud.assume_with_oidc(Token(), **junk)[0] == 200


def test_session_is_no_longer_than_the_provider_says(cloud):
    end = NOW + timedelta(minutes=20)

    _, answer = cloud.assume_with_saml(Response(session_ends_at=end))

    assert answer["Credentials"]["Expiration"] == format_utc(end)


def test_session_duration_attribute_is_ignored_by_the_api(cloud):
    attributes = Response().attributes | {"https://www.aliyun.com/SAML-Role/Attributes/SessionDuration": ["900"]}

    _, answer = cloud.assume_with_saml(Response(attributes=attributes))

    assert answer["Credentials"]["Expiration"] == format_utc(NOW + timedelta(hours=1))


def attributes(roles=None, names=("alice@example.com",)):
    return {
        name: values
        for name, values in {ROLE: [role_value()] if roles is None else roles, SESSION_NAME: list(names)}.items()
        if values
    }


PROVIDER = f"acs:ram::{PRODUCTION}:saml-provider/corp"


@pytest.mark.parametrize(
    ("response", "parameters", "expected"),
    [
        pytest.param("!!!!", {}, (401, "AuthenticationFail.SAMLAssertion.Invalid"), id="garbage"),
        pytest.param("", {}, (401, "AuthenticationFail.SAMLAssertion.Invalid"), id="empty"),
        pytest.param(Response(sign=False), {}, (401, "AuthenticationFail.SAMLAssertion.Invalid"), id="unsigned"),
        pytest.param(
            Response(now=NOW - timedelta(hours=1)), {}, (401, "AuthenticationFail.SAMLAssertion.Expired"), id="expired"
        ),
        pytest.param(user_response(), {}, (401, "AuthenticationFail.SAMLAssertion.Invalid"), id="for user sign-in"),
        pytest.param(
            Response(attributes=attributes(roles=[])),
            {},
            (401, "AuthenticationFail.SAMLAssertion.Invalid"),
            id="no role",
        ),
        pytest.param(
            Response(attributes=attributes(roles=[role_value("ReadOnly")])),
            {},
            (403, "NoPermission"),
            id="another role listed",
        ),
        pytest.param(
            Response(attributes=attributes(roles=[role_value(provider="other")])),
            {},
            (403, "NoPermission"),
            id="listed with another provider",
        ),
        pytest.param(
            Response(attributes=attributes(roles=[",".join(reversed(role_value().split(",")))])),
            {},
            (401, "AuthenticationFail.SAMLAssertion.Invalid"),
            id="provider before role",
        ),
        pytest.param(
            Response(attributes=attributes(roles=[role_value().replace(",", ", ")])),
            {},
            (401, "AuthenticationFail.SAMLAssertion.Invalid"),
            id="blank after the comma",
        ),
        pytest.param(
            Response(attributes=attributes(names=())),
            {},
            (401, "AuthenticationFail.SAMLAssertion.Invalid"),
            id="no session name",
        ),
        pytest.param(
            Response(attributes=attributes(names=("al", "bo"))),
            {},
            (400, "InvalidParameter.RoleSessionName"),
            id="two session names",
        ),
        pytest.param(
            Response(attributes=attributes(names=("a" * 33,))),
            {},
            (400, "InvalidParameter.RoleSessionName"),
            id="long session name",
        ),
        pytest.param(
            Response(attributes=attributes(names=("al ice",))),
            {},
            (400, "InvalidParameter.RoleSessionName"),
            id="blank in the session name",
        ),
        pytest.param(
            Response(),
            {"SAMLProviderArn": PROVIDER.replace("corp", "other")},
            (404, "EntityNotExist.SAMLProvider"),
            id="unknown provider",
        ),
        pytest.param(
            Response(), {"SAMLProviderArn": "corp"}, (400, "InvalidParameter.SAMLProviderArn"), id="provider is no ARN"
        ),
        pytest.param(Response(), {"RoleArn": "dev"}, (400, "InvalidParameter.RoleArn"), id="role is no ARN"),
        pytest.param(
            Response(attributes=attributes(roles=[role_value("Nobody")])),
            {"RoleArn": role_arn("Nobody")},
            (404, "EntityNotExist.RoleArn"),
            id="unknown role",
        ),
        pytest.param(
            Response(attributes=attributes(roles=[role_value("Automation")])),
            {"RoleArn": role_arn("Automation")},
            (403, "NoPermission"),
            id="role that does not trust the provider",
        ),
        pytest.param(
            Response(attributes=attributes(roles=[f"{role_arn('Developer', SANDBOX)},{PROVIDER}"])),
            {"RoleArn": role_arn("Developer", SANDBOX)},
            (403, "NoPermission"),
            id="role of another account",
        ),
        pytest.param(
            Response(),
            {"DurationSeconds": "7201"},
            (400, "InvalidParameter.DurationSeconds"),
            id="longer than the role",
        ),
        pytest.param(Response(), {"Policy": "{}"}, (400, "InvalidParameter.PolicyGrammar"), id="policy"),
        pytest.param(Response(), {"RoleSessionName": "alice"}, (400, "InvalidParameter"), id="no such parameter"),
    ],
)
def test_saml_request_with_one_fault_is_refused(cloud, response, parameters, expected):
    assert refuse(cloud.assume_with_saml(response, **parameters)) == expected


def test_provider_of_another_account_is_refused_even_where_the_role_trusts_it(cloud):
    foreign = role_arn("Foreign", SANDBOX)
    response = Response(attributes=attributes(roles=[f"{foreign},{PROVIDER}"]))

    by_saml = cloud.assume_with_saml(response, RoleArn=foreign)
    by_oidc = cloud.assume_with_oidc(Token(), RoleArn=role_arn("Foreign"))

    assert refuse(by_saml) == (403, "NoPermission")
    assert refuse(by_oidc) == (401, "AuthenticationFail.NoPermission")


@pytest.mark.parametrize("name", ["SAMLAssertion", "SAMLProviderArn", "RoleArn"])
def test_absent_saml_parameter_is_refused_with_its_name(cloud, name):
    given = {"SAMLAssertion": Response().encode(), "SAMLProviderArn": PROVIDER, "RoleArn": role_arn("PlatformAdmin")}
    del given[name]

    assert refuse(cloud.call("AssumeRoleWithSAML", **given)) == (400, f"MissingParameter.{name}")


def test_assertion_is_good_for_one_use_and_a_refused_use_does_not_count(cloud):
    encoded = Response().encode()

    assert refuse(cloud.assume_with_saml(encoded, DurationSeconds="1"))[0] == 400
    assert cloud.assume_with_saml(encoded)[0] == 200
    assert refuse(cloud.assume_with_saml(encoded)) == (401, "AuthenticationFail.SAMLAssertion.Invalid")


def test_metadata_that_cannot_be_had_is_the_providers_fault_and_later_works(cloud):
    metadata = cloud.documents.pop(METADATA_URL)

    assert refuse(cloud.assume_with_saml(Response())) == (401, "AuthenticationFail.IDPMetadata.Invalid")
    cloud.documents[METADATA_URL] = b"<html/>"
    assert refuse(cloud.assume_with_saml(Response())) == (401, "AuthenticationFail.IDPMetadata.Invalid")
    cloud.documents[METADATA_URL] = metadata
    cloud.clock.advance(minutes=1)
    assert cloud.assume_with_saml(Response(now=cloud.clock.now()))[0] == 200


# ── AssumeRoleWithOIDC ───────────────────────────────────────────────────────────────────────────────────────


def test_oidc_subject_becomes_the_role(cloud):
    status, answer = cloud.assume_with_oidc(Token(changes={"aud": ["sts.aliyuncs.com", "other"]}))

    assert status == 200
    assert answer["AssumedRoleUser"]["Arn"] == f"acs:ram::{SANDBOX}:role/Developer/ci-1"
    assert answer["OIDCTokenInfo"] == {
        "Subject": "team-a/ci",
        "Issuer": ISSUER,
        "ClientIds": "sts.aliyuncs.com,other",
        "ExpirationTime": format_utc(NOW + timedelta(minutes=10)),
        "IssuanceTime": format_utc(NOW),
        "VerificationInfo": "Success",
    }
    assert cloud.call_signed("GetCallerIdentity", key=read_key(answer))[1]["AccountId"] == SANDBOX


def test_oidc_token_may_be_used_again_as_workloads_do(cloud):
    token = Token().encode()

    assert [cloud.assume_with_oidc(token)[0] for _ in range(2)] == [200, 200]


@pytest.mark.parametrize(
    ("token", "parameters", "expected"),
    [
        pytest.param("", {}, (401, "AuthenticationFail.OIDCToken.Invalid"), id="empty"),
        pytest.param(
            Token(changes={"iss": "https://else.example.com"}),
            {},
            (401, "AuthenticationFail.OIDCToken.IssuerNotMatch"),
            id="issuer",
        ),
        pytest.param(
            Token(changes={"aud": "else"}), {}, (401, "AuthenticationFail.OIDCToken.AudienceNotMatch"), id="audience"
        ),
        pytest.param(Token(changes={"exp": 1}), {}, (401, "AuthenticationFail.OIDCToken.Expired"), id="expired"),
        pytest.param(Token(changes={"sub": "team-b/ci"}), {}, (401, "AuthenticationFail.NoPermission"), id="subject"),
        pytest.param(Token(changes={"sub": "team-a"}), {}, (401, "AuthenticationFail.NoPermission"), id="prefix only"),
        pytest.param(Token(changes={"sub": "*"}), {}, (401, "AuthenticationFail.NoPermission"), id="wildcard subject"),
        pytest.param(
            Token(changes={"aud": "other"}), {}, (401, "AuthenticationFail.NoPermission"), id="audience not trusted"
        ),
        pytest.param(
            Token(),
            {"OIDCProviderArn": f"acs:ram::{SANDBOX}:oidc-provider/nobody"},
            (401, "AuthenticationFail.NoPermission"),
            id="unknown provider",
        ),
        pytest.param(
            Token(), {"OIDCProviderArn": "corp"}, (401, "AuthenticationFail.NoPermission"), id="provider is no ARN"
        ),
        pytest.param(
            Token(),
            {"RoleArn": role_arn("Nobody", SANDBOX)},
            (401, "AuthenticationFail.NoPermission"),
            id="unknown role",
        ),
        pytest.param(
            Token(),
            {"RoleArn": role_arn("PlatformAdmin")},
            (401, "AuthenticationFail.NoPermission"),
            id="other account",
        ),
        pytest.param(Token(), {"RoleArn": "dev"}, (400, "InvalidParameter.RoleArn"), id="role is no ARN"),
        pytest.param(Token(), {"RoleSessionName": "a"}, (400, "InvalidParameter.RoleSessionName"), id="session name"),
        pytest.param(Token(), {"DurationSeconds": "60"}, (400, "InvalidParameter.DurationSeconds"), id="duration"),
        pytest.param(
            Token(changes={"iss": "http://issuer.example.com"}),
            {"OIDCProviderArn": f"acs:ram::{SANDBOX}:oidc-provider/plain"},
            (401, "AuthenticationFail.OIDCToken.HttpsUrlInvalid"),
            id="plain http",
        ),
    ],
)
def test_oidc_request_with_one_fault_is_refused(cloud, token, parameters, expected):
    assert refuse(cloud.assume_with_oidc(token, **parameters)) == expected


@pytest.mark.parametrize("name", ["OIDCToken", "OIDCProviderArn", "RoleArn", "RoleSessionName"])
def test_absent_oidc_parameter_is_refused_with_its_name(cloud, name):
    given = {
        "OIDCToken": Token().encode(),
        "OIDCProviderArn": f"acs:ram::{SANDBOX}:oidc-provider/corp",
        "RoleArn": role_arn("Developer", SANDBOX),
        "RoleSessionName": "ci-1",
    }
    del given[name]

    assert refuse(cloud.call("AssumeRoleWithOIDC", **given)) == (400, f"MissingParameter.{name}")


# ── the door ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("host", ["http://127.0.0.1:8082", "sts.aliyuncs.com", "127.0.0.1"])
def test_any_host_header_is_taken(cloud, host):
    answer = cloud.http.post("/", data=cloud.sign("GetCallerIdentity"), headers={"Host": host})

    assert answer.status_code == 200


def test_answers_and_refusals_are_xml_where_that_is_asked_for(cloud):
    done = cloud.http.post("/", data=cloud.sign("GetCallerIdentity", Format="XML"))
    refused = cloud.http.post("/", data={"Action": "Nothing", "Version": "2015-04-01", "Format": "xml"})

    assert ET.fromstring(done.data).findtext("AccountId") == PRODUCTION
    assert ET.fromstring(refused.data).findtext("Code") == "InvalidApi.NotFound"
    assert refused.content_type == "text/xml;charset=utf-8"


def test_every_answer_may_not_be_stored_and_carries_its_request_id(cloud):
    for answer in (cloud.http.post("/", data=cloud.sign("GetCallerIdentity")), cloud.http.get("/")):
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["x-acs-request-id"] == answer.json["RequestId"]
        assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_refused_in_the_vendors_shape(cloud, method):
    answer = cloud.http.open("/", method=method)

    assert (answer.status_code, answer.json["Code"]) == (405, "UnsupportedHTTPMethod")


def test_oversized_body_is_refused_in_the_vendors_shape(cloud):
    answer = cloud.http.post("/", data={"Action": "x" * 300_000})

    assert (answer.status_code, answer.json["Code"]) == (413, "RequestTooLarge")


def test_fault_of_ours_has_the_vendors_shape_and_shows_nothing_of_itself(cloud, caplog):
    def fail(_url):
        raise RuntimeError("secret detail")

    broken = Cloud()
    broken.documents.fetch = fail
    broken.__post_init__()

    status, body = broken.assume_with_saml(Response())

    assert (status, body["Code"]) == (500, "InternalError")
    assert "secret detail" not in json.dumps(body)
    assert body["RequestId"] in caplog.text


def test_no_issued_secret_and_no_token_reaches_a_log(cloud, caplog):
    caplog.set_level(logging.DEBUG)
    encoded, token = Response().encode(), Token().encode()
    answers = [cloud.assume_with_saml(encoded)[1], cloud.assume_with_oidc(token)[1], cloud.assume_role()[1]]
    cloud.assume_with_saml(encoded)

    for secret in [encoded, token, *(part for answer in answers for part in read_key(answer)[1:])]:
        assert secret not in caplog.text


def test_assertion_of_100_000_characters_is_taken(cloud):
    response = base64.b64decode(Response().encode())
    padded = response + b" " * (75_000 - len(response))

    assert cloud.assume_with_saml(base64.b64encode(padded).decode())[0] == 200
