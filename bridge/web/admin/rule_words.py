"""A rule in plain words: to whom it applies, what it gives or denies, and for how long."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from bridge.entitlements.limits import DAYS
from bridge.entitlements.rules import Grant, Rule

SHOWN_VALUES = 12
"""A rule may name thousands of groups, or grant a role in hundreds of accounts; a page is for reading."""


@dataclass(frozen=True)
class Words:
    """One line: a phrase, the values that it is about, and how many more there are."""

    phrase: str
    values: tuple[str, ...] = ()
    joined_by: str = "or"
    more: int = 0
    after: str = ""


def describe_conditions(rule: Rule, provider_titles: Mapping[str, str]) -> list[Words]:
    """Return the conditions, which must all hold; one line for everybody where there are none."""
    lines = list(_describe_person(rule, provider_titles))
    if not lines:
        lines.append(Words("everybody for whom a provider vouches"))
    return lines + list(_describe_sign_in(rule))


def describe_effects(rule: Rule, account_titles: Mapping[str, str]) -> list[Words]:
    """Return what the rule grants, or denies: one line for each."""
    if rule.denials:
        lines = [
            Words(
                "" if target.role or target.user else "everything",
                (f"{'role' if target.role else 'user'} {target.role or target.user}",)
                if target.role or target.user
                else (),
                after=f"in {account_titles.get(target.account, target.account)}",
            )
            for target in rule.denials[:SHOWN_VALUES]
        ]
    else:
        lines = [_describe_grant(grant, account_titles) for grant in rule.grants[:SHOWN_VALUES]]
    more = max(len(rule.grants), len(rule.denials)) - SHOWN_VALUES
    return [*lines, Words(f"and {more} more")] if more > 0 else lines


def describe_seconds(seconds: int) -> str:
    """Return a length of time as people say it: ``90 minutes``, ``2 hours``."""
    for size, unit in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds % size == 0:
            number = seconds // size
            return f"{number} {unit}{'' if number == 1 else 's'}"
    return f"{seconds} seconds"


def iterate_searchable(rule: Rule, account_titles: Mapping[str, str]) -> Iterator[str]:
    """Yield every text by which somebody may look for the rule."""
    yield rule.id
    yield from rule.providers
    yield from rule.groups
    yield from rule.not_groups
    for name, values in rule.claims:
        yield name
        yield from values
    for name, beginnings in rule.claims_like:
        yield name
        yield from beginnings
    if rule.when:
        yield rule.when.text
    for grant in rule.grants:
        yield from (grant.name.text, grant.account, account_titles.get(grant.account, ""))
    for target in rule.denials:
        yield from (target.role or target.user or "", target.account, account_titles.get(target.account, ""))
    yield from (rule.owner, rule.reason)


def describe_about(rule: Rule) -> list[tuple[str, str]]:
    """Return who answers for the rule, why it is there and when it ends, as far as it says so."""
    last_day = str(rule.expires) if rule.expires else ""
    found = (("Owner", rule.owner), ("Reason", rule.reason), ("Last day", last_day))
    return [(label, value) for label, value in found if value]


def _describe_person(rule: Rule, provider_titles: Mapping[str, str]) -> Iterator[Words]:
    if rule.providers:
        yield _list("signs in at", (provider_titles.get(name, name) for name in rule.providers))
    case = ", in capitals or not" if rule.ignore_case else ""
    if rule.groups:
        yield _list(f"is in the group{case}", rule.groups)
    if rule.not_groups:
        yield _list(f"is not in the group{case}", rule.not_groups)
    for name, values in rule.claims:
        yield _list(f"has as {name}{case}", values)
    for name, beginnings in rule.claims_like:
        yield _list(f"has as {name}", (f"{beginning}*" for beginning in beginnings))
    if rule.when:
        yield Words("meets", (rule.when.text,))


def _describe_sign_in(rule: Rule) -> Iterator[Words]:
    require = rule.require
    if require and (require.amr or require.acr):
        yield _list("signed in by", (*(require.amr or ()), *(require.acr or ())), in_order=True)
    if require and require.max_age_seconds is not None:
        yield Words(f"signed in at most {describe_seconds(require.max_age_seconds)} ago")
    if rule.networks:
        yield _list("comes from", (str(network) for network in rule.networks), in_order=True)
    hours = rule.hours
    if hours:
        days = ", ".join(day for day in DAYS if day in hours.days)
        yield Words(f"comes on {days} from {hours.start} to {hours.end}, {hours.zone.key} time")


def _describe_grant(grant: Grant, account_titles: Mapping[str, str]) -> Words:
    limits = [f"in {account_titles.get(grant.account, grant.account)}, for {describe_seconds(grant.duration_seconds)}"]
    if grant.session_policy:
        limits.append("narrowed by a session policy")
    if grant.terminal_role:
        limits.append(f"in a terminal as role {grant.terminal_role.text}")
    return Words("", (f"{grant.kind} {grant.name.text}",), after="; ".join(limits))


def _list(phrase: str, values: Iterable[str], *, in_order: bool = False) -> Words:
    found = list(values) if in_order else sorted(values)
    return Words(phrase, tuple(found[:SHOWN_VALUES]), more=max(0, len(found) - SHOWN_VALUES))
