"""From signals to alerts: one alert for whatever belongs together, and its end.

The first signal of a kind about something opens an alert, or the one that makes a burst of them; those that follow are
counted in it; and it ends when none has come for a while. It follows from the signals alone, so whoever reads the same
records again comes to the same.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.audit.alerts.rules import Kind, Signal

MAX_PENDING = 1_000
"""About how many different things signals are counted that are no alert yet."""


@dataclass(frozen=True)
class Threshold:
    """What makes an alert of signals."""

    count: int = 1
    """How many of them."""
    within: int = 600_000_000
    """In how long, in microseconds; and the alert ends when there was none for so long."""


@dataclass
class Alert:
    """Something that somebody should look at."""

    kind: Kind
    about: str
    first: int
    """The first signal; microseconds since 1970, UTC, as all times here."""
    last: int
    count: int
    position: int | None
    """The first record."""
    last_position: int | None
    facts: Mapping[str, str]
    ended: int | None = None
    number: int = 0
    """Its row; 0: not stored yet."""
    changed: bool = True


@dataclass
class Counting:
    """The alerts that are open, and the signals that may become one."""

    thresholds: Mapping[Kind, Threshold]
    open: dict[tuple[Kind, str], Alert] = field(default_factory=dict)
    pending: dict[tuple[Kind, str], list[tuple[int, int, int | None, Mapping[str, str]]]] = field(default_factory=dict)
    """For each, time, weight, position and facts of the signals within the time that counts."""
    closed: list[Alert] = field(default_factory=list)

    def take(self, signals: Iterable[Signal]) -> None:
        """Count signals, in the order of the log."""
        for signal in signals:
            key, threshold = (signal.kind, signal.about), self.thresholds.get(signal.kind, Threshold())
            alert = self.open.get(key)
            if alert is not None and signal.time - alert.last > threshold.within:
                self._close(key, alert, threshold)
                alert = None
            if alert is not None:
                alert.last, alert.count = max(alert.last, signal.time), alert.count + signal.weight
                alert.last_position = signal.position if signal.position is not None else alert.last_position
                alert.changed = True
                continue
            self._add_pending(key, signal, threshold)

    def close_over(self, now: int) -> None:
        """End the alerts of which nothing has been heard for long enough."""
        for key, alert in list(self.open.items()):
            threshold = self.thresholds.get(key[0], Threshold())
            if now - alert.last > threshold.within:
                self._close(key, alert, threshold)

    def dump(self) -> list[list[Any]]:
        """Return what is pending as JSON can hold it."""
        return [[*key, [list(entry) for entry in entries]] for key, entries in self.pending.items()]

    def load(self, dumped: Iterable[Any]) -> None:
        """Take back what :meth:`dump` returned."""
        self.pending = {(kind, about): [tuple(entry) for entry in entries] for kind, about, entries in dumped}

    def _add_pending(self, key: tuple[Kind, str], signal: Signal, threshold: Threshold) -> None:
        entries = [entry for entry in self.pending.pop(key, []) if signal.time - entry[0] <= threshold.within]
        entries.append((signal.time, signal.weight, signal.position, dict(signal.facts)))
        count = sum(entry[1] for entry in entries)
        if count >= threshold.count:
            first = entries[0]
            last = max(entry[0] for entry in entries)
            self.open[key] = Alert(*key, first[0], last, count, first[2], signal.position, first[3])
            return
        self.pending[key] = entries[-threshold.count :]
        while len(self.pending) > MAX_PENDING:
            del self.pending[next(iter(self.pending))]

    def _close(self, key: tuple[Kind, str], alert: Alert, threshold: Threshold) -> None:
        alert.ended, alert.changed = alert.last + threshold.within, True
        self.closed.append(alert)
        del self.open[key]
