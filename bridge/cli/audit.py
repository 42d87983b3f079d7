"""``rambridge audit``: watch the end of the log."""

import json
import time
from pathlib import Path
from typing import Any

import click

from bridge.cli.audit_alerts import alerts
from bridge.cli.audit_erase import erase
from bridge.cli.audit_export import export
from bridge.cli.audit_forwarding import forwarding
from bridge.cli.audit_keeping import migrate, retire, roles
from bridge.cli.audit_proof import checkpoint, proof, verify
from bridge.cli.audit_rebuild import rebuild
from bridge.cli.audit_witness import witness
from bridge.cli.opened_log import open_log
from bridge.cli.output import errors_to_exit_code, printable

POLL_SECONDS = 0.5
_TOLD = (
    "account",
    "entitlement",
    "role_session_name",
    "access_key_id",
    "version",
    "code",
    "detail",
    "month",
    "form",
    "of_subject_digest",
)


@click.group()
def audit() -> None:
    """Verify the audit log, watch its end, and keep its database."""


audit.add_command(verify)
audit.add_command(checkpoint)
audit.add_command(proof)
audit.add_command(witness)
audit.add_command(migrate)
audit.add_command(roles)
audit.add_command(retire)
audit.add_command(rebuild)
audit.add_command(erase)
audit.add_command(export)
audit.add_command(alerts)
audit.add_command(forwarding)


@audit.command("tail")
@click.option(
    "-n", "--lines", type=click.IntRange(0), default=20, show_default=True, help="How many records to begin with."
)
@click.option("-f", "--follow", is_flag=True, help="Go on printing records as they are written.")
@click.option("--json", "as_json", is_flag=True, help="Print each record as one line of JSON.")
@click.pass_obj
def tail(folder: Path, lines: int, follow: bool, as_json: bool) -> None:  # noqa: FBT001  click passes flags
    """Print the last records, oldest first."""
    with errors_to_exit_code(), open_log(folder) as log:
        reader, printed = log.reader, log.reader.end()
        records = reader.last(lines)
        while True:
            for record in records:
                click.echo(json.dumps(record, sort_keys=True) if as_json else describe_record(record))
                printed = record["position"]
            if not follow:
                return
            time.sleep(POLL_SECONDS)
            records = reader.after(printed)


def describe_record(record: dict[str, Any]) -> str:
    """Return a record as one line for a person."""
    who = record.get("person", record.get("provider", record.get("author", record.get("node", ""))))
    what = " ".join(str(record[name]) for name in _TOLD if name in record)
    listed = ", ".join(record.get("granted", record.get("strays", ())))
    line = f"{record['position']:>6}  {record['time']}  {record['event']:<22}  {who}  {what}{listed}"
    return printable(line.rstrip())
