"""What is refused over and over is counted, so that a flood fills neither the disk nor the auditor's page."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from bridge.addresses import find_customer
from bridge.audit.events import Event, Origin, RepeatedRefusals
from bridge.audit.record import format_time

PERIOD_SECONDS = 60.0
MOST_SOURCES = 10_000
"""How many kinds and sources are counted within a minute. Of more, each refusal has its record."""

_Key: TypeAlias = tuple[str, str, str, str, str, str, str]


@dataclass
class _Count:
    source_address: str
    since: datetime
    times: int = 0


class Repetitions:
    """Counts refusals by kind and source. Nothing is released by a refusal, so it need not be recorded first."""

    def __init__(self, per_minute: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Take how many of a kind and source are recorded one by one in a minute; 0: all. And what measures the minute.

        Counts are of one process, and those of a process that is killed are lost, of less than a minute. One that is
        told to end sums them up first.
        """
        self._per_minute = per_minute
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._ends_at = 0.0
        self._counts: dict[_Key, _Count] = {}

    def count(self, origin: Origin, event: Event, now: datetime) -> bool:
        """Return whether the refusal is one of too many: it is counted then, and needs no record of its own."""
        if not self._per_minute or not event.refused or not origin.source_address:
            return False
        key = _find_key(origin, event)
        with self._lock:
            if not self._counts:
                self._ends_at = self._monotonic() + PERIOD_SECONDS
            if key not in self._counts and len(self._counts) >= MOST_SOURCES:
                return False
            count = self._counts.setdefault(key, _Count(origin.source_address, now))
            count.times += 1
            return count.times > self._per_minute

    def due_in(self) -> float | None:
        """Return in how many seconds something has to be summed up; None: nothing has."""
        with self._lock:
            return max(self._ends_at - self._monotonic(), 0.0) if self._counts else None

    def take(self, *, early: bool = False) -> list[tuple[Origin, Event]]:
        """Return what sums up the last minute, if it is over or with ``early``, and begin to count anew."""
        with self._lock:
            if not self._counts or (not early and self._monotonic() < self._ends_at):
                return []
            counts, self._counts = self._counts, {}
        return [
            (
                Origin("", count.source_address),
                RepeatedRefusals(
                    of_event=event,
                    code=code,
                    provider=provider,
                    action=action,
                    issuer=issuer,
                    subject=subject,
                    times=count.times - self._per_minute,
                    since=format_time(count.since),
                ),
            )
            for (event, code, provider, action, issuer, subject, _), count in counts.items()
            if count.times > self._per_minute
        ]


def _find_key(origin: Origin, event: Event) -> _Key:
    """People behind one address are not one source; an IPv6 customer's addresses are.

    Nothing of the key is free text, such as the entitlement that was asked for: a flood of different ones is one too.
    """
    names = ("code", "provider", "action", "issuer", "subject")
    code, provider, action, issuer, subject = (getattr(event, name, "") for name in names)
    return event.name, code, provider, action, issuer, subject, find_customer(origin.source_address)
