"""What changed of roles' policies between two readings, in lines for whoever reviews them."""

import json
from collections.abc import Iterator

from bridge.ram_policies.snapshot import RolePolicies, name_policy


def compare_snapshots(before: RolePolicies | None, after: RolePolicies) -> Iterator[str]:
    """Yield a line for each role and policy that came (``+``), went (``-``) or is another one now (``~``)."""
    yield from _compare("role", _list_roles(before), _list_roles(after))
    yield from _compare("policy", _list_policies(before), _list_policies(after))


def _compare(kind: str, before: dict[str, str], after: dict[str, str]) -> Iterator[str]:
    for name in sorted({*before, *after}):
        if name not in before:
            yield f"+ {kind} {name}: {after[name]}"
        elif name not in after:
            yield f"- {kind} {name}"
        elif before[name] != after[name]:
            yield f"~ {kind} {name}: {after[name]}"


def _list_roles(snapshot: RolePolicies | None) -> dict[str, str]:
    roles = snapshot.roles if snapshot else {}
    return {name: ", ".join(sorted(map(name_policy, attached))) or "nothing" for name, attached in roles.items()}


def _list_policies(snapshot: RolePolicies | None) -> dict[str, str]:
    policies = snapshot.policies if snapshot else {}
    return {
        name: f"{each.version} {json.dumps(each.document, separators=(',', ':'), ensure_ascii=False)}"
        for name, each in policies.items()
    }
