"""``rambridge attack``: the whole hostile corpus against this configuration, in a lane of its own."""

import hashlib
import logging
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bridge.cli.output import FAILED, errors_to_exit_code, printable, short_path
from bridge.clock import SystemClock
from bridge.identity.providers import OIDCProvider, SAMLProvider
from bridge.settings import Configuration, load_configuration

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.attack.run import Outcome, Run

_EVERY = 20
"""How many cases pass between two lines of progress."""


@click.command(short_help="Send every hostile message; each must be refused.")
@click.option("--provider", "names", multiple=True, metavar="NAME", help="Only this provider; may be repeated.")
@click.option("--threat", "threats", multiple=True, metavar="NUMBER", help="Only this threat, such as SAML-01.")
@click.option(
    "--report",
    "report_path",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="Write every case here: as JSON if the name ends in .json, else as Markdown.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON, and nothing else.")
@click.pass_obj
def attack(
    folder: Path,
    names: tuple[str, ...],
    threats: tuple[str, ...],
    report_path: Path | None,
    as_json: bool,  # noqa: FBT001  click passes flags
) -> None:
    """Send every hostile message that we know to each provider's doors, and see that it is refused.

    It happens in a sealed lane: the application is wired with the provider's settings as they stand in the
    configuration, and with keys, store, audit log and an identity provider that are thrown away afterwards. Nothing of
    the running service is touched and nothing leaves this machine. Each message has an honest twin, which must be
    accepted. The exit code is 1 if a message was accepted or answered with a fault, or if the run proved too little.
    """
    from bridge.attack.report import Report, to_json, write_report  # noqa: PLC0415  no other command needs them
    from bridge.attack.run import attack as run_attack  # noqa: PLC0415
    from bridge.attack.run import find_cases  # noqa: PLC0415

    began_at, began = SystemClock().now(), time.monotonic()
    # What the lane logs is about made-up messages; what went wrong is in the report.
    logging.getLogger().addHandler(logging.NullHandler())
    with errors_to_exit_code():
        configuration = load_configuration(folder, secrets=False)
        runs: list[Run] = []
        for provider in _choose(configuration, names):
            cases = find_cases(provider, threats)
            if not cases:
                continue
            click.echo(f"{provider.name}: {len(cases)} hostile messages", err=as_json)
            run = run_attack(configuration.settings, provider, cases, _show_progress(len(cases)))
            runs.append(run)
            if not as_json:
                _print_run(run)
    if not runs:
        raise click.UsageError(f"no case of these threats can be tried: {', '.join(threats) or 'none'}")
    digests = {run.provider.name: _digest(run.provider) for run in runs}
    report = Report(runs, configuration.rules.version, digests, began_at, time.monotonic() - began)
    if as_json:
        click.echo(to_json(report), nl=False)
    if report_path is not None:
        write_report(report, report_path)
        click.echo(f"Every case is in {short_path(report_path)}.", err=as_json)
    if not report.is_passed:
        sys.exit(FAILED)


def _choose(configuration: Configuration, names: tuple[str, ...]) -> list[SAMLProvider | OIDCProvider]:
    known = configuration.providers
    unknown = [name for name in names if name not in known]
    if unknown:
        raise click.UsageError(f"no provider is called {printable(unknown[0])}; there are {', '.join(known)}")
    return [provider for name, provider in known.items() if not names or name in names]


def _show_progress(total: int) -> "Callable[[Outcome], None]":
    """Return what writes over one line of the terminal; elsewhere nobody waits for it."""
    done = 0

    def show(outcome: "Outcome") -> None:
        nonlocal done
        done += 1
        if sys.stderr.isatty() and (done % _EVERY == 0 or done == total):
            end = "\r\x1b[K" if done == total else ""
            click.echo(f"\r\x1b[K  {done} of {total}  {outcome.case.threat}{end}", nl=False, err=True)

    return show


def _print_run(run: "Run") -> None:
    from bridge.attack.report import (  # noqa: PLC0415
        find_remarks,
        find_troubles,
        format_table,
        is_passed,
        summarize,
    )

    for line in format_table(run):
        click.echo(f"  {line}")
    for outcome in find_troubles(run):
        colour = "yellow" if outcome.verdict == "not applicable" else "red"
        click.secho(f"  {printable(outcome.case.id)}: {outcome.verdict}: {printable(outcome.fault)}", fg=colour)
    for remark in find_remarks(run):
        click.echo(click.wrap_text(printable(remark), 118, "  - ", "    "))
    click.secho(f"{summarize(run)}.", fg="green" if is_passed(run) else "red", bold=True)
    click.echo()


def _digest(provider: SAMLProvider | OIDCProvider) -> str:
    """Return a digest of what is configured; a secret is not part of it."""
    return hashlib.sha256(provider.model_dump_json(exclude={"client_secret"}).encode()).hexdigest()
