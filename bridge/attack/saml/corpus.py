"""How a hostile case is written down: one function that spoils one thing in a valid message, and the error it must get.

The valid message, unspoiled, is the case's twin: it must be accepted, so that nothing else can be what is refused.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bridge.attack.saml.messages import Draft
from bridge.errors import IdentityError

CASES: list["Case"] = []


@dataclass(frozen=True)
class Case:
    """One hostile message."""

    id: str
    error: type[IdentityError]
    spoil: Callable[[Draft], None]
    settings: Mapping[str, Any]

    def draft(self) -> Draft:
        """Return the valid message that this case spoils."""
        return Draft(**{name: value() if callable(value) else value for name, value in self.settings.items()})


def hostile(threat: str, error: type[IdentityError], **settings: Any) -> Callable[[Any], Any]:
    """Register a function as a hostile case; ``settings`` make the valid message (a callable is called for each)."""

    def register(spoil: Any) -> Any:
        CASES.append(Case(f"T-{threat}[{spoil.__name__}]", error, spoil, settings))
        return spoil

    return register


def hostile_table(
    threat: str, error: type[IdentityError], rows: Mapping[str, Any], **settings: Any
) -> Callable[[Any], Any]:
    """Register one case for each named row: near misses that one function spoils with different values."""

    def register(spoil: Any) -> Any:
        for name, value in rows.items():

            def spoil_with(draft: Draft, value: Any = value) -> None:
                spoil(draft, value)

            CASES.append(Case(f"T-{threat}[{spoil.__name__}:{name}]", error, spoil_with, settings))
        return spoil

    return register
