"""Of each case, the explanation names the rule and the claim that decided, and in what way it missed."""

import pytest

from bridge.entitlements.explanation import explain
from bridge.entitlements.resolve import resolve
from tests.unit.entitlements.explained import ADDRESS, CASES, make_person, write_rules
from tests.unit.entitlements.factories import NOW


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_rule_and_claim_that_decided_are_named_and_nothing_else_is_decided(rules, case):
    rule_set = rules.compile(write_rules(case))
    explanation = explain(make_person(case), rule_set, NOW, ADDRESS)
    verdict = next(each for each in explanation.verdicts if each.name == "asked")
    found = (verdict.standing, verdict.decided_by, verdict.reason.claim, verdict.reason.kind)
    assert found == (case.standing, f"0.yaml:{case.by}", case.claim, case.kind), verdict.sentence
    assert case.words in verdict.sentence
    assert case.by in verdict.sentence
    decided = resolve(make_person(case), rule_set, NOW, ADDRESS)
    gives = {given.outcome.entitlement for each in explanation.find("grants") for given in each.given} - {None}
    assert explanation.resolution.entitlements == decided.entitlements
    assert gives == set(decided.entitlements)


def test_the_table_is_as_long_as_it_has_to_be():
    assert len({case.id for case in CASES}) == len(CASES) >= 60
