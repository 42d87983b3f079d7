"""``rambridge providers``: how fresh each provider's metadata is, what ends soon, and what a roll-over would do.

Nothing is fetched.
"""

import sys
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

import click

from bridge.cli.output import FAILED, errors_to_exit_code, printable
from bridge.clock import SystemClock
from bridge.embedded_store import find
from bridge.errors import StoreUnavailable
from bridge.identity.endings import (
    WARN_DAYS,
    Ending,
    ProviderStatus,
    describe_end,
    find_key_endings,
    find_provider_endings,
    read_status,
)
from bridge.identity.providers import OIDCProvider, SAMLProvider
from bridge.identity.saml.metadata_cache import KEEP_AT_MOST
from bridge.identity.saml.rehearsal_counts import read_rehearsed
from bridge.keys import KeyFolder
from bridge.settings import Settings, load_configuration
from bridge.store_connection import RedisClient, connect_store


@click.command("providers")
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
        redis = _connect(settings) if rehearsal else None
    urgent = False
    for provider in configuration.providers.values():
        status = read_status(provider, settings.data_folder, now)
        click.echo(_heading(provider))
        click.echo(f"  {printable(_describe_metadata(provider, status, now))}")
        urgent |= _print_endings(find_provider_endings(status, now), now)
        urgent |= bool(status.fault) or _is_stale(status, now)
        with errors_to_exit_code():
            _print_rehearsal(status, redis, now)
    click.echo("our own keys")
    urgent |= _print_endings(find_key_endings(keys), now)
    if urgent:
        sys.exit(FAILED)


def _connect(settings: Settings) -> RedisClient:
    """Return a client of the store that the service uses. Raises StoreUnavailable."""
    url = find(settings.data_folder / "store") if settings.store == "embedded" else settings.store
    if url is None:
        raise StoreUnavailable("the service's own store does not run here")
    return connect_store(url, **settings.store_credentials())


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
        return "metadata and keys are fetched when they are needed"
    if status.fault or status.loaded_at is None:
        return f"no metadata: {status.fault}"
    age = _describe_age(now - status.loaded_at)
    signed = ", signed by the pinned key" if provider.metadata_signing_certificate else ""
    if status.is_local:
        return f"metadata from a file, written {age} ago{signed}"
    stale = ", which is too old to be used" if _is_stale(status, now) else ""
    return f"metadata fetched {age} ago{stale}{signed}"


def _is_stale(status: ProviderStatus, now: datetime) -> bool:
    return not status.is_local and status.loaded_at is not None and now >= status.loaded_at + KEEP_AT_MOST


def _describe_age(age: timedelta) -> str:
    minutes = max(int(age.total_seconds() // 60), 0)
    if minutes < 120:  # noqa: PLR2004
        return f"{minutes} minutes"
    hours = minutes // 60
    return f"{hours} hours" if hours < 72 else f"{hours // 24} days"  # noqa: PLR2004


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
