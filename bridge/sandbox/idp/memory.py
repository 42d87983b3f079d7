"""Values that this process remembers for a while under unguessable handles."""

import secrets
from datetime import timedelta
from typing import Generic, TypeVar

from bridge.clock import Clock
from bridge.sandbox.store import ExpiringStore

T = TypeVar("T")


class Memory(Generic[T]):
    """Keeps values until their time is over. A restart forgets them, which suits a sandbox."""

    def __init__(self, clock: Clock, lifetime: timedelta) -> None:
        """Remember each value for ``lifetime``."""
        self._clock = clock
        self._lifetime = lifetime
        self._values: ExpiringStore[T] = ExpiringStore(clock)

    def put(self, value: T) -> str:
        """Return a new handle of 256 random bits under which ``value`` is now found."""
        handle = secrets.token_urlsafe(32)
        self._values.put(handle, value, self._clock.now() + self._lifetime)
        return handle

    def find(self, handle: str) -> T | None:
        """Return the value, or None if the handle is unknown, used up or too old."""
        return self._values.find(handle)

    def take(self, handle: str) -> T | None:
        """Return what ``find`` would, to one caller only: the handle is used up now."""
        return self._values.take(handle)
