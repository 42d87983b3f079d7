"""Whose calls are counted together at the STS endpoint."""

import pytest

from bridge.errors import CallsTooMany
from bridge.sts_endpoint.budget import Budget
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
