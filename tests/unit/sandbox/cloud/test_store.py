"""What the sandbox remembers ends at its moment, and only one of many callers wins a claim."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from bridge.sandbox.store import ExpiringStore
from tests.unit.sandbox.cloud.parties import NOW, MovableClock

SOON = NOW + timedelta(minutes=1)


def test_value_is_found_until_its_moment():
    clock = MovableClock()
    store = ExpiringStore(clock)
    store.put("key", "value", SOON)

    clock.moment = SOON - timedelta(seconds=1)
    assert store.find("key") == "value"
    clock.moment = SOON
    assert store.find("key") is None


def test_value_is_taken_once():
    store = ExpiringStore(MovableClock())
    store.put("key", "value", SOON)

    assert store.take("key") == "value"
    assert store.take("key") is None


def test_one_of_twenty_threads_wins_a_claim():
    store = ExpiringStore(MovableClock())

    with ThreadPoolExecutor(20) as threads:
        wins = list(threads.map(lambda number: store.claim("key", number, SOON), range(20)))

    assert wins.count(True) == 1
    assert store.find("key") == wins.index(True)


def test_claim_can_be_made_again_after_its_moment():
    clock = MovableClock()
    store = ExpiringStore(clock)
    store.claim("key", 1, SOON)
    clock.moment = SOON

    assert store.claim("key", 2, SOON + timedelta(minutes=1))


def test_ended_values_are_forgotten_and_live_ones_kept():
    clock = MovableClock()
    store = ExpiringStore(clock)
    for number in range(100):
        store.put(str(number), number, SOON)
    store.put("live", 1, NOW + timedelta(hours=1))

    clock.advance(minutes=5)
    store.put("new", 1, NOW + timedelta(hours=1))

    assert set(store._values) == {"live", "new"}
