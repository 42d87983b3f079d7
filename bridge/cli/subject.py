"""Whom ``rambridge explain`` is asked about: a kept sign-in, claims that are made up, or a provider's message."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import click

from bridge.cli.kept_sign_ins import open_kept_sign_ins
from bridge.cli.opened_log import open_log
from bridge.cli.output import FAILED, printable
from bridge.clock import Clock, SystemClock, format_utc
from bridge.entitlements.supposed import MAX_BYTES, read_supposed
from bridge.errors import AuditUnavailable, BridgeError, KeyMissing, KeyUnusable
from bridge.history.find_people import Names, find_people
from bridge.identity.oidc.shown_token import ShownToken
from bridge.identity.providers import OIDCProvider, SAMLProvider
from bridge.identity.saml.shown_response import ShownResponse
from bridge.identity.shown import Shown
from bridge.identity.verified import VerifiedIdentity
from bridge.identity.workloads import Workload
from bridge.keys import KeyFolder
from bridge.outbound import Outbound
from bridge.parties import build_relying_parties, build_service_providers
from bridge.settings import Configuration, load_settings

Vouching: TypeAlias = SAMLProvider | OIDCProvider | Workload

MAX_CANDIDATES = 20


@dataclass(frozen=True)
class Subject:
    """Whom to explain, and where what is known of them comes from."""

    identity: VerifiedIdentity
    label: str
    source: str
    """In words."""
    standing: str
    """``kept``, ``made up``, or what a message's verification came to."""
    reason: str
    at: datetime
    source_address: str | None


def find_person(folder: Path, text: str) -> Subject:
    """Return the person's latest sign-in that is kept; exit where there is none, or where several may be meant."""
    settings = load_settings(folder)
    now = SystemClock().now()
    days = settings.rules.keep_days
    with open_kept_sign_ins(settings) as history:
        sign_ins = history.read(now - timedelta(days=days), now + timedelta(minutes=1))
        found = find_people(sign_ins, text, _read_names(folder))
    if not found:
        click.echo(printable(f"No sign-in of {text!r} is kept, of the last {days} days."), err=True)
        sys.exit(FAILED)
    if len(found) > 1:
        click.echo(printable(f"{len(found)} people may be meant by {text!r}. Name one by the subject:"), err=True)
        for each in found[:MAX_CANDIDATES]:
            who = f"{each.identity.subject}  {each.label}  ({each.identity.provider}, {format_utc(each.at)})"
            click.echo(printable(f"  {who}"), err=True)
        sys.exit(FAILED)
    [kept] = found
    source = f"sign-in of {format_utc(kept.at)}"
    reason = "with the claims that may be kept: others cannot be seen any more"
    return Subject(kept.identity, kept.label, source, "kept", reason, kept.at, kept.source_address)


def _read_names(folder: Path) -> Names:
    try:
        with open_log(folder) as log:
            return log.reader.names()
    except AuditUnavailable:
        return {}


def read_claims(path: Path, configuration: Configuration, moment: datetime | None) -> Subject:
    """Return somebody who is made up, as of ``moment``, else of the time in the file, else of now.

    Raises SettingsError.
    """
    called = _name(path)
    supposed = read_supposed(Path(called), _read(path))
    providers: dict[str, Vouching] = {**configuration.providers, **configuration.workloads}
    name = supposed.provider or (next(iter(providers)) if len(providers) == 1 else None)
    if name is None or name not in providers:
        known = ", ".join(providers)
        raise click.BadParameter(f"write `provider:` with one of {known}", param_hint="--claims")
    at = moment or supposed.find_time() or SystemClock().now()
    provider = providers[name]
    issuer = provider.entity_id if isinstance(provider, SAMLProvider) else provider.issuer
    identity = supposed.build(name, provider.protocol, issuer, at)
    if isinstance(provider, Workload):
        identity = replace(identity, claims={"sub": identity.subject, **identity.claims})
    source, reason = f"claims from {called}", "nobody vouches for them"
    return Subject(identity, identity.name, source, "made up", reason, at, supposed.source_address)


def read_response(configuration: Configuration, path: Path) -> Subject:
    """Return who a SAML response is about, and whether it passes our checks. Raises a leaf of IdentityError."""
    keys, outbound, clock = _build_tools(configuration)
    response = ShownResponse(_read(path))
    provider = response.find_provider(_pick(configuration.providers, SAMLProvider))
    with _no_keys() as missing:
        parties = build_service_providers(configuration, keys, outbound, None, clock)
    now = clock.now()
    shown = response.suppose(provider, now, missing[0]) if missing else response.verify(parties[provider.name], now)
    return _describe_shown(shown, "SAML response")


def read_token(configuration: Configuration, path: Path) -> Subject:
    """Return who an ID token is about, and whether it passes our checks. Raises a leaf of IdentityError."""
    keys, outbound, clock = _build_tools(configuration)
    token = ShownToken(_read(path))
    provider = token.find_provider(_pick(configuration.providers, OIDCProvider))
    with _no_keys() as missing:
        parties = build_relying_parties(configuration, keys, outbound, clock)
    now = clock.now()
    shown = token.suppose(provider, now, missing[0]) if missing else token.verify(parties[provider.name], now)
    return _describe_shown(shown, "ID token")


def _build_tools(configuration: Configuration) -> tuple[KeyFolder, Outbound, Clock]:
    settings = configuration.settings
    outbound = Outbound(development=settings.development, destinations=settings.destinations())
    return KeyFolder(settings.key_folder), outbound, SystemClock()


def _describe_shown(shown: Shown, source: str) -> Subject:
    return Subject(shown.identity, shown.identity.name, source, shown.standing, shown.reason, shown.at, None)


def _pick(providers: Mapping[str, Any], kind: type[Any]) -> dict[str, Any]:
    return {name: provider for name, provider in providers.items() if isinstance(provider, kind)}


@contextmanager
def _no_keys() -> Iterator[list[BridgeError]]:
    """Take down that our own keys are not here, as on an administrator's machine, instead of failing for it."""
    missing: list[BridgeError] = []
    try:
        yield missing
    except (KeyMissing, KeyUnusable) as error:
        missing.append(error)


def _name(path: Path) -> str:
    return "standard input" if path == Path("-") else str(path)


def _read(path: Path) -> bytes:
    """Return what a file, or standard input, holds. Raises BadParameter if it is too large."""
    if path == Path("-"):
        content = sys.stdin.buffer.read(MAX_BYTES + 1)
    else:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise click.BadParameter(f"{_name(path)} is larger than {MAX_BYTES} bytes")
    return content
