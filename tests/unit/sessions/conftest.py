"""A real store, emptied for each test, and a clock that tests move."""

import pytest

from tests.live_store import MovableClock, running_store


@pytest.fixture(scope="module")
def redis():
    with running_store() as client:
        yield client


@pytest.fixture
def clock(redis):
    redis.flushdb()
    return MovableClock()
