"""The newest layout of the audit database, made in one go; ``migrations/`` moves an older one to it."""

from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import Column, Connection, MetaData, PrimaryKeyConstraint, String, Table, insert, select

from bridge.audit.alerts import tables as alert_tables
from bridge.audit.keeping.append_only import create_guards
from bridge.audit.keeping.overwriting import take_no_samples
from bridge.audit.keeping.partitions import create_ahead, create_default, create_partitioned
from bridge.audit.search import indexes as search_indexes
from bridge.audit.tables import metadata
from bridge.audit.trail import tables as trail_tables

NEWEST = "0001"
"""The version that :func:`create` makes, and to which the migrations lead."""
VERSION_TABLE = "audit_version"

FURTHER: tuple[Callable[[Connection], None], ...] = (
    search_indexes.create,
    trail_tables.create,
    alert_tables.create,
)
"""What other packages need beside the tables of ``tables.py``, each with a function that makes it."""

_version = Table(
    VERSION_TABLE,
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name=f"{VERSION_TABLE}_pkc"),
)


def read_version(connection: Connection) -> str | None:
    """Return the version of the database's layout; None where there is no audit log."""
    if not connection.dialect.has_table(connection, VERSION_TABLE):
        return None
    version: str = connection.execute(select(_version.c.version_num)).scalar_one()
    return version


def create(connection: Connection) -> None:
    """Make everything, in a database that has no audit log."""
    postgresql = connection.dialect.name == "postgresql"
    if postgresql:
        create_partitioned(connection)
    metadata.create_all(connection)
    create_guards(connection)
    if postgresql:
        create_default(connection)
        create_ahead(connection, datetime.now(UTC))
    for make in FURTHER:
        make(connection)
    if postgresql:
        take_no_samples(connection)


def stamp(connection: Connection) -> None:
    """Note that the layout is the newest one, as Alembic does."""
    _version.create(connection)
    connection.execute(insert(_version).values(version_num=NEWEST))
