"""The tables of the roll-out, and transactions on them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import DDL, Column, Connection, Engine, Integer, LargeBinary, MetaData, String, Table, Text, event
from sqlalchemy.exc import SQLAlchemyError

from bridge.errors import RolloutUnavailable

metadata = MetaData()

versions = Table(
    "rule_versions",
    metadata,
    Column("version", String(64), primary_key=True),
    Column("kept_at", String(32), nullable=False),
    Column("author", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("archive", LargeBinary, nullable=False),
)

changes = Table(
    "rule_changes",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("version", String(64), nullable=False),
    Column("previous", String(64)),
    Column("reason", String(16), nullable=False),
    Column("at", String(32), nullable=False),
    Column("author", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("confirmed_by", Text, nullable=False),
    Column("added", Integer, nullable=False),
    Column("removed", Integer, nullable=False),
)
"""Rows are only ever added; the last one says what is in force."""

requests = Table(
    "rule_requests",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("version", String(64), nullable=False),
    Column("previous", String(64), nullable=False),
    Column("reason", String(16), nullable=False),
    Column("at", String(32), nullable=False),
    Column("author", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("changed", Integer),
    Column("people", Integer),
    Column("state", String(16), nullable=False),
    Column("decided_by", Text, nullable=False),
)

nodes = Table(
    "rule_nodes",
    metadata,
    Column("node", String(200), primary_key=True),
    Column("version", String(64), nullable=False),
    Column("wanted", String(64), nullable=False),
    Column("fault", Text, nullable=False),
    Column("seen_at", String(32), nullable=False),
)

for _column in (
    *(versions.c.author, versions.c.message, changes.c.author, changes.c.message, changes.c.confirmed_by),
    *(requests.c.author, requests.c.message, requests.c.decided_by),
):
    # Else ANALYZE keeps names elsewhere, where nothing forgets them (decision 0132).
    _no_samples: Any = DDL(f"ALTER TABLE {_column.table.name} ALTER COLUMN {_column.name} SET STATISTICS 0")  # type: ignore[no-untyped-call]
    event.listen(_column.table, "after_create", _no_samples.execute_if(dialect="postgresql"))

_WRITER_LOCK = 0x52756C65
"""PostgreSQL's advisory lock: one change at a time, and tables are made once."""


class Tables:
    """Transactions on the tables, which are made when they are first used."""

    def __init__(self, engine: Engine) -> None:
        """Take the database (see :func:`bridge.database.open_engine`)."""
        self._engine = engine
        self._made = False

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that changes nothing.

        Raises:
            RolloutUnavailable: the database does not answer.
        """
        with _database_errors():
            self._make()
            with self._engine.connect().execution_options(read_only=True) as connection:
                yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection of the only writer; what it writes counts when the block has ended without an error.

        Raises:
            RolloutUnavailable: the database does not answer, or somebody else writes for seconds.
        """
        with _database_errors():
            self._make()
            with self._engine.begin() as connection:
                _lock(connection)
                yield connection

    def close(self) -> None:
        """Let go of the connections: before a fork no child may inherit one."""
        self._engine.dispose()

    def _make(self) -> None:
        if self._made:
            return
        with self._engine.begin() as connection:
            _lock(connection)
            metadata.create_all(connection)
        self._made = True


def _lock(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITER_LOCK})")


@contextmanager
def _database_errors() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise RolloutUnavailable(type(error).__name__) from error
