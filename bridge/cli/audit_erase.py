"""``rambridge audit erase``: make unreadable what the log, and everything beside it, says of a person."""

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Engine

from bridge.audit.keeping.erasure import Erasure, Known
from bridge.audit.keeping.overwriting import overwrite_deleted
from bridge.cli.audit_keeping import opened_as_owner, owner_option
from bridge.cli.kept_sign_ins import open_kept_sign_ins
from bridge.cli.output import FAILED, count, errors_to_exit_code, printable
from bridge.cli.running_store import connect_running_store
from bridge.cli.user import find_user
from bridge.clock import SystemClock
from bridge.database import open_engine
from bridge.errors import StoreUnavailable
from bridge.keys import KeyFolder
from bridge.rollout.forgetting import NAMING, forget_author
from bridge.rollout.tables import Tables
from bridge.sealing import Sealer
from bridge.sessions.habits import LIFETIME, HabitStore
from bridge.settings import Settings, load_settings

_SHOWN = 10


@click.command(short_help="Make unreadable what the log says of a person.")
@click.option("--subject", help="The person's identifier, exactly as the provider writes it; with --issuer.")
@click.option("--issuer", help="Whose identifier it is: the provider's entity ID or issuer.")
@click.option("--person", help="What people call the person, in place of these two.")
@click.option("--all", "everybody", is_flag=True, help="Where several are called this: they are one person.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@owner_option
@click.pass_obj
def erase(
    folder: Path,
    subject: str | None,
    issuer: str | None,
    person: str | None,
    owner: str | None,
    *,
    everybody: bool,
    yes: bool,
) -> None:
    """Destroy the key under which the log says anything of a person, and what is kept of their sign-ins and habits.

    Records stay, and verify; whom they are about cannot be read any more, here and in everything that was exported
    sealed. Refusals from an address that nobody else signed in from become unreadable with them. It cannot be undone.
    That it was done is recorded, with the digest that stands for the person.

    It fails if the key is destroyed and its bytes are not gone from the disk yet, and says what is in the way.
    """
    if (person is None) == (subject is None) or (subject is None) != (issuer is None):
        raise click.UsageError("Say --issuer and --subject, or --person.")
    with errors_to_exit_code(), opened_as_owner(folder, owner) as opened:
        erasure = Erasure(opened.engine, opened.secrets, opened.build_log(), opened.sequencer)
        known = _find(erasure, issuer, subject, person)
        for each in known:
            click.echo(_describe(each))
        if len(known) > 1 and not everybody:
            click.echo("Say --all if these are one person, else --issuer and --subject.", err=True)
            sys.exit(FAILED)
        if not yes and not click.confirm("Make all of this unreadable for good?"):
            sys.exit(FAILED)
        settings = load_settings(folder)
        beside = _forget_all(settings, opened.engine, erasure, known)
        habits_left = not _forget_habits(settings, known)
        click.secho("It is unreadable now, within half a minute in every process.", fg="green")
        exports = erasure.find_opened_exports(known)
        in_the_way = erasure.overwrite() or overwrite_deleted(beside, NAMING)
    if not in_the_way:
        click.echo("Nothing of the keys is left in the files of the database.")
    if habits_left:
        _say_that_habits_are_left(known, owner)
    _say_what_is_not_reached(exports)
    if in_the_way:
        _say_what_is_left(known, in_the_way, owner)
        sys.exit(FAILED)


def _find(erasure: Erasure, issuer: str | None, subject: str | None, person: str | None) -> list[Known]:
    """Return whom somebody means; end the command if it is nobody."""
    if subject is not None and issuer is not None:
        one = erasure.find_subject(issuer, subject)
        found = [one] if one else []
    else:
        found = erasure.find(person or "")
    if not found:
        click.echo("The log says nothing of anybody like that.", err=True)
        sys.exit(FAILED)
    return found


def _forget_all(settings: Settings, audit: Engine, erasure: Erasure, known: Sequence[Known]) -> Engine:
    """Forget people in the log and beside it; return the database beside it, as who owns its tables."""
    beside = open_engine(settings.database_url()) if audit.dialect.name == "sqlite" else audit
    with open_kept_sign_ins(settings) as history:
        for each in known:
            issuer, subject = each.label["issuer"], each.label["subject"]
            # First: afterwards nobody knows any more what they are called, so that it could not be said again.
            forget_author(Tables(beside), issuer, subject, each.label.get("person", ""))
            erasure.erase(each, find_user())
            history.forget(issuer, subject)
    return beside


def _forget_habits(settings: Settings, known: Sequence[Known]) -> bool:
    """Forget favourites and what people use most; return whether the store was there to do so."""
    try:
        sealer = Sealer(*KeyFolder(settings.key_folder).sealing_keys())
        habits = HabitStore(connect_running_store(settings), sealer, SystemClock())
        for each in known:
            habits.forget(each.label["issuer"], each.label["subject"])
    except StoreUnavailable:
        return False
    return True


def _say_that_habits_are_left(known: Sequence[Known], owner: str | None) -> None:
    days = LIFETIME.days
    click.secho(
        "Favourites and most used roles are not forgotten: the service's store does not answer here. They go by\n"
        f"themselves {days} days after the person's last use; at once where the service runs, by:",
        fg="yellow",
    )
    for each in known:
        click.echo(f"  {_again(each, owner)}")


def _again(known: Known, owner: str | None) -> str:
    """Return the command that erases somebody once more."""
    issuer, subject = (shlex.quote(printable(known.label[name])) for name in ("issuer", "subject"))
    as_owner = f" --owner {shlex.quote(owner)}" if owner else ""
    return f"rambridge audit erase --issuer {issuer} --subject {subject}{as_owner}"


def _say_what_is_not_reached(exports: Sequence[Mapping[str, Any]]) -> None:
    if exports:
        click.secho(f"{count(len(exports), 'export')} in the clear may name them. Delete each file:", fg="yellow")
    for each in exports[-_SHOWN:]:
        author = f", by {each['author']}" if "author" in each else ""
        click.echo(printable(f"  {each['time'][:16]}Z  {each['form']}{author}, SHA-256 {each['file_digest']}"))
    more = len(exports) - _SHOWN
    if more > 0:
        click.echo(f"  and {more} before; search for the event audit.exported under /audit")
    click.echo(
        "Not reached: whoever got records in the clear by forwarding; backups, and PostgreSQL's write-ahead log.\n"
        "A copy of a key there opens nothing once `rambridge keys rotate audit-records` was said twice."
    )


def _say_what_is_left(known: Sequence[Known], in_the_way: Sequence[str], owner: str | None) -> None:
    click.secho("The keys are not gone from the files of the database yet. In the way:", fg="red", err=True)
    for cause in in_the_way:
        click.echo(f"  {printable(cause)}", err=True)
    click.echo("Once that is over, say:", err=True)
    for each in known:
        click.echo(f"  {_again(each, owner)}", err=True)


def _describe(known: Known) -> str:
    label, alone = known.label, len(known.addresses)
    name = f"{label['person']}, " if "person" in label else ""
    whose = f"of {label['issuer']}" if label["issuer"] else "who gave commands"
    addresses = f", and what else came from {count(alone, 'network address')} of theirs alone" if alone else ""
    about = f"{count(known.records, 'record')}{addresses}; digest {known.subject_digest}"
    return f"{printable(name + label['subject'])} {printable(whose)}\n    {about}"
