"""New databases on a PostgreSQL server, dropped afterwards."""

import time
import uuid
from contextlib import contextmanager

from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

_SOMEBODY_IS_IN_THERE = {"42501", "55006"}
"""No privilege to end the session of another role, or a database in use."""


@contextmanager
def new_postgresql_database(server):
    """Yield the address of a new empty database on the server with this address."""
    name = f"test_{uuid.uuid4().hex}"
    administration = create_engine(server, isolation_level="AUTOCOMMIT")
    try:
        with administration.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        try:
            yield server.set(database=name)
        finally:
            _drop(administration, name)
    finally:
        administration.dispose()


def _drop(administration, name):
    deadline = time.monotonic() + 120
    while True:
        try:
            with administration.connect() as connection:
                connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        except DBAPIError as error:
            # The server's own housekeeping may be in there for a moment, and only a superuser may end that; and a
            # session that it is to end may take longer for that than it waits.
            if error.orig.sqlstate not in _SOMEBODY_IS_IN_THERE or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return
