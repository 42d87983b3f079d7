"""How many releases of one process may wait for an STS at once, so that a thread is left for everybody else.

With ``trust: oidc``, RAM fetches our keys before it answers, and perhaps from this very process. Were all its threads
waiting for STS, STS would wait for us, until every deadline is over: after a cold start, nobody would get anything.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from bridge.errors import ExchangeCrowded

PATIENCE_SECONDS = 0.5
"""Some answers of STS: in a busy minute a place is free sooner."""
RETRY_SECONDS = 2


class WaitingRoom:
    """A number of places, shared by all threads of a process."""

    def __init__(self, places: int) -> None:
        """Take how many may wait at once."""
        self._free = places
        self._stuck = False
        """Somebody waited in vain, and no place has become free since: who comes now need not wait as well."""
        self._changed = threading.Condition()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place while the block runs.

        Raises:
            ExchangeCrowded: no place becomes free soon.
        """
        self._enter()
        try:
            yield
        finally:
            self._leave()

    def _enter(self) -> None:
        with self._changed:
            if self._free == 0 and not self._stuck:
                self._stuck = not self._changed.wait_for(lambda: self._free > 0, PATIENCE_SECONDS)
            if self._free == 0:
                raise ExchangeCrowded("as many releases as this process has places for wait for STS", RETRY_SECONDS)
            self._free -= 1

    def _leave(self) -> None:
        with self._changed:
            self._free += 1
            self._stuck = False
            self._changed.notify()
