"""Session policies with placeholders: what a claim puts in never becomes more than a plain value."""

import json

import pytest

from bridge.entitlements.expressions import bind_variables
from bridge.entitlements.policy_templates import compile_policy
from tests.unit.entitlements.factories import NOW, make_identity


def policy(**members):
    return {
        "Version": "1",
        "Statement": [
            {"Effect": "Allow", "Action": "oss:Get*", "Resource": "acs:oss:*:*:b/${ claims.uid }/*"} | members
        ],
    }


def fill(written, **claims):
    template, flaws = compile_policy(written)
    assert flaws == ()
    made, why = template.fill(bind_variables(make_identity(claims=claims), NOW, None))
    return made, why.english if why else ""


def test_placeholders_in_resources_and_in_conditions_on_text_are_filled():
    condition = {"StringLike": {"oss:Prefix": ["public/*", "${ claims.team }/${ claims.uid }/*"]}}
    filled, reason = fill(policy(Condition=condition), uid="lin.wei", team="ops")
    assert reason == ""
    (statement,) = json.loads(filled)["Statement"]
    assert statement["Resource"] == "acs:oss:*:*:b/lin.wei/*"
    assert statement["Condition"] == {"StringLike": {"oss:Prefix": ["public/*", "ops/lin.wei/*"]}}


def test_filling_changes_nothing_but_the_placeholder_and_never_the_template():
    template, _ = compile_policy(policy(NotResource="acs:oss:*:*:b/$5/${ claims.uid }") | {"Version": "1"})
    assert template is None  # Resource and NotResource exclude each other
    template, _ = compile_policy(policy())
    for uid in ("a", "b"):
        filled, _ = template.fill(bind_variables(make_identity(claims={"uid": uid}), NOW, None))
        assert filled == template.text.replace("${ claims.uid }", uid)
    assert not template.is_literal
    assert compile_policy(policy(Resource="*"))[0].is_literal


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("*", id="wildcard"),
        pytest.param("lin*", id="wildcard at the end"),
        pytest.param("l?n", id="single wildcard"),
        pytest.param("a/b", id="slash"),
        pytest.param("..", id="folder above"),
        pytest.param(".", id="this folder"),
        pytest.param("-a", id="hyphen first"),
        pytest.param("x:role/admin", id="another resource"),
        pytest.param('"', id="quote"),
        pytest.param('a","*', id="another member"),
        pytest.param("\\u002a", id="escape"),
        pytest.param("${acs:SourceIp}", id="variable"),
        pytest.param("${ claims.admin }", id="our own placeholder"),
        pytest.param("a b", id="blank"),
        pytest.param("a,b", id="comma"),
        pytest.param("alice\n", id="newline at the end"),
        pytest.param("аlice", id="Cyrillic a"),
        pytest.param("ａlice", id="full width"),
        pytest.param("", id="empty"),
        pytest.param("a" * 65, id="too long"),
        pytest.param(["alice"], id="list"),
        pytest.param(7, id="number"),
        pytest.param(None, id="null"),
    ],
)
def test_t_map_03_a_value_that_is_more_than_a_plain_one_gives_no_policy(value):
    filled, reason = fill(policy(), uid=value, admin="root")
    assert filled is None
    assert "claims.uid" in reason


def test_the_reason_does_not_repeat_what_a_stranger_put_into_a_claim():
    assert "evil" not in fill(policy(), uid="evil*")[1]


@pytest.mark.parametrize("value", ["a", "lin.wei", "lin.wei@acme.example", "A_1", "_x", "9f1c-4", "a" * 64, "a..b"])
def test_t_map_03_the_plain_twin_is_filled_in(value):
    filled, _ = fill(policy(), uid=value)
    assert json.loads(filled)["Statement"][0]["Resource"] == f"acs:oss:*:*:b/{value}/*"


def test_an_absent_claim_gives_no_policy():
    assert fill(policy())[0] is None


@pytest.mark.parametrize(
    ("resource", "word", "place"),
    [
        pytest.param("acs:oss:*:*:b/${ claims.uid }*", "wildcard", (1, 30), id="wildcard behind"),
        pytest.param("acs:oss:*:*:b/${ claims.uid }-?", "wildcard", (1, 31), id="behind what a value may hold"),
        pytest.param("acs:oss:*:*:b/*${ claims.uid }", "wildcard", (1, 16), id="wildcard before"),
        pytest.param("acs:oss:*:*:b/*.${ claims.uid }/x", "wildcard", (1, 17), id="before, with a point between"),
        pytest.param("acs:oss:*:*:b/${ claims.a }${ claims.b }", "one placeholder ends", (1, 28), id="two in a row"),
        pytest.param(
            "acs:oss:*:*:b/${ claims.a }-${ claims.b }", "one placeholder ends", (1, 29), id="two and a hyphen"
        ),
        pytest.param(
            "acs:oss:*:*:b/${acs:PrincipalName}/*", "no variables", (1, 15), id="a variable that RAM does not have"
        ),
        pytest.param("acs:oss:*:*:b/${ claims. }/*", "Syntax error", None, id="no expression"),
        pytest.param("acs:oss:*:*:b/${ claims.uid /*", "no placeholder", (1, 15), id="not closed"),
        pytest.param("acs:oss:*:*:b/${ 1 }/*", "text", (1, 17), id="a number"),
        pytest.param("acs:oss:*:*:b/${ nothing }/*", "nothing", None, id="an unknown name"),
    ],
)
def test_t_map_03_a_template_that_could_mean_more_than_its_author_is_refused_when_it_is_read(resource, word, place):
    template, flaws = compile_policy(policy(Resource=resource))
    assert template is None
    (flaw,) = flaws
    assert word in flaw.message
    assert flaw.message.startswith("statement 1: ")
    assert place is None or flaw.place == place


@pytest.mark.parametrize(
    "resource",
    [
        "acs:oss:*:*:b/${ claims.uid }/*",
        "acs:oss:*:*:b/*/${ claims.uid }",
        "acs:oss:*:*:b/${ claims.a }/${ claims.b }",
        "acs:oss:*:*:b/home-${ claims.uid }.txt",
        'acs:oss:*:*:b/${ claims.mail.split("@")[0] }/*',
        "acs:oss:*:*:b$1/${ claims.uid }",
    ],
)
def test_t_map_03_its_twin_is_accepted(resource):
    assert compile_policy(policy(Resource=resource))[1] == ()


def test_the_size_is_bounded_by_the_longest_value_so_that_no_name_decides():
    def written(count):
        return policy(Resource=["acs:oss:*:*:b/${ claims.uid }/" + "x" * 90] * count)

    fitting = max(count for count in range(20) if not compile_policy(written(count or 1))[1])
    filled, _ = fill(written(fitting), uid="a" * 64)
    assert len(filled.encode()) <= 2048
    (flaw,) = compile_policy(written(fitting + 1))[1]
    assert "2048" in flaw.message
