"""How often one address, and one caller, may call the STS endpoint (threat STS-12).

STS itself allows about a hundred calls a second for a whole account, which one runaway job could use up. Counted is by
the minute of the clock, for all machines together.
"""

from bridge.addresses import find_customer
from bridge.clock import Clock
from bridge.errors import CallsTooMany
from bridge.store_connection import RedisClient, count_within_minute

_MINUTE = 60


class Budget:
    """Counts calls."""

    def __init__(self, redis: RedisClient, clock: Clock, *, per_address: int, per_caller: int) -> None:
        """Take the store, the clock, and how many calls a minute are allowed."""
        self._redis = redis
        self._clock = clock
        self._per_address = per_address
        self._per_caller = per_caller

    def count_address(self, address: str) -> None:
        """Count one call more from an address. Raises CallsTooMany above the limit."""
        self._count("address", find_customer(address), self._per_address)

    def count_caller(self, issuer: str, subject: str) -> None:
        """Count one call more on behalf of somebody. Raises CallsTooMany above the limit."""
        self._count("caller", f"{len(issuer)}:{issuer}{subject}", self._per_caller)

    def _count(self, kind: str, who: str, limit: int) -> None:
        now = self._clock.now()
        count = count_within_minute(self._redis, now, "sts-calls", kind, who)
        if count > limit:
            raise CallsTooMany(
                f"more than {limit} calls in a minute by one {kind}", _MINUTE - int(now.timestamp()) % _MINUTE
            )
