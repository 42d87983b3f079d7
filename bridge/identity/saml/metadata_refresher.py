"""The threads that keep metadata fresh: one for each provider, so that none waits for another's server."""

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
    """Refreshes one provider's metadata when it is due, and when somebody has to wait."""

    def __init__(self, cache: MetadataCache, clock: Clock) -> None:
        """Take what to refresh."""
        self._cache = cache
        self._clock = clock
        self._woken = threading.Event()
        self._hurry = False

    def start(self) -> None:
        """Load the saved copy or the administrator's file at once; fetch in the background from now on."""
        if self._cache.is_local:
            self._cache.refresh(self._clock.now())
        else:
            self._cache.restore(self._clock.now())
        self._cache.renew_in_background(self._wake)
        threading.Thread(target=self._run, name="metadata", daemon=True).start()

    def run_due(self) -> None:
        """Refresh if it is due now."""
        hurry, self._hurry = self._hurry, False
        now = self._clock.now()
        if hurry:
            self._cache.hurry(now)
        if self._cache.due_at <= now:
            self._cache.refresh(now)

    def _wake(self) -> None:
        self._hurry = True
        self._woken.set()

    def _run(self) -> None:
        while True:
            self._woken.clear()
            _survive(self.run_due)
            wait = (self._cache.due_at - self._clock.now()).total_seconds()
            self._woken.wait(min(max(wait, SHORTEST_SLEEP_SECONDS), LONGEST_SLEEP_SECONDS))


def repeat_daily(task: Callable[[], None], caches: Sequence[MetadataCache], clock: Clock) -> None:
    """Do something when each of ``caches`` has been tried once, and then once a day."""

    def run() -> None:
        for cache in caches:
            cache.wait_for_first_attempt()
        due = clock.now()
        while True:
            if due <= clock.now():
                due = clock.now() + timedelta(days=1)
                _survive(task)
            pause.wait(LONGEST_SLEEP_SECONDS)

    pause = threading.Event()
    threading.Thread(target=run, name="metadata-daily", daemon=True).start()


def _survive(task: Callable[[], None]) -> None:
    """Do it, whatever happens: nobody would start the thread again."""
    try:
        task()
    except Exception as error:  # noqa: BLE001
        _logger.error("refreshing metadata failed: %s", type(error).__name__)  # noqa: TRY400
