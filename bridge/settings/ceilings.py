"""Grants that allow more than the ceilings in ``bridge.yaml`` do.

Rules are changed by many; the ceilings by whoever runs the service. So this is an error: a rule above its ceiling never
comes into force, whoever approved it.
"""

from collections.abc import Collection, Iterator, Sequence
from fnmatch import fnmatchcase
from ipaddress import ip_network

from bridge.addresses import Network
from bridge.entitlements.limits import is_within
from bridge.entitlements.rules import Grant, Rule
from bridge.errors import Problem
from bridge.settings.review.placed import PlacedRule
from bridge.settings.service import Ceiling


def find_wide_grants(placed: Sequence[PlacedRule], ceilings: Sequence[Ceiling]) -> Iterator[Problem]:
    """Yield each grant that is wider than a ceiling for it, with everything in which it is."""
    if not ceilings:
        return
    for each in placed:
        for number, grant in enumerate(each.rule.grants):
            for place, ceiling in enumerate(ceilings):
                excess = list(_find_excess(each.rule, grant, ceiling)) if _concerns(ceiling, grant) else []
                if excess:
                    yield each.positions.problem(
                        each.locate_grant(number),
                        f"this grants more than ceiling {place + 1} of bridge.yaml allows: {'; '.join(excess)}",
                        "Narrow the rule, or have the ceiling changed (`rules.ceilings`).",
                        kind="wider-than-ceiling",
                    )


def _concerns(ceiling: Ceiling, grant: Grant) -> bool:
    if not any(fnmatchcase(grant.account, pattern) for pattern in ceiling.accounts):
        return False
    if ceiling.roles is None:
        return True
    template = grant.name if grant.kind == "role" else grant.terminal_role
    if template is None:
        return False
    if template.is_literal:
        names: Collection[str] | None = (template.text,)
    else:
        names = grant.allowed_roles  # a claim decides: any of them, and any role at all where the account lists none
    return names is None or any(fnmatchcase(name, pattern) for name in names for pattern in ceiling.roles)


def _find_excess(rule: Rule, grant: Grant, ceiling: Ceiling) -> Iterator[str]:
    longest = ceiling.max_duration_seconds
    if longest is not None and grant.duration_seconds > longest:
        yield f"sessions of {grant.duration_seconds} s, at most {longest} s"
    require = rule.require
    if ceiling.amr or ceiling.acr:
        amr, acr = (require.amr or (), require.acr or ()) if require else ((), ())
        if not amr and not acr:
            yield f"a sign-in of any strength, instead of `require` with {_list_strengths(ceiling)}"
        elif weaker := [*_leave_out(amr, ceiling.amr), *_leave_out(acr, ceiling.acr)]:
            yield f"a sign-in by {', '.join(weaker)}, instead of {_list_strengths(ceiling)}"
    oldest = ceiling.max_age_seconds
    if oldest is not None and (require is None or (require.max_age_seconds or oldest + 1) > oldest):
        yield f"a sign-in that is older than {oldest} s"
    if ceiling.networks is not None and not _are_within(rule.networks, ceiling.networks):
        yield f"requests from outside of {', '.join(ceiling.networks)}"


def _leave_out(accepted: Collection[str], allowed: Collection[str] | None) -> list[str]:
    return [name for name in accepted if name not in (allowed or ())]


def _list_strengths(ceiling: Ceiling) -> str:
    return ", ".join([*(f"amr {name}" for name in ceiling.amr or ()), *(f"acr {name}" for name in ceiling.acr or ())])


def _are_within(networks: Collection[Network], allowed: Collection[str]) -> bool:
    """Return whether there are networks, each as a whole within one that is allowed."""
    bounds = [ip_network(text) for text in allowed]
    return bool(networks) and all(any(is_within(network, bound) for bound in bounds) for network in networks)
