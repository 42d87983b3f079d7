"""Which of the roles that somebody holds suffices for what was pasted, the least powerful one first.

What *least powerful* is, docs/decisions/0153 says. Only a role that surely suffices is offered; one that might, under a
condition, stands apart, and so does one of which nothing is known.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from bridge.delivery.links import check_destination
from bridge.entitlements.entitlement import Entitlement
from bridge.errors import DestinationRefused
from bridge.exchange.accounts import Account
from bridge.pasted.products import BY_SERVICE, build_page
from bridge.pasted.reading import Pasted
from bridge.ram_policies.breadth import Breadth, measure, measure_typical
from bridge.ram_policies.catalogue import Harm
from bridge.ram_policies.evaluation import Answer, Permissions, Question, Verdict
from bridge.ram_policies.knowledge import KnownRole, RoleKnowledge

MAX_COMPARED = 24
"""Of more roles in one account, those that may do the least at typical points are compared in full."""
MAX_ACCOUNTS = 6
"""Where more may be meant, since the paste names none, roles of the others are compared at typical points alone."""
MOST_WILDCARDS = 12
"""Of what was pasted; what RAM asks about has one or two."""
_SENSITIVITIES = {"low": 0, None: 1, "medium": 2, "high": 3}


class Stronger(Enum):
    """Why a role comes after the one that is offered."""

    CONTAINS = "contains"
    ADMINISTERS = "administers"
    CHANGES = "changes"
    READS = "reads"
    ELSEWHERE = "elsewhere"
    """It is in another account, where it may do no less."""
    SAME = "same"
    """It may do the same; it is more sensitive, lasts longer, or just has another name."""


@dataclass(frozen=True)
class Candidate:
    """An entitlement, and what is known of it."""

    entitlement: Entitlement
    verdict: Verdict
    known: KnownRole
    breadth: Breadth
    stronger: Stronger | None = None
    """Of one that is sufficient, but is not the first."""


@dataclass(frozen=True)
class Offers:
    """What came of it."""

    sufficient: tuple[Candidate, ...]
    """The least powerful first."""
    perhaps: tuple[Candidate, ...]
    """What suffices under a condition, the least powerful first."""
    unknown: tuple[Entitlement, ...]
    """In the accounts that are meant: of which nothing is known."""
    refused: tuple[Entitlement, ...] = ()
    """What the message says was refused, though by what is known it should not have been."""


def find_question(pasted: Pasted, account: Account) -> Question:
    """Return what a role of this account must be allowed.

    Where the paste names no action, it is to read; where it names no resource, each one of the product.
    """
    product, place = BY_SERVICE.get(pasted.service), pasted.place
    kind = place.kind if place else None
    action = pasted.action
    if not action:
        action = f"{pasted.service}:{kind.reads}" if kind else product.reads if product else f"{pasted.service}:Get"
    if pasted.literal:
        return Question(action, pasted.resource, literal=True)
    if pasted.resource:
        _, service, region, _, rest = pasted.resource.split(":", 4)
        return Question(action, f"acs:{service}:{region or '*'}:{account.id}:{_widen(rest)}")
    if pasted.action:
        return Question(action, f"acs:{pasted.service}:*:{account.id}:*")
    region = pasted.region or "*"
    shown = kind or (product.kinds[0] if product and product.kinds else None)
    rest = (
        "/".join(each for each in (shown.name, (place.name if place and kind else "") or "*") if each) if shown else "*"
    )
    return Question(action, f"acs:{pasted.service}:{region}:{account.id}:{rest}")


def _widen(pattern: str) -> str:
    """Return a pattern that every text fits that fits this one, and that has at most :data:`MOST_WILDCARDS`.

    A role that suffices for more suffices for this. Hundreds of them would be compared with each policy for seconds.
    """
    wildcards = [each.start() for each in re.finditer(r"[*?]", pattern)]
    return pattern if len(wildcards) <= MOST_WILDCARDS else f"{pattern[: wildcards[MOST_WILDCARDS - 1]]}*"


def find_destination(pasted: Pasted, account: Account) -> str:
    """Return the address of the console's page that shows what was pasted; empty: only the start page is known."""
    if pasted.place is None:
        return ""
    try:
        return check_destination(build_page(pasted.place, international=account.site == "international"))
    except DestinationRefused:
        return ""


def find_offers(
    pasted: Pasted, held: Iterable[Entitlement], accounts: Mapping[str, Account], knowledge: RoleKnowledge
) -> Offers:
    """Return which of the entitlements suffice for what was pasted, in every account that may be meant.

    Where an action was stated that cannot be read, nothing is known to suffice for it.
    """
    if pasted.unclear_action:
        return Offers((), (), ())
    unknown: list[Entitlement] = []
    refused: list[Entitlement] = []
    found: dict[str, list[tuple[Entitlement, KnownRole, Verdict]]] = {}
    for name, entitlements in _group_by_account(pasted, held, accounts).items():
        question = find_question(pasted, accounts[name])
        for entitlement in entitlements:
            known = find_known(entitlement, knowledge)
            if known is None:
                unknown.append(entitlement)
                continue
            verdict = known.permissions.judge(question)
            if verdict.answer is Answer.NO:
                continue
            if _was_refused(pasted, entitlement, accounts[name]):
                refused.append(entitlement)
            else:
                found.setdefault(name, []).append((entitlement, known, verdict))
    sufficient: list[Candidate] = []
    perhaps: list[Candidate] = []
    for name, breadths in _measure_accounts(found, accounts).items():
        for (entitlement, known, verdict), breadth in zip(found[name], breadths, strict=True):
            chosen = sufficient if verdict.answer is Answer.YES else perhaps
            chosen.append(Candidate(entitlement, verdict, known, breadth))
    return Offers(_sort(sufficient, accounts), _sort(perhaps, accounts), tuple(unknown), tuple(refused))


def _group_by_account(
    pasted: Pasted, held: Iterable[Entitlement], accounts: Mapping[str, Account]
) -> dict[str, list[Entitlement]]:
    """Return the entitlements in each account that may be meant, by its name."""
    found: dict[str, list[Entitlement]] = {}
    for entitlement in held:
        account = accounts[entitlement.account]
        if pasted.account_id in {"", account.id}:
            found.setdefault(account.name, []).append(entitlement)
    return found


def find_known(entitlement: Entitlement, knowledge: RoleKnowledge) -> KnownRole | None:
    """Return what is known of an entitlement: nothing, of a RAM user."""
    if entitlement.kind != "role":
        return None
    return knowledge.find(entitlement.account, entitlement.name, entitlement.session_policy)


def sort_by_power(
    entitlements: Sequence[Entitlement], accounts: Mapping[str, Account], knowledge: RoleKnowledge
) -> list[Entitlement]:
    """Return entitlements of one account, the least powerful first; those of which nothing is known come last."""
    known = [(each, found) for each in entitlements if (found := find_known(each, knowledge)) is not None]
    unknown = [each for each in entitlements if find_known(each, knowledge) is None]
    if not known:
        return unknown
    breadths = measure_many([found.permissions for _, found in known], accounts[entitlements[0].account].id)
    candidates = [
        Candidate(each, Verdict(Answer.YES), found, breadth)
        for (each, found), breadth in zip(known, breadths, strict=True)
    ]
    return [each.entitlement for each in _sort(candidates, accounts)] + unknown


def _measure_accounts(
    found: Mapping[str, Sequence[tuple[Entitlement, KnownRole, Verdict]]], accounts: Mapping[str, Account]
) -> dict[str, list[Breadth]]:
    """Return the breadth of what was found in each account, of at most :data:`MAX_ACCOUNTS` in full."""
    compared = {name: [known.permissions for _, known, _ in judged] for name, judged in found.items()}
    typical = {name: [measure_typical(each, accounts[name].id) for each in some] for name, some in compared.items()}

    def weigh(name: str) -> tuple[object, ...]:
        """A role that surely suffices counts, before one that might."""
        answers = [verdict.answer for _, _, verdict in found[name]]
        return min((-answer, breadth.counts) for answer, breadth in zip(answers, typical[name], strict=True))

    first = sorted(found, key=weigh)[:MAX_ACCOUNTS]
    full = {name: measure_many(compared[name], accounts[name].id) for name in first}
    most = max(each.counts[: len(Harm)] for some in full.values() for each in some) if full else ()
    rest = {name: [_put_behind(most, each) for each in typical[name]] for name in found if name not in full}
    return full | rest


def measure_many(compared: Sequence[Permissions], account_id: str) -> list[Breadth]:
    """Return the breadth of each in its order, of at most :data:`MAX_COMPARED` different ones in full."""
    different = list(dict.fromkeys(compared))
    if len(different) <= MAX_COMPARED:
        return measure(compared, account_id)
    typical = {each: measure_typical(each, account_id) for each in different}
    different.sort(key=lambda each: typical[each].counts)
    first = different[:MAX_COMPARED]
    full = dict(zip(first, measure(first, account_id), strict=True))
    most = max((each.counts for each in full.values()), default=())
    rest = {each: _put_behind(most, typical[each]) for each in different[MAX_COMPARED:]}
    return [(full | rest)[each] for each in compared]


def _put_behind(most: tuple[int, ...], typical: Breadth) -> Breadth:
    """Return the breadth of what is not compared in full: it comes after all that is, whose largest count is given."""
    return Breadth(typical.footprint, (*most, *typical.counts))


def _was_refused(pasted: Pasted, entitlement: Entitlement, account: Account) -> bool:
    """Tell whether the message is about this very role; a session of it that was narrowed elsewhere is no such.

    A role of another account may have the same name, and be refused what is in this one.
    """
    if pasted.form != "denial" or not pasted.action or pasted.role != entitlement.name:
        return False
    if pasted.role_account_id not in {"", account.id}:
        return False
    return pasted.layer != "SessionPolicy" or entitlement.session_policy is not None


def _sort(candidates: list[Candidate], accounts: Mapping[str, Account]) -> tuple[Candidate, ...]:
    def weigh(each: Candidate) -> tuple[object, ...]:
        entitlement, account = each.entitlement, accounts[each.entitlement.account]
        sensitivity = _SENSITIVITIES[entitlement.sensitivity or account.sensitivity]
        return (*each.breadth.counts, sensitivity, entitlement.duration_seconds, account.title, entitlement.name)

    ordered = sorted(candidates, key=lambda each: (len(each.breadth.counts), weigh(each)))
    return tuple(each if not number else _explain(ordered[0], each, accounts) for number, each in enumerate(ordered))


def _explain(first: Candidate, other: Candidate, accounts: Mapping[str, Account]) -> Candidate:
    if len(first.breadth.counts) != len(other.breadth.counts):
        # One of them was measured at typical points alone, so that is what can be said of both.
        account_id = accounts[first.entitlement.account].id
        least = replace(first, breadth=measure_typical(first.known.permissions, account_id))
        typical = replace(other, breadth=measure_typical(other.known.permissions, account_id))
        return replace(other, stronger=_find_reason(least, typical))
    return replace(other, stronger=_find_reason(first, other))


def _find_reason(first: Candidate, other: Candidate) -> Stronger:
    if first.entitlement.account != other.entitlement.account:
        return Stronger.ELSEWHERE
    if first.known.permissions == other.known.permissions or first.breadth.footprint == other.breadth.footprint:
        return Stronger.SAME
    if first.breadth.footprint.is_within(other.breadth.footprint):
        return Stronger.CONTAINS
    for harm, reason in zip(reversed(Harm), (Stronger.ADMINISTERS, Stronger.CHANGES, Stronger.READS), strict=True):
        place = len(Harm) - 1 - harm
        if other.breadth.counts[place] > first.breadth.counts[place]:
            return reason
    return Stronger.SAME
