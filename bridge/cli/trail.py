"""``rambridge trail``: take in what ActionTrail says, and find credentials that were not issued here."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from bridge.audit.events import BACKGROUND, TrailImported
from bridge.audit.reader import database_errors
from bridge.audit.trail.importing import Report, TrailImport
from bridge.audit.trail.reading import find_files
from bridge.audit.trail.store import find_stored_strays
from bridge.audit.trail.strays import Stray, describe_reason
from bridge.audit.trail.threads import Threads
from bridge.audit_log import OpenedLog
from bridge.cli.in_force import load_with_rules
from bridge.cli.opened_log import open_log
from bridge.cli.output import FAILED, count, errors_to_exit_code, printable
from bridge.clock import format_microseconds
from bridge.governed_roles import find_scope
from bridge.settings import Configuration

NAMED = 20
"""How many files, and how many strays, the record of an import names."""


@click.group(short_help="Import ActionTrail events, and find strays.")
def trail() -> None:
    """Import ActionTrail events, and find credentials of governed roles that were never issued here."""


@trail.command("import", short_help="Import files of ActionTrail events, or folders.")
@click.argument("paths", metavar="FILES...", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.pass_obj
def import_command(folder: Path, paths: tuple[Path, ...]) -> None:
    """Import files of ActionTrail events, or folders of them: an OSS export, JSON, gzip.

    Each event counts once, so the same files can be imported again. Exits with 1 if a file could not be read.
    """
    with errors_to_exit_code(), _opened(folder) as (log, importer, configuration):
        with database_errors():
            report = importer.run(find_files(paths))
        _record(log, configuration, report)
        _print_report(report)
        if report.unreadable:
            sys.exit(FAILED)


@trail.command("strays", short_help="List credentials never issued here.")
@click.option("--json", "as_json", is_flag=True, help="Print each as one line of JSON.")
@click.pass_obj
def strays(folder: Path, as_json: bool) -> None:  # noqa: FBT001  click passes flags
    """List credentials of governed roles that were never issued here. Exits with 1 if there are any."""
    with errors_to_exit_code(), _opened(folder) as (log, importer, configuration):
        with database_errors():
            found = find_stored_strays(log.engine, importer.scope)
            newest = Threads(log.engine, log.secrets).newest()
        names = {account.id: name for name, account in configuration.accounts.items()}
        for stray in found:
            click.echo(json.dumps(_to_json(stray, names)) if as_json else describe_stray(stray, names))
        if not as_json:
            _print_sum(len(found), newest, importer.scope.settling_seconds)
        if found:
            sys.exit(FAILED)


def describe_stray(stray: Stray, names: dict[str, str]) -> str:
    """Return a stray as three lines for a person."""
    each = stray.credentials
    place = f"{names.get(each.account, each.account)}/{each.role}"
    used = f"{count(each.calls, 'call')}, {_format(each.first)} to {_format(each.last)}"
    return printable(f"{place}  {each.name}") + f"\n    {printable(describe_reason(stray))}\n    {used}"


def _print_sum(strays: int, newest: int | None, settling_seconds: int) -> None:
    """Say how many strays there are, and of when that is."""
    if newest is None:
        click.secho("Nothing was imported yet, so nothing is known of strays: `rambridge trail import`.", fg="yellow")
        return
    said = f"{count(strays, 'stray')}." if strays else "No stray."
    click.secho(said, fg="red" if strays else "green", bold=True)
    click.echo(f"The newest event that was imported is of {_format(newest)}.")
    click.echo(f"What was first used in the {settling_seconds} s before is told later: its explanation may still come.")


@contextmanager
def _opened(folder: Path) -> Iterator[tuple[OpenedLog, TrailImport, Configuration]]:
    configuration = load_with_rules(folder, None, secrets=False)
    with open_log(folder) as log:
        scope = find_scope(configuration.rules, configuration.accounts, configuration.audit.trail)
        with database_errors():
            log.sequencer.catch_up()
        yield log, TrailImport(log.engine, log.secrets, scope, log.clock), configuration


def _record(log: OpenedLog, configuration: Configuration, report: Report) -> None:
    names = {account.id: name for name, account in configuration.accounts.items()}
    event = TrailImported(
        files=len(report.files),
        file_digests=tuple(file.digest for file in report.files[:NAMED] if file.digest),
        events=report.read,
        calls=report.kept,
        earliest=_format(report.first),
        latest=_format(report.last),
        stray_count=len(report.new_strays),
        strays=tuple(_name(stray, names) for stray in report.new_strays[:NAMED]),
    )
    log.build_log(configuration.audit).append(BACKGROUND, event)


def _print_report(report: Report) -> None:
    click.echo(
        f"{count(report.read, 'event')} in {count(len(report.files), 'file')}, {count(report.kept, 'new call')}."
    )
    if report.unusable:
        click.echo(f"{count(report.unusable, 'object')} had no identifier, or no time that has come: no events.")
    for error in report.unreadable:
        click.secho(printable(error.detail), fg="red", err=True)
    new = len(report.new_strays)
    if new:
        click.secho(f"{count(new, 'new stray')}: `rambridge trail strays` lists them.", fg="red", bold=True)
    elif not report.read:
        click.secho("Nothing was read, so nothing is known of new strays.", fg="yellow")
    elif report.unreadable:
        click.secho("No new stray in what could be read.", fg="yellow")
    else:
        click.secho("No new stray.", fg="green")


def _to_json(stray: Stray, names: dict[str, str]) -> dict[str, str | int]:
    each = stray.credentials
    return {
        "access_key_id": each.name,
        "account": names.get(each.account, each.account),
        "role": each.role,
        "reason": stray.reason,
        "action": each.action,
        "provider": each.provider,
        "caller": each.caller,
        "parent": each.parent,
        "sts_request_id": each.request_id,
        "first": _format(each.first),
        "last": _format(each.last),
        "calls": each.calls,
    }


def _name(stray: Stray, names: dict[str, str]) -> str:
    each = stray.credentials
    return f"{names.get(each.account, each.account)}/{each.role} {each.name}"


def _format(moment: int | None) -> str:
    return "" if moment is None else format_microseconds(moment)
