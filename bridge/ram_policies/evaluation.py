"""Whether a role may do something: yes, no, or perhaps.

An explicit Deny wins over every Allow, and what nobody allows is denied. A session policy only takes away. Perhaps is
what hangs on a condition of the later call (its address, its time, a second factor), on the resource group of a
resource, or on which of several resources is meant.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property

from bridge.ram_policies.documents import Policy, Statement
from bridge.ram_policies.patterns import is_pattern, normalise, overlap

SERVICES_WITHOUT_GROUPS = frozenset({"ram", "sts", "ims", "resourcemanager"})
"""A policy that is attached within a resource group counts for nothing there."""


class Answer(IntEnum):
    """Kleene's three values: *and* is the smaller, *or* the larger one, *not* what is missing to yes."""

    NO = 0
    PERHAPS = 1
    YES = 2


@dataclass(frozen=True)
class Question:
    """May somebody do this?"""

    action: str
    resource: str
    """An ARN, or a pattern of ARNs where it is not known which one is meant."""
    literal: bool = False
    """Whether the resource is what the service asked RAM about, letter by letter: a ``*`` in it is no pattern then."""

    @property
    def service(self) -> str:
        """Return the service of the action, as policies name it."""
        return self.action.partition(":")[0].lower()


@dataclass(frozen=True)
class AttachedPolicy:
    """A policy that counts for a role."""

    policy: Policy
    grouped: bool = False
    """Whether it is attached within a resource group, so that it counts for that group's resources alone."""


@dataclass(frozen=True)
class Verdict:
    """The answer, and on what a perhaps hangs."""

    answer: Answer
    condition_keys: tuple[str, ...] = ()
    """Of a perhaps: the keys of the conditions."""
    grouped: bool = False
    """Of a perhaps: whether it depends on the resource's group."""


@dataclass(frozen=True)
class Permissions:
    """What a role, or one narrowed session of it, may do: each layer must allow it."""

    layers: tuple[tuple[AttachedPolicy, ...], ...]

    def judge(self, question: Question) -> Verdict:
        """Return whether it may be done."""
        asked = _Asked(question)
        answer, keys, grouped = Answer.YES, dict[str, None](), False
        for layer in self.layers:
            allowed, denied = Answer.NO, Answer.NO
            for attached in layer:
                for statement in attached.policy.statements:
                    found = asked.is_covered(statement, grouped=attached.grouped)
                    if found is Answer.PERHAPS:
                        keys |= dict.fromkeys(statement.condition_keys)
                        grouped = grouped or attached.grouped
                    if statement.allows:
                        allowed = max(allowed, found)
                    else:
                        denied = max(denied, found)
            answer = min(answer, allowed, Answer(Answer.YES - denied))
        return Verdict(answer, tuple(keys), grouped) if answer is Answer.PERHAPS else Verdict(answer)

    def list_statements(self) -> Iterable[Statement]:
        """Yield every statement."""
        return (each for layer in self.layers for attached in layer for each in attached.policy.statements)


@dataclass(frozen=True)
class _Asked:
    """A question, prepared to be compared with many statements."""

    question: Question
    resource: str = field(init=False)

    def __post_init__(self) -> None:
        resource = self.question.resource
        object.__setattr__(self, "resource", resource if self.question.literal else normalise(resource))

    @cached_property
    def _open(self) -> bool:
        return not self.question.literal and is_pattern(self.resource)

    def is_covered(self, statement: Statement, *, grouped: bool) -> Answer:
        """Return whether the statement is about what is asked."""
        if (statement.action_pattern.fullmatch(self.question.action) is not None) == statement.all_but_actions:
            return Answer.NO
        answer = self._is_about_resource(statement)
        if answer is Answer.NO:
            return answer
        if grouped and self.question.service in SERVICES_WITHOUT_GROUPS:
            return Answer.NO
        return Answer.PERHAPS if grouped or statement.condition_keys else answer

    def _is_about_resource(self, statement: Statement) -> Answer:
        if statement.resource_pattern.fullmatch(self.resource):
            found = Answer.YES
        elif self._open and any(overlap(self.resource, each) for each in statement.resources):
            found = Answer.PERHAPS
        else:
            found = Answer.NO
        return Answer(Answer.YES - found) if statement.all_but_resources else found
