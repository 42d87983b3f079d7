"""The ten questions that auditors ask most, by name. Each is one search, or one table of counts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from bridge.audit.search.query import Search


@dataclass(frozen=True)
class Question:
    """A question that a page offers."""

    name: str
    """Stable, for addresses: ``privileged-without-mfa``."""
    words: str
    """As a page shows it: “Privileged sign-ins without a second factor, last 7 days”."""
    asks_for: str
    """The field of :class:`Search` that has to be filled in first; empty: none."""
    explanation: str
    """One sentence: what is shown, and what it does not mean."""
    build: Callable[[datetime, str], Search]
    """Takes this moment (UTC) and what was filled in (empty where nothing is asked for)."""


QUESTIONS: Mapping[str, Question] = {}
"""By name, in the order in which a page shows them."""
