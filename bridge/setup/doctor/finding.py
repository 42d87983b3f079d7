"""What a check found."""

from dataclasses import dataclass
from typing import Literal

Result = Literal["ok", "warning", "failed", "skipped"]


@dataclass(frozen=True)
class Finding:
    """One check of one thing."""

    check: str
    """Which check, in a word that stays the same: scripts look for it."""
    subject: str
    """The account, key or provider that was looked at."""
    result: Result
    found: str
    """What was measured, and where it matters what was expected."""
    advice: str = ""
    """What to do; empty where nothing is."""
