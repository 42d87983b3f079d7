"""The audit database: opened with the newest layout, or not at all."""

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import URL
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError

from bridge.audit.keeping.layout import NEWEST, create, read_version, stamp
from bridge.audit.keeping.partitions import lock_layout
from bridge.audit.tables import records
from bridge.database import open_engine
from bridge.errors import AuditLayout

_NO_PRIVILEGE = "42501"


def open_database(url: str | URL) -> Engine:
    """Return an engine for the audit database; the log is made where there is none, and moved to the newest layout.

    Args:
        url: ``sqlite:///path`` (its folder is created) or ``postgresql+psycopg://…``.

    Raises:
        AuditLayout: the layout is one that this version does not know, or may not be made by this role.
        sqlalchemy.exc.SQLAlchemyError: the database cannot be opened.
    """
    engine = open_engine(url)
    try:
        with engine.connect().execution_options(read_only=True) as connection:
            version = read_version(connection)
        if version != NEWEST:
            bring_up(engine)
    except (AuditLayout, SQLAlchemyError):
        engine.dispose()
        raise
    return engine


def bring_up(engine: Engine) -> None:
    """Make the log, or move it to the newest layout; whoever else tries at the same time waits.

    Raises:
        AuditLayout: the layout is unknown, or this role may not.
    """
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                lock_layout(connection)
            _bring_up(connection)
    except ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) != _NO_PRIVILEGE:
            raise
        raise AuditLayout("this role may not make it: let the owner run `rambridge audit migrate`") from error


def _bring_up(connection: Connection) -> None:
    version = read_version(connection)
    if version == NEWEST:
        return
    if version is None:
        if connection.dialect.has_table(connection, records.name):
            raise AuditLayout("it is a log of a version before 0.2; move it away, and keep it")
        create(connection)
        stamp(connection)
        return
    from bridge.audit.keeping.migrations.upgrade import upgrade  # noqa: PLC0415  Alembic takes a third of a second to load

    upgrade(connection)
