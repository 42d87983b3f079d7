"""Grants and denials that change nothing, because another rule always decides before."""

from collections.abc import Generator, Iterator, Sequence

from bridge.entitlements.rules import Grant, Target
from bridge.errors import Problem
from bridge.settings.review.implication import WiderRules, is_implied
from bridge.settings.review.placed import PlacedRule

Shadowed = set[tuple[int, int]]
"""Grants, as the number of the rule and of the grant in it."""


def find_shadows(placed: Sequence[PlacedRule]) -> Generator[Problem, None, Shadowed]:
    """Yield each grant or denial without effect, and return these grants."""
    by_number = {each.number: each for each in placed}
    denying, granting = WiderRules(), WiderRules()
    for each in placed:
        for target in each.rule.denials:
            denying.add(_aim(target), each.number, each.rule)
    shadowed: Shadowed = set()
    for each in placed:
        yield from _find_repeated_denials(each, denying, by_number)
        for number, grant in enumerate(each.rule.grants):
            problem = _find_denial(each, number, denying, by_number) or _find_grant(each, number, granting, by_number)
            if problem:
                shadowed.add((each.number, number))
                yield problem
            granting.add(_name(grant), each.number, each.rule)
    return shadowed


def describe_limits(grant: Grant) -> tuple[object, ...]:
    """Return what two grants of the same thing can differ in."""
    return grant.duration_seconds, grant.session_policy, grant.terminal_role


def _find_grant(
    each: PlacedRule, number: int, granting: WiderRules, by_number: dict[int, PlacedRule]
) -> Problem | None:
    grant = each.rule.grants[number]
    for other_number in granting.find(_name(grant), each.rule):
        other = by_number[other_number]
        if not is_implied(other.rule, each.rule):
            continue
        first = next(held for held in other.rule.grants if _name(held) == _name(grant))
        same = describe_limits(first) == describe_limits(grant)
        effect = "" if same else ", and with other limits, which are those that count"
        return each.warn(
            each.locate_grant(number),
            f"everybody who could get {_describe(grant)} here has it from {other.title} already{effect}",
            "Remove this grant."
            if same
            else "Remove this grant, or let its rule stand before the other one, in the order of files and rules.",
            "shadowed",
        )
    return None


def _find_denial(
    each: PlacedRule, number: int, denying: WiderRules, by_number: dict[int, PlacedRule]
) -> Problem | None:
    grant = each.rule.grants[number]
    for other_number in _find_denying(grant, each, denying):
        other = by_number[other_number]
        if is_implied(other.rule, each.rule):
            return each.warn(
                each.locate_grant(number),
                f"{other.title} denies {_describe(grant)} to everybody who could get it here",
                "Remove this grant, or narrow the rule that denies.",
                "always-denied",
            )
    return None


def _find_denying(grant: Grant, each: PlacedRule, denying: WiderRules) -> Iterator[int]:
    yield from denying.find((grant.account, None, None), each.rule)
    if grant.name.is_literal and grant.kind == "role":
        yield from denying.find((grant.account, grant.name.text, None), each.rule)
    elif grant.name.is_literal:
        yield from denying.find((grant.account, None, grant.name.text), each.rule)


def _find_repeated_denials(
    each: PlacedRule, denying: WiderRules, by_number: dict[int, PlacedRule]
) -> Iterator[Problem]:
    for target in each.rule.denials:
        aims = {(target.account, None, None), _aim(target)}
        for other_number in (number for aim in aims for number in denying.find(aim, each.rule)):
            other = by_number[other_number]
            if other is each or not is_implied(other.rule, each.rule):
                continue
            # Of two that say the same, the later one is the one too many.
            if other.number < each.number or not is_implied(each.rule, other.rule):
                yield each.warn(
                    (*each.loc, "deny", target.entry),
                    f"{other.title} denies this to everybody whom this rule concerns already",
                    "Remove this denial.",
                    "shadowed",
                )
                break


def _aim(target: Target) -> tuple[str, str | None, str | None]:
    return target.account, target.role, target.user


def _name(grant: Grant) -> tuple[str, str, str]:
    return grant.kind, grant.account, grant.name.text


def _describe(grant: Grant) -> str:
    return f"{grant.kind} {grant.account}/{grant.name.text}"
