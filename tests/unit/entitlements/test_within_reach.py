"""What a stronger or more recent sign-in would add: only what nothing but the sign-in keeps from the person."""

from datetime import timedelta

import pytest

from bridge.entitlements.choice import choose
from bridge.entitlements.resolve import resolve
from bridge.errors import NotEntitled
from tests.unit.entitlements.factories import NOW, make_identity

MFA = "https://refeds.org/profile/mfa"
GRANT = "grant: [{account: production, role: Admin}]"
REQUIRE = f'require: {{acr: ["{MFA}"], max_age_seconds: 600}}'


def rule(name, *lines):
    return "\n".join(["rules:", f"- name: {name}", *(f"  {line}" for line in lines)]) + "\n"


STRONG = rule("strong", "groups: [platform]", REQUIRE, GRANT)


def look(rule_set, **changes):
    return resolve(make_identity(**changes), rule_set, NOW)


def names(resolution):
    return [reach.entitlement.name for reach in resolution.within_reach]


@pytest.mark.parametrize(
    ("changes", "weak", "old"),
    [
        ({}, True, False),
        ({"authenticated_at": NOW - timedelta(seconds=601)}, True, True),
        ({"acr": MFA, "authenticated_at": NOW - timedelta(seconds=601)}, False, True),
        ({"acr": MFA, "authentication_time_stated": False}, False, True),
    ],
)
def test_it_says_what_the_sign_in_lacks(rules, changes, weak, old):
    resolution = look(rules.compile(STRONG), **changes)
    assert resolution.entitlements == ()
    [reach] = resolution.within_reach
    assert (reach.entitlement.name, reach.too_weak, reach.too_old) == ("Admin", weak, old)
    assert (reach.require.acr, reach.require.max_age_seconds) == ((MFA,), 600)


def test_what_the_protocol_never_states_is_out_of_reach(rules):
    rule_set = rules.compile(rule("strong", "groups: [platform]", "require: {amr: [mfa]}", GRANT))
    assert names(look(rule_set)) == []
    assert names(look(rule_set, protocol="oidc")) == ["Admin"]
    either = rules.compile(rule("strong", "groups: [platform]", f"require: {{amr: [mfa], acr: [{MFA}]}}", GRANT))
    assert names(look(either)) == ["Admin"]


def test_a_sign_in_that_lacks_nothing_has_nothing_within_reach(rules):
    resolution = look(rules.compile(STRONG), acr=MFA)
    assert [each.name for each in resolution.entitlements] == ["Admin"]
    assert resolution.within_reach == ()


@pytest.mark.parametrize(
    "condition",
    [
        "groups: [finance]",
        "claims: {department: Finance}",
        'when: claims.department == "Finance"',
        "when: claims.nothing == 1",
        "provider: acme-oidc",
    ],
)
def test_another_condition_that_does_not_hold_or_cannot_be_known_keeps_it_out_of_reach(rules, condition):
    resolution = look(rules.compile(rule("strong", condition, REQUIRE, GRANT)))
    assert (resolution.entitlements, resolution.within_reach) == ((), ())


@pytest.mark.parametrize("target", ["{account: production, role: Admin}", "{account: production}"])
def test_what_is_denied_is_not_within_reach(rules, target):
    denied = rule("denied", "groups: [employees]", f"deny: [{target}]")
    assert names(look(rules.compile(STRONG, denied))) == []
    other = rule("denied", "groups: [employees]", "deny: [{account: production, role: Other}]")
    assert names(look(rules.compile(STRONG, other))) == ["Admin"]


def test_what_another_rule_grants_now_is_not_within_reach(rules):
    plain = rule("plain", "groups: [platform]", GRANT)
    for order in ((STRONG, plain), (plain, STRONG)):
        resolution = look(rules.compile(*order))
        assert [each.name for each in resolution.entitlements] == ["Admin"]
        assert resolution.within_reach == ()


def test_two_rules_put_a_thing_within_reach_once(rules):
    assert names(look(rules.compile(STRONG, STRONG.replace("strong", "other")))) == ["Admin"]


def test_t_out_04_what_is_within_reach_cannot_be_chosen(rules):
    rule_set = rules.compile(STRONG)
    [reach] = look(rule_set).within_reach
    with pytest.raises(NotEntitled):
        choose(make_identity(), reach.entitlement.id, rule_set, NOW, None)
    choose(make_identity(acr=MFA), reach.entitlement.id, rule_set, NOW, None)


def test_the_explanation_says_it_too(rules):
    [outcome] = look(rules.compile(STRONG), authenticated_at=NOW - timedelta(seconds=700)).explanations
    assert not outcome.applied
    assert f"(needed: {MFA})" in outcome.reason
    assert "authenticated 11 minutes 40 seconds ago (needed: at most 10 minutes ago)" in outcome.reason
    assert outcome.grants == ()
    assert [grant.name for grant in outcome.within_reach] == ["Admin"]
