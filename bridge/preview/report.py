"""A comparison as people read it: grouped, counted, and with as many names as one can take in.

Its size does not grow with the number of sign-ins, so that it can be kept in Redis and sent to a page.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Literal

from pydantic import TypeAdapter

from bridge.entitlements.rules import RuleSet
from bridge.language import translate
from bridge.preview.compare import Comparison, PersonalDifference
from bridge.preview.differences import EFFECTS, Effect
from bridge.preview.unjudged import Unjudged, find_unjudged

NAMES = 8
"""How many people a row names."""
PEOPLE = 200
"""How many people are listed one by one."""


@dataclass(frozen=True)
class Row:
    """What becomes of one role or user in one account, by one rule."""

    effect: Effect
    account: str
    kind: Literal["role", "user"]
    name: str
    rule: str
    detail: str
    people: int
    names: tuple[str, ...]
    """The first ones."""

    @property
    def more(self) -> int:
        """Return how many people are not named."""
        return self.people - len(self.names)


@dataclass(frozen=True)
class RuleRow:
    """For how many people one rule is responsible, by effect."""

    rule: str
    gains: int
    loses: int
    limits: int


@dataclass(frozen=True)
class PersonRow:
    """Everything that differs for one person, as ``account/name``."""

    label: str
    gains: tuple[str, ...]
    loses: tuple[str, ...]
    limits: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """What a preview found."""

    before: str
    after: str
    since: datetime
    until: datetime
    sign_ins: int
    people: int
    changed_people: int
    gain: int
    """How many people gain something."""
    lose: int
    other_limits: int
    rows: tuple[Row, ...]
    rules: tuple[RuleRow, ...]
    persons: tuple[PersonRow, ...]
    """The first ones by name."""
    unjudged: tuple[Unjudged, ...]
    """The rules about which nothing of this is sure."""
    unreadable: int
    """Kept sign-ins that could not be opened: they are not counted."""

    @property
    def share(self) -> float:
        """Return the part of the people for whom something changes, 0 to 1; 0 where nobody is known."""
        return self.changed_people / self.people if self.people else 0.0


REPORT: TypeAdapter[Report] = TypeAdapter(Report)


def build_report(
    comparison: Comparison,
    before: RuleSet,
    after: RuleSet,
    *,
    since: datetime,
    until: datetime,
    kept_claims: frozenset[str] | None,
    unreadable: int = 0,
) -> Report:
    """Return what a comparison of two rule sets found; ``kept_claims`` as for :func:`find_unjudged`."""
    return Report(
        before=comparison.before,
        after=comparison.after,
        since=since,
        until=until,
        sign_ins=comparison.sign_ins,
        people=comparison.people,
        changed_people=comparison.changed_people,
        gain=comparison.count("gains"),
        lose=comparison.count("loses"),
        other_limits=comparison.count("limits"),
        rows=tuple(
            _make_row(list(group)) for _, group in groupby(comparison.differences, lambda each: each.difference)
        ),
        rules=_group_by_rule(comparison.differences),
        persons=_group_by_person(comparison.differences),
        unjudged=find_unjudged(before, after, kept_claims),
        unreadable=unreadable,
    )


def _make_row(group: Sequence[PersonalDifference]) -> Row:
    difference = group[0].difference
    what = difference.what
    return Row(
        effect=difference.effect,
        account=what.account,
        kind=what.kind,
        name=what.name,
        rule=difference.rule,
        detail=difference.detail,
        people=len(group),
        names=tuple(each.label for each in group[:NAMES]),
    )


def _group_by_rule(differences: Iterable[PersonalDifference]) -> tuple[RuleRow, ...]:
    people: dict[str, dict[Effect, set[str]]] = {}
    for each in differences:
        by_effect = people.setdefault(each.difference.rule, {effect: set() for effect in EFFECTS})
        by_effect[each.difference.effect].add(each.person)
    return tuple(
        RuleRow(rule, *(len(by_effect[effect]) for effect in EFFECTS)) for rule, by_effect in sorted(people.items())
    )


def _group_by_person(differences: Iterable[PersonalDifference]) -> tuple[PersonRow, ...]:
    found: dict[tuple[str, str], dict[Effect, dict[str, None]]] = {}
    for each in differences:
        what = f"{each.difference.what.account}/{each.difference.what.name}"
        if each.difference.limits:
            what = translate("%(what)s (%(detail)s)", what=what, detail=each.difference.detail)
        by_effect = found.setdefault((each.label, each.person), {effect: {} for effect in EFFECTS})
        by_effect[each.difference.effect][what] = None
    return tuple(
        PersonRow(label, *(tuple(by_effect[effect]) for effect in EFFECTS))
        for (label, _), by_effect in sorted(found.items())[:PEOPLE]
    )
