"""New databases on a PostgreSQL server, dropped afterwards."""

import uuid
from contextlib import contextmanager

from sqlalchemy import create_engine, text


@contextmanager
def new_postgresql_database(server):
    """Yield the address of a new empty database on the server with this address."""
    name = f"test_{uuid.uuid4().hex}"
    administration = create_engine(server, isolation_level="AUTOCOMMIT")
    with administration.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield server.set(database=name)
    finally:
        with administration.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        administration.dispose()
