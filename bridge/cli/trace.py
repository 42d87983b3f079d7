"""``rambridge trace``: what was checked of the sign-in behind a reference number, and what failed."""

import json
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from bridge.advice import find_advice
from bridge.audit.events import SignInAccepted, SignInRefused
from bridge.audit.reader import parse_reference
from bridge.cli.audit import describe_record
from bridge.cli.opened_log import open_log
from bridge.cli.output import FAILED, errors_to_exit_code, printable
from bridge.identity.checks import Line, explain_checks

_MARKS = {"pass": ("pass", "green"), "fail": ("FAIL", "red")}
_TITLE_COLUMNS = 48
_NARROWEST = 24


@click.command("trace", short_help="Explain the reference that an error page shows.")
@click.argument("reference")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def trace(folder: Path, reference: str, as_json: bool) -> None:  # noqa: FBT001  click passes flags
    """Explain the REFERENCE that an error page shows: each check of that sign-in, in order, and what to do.

    Every check has what was measured and what is allowed. It reads the audit log, and shows nothing secret. The exit
    code is 1 if no record has the reference.
    """
    parsed = parse_reference(reference)
    if parsed is None:
        raise click.BadParameter("write it as the page shows it, such as 1A2B-3C4D-5E6F", param_hint="REFERENCE")
    with errors_to_exit_code(), open_log(folder) as log:
        records = log.reader.find(parsed)
    if as_json:
        click.echo(json.dumps({"reference": parsed, "records": [_extend(record) for record in records]}, indent=2))
    for record in () if as_json else records:
        if record["event"] == SignInRefused.name:
            _print_refusal(record)
        else:
            _print_other(record)
    if not records:
        click.echo(f"No record has the reference {parsed}.", err=True)
        sys.exit(FAILED)


def _extend(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record with its checks explained, and with what to do."""
    lines = explain_checks(record.get("protocol", ""), record.get("checks", ()))
    advice = find_advice(record.get("code", ""))
    return (
        record
        | ({"checks": [line._asdict() for line in lines]} if lines else {})
        | (advice._asdict() if advice else {})
    )


def _print_refusal(record: dict[str, Any]) -> None:
    click.secho(f"Sign-in refused: {record['code']}", fg="red", bold=True)
    advice = find_advice(record["code"])
    facts = {
        "what": advice.meaning if advice else "",
        "exactly": record.get("detail", ""),
        "to do": advice.remedy if advice else "",
        "when": record["time"],
        "where": f"provider {record['provider']} ({record['protocol']}), from {record['source_address']}",
        "claims": ", ".join(
            f"{name} {record[key]}"
            for name, key in (("issuer", "claimed_issuer"), ("ID", "claimed_id"))
            if key in record
        ),
        "SHA-256": record.get("message_digest", ""),
    }
    width = max(shutil.get_terminal_size().columns, 80)
    for name, text in facts.items():
        if text:
            wrapped = textwrap.wrap(printable(text), width - 11)
            click.echo(f"  {name:<8} " + ("\n" + " " * 11).join(wrapped))
    lines = explain_checks(record["protocol"], record.get("checks", ()))
    if not lines:
        click.echo("\nIt was refused before any check of its content.")
        return
    click.echo()
    for line in _build_table(lines, width):
        click.echo(line)


def _build_table(lines: Sequence[Line], width: int) -> Iterator[str]:
    """Yield the lines of a table: outcome, check, measured, allowed. Long texts go on below themselves."""
    column = max((width - _TITLE_COLUMNS - 10) // 2, _NARROWEST)
    yield _join(["", "check", "measured", "allowed"], column).rstrip()
    made = [line for line in lines if line.outcome != "not reached"]
    for line in made:
        mark, colour = _MARKS.get(line.outcome, (line.outcome, None))
        cells = [
            textwrap.wrap(printable(text), size) or [""]
            for text, size in ((line.title, _TITLE_COLUMNS), (line.measured, column), (line.allowed, column))
        ]
        for number in range(max(map(len, cells))):
            texts = [cell[number] if number < len(cell) else "" for cell in cells]
            row = _join([mark if number == 0 else "", *texts], column).rstrip()
            yield click.style(row, fg=colour, bold=line.outcome == "fail")
    if len(made) < len(lines):
        yield f"-     {len(lines) - len(made)} more checks were not reached"


def _join(texts: Sequence[str], column: int) -> str:
    mark, title, measured, allowed = texts
    return f"{mark:<4}  {title:<{_TITLE_COLUMNS}}  {measured:<{column}}  {allowed}"


def _print_other(record: dict[str, Any]) -> None:
    if record["event"] == SignInAccepted.name:
        click.secho("The provider's answer passed every check.", fg="green")
    click.echo(describe_record(record))
    advice = find_advice(record.get("code", ""))
    if advice:
        click.echo(f"        {advice.meaning} {advice.remedy}")
