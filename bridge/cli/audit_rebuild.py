"""``rambridge audit rebuild``: what searches and figures go by follows from the records, and is computed again."""

from pathlib import Path

import click

from bridge.audit.events import BACKGROUND, SearchRebuilt
from bridge.audit.search.rebuilding import Rebuilding
from bridge.cli.audit_keeping import opened_as_owner, owner_option
from bridge.cli.audit_proof import Progress, broken_to_exit_code
from bridge.cli.output import count, errors_to_exit_code
from bridge.cli.user import find_user


@click.command(short_help="Compute again what searches go by.")
@owner_option
@click.pass_obj
def rebuild(folder: Path, owner: str | None) -> None:
    """Compute again, from the records, what searches and figures go by, and mend what says otherwise.

    Run it when `rambridge audit verify --search` finds something and `verify` alone does not. People sign in meanwhile;
    records, proofs and keys are not touched. If it is stopped, run it again: what is right by then is not written
    again. What was wrong is recorded.
    """
    with errors_to_exit_code(), broken_to_exit_code(), opened_as_owner(folder, owner) as opened:
        opened.sequencer.catch_up()
        rebuilding = Rebuilding(opened.engine, opened.secrets.mac_key, Progress("looked at"))
        try:
            rebuilding.run()
        finally:
            mended = rebuilding.done.list_mended()
            for table, number in mended:
                click.echo(f"{table}: {count(number, 'row')} mended")
            if mended:
                recorded = tuple(f"{table} {number}" for table, number in mended)
                opened.build_log().append(BACKGROUND, SearchRebuilt(recorded, find_user()))
                opened.sequencer.catch_up()
    looked = f"{count(rebuilding.done.positions, 'record')} looked at."
    if mended:
        click.secho(f"{looked} Searches and figures go by all of them now.", fg="green")
    else:
        click.secho(f"{looked} Nothing was wrong: searches and figures go by all of them.", fg="green")
