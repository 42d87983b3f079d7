"""How much a change of the rules changes: what a second administrator is asked about."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from bridge.entitlements.rules import RuleSet


@dataclass(frozen=True)
class Change:
    """For how many of the people who signed in of late other rules would decide otherwise."""

    changed: int
    people: int
    """All of them."""

    @property
    def share(self) -> float:
        """Return the part of them that would change, 0 to 1; 1 where nobody is known: it may be everybody."""
        return self.changed / self.people if self.people else 1.0


MeasureChange: TypeAlias = Callable[[RuleSet, RuleSet], Change]
"""Takes the rules in force and those that are to follow. May raise a ``BridgeError`` if it cannot tell."""
