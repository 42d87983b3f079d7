"""How the nodes learn that something else is in force: a small key in Redis that each asks for every second.

What it says is only a hint to look into the database. A lost or forged one costs a look, or some seconds.
"""

from typing import Protocol

from bridge.errors import StoreUnavailable, Unsealable
from bridge.rollout.versions import InForce
from bridge.store_connection import RedisClient, build_key, store_errors


class Announcement(Protocol):
    """Where a change is announced."""

    def tell(self, change: InForce) -> bool:
        """Tell every node; False if they will only notice by themselves."""

    def read(self) -> bytes | None:
        """Return what was announced last; None if nothing was, or it cannot be known."""


class RedisAnnouncement:
    """The key in Redis, on a single server, behind sentinels or in a cluster: one key, one slot."""

    def __init__(self, redis: RedisClient, public_url: str) -> None:
        """Take the store, and the origin that the nodes serve together."""
        self._redis = redis
        self._key = build_key("rules", public_url)

    def tell(self, change: InForce) -> bool:
        """Tell every node; False if Redis does not answer."""
        try:
            with store_errors():
                self._redis.set(self._key, f"{change.number} {change.version}".encode())
        except (StoreUnavailable, Unsealable):
            return False
        return True

    def read(self) -> bytes | None:
        """Return what was announced last."""
        try:
            with store_errors():
                return self._redis.get(self._key)
        except (StoreUnavailable, Unsealable):
            return None


class NoAnnouncement:
    """For a command that cannot reach Redis."""

    def tell(self, change: InForce) -> bool:  # noqa: ARG002
        """Tell nobody."""
        return False

    def read(self) -> bytes | None:
        """Know nothing."""
        return None
