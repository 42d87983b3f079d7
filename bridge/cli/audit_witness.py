"""``rambridge audit witness``: what others have of the log."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from bridge.audit.proof.bundle import join_notes
from bridge.audit.proof.witnessing import read_seen
from bridge.audit_log import OpenedLog
from bridge.audit_tasks import build_witnessing
from bridge.cli.opened_log import open_log
from bridge.cli.output import FAILED, count, errors_to_exit_code, printable, short_path
from bridge.outbound import Outbound
from bridge.settings import load_settings
from bridge.settings.audit import AuditSettings
from bridge.settings.audit_checks import load_audit_settings

_MICROSECONDS = 1_000_000


@click.command("witness")
@click.option("--now", is_flag=True, help="Show each that is due a checkpoint of now.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write what each witness answered into this folder: NAME.tsr is a time stamp, NAME.txt the checkpoint.",
)
@click.pass_obj
def witness(folder: Path, now: bool, output: Path | None) -> None:  # noqa: FBT001  click passes flags
    """Say which checkpoint each witness has, and since when.

    A time stamp is verified by any program that knows RFC 3161: openssl ts -verify -data NAME.txt -in NAME.tsr -CAfile
    THEIR-CA.pem. The exit code is 1 if a witness did not take its checkpoint.
    """
    with errors_to_exit_code(), open_log(folder) as log:
        settings = load_audit_settings(folder)
        faults = _show_now(folder, settings, log) if now else {}
        for each in settings.witnesses:
            _describe(log, each.name, output)
    if not settings.witnesses:
        click.echo("There is no witness. config/README.md says how to have one.")
    for name, detail in faults.items():
        click.secho(f"{name}: {printable(detail)}", fg="red", err=True)
    if faults:
        sys.exit(FAILED)


def _show_now(folder: Path, settings: AuditSettings, log: OpenedLog) -> dict[str, str]:
    service = load_settings(folder)
    outbound = Outbound(development=service.development, destinations=service.destinations())
    witnessing = build_witnessing(settings, log, outbound)
    if witnessing is None:
        return {}
    log.sequencer.sign_now()
    return dict(witnessing.show_due())


def _describe(log: OpenedLog, name: str, output: Path | None) -> None:
    seen = read_seen(log.engine, name)
    if seen is None:
        click.secho(f"{name}: nothing yet", fg="yellow")
        return
    when = datetime.fromtimestamp(seen.time / _MICROSECONDS, UTC)
    records = count(seen.size, "record")
    click.echo(f"{name}: checkpoint {seen.number}, over {records}, since {when:%Y-%m-%d %H:%M:%S} UTC")
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        is_stamp = seen.answer[:1] == b"\x30"
        answered = seen.note if is_stamp else seen.note + seen.answer.decode(errors="replace")
        (output / f"{name}.txt").write_text(answered if is_stamp else join_notes([answered]), encoding="utf-8")
        if is_stamp:
            (output / f"{name}.tsr").write_bytes(seen.answer)
        click.echo(f"  written to {short_path(output)}")
