"""How much several roles may do, compared with one another (docs/decisions/0153).

Each role's permissions are measured at the same points: an action on a resource. The points are typical ones of each
known service, and examples of every pattern in the policies that are compared, so that what sets two policies apart is
among them. A role whose points are some of another's is less powerful. Else whoever may administer, then change, then
read at fewer points is; none of these counts is ever larger for what is contained in something else.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, zip_longest
from typing import TypeVar

from bridge.ram_policies.catalogue import SERVICES, Harm, classify, describe_resource
from bridge.ram_policies.documents import Statement
from bridge.ram_policies.evaluation import SERVICES_WITHOUT_GROUPS, Permissions, Question
from bridge.ram_policies.patterns import compile_quickly, exemplify, is_pattern, join, overlap

Each = TypeVar("Each")

MAX_ROWS = 4000
"""How many actions are compared, taken from the services in turn, so that none is left out for another's sake."""
MAX_EXAMPLES = 60
"""Of one service's patterns of actions, and of its resources: of more, they are taken from the statements in turn."""
MAX_KEPT = 128
"""How many comparisons are remembered, each of some ten kilobytes, seldom of more than a megabyte."""


@dataclass(frozen=True)
class Footprint:
    """At which points something is allowed, as the bits of two numbers; ``sure`` is a part of ``possible``."""

    sure: int
    possible: int

    def is_within(self, other: "Footprint") -> bool:
        """Tell whether nothing is allowed here that is not allowed there."""
        return not self.sure & ~other.sure and not self.possible & ~other.possible


@dataclass(frozen=True)
class Breadth:
    """How much a role may do, among others: comparable with what was measured together with it."""

    footprint: Footprint
    counts: tuple[int, ...]
    """At how many points it may administer, change and read."""


@dataclass(frozen=True)
class Row:
    """An action of a service, and the resources on which it is asked about: each of them is a point."""

    service: str
    action: str
    resources: tuple[str, ...]


@lru_cache(maxsize=4096)
def measure_typical(permissions: Permissions, account_id: str) -> Breadth:
    """Return the breadth at typical points alone: rougher, and comparable with all others measured like this."""
    return _measure_at(_find_typical_rows(account_id), [permissions])[0]


@lru_cache(maxsize=256)
def _find_typical_rows(account_id: str) -> list[Row]:
    return find_rows((), account_id)


def measure(compared: Sequence[Permissions], account_id: str) -> list[Breadth]:
    """Return the breadth of each, in their order, measured at the same points."""
    different = tuple(dict.fromkeys(compared))
    found = dict(zip(different, _measure_once(different, account_id), strict=True))
    return [found[each] for each in compared]


@lru_cache(maxsize=MAX_KEPT)
def _measure_once(different: tuple[Permissions, ...], account_id: str) -> tuple[Breadth, ...]:
    return tuple(_measure_at(find_rows(different, account_id), different))


def _measure_at(rows: Sequence[Row], compared: Sequence[Permissions]) -> list[Breadth]:
    """Return what :meth:`Permissions.judge` says at each point, for all resources of a row at once."""
    statements = {each for permissions in compared for each in permissions.list_statements()}
    covered = {each: _cover(each, rows) for each in statements}
    harms = [classify(row.action) for row in rows]
    found = []
    for permissions in compared:
        sure, possible = (list(each) for each in zip(*_judge(permissions, rows, covered), strict=True))
        counts = dict.fromkeys(reversed(Harm), 0)
        for harm, *both in zip(harms, sure, possible, strict=True):
            counts[harm] += sum(each.bit_count() for each in both)
        footprint = Footprint(_pack(sure, rows), _pack(possible, rows))
        found.append(Breadth(footprint, tuple(counts.values())))
    return found


def _judge(
    permissions: Permissions, rows: Sequence[Row], covered: dict[Statement, list[int]]
) -> Iterable[tuple[int, int]]:
    """Yield, for each row, the bits of the resources on which it is allowed surely, and possibly."""
    layers = [
        [(each, attached.grouped, covered[each]) for attached in layer for each in attached.policy.statements]
        for layer in permissions.layers
    ]
    for place, row in enumerate(rows):
        without_groups = row.service in SERVICES_WITHOUT_GROUPS
        sure = possible = (1 << len(row.resources)) - 1
        for layer in layers:
            allowed = [0, 0]
            denied = [0, 0]
            for statement, grouped, bits in layer:
                if bits[place] and not (grouped and without_groups):
                    either = allowed if statement.allows else denied
                    either[1] |= bits[place]
                    if not (grouped or statement.condition_keys):
                        either[0] |= bits[place]
            sure &= allowed[0] & ~denied[1]
            possible &= allowed[1] & ~denied[0]
        yield sure, possible


def _cover(statement: Statement, rows: Sequence[Row]) -> list[int]:
    """Return for each row the bits of the resources that a statement is about, whatever its conditions."""
    is_action = compile_quickly(statement.actions, fold_case=True)
    is_resource = compile_quickly(statement.resources)
    known: dict[tuple[str, ...], int] = {}
    found = []
    for row in rows:
        bits = 0
        if is_action(row.action) != statement.all_but_actions:
            if row.resources not in known:
                fits = (is_resource(each) != statement.all_but_resources for each in row.resources)
                known[row.resources] = sum(fit << place for place, fit in enumerate(fits))
            bits = known[row.resources]
        found.append(bits)
    return found


def _pack(bits: Sequence[int], rows: Sequence[Row]) -> int:
    pieces = (each.to_bytes(len(row.resources) // 8 + 1, "little") for each, row in zip(bits, rows, strict=True))
    return int.from_bytes(b"".join(pieces), "little")


def list_typical(account_id: str) -> dict[str, tuple[list[Question], list[Question]]]:
    """Return, for each known service, questions about reading and about changing a typical resource of it."""
    return {
        name: (
            [Question(f"{name}:{each}", describe_resource(name, account_id), literal=True) for each in service.reads],
            [Question(f"{name}:{each}", describe_resource(name, account_id), literal=True) for each in service.changes],
        )
        for name, service in SERVICES.items()
    }


def find_rows(compared: Iterable[Permissions], account_id: str) -> list[Row]:
    """Return at which points permissions in one account are compared."""
    statements = list(dict.fromkeys(each for permissions in compared for each in permissions.list_statements()))
    actions = [_group_actions(each) for each in statements]
    resources = [_group_resources(each, account_id) for each in statements]
    services = dict.fromkeys([*SERVICES, *(service for each in actions for service in each), "other"])
    by_service = []
    for service in services:
        if is_pattern(service):
            continue
        on = tuple(_list_resources(service, account_id, resources))
        by_service.append([Row(service, each, on) for each in _list_actions(service, actions)])
    return _take_in_turn(by_service)[:MAX_ROWS]


def _take_in_turn(lists: Iterable[Iterable[Each]]) -> list[Each]:
    """Return the first ones of all lists, then the second ones, and so on; each once."""
    return list(dict.fromkeys(each for some in zip_longest(*lists) for each in some if each is not None))


def _group_actions(statement: Statement) -> dict[str, list[str]]:
    """Return what stands behind the service, by the service."""
    found: dict[str, list[str]] = defaultdict(list)
    for pattern in statement.actions:
        service, colon, name = pattern.partition(":")
        if colon:
            found[service.lower()].append(name)
    return found


def _group_resources(statement: Statement, account_id: str) -> dict[str, list[str]]:
    """Return what stands behind the service of each ARN, with a region and an account, by the service."""
    found: dict[str, list[str]] = defaultdict(list)
    for pattern in statement.resources:
        parts = pattern.split(":", 4)
        if len(parts) == 5:  # noqa: PLR2004 - an ARN has five parts
            region = parts[2] if parts[2] and not is_pattern(parts[2]) else "cn-hangzhou"
            account = account_id if is_pattern(parts[3]) or not parts[3] else parts[3]
            found[parts[1]].append(f"{region}:{account}:{parts[4]}")
    return found


def _find_own(service: str, grouped: Iterable[dict[str, list[str]]]) -> list[str]:
    """Return what statements say of a service: from each the first, then from each the second."""
    return _take_in_turn(
        [each for pattern, some in by_service.items() if _is_of(pattern, service) for each in some]
        for by_service in grouped
    )


def _list_actions(service: str, grouped: Iterable[dict[str, list[str]]]) -> list[str]:
    """Return the actions at which a service is measured, the gravest of those that policies name first."""
    known = SERVICES.get(service)
    found = dict.fromkeys([*known.reads, *known.changes] if known else ["DescribeOther", "CreateOther"])
    own = _find_own(service, grouped)
    own.sort(key=lambda each: classify(f"{service}:{exemplify(each, '')}"), reverse=True)
    found |= dict.fromkeys(each for each in own if not is_pattern(each))
    found |= dict.fromkeys(_exemplify([each for each in own if is_pattern(each)]))
    return [f"{service}:{each}" for each in found]


def _list_resources(service: str, account_id: str, grouped: Iterable[dict[str, list[str]]]) -> list[str]:
    found = {describe_resource(service, account_id): None}
    found |= dict.fromkeys(f"acs:{service}:{each}" for each in _exemplify(_find_own(service, grouped)))
    return list(found)


def _is_of(pattern: str, service: str) -> bool:
    return pattern in {"*", service} or (is_pattern(pattern) and overlap(pattern, service))


def _exemplify(patterns: Sequence[str]) -> Iterable[str]:
    """Return texts that fit the patterns, each alone and two together."""
    found: dict[str, None] = {}
    for pattern in patterns[:MAX_EXAMPLES]:
        found |= dict.fromkeys(exemplify(pattern, filling) for filling in ("", "-any-"))
    for one, other in combinations(patterns[: MAX_EXAMPLES // 2], 2):
        both = join(one, other)
        if both is not None:
            found[both] = None
    return (each for each in found if each)
