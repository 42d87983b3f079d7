"""Where a rule leaves groups out and a person has one that is spelled almost so, the explanation warns at the grant."""

import pytest

from bridge.entitlements.explanation import explain
from tests.unit.entitlements.factories import NOW, make_identity

RULE = "rules:\n- {name: all-but, groups: [staff], not_groups: [netops], grant: [{account: prod, role: Admin}]%s}\n"


def judge(rules, groups, more="", **claims):
    identity = make_identity(claims={"groups": groups, **claims})
    [verdict] = explain(identity, rules.compile(RULE % more), NOW).verdicts
    return verdict


@pytest.mark.parametrize(
    ("group", "words"),
    [
        ("NetOps", "but the provider sent `NetOps` (differs in case), and this rule leaves out `netops`"),
        ("netops ", "has blanks around it"),
        ("/netops", "which is a path or full name of it"),
        ("net\u043eps", "look-alike letter"),
        ("netop", "one letter differs"),
        ("netops,ops", "one text with several values"),
    ],
)
def test_a_grant_to_somebody_who_was_probably_to_be_left_out_says_so(rules, group, words):
    verdict = judge(rules, ["staff", group])
    assert verdict.standing == "grants"
    assert words in verdict.caution


def test_so_does_a_grant_within_reach(rules):
    assert "`NetOps`" in judge(rules, ["staff", "NetOps"], ", require: {max_age_seconds: 60}").caution


@pytest.mark.parametrize("groups", [["staff"], ["staff", "sales"], ["sales", "NetOps"], ["staff", "netops"]])
def test_nothing_is_said_where_nobody_is_let_through_by_mistake(rules, groups):
    assert judge(rules, groups, department="netops").caution == ""


def test_with_ignore_case_another_case_is_left_out_and_blanks_still_get_through(rules):
    assert judge(rules, ["staff", "NetOps"], ", ignore_case: true").standing != "grants"
    assert "has blanks around it" in judge(rules, ["staff", "NetOps "], ", ignore_case: true").caution
