"""``rambridge audit migrate`` and ``roles``: what the owner of the tables does, so that the service is not it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from sqlalchemy import URL, Connection, Engine, make_url
from sqlalchemy.exc import SQLAlchemyError

from bridge.audit.database import open_database
from bridge.audit.grants import find_weakness, grants_for, list_services
from bridge.audit.layout import NEWEST
from bridge.audit.partitions import coming_months, create_ahead, owns_tables
from bridge.cli.output import count, errors_to_exit_code, printable
from bridge.clock import SystemClock
from bridge.errors import AuditLayout, AuditUnavailable
from bridge.history.tables import metadata as history_tables
from bridge.rollout.tables import metadata as rollout_tables
from bridge.settings import load_settings

owner_option = click.option(
    "--owner",
    metavar="ROLE",
    help="PostgreSQL: connect as this role, which owns the tables. Its password is where libpq looks for it: "
    "PGPASSWORD, PGPASSFILE or ~/.pgpass. Else as the service does.",
)


@click.command()
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
            if not owns_tables(connection):
                raise AuditLayout(f"{engine.url.username} does not own the tables: name who does with --owner")
            now = SystemClock().now()
            made = create_ahead(connection, now, months_ahead)
            for beside in (history_tables, rollout_tables):
                beside.create_all(connection)
            for role in list_services(connection):  # for tables that are new
                _apply(connection, role)
        last = list(coming_months(now, months_ahead))[-1]
        click.echo(f"{count(len(made), 'partition')} made. Each month has one until {last // 100}-{last % 100:02d}.")


@click.command()
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
            if apply:
                _apply(connection, role)
            else:
                for statement in grants_for(connection, role):
                    click.echo(f"{statement};")
    if apply:
        click.secho(f"{role} may add records, and change none.", fg="green")
    if weakness:
        click.secho(f"This does not bind {role}: {weakness}.", fg="yellow", err=True)


def _apply(connection: Connection, role: str) -> None:
    for statement in grants_for(connection, role):
        connection.exec_driver_sql(statement.replace("%", "%%"))


@contextmanager
def open_as_owner(folder: Path, owner: str | None) -> Iterator[Engine]:
    """Open the audit database of a configuration for a block, as the owner of its tables where one is named.

    Raises:
        AuditUnavailable: it cannot be opened.
        AuditLayout: it is of another version, or may not be moved.
    """
    url = make_url(load_settings(folder).audit_url())
    if owner and url.get_backend_name() == "postgresql":
        url = URL.create(url.drivername, owner, None, url.host, url.port, url.database, url.query)
    try:
        engine = open_database(url)
        try:
            yield engine
        finally:
            engine.dispose()
    except SQLAlchemyError as error:
        raise AuditUnavailable(_first_line(error)) from error


def _first_line(error: SQLAlchemyError) -> str:
    """Return what the database says, without statements and values."""
    said = str(getattr(error, "orig", None) or type(error).__name__)
    return printable(said.strip().partition("\n")[0])
