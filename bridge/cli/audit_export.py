"""``rambridge audit export``: records in a file, for people and programs elsewhere."""

import shutil
import sys
import tempfile
from datetime import datetime
from pathlib import Path

import click

from bridge.audit.events import BACKGROUND
from bridge.audit.export.exporter import BUNDLE, FORMATS, Exporter, Request
from bridge.audit.proof.checkpoints import name_log
from bridge.cli.moments import Moment
from bridge.cli.opened_log import open_log
from bridge.cli.output import count, errors_to_exit_code, short_path
from bridge.cli.user import find_user
from bridge.settings import load_settings


@click.command("export")
@click.option("--format", "format_", type=click.Choice(FORMATS), default="jsonl", show_default=True, help="The form.")
@click.option("--since", type=Moment(), help="Leave out what is older: 2026-11-01, 2026-11-01T08:00, 24h, 7d. UTC.")
@click.option("--until", type=Moment(), help="Leave out what is from then on, or newer.")
@click.option(
    "--opened/--sealed",
    default=None,
    help="Whether the file says what records say of people. Sealed: digests in their stead, so that somebody who is "
    "erased later is gone from it too. Default: opened; a bundle is sealed.",
)
@click.option("--author", help="Who takes the records, instead of the user of this machine. It is recorded.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="The file. Else standard output.")
@click.pass_obj
def export(  # noqa: PLR0917  click passes them by name
    folder: Path,
    format_: str,
    since: datetime | None,
    until: datetime | None,
    opened: bool | None,  # noqa: FBT001  click passes flags
    author: str | None,
    output: Path | None,
) -> None:
    """Write records to a file. That is recorded itself, before the file appears.

    \b
    jsonl   one record, one line of JSON; loses nothing
    csv     for spreadsheets; no cell is a formula
    ocsf    events of the Open Cybersecurity Schema Framework 1.8.0, one a line
    bundle  a zip with records, proofs and a program that verifies them with nothing but Python
    """  # noqa: D301  click reads the backspace: what follows is not to be wrapped
    opened = format_ != BUNDLE if opened is None else opened
    if format_ == BUNDLE and output is None:
        raise click.UsageError("A bundle needs a file: add --output FILE.zip.")
    if since and until and since >= until:
        raise click.UsageError("--since is not before --until: no record is between them.")
    request = Request(format_, opened, author or find_user(), BACKGROUND)
    with errors_to_exit_code(), open_log(folder) as log, tempfile.TemporaryDirectory() as scratch:
        name = name_log(load_settings(folder).public_url)
        exporter = Exporter(
            log.engine, log.secrets, log.sequencer, log.build_log(), log_name=name, keys=log.verifier_keys
        )
        place = output or Path(scratch) / "export"
        exported = exporter.write(place, exporter.find_span(since, until), request)
        if output is None:
            with place.open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.buffer.flush()
    where = "to standard output" if output is None else f"to {short_path(output)}"
    click.echo(f"{count(exported.records, 'record')} written {where}, {exported.bytes} bytes.", err=True)
    click.echo(f"SHA-256 {exported.digest}; the log has that too.", err=True)
    if opened and exported.records:
        click.echo(
            "It names people in the clear: `audit erase` does not reach it. Delete it once it has served; "
            "with --sealed it names nobody.",
            err=True,
        )
