"""``rambridge audit alerts``: what an auditor was told, or should have been."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from bridge.audit.alerts.board import AlertBoard, ShownAlert
from bridge.cli.opened_log import open_log
from bridge.cli.output import errors_to_exit_code, printable
from bridge.clock import format_microseconds


@click.command()
@click.option("-n", "--lines", type=click.IntRange(1), default=20, show_default=True, help="How many to show.")
@click.option("--open", "open_only", is_flag=True, help="Only those that go on.")
@click.option("--json", "as_json", is_flag=True, help="Print each as one line of JSON.")
@click.pass_obj
def alerts(folder: Path, lines: int, open_only: bool, as_json: bool) -> None:  # noqa: FBT001  click passes flags
    """List alerts: those that go on first, then the newest."""
    with errors_to_exit_code(), open_log(folder) as log:
        found = AlertBoard(log.engine).latest(lines, open_only=open_only)
        for alert in found:
            click.echo(json.dumps(_to_json(alert)) if as_json else describe_alert(alert))
        if not found and not as_json:
            click.secho("No alert goes on." if open_only else "No alert.", fg="green")


def describe_alert(alert: ShownAlert) -> str:
    """Return an alert as two lines for a person."""
    first, last = format_microseconds(alert.first), format_microseconds(alert.last)
    span = f"{first} to {last}" if alert.last > alert.first else first
    times = f", {alert.count} times" if alert.count > 1 else ""
    status = "goes on" if alert.ended is None else "over"
    record = "" if alert.position is None else f"  record {alert.position}"
    facts = "  ".join(f"{name} {text}" for name, text in alert.facts.items())
    trouble = f"\n       not delivered yet: {printable(alert.failure)}" if alert.failure else ""
    head = f"{alert.number:>5}  {alert.kind}  {span}{times}  {status}"
    return printable(head) + "\n       " + printable(f"{alert.summary}.{record}  {facts}".rstrip()) + trouble


def _to_json(alert: ShownAlert) -> dict[str, object]:
    shown = asdict(alert)
    return shown | {name: format_microseconds(shown[name]) for name in ("first", "last", "ended") if shown[name]}
