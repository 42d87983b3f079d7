"""``rambridge audit verify``, ``checkpoint`` and ``proof``: nobody needs to believe the log, or us."""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
from sqlalchemy import select

from bridge.audit.export.whole_file import write_whole
from bridge.audit.proof.bundle import Selection, write_bundle
from bridge.audit.proof.checkpoints import Checkpoint, open_checkpoint
from bridge.audit.proof.hand_over import Believed, believe, leave_out_replaced, read_hand_overs
from bridge.audit.proof.notes import NoteRefused, VerifierKey
from bridge.audit.proof.proofs import Signed, prove_growth, prove_record, read_last
from bridge.audit.proof.verification import Scope, Verified, verify_log
from bridge.audit.proof.verifier.verify_bundle import split_notes
from bridge.audit.reader import parse_reference
from bridge.audit.search.checked import check_search
from bridge.audit.tables import index
from bridge.audit_log import OpenedLog
from bridge.cli.opened_log import open_log
from bridge.cli.output import FAILED, count, errors_to_exit_code, printable, short_path
from bridge.database import snapshot
from bridge.errors import ChainBroken, KeyMissing
from bridge.settings.audit_checks import load_audit_settings

_SILENT_SECONDS = 1.0
_PROGRESS_SECONDS = 0.2
_MOST_PROCESSES = 8

_key = click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="NAME+ID+KEY",
    help=(
        "Believe this public key and those that came after it, instead of those in the key folder. A key that it "
        "replaced counts for earlier checkpoints alone."
    ),
)
_file = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.command("verify", short_help="Verify the log, or say the first bad position.")
@click.option("--from", "begin", type=click.IntRange(0), default=0, help="The position to begin at. Default: 0.")
@click.option("--to", "last", type=click.IntRange(0), help="The last position to verify. Default: the end of the log.")
@click.option("--since", type=_file, help="Verify what came after a checkpoint that you noted in this file.")
@click.option(
    "--noted",
    type=_file,
    multiple=True,
    help="The log must begin with what checkpoints in this file say. Can be repeated.",
)
@click.option(
    "--search", is_flag=True, help="Verify as well that searches and figures leave out nothing. Takes longer."
)
@_key
@click.pass_obj
def verify(  # noqa: PLR0917  click passes them by name
    folder: Path,
    begin: int,
    last: int | None,
    since: Path | None,
    noted: tuple[Path, ...],
    search: bool,  # noqa: FBT001  click passes flags
    keys: tuple[str, ...],
) -> None:
    """Verify that the log is what was recorded, and say the first bad position if it is not.

    Every record is held against signed checkpoints, the chain of the process that wrote it, its clock, and the index.
    A checkpoint that you noted elsewhere proves that the end was not cut off since either; write one with `rambridge
    audit checkpoint > FILE`. The exit code is 1 if something is wrong.
    """
    if last is not None and last < begin:
        raise click.UsageError("--to is before --from: there is nothing between them to verify.")
    with errors_to_exit_code(), broken_to_exit_code(), open_log(folder) as log:
        believed = _find_keys(log, keys)
        log.sequencer.settle()
        seen = [each.checkpoint for place in noted for each in _read_notes(place, believed.ever)]
        if since is not None:
            before = [each.checkpoint for each in _read_notes(since, believed.ever)]
            seen += before
            begin = max(begin, *(each.size for each in before))
            if last is not None and last < begin:
                raise click.UsageError(f"--to is before {begin}, which is the first position after --since.")
        step = load_audit_settings(folder).max_clock_step_seconds
        end = None if last is None else last + 1
        scope = Scope(believed.now, log.secrets.mac_key, begin, end, seen, step, replaced=believed.before)
        processes = min(os.cpu_count() or 1, _MOST_PROCESSES)
        verified = verify_log(log.engine, scope, processes=processes, progress=Progress("verified"))
        beyond = max(begin - 1, -1 if last is None else last)
        if beyond >= verified.size:
            held = count(verified.size, "record")
            raise ChainBroken(f"the log ends before position {beyond}: it has {held}", verified.size)
        if search:
            with snapshot(log.engine) as connection:
                check_search(connection)
    _print_verified(verified, seen)
    if search:
        click.echo("Searches and figures go by all of them.")


@click.command("checkpoint", short_help="Print how many records there are, signed.")
@click.option("--since", type=_file, help="Print instead a proof that the log begins with this file's checkpoint.")
@click.option("--first", is_flag=True, help="Sign a log that was never signed, and has records already.")
@_key
@click.pass_obj
def checkpoint(folder: Path, since: Path | None, first: bool, keys: tuple[str, ...]) -> None:  # noqa: FBT001
    """Print a checkpoint of now: how many records there are and the root over them, signed.

    Note it where nobody of the log's operators can change it: `rambridge audit checkpoint > FILE`. Later, `verify
    --noted FILE` proves that the log still begins with exactly those records.

    Where there are many records and no checkpoint, nothing is signed until you say with --first that there never was
    one: else somebody may have deleted them all.
    """
    with errors_to_exit_code(), broken_to_exit_code(), open_log(folder) as log:
        believed = _find_keys(log, keys)
        if first:
            log.sequencer.sign_first()
        else:
            log.sequencer.sign_now()
        with snapshot(log.engine) as connection:
            signed = _read_last(log, believed.now)
            if since is not None:
                (earlier,) = _read_notes(since, believed.ever)[-1:]
                growth = prove_growth(connection, earlier, signed)
                click.echo(growth.text, nl=False)
                grown = (
                    f"{earlier.checkpoint.size} records of then are the first of the {signed.checkpoint.size} of now"
                )
                click.secho(f"The {grown}.", fg="green", err=True)
                return
    click.echo(signed.note, nl=False)


@click.command("proof", short_help="Prove that a record is in the log.")
@click.argument("what", metavar="POSITION|REFERENCE")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a bundle with the records themselves.",
)
@_key
@click.pass_obj
def proof(folder: Path, what: str, output: Path | None, keys: tuple[str, ...]) -> None:
    """Prove that a record is in the log: the one at a POSITION, or those of a REFERENCE.

    A proof is some hashes that lead from the record to a signed checkpoint (https://c2sp.org/tlog-proof). With
    --output, a zip file has the records, their proof, and a program that verifies them with nothing but Python.
    """
    with errors_to_exit_code(), broken_to_exit_code(), open_log(folder) as log:
        believed = _find_keys(log, keys)
        log.sequencer.sign_now()
        positions = _find_positions(log, what)
        if not positions:
            click.echo(f"There is no record {printable(what)}.", err=True)
            sys.exit(FAILED)
        signed = _read_last(log, believed.now)
        if output is not None:
            selection = Selection(positions[0], positions[-1] + 1, positions=frozenset(positions))
            with write_whole(output) as file:
                written = write_bundle(log.engine, file.content, selection, believed.now)
                file.appear()
            click.echo(f"{count(written, 'record')} and what proves them: {short_path(output)}")
            return
        with snapshot(log.engine) as connection:
            for position in positions:
                click.echo(prove_record(connection, position, signed).text, nl=False)
    over = count(signed.checkpoint.size, "record")
    proved = f"record {positions[0]} is" if len(positions) == 1 else f"{len(positions)} records are"
    click.secho(f"Proved: {proved} under the checkpoint over {over}.", fg="green", err=True)


class Progress:
    """Tells on a terminal how far it is, if it takes longer than a second."""

    def __init__(self, what: str) -> None:
        """Take what is done with each record."""
        self._what = what
        self._began = self._told = time.monotonic()

    def __call__(self, done: int, of: int) -> None:
        """Take how many records it was done with, and of how many."""
        now = time.monotonic()
        if not sys.stderr.isatty() or now - self._began < _SILENT_SECONDS:
            return
        if done == of:
            click.echo("\r\033[K", nl=False, err=True)
        elif now - self._told >= _PROGRESS_SECONDS:
            self._told = now
            left = (now - self._began) * (of - done) / done
            click.echo(f"\r\033[K{done:,} of {of:,} records {self._what}, {left:.0f} s left", nl=False, err=True)


@contextmanager
def broken_to_exit_code() -> Iterator[None]:
    """Tell where the log is not what was written, and end with exit code 1."""
    try:
        yield
    except ChainBroken as error:
        click.secho(error.public, fg="red", err=True)
        click.echo(f"  {error.detail}", err=True)
        if error.end is None:
            click.echo(f"  first bad position: {error.position}", err=True)
        else:
            click.echo(f"  first bad position: between {error.position} and {error.end - 1}", err=True)
            click.echo(f"  Nothing tells it more exactly: {error.position} is the first that is not proved.", err=True)
        click.echo(
            "  Keep a copy of the database as it is, and compare it from there on with backups and bundles.", err=True
        )
        sys.exit(FAILED)


def _find_keys(log: OpenedLog, given: Sequence[str]) -> Believed:
    """Return the keys that are believed; of those in the key folder, not one that handed over to another on record."""
    try:
        keys = [VerifierKey.parse(text) for text in given]
    except NoteRefused as error:
        raise click.BadParameter(f"{error}, as `rambridge audit verify` prints it", param_hint="--key") from error
    if not keys and log.signer is None:
        raise KeyMissing("the keys that sign checkpoints are not on this machine: name the public one with --key")
    with snapshot(log.engine) as connection:
        notes = read_hand_overs(connection)
    return believe(keys or leave_out_replaced(log.verifier_keys, notes), notes)


def _read_notes(place: Path, keys: Sequence[VerifierKey]) -> list[Signed]:
    try:
        notes = split_notes(place.read_text(encoding="utf-8")) or [""]
        return [Signed(open_checkpoint(note, keys), note) for note in notes]
    except (NoteRefused, OSError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"{short_path(place)}: {error}") from error


def _read_last(log: OpenedLog, keys: Sequence[VerifierKey]) -> Signed:
    if log.sequencer.broken is not None:
        raise log.sequencer.broken
    with snapshot(log.engine) as connection:
        signed = read_last(connection, keys)
    if signed is None:
        raise click.ClickException("There is no checkpoint yet: nothing was recorded, or nobody here can sign.")
    return signed


def _find_positions(log: OpenedLog, what: str) -> list[int]:
    query = select(index.c.position).order_by(index.c.position)
    reference = parse_reference(what)
    if what.isascii() and what.isdigit() and len(what) < 19:  # noqa: PLR2004  a position is below 2**63
        query = query.where(index.c.position == int(what))
    elif reference is not None:
        query = query.where(index.c.reference == reference)
    else:
        raise click.BadParameter(
            "write a position, such as 7, or a reference, such as 1A2B-3C4D-5E6F", param_hint="POSITION|REFERENCE"
        )
    with snapshot(log.engine) as connection:
        return list(connection.scalars(query))


def _print_verified(verified: Verified, noted: Sequence[Checkpoint]) -> None:
    records = count(verified.end - verified.begin, "record")
    where = f", {verified.begin} to {verified.end - 1}" if verified.end > verified.begin else ""
    click.secho(f"{records} verified{where}: all are what was recorded, and each is in its place.", fg="green")
    if verified.retired:
        click.echo(
            f"Of {count(verified.retired, 'record')} there is only the hash: they were retired, as the log says."
        )
    signed = verified.checkpoint
    if signed is not None and signed.time is not None:
        when = datetime.fromtimestamp(signed.time, UTC)
        click.echo(f"The last checkpoint is over {count(signed.size, 'record')}, signed {when:%Y-%m-%d %H:%M:%S} UTC")
        for key in signed.signed_by:
            click.echo(f"  by {key}")
    if verified.unsigned:
        click.secho(f"{count(verified.unsigned, 'record')} at the end: no checkpoint is over them yet.", fg="yellow")
    if noted:
        click.echo(f"The log begins with what {count(len(noted), 'noted checkpoint')} said.")
    else:
        click.echo("Whether its end was cut off, only a checkpoint that was noted elsewhere can tell: --noted FILE.")
