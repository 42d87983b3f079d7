"""The documents that the cloud gets from identity providers: fetched when first needed, then kept for a minute.

The live cloud is given metadata by an administrator and fetches keys itself; fetching both lets the sandbox follow a
bridge whose keys were made a moment ago.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock
from typing import TypeAlias

from bridge.clock import Clock

Fetch: TypeAlias = Callable[[str], bytes]
"""Returns what is at an address; raises ``OSError`` when that cannot be had."""

_KEEP = timedelta(seconds=60)
_REFRESH_AT_MOST = timedelta(seconds=5)


class Documents:
    """Documents by address."""

    def __init__(self, fetch: Fetch, clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = Lock()
        self._kept: dict[str, tuple[bytes, datetime]] = {}

    def load(self, url: str, *, fresh: bool = False) -> bytes:
        """Return the document; ``fresh`` asks again, though not more often than every five seconds.

        Raises ``OSError`` when it cannot be fetched.
        """
        now = self._clock.now()
        with self._lock:
            kept = self._kept.get(url)
        if kept is not None and now - kept[1] < (_REFRESH_AT_MOST if fresh else _KEEP):
            return kept[0]
        document = self._fetch(url)
        with self._lock:
            self._kept[url] = (document, now)
        return document
