"""``rambridge rules``: what is in force, what was, what would change, and the change itself."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import click

from bridge.audit.events import BACKGROUND
from bridge.audit_log import opened_audit_log
from bridge.cli.kept_sign_ins import open_kept_sign_ins
from bridge.cli.output import FAILED, errors_to_exit_code, printable, short_path
from bridge.cli.rule_tests import describe_report
from bridge.cli.user import find_user
from bridge.clock import SystemClock
from bridge.embedded_store import find
from bridge.entitlements.rules import RuleFiles, RuleSet
from bridge.errors import RulesUnchanged, SettingsError, StoreUnavailable, VersionUnknown
from bridge.preview.gate import measure_change
from bridge.rollout.announcement import Announcement, NoAnnouncement, RedisAnnouncement
from bridge.rollout.author import Author
from bridge.rollout.change import Change
from bridge.rollout.difference import Difference, compare_files
from bridge.rollout.nodes import Node, Nodes
from bridge.rollout.requests import Request, Requests
from bridge.rollout.roll_out import Outcome, RollOut
from bridge.rollout.starting import load_configuration_in_force, open_tables
from bridge.rollout.versions import InForce, Versions
from bridge.settings import (
    Configuration,
    Settings,
    compile_rule_files,
    load_settings,
    read_rule_files,
    run_rule_tests,
)
from bridge.store_connection import connect_store

HELD = 3
SHORT = 12
"""Digits of a version that people read."""
_REASONS = {"promote": "promoted", "rollback": "rolled back", "files": "from files"}
_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


@click.group("rules")
def rules() -> None:
    """See which rules are in force, and bring others into force.

    A VERSION is written with its first seven digits or more. `current` is what is in force, `previous` what was in
    force before it, and `files` what stands in the folder of rules.
    """


@rules.command("list", short_help="List what came into force, and what waits.")
@click.option("-n", "--changes", "count", default=20, show_default=True, help="How many changes to show.")
@click.pass_obj
def list_versions(folder: Path, count: int) -> None:
    """List what came into force when and by whom, what waits for a second administrator, and what each node has."""
    with errors_to_exit_code():
        settings, now = load_settings(folder), SystemClock().now()
        with closing(open_tables(settings)) as tables:
            changes = Versions(tables).changes(count)
            waiting = Requests(tables).waiting(changes[0].version, now) if changes else []
            nodes = Nodes(tables).list(now)
    if not changes:
        click.echo("Nothing has come into force yet: the service has not started with this configuration.")
    for number, change in enumerate(changes):
        _print_change(change, current=number == 0)
    for request in waiting:
        _print_request(request)
    if nodes:
        click.echo("\nnodes")
    for node in nodes:
        _print_node(node, changes[0].version if changes else "")


@rules.command("show")
@click.argument("version")
@click.option(
    "--into",
    "target",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the files into this folder, which must be empty or new, instead of printing them.",
)
@click.pass_obj
def show(folder: Path, version: str, target: Path | None) -> None:
    """Print the files of VERSION."""
    with errors_to_exit_code(), closing(open_tables(load_settings(folder))) as tables:
        files = _find_files(Versions(tables), version, folder / "rules")
    if target is None:
        for name, content in sorted(files.texts.items()):
            click.secho(f"── {name}", fg="cyan")
            for line in content.decode("utf-8", "backslashreplace").splitlines():
                click.echo(printable(line))
        return
    if target.exists() and any(target.iterdir()):
        raise click.BadParameter(f"{target} is not empty", param_hint="--into")
    for name, content in files.texts.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    click.echo(f"wrote {len(files.texts)} files into {short_path(target)}")


@rules.command("diff", short_help="Show what differs between two versions.")
@click.argument("before", default="current")
@click.argument("after", default="files")
@click.pass_obj
def diff(folder: Path, before: str, after: str) -> None:
    """Show what differs between two versions; without any, between what is in force and the files here."""
    with errors_to_exit_code(), closing(open_tables(load_settings(folder))) as tables:
        versions = Versions(tables)
        one = _find_files(versions, before, folder / "rules")
        other = _find_files(versions, after, folder / "rules")
    difference = compare_files(one, other)
    _print_difference(difference)
    if not difference.lines:
        click.echo("They are the same.")


@rules.command("promote")
@click.option("-m", "--message", default="", help="Why, for whoever looks at it later.")
@click.option("--author", help="Who changes the rules, instead of the user of this machine.")
@click.option("--confirm", "request_id", metavar="REQUEST", help="Confirm a change that somebody else asked for.")
@click.option(
    "--rules",
    "draft",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Another folder than rules/ of the configuration.",
)
@click.option("--without-tests", is_flag=True, help="Do not run the tests for mappings first.")
@click.pass_obj
def promote(  # noqa: PLR0917  each is an option
    folder: Path,
    message: str,
    author: str | None,
    request_id: str | None,
    draft: Path | None,
    without_tests: bool,  # noqa: FBT001  click passes flags
) -> None:
    """Bring the files in the folder of rules into force on every node.

    The tests for mappings beside them run first. Where too many people would change, nothing happens until another
    administrator confirms it; then the exit code is 3. It is 1 if the rules have errors, or a test fails.
    """
    who = _find_author(author)
    with errors_to_exit_code(), _open(folder) as (roll_out, configuration):
        if request_id:
            outcome = roll_out.confirm(BACKGROUND, who, request_id)
        else:
            files = read_rule_files(draft or folder / "rules")
            if not without_tests:
                _run_tests(configuration, files)
            try:
                outcome = roll_out.promote(BACKGROUND, who, files, message)
            except RulesUnchanged as error:
                click.echo(error.public)
                return
    _print_outcome(outcome)


@rules.command("rollback")
@click.argument("version")
@click.option("-m", "--message", default="", help="Why, for whoever looks at it later.")
@click.option("--author", help="Who changes the rules, instead of the user of this machine.")
@click.pass_obj
def rollback(folder: Path, version: str, message: str, author: str | None) -> None:
    """Bring VERSION, or `previous`, into force again on every node."""
    who = _find_author(author)
    with errors_to_exit_code(), _open(folder) as (roll_out, _):
        if version == "files":
            raise VersionUnknown("what stands in the folder is promoted, not rolled back to")
        wanted = _find_version(roll_out.versions, version)
        try:
            outcome = roll_out.roll_back(BACKGROUND, who, wanted, message)
        except RulesUnchanged as error:
            click.echo(error.public)
            return
    _print_outcome(outcome)


@contextmanager
def _open(folder: Path) -> Iterator[tuple[RollOut, Configuration]]:
    """Open what a change needs for the time of a block.

    Raises:
        SettingsError: the configuration has errors.
        RolloutUnavailable: the database does not answer.
        AuditUnavailable: the audit log cannot be opened, so nothing can be changed.
        KeyMissing: the machine has not the log's key, so nothing can be recorded.
    """
    configuration = load_configuration_in_force(folder, secrets=False)  # a machine that promotes needs no secrets
    settings, clock = load_settings(folder), SystemClock()  # but for those of the databases
    with opened_audit_log(settings, clock) as records, closing(open_tables(settings)) as tables:
        roll_out = RollOut(
            tables,
            records.build_log(),
            clock,
            _find_announcement(settings),
            partial(compile_rule_files, configuration),
            max_changed_share=settings.rules.max_changed_share,
            measure=partial(_measure, settings),
        )
        yield roll_out, configuration


def _run_tests(configuration: Configuration, files: RuleFiles) -> None:
    """Run the tests for mappings beside the files; exit where one fails. Rules with errors are left to the roll-out."""
    try:
        rules = compile_rule_files(configuration, files)
    except SettingsError:
        return
    report = run_rule_tests(configuration, SystemClock().now(), rules, files.folder / "tests")
    if report.failed:
        click.echo(describe_report(report), nl=False)
        click.echo("Nothing changed: mend the rules or the tests, or promote --without-tests.", err=True)
        sys.exit(FAILED)


def _measure(settings: Settings, before: RuleSet, after: RuleSet) -> Change:
    """Return what would change. Raises KeyMissing on a machine that has not the keys of the service."""
    with open_kept_sign_ins(settings) as history:
        rules = settings.rules
        return measure_change(history, rules.keep_days, SystemClock(), rules.kept_claims)(before, after)


def _find_announcement(settings: Settings) -> Announcement:
    """Return the way to tell the nodes; a change does not fail because Redis is down."""
    url = find(settings.data_folder / "store") if settings.store == "embedded" else settings.store
    if url is None:
        return NoAnnouncement()
    try:
        return RedisAnnouncement(connect_store(url, **settings.store_credentials()), settings.public_url)
    except StoreUnavailable:
        return NoAnnouncement()


def _find_author(given: str | None) -> Author:
    if given is None:
        return Author.of_command(find_user())
    if not given.strip():
        raise click.BadParameter("is empty", param_hint="--author")
    return Author.of_command(given)


def _find_version(versions: Versions, text: str) -> str:
    """Return the whole digest of a version that an argument names."""
    if text not in {"current", "previous"}:
        return versions.find(text).version
    latest = versions.latest()
    found = latest and (latest.version if text == "current" else latest.previous)
    if not found:
        raise VersionUnknown(f"there is no {text} version yet")
    return found


def _find_files(versions: Versions, text: str, rules_folder: Path) -> RuleFiles:
    return read_rule_files(rules_folder) if text == "files" else versions.read(_find_version(versions, text))


def _print_outcome(outcome: Outcome) -> None:
    if outcome.in_force:
        change = outcome.in_force
        click.secho(f"Version {change.version[:SHORT]} is in force.", fg="green")
        click.echo(f"  {_describe_lines(change.added, change.removed)}")
        if not outcome.told:
            click.echo("  Redis could not be told: nodes notice within ten seconds.")
        if change.previous:
            click.echo("  back again: rambridge rules rollback previous")
        return
    request = outcome.request
    if request is None:
        return
    click.secho("Nothing changed yet: another administrator has to confirm this.", fg="yellow")
    click.echo(f"  version  {request.version[:SHORT]} in place of {request.previous[:SHORT]}")
    click.echo(f"  why      {request.describe_share()} (see `rules.max_changed_share`)")
    click.echo(f"  until    {request.expires_at:%Y-%m-%d %H:%M} UTC")
    click.echo("  where    /admin/versions, or")
    click.echo(f"           rambridge rules promote --confirm {request.id} --author THEIR-NAME")
    sys.exit(HELD)


def _print_change(change: InForce, *, current: bool) -> None:
    mark = "*" if current else " "
    what = f"{change.at:%Y-%m-%d %H:%M}  {_REASONS[change.reason]:<11}"
    click.secho(f"{mark} {change.version[:SHORT]}  {what}  +{change.added} -{change.removed}", bold=current)
    second = f", confirmed by {change.confirmed_by}" if change.confirmed_by else ""
    click.echo(_one_line(f"                by {change.author}{second}"))
    if change.message:
        click.echo(_one_line(f"                {change.message}"))


def _print_request(request: Request) -> None:
    click.secho(f"\nwaits for a second administrator until {request.expires_at:%Y-%m-%d %H:%M} UTC", fg="yellow")
    click.echo(_one_line(f"  {request.version[:SHORT]}  asked by {request.author.name}; {request.describe_share()}"))
    if request.message:
        click.echo(_one_line(f"  {request.message}"))
    click.echo(f"  rambridge rules diff current {request.version[:SHORT]}")
    click.echo(f"  rambridge rules promote --confirm {request.id}")


def _print_node(node: Node, current: str) -> None:
    line = f"  {node.node}  {node.version[:SHORT]}"
    if not node.fault:
        is_current = node.version == current
        click.secho(_one_line(line if is_current else f"{line}  another version"), fg=None if is_current else "yellow")
        return
    click.secho(_one_line(f"{line}  and cannot load {node.wanted[:SHORT] or 'the files in its folder'}"), fg="red")
    for part in node.fault.splitlines():
        click.echo(f"      {printable(part)}")


def _print_difference(difference: Difference) -> None:
    for line in difference.lines:
        colour = None if line.startswith(("+++", "---")) else _COLOURS.get(line[:1])
        click.secho(printable(line), fg=colour, bold=line.startswith(("+++", "---")))


def _describe_lines(added: int, removed: int) -> str:
    return f"{added} {'line' if added == 1 else 'lines'} added, {removed} removed"


def _one_line(text: str) -> str:
    width = max(shutil.get_terminal_size().columns, 80)
    line = printable(text).rstrip()
    return line if len(line) <= width else f"{line[: width - 1]}…"
