"""A circuit breaker for each account: an STS that is down is left alone, and nobody waits for it.

Closed, every release asks STS. After some failures in a row it opens: for a while nobody asks, and everybody is told
at once when to come back. Then one release, and only one, tries; if it gets an answer the breaker closes, else it stays
open for longer. It belongs to one process and needs nothing to recover but time.
"""

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from bridge.errors import ExchangeError, ExchangePaused, ExchangeUnavailable

FAILURES = 5
FIRST_REST_SECONDS = 10.0
LARGEST_REST_SECONDS = 60.0

State = Literal["closed", "open", "half-open"]

_LOG = logging.getLogger(__name__)


class Breaker:
    """Whether an account's STS is asked at the moment."""

    def __init__(self, account: str, now: Callable[[], float] = time.monotonic) -> None:
        """Take the account's name, for the log, and what counts seconds."""
        self._account = account
        self._now = now
        self._lock = threading.Lock()
        self._failures = 0
        self._rest_seconds = FIRST_REST_SECONDS
        self._rests_until: float | None = None
        self._probing = False

    @property
    def state(self) -> State:
        """Return the state: ``closed`` asks, ``open`` does not, ``half-open`` would let one release try."""
        with self._lock:
            if self._rests_until is None:
                return "closed"
            return "open" if self._now() < self._rests_until else "half-open"

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Run a call of STS, and learn from how it ends.

        Only ExchangeUnavailable counts against STS. Who refuses or answers wrongly is there.

        Raises:
            ExchangePaused: STS is not asked at the moment.
        """
        probes = self._admit()
        try:
            yield
        except ExchangeUnavailable as failure:
            self._note_failure(failure, probes=probes)
            raise
        except ExchangeError:
            self._note_answer()
            raise
        else:
            self._note_answer()
        finally:
            if probes:
                with self._lock:
                    self._probing = False

    def _admit(self) -> bool:
        """Return whether this call is the one that tries; raise if it may not be made."""
        with self._lock:
            if self._rests_until is None:
                return False
            left = self._rests_until - self._now()
            if left > 0 or self._probing:
                seconds = max(1, math.ceil(left))
                raise ExchangePaused(f"STS of {self._account} failed and is asked again in {seconds} s", seconds)
            self._probing = True
            return True

    def _note_failure(self, failure: ExchangeUnavailable, *, probes: bool) -> None:
        with self._lock:
            self._failures += 1
            if self._failures < FAILURES or (self._rests_until is not None and not probes):
                return
            rest = max(self._rest_seconds, min(failure.retry_after_seconds or 0, LARGEST_REST_SECONDS))
            self._rests_until = self._now() + rest
            self._rest_seconds = min(LARGEST_REST_SECONDS, self._rest_seconds * 2)
            count = self._failures
        _LOG.warning("STS of account %s failed %d times in a row: not asked for %.0f s", self._account, count, rest)

    def _note_answer(self) -> None:
        with self._lock:
            was_open = self._rests_until is not None
            self._failures, self._rest_seconds, self._rests_until = 0, FIRST_REST_SECONDS, None
        if was_open:
            _LOG.warning("STS of account %s answers again", self._account)
