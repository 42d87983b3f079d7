"""One figure with its name, and where what it counts is found."""

from dataclasses import dataclass


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
