import os

import pytest

from bridge.database import open_engine
from bridge.entitlements.rules import RulesInForce
from bridge.history.history import History
from bridge.sealing import Sealer
from tests.live_store import MovableClock
from tests.new_database import new_postgresql_database
from tests.unit.entitlements.factories import Rules


@pytest.fixture
def rules(tmp_path):
    """Compiles rule files from text."""
    return Rules(tmp_path)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """Yield the address of a new empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/bridge.db"
        return
    with new_postgresql_database(request.getfixturevalue("postgresql_url")) as new:
        yield new


@pytest.fixture
def engine(url):
    engine = open_engine(url)
    yield engine
    engine.dispose()


@pytest.fixture
def sealer():
    return Sealer(os.urandom(32))


@pytest.fixture
def clock():
    return MovableClock()


@pytest.fixture
def start(sealer, clock):
    """Return a function that starts a history, as a process of the service has it."""

    def start(engine, rules, sealer=sealer, *, keep_days=30, kept_claims=None):
        history = History(engine, sealer, clock, keep_days=keep_days)
        history.start(RulesInForce(rules), kept_claims)
        return history

    return start
