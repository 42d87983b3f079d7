"""Whatever the rules and the claims are, the explanation fits the decision and shows nothing that one cannot see."""

import json

from bridge.entitlements.explanation import explain
from bridge.entitlements.resolve import resolve
from tests.unit.entitlements.factories import NOW, make_identity
from tests.unit.entitlements.naive import write
from tests.unit.entitlements.test_naive_twin import iterate_examples, make_person

APPLIED = {"grants", "denies", "withheld"}
HIDDEN = ("\u202e", "\u200b", "\x1b", "\x00", "\n")


def test_every_rule_has_a_verdict_that_fits_what_became_of_it(rules):
    kinds = set()
    for source, seed, written in iterate_examples():
        if seed % 10:
            continue
        rule_set = rules.compile(write(written))
        for _ in range(3):
            identity = make_person(source)
            explanation = explain(identity, rule_set, NOW)
            decided = resolve(identity, rule_set, NOW, every_rule=True)
            assert explanation.resolution == decided, seed
            for verdict, outcome in zip(explanation.verdicts, decided.explanations, strict=True):
                assert verdict.outcome == outcome
                assert (verdict.standing in APPLIED) == outcome.applied, (seed, verdict.sentence)
                assert bool(verdict.reason.kind) == (not outcome.applied or verdict.standing == "withheld") or (
                    verdict.reason.kind == "undecided" and verdict.standing == "denies"
                ), (seed, verdict.sentence)
                kinds.add(verdict.reason.kind)
    assert kinds >= {"case", "absent", "value", "type", "denied", "taken", "provider", "when", "strength", "age"}


def test_what_nobody_sees_is_shown_in_no_sentence(rules):
    odd = [f"plat{hidden}form" for hidden in HIDDEN]
    claims = {"groups": odd, "roles": odd[0], "team": odd[1], "uid": odd[2], odd[3]: odd, "x": {odd[0]: odd}}
    for _, seed, written in iterate_examples():
        if seed % 25:
            continue
        explanation = explain(make_identity(claims=claims, subject=odd[0]), rules.compile(write(written)), NOW)
        for verdict in explanation.verdicts:
            told = [verdict.sentence, verdict.caution, *(given.reason.text for given in verdict.given)]
            assert not [hidden for hidden in HIDDEN for text in told if hidden in text], (seed, told)
            json.dumps(told, ensure_ascii=False).encode()
