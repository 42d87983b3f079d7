"""Metadata and keys are there before somebody needs them, and again before they are old."""

import logging
import time
from datetime import timedelta

import pytest

from bridge.attack.oidc.openid_provider import DISCOVERY, OpenIDProvider
from bridge.attack.scripted_server import Reply, wait_until
from bridge.identity.oidc import key_warmer
from bridge.identity.oidc.key_warmer import KeyWarmer
from tests.attacks.oidc.test_flow import relying_party, sign_in

BOTH = [DISCOVERY, "/jwks"]


@pytest.fixture
def op():
    with OpenIDProvider() as running:
        yield running


@pytest.fixture
def start(monkeypatch):
    """Return a function that starts a warmer in whose life an hour is a tenth of a second."""
    monkeypatch.setattr(key_warmer, "AGAIN_AFTER_SECONDS", 0.1)
    monkeypatch.setattr(key_warmer, "RETRY_AFTER_SECONDS", 0.02)
    warmers = []

    def begin(*parties):
        warmers.append(KeyWarmer(parties))
        warmers[-1].start()

    yield begin
    for warmer in warmers:
        warmer.stop()


def test_what_a_logout_needs_is_fetched_before_it_comes(op, start):
    party = relying_party(op)
    start(party)
    assert wait_until(lambda: op.paths() == BOTH)
    sign_in(op, party)
    assert op.paths() == [*BOTH, "/token"]


def test_a_copy_is_renewed_before_it_is_old_and_not_sooner(op, clock, start):
    op.now = lambda: clock.now().timestamp()
    start(relying_party(op, clock))
    assert wait_until(lambda: op.paths() == BOTH)
    time.sleep(0.25)
    assert op.paths() == BOTH
    clock.forward(timedelta(minutes=45))
    assert wait_until(lambda: op.paths() == BOTH * 2)


def test_a_provider_that_is_down_is_asked_again_and_holds_up_no_other_one(op, clock, start, caplog):
    with OpenIDProvider() as down, caplog.at_level(logging.WARNING):
        down.replies[DISCOVERY] = Reply(503)
        party = relying_party(down, clock, name="down")
        start(party, relying_party(op))
        assert wait_until(lambda: op.paths() == BOTH)
        assert wait_until(lambda: "the keys of down are not there yet: provider_unavailable" in caplog.text)
        down.replies.clear()
        clock.forward(timedelta(seconds=6))
        assert wait_until(lambda: down.paths()[-2:] == BOTH)


def test_a_fault_of_our_own_does_not_end_the_thread(op, start, caplog):
    party = relying_party(op)
    warm, faults = party.warm, [ZeroDivisionError("with a secret in it")]

    def fail_once():
        if faults:
            raise faults.pop()
        warm()

    party.warm = fail_once
    start(party)
    assert wait_until(lambda: op.paths() == BOTH)
    assert "failed: ZeroDivisionError" in caplog.text
    assert "secret" not in caplog.text
