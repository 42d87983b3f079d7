"""``rambridge keys``: make, list and rotate the bridge's own keys."""

from pathlib import Path
from typing import get_args

import click

from bridge.audit_log import opened_audit_log
from bridge.cli.opened_log import find_missing
from bridge.cli.output import errors_to_exit_code, short_path
from bridge.clock import SystemClock
from bridge.keys import KeyFolder, Purpose, create_missing, replace_next, rotate
from bridge.settings import load_settings


@click.group()
def keys() -> None:
    """Make, list and rotate the bridge's own keys."""


@keys.command("create", short_help="Make every key that is missing.")
@click.pass_obj
def create(folder: Path) -> None:
    """Make every key that is missing; those that exist stay as they are."""
    with errors_to_exit_code():
        made = create_missing(load_settings(folder).key_folder, SystemClock())
    for path in made:
        click.echo(f"made {short_path(path)}")
    if not made:
        click.echo("All keys are there already.")


@keys.command("list")
@click.pass_obj
def list_keys(folder: Path) -> None:
    """List the keys by purpose, without any secret."""
    with errors_to_exit_code():
        rows = KeyFolder(load_settings(folder).key_folder).describe()
    if not rows:
        click.echo("There are no keys yet. Run `rambridge keys create`.")
        return
    click.echo(f"{'PURPOSE':<17} {'SLOT':<9} {'ALGORITHM':<12} {'CREATED':<11} {'ENDS':<11} ID")
    for row in rows:
        ends = f"{row.not_after:%Y-%m-%d}" if row.not_after else "-"
        click.echo(f"{row.purpose:<17} {row.slot:<9} {row.algorithm:<12} {row.created:%Y-%m-%d}  {ends:<11} {row.id}")


@keys.command("rotate", short_help="Let the published next key sign from now on.")
@click.argument("purpose", type=click.Choice(get_args(Purpose)))
@click.pass_obj
def rotate_key(folder: Path, purpose: Purpose) -> None:
    """Let the published next key of PURPOSE sign from now on, and make a new next one.

    Rotate only after the next key has been registered wherever the current one is (RAM's SAML provider, the
    enterprise IdP). Then restart the service.
    """
    with errors_to_exit_code():
        if purpose == "audit-records":
            _renew_records(folder)
        rotate(load_settings(folder).key_folder, purpose, SystemClock())
    click.echo(f"Rotated {purpose}. Restart the service: it uses what was the next key.")


@keys.command("replace-next", short_help="Make another next key.")
@click.argument("purpose", type=click.Choice(get_args(Purpose)))
@click.pass_obj
def replace_next_key(folder: Path, purpose: Purpose) -> None:
    """Make a new next key of PURPOSE in place of the one that is published now.

    For a next key that ends soon: current and next ones that were made together end together. Then restart the
    service, and register the new one wherever the old one was.
    """
    with errors_to_exit_code():
        replace_next(load_settings(folder).key_folder, purpose, SystemClock())
    click.echo(f"Made a new next key for {purpose}. Restart the service: it publishes it.")


def _renew_records(folder: Path) -> None:
    """Seal the audit log's keys under the current key: the one before, which a rotation removes, opens none then.

    Raises:
        AuditUnavailable: the log cannot be reached, so that nobody knows.
    """
    settings = load_settings(folder)
    if find_missing(settings) is None:
        with opened_audit_log(settings, SystemClock()) as log:
            log.secrets.renew()
