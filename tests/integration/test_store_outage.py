"""Redis goes away and comes back, in the middle of everything; nobody restarts us."""

import os
import time
from datetime import timedelta
from statistics import median

import pytest

from bridge import embedded_store
from bridge.errors import StoreUnavailable
from bridge.identity.pending import PendingSignIn, PendingSignIns, UnconfirmedSignIns
from bridge.identity.replay import ReplayMemory
from bridge.sealing import Sealer
from bridge.sessions.store import SessionStore
from bridge.store_connection import connect_store
from tests.live_store import MovableClock, kill_store, make_identity


@pytest.fixture
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("s") / "store"
    yield folder
    embedded_store.stop(folder)


def test_an_outage_refuses_everything_loses_nothing_and_ends_by_itself(folder):
    """T-REDIS-05: fail closed in between; marks, questions and sessions from before are still there afterwards."""
    redis = connect_store(embedded_store.start(folder))
    clock, sealer = MovableClock(), Sealer(os.urandom(32))
    memory = ReplayMemory(redis, clock)
    questions = PendingSignIns(redis, sealer, clock)
    unconfirmed = UnconfirmedSignIns(redis, sealer, clock)
    sessions = SessionStore(redis, sealer, clock, 1800, 28_800)
    until = clock.now() + timedelta(seconds=300)
    question = PendingSignIn("handle", "corporate", "saml", "browser", until)

    assert memory.claim("issuer", "used before", until)
    questions.save(question)
    unconfirmed.save("token", "browser", make_identity())
    cookie, session = sessions.create(make_identity())

    embedded_store.stop(folder)
    refused = [
        lambda: memory.claim("issuer", "used before", until),
        lambda: memory.claim("issuer", "new", until),
        lambda: questions.save(question),
        lambda: questions.find("handle"),
        lambda: questions.consume("handle"),
        lambda: unconfirmed.save("other", "browser", make_identity()),
        lambda: unconfirmed.take("token", "browser"),
        lambda: sessions.create(make_identity()),
        lambda: sessions.load(cookie),
        lambda: sessions.end(cookie),
        lambda: sessions.end_all(session.identity.issuer, session.identity.subject),
        lambda: sessions.end_by_session_index(session.identity.issuer, session.identity.session_index),
    ]
    took = []
    for action in refused:
        begun = time.monotonic()
        with pytest.raises(StoreUnavailable):
            action()
        took.append(time.monotonic() - begun)
    assert median(took) < 1, "nobody waits for an answer that cannot come"
    assert max(took) < 30

    embedded_store.start(folder)
    assert memory.claim("issuer", "used before", until) is False
    assert memory.claim("issuer", "new", until) is True
    assert questions.find("handle") == question
    assert questions.consume("handle") is True
    assert unconfirmed.take("token", "browser") is not None
    assert sessions.load(cookie) == session
    assert len(sessions.end_all(session.identity.issuer, session.identity.subject)) == 1
    redis.close()


def test_a_server_that_is_killed_between_two_commands_is_not_noticed_once_it_is_back(folder):
    """T-REDIS-05: the connections in the pool are dead; the next command finds that out and connects anew."""
    redis = connect_store(embedded_store.start(folder))
    clock = MovableClock()
    memory = ReplayMemory(redis, clock)
    until = clock.now() + timedelta(seconds=300)
    for number in range(5):
        assert memory.claim("issuer", str(number), until)
        kill_store(folder)
        embedded_store.start(folder)
        assert memory.claim("issuer", str(number), until) is False
    redis.close()
