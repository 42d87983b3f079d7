"""A choice is checked against the rules of the moment in which it is made."""

import pytest

from bridge.entitlements.choice import choose
from bridge.entitlements.entitlement import identify
from bridge.errors import NotEntitled
from tests.unit.entitlements.factories import NOW, make_identity

BEFORE = """
rules:
- name: platform
  groups: [platform]
  grant: [{account: production, role: ReadOnly}, {account: production, role: Admin}]
"""
ADMIN = identify("role", "production", "Admin")


def test_a_granted_entitlement_can_be_chosen(rules):
    choice = choose(make_identity(), ADMIN, rules.compile(BEFORE), NOW, None, 1800)
    assert (choice.entitlement.name, choice.requested_duration_seconds) == ("Admin", 1800)
    assert choice.identity.subject == "lin.wei"


@pytest.mark.parametrize("chosen", ["", "0" * 16, ADMIN.upper(), ADMIN[:-1], identify("user", "production", "Admin")])
def test_what_was_not_granted_cannot_be_chosen(rules, chosen):
    with pytest.raises(NotEntitled):
        choose(make_identity(), chosen, rules.compile(BEFORE), NOW, None)


def test_what_was_granted_to_somebody_else_cannot_be_chosen(rules):
    with pytest.raises(NotEntitled):
        choose(make_identity(claims={"groups": ["data"]}), ADMIN, rules.compile(BEFORE), NOW, None)


def test_t_map_08_a_rule_that_changed_after_the_choice_counts_at_the_next_one(rules):
    identity = make_identity()
    before = rules.compile(BEFORE)
    old = choose(identity, ADMIN, before, NOW, None)
    removed = rules.compile(BEFORE.replace(", {account: production, role: Admin}", ""))
    with pytest.raises(NotEntitled) as caught:
        choose(identity, ADMIN, removed, NOW, None)
    assert removed.version[:12] in caught.value.detail
    denied = rules.compile(BEFORE, "rules:\n- name: no\n  groups: [platform]\n  deny: [{account: production}]\n")
    with pytest.raises(NotEntitled):
        choose(identity, ADMIN, denied, NOW, None)
    assert old.entitlement.rules_version == before.version != removed.version
