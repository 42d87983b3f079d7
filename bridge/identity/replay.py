"""Each assertion and each ID token is accepted once, whichever machine it reaches."""

from datetime import datetime, timedelta

from bridge.clock import Clock
from bridge.store_connection import RedisClient, build_key, store_errors


class ReplayMemory:
    """Remembers the identifiers that were used, for as long as the messages would still be accepted."""

    def __init__(self, redis: RedisClient, clock: Clock) -> None:
        """Take the store, which must never evict: a forgotten identifier is a second sign-in."""
        self._redis = redis
        self._clock = clock

    def claim(self, issuer: str, message_id: str, until: datetime) -> bool:
        """Return True for the first caller with this message, False for every other one.

        Call it after verification (or a stranger could use up identifiers) and before acting (or two requests at
        once would both act). ``until`` is the last moment at which the message would be accepted, clock leeway
        included: remembering it for less would let it in again. One ``SET NX`` decides, so a race has one winner.

        SAML Profiles 4.1.4.5; OpenID Connect Core 3.1.3.7. Raises StoreUnavailable: unknown means refused.
        """
        lifetime = max(until - self._clock.now(), timedelta(seconds=1))
        key = build_key("used", issuer, message_id)
        with store_errors():
            return self._redis.set(key, b"", nx=True, px=-(-lifetime // timedelta(milliseconds=1))) is not None
