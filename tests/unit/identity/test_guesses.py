"""How often one address may name something that only a provider should know."""

import pytest

from bridge.errors import TooManyRequests
from bridge.identity.guesses import REQUESTS_PER_MINUTE, GuessLimit
from tests.live_store import MovableClock, running_store


@pytest.mark.parametrize(
    ("first", "last", "other"),
    [
        ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", "2001:db8:0:2::1"),
        ("::ffff:192.0.2.7", "192.0.2.7", "::ffff:192.0.2.8"),
        ("no address", "no address", "another"),
    ],
)
def test_t_oidc_15_one_customer_has_one_count(first, last, other):
    with running_store() as redis:
        guesses = GuessLimit(redis, MovableClock())
        for _ in range(REQUESTS_PER_MINUTE):
            guesses.count("corp", first)
        with pytest.raises(TooManyRequests):
            guesses.count("corp", last)
        guesses.count("corp", other)
        guesses.count("another provider", last)
