"""A workload becomes exactly the role that a rule grants it, and what is like it becomes nothing (threat STS-10)."""

import time
from datetime import timedelta

import pytest
import requests
from click.testing import CliRunner

from bridge.cli.kept_sign_ins import open_kept_sign_ins
from bridge.cli.main import main
from bridge.clock import SystemClock
from bridge.settings import load_settings
from tests.attacks.sts.rig import ACCOUNT, AUDIENCE, code_of, unsigned


@pytest.mark.parametrize(
    ("provider", "role"), [("github", "Developer"), ("gitlab", "DataScientist"), ("pods", "Developer")]
)
def test_t_sts_10_a_workload_becomes_the_role_that_its_rule_grants(rig, provider, role):
    token = rig.issuers[provider].token()

    answer = rig.assume(token, role, provider, RoleSessionName="first")

    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["AssumedRoleUser"]["Arn"] == f"acs:ram::{ACCOUNT}:role/{role}/first"
    assert body["AssumedRoleUser"]["AssumedRoleId"].endswith(":first")
    assert body["Credentials"]["AccessKeyId"].startswith("STS.")
    assert body["OIDCTokenInfo"]["ClientIds"] == AUDIENCE
    assert body["OIDCTokenInfo"]["Issuer"] == rig.issuers[provider].url
    assert "Code" not in body
    reference = body["RequestId"]
    events = [each["event"] for each in rig.records() if each["reference"] == reference]
    assert events == [
        "sign_in.accepted", "entitlements.resolved", "choice.made", "exchange.issued", "delivery.credentials",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("provider", "role", "changes"),
    [
        pytest.param("github", "Developer", {"sub": "repo:mallory/app:ref:refs/heads/main"}, id="a fork"),
        pytest.param("github", "Developer", {"sub": "repo:acme/app:ref:refs/heads/dev"}, id="another branch"),
        pytest.param("github", "Developer", {"sub": "repo:acme/other:ref:refs/heads/main"}, id="another repository"),
        pytest.param("github", "Developer", {"sub": "repo:acme/app:pull_request"}, id="a pull request"),
        pytest.param("github", "Developer", {"sub": "repo:acme/app:environment:prod"}, id="an environment"),
        pytest.param("github", "Developer", {"sub": "repo:acme-evil/app:ref:refs/heads/main"}, id="a look-alike"),
        pytest.param("github", "Developer", {"sub": "repo:Acme/app:ref:refs/heads/main"}, id="another case"),
        pytest.param("github", "Developer", {"repository_owner_id": "666"}, id="the name taken over by another owner"),
        pytest.param("github", "Developer", {"sub": "repo:acme/*"}, id="a wildcard in the token"),
        pytest.param("github", "Developer", {"sub": "*"}, id="a wildcard as the token's subject"),
        pytest.param("github", "ReadOnly", {"sub": "repo:acme/app:ref:refs/tags/v1"}, id="a tag"),
        pytest.param("github", "ReadOnly", {"sub": "repo:acme/app:ref:refs/heads/"}, id="no branch at all"),
        pytest.param("github", "DataScientist", {}, id="another workload's role"),
        pytest.param("github", "FinanceAuditor", {}, id="a role that everybody has, of people"),
        pytest.param("github", "NoSuchRole", {}, id="no role"),
        pytest.param("gitlab", "DataScientist", {"sub": "project_path:evil/app:ref_type:branch:ref:main"}, id="fork"),
        pytest.param("gitlab", "DataScientist", {"sub": "project_path:acme/app:ref_type:tag:ref:main"}, id="tag"),
        pytest.param("gitlab", "DataScientist", {"sub": "project_path:acme/app:ref_type:branch:ref:x"}, id="branch"),
        pytest.param("pods", "Developer", {"sub": "system:serviceaccount:other:deployer"}, id="another namespace"),
        pytest.param("pods", "Developer", {"sub": "system:serviceaccount:shop:default"}, id="another account"),
    ],
)
def test_t_sts_10_what_is_only_like_it_gets_nothing_and_the_record_says_why(rig, provider, role, changes):
    account = "1000000000000001" if role == "FinanceAuditor" else ACCOUNT
    answer = rig.assume(
        rig.issuers[provider].token(**changes),
        role,
        provider,
        RoleArn=rig.role(role, account),
        OIDCProviderArn=f"acs:ram::{account}:oidc-provider/{provider}",
    )

    assert answer.status_code == 401
    assert code_of(answer) == "AuthenticationFail.NoPermission"
    refusal = next(each for each in rig.records("choice.refused") if each["reference"] == answer.json()["RequestId"])
    assert refusal["code"] == "not_entitled"
    if role in {"Developer", "DataScientist"} and provider != "github":
        assert "`sub` has none of" in refusal["detail"]
    if changes.get("sub", "").startswith("repo:mallory"):
        assert "deploy-from-main: " in refusal["detail"]
        assert "`sub` has none of: repo:acme/app:ref:refs/heads/main" in refusal["detail"]
    assert refusal["subject"] == changes.get("sub", refusal["subject"])


def test_t_sts_10_a_pattern_grants_every_branch_and_narrows_it_by_the_rules_policy(rig):
    for branch in ("dev", "feature/x", "main", "*"):
        answer = rig.assume(rig.issuers["github"].token(sub=f"repo:acme/app:ref:refs/heads/{branch}"), "ReadOnly")
        assert answer.status_code == 200, answer.text
    assert rig.records("exchange.issued")[-1]["session_policy_digest"]


REFUSED = {
    "another audience": ({"aud": "sts.aliyuncs.com"}, "AudienceNotMatch"),
    "for somebody else as well": ({"aud": [AUDIENCE, "https://other.example"]}, "AudienceNotMatch"),
    "no audience": ({"aud": None}, "AudienceNotMatch"),
    "an empty list of audiences": ({"aud": []}, "AudienceNotMatch"),
    "another issuer": ({"iss": "https://token.actions.githubusercontent.com"}, "IssuerNotMatch"),
    "expired": ({"iat": 1_700_000_000, "exp": 1_700_000_300}, "Expired"),
    "valid for ten years": ({"exp": 2_100_000_000}, "Expired"),
    "no expiry": ({"exp": None}, "Expired"),
    "issued tomorrow": ({"iat": 4_000_000_000, "exp": 4_000_000_300}, "Invalid"),
    "no subject": ({"sub": None}, "Invalid"),
    "a subject of two lines": ({"sub": "repo:acme/app:ref:refs/heads/main\n"}, "Invalid"),
    "a list as subject": ({"sub": ["repo:acme/app:ref:refs/heads/main"]}, "Invalid"),
    "another organization": ({"repository_owner": "mallory"}, "Invalid"),
    "a required claim as a list": ({"repository_owner": ["acme"]}, "Invalid"),
    "a number for an identifier": ({"jti": 7}, "Invalid"),
}


@pytest.mark.parametrize(("changes", "code"), REFUSED.values(), ids=REFUSED)
def test_t_sts_10_a_token_that_states_something_else_is_refused(rig, changes, code):
    answer = rig.assume(rig.issuers["github"].token(**changes))

    assert answer.status_code == 401
    assert code_of(answer) == f"AuthenticationFail.OIDCToken.{code}"
    refusal = rig.records("sign_in.refused")[-1]
    assert refusal["reference"] == answer.json()["RequestId"]
    assert refusal["protocol"] == "workload"
    assert refusal["checks"][-1][1] == "fail"


def test_t_sts_10_a_token_that_its_issuer_did_not_sign_is_refused(rig):
    github, gitlab = rig.issuers["github"], rig.issuers["gitlab"]
    good = github.token()
    cases = {
        github.token(key=gitlab.key): "InvalidSignature",
        github.token(key=gitlab.key, header={"kid": gitlab.key.kid}): "InvalidSignature",
        unsigned(good): "InvalidSignature",
        good[:-4] + ("AAAA" if good[-4:] != "AAAA" else "BBBB"): "InvalidSignature",
        "garbage": "Invalid",
        "a.b.c": "Invalid",
        "a" * 20_001: "Invalid",
        good.replace(".", "..", 1): "Invalid",
        github.token(header={"typ": "logout+jwt"}): "Invalid",
        github.token(header={"jku": "https://evil.example/keys"}): "Invalid",
    }
    for token, code in cases.items():
        assert code_of(rig.assume(token)) == f"AuthenticationFail.OIDCToken.{code}", token[:60]
    assert rig.assume(good).status_code == 200


def test_t_sts_10_the_token_of_one_issuer_is_none_of_another(rig):
    answer = rig.assume(rig.issuers["gitlab"].token(), "Developer", "github")

    assert code_of(answer) == "AuthenticationFail.OIDCToken.InvalidSignature"


def test_t_sts_10_a_token_is_used_once_where_its_issuer_gives_a_new_one_each_time(rig):
    token, anonymous = rig.issuers["github"].token(), rig.issuers["github"].token(jti=None)

    for each in (token, anonymous):
        assert rig.assume(each).status_code == 200
        answer = rig.assume(each)
        assert code_of(answer) == "AuthenticationFail.OIDCToken.Invalid"
        assert rig.records("sign_in.refused")[-1]["code"] == "oidc_replay"


def test_a_pod_shows_the_same_token_for_each_refresh_with_its_files_last_newline(rig):
    token = rig.issuers["pods"].token()

    for _ in range(3):
        assert rig.assume(token + "\n", "Developer", "pods").status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"OIDCProviderArn": f"acs:ram::{ACCOUNT}:oidc-provider/nobody"}, id="unknown provider"),
        pytest.param({"OIDCProviderArn": "acs:ram::1000000000000001:oidc-provider/github"}, id="of another account"),
        pytest.param({"OIDCProviderArn": f"acs:ram::{ACCOUNT}:saml-provider/github"}, id="a SAML provider"),
        pytest.param({"OIDCProviderArn": f"acs:ram::{ACCOUNT}:oidc-provider/acme-oidc"}, id="a provider of people"),
        pytest.param({"OIDCProviderArn": "github"}, id="no ARN"),
        pytest.param(
            {
                "OIDCProviderArn": "acs:ram::9999999999999999:oidc-provider/github",
                "RoleArn": "acs:ram::9999999999999999:role/Developer",
            },
            id="an account that is not ours",
        ),
    ],
)
def test_t_sts_08_provider_and_role_are_of_one_account_of_ours(rig, changes):
    answer = rig.assume(rig.issuers["github"].token(), **changes)

    assert answer.status_code == 401
    assert code_of(answer) == "AuthenticationFail.NoPermission"


def test_every_client_shape_is_read(rig):
    github = rig.issuers["github"]
    junk = {"AccessKeyId": "junk", "Signature": "junk", "SignatureMethod": "HMAC-SHA1", "RegionId": "cn-hangzhou"}

    def parameters():
        return rig.oidc(github.token())

    assert rig.post(query=parameters()).status_code == 200
    assert requests.get(f"{rig.url}/", params=parameters(), timeout=60).status_code == 200
    assert requests.get(rig.url, params=parameters() | junk, timeout=60).status_code == 200
    given = parameters()
    head = {name: given.pop(name) for name in ("Action", "Version", "Timestamp", "Format")}
    assert rig.post(given, head).status_code == 200
    answer = rig.post(parameters(), headers={"Host": f"http://{rig.url.removeprefix('http://')}"})
    assert answer.status_code == 200
    answer = rig.post(parameters() | {"Format": "XML"})
    assert answer.text.startswith('<?xml version="1.0" encoding="UTF-8"?><AssumeRoleWithOIDCResponse>')
    assert answer.headers["Content-Type"] == "text/xml;charset=utf-8"
    answer = rig.post(rig.oidc("x.y.z", Format="xml"))
    assert "<Error>" in answer.text


def test_trace_explains_a_refusal_by_the_request_id_that_the_sdk_shows(rig):
    answer = rig.assume(rig.issuers["github"].token(aud="sts.aliyuncs.com"))

    command = ["--config", str(rig.installation.config), "trace", answer.json()["RequestId"].lower()]
    shown = CliRunner().invoke(main, command)

    assert shown.exit_code == 0, shown.output
    assert "Sign-in refused: oidc_aud" in shown.output
    assert "The token is meant for us alone" in shown.output
    assert "sts.aliyuncs.com" in shown.output


def test_t_sts_10_strangers_jobs_are_not_kept_and_so_make_no_change_of_the_rules_look_small(rig):
    begun, gitlab = SystemClock().now(), rig.issuers["gitlab"]
    for number in range(3):
        stranger = gitlab.token(sub=f"project_path:stranger/x{number}:ref_type:branch:ref:main")
        assert rig.assume(stranger, "DataScientist", "gitlab").status_code == 401
    assert rig.assume(gitlab.token(), "DataScientist", "gitlab").status_code == 200
    kept, until = [], time.monotonic() + 120
    with open_kept_sign_ins(load_settings(rig.installation.config)) as history:
        while not kept and time.monotonic() < until:  # kept in the order in which they came
            time.sleep(0.1)
            kept = list(history.read(begun, begun + timedelta(minutes=10)))
    assert {each.identity.provider for each in kept} == {"gitlab"}
    assert [bool(each.applied) for each in kept] == [True]
