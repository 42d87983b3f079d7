"""How often one address may name something that only a provider should know."""

from datetime import timedelta
from ipaddress import ip_network

from bridge.clock import Clock
from bridge.errors import TooManyRequests
from bridge.store_connection import RedisClient, build_key, store_errors

REQUESTS_PER_MINUTE = 300
"""More than a large office signs out in a minute, and far too few to find a name of any length."""

_MINUTE = 60


class GuessLimit:
    """Counts the requests of each address at each provider, a minute of the clock at a time, for all machines."""

    def __init__(self, redis: RedisClient, clock: Clock) -> None:
        """Take the store and the clock."""
        self._redis = redis
        self._clock = clock

    def count(self, provider: str, address: str) -> None:
        """Count one request more. Raises TooManyRequests above 300 in the same minute."""
        minute = int(self._clock.now().timestamp()) // _MINUTE
        key = build_key("guesses", provider, _find_network(address), str(minute))
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.incr(key)
        pipeline.pexpire(key, timedelta(seconds=2 * _MINUTE))
        with store_errors():
            count, _ = pipeline.execute()
        if count > REQUESTS_PER_MINUTE:
            raise TooManyRequests(f"more than {REQUESTS_PER_MINUTE} requests in a minute")


def _find_network(address: str) -> str:
    """Return whose address it is: of IPv6 the /64, which one customer has whole."""
    try:
        return str(ip_network((address, 64 if ":" in address else 32), strict=False))
    except ValueError:
        return address
