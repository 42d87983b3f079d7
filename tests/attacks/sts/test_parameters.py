"""Names, policies, actions, durations and amounts (STS-06 to STS-09, STS-12, STS-14), each beside one that is taken."""

import json
from contextlib import suppress

import pytest
import requests

from tests.attacks.sts.rig import ACCOUNT, Credentials, code_of, running_rig


@pytest.fixture
def ask(rig):
    def ask(**changes):
        role = changes.pop("role", "Developer")
        return rig.assume(rig.issuers["pods"].token(), role, "pods", **changes)

    return ask


@pytest.mark.parametrize(
    "name",
    ["x", "x" * 65, "a b", "a/b", "a:b", "name\n", "na\x7fme", "林薇", "ｃｉ", "${user}", "=cmd|calc", "a,b", "a+b"],
)  # fmt: skip
def test_t_sts_06_a_session_name_of_other_letters_is_refused(ask, name):
    assert code_of(ask(RoleSessionName=name)) == "InvalidParameter.RoleSessionName"


def test_t_sts_06_session_names_are_taken_as_they_are(ask):
    assert code_of(ask(RoleSessionName="")) == "MissingParameter.RoleSessionName"
    for name in ("ci", "x" * 64, "Build.42@acme_x-y", "credentials-python-1764412345"):
        answer = ask(RoleSessionName=name)
        assert answer.status_code == 200, answer.text
        assert answer.json()["AssumedRoleUser"]["Arn"].endswith(f"/{name}")


ALLOW = {"Effect": "Allow", "Action": "oss:Get*", "Resource": "*"}


def policy(**changes):
    return json.dumps({"Version": "1", "Statement": [ALLOW | changes]})


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('{"Version":"1","Statement":[{"Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"}]}', "Grammar"),
        (policy().replace('"1"', '"2012-10-17"'), "Grammar"),
        (policy(Effect="Maybe"), "Grammar"),
        (policy(Principal={"RAM": "*"}), "Grammar"),
        (policy(NotAction="x"), "Grammar"),
        ('{"Version":"1","Statement":[NaN]}', "Grammar"),
        ("[" * 1000, "Grammar"),
        ("not JSON", "Grammar"),
        ("[]", "Grammar"),
        (policy(Resource="acs:oss:*:*:" + "x" * 2049), "Size"),
        (policy().ljust(2049), "Size"),
    ],
)
def test_t_sts_07_a_policy_that_is_none_is_refused(ask, text, code):
    assert code_of(ask(Policy=text)) == f"InvalidParameter.Policy{code}"


def test_t_sts_07_a_policy_narrows_and_never_replaces_the_rules_own(rig, ask):
    wide = '{"Version": "1", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'

    assert ask(Policy=policy(Resource="acs:oss:*:*:asked-for-here-alone")).status_code == 200
    assert rig.records("exchange.issued")[-1]["session_policy_digest"]
    branch = rig.issuers["github"].token(sub="repo:acme/app:ref:refs/heads/dev")
    answer = rig.assume(branch, "ReadOnly", Policy=wide)
    assert (answer.status_code, code_of(answer)) == (403, "NoPermission")
    assert rig.records("choice.refused")[-1]["code"] == "sts_policy_twice"


@pytest.mark.parametrize("role", ["Developer", "ReadOnly"])
def test_t_sts_07_a_session_that_its_caller_narrowed_becomes_no_other_role(rig, role):
    narrowed, whole = (rig.issue("Developer", "pods", **more) for more in ({"Policy": policy()}, {}))
    asked = {"Action": "AssumeRole", "RoleArn": rig.role(role), "RoleSessionName": "next"}

    for more in ({}, {"Policy": policy()}):
        refused = rig.post(rig.sign_v1(narrowed, **asked, **more))
        assert (refused.status_code, code_of(refused)) == (403, "NoPermission")
        assert rig.records("choice.refused")[-1]["code"] == "sts_session_narrowed"
    assert rig.post(rig.sign_v1(narrowed)).status_code == 200
    assert rig.post(rig.sign_v1(whole, **asked)).status_code == 200


def test_t_sts_07_a_chain_that_narrows_ends_there(rig):
    asked = {"Action": "AssumeRole", "RoleArn": rig.role("ReadOnly"), "RoleSessionName": "next"}
    answer = rig.post(rig.sign_v1(rig.issue("Developer", "pods"), **asked, Policy=policy()))
    assert answer.status_code == 200, answer.text
    issued = answer.json()["Credentials"]
    narrowed = Credentials(issued["AccessKeyId"], issued["AccessKeySecret"], issued["SecurityToken"])

    assert code_of(rig.post(rig.sign_v1(narrowed, **asked))) == "NoPermission"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Action": "assumerolewithoidc"}, "InvalidApi.NotFound"),
        ({"Action": "GenerateSessionAccessKey"}, "InvalidApi.NotFound"),
        ({"Action": "AssumeRoleWithOIDC\n"}, "InvalidApi.NotFound"),
        ({"Version": "2014-01-01"}, "InvalidVersion"),
        ({"Format": "YAML"}, "InvalidParameter.Format"),
        ({"RoleArn": f"acs:ram::{ACCOUNT}:role/*"}, "InvalidParameter.RoleArn"),
        ({"RoleArn": f"acs:ram::{ACCOUNT}:user/Developer"}, "InvalidParameter.RoleArn"),
        ({"RoleArn": f"aws:ram::{ACCOUNT}:role/Developer"}, "InvalidParameter.RoleArn"),
        ({"RoleArn": f"acs:ram::{ACCOUNT}:role/Developer\n"}, "InvalidParameter.RoleArn"),
        ({"RoleArn": f"acs:ram::{ACCOUNT}:role/../Developer"}, "InvalidParameter.RoleArn"),
        ({"RoleArn": f"acs:ram::{ACCOUNT}:role/A,acs:ram::{ACCOUNT}:role/B"}, "InvalidParameter.RoleArn"),
        ({"RoleArn": "acs:ram::１０００００００００００００２:role/Developer"}, "InvalidParameter.RoleArn"),
        ({"RoleArn": None}, "MissingParameter.RoleArn"),
        ({"OIDCToken": None}, "MissingParameter.OIDCToken"),
        ({"OIDCToken": ""}, "MissingParameter.OIDCToken"),
        ({"OIDCProviderArn": None}, "MissingParameter.OIDCProviderArn"),
    ],
)  # fmt: skip
def test_t_sts_08_another_action_version_or_arn_is_refused(ask, changes, code):
    assert code_of(ask(**changes)) == code


def test_t_sts_08_an_unknown_role_and_one_that_is_not_granted_look_the_same(rig, ask):
    answers = [ask(role=role) for role in ("NoSuchRole", "DataScientist")]
    bodies = [{name: value for name, value in answer.json().items() if name != "RequestId"} for answer in answers]

    assert bodies[0] == bodies[1]
    assert ask().status_code == 200


@pytest.mark.parametrize(
    "seconds",
    ["0", "-1", "899", "43201", "9" * 400, "3600.5", "1e3", " 3600", "3600 ", "٣٦٠٠", "3_600", "+3600", "0x384", "",
     "7200"],
)  # fmt: skip
def test_t_sts_09_a_duration_out_of_bounds_or_of_other_digits_is_refused(ask, seconds):
    answer = ask(DurationSeconds=seconds)

    assert answer.status_code == 400
    assert code_of(answer) == "InvalidParameter.DurationSeconds"


def test_t_sts_09_durations_up_to_the_limit_are_given(rig, ask):
    for seconds in ("900", "3600"):
        assert ask(DurationSeconds=seconds).status_code == 200
        assert rig.records("exchange.issued")[-1]["duration_seconds"] == int(seconds)
    assert ask().status_code == 200
    assert rig.records("exchange.issued")[-1]["duration_seconds"] == 3600
    assert rig.issue("Developer", "github", DurationSeconds="7200"), "this rule allows two hours"


def test_t_sts_12_what_is_too_much_is_refused(rig, ask):
    good = rig.oidc(rig.issuers["pods"].token(), "Developer", "pods")

    assert rig.post(good | {"Policy": "x" * 300_000}).status_code == 413
    many = good | {f"P{number}": "x" for number in range(300)}
    assert code_of(rig.post(many)) == "InvalidParameter"
    assert requests.put(f"{rig.url}/?Action=AssumeRole", timeout=60).status_code == 405
    assert rig.post(good).status_code == 200


def test_t_sts_12_calls_above_the_budget_are_told_to_wait(tmp_path):
    settings = "\nsts: {calls_per_minute_per_address: 30, calls_per_minute_per_caller: 3}\n"
    with running_rig(tmp_path, settings) as rig:
        answers = [rig.assume(rig.issuers["pods"].token(), "Developer", "pods") for _ in range(8)]
        throttled = [answer for answer in answers if answer.status_code != 200]
        assert answers[0].status_code == 200
        assert throttled, "three of eight in the same minute, or six where it turned"
        for answer in throttled:
            assert answer.status_code == 429
            assert code_of(answer) == "Throttling"
            assert 1 <= int(answer.headers["Retry-After"]) <= 60
            assert int(answer.headers["x-acs-retry-after"]) == 1000 * int(answer.headers["Retry-After"])
        other = rig.assume(rig.issuers["gitlab"].token(), "DataScientist", "gitlab")
        assert other.status_code == 200, "each caller has its own"
        statuses = {rig.post({"Action": "GetCallerIdentity"}).status_code for _ in range(70)}
        assert statuses == {400, 429}


def test_t_sts_14_an_answer_with_credentials_is_kept_nowhere(rig, ask):
    answer = ask()

    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Pragma"] == "no-cache"
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]
    issued = answer.json()["Credentials"]
    written = json.dumps(rig.records())
    assert issued["AccessKeyId"] in written
    secrets = [issued["AccessKeySecret"], issued["SecurityToken"]]
    for file in rig.installation.folder.rglob("*"):
        with suppress(FileNotFoundError):  # SQLite and the sandbox remove and replace theirs at any time
            content = file.read_bytes() if file.is_file() else b""
            assert not [secret for secret in secrets if secret.encode() in content], file
    preflight = requests.options(
        f"{rig.url}/?Action=AssumeRole", headers={"Origin": "https://evil.example"}, timeout=60
    )
    assert preflight.status_code == 405
    assert not [name for name in preflight.headers if name.lower().startswith("access-control-")]


def test_pages_stay_pages_at_the_same_address(rig):
    page = requests.get(f"{rig.url}/", timeout=60)

    assert page.status_code == 200
    assert "text/html" in page.headers["Content-Type"]
