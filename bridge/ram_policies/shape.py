"""What a role may do, in a few strokes: which services it manages, which it reads, where it may do some things."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bridge.ram_policies.breadth import list_typical
from bridge.ram_policies.catalogue import SERVICES
from bridge.ram_policies.documents import Statement
from bridge.ram_policies.evaluation import Answer, AttachedPolicy, Permissions, Question
from bridge.ram_policies.patterns import is_pattern


@dataclass(frozen=True)
class Shape:
    """Services by what may be done in them, under conditions or without; each stands in one place."""

    manages: tuple[str, ...] = ()
    """Everything typical."""
    reads: tuple[str, ...] = ()
    """Everything that reads, and nothing else."""
    reads_and_more: tuple[str, ...] = ()
    """Everything that reads, and a part of the rest."""
    some: tuple[str, ...] = ()
    """A part: some actions, or some resources."""
    conditional: bool = False
    """Whether some of it hangs on a condition."""

    @property
    def is_nothing(self) -> bool:
        """Tell whether nothing may be done at all."""
        return not (self.manages or self.reads or self.reads_and_more or self.some)

    @property
    def manages_everything(self) -> bool:
        """Tell whether it may do everything."""
        return len(self.manages) == len(SERVICES)

    @property
    def manages_all_but_administration(self) -> bool:
        """Tell whether it manages every service but those that are about users, keys, money and evidence."""
        return set(self.manages) == {name for name, service in SERVICES.items() if not service.administers}

    @property
    def reads_everything(self) -> bool:
        """Tell whether it may read everywhere."""
        return len(self.manages) + len(self.reads) + len(self.reads_and_more) == len(SERVICES)


def find_shape(permissions: Permissions, account_id: str) -> Shape:
    """Return what permissions in an account look like from afar."""
    found: dict[str, list[str]] = {"manages": [], "reads": [], "reads_and_more": [], "some": []}
    conditional = False
    for service, (reads, changes) in list_typical(account_id).items():
        answers = [[permissions.judge(each).answer for each in some] for some in (reads, changes)]
        read, changed = ({answer is not Answer.NO for answer in each} for each in answers)
        conditional = conditional or any(answer is Answer.PERHAPS for each in answers for answer in each)
        if read == {True}:
            place = "manages" if changed == {True} else "reads_and_more" if True in changed else "reads"
            found[place].append(service)
        elif True in read | changed:
            found["some"].append(service)
    known = {name for names in found.values() for name in names}
    found["some"] += [each for each in _list_named(permissions) if each not in known]
    conditional = conditional or any(each.condition_keys for each in permissions.list_statements())
    grouped = any(attached.grouped for layer in permissions.layers for attached in layer)
    return Shape(**{name: tuple(each) for name, each in found.items()}, conditional=conditional or grouped)


def _list_named(permissions: Permissions) -> list[str]:
    """Return the services that what is allowed names, in its actions or else in its resources."""
    *narrowing, role = permissions.layers
    if narrowing:
        return _list_left(permissions)
    named: dict[str, None] = {}
    for statement in _iterate_allowing(role):
        services = [] if statement.all_but_actions else [each.partition(":")[0] for each in statement.actions]
        if any(is_pattern(each) for each in services):
            services += [each.split(":")[1] for each in statement.resources if each.count(":") > 1]
        named |= dict.fromkeys(each.lower() for each in services if each and not is_pattern(each))
    return list(named)


def _list_left(permissions: Permissions) -> list[str]:
    """Return the services in which a session policy leaves something: what one layer names, all of them must allow.

    Where one allows any reading, and the other one folder alone, none of the two is typical and both together are
    something.
    """
    statements = [each for layer in permissions.layers for each in _iterate_allowing(layer)]
    actions = [each for statement in statements if not statement.all_but_actions for each in statement.actions]
    resources = {
        "*" if statement.all_but_resources else each
        for statement in _iterate_allowing(permissions.layers[0])
        for each in statement.resources
    }
    asked = [
        Question(re.sub(r"[*?]", "x", each), resource)
        for each in actions
        if not is_pattern(each.partition(":")[0])
        for resource in resources
    ]
    return list(dict.fromkeys(each.service for each in asked if permissions.judge(each).answer is not Answer.NO))


def _iterate_allowing(layer: Iterable[AttachedPolicy]) -> Iterator[Statement]:
    return (each for attached in layer for each in attached.policy.statements if each.allows)
