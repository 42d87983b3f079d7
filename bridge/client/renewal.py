"""Credentials that are always good for longer than any SDK wants them to be.

Python, Java and Node take credentials for stale 15 minutes before their end, and then ask at every call; Go does so
3 minutes before, ack-ram-tool 10. So new ones are fetched 20 minutes before the end, beside the requests.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from bridge.client.credentials import Credentials
from bridge.client.failure import ClientError
from bridge.language import translate

MARGIN_SECONDS = 20 * 60
SHORT_SECONDS = 25 * 60
"""Credentials that come with less than this are renewed when a third of it is left: they cannot keep the margin."""
PAUSE_SECONDS = 15.0
"""How long after a failure the service is left alone."""


class Renewal:
    """The credentials of one role, fetched by one caller at a time and kept in memory."""

    def __init__(self, fetch: Callable[[], Credentials], now: Callable[[], float] = time.time) -> None:
        """Take what fetches new credentials, and the time in seconds since 1970."""
        self._fetch = fetch
        self._now = now
        self._lock = threading.Lock()
        self._current: Credentials | None = None
        self._due_at = 0.0
        self._failure: ClientError | None = None
        self._not_before = 0.0

    def fetch_with(self, fetch: Callable[[], Credentials]) -> None:
        """Fetch by other means from now on."""
        with self._lock:
            self._fetch = fetch

    def get(self) -> Credentials:
        """Return credentials; new ones where those at hand are due, the old ones as long as they last if that fails.

        Raises ClientError if there are none that last.
        """
        with self._lock:
            now = self._now()
            if (self._current is None or now >= self._due_at) and now >= self._not_before:
                self._renew(now)
            if self._current is not None and self._current.expires_at.timestamp() > self._now():
                return self._current
            raise self._failure or ClientError(translate("There are no credentials that last."))

    def keep_fresh(self, stop: threading.Event, report: Callable[[str], None]) -> None:
        """Renew whenever it is due, until ``stop`` is set; each change between working and failing is reported."""
        reported = ""
        while not stop.wait(PAUSE_SECONDS):
            with suppress(ClientError):  # it is reported below
                self.get()
            failure = str(self._failure) if self._failure else ""
            if failure != reported:
                report(failure or translate("Credentials are renewed again."))
                reported = failure

    def _renew(self, now: float) -> None:
        try:
            fetched = self._fetch()
        except ClientError as failure:
            self._failure, self._not_before = failure, now + PAUSE_SECONDS
            return
        left = fetched.expires_at.timestamp() - now
        margin = MARGIN_SECONDS if left >= SHORT_SECONDS else left / 3
        self._current, self._due_at = fetched, fetched.expires_at.timestamp() - margin
        self._failure, self._not_before = None, 0.0
