"""A provider's message that an administrator shows us to have it explained, and how far it can be believed.

Nobody is signed in by it. It answers no question that is open, it may have been used before, and it is mostly too old
by now; so what is said of it is how far it passes our own checks, and everything else about it is only supposed.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from bridge.identity.verified import VerifiedIdentity

Standing: TypeAlias = Literal["verified", "verified but for its age", "UNVERIFIED"]


@dataclass(frozen=True)
class Shown:
    """Who a message is about, for an explanation alone."""

    identity: VerifiedIdentity
    """Only as true as ``standing`` says: never let anything but an explanation use it."""
    standing: Standing
    reason: str
    """Why it is not verified; empty where it is."""
    at: datetime
    """The moment to explain it for: now, or when it was issued where only its age keeps it from being accepted."""
