import itertools
from contextlib import ExitStack

import pytest
from sqlalchemy import make_url

from bridge.audit.database import open_database
from tests.new_database import new_postgresql_database

_numbers = itertools.count()


@pytest.fixture(params=["sqlite", "postgresql"])
def audit_database(request, tmp_path):
    """Return a function that opens a new empty database, or with ``same=True`` always the same one."""
    opened = []
    urls = {}
    server = request.getfixturevalue("postgresql_url") if request.param == "postgresql" else None
    with ExitStack() as stack:

        def open_one(*, same=False):
            name = "same" if same else f"n{next(_numbers)}"
            if server is None:
                urls[name] = f"sqlite:///{tmp_path}/{name}.db"
            elif name not in urls:
                urls[name] = stack.enter_context(new_postgresql_database(server))
            opened.append(open_database(urls[name]))
            return opened[-1]

        yield open_one
        for engine in opened:
            engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database(request, tmp_path):
    """Return a function that gives the URL of a new empty database."""
    if request.param == "sqlite":
        yield lambda: f"sqlite:///{tmp_path}/n{next(_numbers)}.db"
        return
    server = request.getfixturevalue("postgresql_url")
    with ExitStack() as stack:
        yield lambda: stack.enter_context(new_postgresql_database(server))


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
    with new_postgresql_database(request.getfixturevalue("superuser_url")) as url:
        yield url
