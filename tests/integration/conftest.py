import pytest

from tests.installation import run_installation


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """Return a running installation and its Flask application, shared by the tests of one module."""
    with run_installation(tmp_path_factory.mktemp("installation")) as running:
        yield running


@pytest.fixture
def installation(running):
    return running[0]
