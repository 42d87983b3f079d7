"""The table of records, on SQLite and PostgreSQL, and the engine that reaches it.

Triggers make the table append-only for every program that opens it.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Index,
    MetaData,
    String,
    Table,
    Text,
    event,
)
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from bridge.database import open_engine

metadata = MetaData()

records = Table(
    "audit_records",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("time", String(32), nullable=False),
    Column("event", String(64), nullable=False),
    Column("code", String(64)),
    Column("reference", String(64), nullable=False),
    Column("issuer", Text),
    Column("subject", Text),
    Column("provider", Text),
    Column("account", Text),
    Column("entitlement", Text),
    Column("access_key_id", Text),
    Column("body", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Index("audit_by_subject", "subject", "sequence"),
    Index("audit_by_access_key", "access_key_id"),
    Index("audit_by_reference", "reference"),
)

COPIED_FIELDS = (
    "time",
    "event",
    "code",
    "reference",
    "issuer",
    "subject",
    "provider",
    "account",
    "entitlement",
    "access_key_id",
)
"""Columns that repeat a field of ``body`` for the sake of an index; verification compares them."""

_APPEND_ONLY_SQLITE = (
    """CREATE TRIGGER IF NOT EXISTS audit_no_update BEFORE UPDATE ON audit_records
       BEGIN SELECT RAISE(ABORT, 'audit records are append-only'); END""",
    """CREATE TRIGGER IF NOT EXISTS audit_no_delete BEFORE DELETE ON audit_records
       BEGIN SELECT RAISE(ABORT, 'audit records are append-only'); END""",
)
_APPEND_ONLY_POSTGRESQL = (
    """CREATE OR REPLACE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN RAISE EXCEPTION 'audit records are append-only'; END $$""",
    """CREATE OR REPLACE TRIGGER audit_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_records
       FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()""",
)

_WRITER_LOCK = 0x52616D62
"""PostgreSQL's advisory lock that serialises writers: the chain has one head."""


def open_database(url: str | URL) -> Engine:
    """Return an engine whose transactions are durable and serial; creates the table where it is missing.

    A connection with the execution option ``read_only`` takes no write lock.

    Args:
        url: ``sqlite:///path`` (its folder is created) or ``postgresql+psycopg://…``.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: when the database cannot be opened.
    """
    engine = open_engine(url)
    if engine.dialect.name == "postgresql":
        event.listen(engine, "begin", _serialise_writers)
    try:
        with engine.begin() as connection:
            metadata.create_all(connection)
            triggers = _APPEND_ONLY_SQLITE if engine.dialect.name == "sqlite" else _APPEND_ONLY_POSTGRESQL
            for statement in triggers:
                connection.exec_driver_sql(statement)
    except SQLAlchemyError:
        engine.dispose()
        raise
    return engine


def _serialise_writers(connection: Connection) -> None:
    if not connection.get_execution_options().get("read_only"):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITER_LOCK})")
