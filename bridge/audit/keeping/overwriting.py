"""Leave nothing of deleted rows in the files of the database.

In SQLite the rows that are left are copied to pages where none was before, and their old pages are overwritten
(``secure_delete``). PostgreSQL writes the table to a new file (``VACUUM FULL``) and gives the old one back, but it
copies deleted rows too as long as anybody may still see them: a transaction that reads this database, one that writes
in *any* database of the server, a standby with feedback, a replication slot. It does so without a word. So it is asked
afterwards from which transaction on the new file may hold row versions (``relfrozenxid``), and that has to be later
than the deleting. If it is not, it is tried again, and in the end said who is in the way.

A copy that nobody would think of is made by ANALYZE, which keeps samples of a column's values for the planner. Of the
columns in ``SECRET`` it is told to take none.
"""

import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, Connection, Engine, Table, text
from sqlalchemy.exc import OperationalError

from bridge.audit.search.tables import saved_searches
from bridge.audit.tables import keys
from bridge.database import EMPTYING_SECONDS, empty_write_ahead_log

SECRET: Sequence[Column[Any]] = (keys.c.sealed, keys.c.label, saved_searches.c.query)
"""What erasing destroys."""
KEPT_APART = (keys, saved_searches)
"""The tables of these columns."""

_LOCKED = "55P03"
_LOCK_MILLISECONDS = 500
_FIRST_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 4.0

_NEXT = text("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")
_RUNNING = text("SELECT pg_snapshot_xmin(pg_current_snapshot()) < CAST(:next AS xid8)")
_HOLDS_OLDER = text(
    "SELECT age(relfrozenxid) > age(CAST(CAST(:next AS xid8) AS xid)) FROM pg_class WHERE oid = to_regclass(:table)"
)
_IN_THE_WAY = text(
    """
    WITH deleted AS (SELECT age(CAST(CAST(:next AS xid8) AS xid)) AS since)
    SELECT 'process ' || pid || coalesce(' (' || nullif(application_name, '') || ')', '') || ' of '
        || coalesce(usename, '?') || coalesce(' in the database ' || datname, '')
        || coalesce(', whose transaction began at ' || to_char(xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')
        || ' UTC', '')
    FROM pg_stat_activity, deleted WHERE pid <> pg_backend_pid() AND (
        age(backend_xid) > since
        OR age(backend_xmin) > since AND coalesce(datname = current_database(), true)
        OR pid IN (
            SELECT pid FROM pg_locks WHERE granted AND relation = ANY (CAST(CAST(:tables AS text[]) AS regclass[]))
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())))
    UNION ALL SELECT 'the prepared transaction ' || gid FROM pg_prepared_xacts, deleted WHERE age(transaction) > since
    UNION ALL SELECT 'the replication slot ' || slot_name FROM pg_replication_slots, deleted WHERE age(xmin) > since
    """
)
_UNKNOWN = "something that this role may not see, or a standby"


def take_no_samples(connection: Connection) -> None:
    """Let ANALYZE keep no values of ``SECRET``. PostgreSQL; the tables exist and are empty."""
    for column in SECRET:
        connection.exec_driver_sql(f"ALTER TABLE {column.table.name} ALTER COLUMN {column.name} SET STATISTICS 0")


def overwrite_deleted(engine: Engine, tables: Sequence[Table] = KEPT_APART) -> list[str]:
    """Leave nothing of what was deleted from some tables, or changed in them; return what is in the way, in words.

    Empty: nothing is left of it. It takes up to ``EMPTYING_SECONDS`` while somebody is in the way; trying again later
    is all that can be done then.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database does not answer, or this role may not.
    """
    if engine.dialect.name == "postgresql":
        return _write_whole(engine, tables)
    with engine.begin() as connection:
        for table in tables:
            _write_anew(connection, table)
    return [] if empty_write_ahead_log(engine) else ["another process that reads or writes it without a pause"]


def _write_anew(connection: Connection, table: Table) -> None:
    """Copy the rows to other pages of the file.

    Deleting the row alone is not enough: of 1,500 that were deleted in a trial, copies of 5 were left in pages that had
    been split or joined since they were written.
    """
    connection.exec_driver_sql(f"ALTER TABLE {table.name} RENAME TO {table.name}_old")
    table.create(connection)
    connection.exec_driver_sql(f"INSERT INTO {table.name} SELECT * FROM {table.name}_old")
    connection.exec_driver_sql(f"DROP TABLE {table.name}_old")


def _write_whole(engine: Engine, tables: Sequence[Table]) -> list[str]:
    """Let PostgreSQL write the tables to new files.

    That waits until nobody reads the table, and whoever signs in waits behind it. So it never waits long at once: a
    backup may read all tables for hours.
    """
    deadline = time.monotonic() + EMPTYING_SECONDS
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT", read_only=True) as connection:
        bound = {"next": connection.execute(_NEXT).scalar_one()}
        connection.exec_driver_sql(f"SET lock_timeout = {_LOCK_MILLISECONDS}")
        try:
            if all(_write_one_whole(connection, table, bound, deadline) for table in tables):
                return []
            names = {"tables": [table.name for table in tables]}
            return list(connection.execute(_IN_THE_WAY, bound | names).scalars()) or [_UNKNOWN]
        finally:
            connection.exec_driver_sql("RESET lock_timeout")


def _write_one_whole(connection: Connection, table: Table, bound: dict[str, str], deadline: float) -> bool:
    """Return whether the table's file holds nothing that was deleted before the transaction ``next``."""
    pause = _FIRST_PAUSE_SECONDS
    while True:
        is_written = not connection.execute(_RUNNING, bound).scalar_one() and _vacuum(connection, table)
        if is_written and not connection.execute(_HOLDS_OLDER, bound | {"table": table.name}).scalar_one():
            return True
        if time.monotonic() + pause > deadline:
            return False
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)  # each time the whole table is locked and written


def _vacuum(connection: Connection, table: Table) -> bool:
    try:
        connection.exec_driver_sql(f"VACUUM FULL {table.name}")
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != _LOCKED:
            raise
        return False
    return True
