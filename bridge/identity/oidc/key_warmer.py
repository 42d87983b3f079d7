"""The threads that have every provider's metadata and keys ready before somebody needs them, one for each provider.

A provider may have one worker alone, and wait in it for our answer to its logout token: keys that we fetched then would
never come. Nor should the first person of the morning wait. What these threads cannot get is fetched when it is needed.
"""

import logging
import threading
from collections.abc import Iterable
from typing import Protocol

from bridge.errors import IdentityError
from bridge.identity.providers import OIDCProvider

_logger = logging.getLogger(__name__)

AGAIN_AFTER_SECONDS = 45 * 60.0
"""Less than copies are used without looking again."""
RETRY_AFTER_SECONDS = 15.0
LONGEST_RETRY_SECONDS = 300.0


class Warmable(Protocol):
    """Something that looks up a provider's keys."""

    provider: OIDCProvider

    def warm(self) -> None:
        """Have the provider's metadata and keys ready. Raises a leaf of IdentityError if they cannot be had."""
        ...


class KeyWarmer:
    """Fetches at the start and then again and again, less often while that fails."""

    def __init__(self, parties: Iterable[Warmable]) -> None:
        """Take whose providers to ask. Nothing is fetched yet."""
        self._parties = tuple(parties)
        self._stopped = threading.Event()

    def start(self) -> None:
        """Begin; nobody waits."""
        for party in self._parties:
            threading.Thread(target=self._run, args=(party,), name=f"keys {party.provider.name}", daemon=True).start()

    def stop(self) -> None:
        """Ask nobody any more."""
        self._stopped.set()

    def _run(self, party: Warmable) -> None:
        wait = RETRY_AFTER_SECONDS
        while not self._stopped.is_set():
            if _warm(party):
                wait = RETRY_AFTER_SECONDS
                self._stopped.wait(AGAIN_AFTER_SECONDS)
            else:
                self._stopped.wait(wait)
                wait = min(wait * 2, LONGEST_RETRY_SECONDS)


def _warm(party: Warmable) -> bool:
    """Return whether metadata and keys are there."""
    name = party.provider.name
    try:
        party.warm()
    except IdentityError as error:
        _logger.warning("the keys of %s are not there yet: %s: %s", name, error.code, error.detail)
    except Exception as error:  # noqa: BLE001  nobody would start the thread again
        _logger.error("fetching the keys of %s failed: %s", name, type(error).__name__)  # noqa: TRY400
    else:
        return True
    return False
