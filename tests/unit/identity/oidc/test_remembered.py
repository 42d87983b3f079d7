"""Other people's documents are fetched rarely, by one thread, and kept through a bad hour."""

import threading
from datetime import timedelta

import pytest

from bridge.attack.scripted_server import wait_until
from bridge.errors import OIDCKeyLeaked, OIDCKeySet, ProviderUnavailable
from bridge.identity.oidc.remembered import FRESH_FOR, KEPT_FOR, PAUSE_WITH_COPY, PAUSE_WITHOUT_COPY, Remembered

SECOND = timedelta(seconds=1)


class Source:
    """What is fetched: a new number each time, or an error."""

    def __init__(self) -> None:
        self.fetches = 0
        self.error = None
        self.gate = None

    def fetch(self):
        self.fetches += 1
        if self.gate:
            assert self.gate.wait(5)
        if self.error:
            raise self.error
        return self.fetches


@pytest.fixture
def source():
    return Source()


@pytest.fixture
def remembered(source, clock):
    return Remembered(source.fetch, clock)


def test_nothing_is_fetched_before_the_first_use(remembered, source):
    assert source.fetches == 0
    assert remembered.get() == 1


def test_a_copy_is_good_for_an_hour(remembered, clock):
    remembered.get()
    clock.forward(FRESH_FOR)
    assert remembered.get() == 1
    clock.forward(SECOND)
    assert remembered.get() == 2


def test_the_last_good_copy_is_kept_for_a_day_of_failures(remembered, source, clock):
    remembered.get()
    source.error = ProviderUnavailable("down")
    clock.forward(KEPT_FOR)
    assert remembered.get() == 1
    clock.forward(SECOND)
    with pytest.raises(ProviderUnavailable):
        remembered.get()


def test_a_refresh_that_failed_is_tried_again_after_a_minute(remembered, source, clock):
    remembered.get()
    source.error = ProviderUnavailable("down")
    clock.forward(FRESH_FOR + SECOND)
    for _ in range(10):
        assert remembered.get() == 1
    assert source.fetches == 2
    source.error = None
    clock.forward(PAUSE_WITH_COPY - SECOND)
    assert remembered.get() == 1
    clock.forward(SECOND)
    assert remembered.get() == 3


def test_without_a_copy_a_failure_is_believed_for_a_few_seconds(remembered, source, clock):
    source.error = OIDCKeySet("no keys")
    for _ in range(10):
        with pytest.raises(OIDCKeySet) as refused:
            remembered.get()
        assert refused.value.detail == "no keys"
    assert source.fetches == 1
    source.error = None
    clock.forward(PAUSE_WITHOUT_COPY)
    assert remembered.get() == 2


def test_a_key_set_that_leaked_is_forgotten_at_once(remembered, source, clock):
    remembered.get()
    source.error = OIDCKeyLeaked("private")
    clock.forward(FRESH_FOR + SECOND)
    for _ in range(3):
        with pytest.raises(OIDCKeyLeaked):
            remembered.get()
    source.error = None
    clock.forward(PAUSE_WITHOUT_COPY)
    assert remembered.get() == 3


def test_a_newer_copy_is_fetched_only_where_the_copy_is_older(remembered, source, clock):
    minute = timedelta(seconds=60)
    remembered.get()
    assert remembered.get_newer(minute) == 1
    clock.forward(minute + SECOND)
    assert remembered.get_newer(minute) == 2
    source.error = ProviderUnavailable("down")
    clock.forward(minute + SECOND)
    for _ in range(5):
        assert remembered.get_newer(minute) == 2
    assert source.fetches == 3


def test_a_clock_that_was_set_back_makes_nothing_last_longer(remembered, clock):
    remembered.get()
    clock.forward(-timedelta(days=400))
    assert remembered.get() == 2


def _in_threads(count, call):
    results = []
    threads = [threading.Thread(target=lambda: results.append(call())) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads, results


def _join(threads):
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()


def test_without_a_copy_all_threads_wait_for_one_fetch(remembered, source):
    source.gate = threading.Event()
    threads, results = _in_threads(20, remembered.get)
    assert wait_until(lambda: source.fetches == 1)
    assert results == []
    source.gate.set()
    _join(threads)
    assert results == [1] * 20


def test_a_failed_first_fetch_is_not_repeated_by_each_waiting_thread(remembered, source):
    source.gate = threading.Event()
    source.error = ProviderUnavailable("down")

    def call():
        with pytest.raises(ProviderUnavailable):
            remembered.get()

    threads, results = _in_threads(20, call)
    assert wait_until(lambda: source.fetches == 1)
    source.gate.set()
    _join(threads)
    assert (len(results), source.fetches) == (20, 1)


def test_while_one_thread_refreshes_the_others_use_the_old_copy(remembered, source, clock):
    remembered.get()
    clock.forward(FRESH_FOR + SECOND)
    source.gate = threading.Event()
    threads, results = _in_threads(1, remembered.get)
    assert wait_until(lambda: source.fetches == 2)
    assert [remembered.get() for _ in range(10)] == [1] * 10
    source.gate.set()
    _join(threads)
    assert results == [2]


def test_whoever_needs_a_newer_copy_waits_for_the_refresh_under_way(remembered, source, clock):
    remembered.get()
    clock.forward(FRESH_FOR + SECOND)
    source.gate = threading.Event()
    threads, results = _in_threads(10, lambda: remembered.get_newer(timedelta(seconds=60)))
    assert wait_until(lambda: source.fetches == 2)
    source.gate.set()
    _join(threads)
    assert results == [2] * 10
    assert source.fetches == 2
