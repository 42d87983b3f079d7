"""How often one address, or one person, may name something that they could be guessing at, or ask for what costs us."""

from bridge.addresses import find_customer
from bridge.clock import Clock
from bridge.errors import AskedTooOften, TooManyRequests
from bridge.identity.verified import VerifiedIdentity
from bridge.store_connection import RedisClient, count_within_minute

REQUESTS_PER_MINUTE = 300
"""More than a large office signs out in a minute, and far too few to find a name of any length."""


class GuessLimit:
    """Counts the requests of each address for each thing, a minute of the clock at a time, for all machines."""

    def __init__(self, redis: RedisClient, clock: Clock) -> None:
        """Take the store and the clock."""
        self._redis = redis
        self._clock = clock

    def count(self, what: str, whose: str, limit: int = REQUESTS_PER_MINUTE) -> None:
        """Count one request more. Raises TooManyRequests above ``limit`` in the same minute.

        Args:
            what: what is asked for or guessed at: a provider's name, or the purpose.
            whose: the address that asks, or the name of whoever does.
            limit: how many a minute are honest.
        """
        count = count_within_minute(self._redis, self._clock.now(), "guesses", what, find_customer(whose))
        if count > limit:
            raise TooManyRequests(f"more than {limit} requests in a minute")

    def count_person(self, what: str, identity: VerifiedIdentity, limit: int) -> None:
        """Count one request more of a person, wherever from. Raises AskedTooOften above ``limit`` in a minute."""
        now = self._clock.now()
        if count_within_minute(self._redis, now, "asked", what, identity.issuer, identity.subject) > limit:
            raise AskedTooOften(f"more than {limit} requests in a minute by one person", 60 - int(now.timestamp()) % 60)
