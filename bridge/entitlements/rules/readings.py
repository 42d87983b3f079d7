"""Rule files that are in use, found again by their content: what has not changed is neither read nor compiled anew.

A document is kept by the rule sets that it became part of, and forgotten with the last of them. So there is nothing to
bound, and nothing that could be out of date: the content is the key, and whatever else a rule depends on is compared.
"""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from bridge.entitlements.rules.compilation import RuleDocument
    from bridge.entitlements.rules.rule_set import Rule

_in_use: "WeakValueDictionary[tuple[Path, bytes], RuleDocument]" = WeakValueDictionary()


def find_document(path: Path, content: bytes) -> "RuleDocument | None":
    """Return what was read of a file with this content, if it is in use and had no problems."""
    return _in_use.get(_key(path, content))


def keep_document(path: Path, content: bytes, document: "RuleDocument") -> None:
    """Let the document be found again for as long as somebody else keeps it."""
    _in_use[_key(path, content)] = document


def _key(path: Path, content: bytes) -> tuple[Path, bytes]:
    return path, hashlib.sha256(content).digest()


class Compiled:
    """The rules that one document came to, without problems, and what they were compiled with."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._kept: tuple[object, tuple[Rule, ...]] | None = None

    def find(self, given: object) -> "tuple[Rule, ...] | None":
        """Return the rules if they were compiled with what is equal to ``given``."""
        kept = self._kept
        return kept[1] if kept is not None and kept[0] == given else None

    def keep(self, given: object, rules: "tuple[Rule, ...]") -> None:
        """Remember the rules instead of earlier ones."""
        self._kept = given, rules
