"""How much several roles may do, compared with one another (docs/decisions/0153).

Each role's permissions are measured at the same points: an action on a resource. The points are typical ones of each
known service, and examples of every pattern in the policies that are compared, so that what sets two policies apart is
among them. A role whose points are some of another's is less powerful. Else whoever may administer, then change, then
read at fewer points is; none of these counts is ever larger for what is contained in something else.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

from bridge.ram_policies.catalogue import SERVICES, Harm, classify, describe_resource
from bridge.ram_policies.documents import Statement
from bridge.ram_policies.evaluation import Answer, Permissions, Question
from bridge.ram_policies.patterns import exemplify, is_pattern, join

MAX_POINTS = 6000
MAX_EXAMPLES = 60
"""Of one service's actions, and of its resources: policies with more patterns are compared by the first ones."""


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


@lru_cache(maxsize=4096)
def measure_typical(permissions: Permissions, account_id: str) -> Breadth:
    """Return the breadth at typical points alone: rougher, and comparable with all others measured like this."""
    return _measure_at(_find_typical_points(account_id), [permissions])[0]


@lru_cache(maxsize=256)
def _find_typical_points(account_id: str) -> list[tuple[Question, Harm]]:
    return find_points((), account_id)


def measure(compared: Sequence[Permissions], account_id: str) -> list[Breadth]:
    """Return the breadth of each, in their order, measured at the same points."""
    return _measure_at(find_points(compared, account_id), compared)


def _measure_at(points: Sequence[tuple[Question, Harm]], compared: Sequence[Permissions]) -> list[Breadth]:
    masks = [sum(1 << place for place, (_, harm) in enumerate(points) if harm is each) for each in reversed(Harm)]
    known: dict[Permissions, Breadth] = {}
    for permissions in compared:
        if permissions not in known:
            sure = possible = 0
            for place, (question, _) in enumerate(points):
                answer = permissions.judge(question).answer
                possible |= (answer is not Answer.NO) << place
                sure |= (answer is Answer.YES) << place
            counts = tuple((sure & mask).bit_count() + (possible & mask).bit_count() for mask in masks)
            known[permissions] = Breadth(Footprint(sure, possible), counts)
    return [known[permissions] for permissions in compared]


def list_typical(account_id: str) -> dict[str, tuple[list[Question], list[Question]]]:
    """Return, for each known service, questions about reading and about changing a typical resource of it."""
    return {
        name: (
            [Question(f"{name}:{each}", describe_resource(name, account_id), literal=True) for each in service.reads],
            [Question(f"{name}:{each}", describe_resource(name, account_id), literal=True) for each in service.changes],
        )
        for name, service in SERVICES.items()
    }


def find_points(compared: Iterable[Permissions], account_id: str) -> list[tuple[Question, Harm]]:
    """Return at which points permissions in one account are compared, and what each is about."""
    statements = list(dict.fromkeys(each for permissions in compared for each in permissions.list_statements()))
    patterns = dict.fromkeys(each for statement in statements for each in statement.actions)
    services = dict.fromkeys([*SERVICES, *(_name_service(each) for each in patterns), "other"])
    points: dict[tuple[str, str], None] = {}
    for service in services:
        if is_pattern(service):
            continue
        resources = _list_resources(service, account_id, statements)
        for action in _list_actions(service, patterns):
            points |= dict.fromkeys((f"{service}:{action}", resource) for resource in resources)
    chosen = list(points)[:MAX_POINTS]
    return [(Question(action, resource, literal=True), classify(action)) for action, resource in chosen]


def _name_service(pattern: str) -> str:
    return pattern.partition(":")[0].lower() if ":" in pattern else "*"


def _list_actions(service: str, patterns: Iterable[str]) -> list[str]:
    known = SERVICES.get(service)
    found = dict.fromkeys([*known.reads, *known.changes] if known else ["DescribeOther", "CreateOther"])
    own = [each.partition(":")[2] for each in patterns if ":" in each and _is_of(_name_service(each), service)]
    found |= dict.fromkeys(_exemplify(own))
    return list(found)


def _list_resources(service: str, account_id: str, statements: Sequence[Statement]) -> list[str]:
    found = {describe_resource(service, account_id): None}
    own: dict[str, None] = {}
    for statement in statements:
        for pattern in statement.resources:
            parts = pattern.split(":", 4)
            if len(parts) == 5 and _is_of(parts[1], service):  # noqa: PLR2004 - an ARN has five parts
                region = parts[2] if parts[2] and not is_pattern(parts[2]) else "cn-hangzhou"
                account = account_id if is_pattern(parts[3]) or not parts[3] else parts[3]
                own[f"acs:{service}:{region}:{account}:{parts[4]}"] = None
    found |= dict.fromkeys(_exemplify(list(own)))
    return list(found)


def _is_of(pattern: str, service: str) -> bool:
    return pattern in {"*", service} or (is_pattern(pattern) and pattern.rstrip("*") in service)


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
