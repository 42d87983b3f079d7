"""``rambridge audit migrate`` and ``roles``: what the owner of the tables does, so that the service is not it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from sqlalchemy import URL, Engine, make_url
from sqlalchemy.exc import SQLAlchemyError

from bridge.audit.database import open_database
from bridge.audit.layout import NEWEST
from bridge.audit.partitions import create_ahead, list_months
from bridge.cli.output import count, errors_to_exit_code
from bridge.clock import SystemClock
from bridge.errors import AuditUnavailable
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
            made = create_ahead(connection, SystemClock().now(), months_ahead)
            last = list_months(connection)[-1]
            for beside in (history_tables, rollout_tables):
                beside.create_all(connection)
        click.echo(
            f"{count(len(made), 'partition')} made; there is one for each month until {last // 100}-{last % 100:02d}."
        )


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
        raise AuditUnavailable(f"the audit database: {type(error).__name__}") from error
