"""Which rules could concern a person at all: found by what each rule requires, without looking at the others.

A rule requires a group, a provider, the value of a claim, or a comparison that its expression cannot be true without
(:func:`~bridge.entitlements.checked_ast.find_required`). Each rule stands in the index once, under the requirement
that the fewest rules share, so that ten thousand rules for ten thousand teams cost as much as ten.

The index only leaves out. A rule that grants is left out where a requirement is not known to be met; a rule that
denies, where one is known not to be met: what cannot be read leads to every denial that requires it. A denial is never
indexed by its expression, since an expression that ends in an error denies.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from bridge.entitlements.matching import Texts, fold_case
from bridge.identity.verified import Claim, VerifiedIdentity

if TYPE_CHECKING:
    from bridge.entitlements.rules.rule_set import Rule


@dataclass(frozen=True)
class Feature:
    """Something about a person that can be read once and looked up."""

    kind: Literal["provider", "groups", "claim", "compared claim"]
    """``claim``: as ``claims:`` reads it, which knows when it is unreadable; ``compared claim``: as CEL reads it."""
    claim: str = ""
    folded: bool = False
    """Whether letters of either case are the same."""


_Requirement: TypeAlias = tuple[Feature, frozenset[str]]


@dataclass(frozen=True)
class Index:
    """The numbers of rules by what they require."""

    _by_value: Mapping[Feature, Mapping[str, Sequence[int]]]
    _denying: Mapping[Feature, Sequence[int]]
    """The rules that deny, for when the feature cannot be read."""
    _always: Sequence[int]

    def find(self, identity: VerifiedIdentity, groups: Texts, read: Callable[[str], Texts]) -> list[int]:
        """Return the numbers of the rules that could concern an identity, in order.

        ``groups`` are those of the identity, and ``read`` returns what can be read of one of its claims.
        """
        numbers = set(self._always)
        for feature, by_value in self._by_value.items():
            texts = _read_feature(feature, identity, groups, read)
            if not texts.readable:
                numbers.update(self._denying.get(feature, ()))
            for value in {fold_case(text) for text in texts.values} if feature.folded else texts.values:
                numbers.update(by_value.get(value, ()))
        return sorted(numbers)


def build_index(rules: "Sequence[Rule]") -> Index:
    """Return the index of rules by their place in the sequence."""
    required = [tuple(_iterate_required(rule)) for rule in rules]
    shared = Counter((feature, value) for each in required for feature, values in each for value in values)
    by_value: dict[Feature, dict[str, list[int]]] = {}
    denying: dict[Feature, list[int]] = {}
    always: list[int] = []
    for number, (rule, requirements) in enumerate(zip(rules, required, strict=True)):
        if not requirements:
            always.append(number)
            continue
        feature, values = min(requirements, key=lambda each: sum(shared[each[0], value] for value in each[1]))
        for value in values:
            by_value.setdefault(feature, {}).setdefault(value, []).append(number)
        if rule.denials:
            denying.setdefault(feature, []).append(number)
    return Index(by_value, denying, tuple(always))


def _iterate_required(rule: "Rule") -> Iterator[_Requirement]:
    if rule.groups:
        yield Feature("groups", folded=rule.ignore_case), rule.groups
    if rule.providers:
        yield Feature("provider"), rule.providers
    for name, values in rule.claims:
        yield Feature("claim", name, rule.ignore_case), values
    if rule.when and not rule.denials:
        for name, values in rule.when.required:
            yield Feature("compared claim", name), values


def _read_feature(feature: Feature, identity: VerifiedIdentity, groups: Texts, read: Callable[[str], Texts]) -> Texts:
    match feature.kind:
        case "groups":
            return groups
        case "provider":
            return Texts(frozenset({identity.provider}))
        case "claim":
            return read(feature.claim)
    return Texts(frozenset(_list_texts(identity.claims.get(feature.claim))))


def _list_texts(claim: Claim) -> list[str]:
    """Return every text that a comparison in an expression could find in a claim: the text, its items, its keys."""
    values = [claim] if isinstance(claim, str) else claim if isinstance(claim, list | dict) else ()
    return [value for value in values if isinstance(value, str)]
