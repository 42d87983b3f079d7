"""Deciding on many sign-ins twice, without doing again what must come out the same.

Of both rule sets only those rules are asked that can make them differ. And what a person may become follows from the
statement and from which of the rules that look at clock or address apply: where both are as once before, so is the
decision. A condition that is not known here counts as looking at the moment.
"""

import json
from collections.abc import Hashable, Iterable
from dataclasses import fields, replace

from bridge.entitlements.expressions import Expression
from bridge.entitlements.resolve import resolve
from bridge.entitlements.rules import Conditions, Rule, RuleSet, build_rule_set
from bridge.history.kept_sign_in import KeptSignIn
from bridge.preview.differences import Difference, find_differences
from bridge.preview.narrowing import narrow, read_alike

_STATED = ("provider", "protocol", "issuer", "subject", "acr", "amr")
"""What belongs to the statement beside its claims."""
_STEADY_CONDITIONS = frozenset({"providers", "groups", "not_groups", "claims", "claims_like", "ignore_case"})
_STEADY_PATHS = frozenset({"claims", *(f"identity.{name}" for name in _STATED)})
"""What looks at the statement alone. Everything else that a rule reads counts as looking at the moment."""


class Replay:
    """Two rule sets, asked side by side."""

    def __init__(self, before: RuleSet, after: RuleSet) -> None:
        """Take the rule sets; what is asked of them is remembered as long as this object."""
        self._before, self._after = narrow(before, after)
        rules = (*self._before.rules, *self._after.rules)
        self._equal = not rules
        self._unsteady = _select_unsteady(rules, before)
        self._remembers = read_alike(before, after) and all(map(_has_steady_names, rules))
        self._known: dict[Hashable, tuple[Difference, ...]] = {}

    def find_differences(self, kept: KeptSignIn) -> tuple[Difference, ...]:
        """Return what differs between the two decisions on one sign-in."""
        if self._equal:
            return ()
        if not self._remembers:
            return self._decide(kept)
        key = self._key(kept)
        if key not in self._known:
            self._known[key] = self._decide(kept)
        return self._known[key]

    def _decide(self, kept: KeptSignIn) -> tuple[Difference, ...]:
        old = resolve(kept.identity, self._before, kept.at, kept.source_address)
        new = resolve(kept.identity, self._after, kept.at, kept.source_address)
        return tuple(find_differences(old, new, self._before, self._after))

    def _key(self, kept: KeptSignIn) -> Hashable:
        """Return what is the same for two sign-ins only if both must be decided alike."""
        identity = kept.identity
        stated = (getattr(identity, name) for name in _STATED)
        moment = _find_applied(kept, self._unsteady) if self._unsteady.rules else ()
        return (*stated, json.dumps(identity.claims, sort_keys=True), moment)


def is_steady(rule: Rule) -> bool:
    """Return whether the statement alone decides if a rule applies: not the clock, nor the address."""
    if rule.require is not None and not set(rule.require.model_dump(exclude_none=True)) <= {"amr", "acr"}:
        return False
    if rule.when is not None and not _is_steady(rule.when):
        return False
    others = {field.name for field in fields(Conditions)} - _STEADY_CONDITIONS - {"when", "require"}
    return not any(getattr(rule, name) for name in others)


def _has_steady_names(rule: Rule) -> bool:
    return all(_is_steady(each) for each in rule.iterate_expressions() if each is not rule.when)


def _is_steady(expression: Expression) -> bool:
    return all(path[0] in _STEADY_PATHS for path in expression.paths)


def _select_unsteady(rules: Iterable[Rule], like: RuleSet) -> RuleSet:
    """Return the rules that are not steady, each once and by a number: a changed rule has the name of the old one."""
    unsteady = dict.fromkeys(replace(rule, line=0) for rule in rules if not is_steady(rule))
    numbered = [replace(rule, id=str(number)) for number, rule in enumerate(unsteady)]
    return build_rule_set("", numbered, like.groups_claims, like.schemas)


def _find_applied(kept: KeptSignIn, rules: RuleSet) -> tuple[str, ...]:
    resolution = resolve(kept.identity, rules, kept.at, kept.source_address)
    return tuple(outcome.rule for outcome in resolution.explanations if outcome.applied)
