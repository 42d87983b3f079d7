"""The time, as something that can be handed in.

Nothing else in Rambridge asks the operating system what time it is, so a test can stand at any moment.
"""

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where a stage gets the time from."""

    def now(self) -> datetime:
        """Return the current moment as an aware ``datetime`` in UTC."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """Return the current moment as an aware ``datetime`` in UTC."""
        return datetime.now(UTC)


def format_utc(moment: datetime) -> str:
    """Write a moment as ``YYYY-MM-DDTHH:MM:SSZ``: UTC, whole seconds, the form that SAML, STS and SDKs share."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def format_microseconds(moment: int) -> str:
    """Write microseconds since 1970 as :func:`format_utc` does; what is less than a second is cut off."""
    return format_utc(datetime.fromtimestamp(moment // 1_000_000, UTC))
