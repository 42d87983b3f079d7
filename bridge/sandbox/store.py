"""What the sandbox remembers while it runs: values that end at a moment, in the memory of one process."""

from datetime import datetime, timedelta
from threading import Lock
from typing import Generic, TypeVar

from bridge.clock import Clock

Value = TypeVar("Value")

_SWEEP_EVERY = timedelta(minutes=1)


class ExpiringStore(Generic[Value]):
    """Values by key, each until its own moment; every method is one atomic step for all threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._values: dict[str, tuple[Value, datetime]] = {}
        self._sweep_at = clock.now() + _SWEEP_EVERY

    def claim(self, key: str, value: Value, until: datetime) -> bool:
        """Store the value unless the key is taken; returns whether it was free, so that only one caller wins."""
        with self._lock:
            if self._find(key) is not None:
                return False
            self._put(key, value, until)
            return True

    def put(self, key: str, value: Value, until: datetime) -> None:
        """Store the value until that moment (UTC), in place of an earlier one."""
        with self._lock:
            self._put(key, value, until)

    def find(self, key: str) -> Value | None:
        """Return the value if its moment has not come."""
        with self._lock:
            return self._find(key)

    def take(self, key: str) -> Value | None:
        """Return the value and forget it, so that it is used once."""
        with self._lock:
            value = self._find(key)
            self._values.pop(key, None)
            return value

    def _put(self, key: str, value: Value, until: datetime) -> None:
        now = self._clock.now()
        if now >= self._sweep_at:
            self._values = {name: entry for name, entry in self._values.items() if entry[1] > now}
            self._sweep_at = now + _SWEEP_EVERY
        self._values[key] = (value, until)

    def _find(self, key: str) -> Value | None:
        value, until = self._values.get(key, (None, self._clock.now()))
        return value if until > self._clock.now() else None
