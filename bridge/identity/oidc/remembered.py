"""A document of somebody else's that is fetched rarely, by one thread at a time, and survives a failed refresh."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from bridge.clock import Clock
from bridge.errors import IdentityError, OIDCKeyLeaked, ProviderUnavailable

FRESH_FOR = timedelta(hours=1)
"""How long a copy is used without looking again."""
KEPT_FOR = timedelta(hours=24)
"""How long the last good copy is used while looking again fails."""
PAUSE_WITHOUT_COPY = timedelta(seconds=5)
PAUSE_WITH_COPY = timedelta(seconds=60)
"""How long a failure is believed before the next attempt: a provider that is down costs one thread, not all."""

T = TypeVar("T")


@dataclass(frozen=True)
class _Copy(Generic[T]):
    value: T
    fetched_at: datetime


@dataclass(frozen=True)
class _Failure:
    error: IdentityError
    at: datetime


class Remembered(Generic[T]):
    """The last good copy of what ``fetch`` returns; shared by all threads."""

    def __init__(self, fetch: Callable[[], T], clock: Clock) -> None:
        """Take the function that fetches, checks and parses: it raises an ``IdentityError`` where it cannot."""
        self._fetch = fetch
        self._clock = clock
        self._fetching = threading.Lock()
        self._copy: _Copy[T] | None = None
        self._failure: _Failure | None = None

    def get(self) -> T:
        """Return a copy of the last hour, or else the last good one of the last day.

        Where there is no copy all callers wait for one fetch; where there is one, only the caller that refreshes
        it waits.

        Raises:
            IdentityError: what ``fetch`` raised, where no copy is left to use.
        """
        copy = self._copy
        if copy is not None and self._age(copy.fetched_at) <= FRESH_FOR:
            return copy.value
        if self._fetching.acquire(blocking=not self._is_usable(copy)):
            try:
                self._refresh(FRESH_FOR)
            finally:
                self._fetching.release()
        return self._last_good()

    def get_newer(self, than: timedelta) -> T:
        """Return a copy that is no older than ``than``, or else the last good one; wait for a refresh under way.

        Raises:
            IdentityError: what ``fetch`` raised, where no copy is left to use.
        """
        with self._fetching:
            self._refresh(than)
        return self._last_good()

    def _refresh(self, fresh_for: timedelta) -> None:
        """Fetch, unless another thread did so while this one waited, or failed a moment ago."""
        copy, failure = self._copy, self._failure
        if copy is not None and self._age(copy.fetched_at) <= fresh_for:
            return
        pause = PAUSE_WITH_COPY if self._is_usable(copy) else PAUSE_WITHOUT_COPY
        if failure is not None and self._age(failure.at) < pause:
            return
        try:
            self._copy = _Copy(self._fetch(), self._clock.now())
            self._failure = None
        except IdentityError as error:
            self._failure = _Failure(error, self._clock.now())
            if isinstance(error, OIDCKeyLeaked):
                self._copy = None

    def _last_good(self) -> T:
        copy, failure = self._copy, self._failure
        if copy is not None and self._is_usable(copy):
            return copy.value
        if failure is None:
            raise ProviderUnavailable("the last good copy is too old")
        raise type(failure.error)(failure.error.detail) from failure.error

    def _is_usable(self, copy: _Copy[T] | None) -> bool:
        return copy is not None and self._age(copy.fetched_at) <= KEPT_FOR

    def _age(self, moment: datetime) -> timedelta:
        # A clock that was set back must not make a copy, or a failure, last longer.
        return abs(self._clock.now() - moment)
