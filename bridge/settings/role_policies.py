"""The files in ``role_policies/``: what roles may do, as it was read from RAM. Nobody needs to have any."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from bridge.errors import Problem
from bridge.exchange.accounts import Account
from bridge.ram_policies.documents import PolicyUnreadable, read_policy
from bridge.ram_policies.snapshot import ROLE_POLICIES, RolePolicies, is_stale
from bridge.yaml_documents import Positions, read_model

FOLDER = "role_policies"


def read_role_policies(
    folder: Path, accounts: Mapping[str, Account | None], problems: list[Problem], now: datetime | None
) -> dict[str, RolePolicies]:
    """Return the snapshots by the account's name, and add what is wrong with them to ``problems``.

    With ``now`` (UTC), old ones are mentioned too. ``accounts`` has None for those that cannot be looked into.
    """
    found: dict[str, RolePolicies] = {}
    paths = sorted(folder.glob("*.json")) if folder.is_dir() else []
    for path in (each for each in paths if not each.name.startswith(".")):
        reading = read_model(path, ROLE_POLICIES)
        problems += reading.problems
        if reading.content is None or reading.problems:
            continue
        problems += _find_problems(reading.content, path, accounts, reading.document.positions, now)
        found[reading.content.account] = reading.content
    return found


def _find_problems(
    snapshot: RolePolicies,
    path: Path,
    accounts: Mapping[str, Account | None],
    positions: Positions,
    now: datetime | None,
) -> Iterator[Problem]:
    again = "Read them again: `rambridge setup policies --account NAME --write`."
    if path.stem != snapshot.account:
        message = f"this is the account `{snapshot.account}`, and the file has another name"
        yield positions.problem(("account",), message, f"Call it {snapshot.account}.json.", kind="role-policies")
    if snapshot.account not in accounts:
        message = f"no file in accounts/ describes `{snapshot.account}`"
        yield positions.problem(("account",), message, "Delete this file, or add the account.", kind="role-policies")
        return
    account = accounts[snapshot.account]
    if account is not None and account.id != snapshot.account_id:
        message = f"the account `{account.name}` has the number {account.id}"
        yield positions.problem(("account_id",), message, again, kind="role-policies")
    for name, policy in snapshot.policies.items():
        try:
            read_policy(policy.document)
        except PolicyUnreadable as error:
            message = f"`{name}` is not understood ({error}), so nothing is known of its roles"
            yield positions.problem(
                ("policies", name, "document"), message, "Tell us its form.", severity="warning", kind="role-policies"
            )
    # An account of the sandbox changes when its file does, and the demo should not grow old.
    real = account is not None and account.custom_console is None
    if real and now is not None and is_stale(snapshot.read_at, now):
        message = f"what roles may do in `{snapshot.account}` was read {(now - snapshot.read_at).days} days ago"
        yield positions.problem(("read_at",), message, again, severity="warning", kind="role-policies")
