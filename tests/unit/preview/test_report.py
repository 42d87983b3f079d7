"""A report: counted by people, bounded in size, honest about what it cannot know."""

import json
from datetime import timedelta

import pytest

from bridge.history.kept_sign_in import KeptSignIn
from bridge.preview.compare import compare
from bridge.preview.report import NAMES, PEOPLE, REPORT, build_report
from bridge.preview.unjudged import find_unjudged
from tests.unit.entitlements.factories import NOW, Rules, make_identity

BEFORE = """rules:
- {name: platform, groups: [platform], grant: [{account: production, role: Admin}, {account: sandbox, role: Admin}]}
"""
AFTER = """rules:
- {name: platform, groups: [platform], grant: [{account: production, role: ReadOnly}]}
- {name: finance, claims: {cost_center: "7"}, grant: [{account: production, role: Auditor}]}
"""


@pytest.fixture
def rules(tmp_path):
    return Rules(tmp_path)


def report(before, after, people, kept_claims=None):
    sign_ins = [
        KeptSignIn(NOW, f"p{number}", f"Person {number:03}", make_identity(subject=f"p{number}"), "10.1.2.3")
        for number in range(people)
        for _ in range(2)
    ]
    return build_report(
        compare(sign_ins, before, after),
        before,
        after,
        since=NOW - timedelta(days=30),
        until=NOW,
        kept_claims=kept_claims,
    )


def test_people_are_counted_once_and_the_first_of_them_named(rules):
    found = report(rules.compile(BEFORE), rules.compile(AFTER), 12)
    assert (found.people, found.sign_ins, found.changed_people, found.share) == (12, 24, 12, 1.0)
    assert (found.gain, found.lose, found.other_limits) == (12, 12, 0)
    rows = [(row.effect, row.account, row.name, row.people, row.more) for row in found.rows]
    assert rows == [
        ("loses", "production", "Admin", 12, 12 - NAMES),
        ("gains", "production", "ReadOnly", 12, 12 - NAMES),
        ("loses", "sandbox", "Admin", 12, 12 - NAMES),
    ]
    assert [(row.rule, row.gains, row.loses) for row in found.rules] == [("0.yaml:platform", 12, 12)]
    assert found.persons[0].loses == ("production/Admin", "sandbox/Admin")


def test_its_size_does_not_grow_with_the_number_of_people(rules):
    found = report(rules.compile(BEFORE), rules.compile(AFTER), PEOPLE + 50)
    assert (found.people, len(found.persons)) == (PEOPLE + 50, PEOPLE)
    assert all(len(row.names) <= NAMES for row in found.rows)


def test_it_comes_back_from_json_as_it_was(rules):
    found = report(rules.compile(BEFORE), rules.compile(AFTER), 2)
    assert REPORT.validate_python(json.loads(REPORT.dump_json(found))) == found


def test_without_a_sign_in_nothing_changes_for_anybody(rules):
    assert report(rules.compile(BEFORE), rules.compile(AFTER), 0).share == 0.0


def test_rules_that_read_what_was_not_kept_are_named_before_and_after(rules):
    before, after = rules.compile(BEFORE), rules.compile(AFTER)
    (only,) = report(before, after, 1, before.claims_read).unjudged
    assert (only.rule, only.claims) == ("0.yaml:finance", ("cost_center",))
    assert find_unjudged(after, before, before.claims_read) == (only,)
    assert find_unjudged(before, after, None) == ()


def test_a_rule_that_may_read_any_claim_cannot_be_judged_unless_all_are_kept(rules):
    any_claim = rules.compile("rules: [{name: any, when: size(claims) > 3, grant: [{account: a, role: R}]}]")
    (only,) = find_unjudged(any_claim, any_claim, frozenset({"groups", "roles"}))
    assert (only.rule, only.claims) == ("0.yaml:any", ())
