"""Roles that rules name and that an account, as its file describes it, does not have."""

from collections.abc import Iterator

from bridge.entitlements.rules import RoleGrant, Target, UserGrant
from bridge.errors import Problem
from bridge.exchange.accounts import Account
from bridge.yaml_documents import Loc, Positions


def find_unknown_roles(
    target: RoleGrant | UserGrant | Target, account: Account | None, positions: Positions, loc: Loc
) -> Iterator[Problem]:
    """Yield each role that is not in the account's list ``roles``; without such a list every role may exist.

    A role whose name is partly taken from claims cannot be looked up.
    """
    known = getattr(account, "roles", None)
    if not known:
        return
    for name in ("role", "terminal_role"):
        role = getattr(target, name, None)
        if role is not None and "${" not in role and role not in known:
            yield positions.problem(
                (*loc, name),
                f"there is no role named `{role}` in the account `{target.account}`",
                f"Write one of: {', '.join(sorted(known))}; or add it to `roles` of the account, if RAM has it.",
                kind="unknown-role",
            )
