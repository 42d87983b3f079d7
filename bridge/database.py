"""Engines for SQLite and PostgreSQL: transactions that write are durable and never wait for ever.

SQLite runs in WAL mode with ``synchronous=FULL``: a transaction that has returned survives a power cut. A transaction
on a connection with the execution option ``read_only`` takes no write lock.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from operator import methodcaller
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL

BUSY_SECONDS = 5.0
"""How long a connection to SQLite waits for others that write."""
EMPTYING_SECONDS = 30.0
_WAIT_FOR_DISK_NOT_FOR_LOCKS = """
SELECT set_config('lock_timeout', '5s', true),
    set_config('synchronous_commit', replace(current_setting('synchronous_commit'), 'off', 'local'), true)
"""
"""For one transaction. With ``synchronous_commit`` off, the default of ApsaraDB RDS and PolarDB, a server says that a
commit is done before it is on disk. Whether it also waits for a standby is left to who configured it."""
_read_text = methodcaller("decode", "utf-8", "replace")
"""Somebody else can have put a text into SQLite that is no UTF-8. It must not keep anybody from the other rows."""


def open_engine(url: str | URL) -> Engine:
    """Return an engine. Nothing is asked of the database yet.

    Args:
        url: ``sqlite:///path`` (its folder is created) or ``postgresql+psycopg://…``.
    """
    url = make_url(url)
    if url.get_backend_name() == "sqlite" and url.database:
        Path(url.database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = create_engine(url, pool_pre_ping=url.get_backend_name() != "sqlite", hide_parameters=True)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        event.listen(engine, "begin", _begin_postgresql)
    return engine


def empty_write_ahead_log(engine: Engine) -> bool:
    """Move what is in SQLite's write-ahead log to the database and cut the log off; return whether that is done.

    It waits for readers and writers, but no longer than ``EMPTYING_SECONDS``.
    """
    deadline = time.monotonic() + EMPTYING_SECONDS
    connection = engine.raw_connection()
    try:
        while True:
            is_busy = connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            if not is_busy or time.monotonic() > deadline:
                return not is_busy
            time.sleep(0.05)
    finally:
        connection.close()


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    connection.text_factory = _read_text
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1_000:.0f}")
    _write_ahead(cursor)
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA fullfsync = ON")  # macOS leaves in the drive's cache what is only synced; others ignore it
    cursor.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten
    cursor.close()


def _write_ahead(cursor: Any) -> None:
    """Turn WAL mode on. Where several open a new database at once, SQLite refuses some of them without waiting."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    reading = connection.get_execution_options().get("read_only")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _begin_postgresql(connection: Connection) -> None:
    if not connection.get_execution_options().get("read_only"):
        connection.exec_driver_sql(_WAIT_FOR_DISK_NOT_FOR_LOCKS).close()


@contextmanager
def exact_texts(connection: Connection) -> Iterator[None]:
    """Let SQLite raise OperationalError for a text that is no UTF-8, and read all others faster, within the block."""
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name != "sqlite":
        yield
        return
    driver.text_factory = str
    try:
        yield
    finally:
        driver.text_factory = _read_text


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """Yield a connection that only reads, and that sees the database as it is at its first question, to the end."""
    with engine.connect() as connection:
        options = {"isolation_level": "REPEATABLE READ"} if engine.dialect.name == "postgresql" else {}
        yield connection.execution_options(read_only=True, **options)
