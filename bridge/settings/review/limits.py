"""The same thing, granted by two rules with different limits, to somebody who can meet both."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from bridge.entitlements.rules import Rule
from bridge.errors import Problem
from bridge.identity.providers import OIDCProvider, SAMLProvider
from bridge.settings.review.implication import MAX_COMPARED, is_implied
from bridge.settings.review.placed import PlacedRule
from bridge.settings.review.shadows import Shadowed, describe_limits


def find_different_limits(
    placed: Sequence[PlacedRule], shadowed: Shadowed, providers: Mapping[str, SAMLProvider | OIDCProvider]
) -> Iterator[Problem]:
    """Yield each grant whose limits depend on which of two rules stands first.

    A narrower rule before a wider one is how one writes "these people get more", so it is not reported.
    """
    lists = frozenset(provider.groups_claim for provider in providers.values())
    earlier: dict[tuple[str, str, str], dict[tuple[object, ...], list[PlacedRule]]] = {}
    for each in placed:
        for number, grant in enumerate(each.rule.grants):
            if (each.number, number) in shadowed:
                continue
            limits = describe_limits(grant)
            known = earlier.setdefault((grant.kind, grant.account, grant.name.text), {})
            other = _find_other(each, limits, known, lists)
            if other:
                yield each.warn(
                    each.locate_grant(number),
                    f"{other.title} grants {grant.kind} {grant.account}/{grant.name.text} with other limits: "
                    "whoever meets both rules has those of the first",
                    "Give both the same limits, make their conditions exclude each other, or put the narrower first.",
                    "limits-differ",
                )
            same = known.setdefault(limits, [])
            if len(same) < MAX_COMPARED:
                same.append(each)


def _find_other(
    each: PlacedRule,
    limits: tuple[object, ...],
    known: Mapping[tuple[object, ...], Sequence[PlacedRule]],
    lists: frozenset[str],
) -> PlacedRule | None:
    others = (other for theirs, rules in known.items() if theirs != limits for other in rules)
    for other in islice(others, MAX_COMPARED):
        if can_both_apply(other.rule, each.rule, lists) and not is_implied(each.rule, other.rule):
            return other
    return None


def can_both_apply(first: Rule, second: Rule, lists: frozenset[str]) -> bool:
    """Return whether nothing is seen that keeps one person from meeting both rules.

    A claim has one value, except for those in ``lists``: a department is not two departments.
    """
    if first.providers and second.providers and first.providers.isdisjoint(second.providers):
        return False
    if _excludes(first, second) or _excludes(second, first):
        return False
    asked = dict(second.claims)
    return not any(
        name not in lists and name in asked and values.isdisjoint(asked[name]) for name, values in first.claims
    )


def _excludes(first: Rule, second: Rule) -> bool:
    """Return whether ``first`` keeps out every group, or every value of a claim, of which ``second`` needs one."""
    if second.groups and second.groups <= first.not_groups:
        return True
    patterns = dict(first.claims_like)
    return not second.ignore_case and any(
        name in patterns and not any(value.startswith(patterns[name]) for value in values)
        for name, values in second.claims
    )
