"""Claims that rules read and no provider has sent: mostly names with a typing mistake."""

from collections.abc import Iterator, Mapping, Sequence

from bridge.errors import Problem
from bridge.identity.providers import OIDCProvider, SAMLProvider
from bridge.settings.review.placed import PlacedRule
from bridge.yaml_documents import Loc


def find_claims_never_sent(
    placed: Sequence[PlacedRule],
    providers: Mapping[str, SAMLProvider | OIDCProvider],
    seen_claims: Mapping[str, frozenset[str]],
) -> Iterator[Problem]:
    """Yield each claim that a rule reads and that none of its providers has sent or is said to send.

    A provider without any sign-in in ``seen_claims`` could send anything.
    """
    known = {
        name: seen_claims[name] | provider.claims.keys() | provider.single_valued
        for name, provider in providers.items()
        if seen_claims.get(name)
    }
    for each in placed:
        concerned = sorted(name for name in each.rule.providers or providers if name in providers)
        if not concerned or any(name not in known for name in concerned):
            continue
        sent = frozenset().union(*(known[name] for name in concerned))
        for claim, place in _list_reads(each, {providers[name].groups_claim for name in concerned}):
            if claim not in sent:
                names = ", ".join(sorted(sent))
                yield each.warn(
                    (*each.loc, *place),
                    f"no sign-in that is kept has a claim `{claim}` ({', '.join(concerned)})",
                    f"Write one of: {names}. Leave it if it is new: claims are kept once a rule reads them.",
                    "claim-never-sent",
                    at_key=place[0] in {"claims", "claims_like"},
                )


def _list_reads(each: PlacedRule, groups_claims: set[str]) -> Iterator[tuple[str, Loc]]:
    """Yield each claim that the rule reads by its name, once, with the place that reads it first.

    Where providers have different claims for groups, nothing is said of ``groups``.
    """
    seen: set[str] = set()
    reads: list[tuple[str, Loc]] = [(name, ("claims", name)) for name, _ in each.rule.claims]
    reads += [(name, ("claims_like", name)) for name, _ in each.rule.claims_like]
    if each.rule.groups and len(groups_claims) == 1:
        reads += [(name, ("groups",)) for name in groups_claims]
    for expression in each.rule.iterate_expressions():
        place: Loc = ("when",) if expression is each.rule.when else ("grant",)
        reads += [(name, place) for name in expression.claims]
    for name, place in reads:
        if name not in seen:
            seen.add(name)
            yield name, place
