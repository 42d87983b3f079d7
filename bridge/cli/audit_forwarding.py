"""``rambridge audit forwarding``: who gets the records as they are made, and how far behind each is."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from bridge.audit.forwarding.lag import Lag, measure_lags
from bridge.audit_tasks import describe_way
from bridge.cli.opened_log import open_log
from bridge.cli.output import count, errors_to_exit_code, printable
from bridge.clock import SystemClock
from bridge.settings import load_configuration

_COLOURS = {"ok": "green", "new": "yellow", "behind": "yellow", "failing": "red"}


@click.command("forwarding")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each receiver.")
@click.pass_obj
def forwarding(folder: Path, as_json: bool) -> None:  # noqa: FBT001  click passes flags
    """Print how far behind each receiver of records is. The service forwards; this command only looks."""
    with errors_to_exit_code():
        receivers = load_configuration(folder, secrets=False).audit.forwarding
        if not receivers:
            if as_json:
                return
            click.echo("Nobody gets records as they are made: there is no `forwarding` in audit.yaml.")
            return
        with open_log(folder) as log:
            log.sequencer.catch_up()
            lags = measure_lags(log.engine, [receiver.name for receiver in receivers], SystemClock())
    for receiver, lag in zip(receivers, lags, strict=True):
        if as_json:
            click.echo(json.dumps(asdict(lag) | {"state": lag.state, "to": receiver.to}, sort_keys=True))
            continue
        state = click.style(f"{lag.state:<8}", fg=_COLOURS[lag.state])
        click.echo(f"{state} {receiver.name:<16} {describe_way(receiver)}")
        click.echo(f"         {_describe(lag)}")
        if lag.failure:
            click.echo(f"         {printable(lag.failure)}")


def _describe(lag: Lag) -> str:
    if lag.position is None:
        return "nothing was tried yet: is the service running?"
    if not lag.records:
        text = f"has everything, {count(lag.position, 'record')}"
    else:
        text = f"{count(lag.records, 'record')} behind, the first of them for {_duration(lag.seconds)}"
    return text if lag.failing_seconds is None else f"{text}; failing for {_duration(lag.failing_seconds)}"


def _duration(seconds: float) -> str:
    if seconds < 120:  # noqa: PLR2004  two minutes are still told in seconds
        return f"{seconds:.0f} s"
    if seconds < 7_200:  # noqa: PLR2004  two hours in minutes
        return f"{seconds / 60:.0f} min"
    if seconds < 172_800:  # noqa: PLR2004  two days in hours
        return f"{seconds / 3_600:.0f} h"
    return f"{seconds / 86_400:.0f} days"
