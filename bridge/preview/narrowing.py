"""Which rules of two rule sets can make them decide differently; the others need not be asked.

What somebody may become in an account is decided by the rules that name it there, in their order. Where these are the
same in both sets, so is the decision, whoever asks and when.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from typing import TypeAlias

from bridge.entitlements.rules import Grant, Rule, RuleSet, build_rule_set
from bridge.entitlements.templates import Template

Place: TypeAlias = tuple[str, str]
"""An account, and ``role`` or ``user``."""
Name: TypeAlias = tuple[Place, str | None]
"""What a rule grants or denies; None stands for any name."""


def narrow(before: RuleSet, after: RuleSet) -> tuple[RuleSet, RuleSet]:
    """Return both sets without the rules that cannot matter to a difference between them.

    For every identity and moment, what is granted by one of the results and not by the other, or with other limits,
    is exactly what is so for the whole sets.
    """
    if not read_alike(before, after):
        return before, after
    reach = _Reach()
    for rule in find_changed_rules(before.rules, after.rules):
        for name in _iterate_names(rule):
            reach.add(name)
    _follow_terminals(reach, (*before.rules, *after.rules))
    return _select(before, reach), _select(after, reach)


def read_alike(before: RuleSet, after: RuleSet) -> bool:
    """Return whether both sets read the statements of all providers in the same way."""
    return (before.groups_claims, before.schemas) == (after.groups_claims, after.schemas)


def find_changed_rules(before: Sequence[Rule], after: Sequence[Rule]) -> list[Rule]:
    """Return the rules that are in one sequence only, or stand in another order there."""
    left, right = [replace(rule, line=0) for rule in before], [replace(rule, line=0) for rule in after]
    blocks = SequenceMatcher(None, left, right, autojunk=False).get_matching_blocks()
    kept_left = {number for block in blocks for number in range(block.a, block.a + block.size)}
    kept_right = {number for block in blocks for number in range(block.b, block.b + block.size)}
    return [
        *(rule for number, rule in enumerate(left) if number not in kept_left),
        *(rule for number, rule in enumerate(right) if number not in kept_right),
    ]


class _Reach:
    """Roles and users: of a place either some names or all of them."""

    def __init__(self) -> None:
        self._names: dict[Place, set[str | None]] = {}

    def add(self, name: Name) -> bool:
        """Take a name in; return whether it is new."""
        names = self._names.setdefault(name[0], set())
        is_new = name[1] not in names
        names.add(name[1])
        return is_new

    def meets(self, name: Name) -> bool:
        """Return whether this name, or for any name one of the place, is in."""
        names = self._names.get(name[0], set())
        return bool(names) and (name[1] is None or name[1] in names or None in names)


def _follow_terminals(reach: _Reach, rules: Iterable[Rule]) -> None:
    """Take in both ends of each grant of a RAM user with a terminal role: denying that role changes the grant."""
    tied: list[tuple[Name, Name]] = [
        (_name(grant), _terminal(grant, grant.terminal_role))
        for rule in rules
        for grant in rule.grants
        if grant.terminal_role is not None
    ]
    grew = True
    while grew:
        grew = False
        for user, role in tied:
            if reach.meets(user) or reach.meets(role):
                grew = reach.add(user) or grew
                grew = reach.add(role) or grew


def _select(rules: RuleSet, reach: _Reach) -> RuleSet:
    kept = [rule for rule in rules.rules if any(map(reach.meets, _iterate_names(rule)))]
    return build_rule_set(rules.version, kept, rules.groups_claims, rules.schemas)


def _iterate_names(rule: Rule) -> Iterator[Name]:
    for grant in rule.grants:
        yield _name(grant)
        if grant.terminal_role is not None:
            yield _terminal(grant, grant.terminal_role)
    for target in rule.denials:
        if target.user is None:
            yield (target.account, "role"), target.role
        if target.role is None:
            yield (target.account, "user"), target.user


def _name(grant: Grant) -> Name:
    return (grant.account, grant.kind), _find_literal(grant.name)


def _terminal(grant: Grant, role: Template) -> Name:
    return (grant.account, "role"), _find_literal(role)


def _find_literal(template: Template) -> str | None:
    return template.text if template.is_literal else None
