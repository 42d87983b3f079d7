"""``rambridge doctor``: the whole chain from our keys to credentials, and what to do where it breaks."""

import dataclasses
import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bridge.audit.keeping.standing import examine
from bridge.audit_log import OpenedLog, open_audit_log
from bridge.cli.output import FAILED, count, errors_to_exit_code, printable
from bridge.cli.ram_access import open_ram, ram_options
from bridge.cli.setup import find_account
from bridge.clock import Clock, SystemClock
from bridge.embedded_store import find
from bridge.errors import KeyMissing, KeyUnusable, RolloutUnavailable, SetupFailed
from bridge.exchange.accounts import Account
from bridge.exchange.assume import Exchange
from bridge.exchange.metadata import describe_us, entity_id
from bridge.exchange.sts_client import STSClient
from bridge.keys import KeyFolder
from bridge.outbound import Outbound
from bridge.rollout.starting import load_configuration_in_force
from bridge.settings import Configuration, load_configuration
from bridge.setup.desired import Desired, find_desired, find_granted_roles
from bridge.setup.doctor.account import check_ram, check_sts
from bridge.setup.doctor.dry_exchange import try_exchange
from bridge.setup.doctor.finding import Finding
from bridge.setup.doctor.here import (
    check_discovery,
    check_keys,
    check_providers,
    check_published_metadata,
    check_reachable,
)
from bridge.setup.doctor.records import check_records
from bridge.setup.doctor.store import check_keeping
from bridge.setup.existing import Existing
from bridge.setup.fingerprint import fetch_fingerprint
from bridge.store_connection import connect_store, read_keeping, store_errors

if TYPE_CHECKING:
    from bridge.audit.log import AuditLog

ReadRAM = Callable[[Desired], Existing]
_COLOURS = {"ok": "green", "warning": "yellow", "failed": "red", "skipped": None}


@click.command(short_help="Verify the whole chain, link by link.")
@ram_options
@click.option("--account", "names", multiple=True, help="Only this account; several times for several. Else all.")
@click.option("--role", help="The role to try the exchange with; else the first one that rules grant in the account.")
@click.option("--bridge-user", help="With trust: access_key, the RAM user that holds the bridge's key.")
@click.option("--no-exchange", is_flag=True, help="Do not ask STS for a session.")
@click.option("--format", "output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_obj
def doctor(  # noqa: PLR0917
    folder: Path,
    access_key_id: str | None,
    access_key_secret: str | None,
    endpoint: str | None,
    names: tuple[str, ...],
    role: str | None,
    bridge_user: str | None,
    output: str,
    *,
    no_exchange: bool,
) -> None:
    """Verify the whole chain: clock, keys, certificates, store, audit log, RAM, trust policies, limits, one exchange.

    Run it as the user that runs the service. Without a key that may read RAM, the checks of RAM are skipped. The
    exchange asks for a session that may do nothing, which is recorded and thrown away. The exit code is 1 if a check
    failed.
    """
    with errors_to_exit_code():
        configuration = _load(folder)
        accounts = [find_account(configuration, name) for name in names] or list(configuration.accounts.values())
        examination = _Examination(configuration, SystemClock(), role, bridge_user, exchange=not no_exchange)

        def read_ram(account: Account) -> ReadRAM:
            return open_ram(account, access_key_id, access_key_secret, endpoint).read

        findings = []
        for finding in examination.run(accounts, read_ram, key_given=access_key_id is not None):
            findings.append(finding)
            if output == "text":
                _print(finding)
    failed = sum(each.result == "failed" for each in findings)
    if output == "json":
        document = {"healthy": not failed, "findings": [dataclasses.asdict(each) for each in findings]}
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        warnings = sum(each.result == "warning" for each in findings)
        click.echo(f"{count(len(findings), 'check')}, {failed} failed, {count(warnings, 'warning')}.")
    if failed:
        sys.exit(FAILED)


def _load(folder: Path) -> Configuration:
    """Return the configuration with the rules in force, or where nobody knows them, with those of the folder."""
    try:
        return load_configuration_in_force(folder)
    except RolloutUnavailable as error:
        click.secho(f"the rules of the folder are examined, not those in force: {error.detail}", fg="yellow", err=True)
        return load_configuration(folder)


def _print(finding: Finding) -> None:
    head = f"{finding.result:<8} {finding.check:<19}"
    click.secho(f"{head} {printable(finding.subject)}: {printable(finding.found)}", fg=_COLOURS[finding.result])
    if finding.advice:
        click.echo(f"{'':28} → {printable(finding.advice)}")


class _Examination:
    """Opens what the service would open, and asks each check for what it found."""

    def __init__(
        self, configuration: Configuration, clock: Clock, role: str | None, bridge_user: str | None, *, exchange: bool
    ) -> None:
        settings = configuration.settings
        self._configuration = configuration
        self._settings = settings
        self._clock = clock
        self._role = role
        self._bridge_user = bridge_user
        self._exchanges = exchange
        self._keys = KeyFolder(settings.key_folder)
        self._outbound = Outbound(development=settings.development, destinations=settings.destinations())
        self._audit: AuditLog | None = None
        self._records: OpenedLog | None = None

    def run(
        self, accounts: list[Account], read_ram: Callable[[Account], ReadRAM], *, key_given: bool
    ) -> Iterator[Finding]:
        now, url = self._clock.now(), self._settings.public_url
        yield from check_keys(self._keys, now)
        yield from check_providers(self._configuration.providers.values(), self._settings.data_folder, now)
        yield from self._check_store()
        yield check_reachable(
            "audit", "the audit log", self._open_audit, "See `audit` in bridge.yaml; docs/operating.md."
        )
        if self._records is not None:
            yield from check_records(partial(examine, self._records.engine, self._clock))
        try:
            metadata = describe_us(url, self._keys.published("saml-issuer"))
            tokens = self._keys.published("oidc-issuer")
        except (KeyMissing, KeyUnusable):
            return  # said above, and nothing further could be compared
        yield check_published_metadata(self._outbound, url, metadata)
        if any(account.trust == "oidc" and not account.via for account in accounts):
            yield from check_discovery(self._outbound, url, tokens)
        for account in accounts:
            yield from self._examine(account, metadata, read_ram, key_given=key_given)

    def _examine(
        self, account: Account, metadata: bytes, read_ram: Callable[[Account], ReadRAM], *, key_given: bool
    ) -> Iterator[Finding]:
        reached = list(check_sts(self._outbound, account, self._clock))
        yield from reached
        desired = find_desired(
            account,
            self._configuration.accounts,
            self._configuration.rules,
            people=self._configuration.providers,
            issuer=self._settings.public_url,
            metadata=metadata,
            bridge_user=self._bridge_user,
        )
        yield from self._check_ram(desired, read_ram, key_given=key_given)
        if not self._exchanges or any(each.result == "failed" and each.check == "sts" for each in reached):
            yield Finding("exchange", account.name, "skipped", "STS does not answer, or --no-exchange")
        else:
            yield self._try_exchange(account)

    def _check_ram(
        self, desired: Desired, read_ram: Callable[[Account], ReadRAM], *, key_given: bool
    ) -> Iterator[Finding]:
        name = desired.account.name
        try:
            read = read_ram(desired.account)
        except SetupFailed as error:
            yield Finding("ram", name, "failed" if key_given else "skipped", error.detail, error.advice)
            return
        try:
            existing = read(desired)
        except SetupFailed as error:
            advice = (
                "See that this AccessKey is of this account, is active, and may read RAM (AliyunRAMReadOnlyAccess)."
            )
            yield Finding("ram", name, "failed", error.detail, advice)
            return
        yield Finding("ram", name, "ok", "RAM can be read")
        yield from check_ram(desired, existing, issuer_fingerprint=self._find_fingerprint(desired))

    def _find_fingerprint(self, desired: Desired) -> str | None:
        if desired.oidc_provider is None or not self._settings.public_url.startswith("https:"):
            return None
        try:
            return fetch_fingerprint(self._settings.public_url)
        except SetupFailed:
            return None  # what cannot be reached, the check of the discovery document says

    def _try_exchange(self, account: Account) -> Finding:
        granted = find_granted_roles(account, self._configuration.rules, self._configuration.providers)
        name = self._role or next(iter(granted), None)
        if name is None:
            return Finding("exchange", account.name, "skipped", "no rule names a role here", "Name one with --role.")
        if self._audit is None:
            return Finding("exchange", account.name, "skipped", "it could not be recorded: see the check `audit`")
        provider = next(iter((*granted.get(name, ()), *self._configuration.providers)), "-")
        return try_exchange(
            self._build_exchange(), self._audit, account, role=name, provider=provider, clock=self._clock
        )

    def _build_exchange(self) -> Exchange:
        url = self._settings.public_url
        return Exchange(
            self._configuration.accounts,
            issuer=url,
            entity_id=entity_id(url),
            keys=self._keys,
            sts=STSClient(self._outbound, self._clock),
            clock=self._clock,
        )

    def _check_store(self) -> Iterator[Finding]:
        settings = self._settings
        url = find(settings.data_folder / "store") if settings.store == "embedded" else settings.store
        if url is None:
            found = "the embedded store does not run: the service is not running here"
            yield Finding("store", "embedded", "warning", found, "Start the service.")
            return
        connect = partial(connect_store, url, **settings.store_credentials())

        def ping() -> None:
            with store_errors():
                connect().ping()

        advice = (
            "Start Redis, or correct `store`, `store_user` and `store_password` in bridge.yaml: nobody can sign in."
        )
        reached = check_reachable("store", "Redis", ping, advice)
        yield reached
        if reached.result == "ok":
            yield from check_keeping(lambda: read_keeping(connect()))

    def _open_audit(self) -> None:
        opened = open_audit_log(self._settings, self._clock)
        audit = opened.build_log()
        audit.check()
        self._audit, self._records = audit, opened
