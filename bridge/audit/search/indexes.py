"""The tables and indexes that searches need. Which, was decided by measuring: decision 0125.

In SQLite every index ends with the row's own number, which is the position; PostgreSQL has to be told to keep it there.
"""

from sqlalchemy import ColumnElement, Connection, and_, literal_column

from bridge.audit.search.tables import metadata
from bridge.audit.tables import index

_INDEXES = {
    # name: the column before the position, and which rows are in it
    "audit_index_kind": ("kind", ""),
    "audit_index_subject": ("subject", "subject IS NOT NULL"),
    "audit_index_subject_refused": ("subject", "refused AND subject IS NOT NULL"),
    "audit_index_address": ("address", "address IS NOT NULL"),
    "audit_index_network": ("network", "network IS NOT NULL"),
    "audit_index_reference": ("reference", ""),
    "audit_index_access_key": ("access_key_id", "access_key_id IS NOT NULL"),
    "audit_index_request": ("sts_request_id", "sts_request_id IS NOT NULL"),
    "audit_index_session_name": ("session_name", "session_name IS NOT NULL"),
}
_OF_KINDS = {
    # name: the columns, and which kinds are in it
    "audit_kinds_event": ("event", ""),
    "audit_kinds_entitlement": ("entitlement, event", "entitlement IS NOT NULL"),
    "audit_kinds_code": ("code", "code IS NOT NULL"),
    "audit_kinds_provider": ("provider", "provider IS NOT NULL"),
    "audit_kinds_account": ("account", "account IS NOT NULL"),
    "audit_kinds_refused": ("event", "refused"),
    "audit_kinds_without_mfa": ("event", "privileged AND NOT mfa"),
}
"""For what is asked most, and for the values that a form offers. None has a column that changes with each record, so
that a kind is written as quickly.
"""


def create(connection: Connection) -> None:
    """Make what is missing. The tables of ``bridge.audit.tables`` exist. An index over many records takes minutes."""
    metadata.create_all(connection)
    position = ", position" if connection.dialect.name == "postgresql" else ""
    for name, (column, condition) in _INDEXES.items():
        _create_index(connection, f"{name} ON audit_index ({column}{position})", condition)
    for name, (columns, condition) in _OF_KINDS.items():
        _create_index(connection, f"{name} ON audit_kinds ({columns})", condition)


def _create_index(connection: Connection, what: str, condition: str) -> None:
    where = f" WHERE {condition}" if condition else ""
    connection.exec_driver_sql(f"CREATE INDEX IF NOT EXISTS {what}{where}")


def drop_indexes(connection: Connection) -> None:
    """Drop the indexes, before very many rows are added at once."""
    for name in _INDEXES:
        connection.exec_driver_sql(f"DROP INDEX IF EXISTS {name}")


def has_reference(*numbers: str) -> ColumnElement[bool]:
    """Return the condition of the records of requests; a database uses the index only if its own condition is there.

    Not as a parameter: SQLite cannot know what that will be.
    """
    return and_(index.c.reference.in_(numbers), index.c.reference != literal_column("''"))
