import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest

from bridge.identity.replay import ReplayMemory
from tests.live_store import MovableClock, running_store

ISSUER = "https://idp.example.com"


@pytest.fixture(scope="module")
def redis():
    with running_store() as client:
        yield client


@pytest.fixture
def clock():
    return MovableClock()


@pytest.fixture
def memory(redis, clock):
    redis.flushdb()
    return ReplayMemory(redis, clock)


def in_seconds(clock, seconds):
    return clock.now() + timedelta(seconds=seconds)


def test_a_message_is_accepted_once(memory, clock):
    """T-SAML-27."""
    assert memory.claim(ISSUER, "_a", in_seconds(clock, 300)) is True
    assert memory.claim(ISSUER, "_a", in_seconds(clock, 300)) is False
    assert memory.claim(ISSUER, "_b", in_seconds(clock, 300)) is True


def test_another_issuer_may_use_the_same_identifier(memory, clock):
    assert memory.claim(ISSUER, "_a", in_seconds(clock, 300))
    assert memory.claim("https://other.example.com", "_a", in_seconds(clock, 300))


def test_of_twenty_posts_at_two_machines_exactly_one_wins(redis, clock):
    """T-SAML-27: the race."""
    machines = [ReplayMemory(redis, clock), ReplayMemory(redis, clock)]
    barrier = Barrier(20)

    def post(number, message_id):
        barrier.wait()
        return machines[number % 2].claim(ISSUER, message_id, in_seconds(clock, 300))

    with ThreadPoolExecutor(20) as pool:
        for round_number in range(20):
            message_id = f"_race{round_number}"
            answers = list(pool.map(post, range(20), [message_id] * 20))
            assert answers.count(True) == 1


@pytest.mark.parametrize(("seconds", "lifetime"), [(300, 300_000), (0.2, 1_000), (-50, 1_000)])
def test_a_mark_lives_as_long_as_its_message_and_at_least_a_second(memory, redis, clock, seconds, lifetime):
    begun = time.monotonic()
    memory.claim(ISSUER, "_a", in_seconds(clock, seconds))
    (key,) = redis.keys("*")
    left, passed = redis.pttl(key), 1000 * (time.monotonic() - begun)
    assert lifetime - passed - 1 <= left <= lifetime


def test_a_fraction_of_a_millisecond_is_rounded_up(memory, redis, clock, monkeypatch):
    lifetimes = []
    monkeypatch.setattr(redis, "set", lambda *_, px, **__: lifetimes.append(px))
    memory.claim(ISSUER, "_a", clock.now() + timedelta(seconds=2, microseconds=1))
    assert lifetimes == [2001]


@pytest.mark.parametrize(
    ("issuer", "message_id"),
    [(ISSUER, "a:b"), (ISSUER, "*"), (ISSUER, "a\r\nDEL x"), (ISSUER, "张"), (ISSUER, ""), (ISSUER, "x" * 100_000)],
)
def test_an_identifier_never_shapes_the_name_of_a_key(memory, redis, clock, issuer, message_id):
    """T-REDIS-06."""
    assert memory.claim(issuer, message_id, in_seconds(clock, 300))
    assert memory.claim(issuer, message_id, in_seconds(clock, 300)) is False
    (key,) = redis.keys("*")
    assert key.startswith(b"rambridge:used:")
    assert len(key) == len("rambridge:used:") + 43


def test_issuer_and_identifier_do_not_run_into_each_other(memory, clock):
    """T-REDIS-06: the same characters, divided elsewhere, are another message."""
    assert memory.claim("https://idp", "a:b", in_seconds(clock, 300))
    assert memory.claim("https://idpa", ":b", in_seconds(clock, 300))
    assert memory.claim("https://idp:a", "b", in_seconds(clock, 300))
    assert memory.claim("", "https://idpa:b", in_seconds(clock, 300))
