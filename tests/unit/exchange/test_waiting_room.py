"""How many wait for STS at once, and what becomes of the next one."""

import threading
from contextlib import ExitStack

import pytest

from bridge.errors import ExchangeCrowded
from bridge.exchange import waiting_room
from bridge.exchange.waiting_room import WaitingRoom


def enter(room):
    with room.place():
        pass


def test_a_full_room_turns_the_next_one_away_after_a_moment_and_all_others_at_once(monkeypatch):
    room = WaitingRoom(2)
    with room.place(), room.place():
        with pytest.raises(ExchangeCrowded):
            enter(room)
        monkeypatch.setattr(room._changed, "wait_for", pytest.fail)
        for _ in range(20):
            with pytest.raises(ExchangeCrowded) as caught:
                enter(room)
        assert caught.value.retry_after_seconds
    enter(room)


def test_whoever_waits_gets_the_place_that_becomes_free(monkeypatch):
    monkeypatch.setattr(waiting_room, "PATIENCE_SECONDS", 10)
    room, entered = WaitingRoom(1), threading.Event()

    def wait():
        with room.place():
            entered.set()

    with ExitStack() as held:
        held.enter_context(room.place())
        waiting = threading.Thread(target=wait)
        waiting.start()
        assert not entered.wait(0.05)
    assert entered.wait(10)
    waiting.join()


def test_a_failure_gives_the_place_back():
    room = WaitingRoom(1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), room.place():
            raise ZeroDivisionError
    enter(room)
