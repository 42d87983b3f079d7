"""Deciding on many sign-ins twice, without doing again what must come out the same.

Two things are saved, and both are exact. A rule that is the same in both sets, in the same order, cannot make them
differ: where none of the other rules applies, neither set needs to be asked. And a person whose statement is the same
as last time, under rules that look at neither clock nor address, is decided on as last time.
"""

import json
from collections.abc import Hashable, Iterable
from dataclasses import fields, replace
from difflib import SequenceMatcher

from bridge.entitlements.resolve import Resolution, resolve
from bridge.entitlements.rules import Conditions, Rule, RuleSet, build_rule_set
from bridge.history.kept_sign_in import KeptSignIn
from bridge.identity.verified import VerifiedIdentity
from bridge.preview.differences import Difference, find_differences

_STATED = ("provider", "protocol", "issuer", "subject", "acr", "amr")
"""Of an identity, what its claims go with when it is compared with an earlier one."""
_TIMELESS_CONDITIONS = frozenset({"providers", "groups", "not_groups", "claims"})
_TIMELESS_PATHS = frozenset({"claims", *(f"identity.{name}" for name in _STATED)})
"""What looks at the statement alone. Everything else that a rule reads counts as looking at the moment."""


class Replay:
    """Two rule sets, asked side by side."""

    def __init__(self, before: RuleSet, after: RuleSet) -> None:
        """Take the rule sets; what is asked of them is remembered as long as this object."""
        self._before = before
        self._after = after
        self._differing: RuleSet | None = None
        if (before.groups_claims, before.schemas) == (after.groups_claims, after.schemas):
            changed = find_changed_rules(before.rules, after.rules)
            self._differing = build_rule_set("", changed, before.groups_claims, before.schemas)
        self._timeless = {rule.id: is_timeless(rule) for rule in before.rules}
        for rule in after.rules:
            self._timeless[rule.id] = is_timeless(rule) and self._timeless.get(rule.id, True)
        self._known: dict[Hashable, tuple[Difference, ...]] = {}

    def find_differences(self, kept: KeptSignIn) -> tuple[Difference, ...]:
        """Return what differs between the two decisions on one sign-in."""
        if self._differing is not None and not self._differing.rules:
            return ()
        key = _key(kept.identity)
        if key in self._known:
            return self._known[key]
        differences, timeless = self._decide(kept)
        if timeless:
            self._known[key] = differences
        return differences

    def _decide(self, kept: KeptSignIn) -> tuple[tuple[Difference, ...], bool]:
        """Return what differs, and whether it is the same at every moment."""
        if self._differing is not None:
            found = resolve(kept.identity, self._differing, kept.at, kept.source_address)
            if not any(outcome.applied for outcome in found.explanations):
                return (), self._is_timeless(found)
        old = resolve(kept.identity, self._before, kept.at, kept.source_address)
        new = resolve(kept.identity, self._after, kept.at, kept.source_address)
        differences = tuple(find_differences(old, new, self._before, self._after))
        return differences, self._is_timeless(old) and self._is_timeless(new)

    def _is_timeless(self, resolution: Resolution) -> bool:
        return all(self._timeless[outcome.rule] for outcome in resolution.explanations)


def find_changed_rules(before: Iterable[Rule], after: Iterable[Rule]) -> list[Rule]:
    """Return the rules that are in one sequence only, or stand in another order there."""
    left, right = [replace(rule, line=0) for rule in before], [replace(rule, line=0) for rule in after]
    blocks = SequenceMatcher(None, left, right, autojunk=False).get_matching_blocks()
    kept_left = {number for block in blocks for number in range(block.a, block.a + block.size)}
    kept_right = {number for block in blocks for number in range(block.b, block.b + block.size)}
    return [
        *(rule for number, rule in enumerate(left) if number not in kept_left),
        *(rule for number, rule in enumerate(right) if number not in kept_right),
    ]


def is_timeless(rule: Rule) -> bool:
    """Return whether a rule looks at the provider's statement alone: not at the clock, nor at the address."""
    if rule.require is not None and not set(rule.require.model_dump(exclude_none=True)) <= {"amr", "acr"}:
        return False
    if any(path[0] not in _TIMELESS_PATHS for each in rule.iterate_expressions() for path in each.paths):
        return False
    others = {field.name for field in fields(Conditions)} - _TIMELESS_CONDITIONS - {"when", "require"}
    return not any(getattr(rule, name) for name in others)


def _key(identity: VerifiedIdentity) -> Hashable:
    return (*(getattr(identity, name) for name in _STATED), json.dumps(identity.claims, sort_keys=True))
