"""Values that this process remembers for a while under unguessable handles."""

import secrets
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from bridge.clock import Clock

T = TypeVar("T")


class Memory(Generic[T]):
    """Keeps values until their time is over. A restart forgets them, which suits a sandbox.

    Single dictionary operations only, each of them atomic, so threads need no lock.
    """

    def __init__(self, clock: Clock, lifetime: timedelta) -> None:
        """Remember each value for ``lifetime``."""
        self._clock = clock
        self._lifetime = lifetime
        self._values: dict[str, tuple[T, datetime]] = {}

    def put(self, value: T) -> str:
        """Return a new handle of 256 random bits under which ``value`` is now found."""
        now = self._clock.now()
        for handle, (_, end) in list(self._values.items()):
            if now >= end:
                self._values.pop(handle, None)
        handle = secrets.token_urlsafe(32)
        self._values[handle] = (value, now + self._lifetime)
        return handle

    def find(self, handle: str) -> T | None:
        """Return the value, or None if the handle is unknown, used up or too old."""
        value, end = self._values.get(handle, (None, None))
        return value if end is not None and self._clock.now() < end else None

    def take(self, handle: str) -> T | None:
        """Return what ``find`` would, to one caller only: the handle is used up now."""
        value, end = self._values.pop(handle, (None, None))
        return value if end is not None and self._clock.now() < end else None
