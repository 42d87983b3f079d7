"""What several policies decide together, and which statement decided.

The order is RAM's: the session policy first, then what is attached to the identity. An explicit Deny wins over every
Allow, and what nobody allows is denied. A session policy only takes away: a request has to pass it *and* the rest.

A policy attached within a resource group counts only for resources of that group, and only where a service has resource
groups at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from bridge.sandbox.cloud.policy.conditions import Context
from bridge.sandbox.cloud.policy.documents import PermissionPolicy

Layer = Literal["SessionPolicy", "AccountLevelIdentityBasedPolicy", "ResourceGroupLevelIdentityBasedPolicy"]
"""The vendor's words for where a policy is attached (``PolicyType`` of an access-denied detail)."""

Outcome = Literal["Allow", "ExplicitDeny", "ImplicitDeny"]

_SERVICES_WITHOUT_GROUPS = frozenset({"ram", "sts", "ims", "resourcemanager"})


@dataclass(frozen=True)
class Question:
    """May somebody do this now?"""

    action: str
    resource: str
    context: Context = field(default_factory=dict)
    resource_group: str | None = None
    """The group that the resource is in, if it is in one."""


@dataclass(frozen=True)
class Grant:
    """A policy that is attached to an identity, directly or by one of its groups."""

    name: str
    policy: PermissionPolicy
    resource_group: str | None = None
    """The resource group that it is limited to; None for the whole account."""

    @property
    def layer(self) -> Layer:
        """Return where it is attached."""
        return "ResourceGroupLevelIdentityBasedPolicy" if self.resource_group else "AccountLevelIdentityBasedPolicy"

    def counts_for(self, question: Question) -> bool:
        """Whether the grant's scope takes the question in."""
        if self.resource_group is None:
            return True
        service = question.action.partition(":")[0].lower()
        return self.resource_group == question.resource_group and service not in _SERVICES_WITHOUT_GROUPS


@dataclass(frozen=True)
class Decision:
    """The answer, and what it rests on; a refusal by silence rests on no statement."""

    outcome: Outcome
    layer: Layer
    policy: str | None = None
    statement: int | None = None
    """The index of the deciding statement in that policy."""

    @property
    def allowed(self) -> bool:
        """Whether it may be done."""
        return self.outcome == "Allow"


def decide(question: Question, grants: Sequence[Grant], session_policy: PermissionPolicy | None = None) -> Decision:
    """Return what an identity with these grants, narrowed by the session policy if there is one, may do."""
    if session_policy is not None:
        narrowed = _evaluate(question, [("the session policy", "SessionPolicy", session_policy)])
        if not narrowed.allowed:
            return narrowed
    counting = [(grant.name, grant.layer, grant.policy) for grant in grants if grant.counts_for(question)]
    return _evaluate(question, counting)


def _evaluate(question: Question, policies: Sequence[tuple[str, Layer, PermissionPolicy]]) -> Decision:
    outcomes: tuple[tuple[Literal["Deny", "Allow"], Outcome], ...] = (("Deny", "ExplicitDeny"), ("Allow", "Allow"))
    for effect, outcome in outcomes:
        for name, layer, policy in policies:
            index = policy.find_deciding(effect, question.action, question.resource, question.context)
            if index is not None:
                return Decision(outcome, layer, name, index)
    return Decision("ImplicitDeny", policies[0][1] if policies else "AccountLevelIdentityBasedPolicy")
