"""The thread that keeps every provider's metadata fresh, one for each process."""

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta

from bridge.clock import Clock
from bridge.identity.saml.metadata_cache import MetadataCache

_logger = logging.getLogger(__name__)

LONGEST_SLEEP_SECONDS = 30.0
"""The clock may be set meanwhile."""
SHORTEST_SLEEP_SECONDS = 0.2


class MetadataRefresher:
    """Refreshes when it is due, and when somebody has to wait."""

    def __init__(self, caches: Sequence[MetadataCache], clock: Clock, daily: Callable[[], None] = lambda: None) -> None:
        """Take what to refresh, and what else to do at the start and then once a day."""
        self._caches = caches
        self._clock = clock
        self._daily = daily
        self._woken = threading.Event()
        self._hurry = False

    def start(self) -> None:
        """Load saved copies and the administrator's files at once; fetch the rest in the background from now on."""
        now = self._clock.now()
        for cache in self._caches:
            if cache.is_local:
                cache.refresh(now)
            else:
                cache.restore(now)
            cache.renew_in_background(self._wake)
        threading.Thread(target=self._run, name="metadata", daemon=True).start()

    def run_due(self) -> None:
        """Refresh what is due now."""
        hurry, self._hurry = self._hurry, False
        for cache in self._caches:
            now = self._clock.now()
            if hurry:
                cache.hurry(now)
            if cache.due_at <= now:
                cache.refresh(now)

    def _wake(self) -> None:
        self._hurry = True
        self._woken.set()

    def _run(self) -> None:
        next_daily = self._clock.now()
        while True:
            self._woken.clear()
            try:
                self.run_due()
                if next_daily <= self._clock.now():
                    next_daily = self._clock.now() + timedelta(days=1)
                    self._daily()
            except Exception as error:  # noqa: BLE001  nobody would start the thread again
                _logger.error("refreshing metadata failed: %s", type(error).__name__)  # noqa: TRY400
            self._woken.wait(self._find_sleep())

    def _find_sleep(self) -> float:
        now = self._clock.now()
        waits = [(cache.due_at - now).total_seconds() for cache in self._caches]
        return min(max(min(waits, default=LONGEST_SLEEP_SECONDS), SHORTEST_SLEEP_SECONDS), LONGEST_SLEEP_SECONDS)
