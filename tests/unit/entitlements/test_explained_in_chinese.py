"""Each near miss is explained in the language that is spoken; what is recorded of it stays English."""

import pytest

from bridge.entitlements.explanation import explain
from bridge.entitlements.recorded import summarize
from bridge.entitlements.resolve import resolve
from bridge.language import speaking
from tests.english import find_english
from tests.unit.entitlements.explained import ADDRESS, CASES, make_person, write_rules
from tests.unit.entitlements.factories import NOW

SENTENCES = {
    "case": "未授予：规则 `asked` 要求属于用户组 `platform`；身份提供商发送了 `Platform`（大小写不同）",
    "blank behind": "未授予：规则 `asked` 要求属于用户组 `platform`；身份提供商发送了 `platform `（前后有空格）",
    "two ways": (
        "未授予：规则 `asked` 要求属于用户组 `platform`；身份提供商发送了 ` Platform`（前后有空格、大小写不同）"
    ),
    "too old": "未授予：规则 `asked` 要求在最近 15 分钟内登录；本次登录在 20 分钟前",
}


def tell(verdict):
    """Yield everything that a page says of a rule."""
    yield verdict.sentence
    yield verdict.caution
    for given in verdict.given:
        yield from (given.what, given.reason.text)
    for finding in verdict.outcome.findings:
        yield str(finding.why)


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_every_way_of_missing_a_rule_is_explained_in_chinese(rules, case):
    rule_set, person = rules.compile(write_rules(case)), make_person(case)
    english = explain(person, rule_set, NOW, ADDRESS)
    with speaking("zh-CN"):
        chinese = explain(person, rule_set, NOW, ADDRESS)
        for verdict in chinese.verdicts:
            assert [found for text in tell(verdict) for found in find_english(text)] == [], verdict.sentence
        assert [found for note in chinese.notes for found in find_english(note)] == []
        said = next(each.sentence for each in chinese.verdicts if each.name == "asked")
    assert said == SENTENCES.get(case.id, said)
    decided = [
        [(each.standing, each.reason.kind, each.reason.claim) for each in found.verdicts]
        for found in (english, chinese)
    ]
    assert decided[0] == decided[1], "words decide nothing"


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_what_is_recorded_of_a_decision_is_english_whatever_is_spoken(rules, case):
    rule_set, person = rules.compile(write_rules(case)), make_person(case)
    english = summarize(resolve(person, rule_set, NOW, ADDRESS))
    reasons = [each.reason for each in resolve(person, rule_set, NOW, ADDRESS).explanations]
    with speaking("zh-CN"):
        chinese = resolve(person, rule_set, NOW, ADDRESS)
        assert summarize(chinese) == english
        assert [each.reason for each in chinese.explanations] == reasons


def test_the_sentences_above_are_of_cases():
    assert SENTENCES.keys() <= {case.id for case in CASES}
