"""What the audit log keeps of a decision: which rules, why, and nothing that a provider sent beside that."""

import pytest

from bridge.entitlements.recorded import MAX_CHARACTERS, MAX_RULES, summarize
from bridge.entitlements.resolve import resolve
from tests.unit.entitlements.explained import ADDRESS, CASES, make_person, write_rules
from tests.unit.entitlements.factories import NOW, make_identity

GRANT = "grant: [{account: prod, role: Admin}]"
SECRET = "born-1975-03-14"


def decide(rules, text, **changes):
    return summarize(resolve(make_identity(**changes), rules.compile(text), NOW))


def test_rules_that_applied_are_named_with_what_held(rules):
    text = f"""rules:
- {{name: first, groups: [platform], {GRANT}}}
- {{name: second, claims: {{department: [Data, Platform]}}, {GRANT}}}
- {{name: no-outsiders, when: 'claims.kind == "x"', deny: [{{account: lab}}]}}
- {{name: other, groups: [finance], {GRANT}}}
"""
    recorded = decide(rules, text)
    assert recorded.rules == ("denies 0.yaml:no-outsiders", "grants 0.yaml:first", "withheld 0.yaml:second")
    assert recorded.because == (
        "when (kind) cannot be ruled out",
        "`groups` has platform",
        "`department` has Platform; role prod: already granted by 0.yaml:first",
    )
    assert recorded.left_out == 0


def test_a_record_is_bounded(rules):
    many = "".join(f"- {{name: r{n}, everyone: true, grant: [{{account: prod, role: R{n}}}]}}\n" for n in range(50))
    groups = ", ".join(f"group-with-a-long-name-{n}" for n in range(50))
    text = f"rules:\n- {{name: long, groups: [{groups}], {GRANT}}}\n{many}"
    recorded = decide(rules, text, claims={"groups": groups.split(", ")})
    assert (len(recorded.rules), len(recorded.because), recorded.left_out) == (MAX_RULES, MAX_RULES, 31)
    assert max(map(len, recorded.because)) == MAX_CHARACTERS


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_no_value_is_recorded_that_the_rule_does_not_name(rules, case):
    """Whatever a provider sends beside what rules ask for: it is in no word of the record."""
    person = make_person(case)
    stuffed = {name: _stuff(value) for name, value in person.claims.items()} | {"birthday": SECRET}
    resolution = resolve(
        make_identity(**{**case.person, "claims": stuffed}), rules.compile(write_rules(case)), NOW, ADDRESS
    )
    assert SECRET not in repr(summarize(resolution))


def _stuff(value):
    return [*value, SECRET, f"{SECRET}\u200b"] if isinstance(value, list) else f"{SECRET} {value}"
