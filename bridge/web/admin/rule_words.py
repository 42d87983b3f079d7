"""A rule in plain words: to whom it applies, what it gives or denies, and for how long."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from bridge.entitlements.rules import Grant, Rule, Target
from bridge.language import list_texts, translate, translate_number

SHOWN_VALUES = 12
"""A rule may name thousands of groups, or grant a role in hundreds of accounts; a page is for reading."""


_VALUES = "\0"


@dataclass(frozen=True)
class Words:
    """One line: what stands before the values that it is about, the values, how many more there are, and the rest."""

    before: str
    values: tuple[str, ...] = ()
    more: int = 0
    after: str = ""


def describe_conditions(rule: Rule, provider_titles: Mapping[str, str]) -> list[Words]:
    """Return the conditions, which must all hold; one line for everybody where there are none."""
    lines = list(_describe_person(rule, provider_titles))
    if not lines:
        lines.append(Words(translate("everybody for whom a provider vouches")))
    return lines + list(_describe_sign_in(rule))


def describe_effects(rule: Rule, account_titles: Mapping[str, str]) -> list[Words]:
    """Return what the rule grants, or denies: one line for each."""
    if rule.denials:
        lines = [_describe_denial(target, account_titles) for target in rule.denials[:SHOWN_VALUES]]
    else:
        lines = [_describe_grant(grant, account_titles) for grant in rule.grants[:SHOWN_VALUES]]
    more = max(len(rule.grants), len(rule.denials)) - SHOWN_VALUES
    return [*lines, Words(translate("and %(count)s more", count=more))] if more > 0 else lines


def describe_seconds(seconds: int) -> str:
    """Return a length of time as people say it: ``90 minutes``, ``2 hours``."""
    if seconds % 86_400 == 0:
        return translate_number("%(number)s day", "%(number)s days", seconds // 86_400)
    if seconds % 3600 == 0:
        return translate_number("%(number)s hour", "%(number)s hours", seconds // 3600)
    if seconds % 60 == 0:
        return translate_number("%(number)s minute", "%(number)s minutes", seconds // 60)
    return translate_number("%(number)s second", "%(number)s seconds", seconds)


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
    found = (
        (translate("Owner"), rule.owner),
        (translate("Reason"), rule.reason),
        (translate("Last day"), last_day),
    )
    return [(label, value) for label, value in found if value]


def _describe_person(rule: Rule, provider_titles: Mapping[str, str]) -> Iterator[Words]:
    if rule.providers:
        titles = (provider_titles.get(name, name) for name in rule.providers)
        yield _list(translate("signs in at %(values)s", values=_VALUES), titles)
    if rule.groups and rule.ignore_case:
        yield _list(translate("is in the group %(values)s, in capitals or not", values=_VALUES), rule.groups)
    elif rule.groups:
        yield _list(translate("is in the group %(values)s", values=_VALUES), rule.groups)
    if rule.not_groups and rule.ignore_case:
        yield _list(translate("is not in the group %(values)s, in capitals or not", values=_VALUES), rule.not_groups)
    elif rule.not_groups:
        yield _list(translate("is not in the group %(values)s", values=_VALUES), rule.not_groups)
    for name, values in rule.claims:
        if rule.ignore_case:
            text = translate("has as %(claim)s %(values)s, in capitals or not", claim=name, values=_VALUES)
        else:
            text = translate("has as %(claim)s %(values)s", claim=name, values=_VALUES)
        yield _list(text, values)
    for name, beginnings in rule.claims_like:
        text = translate("has as %(claim)s %(values)s", claim=name, values=_VALUES)
        yield _list(text, (f"{beginning}*" for beginning in beginnings))
    if rule.when:
        yield _list(translate("meets %(values)s", values=_VALUES), (rule.when.text,))


def _describe_sign_in(rule: Rule) -> Iterator[Words]:
    require = rule.require
    if require and (require.amr or require.acr):
        ways = (*(require.amr or ()), *(require.acr or ()))
        yield _list(translate("signed in by %(values)s", values=_VALUES), ways, in_order=True)
    if require and require.max_age_seconds is not None:
        age = describe_seconds(require.max_age_seconds)
        yield Words(translate("signed in at most %(age)s ago", age=age))
    if rule.networks:
        networks = (str(network) for network in rule.networks)
        yield _list(translate("comes from %(values)s", values=_VALUES), networks, in_order=True)
    hours = rule.hours
    if hours:
        yield Words(
            translate(
                "comes on %(days)s from %(start)s to %(end)s, %(zone)s time",
                days=list_texts(map(str, hours.day_names)),
                start=hours.start,
                end=hours.end,
                zone=hours.zone.key,
            )
        )


def _describe_denial(target: Target, account_titles: Mapping[str, str]) -> Words:
    account = account_titles.get(target.account, target.account)
    if target.role or target.user:
        what = _describe_kind("role" if target.role else "user", target.role or target.user or "")
        return _list(translate("%(values)s in %(account)s", values=_VALUES, account=account), (what,))
    return Words(translate("everything in %(account)s", account=account))


def _describe_grant(grant: Grant, account_titles: Mapping[str, str]) -> Words:
    text = translate(
        "%(values)s in %(account)s, for %(time)s",
        values=_VALUES,
        account=account_titles.get(grant.account, grant.account),
        time=describe_seconds(grant.duration_seconds),
    )
    if grant.session_policy:
        text = translate("%(first)s; %(second)s", first=text, second=translate("narrowed by a session policy"))
    if grant.terminal_role:
        terminal = translate("in a terminal as role %(role)s", role=grant.terminal_role.text)
        text = translate("%(first)s; %(second)s", first=text, second=terminal)
    return _list(text, (_describe_kind(grant.kind, grant.name.text),))


def _describe_kind(kind: str, name: str) -> str:
    return translate("role %(name)s", name=name) if kind == "role" else translate("user %(name)s", name=name)


def _list(text: str, values: Iterable[str], *, in_order: bool = False) -> Words:
    found = list(values) if in_order else sorted(values)
    before, _, after = text.partition(_VALUES)
    return Words(before, tuple(found[:SHOWN_VALUES]), max(0, len(found) - SHOWN_VALUES), after)
