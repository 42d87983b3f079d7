"""``rambridge audit migrate``, ``roles`` and ``retire``: what the owner of the tables does, who is not the service."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from sqlalchemy import Connection, Engine, make_url
from sqlalchemy.exc import SQLAlchemyError

from bridge.audit.database import open_database
from bridge.audit.keeping.grants import find_weakness, grants_for, is_role, list_services
from bridge.audit.keeping.layout import NEWEST
from bridge.audit.keeping.partitions import coming_months, create_ahead, owns_tables
from bridge.audit.keeping.retention import Retention
from bridge.audit_log import OpenedLog, opened_audit_log
from bridge.cli.output import count, errors_to_exit_code, printable
from bridge.cli.user import find_user
from bridge.clock import SystemClock
from bridge.errors import AuditLayout, AuditUnavailable
from bridge.history.tables import metadata as history_tables
from bridge.rollout.tables import metadata as rollout_tables
from bridge.settings import Settings, load_settings
from bridge.settings.audit_checks import load_audit_settings

owner_option = click.option(
    "--owner",
    metavar="ROLE",
    help="PostgreSQL: connect as this role, which owns the tables. Its password is where libpq looks for it: "
    "PGPASSWORD, PGPASSFILE or ~/.pgpass. Else as the service does.",
)


@click.command(short_help="Make the log's tables, or move them to this layout.")
@owner_option
@click.option(
    "--months-ahead",
    type=click.IntRange(1, 120),
    default=12,
    show_default=True,
    help="PostgreSQL: for how many months after this one partitions are made.",
)
@click.pass_obj
def migrate(folder: Path, owner: str | None, months_ahead: int) -> None:
    """Make the tables of the log, or move them to this version's layout; make the partitions of the next months.

    The service does the same when it starts, where it may: see `roles`. If it fails, nothing was changed.
    """
    with errors_to_exit_code(), open_as_owner(folder, owner) as engine:
        click.echo(f"The audit log has layout {NEWEST}, the newest.")
        if engine.dialect.name != "postgresql":
            return
        with engine.begin() as connection:
            now = SystemClock().now()
            made = create_ahead(connection, now, months_ahead)
            for beside in (history_tables, rollout_tables):
                beside.create_all(connection)
            for role in list_services(connection):  # for tables that are new
                _apply(connection, role)
        last = list(coming_months(now, months_ahead))[-1]
        click.echo(f"{count(len(made), 'partition')} made. Each month has one until {last // 100}-{last % 100:02d}.")


@click.command(short_help="PostgreSQL: let the service add records only.")
@click.argument("role")
@owner_option
@click.option("--apply", is_flag=True, help="Do it, instead of printing the statements.")
@click.pass_obj
def roles(folder: Path, role: str, owner: str | None, *, apply: bool) -> None:
    """Let ROLE, as which the service connects to PostgreSQL, add records and change none.

    Another role owns the tables, and runs `migrate`. Create ROLE first: CREATE ROLE name LOGIN PASSWORD '...'.
    """
    with errors_to_exit_code(), open_as_owner(folder, owner) as engine:
        if engine.dialect.name != "postgresql":
            raise click.UsageError("SQLite has no roles: whoever can write the file can change it.")
        with engine.begin() as connection:
            weakness = find_weakness(connection, role)
            if apply and not is_role(connection, role):
                raise click.UsageError(f"There is no role {role} yet: CREATE ROLE {role} LOGIN PASSWORD '...'.")
            if apply:
                _apply(connection, role)
            else:
                for statement in grants_for(connection, role):
                    click.echo(f"{statement};")
    if apply and not weakness:
        click.secho(f"{role} may add records, and change none.", fg="green")
    if weakness:
        click.secho(f"This does not bind {role}: {weakness}.", fg="yellow", err=True)


def _apply(connection: Connection, role: str) -> None:
    for statement in grants_for(connection, role):
        connection.exec_driver_sql(statement.replace("%", "%%"))


@click.command(short_help="Delete the records of months that are over.")
@click.option(
    "--keep-months",
    type=click.IntRange(1, 1200),
    help="For how many whole months before this one records stay. Else `keep_months` in audit.yaml.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@owner_option
@click.pass_obj
def retire(folder: Path, keep_months: int | None, owner: str | None, *, yes: bool) -> None:
    """Delete the records of months that are over for long enough. What is left is proved as before.

    Each month is verified first, and what goes is recorded. It cannot be undone: export the months before, if you need
    them. Run it each month.
    """
    with errors_to_exit_code():
        keep = keep_months or load_audit_settings(folder).keep_months
        if keep is None:
            raise click.UsageError("Say how long records are kept: `keep_months` in audit.yaml, or --keep-months.")
        with opened_as_owner(folder, owner) as opened:
            log, mac_key = opened.build_log(), opened.secrets.mac_key
            retention = Retention(opened.engine, log, opened.sequencer, opened.clock, mac_key=mac_key)
            opened.sequencer.catch_up()
            due = retention.find_due(keep)
            for each in due:
                click.echo(f"{each.month // 100}-{each.month % 100:02d}  {count(each.records, 'record')}")
            if not due:
                click.echo(f"No records are older than {count(keep, 'whole month')}.")
            elif yes or click.confirm("Delete them for good?"):
                for each in due:
                    retention.retire(each.month, find_user())
                click.secho("They are gone; their hashes stay, and so does the record that says what went.", fg="green")


@contextmanager
def open_as_owner(folder: Path, owner: str | None) -> Iterator[Engine]:
    """Open the audit database of a configuration for a block, as the owner of its tables where one is named.

    Raises:
        AuditUnavailable: it cannot be opened.
        AuditLayout: it is of another version, or this role may not change it.
    """
    with _database_words():
        engine = open_database(_name_owner(load_settings(folder), owner).audit_url())
        try:
            _check_owner(engine)
            yield engine
        finally:
            engine.dispose()


@contextmanager
def opened_as_owner(folder: Path, owner: str | None) -> Iterator[OpenedLog]:
    """Open the audit log for a block, in the same way. Raises as :func:`bridge.audit_log.open_audit_log` too."""
    with _database_words(), opened_audit_log(_name_owner(load_settings(folder), owner), SystemClock()) as opened:
        _check_owner(opened.engine)
        yield opened


def _name_owner(settings: Settings, owner: str | None) -> Settings:
    url = make_url(settings.audit)
    if owner is None or url.get_backend_name() != "postgresql":
        return settings
    address = url.set(username=owner).render_as_string(hide_password=False)
    return settings.model_copy(update={"audit": address, "audit_password": None})


def _check_owner(engine: Engine) -> None:
    if engine.dialect.name != "postgresql":
        return
    with engine.connect().execution_options(read_only=True) as connection:
        if not owns_tables(connection):
            raise AuditLayout(f"{engine.url.username} does not own the tables: name who does with --owner")


@contextmanager
def _database_words() -> Iterator[None]:
    """Tell in the database's words what it refuses, without statements and values."""
    try:
        yield
    except SQLAlchemyError as error:
        said = str(getattr(error, "orig", None) or type(error).__name__)
        raise AuditUnavailable(printable(said.strip().partition("\n")[0])) from error
