"""What is unwise about rules that are valid: each file looks for one kind of thing, in the compiled rules.

Everything here is pure and takes its work in bounds, so that ten thousand rules are looked through in less than half a
second. It never speaks of a rule that might be needed; what it cannot see stands in docs/decisions/0084.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from datetime import datetime

from bridge.errors import Problem
from bridge.identity.providers import OIDCProvider, SAMLProvider
from bridge.settings.review.claims import find_claims_never_sent
from bridge.settings.review.contradictions import find_contradictions
from bridge.settings.review.expiry import find_expiring
from bridge.settings.review.limits import find_different_limits
from bridge.settings.review.placed import PlacedRule, place_rules
from bridge.settings.review.shadows import find_shadows

__all__ = ["PlacedRule", "place_rules", "review_rules"]


def review_rules(
    placed: Sequence[PlacedRule],
    providers: Mapping[str, SAMLProvider | OIDCProvider],
    now: datetime,
    seen_claims: Mapping[str, frozenset[str]] | None = None,
) -> Iterator[Problem]:
    """Yield a warning for each thing that is unwise.

    ``seen_claims`` has for each provider the names of the claims that its sign-ins had; None: nobody knows.
    """
    idle = yield from _collect_idle(placed, providers, now)
    working = [each for each in placed if each.number not in idle]
    found: set[Problem] = set()
    for group in _split(working, providers):
        for problem in _compare(group, providers):
            if problem not in found:
                found.add(problem)
                yield problem
    if seen_claims is not None:
        yield from find_claims_never_sent(placed, providers, seen_claims)


def _split(
    placed: Sequence[PlacedRule], providers: Mapping[str, SAMLProvider | OIDCProvider]
) -> Iterator[Sequence[PlacedRule]]:
    """Yield the rules that can meet: those for people, and those for workloads beside what is denied to everybody.

    A rule that grants and names no provider is for people only.
    """
    workloads = {each.number for each in placed if each.rule.providers and each.rule.providers.isdisjoint(providers)}
    yield [each for each in placed if each.number not in workloads]
    if workloads:
        everybody = {each.number for each in placed if each.rule.denials and not each.rule.providers}
        yield [each for each in placed if each.number in workloads | everybody]


def _compare(placed: Sequence[PlacedRule], providers: Mapping[str, SAMLProvider | OIDCProvider]) -> Iterator[Problem]:
    shadowed = yield from find_shadows(placed)
    yield from find_different_limits(placed, shadowed, providers)


def _collect_idle(
    placed: Sequence[PlacedRule], providers: Mapping[str, SAMLProvider | OIDCProvider], now: datetime
) -> Generator[Problem, None, set[int]]:
    """Yield what makes rules never apply, and return the numbers of these: no further finding is about them."""
    idle: set[int] = set()
    for each in placed:
        found = [*find_contradictions(each, providers), *find_expiring(each, now)]
        if any(problem.kind in {"never-matches", "expired"} for problem in found):
            idle.add(each.number)
        yield from found
    return idle
