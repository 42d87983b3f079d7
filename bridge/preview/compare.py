"""Who would gain and who would lose what, if other rules had decided on the kept sign-ins.

Each sign-in is decided on twice, at its own time and from its own address. In one sign-in somebody *gains* what the
second rules grant and the first do not, *loses* what the first grant and the second do not, and keeps *with other
limits* what both grant for another time, with another session policy or another terminal role. A person gains, loses or
keeps so whatever did in at least one sign-in; after two sign-ins, from the office and from home, the same role can be
both a gain and a loss. What a stronger sign-in would have added is not counted: nobody held it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from bridge.entitlements.rules import RuleSet
from bridge.history.kept_sign_in import KeptSignIn
from bridge.preview.differences import EFFECTS, Difference, Effect
from bridge.preview.replay import Replay


@dataclass(frozen=True)
class PersonalDifference:
    """A difference for one person."""

    difference: Difference
    person: str
    """Stands for the person, as in :class:`KeptSignIn`."""
    label: str
    """What people call the person."""
    sign_ins: int
    """In how many sign-ins of this person it was so."""
    last: datetime
    """The time of the last of them; UTC."""


@dataclass(frozen=True)
class Comparison:
    """Everything that differs, by account, role and person."""

    before: str
    """The version of the first rules."""
    after: str
    """The version of the second rules."""
    sign_ins: int
    people: int
    """How many people signed in."""
    differences: tuple[PersonalDifference, ...]

    @cached_property
    def changed_people(self) -> int:
        """Return for how many people something differs."""
        return len({each.person for each in self.differences})

    def count(self, effect: Effect) -> int:
        """Return for how many people something differs in this way."""
        return len({each.person for each in self.differences if each.difference.effect == effect})


def compare(sign_ins: Iterable[KeptSignIn], before: RuleSet, after: RuleSet) -> Comparison:
    """Return who would gain and who would lose what if ``after`` had decided in place of ``before``.

    ``sign_ins`` come oldest first; each is looked at once and then forgotten.
    """
    replay = Replay(before, after)
    people: set[str] = set()
    found: dict[tuple[str, Difference], PersonalDifference] = {}
    count = 0
    for kept in sign_ins:
        count += 1
        people.add(kept.person)
        for difference in replay.find_differences(kept):
            key = kept.person, difference
            earlier = found[key].sign_ins if key in found else 0
            found[key] = PersonalDifference(difference, kept.person, kept.label, earlier + 1, kept.at)
    return Comparison(before.version, after.version, count, len(people), tuple(sorted(found.values(), key=_order)))


def _order(each: PersonalDifference) -> tuple[object, ...]:
    difference = each.difference
    effect = EFFECTS.index(difference.effect)
    return (
        difference.what,
        effect,
        difference.rule,
        [limit.english for limit in difference.limits],
        each.label,
        each.person,
    )
