"""What a gain, a loss and another limit are, and which rule is responsible."""

from datetime import timedelta

import pytest

from bridge.history.kept_sign_in import KeptSignIn
from bridge.preview.compare import compare
from bridge.preview.narrowing import find_changed_rules, narrow
from bridge.preview.replay import is_steady
from tests.unit.entitlements.factories import NOW, Rules, make_identity

ADMIN = "account: production, role: Admin"
PLATFORM = "rules: [{name: platform, groups: [platform], grant: [{account: production, role: Admin}]}]"
NOBODY = "rules: [{name: nobody, groups: [nobody], grant: [{account: production, role: Admin}]}]"


@pytest.fixture
def rules(tmp_path):
    return Rules(tmp_path)


def kept(person="lin.wei", minutes=0, address="10.1.2.3", **changes):
    identity = make_identity(subject=person, **changes)
    return KeptSignIn(NOW + timedelta(minutes=minutes), person, person.title(), identity, address)


def described(comparison):
    return [
        (each.difference.effect, each.label, each.difference.what.name, each.difference.rule, each.sign_ins)
        for each in comparison.differences
    ]


def test_a_gain_names_the_rule_that_grants(rules):
    comparison = compare([kept(), kept(minutes=5), kept("ines")], rules.compile(NOBODY), rules.compile(PLATFORM))
    assert described(comparison) == [
        ("gains", "Ines", "Admin", "0.yaml:platform", 1),
        ("gains", "Lin.Wei", "Admin", "0.yaml:platform", 2),
    ]
    assert (comparison.people, comparison.sign_ins, comparison.changed_people) == (2, 3, 2)
    assert comparison.differences[1].last == NOW + timedelta(minutes=5)


def test_a_loss_names_the_rule_that_granted(rules):
    comparison = compare([kept()], rules.compile(PLATFORM), rules.compile(NOBODY))
    assert described(comparison) == [("loses", "Lin.Wei", "Admin", "0.yaml:platform", 1)]


def test_a_loss_by_a_denial_names_the_denial_and_its_end_is_a_gain(rules):
    denied = rules.compile(PLATFORM, "rules: [{name: no, everyone: true, deny: [{account: production, role: Admin}]}]")
    assert described(compare([kept()], rules.compile(PLATFORM), denied)) == [
        ("loses", "Lin.Wei", "Admin", "1.yaml:no", 1)
    ]
    assert described(compare([kept()], denied, rules.compile(PLATFORM))) == [
        ("gains", "Lin.Wei", "Admin", "1.yaml:no", 1)
    ]


def test_other_limits_are_no_loss_but_a_change(rules):
    policy = '{"Version":"1","Statement":[{"Effect":"Deny","Action":"oss:*","Resource":"*"}]}'
    limited = PLATFORM.replace("role: Admin", f"role: Admin, duration_seconds: 900, session_policy: '{policy}'")
    comparison = compare([kept()], rules.compile(PLATFORM), rules.compile(limited))
    (only,) = comparison.differences
    assert (only.difference.effect, comparison.changed_people) == ("limits", 1)
    assert only.difference.detail == "duration 1 h → 15 min, session policy added"


def test_other_words_on_the_card_and_another_name_of_the_rule_change_nothing(rules):
    renamed = PLATFORM.replace("name: platform", "name: other").replace("role: Admin", "role: Admin, title: Boss")
    comparison = compare([kept()], rules.compile(PLATFORM), rules.compile(renamed))
    assert comparison.differences == ()


def test_the_same_person_can_gain_in_one_sign_in_and_lose_in_another(rules):
    office = PLATFORM.replace("groups: [platform]", """when: 'request.source_address.startsWith("10.")'""")
    home = PLATFORM.replace("groups: [platform]", """when: '!request.source_address.startsWith("10.")'""")
    comparison = compare([kept(), kept(minutes=1, address="203.0.113.7")], rules.compile(office), rules.compile(home))
    assert [each[0] for each in described(comparison)] == ["gains", "loses"]
    assert comparison.changed_people == 1


def test_each_sign_in_is_decided_on_at_its_own_time(rules):
    late = PLATFORM.replace("groups: [platform]", "when: request.time.getHours() >= 12")
    comparison = compare([kept(), kept(minutes=181)], rules.compile(PLATFORM), rules.compile(late))
    assert described(comparison) == [("loses", "Lin.Wei", "Admin", "0.yaml:platform", 1)]


def test_denying_the_role_of_a_terminal_changes_the_limits_of_its_user(rules):
    user = "rules: [{name: user, everyone: true, grant: [{account: production, user: lin, terminal_role: Admin}]}]"
    denial = "rules: [{name: no, everyone: true, deny: [{account: production, role: Admin}]}]"
    (only,) = compare([kept()], rules.compile(user), rules.compile(user, denial)).differences
    assert (only.difference.what.name, only.difference.detail) == ("lin", "terminal role Admin → none")


def test_the_order_of_two_rules_that_grant_the_same_decides_its_limits(rules):
    short = "{name: short, everyone: true, grant: [{account: a, role: R, duration_seconds: 900}]}"
    long = "{name: long, everyone: true, grant: [{account: a, role: R, duration_seconds: 7200}]}"
    comparison = compare(
        [kept()], rules.compile(f"rules: [{short}, {long}]"), rules.compile(f"rules: [{long}, {short}]")
    )
    assert [each.difference.detail for each in comparison.differences] == ["duration 15 min → 2 h"]


def test_another_claim_for_groups_is_a_change_of_every_rule(rules):
    before = rules.compile(PLATFORM)
    after = rules.compile(PLATFORM)
    object.__setattr__(after, "groups_claims", {"acme-saml": "teams"})
    assert [each[0] for each in described(compare([kept()], before, after))] == ["loses"]


def test_only_rules_that_name_what_a_changed_rule_names_are_asked(rules):
    other = "{name: other, everyone: true, grant: [{account: production, role: Other}]}"
    user = "{name: user, everyone: true, grant: [{account: production, user: lin, terminal_role: Admin}]}"
    same_user = "{name: same-user, groups: [platform], grant: [{account: production, user: lin}]}"
    before = f"rules: [{other}, {user}, {same_user}]"
    denial = "rules: [{name: no, everyone: true, deny: [{account: production, role: Admin}]}]"
    first, second = narrow(rules.compile(before), rules.compile(before, denial))
    assert [rule.id for rule in first.rules] == ["0.yaml:user", "0.yaml:same-user"]
    assert [rule.id for rule in second.rules] == ["0.yaml:user", "0.yaml:same-user", "1.yaml:no"]


def test_where_a_rule_stands_in_its_file_is_no_difference(rules):
    assert not find_changed_rules(rules.compile(PLATFORM).rules, rules.compile("\n\n" + PLATFORM).rules)


@pytest.mark.parametrize(
    ("condition", "steady"),
    [
        ("claims: {department: Platform}", True),
        ("when: identity.provider == 'a' && claims.level == 1", True),
        ("when: request.time.getHours() > 2", False),
        ("when: request.source_address == '10.1.2.3'", False),
        ("when: identity.authenticated_at < request.time", False),
        ("groups: [platform], require: {acr: [strong]}", True),
        ("groups: [platform], require: {max_age_seconds: 900}", False),
    ],
)
def test_a_rule_that_looks_at_the_clock_or_the_address_is_not_taken_for_one_that_does_not(rules, condition, steady):
    (rule,) = rules.compile(f"rules:\n- {{name: one, grant: [{{account: a, role: R}}],\n   {condition}}}").rules
    assert is_steady(rule) is steady
