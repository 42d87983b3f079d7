"""``rambridge providers``: how fresh each provider's metadata is, what ends soon, and what a roll-over would do.

Nothing is fetched.
"""

import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import click

from bridge.cli.output import FAILED, errors_to_exit_code, printable
from bridge.cli.running_store import connect_running_store
from bridge.clock import SystemClock
from bridge.identity.endings import (
    WARN_DAYS,
    Ending,
    ProviderStatus,
    describe_end,
    describe_freshness,
    find_key_endings,
    find_provider_endings,
    read_status,
)
from bridge.identity.providers import OIDCProvider, SAMLProvider
from bridge.identity.saml.rehearsal_counts import read_rehearsed
from bridge.keys import KeyFolder
from bridge.settings import load_configuration
from bridge.store_connection import RedisClient


@click.command("providers", short_help="List the identity providers, and what ends when.")
@click.option(
    "--rehearsal", is_flag=True, help="Also ask the store how many sign-ins staged certificates would verify."
)
@click.pass_obj
def providers(folder: Path, *, rehearsal: bool) -> None:
    """List the identity providers with the age of their metadata and what ends, and the ends of our own keys.

    It reads files only, unless you ask for the rehearsal: those of the administrator, and the last good copies that
    the service keeps. What ends within 30, 14 or 3 days is marked. The exit code is 1 if something ends within 3 days,
    or metadata cannot be used.
    """
    now = SystemClock().now()
    with errors_to_exit_code():
        configuration = load_configuration(folder)
        settings = configuration.settings
        keys = KeyFolder(settings.key_folder).describe()
        redis = connect_running_store(settings) if rehearsal else None
    urgent = False
    for provider in configuration.providers.values():
        status = read_status(provider, settings.data_folder, now)
        click.echo(_heading(provider))
        click.echo(f"  {printable(_describe_metadata(provider, status, now))}")
        urgent |= _print_endings(find_provider_endings(status, now), now)
        for held in status.metadata.held if status.metadata else ():
            click.secho(f"  certificate {held.short} is held: it is not in approved_certificates", fg="yellow")
        urgent |= bool(status.fault) or status.is_stale(now)
        with errors_to_exit_code():
            _print_rehearsal(status, redis, now)
    if rehearsal and not any(getattr(each, "staged_certificates", ()) for each in configuration.providers.values()):
        click.echo("nothing is rehearsed: no provider has staged_certificates")
    click.echo("our own keys")
    urgent |= _print_endings(find_key_endings(keys), now)
    if urgent:
        sys.exit(FAILED)


def _print_rehearsal(status: ProviderStatus, redis: RedisClient | None, now: datetime) -> None:
    """Print what the staged certificates would do, or how to find out."""
    if status.staged_fault:
        click.secho(f"  nothing is rehearsed: {printable(status.staged_fault)}", fg="red")
    if not status.staged:
        return
    if redis is None:
        click.echo("  what the staged certificate would verify: rambridge providers --rehearsal")
        return
    certificates = [staged.certificate for staged in status.staged]
    click.echo(f"  rehearsal: {read_rehearsed(redis, status.name, certificates, now).describe()}")


def _heading(provider: SAMLProvider | OIDCProvider) -> str:
    if isinstance(provider, SAMLProvider):
        return printable(f"{provider.name} (SAML, {provider.entity_id})")
    return printable(f"{provider.name} (OpenID Connect, {provider.issuer})")


def _describe_metadata(provider: SAMLProvider | OIDCProvider, status: ProviderStatus, now: datetime) -> str:
    if isinstance(provider, OIDCProvider):
        return "metadata and keys are fetched at the start of the service, and every 45 minutes"
    if status.fault or status.loaded_at is None:
        return f"no metadata: {status.fault}"
    return f"metadata {describe_freshness(status, now, signed=bool(provider.metadata_signing_certificate))}"


def _print_endings(endings: Iterable[Ending], now: datetime) -> bool:
    """Print each ending, marked where it is near; return whether one is urgent."""
    urgent = False
    for ending in endings:
        bound = ending.find_bound(now)
        mark = "" if bound is None else f"  ! within {bound} days"
        colour = None if bound is None else "red" if bound == WARN_DAYS[0] else "yellow"
        click.secho(f"  {ending.what:<35} {describe_end(ending.at, now)}{mark}", fg=colour)
        urgent |= bound == WARN_DAYS[0]
    return urgent
