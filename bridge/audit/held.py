"""The records of one call, held so that they are written in one step: each step waits for the disk."""

from bridge.audit.events import Event, Origin
from bridge.audit.log import AuditLog


class HeldRecords:
    """Takes what an :class:`~bridge.audit.log.AuditLog` takes, of one call; :meth:`write` comes before any release."""

    def __init__(self, log: AuditLog, origin: Origin) -> None:
        """Take the log, and where the call came from."""
        self._log = log
        self._origin = origin
        self._events: tuple[Event, ...] = ()

    def append(self, _origin: Origin, *events: Event) -> None:
        """Hold the events of the call."""
        self._events += events

    def write(self) -> None:
        """Return only when all that was held is on disk, in its order.

        Raises:
            AuditUnavailable: it is not. It is not tried again: the next one would wait for the same disk.
        """
        events, self._events = self._events, ()
        if events:
            self._log.append(self._origin, *events)
