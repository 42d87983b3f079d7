"""How two decisions on the same sign-in differ, and which rule is responsible."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from bridge.entitlements.entitlement import Entitlement
from bridge.entitlements.resolve import Resolution
from bridge.entitlements.rules import RuleSet, Target
from bridge.language import Said, list_texts, phrase

Effect: TypeAlias = Literal["gains", "loses", "limits"]
EFFECTS: tuple[Effect, ...] = ("gains", "loses", "limits")

_NO_LIMITS = ("id", "kind", "account", "name", "rule", "rules_version", "title", "purpose", "owner", "sensitivity")


@dataclass(frozen=True, order=True)
class What:
    """A role or user in an account."""

    account: str
    kind: Literal["role", "user"]
    name: str


@dataclass(frozen=True)
class Difference:
    """One thing that is granted by one decision only, or with other limits by the other."""

    effect: Effect
    what: What
    rule: str
    """The rule responsible: the one that grants, or grants no more; where a denial came or went, that denial."""
    limits: tuple[Said, ...] = ()
    """Which limits, and how they differ; empty for a gain or a loss."""

    @property
    def detail(self) -> str:
        """Return the limits in words, in the language that is spoken."""
        return list_texts(map(str, self.limits))


def find_differences(old: Resolution, new: Resolution, before: RuleSet, after: RuleSet) -> Iterator[Difference]:
    """Yield what differs in one sign-in: how, what, by which rule, and how the limits differ."""
    held = {each.id: each for each in old.entitlements}
    given = {each.id: each for each in new.entitlements}
    for key, entitlement in given.items():
        if key not in held:
            rule = _find_denial(old, before, entitlement) or entitlement.rule
            yield Difference("gains", _name(entitlement), rule)
        elif limits := tuple(_describe_limits(held[key], entitlement)):
            yield Difference("limits", _name(entitlement), entitlement.rule, limits)
    for key, entitlement in held.items():
        if key not in given:
            rule = _find_denial(new, after, entitlement) or entitlement.rule
            yield Difference("loses", _name(entitlement), rule)


def _find_denial(resolution: Resolution, rules: RuleSet, entitlement: Entitlement) -> str:
    """Return the rule that denies it to this person, or nothing. Since the other rules grant it, that rule differs."""
    denying = {each.rule for each in resolution.explanations if each.applied and each.effect == "deny"}
    if not denying:
        return ""
    targets = ((rule.id, target) for rule in rules.rules if rule.id in denying for target in rule.denials)
    return next((rule for rule, target in targets if _covers(target, entitlement)), "")


def _covers(target: Target, entitlement: Entitlement) -> bool:
    if target.account != entitlement.account:
        return False
    if target.role is None and target.user is None:
        return True
    return entitlement.name == (target.role if entitlement.kind == "role" else target.user)


def _describe_limits(old: Entitlement, new: Entitlement) -> Iterator[Said]:
    """Yield how the limits of two entitlements to the same thing differ; nothing if they do not."""
    before, after = vars(old), vars(new)
    for name in before:
        if name not in _NO_LIMITS and before[name] != after[name]:
            yield _describe_limit(name, before[name], after[name])


def _describe_limit(name: str, old: Any, new: Any) -> Said:
    if name == "duration_seconds":
        return phrase("duration %(old)s → %(new)s", old=_describe_seconds(old), new=_describe_seconds(new))
    if name == "session_policy":
        if old is None:
            return phrase("session policy added")
        return phrase("session policy removed") if new is None else phrase("session policy changed")
    before, after = (phrase("none") if value is None else value for value in (old, new))
    if name == "terminal_role":
        return phrase("terminal role %(old)s → %(new)s", old=before, new=after)
    return phrase("%(name)s %(old)s → %(new)s", name=name.replace("_", " "), old=before, new=after)


def _describe_seconds(seconds: int) -> Said:
    if seconds % 3600 == 0:
        return phrase("%(number)s h", number=seconds // 3600)
    if seconds % 60 == 0:
        return phrase("%(number)s min", number=seconds // 60)
    return phrase("%(number)s s", number=seconds)


def _name(entitlement: Entitlement) -> What:
    return What(entitlement.account, entitlement.kind, entitlement.name)
