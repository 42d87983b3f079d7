"""How often one address, and one caller, may call the STS endpoint (threat STS-12).

STS itself allows about a hundred calls a second for a whole account, which one runaway job could use up. Counted is by
the minute of the clock, for all machines together, and counted before it is used: a budget is never exceeded. Of a
caller that comes again within a second, a process counts a few calls in advance, so that not each of many has to ask
the store twice. What it does not use of them in that minute is lost: less than a hundredth of the budget.
"""

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from bridge.addresses import find_customer
from bridge.clock import Clock
from bridge.errors import CallsTooMany
from bridge.store_connection import RedisClient, count_within_minute

AT_ONCE = 16
"""How many calls a process counts in advance at most, however large the budget is."""
AT_ONCE_SHARE = 100
BUSY = timedelta(seconds=1)
"""Whoever uses up what was counted in less than this gets more at the next time."""

_MINUTE = 60
_MOST_COUNTED = 10_000

_find_customer = lru_cache(maxsize=4_096)(find_customer)


@dataclass
class _Counted:
    """Calls that this process has counted together."""

    at: datetime
    calls: int
    left: int
    """How many of them may still be made in that minute."""


class Budget:
    """Counts calls."""

    def __init__(self, redis: RedisClient, clock: Clock, *, per_address: int, per_caller: int) -> None:
        """Take the store, the clock, and how many calls a minute are allowed."""
        self._redis = redis
        self._clock = clock
        self._per_address = per_address
        self._per_caller = per_caller
        self._counted: dict[tuple[str, str], _Counted] = {}
        self._lock = threading.Lock()

    def count_address(self, address: str) -> None:
        """Count one call more from an address. Raises CallsTooMany above the limit."""
        self._count("address", _find_customer(address), self._per_address)

    def count_caller(self, issuer: str, subject: str) -> None:
        """Count one call more on behalf of somebody. Raises CallsTooMany above the limit."""
        self._count("caller", f"{len(issuer)}:{issuer}{subject}", self._per_caller)

    def _count(self, kind: str, who: str, limit: int) -> None:
        now = self._clock.now()
        with self._lock:
            before = self._counted.get((kind, who))
            if before is not None and before.left and _minute(before.at) == _minute(now):
                before.left -= 1
                return
        busy = before is not None and now - before.at < BUSY
        calls = min(2 * before.calls, AT_ONCE, max(1, limit // AT_ONCE_SHARE)) if before and busy else 1
        count = count_within_minute(self._redis, now, "sts-calls", kind, who, calls=calls)
        allowed = min(calls, limit - (count - calls))
        if allowed < 1:
            raise CallsTooMany(
                f"more than {limit} calls in a minute by one {kind}", _MINUTE - int(now.timestamp()) % _MINUTE
            )
        with self._lock:
            if len(self._counted) >= _MOST_COUNTED:
                self._counted.clear()
            self._counted[kind, who] = _Counted(now, calls, allowed - 1)


def _minute(moment: datetime) -> int:
    return int(moment.timestamp()) // _MINUTE
