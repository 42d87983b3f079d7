"""Conditions that nobody can ever meet, alone or beside one another, and networks that everybody is in."""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, collapse_addresses

from bridge.addresses import Network
from bridge.errors import Problem
from bridge.identity.providers import OIDCProvider, SAMLProvider
from bridge.settings.review.placed import PlacedRule


def find_contradictions(each: PlacedRule, providers: Mapping[str, SAMLProvider | OIDCProvider]) -> Iterator[Problem]:
    """Yield each condition that can never hold, alone or beside another one of the rule."""
    rule = each.rule
    if rule.groups and rule.groups <= rule.not_groups:
        message, fix = "`not_groups` keeps out every group of `groups`", "Leave one of `groups` out."
        if rule.denials:  # what cannot be ruled out is denied
            text = f"the rule `{rule.id}` denies only where groups cannot be read: {message}"
            yield each.warn((*each.loc, "not_groups"), text, fix, "never-matches")
        else:
            yield _never(each, "not_groups", message, fix)
    if rule.when is not None and rule.when.constant is False:
        yield _never(each, "when", "`when` is false for everybody", "Correct the expression, or remove the rule.")
    if any(not network.prefixlen for network in _join(rule.networks)):
        text = f"the networks of the rule `{rule.id}` hold every address there is, so they keep nobody out"
        fix = "Write the networks that are meant, or remove `networks`."
        yield each.warn((*each.loc, "networks"), text, fix, "any-address")
    concerned = [providers[name] for name in rule.providers or providers if name in providers]
    if concerned:
        yield from _find_never_sent(each, concerned)


def _join(networks: Sequence[Network]) -> Iterator[Network]:
    """Yield the same addresses in as few networks as there can be: two halves of everything are everything."""
    yield from collapse_addresses(network for network in networks if isinstance(network, IPv4Network))
    yield from collapse_addresses(network for network in networks if isinstance(network, IPv6Network))


def _find_never_sent(each: PlacedRule, concerned: Sequence[SAMLProvider | OIDCProvider]) -> Iterator[Problem]:
    """Yield what no provider of the rule can send."""
    require = each.rule.require
    if require is None:
        return
    hopeless = [provider.name for provider in concerned if not require.can_be_met_by(provider.protocol)]
    if len(hopeless) == len(concerned):
        message = "no sign-in by SAML has an `amr`, and all its providers are SAML"
        yield _never(each, ("require", "amr"), message, "Write `acr` with the authentication contexts that they send.")
    elif hopeless:
        text = (
            f"the rule `{each.rule.id}` never applies to people of {', '.join(sorted(hopeless))}: SAML states no `amr`"
        )
        fix = "Write `acr` as well, with the contexts that they send, or `provider` with the others."
        yield each.warn((*each.loc, "require", "amr"), text, fix, "never-by-saml")


def _never(each: PlacedRule, place: str | tuple[str, ...], message: str, fix: str) -> Problem:
    loc = (*each.loc, *((place,) if isinstance(place, str) else place))
    text = f"the rule `{each.rule.id}` never applies: {message}"
    return each.warn(loc, text, fix, "never-matches")
