"""Policies: the strict grammar, deny over allow, every operator, and patterns that come from documents alone."""

import json
import time

import pytest

from bridge.sandbox.cloud.policy import (
    MAX_POLICY_BYTES,
    PermissionPolicy,
    TrustPolicy,
    parse_session_policy,
    parse_trust_policy,
)
from bridge.sts_wire.reply import STSFault

PROVIDER = "acs:ram::1000000000000001:oidc-provider/corp"
GOOD = {"Version": "1", "Statement": [{"Effect": "Allow", "Action": "oss:Get*", "Resource": "*"}]}


def write(**changes):
    return json.dumps({"Version": "1", "Statement": [GOOD["Statement"][0] | changes]})


def trust(effect="Allow", action="sts:AssumeRole", principal=None, condition=None):
    return {
        "Effect": effect,
        "Action": action,
        "Principal": principal or {"Federated": PROVIDER},
        **({"Condition": condition} if condition else {}),
    }


def allows(*statements, context=None, names=(PROVIDER,), kind="Federated"):
    policy = TrustPolicy.model_validate({"Version": "1", "Statement": statements})
    return policy.allows(kind, frozenset(names), context or {})


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(json.dumps(GOOD), id="plain"),
        pytest.param(write(Effect="Deny"), id="deny"),
        pytest.param(write(Action=["oss:Get*", "oss:List*"]), id="several actions"),
        pytest.param(write(Condition={"Bool": {"acs:MFAPresent": True}}), id="boolean"),
        pytest.param(write(Condition={"IpAddress": {"acs:SourceIp": ["10.0.0.0/8"]}}), id="condition"),
        pytest.param('{"Version":"1","Statement":[{"Effect":"Deny","NotAction":"a:*","NotResource":"b"}]}', id="not"),
    ],
)
def test_session_policy_of_the_documented_grammar_is_accepted(text):
    assert parse_session_policy(text).version == "1"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("null", id="null"),
        pytest.param("[]", id="array"),
        pytest.param("{", id="not JSON"),
        pytest.param(json.dumps(GOOD | {"Version": "2012-10-17"}), id="AWS's version"),
        pytest.param(json.dumps(GOOD | {"Version": 1}), id="version is a number"),
        pytest.param(json.dumps(GOOD | {"Statement": []}), id="no statement"),
        pytest.param(json.dumps(GOOD | {"Statement": GOOD["Statement"][0]}), id="statement is no array"),
        pytest.param(json.dumps(GOOD | {"Id": "x"}), id="unknown member"),
        pytest.param(json.dumps({"version": "1", "statement": GOOD["Statement"]}), id="case of members"),
        pytest.param(write(Effect="allow"), id="case of the effect"),
        pytest.param(write(Effect="Permit"), id="unknown effect"),
        pytest.param(write(Principal={"RAM": "*"}), id="principal"),
        pytest.param(write(Action=[]), id="no action"),
        pytest.param(write(Action=""), id="empty action"),
        pytest.param(write(Action=None), id="null action"),
        pytest.param(write(Action=[["oss:*"]]), id="nested action"),
        pytest.param(write(NotAction="oss:*"), id="Action and NotAction"),
        pytest.param(write(NotResource="x"), id="Resource and NotResource"),
        pytest.param(write(Condition={"Null": {"a": "true"}}), id="operator of another cloud"),
        pytest.param(write(Condition={"StringEqualsIfExists": {"a": "b"}}), id="IfExists"),
        pytest.param(write(Condition={"StringEquals": {"a": None}}), id="null in a condition"),
        pytest.param('{"Version":"1","Version":"1","Statement":[]}', id="member twice"),
        pytest.param(
            '{"Version":"1","Statement":[{"Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"}]}',
            id="effect twice",
        ),
        pytest.param(write(Condition={"NumericEquals": {"a": float("nan")}}), id="NaN"),
        pytest.param("[" * 2000, id="deep"),
        pytest.param('{"a":' * 330 + "1" + "}" * 330, id="deep object"),
    ],
)
def test_session_policy_of_another_grammar_is_refused(text):
    with pytest.raises(STSFault) as refused:
        parse_session_policy(text)

    assert refused.value.code == "InvalidParameter.PolicyGrammar"


@pytest.mark.parametrize("padding", ["x", "策"])
def test_session_policy_is_bounded_in_bytes(padding):
    room = MAX_POLICY_BYTES - len(write(Resource="").encode())
    fitting = room // len(padding.encode())

    assert parse_session_policy(write(Resource="").replace('""', f'"{padding * fitting}"'))
    with pytest.raises(STSFault) as refused:
        parse_session_policy(write(Resource="").replace('""', f'"{padding * (fitting + 1)}"'))
    assert refused.value.code == "InvalidParameter.PolicySize"


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        pytest.param([trust()], True, id="allowed"),
        pytest.param([trust(action="sts:*")], True, id="wildcard action"),
        pytest.param([trust(action="STS:assumerole")], True, id="actions have no case"),
        pytest.param([trust(action="sts:AssumeRoleWithOIDC")], False, id="another action"),
        pytest.param([trust(principal={"RAM": PROVIDER.replace("oidc-provider", "role")})], False, id="another kind"),
        pytest.param([trust(principal={"Federated": f"{PROVIDER}2"})], False, id="longer name"),
        pytest.param([trust(principal={"Service": "ecs.aliyuncs.com"})], False, id="service"),
        pytest.param([trust(), trust("Deny")], False, id="deny wins"),
        pytest.param([trust("Deny"), trust()], False, id="deny wins in any order"),
        pytest.param([trust("Deny")], False, id="deny alone"),
        pytest.param(
            [trust(), trust("Deny", condition={"StringEquals": {"oidc:sub": "else"}})], True, id="deny that is not met"
        ),
    ],
)
def test_trust_policy_decides_by_principal_action_and_effect(statements, expected):
    assert allows(*statements, context={"oidc:sub": ("team-a/ci",)}) is expected


@pytest.mark.parametrize(
    "principal",
    [
        pytest.param({}, id="nobody"),
        pytest.param({"RAM": []}, id="empty list"),
        pytest.param({"RAM": "*"}, id="everybody"),
        pytest.param({"Federated": "*"}, id="every provider"),
        pytest.param({"RAM": PROVIDER}, id="provider among RAM's"),
        pytest.param({"Federated": "acs:ram::1000000000000001:role/x"}, id="role among providers"),
        pytest.param({"RAM": "acs:ram::1000000000000001:role/*"}, id="every role"),
        pytest.param({"RAM": "arn:aws:iam::1000000000000001:root"}, id="AWS's name"),
        pytest.param({"RAM": "acs:ram::1000000000000001:root\n"}, id="newline"),
        pytest.param({"Service": "ecs.example.com"}, id="service elsewhere"),
        pytest.param({"AWS": "acs:ram::1000000000000001:root"}, id="AWS's kind"),
    ],
)
def test_trust_policy_for_nobody_in_particular_is_refused(principal):
    with pytest.raises(STSFault) as refused:
        parse_trust_policy(json.dumps({"Version": "1", "Statement": [trust() | {"Principal": principal}]}))

    assert refused.value.code == "MalformedPolicyDocument"


CONTEXT = {
    "oidc:sub": ("team-a/ci",),
    "oidc:aud": ("one", "two"),
    "acs:SourceIp": ("10.1.2.3",),
    "acs:CurrentTime": ("2026-03-04T05:06:07Z",),
    "acs:MFAPresent": ("true",),
    "level": ("10",),
    "odd": ("[",),
}


@pytest.mark.parametrize(
    ("operator", "key", "wanted", "expected"),
    [
        ("StringEquals", "oidc:sub", "team-a/ci", True),
        ("StringEquals", "oidc:sub", "team-a/*", False),
        ("StringEquals", "oidc:sub", "Team-A/ci", False),
        ("StringEquals", "oidc:sub", ["x", "team-a/ci"], True),
        ("StringEquals", "oidc:aud", "two", True),
        ("StringEquals", "absent", "x", False),
        ("StringNotEquals", "oidc:sub", "x", True),
        ("StringNotEquals", "oidc:aud", "two", False),
        ("StringNotEquals", "absent", "x", False),
        ("StringEqualsIgnoreCase", "oidc:sub", "TEAM-A/CI", True),
        ("StringNotEqualsIgnoreCase", "oidc:sub", "TEAM-A/CI", False),
        ("StringLike", "oidc:sub", "team-a/*", True),
        ("StringLike", "oidc:sub", "team-?/ci", True),
        ("StringLike", "oidc:sub", "team-a", False),
        ("StringLike", "oidc:sub", "team.a/ci", False),
        ("StringLike", "oidc:sub", "*a*a/*i", True),
        ("StringLike", "oidc:sub", "t*m-?*/ci*", True),
        ("StringLike", "oidc:sub", "*ci*ci", False),
        ("StringLike", "oidc:sub", "team-a/ci*i", False),
        ("StringLike", "oidc:sub", "**", True),
        ("StringLike", "odd", "[", True),
        ("StringNotLike", "oidc:sub", "team-a/*", False),
        ("Bool", "acs:MFAPresent", "true", True),
        ("Bool", "acs:MFAPresent", "false", False),
        ("IpAddress", "acs:SourceIp", "10.0.0.0/8", True),
        ("IpAddress", "acs:SourceIp", "10.1.2.3", True),
        ("IpAddress", "acs:SourceIp", "192.168.0.0/16", False),
        ("IpAddress", "acs:SourceIp", "nonsense", False),
        ("NotIpAddress", "acs:SourceIp", "192.168.0.0/16", True),
        ("NumericEquals", "level", "10.0", True),
        ("NumericNotEquals", "level", "10", False),
        ("NumericLessThan", "level", "9", False),
        ("NumericLessThan", "level", "100", True),
        ("NumericLessThanEquals", "level", 10, True),
        ("NumericGreaterThan", "level", "9", True),
        ("NumericGreaterThanEquals", "level", "11", False),
        ("NumericEquals", "odd", "1", False),
        ("DateGreaterThan", "acs:CurrentTime", "2026-01-01T00:00:00Z", True),
        ("DateLessThan", "acs:CurrentTime", "2026-01-01T00:00:00Z", False),
        ("DateLessThan", "acs:CurrentTime", "tomorrow", False),
        ("DateLessThan", "acs:CurrentTime", "2027-01-01T00:00:00", False),
    ],
)
def test_condition_is_met_as_its_operator_says(operator, key, wanted, expected):
    assert allows(trust(condition={operator: {key: wanted}}), context=CONTEXT) is expected


def test_pattern_of_many_wildcards_is_decided_at_once():
    policy = PermissionPolicy.model_validate(
        {"Version": "1", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*a" * 500 + "b"}]}
    )
    start = time.process_time()

    assert policy.find_deciding("Allow", "sts:AssumeRole", "acs:ram::1:role/" + "a" * 64, {}) is None
    assert time.process_time() - start < 1


def test_all_keys_and_operators_of_a_condition_must_be_met():
    met = {"StringEquals": {"oidc:aud": "one"}, "StringLike": {"oidc:sub": "team-a/*"}}

    assert allows(trust(condition=met), context=CONTEXT)
    assert not allows(trust(condition=met | {"StringLike": {"oidc:sub": "team-b/*"}}), context=CONTEXT)


def test_wildcard_in_a_token_is_not_a_pattern():
    statement = trust(condition={"StringLike": {"oidc:sub": "team-a/ci"}})

    assert not allows(statement, context={"oidc:sub": ("*",)})


def test_pattern_covers_a_newline_only_where_its_wildcard_is():
    statement = trust(condition={"StringLike": {"oidc:sub": "team-a/ci"}})

    assert not allows(statement, context={"oidc:sub": ("team-a/ci\n",)})
