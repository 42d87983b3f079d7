"""What is known of the roles of all accounts. What is not known is unknown, never assumed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from bridge.ram_policies.documents import Policy, PolicyUnreadable, read_policy
from bridge.ram_policies.evaluation import AttachedPolicy, Permissions
from bridge.ram_policies.shape import Shape, find_shape
from bridge.ram_policies.snapshot import AttachedInGroup, RolePolicies, name_policy

MAX_SHAPES = 5000
"""Session policies hold what claims said, so there may be any number of them."""


@dataclass(frozen=True)
class KnownRole:
    """What a role, or one narrowed session of it, may do, as of a moment (UTC)."""

    permissions: Permissions
    read_at: datetime


class RoleKnowledge:
    """The snapshots of all accounts, ready to be asked."""

    def __init__(self, snapshots: Mapping[str, RolePolicies]) -> None:
        """Take the snapshots by the account's name."""
        self._snapshots = snapshots
        self._policies = {
            account: {name: _read(each.document) for name, each in snapshot.policies.items()}
            for account, snapshot in snapshots.items()
        }
        self._roles: dict[tuple[str, str], KnownRole | None] = {}
        self._shapes: dict[tuple[str, str, str | None], Shape | None] = {}
        self._shapes_of: dict[tuple[str, Permissions], Shape] = {}

    def find(self, account: str, role: str, session_policy: str | None = None) -> KnownRole | None:
        """Return what is known of a role, narrowed by a session policy (JSON) if there is one.

        None: the account has no snapshot, the role is not in it, or one of its policies is not understood. A policy
        that is not understood may forbid something, so nothing at all is known then.
        """
        if (account, role) not in self._roles:
            self._roles[account, role] = self._build(account, role)
        known = self._roles[account, role]
        if known is None or session_policy is None:
            return known
        narrowing = _read_session_policy(session_policy)
        if narrowing is None:
            return None
        return KnownRole(Permissions(((AttachedPolicy(narrowing),), *known.permissions.layers)), known.read_at)

    def list_roles(self, account: str) -> tuple[str, ...]:
        """Return the roles of an account that are in its snapshot."""
        snapshot = self._snapshots.get(account)
        return tuple(snapshot.roles) if snapshot else ()

    def find_shape(self, account: str, role: str, session_policy: str | None = None) -> Shape | None:
        """Return what :meth:`find` returns, in a few strokes; found out once, since a page may show hundreds."""
        key = (account, role, session_policy)
        try:
            return self._shapes[key]  # asked once: another thread may clear all of them at any time
        except KeyError:
            known = self.find(account, role, session_policy)
        shape = None if known is None else self._find_shape_of(account, known.permissions)
        if len(self._shapes) >= MAX_SHAPES:
            self._shapes.clear()
        self._shapes[key] = shape
        return shape

    def _find_shape_of(self, account: str, permissions: Permissions) -> Shape:
        """Return a shape; one for all accounts where the policies name none."""
        account_id = self._snapshots[account].account_id
        names_it = any(
            account_id in each for statement in permissions.list_statements() for each in statement.resources
        )
        key = (account_id if names_it else "", permissions)
        shape = self._shapes_of.get(key)
        if shape is None:
            if len(self._shapes_of) >= MAX_SHAPES:
                self._shapes_of.clear()
            shape = self._shapes_of[key] = find_shape(permissions, account_id)
        return shape

    def _build(self, account: str, role: str) -> KnownRole | None:
        snapshot = self._snapshots.get(account)
        if snapshot is None or role not in snapshot.roles:
            return None
        found: list[AttachedPolicy] = []
        for attached in snapshot.roles[role]:
            policy = self._policies[account][name_policy(attached)]
            if policy is None:
                return None
            found.append(AttachedPolicy(policy, grouped=isinstance(attached, AttachedInGroup)))
        return KnownRole(Permissions((tuple(found),)), snapshot.read_at)


def _read(document: Mapping[str, object]) -> Policy | None:
    try:
        return read_policy(document)
    except PolicyUnreadable:
        return None


@lru_cache(maxsize=512)
def _read_session_policy(text: str) -> Policy | None:
    return _read(json.loads(text))
