"""Whose calls are counted together at the STS endpoint."""

import pytest

from bridge.errors import CallsTooMany
from bridge.sts_endpoint.budget import AT_ONCE, AT_ONCE_SHARE, Budget
from tests.live_store import MovableClock, running_store

PER_ADDRESS = 3


@pytest.mark.parametrize(
    ("first", "last", "other"),
    [
        ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
        ("::ffff:192.0.2.7", "192.0.2.7", "::ffff:192.0.2.8"),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", "2001:db8:0:2::1"),
    ],
)
def test_t_sts_12_one_customer_has_one_budget(first, last, other):
    with running_store() as redis:
        budget = Budget(redis, MovableClock(), per_address=PER_ADDRESS, per_caller=1)
        for _ in range(PER_ADDRESS):
            budget.count_address(first)
        with pytest.raises(CallsTooMany):
            budget.count_address(last)
        budget.count_address(other)


def spend(budgets, clock, *, seconds_between=0.0, calls=500):
    """Return how many calls were allowed, made of the machines in turn."""
    allowed = 0
    for number in range(calls):
        clock.advance(seconds_between)
        try:
            budgets[number % len(budgets)].count_caller("https://issuer.example", "busy")
        except CallsTooMany:
            continue
        allowed += 1
    return allowed


def test_t_sts_12_what_is_counted_in_advance_never_exceeds_the_budget_and_wastes_a_hundredth_of_it():
    with running_store() as redis:
        clock = MovableClock()
        clock.advance(60 - clock.now().timestamp() % 60)
        machines = [Budget(redis, clock, per_address=1, per_caller=400) for _ in range(3)]
        assert 400 - len(machines) * 400 // AT_ONCE_SHARE <= spend(machines, clock) <= 400
        clock.advance(60)
        assert spend(machines, clock, calls=100) == 100


def test_t_sts_12_a_machine_that_a_caller_left_keeps_at_most_a_hundredth_of_the_budget():
    with running_store() as redis:
        clock = MovableClock()
        first, second = (Budget(redis, clock, per_address=1, per_caller=400) for _ in range(2))
        allowed = spend([first], clock, calls=16) + spend([second], clock)
        assert 400 - 400 // AT_ONCE_SHARE <= allowed <= 400


def test_who_comes_now_and_then_is_counted_one_by_one():
    with running_store() as redis:
        clock = MovableClock()
        clock.advance(60 - clock.now().timestamp() % 60)
        budget = Budget(redis, clock, per_address=1, per_caller=10_000)
        assert spend([budget], clock, seconds_between=1.1, calls=20) == 20
        assert [int(redis.get(key)) for key in redis.keys("rambridge:sts-calls:*")] == [20]


def test_what_was_counted_in_advance_is_of_its_own_minute():
    with running_store() as redis:
        clock = MovableClock()
        clock.advance(60 - clock.now().timestamp() % 60)
        budget = Budget(redis, clock, per_address=1, per_caller=10_000)
        assert spend([budget], clock, calls=5) == 5
        clock.advance(60)
        assert spend([budget], clock, calls=1) == 1
        assert sorted(int(redis.get(key)) for key in redis.keys("rambridge:sts-calls:*")) == [1, 7]


def test_a_busy_caller_asks_the_store_now_and_then():
    with running_store() as redis:
        clock = MovableClock()
        clock.advance(60 - clock.now().timestamp() % 60)
        budget = Budget(redis, clock, per_address=1, per_caller=10_000)
        before = redis.info("stats")["total_commands_processed"]
        assert spend([budget], clock, calls=320) == 320
        assert redis.info("stats")["total_commands_processed"] - before < 2 * (320 / AT_ONCE + 10)
