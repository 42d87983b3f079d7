"""``rambridge setup``: what RAM must have for the configuration, and the way there."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from bridge.cli.in_force import load_with_rules
from bridge.cli.output import FAILED, count, errors_to_exit_code, printable
from bridge.cli.ram_access import open_ram, ram_options
from bridge.clock import SystemClock
from bridge.errors import SetupFailed
from bridge.exchange.accounts import Account
from bridge.exchange.metadata import describe_us
from bridge.keys import KeyFolder
from bridge.ram_policies.snapshot import write_snapshot
from bridge.settings import Configuration
from bridge.settings.role_policies import FOLDER
from bridge.setup.compare_policies import compare_snapshots
from bridge.setup.desired import Desired, Role, find_desired
from bridge.setup.existing import Existing
from bridge.setup.fingerprint import fetch_fingerprint
from bridge.setup.plan import SYMBOLS, Plan, Step, compare
from bridge.setup.terraform import write_terraform

_COLOURS = {"create": "green", "change": "yellow", "leave": None, "blocked": "red"}


@click.group(short_help="Bring RAM to what the configuration needs.")
def setup() -> None:
    """Bring RAM to what the configuration needs: providers, roles with their trust policies, RAM users.

    It deletes nothing, attaches and detaches no policy, and touches no role that no rule grants.
    """


def _common(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.pass_obj,
        click.option(
            "--fingerprint",
            "fingerprints",
            multiple=True,
            help="With trust: oidc, SHA-1 of the top certificate of our TLS chain; without it our address is asked.",
        ),
        click.option("--bridge-user", help="With trust: access_key, the RAM user that holds the bridge's key."),
        click.option("--rules", help="Rules of this folder, or of this version, instead of those in force."),
        click.option("--account", "name", required=True, help="The account, as its file in accounts/ names it."),
    ):
        command = option(command)
    return ram_options(command)


@setup.command(short_help="Show what RAM lacks and what differs; change nothing.")
@_common
@click.option("--terraform", is_flag=True, help="Print Terraform for all of it instead; RAM is not asked.")
def plan(  # noqa: PLR0917
    folder: Path,
    name: str,
    rules: str | None,
    bridge_user: str | None,
    fingerprints: tuple[str, ...],
    access_key_id: str | None,
    access_key_secret: str | None,
    endpoint: str | None,
    *,
    terraform: bool,
) -> None:
    """Show what RAM lacks, what differs, and what is right already; change nothing.

    The exit code is 1 if there is a difference.
    """
    with errors_to_exit_code():
        desired = _find_desired(folder, name, rules, bridge_user, fingerprints)
        if terraform:
            click.echo(write_terraform(desired), nl=False)
            return
        existing = open_ram(desired.account, access_key_id, access_key_secret, endpoint).read(desired)
    found = compare(desired, existing)
    _print_plan(desired, existing, found)
    if found.changes or found.blocked:
        sys.exit(FAILED)


@setup.command()
@_common
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--replace-trust",
    is_flag=True,
    help="With --yes: also where somebody loses a role, or a condition goes, as the plan says with `!`.",
)
def apply(  # noqa: PLR0917
    folder: Path,
    name: str,
    rules: str | None,
    bridge_user: str | None,
    fingerprints: tuple[str, ...],
    access_key_id: str | None,
    access_key_secret: str | None,
    endpoint: str | None,
    *,
    yes: bool,
    replace_trust: bool,
) -> None:
    """Show the plan, ask, and carry it out.

    After a failure, say it again: what is done already is found done. The exit code is 1 if something is left to do.
    """
    with errors_to_exit_code():
        desired = _find_desired(folder, name, rules, bridge_user, fingerprints)
        ram = open_ram(desired.account, access_key_id, access_key_secret, endpoint)
        existing = ram.read(desired)
        found = compare(desired, existing)
        _print_plan(desired, existing, found)
        if found.changes:
            _ask(found, yes=yes, replace_trust=replace_trust)
        for step in found.changes:
            ram.take(step)
            click.echo(f"done: {_name(step)}")
        left = compare(desired, ram.read(desired)) if found.changes else found
    for step in (*left.changes, *left.blocked):
        click.secho(f"left: {_name(step)}", fg="red")
    if left.changes or left.blocked:
        sys.exit(FAILED)


@setup.command(short_help="Read from RAM what the account's roles may do.")
@ram_options
@click.option("--account", "name", required=True, help="The account, as its file in accounts/ names it.")
@click.option("--rules", help="Rules of this folder, or of this version, instead of those in force.")
@click.option(
    "--write", is_flag=True, help="Write role_policies/ACCOUNT.json, to be reviewed; else nothing is written."
)
@click.pass_obj
def policies(  # noqa: PLR0917
    folder: Path,
    access_key_id: str | None,
    access_key_secret: str | None,
    endpoint: str | None,
    name: str,
    rules: str | None,
    *,
    write: bool,
) -> None:
    """Read from RAM what the account's roles may do, and show what is new since it was written down.

    By what is written down, the portal says of each role what it may do, and finds the least powerful one; it never
    asks RAM. The roles are those that rules grant; all of the account where a claim decides about names.
    The exit code is 1 if something differs and was not written.
    """
    with errors_to_exit_code():
        configuration = load_with_rules(folder, rules, secrets=False)
        account = find_account(configuration, name)
        ram = open_ram(account, access_key_id, access_key_secret, endpoint)
        found = ram.read_role_policies(_find_roles(configuration, account), SystemClock().now())
    before = configuration.role_policies.get(name)
    changes = list(compare_snapshots(before, found))
    for line in changes:
        click.echo(printable(line))
    click.echo(f"{count(len(found.roles), 'role')}, {count(len(found.policies), 'policy document')}.")
    if write:
        path = folder / FOLDER / f"{name}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(write_snapshot(found), encoding="utf-8")
        click.echo(f"Written: {path}. Review it as you do with rules; `rambridge serve` reads it when it starts.")
    elif changes or before is None:
        click.echo("Nothing is written without --write.")
        sys.exit(FAILED)


def _find_roles(configuration: Configuration, account: Account) -> list[str] | None:
    """Return the roles that rules grant in an account, or that it is narrowed to; None: a claim decides about names."""
    desired = find_desired(
        account,
        configuration.accounts,
        configuration.rules,
        people=configuration.providers,
        issuer=configuration.settings.public_url,
        metadata=b"",
        fingerprints=(),
        bridge_user="-",
    )
    if any(name.startswith("role ") for name in desired.decided_at_sign_in):
        return list(account.roles) if account.roles else None
    return [role.name for role in desired.roles]


def _ask(found: Plan, *, yes: bool, replace_trust: bool) -> None:
    if not yes:
        click.confirm(f"Make these {count(len(found.changes), 'change')}?", abort=True)
    elif found.losses and not replace_trust:
        raise SetupFailed(
            "somebody would lose a role, or a condition would go: look at `!` above, and add --replace-trust"
        )


def _find_desired(
    folder: Path, name: str, rules: str | None, bridge_user: str | None, fingerprints: tuple[str, ...]
) -> Desired:
    configuration = load_with_rules(folder, rules, secrets=False)
    account = find_account(configuration, name)
    url = configuration.settings.public_url
    if account.trust == "oidc" and not account.via and not fingerprints and url.startswith("https:"):
        try:
            fingerprints = (fetch_fingerprint(url),)
        except SetupFailed as error:
            click.secho(error.detail, fg="yellow", err=True)
    return find_desired(
        account,
        configuration.accounts,
        configuration.rules,
        people=configuration.providers,
        issuer=url,
        metadata=describe_us(url, KeyFolder(configuration.settings.key_folder).published("saml-issuer")),
        fingerprints=tuple(each.replace(":", "").lower() for each in fingerprints),
        bridge_user=bridge_user,
    )


def find_account(configuration: Configuration, name: str) -> Account:
    """Return the account of this name. Raises SetupFailed."""
    account = configuration.accounts.get(name)
    if account is None:
        raise SetupFailed(f"no account is called {name}; there are {', '.join(sorted(configuration.accounts))}")
    return account


def _print_plan(desired: Desired, existing: Existing, found: Plan) -> None:
    account = desired.account
    click.echo(f"account {account.name} ({account.id}), trust: {account.trust}")
    for step in found.steps:
        click.secho(f"{SYMBOLS[step.action]} {step.action:<8}{_name(step)}", fg=_COLOURS[step.action])
        for line in step.details:
            click.echo(f"    {printable(line)}")
        for loss in step.losses:
            click.secho(f"  ! {printable(loss)}", fg="red")
        if isinstance(step.entity, Role) and step.name in existing.roles:
            policies = existing.roles[step.name].policies
            click.echo(
                f"    policies, left as they are: {printable(', '.join(policies)) or 'none, so it may do nothing'}"
            )
    for name in desired.decided_at_sign_in:
        click.echo(f"? {name}: decided at sign-in; make each yourself")
    for note in desired.notes:
        click.secho(f"! {note}", fg="yellow")
    created = sum(step.action == "create" for step in found.steps)
    right = sum(step.action == "leave" for step in found.steps)
    blocked = f", {len(found.blocked)} that only you can change" if found.blocked else ""
    click.echo(f"{created} to create, {len(found.changes) - created} to change, {right} right already{blocked}.")


def _name(step: Step) -> str:
    return f"{step.kind} {step.name}"
