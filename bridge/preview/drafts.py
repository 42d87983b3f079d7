"""Rules that are not in force and that one may want to try."""

from collections.abc import Callable
from dataclasses import dataclass

from bridge.entitlements.rules import RuleFiles
from bridge.language import Said


@dataclass(frozen=True)
class Draft:
    """Something to choose from."""

    key: str
    """Names it in an address."""
    title: Said
    load: Callable[[], RuleFiles]
    """Reads the files now. Raises a ``BridgeError`` if they cannot be had."""
