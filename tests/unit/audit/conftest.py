import itertools
import uuid

import pytest
from sqlalchemy import create_engine, make_url, text

from bridge.audit.database import open_database

_numbers = itertools.count()


@pytest.fixture(params=["sqlite", "postgresql"])
def audit_database(request, tmp_path):
    """Return a function that opens a new empty database, or with ``same=True`` always the same one."""
    opened = []
    databases = {}
    if request.param == "postgresql":
        server = request.getfixturevalue("postgresql_url")
        administration = create_engine(server, isolation_level="AUTOCOMMIT")

    def open_one(*, same=False):
        name = "same" if same else f"n{next(_numbers)}"
        if request.param == "sqlite":
            url = f"sqlite:///{tmp_path}/{name}.db"
        else:
            if name not in databases:
                databases[name] = f"audit_{uuid.uuid4().hex}"
                with administration.connect() as connection:
                    connection.execute(text(f"CREATE DATABASE {databases[name]}"))
            url = server.set(database=databases[name])
        opened.append(open_database(url))
        return opened[-1]

    yield open_one
    for engine in opened:
        engine.dispose()
    if request.param == "postgresql":
        with administration.connect() as connection:
            for database in databases.values():
                connection.execute(text(f"DROP DATABASE {database} WITH (FORCE)"))
        administration.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database(request, tmp_path):
    """Return a function that gives the URL of a new empty database."""
    if request.param == "sqlite":
        yield lambda: f"sqlite:///{tmp_path}/n{next(_numbers)}.db"
        return
    server = request.getfixturevalue("postgresql_url")
    administration = create_engine(server, isolation_level="AUTOCOMMIT")
    made = []

    def create():
        made.append(f"audit_{uuid.uuid4().hex}")
        with administration.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {made[-1]}"))
        return server.set(database=made[-1])

    yield create
    with administration.connect() as connection:
        for database in made:
            connection.execute(text(f"DROP DATABASE {database} WITH (FORCE)"))
    administration.dispose()


@pytest.fixture
def audit_tables(new_database):
    """Return a function that opens a new database with the empty tables of the log."""
    engines = []

    def open_one():
        engines.append(open_database(new_database()))
        return engines[-1]

    yield open_one
    for engine in engines:
        engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def readable_url(request, tmp_path):
    """Return the address of a new database whose files this test can read."""
    if request.param == "sqlite":
        yield make_url(f"sqlite:///{tmp_path}/audit.db")
        return
    server = request.getfixturevalue("superuser_url")
    name = f"audit_{uuid.uuid4().hex}"
    administration = create_engine(server, isolation_level="AUTOCOMMIT")
    with administration.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield server.set(database=name)
    with administration.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    administration.dispose()
