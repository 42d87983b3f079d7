"""Whether everybody who meets one rule's conditions meets another's, compared part by part.

The answer "yes" is certain; "no" means that it cannot be seen. Two expressions, for example, are compared as texts.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import TypeAlias

from bridge.addresses import Network
from bridge.entitlements.limits import is_within
from bridge.entitlements.rules import Requirement, Rule

MAX_COMPARED = 16
"""How many rules one rule is compared with: those that stand first. It bounds the work, whatever the rules are."""

Mark: TypeAlias = tuple[str | None, tuple[str, str] | None]
"""A group (or a provider, in a rule without groups and claims) and a claim with a value."""


def is_implied(wide: Rule, narrow: Rule) -> bool:
    """Return whether ``wide`` is sure to apply to everybody to whom ``narrow`` applies, whenever that is."""
    return (
        _read_when(wide) in {"", _read_when(narrow)}
        and _covers(wide.groups, narrow.groups)
        and _covers(wide.providers, narrow.providers)
        and _covers_claims(wide, narrow)
        and _covers_patterns(wide, narrow)
        and _covers_requirement(wide.require, narrow.require)
        and wide.not_groups <= narrow.not_groups
        and wide.ignore_case == narrow.ignore_case
        and _covers_networks(wide.networks, narrow.networks)
        and wide.hours in {None, narrow.hours}
        and (wide.expires is None or (narrow.expires is not None and narrow.expires <= wide.expires))
    )


def _covers(wide: Collection[str], narrow: Collection[str]) -> bool:
    """Compare lists of which one value is enough; an empty one asks for nothing."""
    return not wide or (bool(narrow) and set(narrow) <= set(wide))


def _covers_claims(wide: Rule, narrow: Rule) -> bool:
    if not wide.claims:
        return True
    asked = dict(narrow.claims)
    return all(name in asked and asked[name] <= values for name, values in wide.claims)


def _covers_patterns(wide: Rule, narrow: Rule) -> bool:
    """Compare what claims must begin with; an exact value that begins so is narrower, where its case is known."""
    if wide.claims_like and narrow.ignore_case:
        return False
    exact, patterns = dict(narrow.claims), dict(narrow.claims_like)
    for name, beginnings in wide.claims_like:
        asked = exact.get(name, frozenset()) or frozenset(patterns.get(name, ()))
        if not asked or not all(value.startswith(beginnings) for value in asked):
            return False
        if name in exact and not all(value not in beginnings for value in exact[name]):
            return False
    return True


def _covers_requirement(wide: Requirement | None, narrow: Requirement | None) -> bool:
    if wide is None:
        return True
    if narrow is None:
        return False
    if wide.amr or wide.acr:
        enough = {*(wide.amr or ()), *(f"acr {each}" for each in wide.acr or ())}
        accepted = {*(narrow.amr or ()), *(f"acr {each}" for each in narrow.acr or ())}
        if not accepted or not accepted <= enough:
            return False
    if wide.max_age_seconds is None:
        return True
    return narrow.max_age_seconds is not None and narrow.max_age_seconds <= wide.max_age_seconds


def _covers_networks(wide: Sequence[Network], narrow: Sequence[Network]) -> bool:
    return not wide or (bool(narrow) and all(any(is_within(part, whole) for whole in wide) for part in narrow))


def _read_when(rule: Rule) -> str:
    """Return the expression, or nothing for one that is true of everybody."""
    return "" if rule.when is None or rule.when.constant is True else rule.when.text.strip()


class WiderRules:
    """Finds, among the rules put into it, the few that another rule could imply."""

    def __init__(self) -> None:
        """Begin empty."""
        self._numbers: dict[tuple[object, str, Mark], list[int]] = {}

    def add(self, key: object, number: int, rule: Rule) -> None:
        """Put a rule in, under what it is about."""
        for mark in _choose_marks(rule):
            self._numbers.setdefault((key, _read_when(rule), mark), []).append(number)

    def find(self, key: object, narrow: Rule) -> Iterator[int]:
        """Yield the number of each rule under the key whose conditions ``narrow`` could imply, in bounds."""
        if not self._numbers:
            return
        marks = list(_list_marks(narrow))
        for when in {"", _read_when(narrow)}:
            for mark in marks:
                yield from self._numbers.get((key, when, mark), ())[:MAX_COMPARED]


def _choose_marks(rule: Rule) -> Iterator[Mark]:
    """Yield every value of its groups with every value of one claim: whoever implies the rule asks for such a pair."""
    if not rule.groups and not rule.claims:
        yield from ((provider, None) for provider in rule.providers or (None,))
        return
    name, values = rule.claims[0] if rule.claims else ("", frozenset())
    if len(values) > MAX_COMPARED:
        values = frozenset()
    for group in rule.groups or (None,):
        yield from ((group, (name, value)) for value in values)
        if not values:
            yield group, None


def _list_marks(rule: Rule) -> Iterator[Mark]:
    """Yield of every condition one value: each rule that is implied has one of these among its marks."""
    claims = [None, *((name, min(values)) for name, values in rule.claims)]
    groups = [None, *sorted(rule.groups)[:1]]
    yield from ((group, claim) for group in groups for claim in claims)
    yield from ((provider, None) for provider in sorted(rule.providers)[:1])
