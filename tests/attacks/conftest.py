import logging

import pytest

from tests.attacks.door import Visitor, run_service


@pytest.fixture(scope="session")
def running_service(tmp_path_factory):
    """Return what outlives a node: memory, records, keys, and the other parties."""
    with run_service(tmp_path_factory.mktemp("door")) as service:
        yield service


@pytest.fixture(scope="session")
def app(running_service):
    """Return one node of the service."""
    return running_service.start()


@pytest.fixture
def service(running_service):
    """Return the service as if nobody had come yet, and see to it that nothing fails in it unexpectedly."""
    running_service.reset()
    yield running_service
    running_service.reset()  # a node that starts between two tests asks the providers at once


@pytest.fixture
def visitor(service, app):
    """Return a browser that has never been here."""
    return Visitor(app)


@pytest.fixture
def no_failures(caplog):
    """Fail the test if the service logged an error or a traceback."""
    with caplog.at_level(logging.DEBUG):
        yield
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
    assert "Traceback" not in caplog.text
