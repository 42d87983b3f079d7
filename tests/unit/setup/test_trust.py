"""Trust policies by meaning: what is the same, what somebody loses, whom one admits."""

import json

import pytest

from bridge.setup.trust import (
    admit_oidc,
    admit_ram,
    admit_saml,
    encode,
    find_losses,
    find_refusal,
    normalize,
    parse_trust,
    write_trust,
)

SAML_ARN = "acs:ram::1000000000000001:saml-provider/rambridge"
OIDC_ARN = "acs:ram::1000000000000001:oidc-provider/rambridge"
ACS = "https://signin.aliyun.com/saml-role/sso"
ISSUER = "https://bridge.example.com"
SAML = admit_saml(SAML_ARN, ACS)
OIDC = admit_oidc(OIDC_ARN, ISSUER, "sts.aliyuncs.com", ["entra:*"])


def statement(condition=None, *, effect="Allow", action="sts:AssumeRole", **principal):
    return {
        "Effect": effect,
        "Action": action,
        "Principal": principal or {"Federated": SAML_ARN},
        "Condition": condition or {},
    }


def test_one_text_and_a_list_of_it_are_the_same_policy():
    listed = statement({"StringEquals": {"saml:recipient": [ACS]}}, action=["sts:AssumeRole"], Federated=[SAML_ARN])
    assert parse_trust(json.dumps({"Version": "1", "Statement": [listed]})) == write_trust([SAML])


def test_the_order_of_statements_and_of_keys_makes_no_difference():
    assert write_trust([SAML, OIDC]) == write_trust([OIDC, SAML])


def test_what_is_sent_to_ram_reads_back_as_the_same_policy():
    assert parse_trust(encode(write_trust([SAML, OIDC]))) == write_trust([SAML, OIDC])


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"Statement": ["?"]}', '{"Statement": [{"Principal": "*"}]}'])
def test_what_is_no_policy_admits_nobody(text):
    assert find_refusal(parse_trust(text), SAML)


@pytest.mark.parametrize("ours", [SAML, OIDC, admit_ram("acs:ram::1000000000000001:user/bridge")])
def test_our_own_policy_admits_us(ours):
    assert find_refusal(write_trust([ours]), ours) == ""


@pytest.mark.parametrize(
    ("theirs", "reason"),
    [
        (statement(Federated=f"{SAML_ARN}-old"), "does not name"),
        (statement(RAM="acs:ram::1000000000000001:root"), "does not name"),
        (statement({"StringEquals": {"saml:recipient": "https://other.example/sso"}}), "saml:recipient"),
        (statement({"StringLike": {"saml:recipient": "https://*.example/sso"}}), "saml:recipient"),
        (statement({"StringNotEquals": {"saml:recipient": ACS}}), "saml:recipient"),
        (statement(action="sts:AssumeRoleWithSAML"), "does not name"),
    ],
)
def test_a_policy_that_does_not_admit_us_says_why(theirs, reason):
    assert reason in find_refusal(normalize({"Version": "1", "Statement": [theirs]}), SAML)


@pytest.mark.parametrize(
    "theirs",
    [
        statement(),
        statement({"StringEquals": {"saml:recipient": ["https://other.example", ACS]}}),
        statement({"StringLike": {"saml:recipient": "https://signin.*.com/saml-role/sso"}}),
        statement(action="sts:*"),
        statement({"IpAddress": {"acs:SourceIp": "203.0.113.0/24"}}),
    ],
)
def test_a_policy_that_admits_us_in_other_words_is_taken(theirs):
    assert find_refusal(normalize({"Version": "1", "Statement": [theirs]}), SAML) == ""


def test_a_denial_counts_more_than_what_is_allowed():
    denial = statement(effect="Deny")
    assert "denies" in find_refusal(normalize({"Version": "1", "Statement": [SAML, denial]}), SAML)


def test_brackets_in_a_pattern_are_letters():
    theirs = statement({"StringLike": {"saml:recipient": "https://[s]ignin.aliyun.com/saml-role/sso"}})
    assert find_refusal(normalize({"Version": "1", "Statement": [theirs]}), SAML)


@pytest.mark.parametrize(
    ("before", "loss"),
    [
        (statement(RAM="acs:ram::1000000000000001:root"), "acs:ram::1000000000000001:root may become"),
        (statement({"StringEquals": {"saml:recipient": ACS}, "IpAddress": {"acs:SourceIp": "::1"}}), "acs:SourceIp"),
        (statement(effect="Deny", RAM="acs:ram::1000000000000001:user/eve"), "denies goes"),
    ],
)
def test_what_somebody_loses_or_what_gets_looser_is_named(before, loss):
    (found,) = find_losses(normalize({"Version": "1", "Statement": [before, SAML]}), write_trust([SAML]))
    assert loss in found


def test_a_policy_that_gets_tighter_for_us_loses_nothing():
    loose = statement({"StringEquals": {"oidc:iss": ISSUER}}, Federated=OIDC_ARN)
    assert list(find_losses(normalize({"Version": "1", "Statement": [loose]}), write_trust([OIDC]))) == []
