"""``rambridge audit``: verify the log, and watch its end."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from bridge.audit.chain import Head
from bridge.audit.reader import read_after, read_last, verify_log
from bridge.audit.schema import open_database
from bridge.cli.audit_keeping import migrate, roles
from bridge.cli.output import errors_to_exit_code, printable, short_path
from bridge.errors import AuditUnavailable
from bridge.settings import load_settings

POLL_SECONDS = 0.5


@click.group()
def audit() -> None:
    """Verify the audit log, and watch its end."""


audit.add_command(migrate)
audit.add_command(roles)


@audit.command("verify")
@click.option(
    "--expect",
    metavar="SEQUENCE:DIGEST",
    help="A head that an earlier run printed. The log must still contain it: so a cut-off end is found too.",
)
@click.pass_obj
def verify(folder: Path, expect: str | None) -> None:
    """Check every record of the log against the hash chain, and print the chain's head."""
    with errors_to_exit_code(), open_log(folder) as engine:
        head = verify_log(engine, _parse_head(expect) if expect else None)
    click.secho(f"{head.sequence} records verified: none was changed, moved, or removed from between.", fg="green")
    click.echo("Note the head; with --expect it proves later that the end was not cut off either.")
    click.echo(f"head {head.sequence}:{head.digest}")


@audit.command("tail")
@click.option("-n", "--lines", default=20, show_default=True, help="How many records to begin with.")
@click.option("-f", "--follow", is_flag=True, help="Go on printing records as they are written.")
@click.option("--json", "as_json", is_flag=True, help="Print each record as one line of JSON.")
@click.pass_obj
def tail(folder: Path, lines: int, follow: bool, as_json: bool) -> None:  # noqa: FBT001  click passes flags
    """Print the last records, oldest first."""
    with errors_to_exit_code(), open_log(folder) as engine:
        records = read_last(engine, lines)
        printed = 0
        while True:
            for record in records:
                click.echo(json.dumps(record, sort_keys=True) if as_json else describe_record(record))
                printed = record["sequence"]
            if not follow:
                return
            time.sleep(POLL_SECONDS)
            records = read_after(engine, printed)


def describe_record(record: dict[str, Any]) -> str:
    """Return a record as one line for a person."""
    who = record.get("person", record.get("provider", record.get("author", record.get("node", ""))))
    what = " ".join(
        str(record[name])
        for name in ("account", "entitlement", "role_session_name", "access_key_id", "version", "code", "detail")
        if name in record
    )
    granted = ", ".join(record.get("granted", ()))
    line = f"{record['sequence']:>6}  {record['time']}  {record['event']:<22}  {who}  {what}{granted}"
    return printable(line.rstrip())


@contextmanager
def open_log(folder: Path) -> Iterator[Engine]:
    """Open the audit database of a configuration for the time of a block.

    Raises:
        AuditUnavailable: there is none, or it cannot be opened.
    """
    url = load_settings(folder).audit_url()
    path = Path(url.removeprefix("sqlite:///"))
    if url.startswith("sqlite:") and not path.exists():
        raise AuditUnavailable(f"there is no audit log at {short_path(path)}")
    try:
        engine = open_database(url)
    except SQLAlchemyError as error:
        raise AuditUnavailable(f"the audit database cannot be opened: {type(error).__name__}") from error
    try:
        yield engine
    finally:
        engine.dispose()


def _parse_head(text: str) -> Head:
    sequence, _, digest = text.partition(":")
    if not sequence.isdigit() or len(digest) != 64:  # noqa: PLR2004  SHA-256 in hex
        raise click.BadParameter("write SEQUENCE:DIGEST as an earlier run printed it", param_hint="--expect")
    return Head(int(sequence), digest)
