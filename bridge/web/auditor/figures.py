"""One figure with its name, and where what it counts is found; moments as pages have them."""

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Figure:
    """A figure of a page."""

    title: str
    count: int | None
    """None: not known."""
    href: str = ""
    note: str = ""
    tone: str = ""
    """``bad`` or ``warn`` where somebody should look."""


def show_moment(microseconds: int | None) -> str:
    """Return a moment (microseconds since 1970, UTC) to the minute; nothing for None."""
    if microseconds is None:
        return ""
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M")
