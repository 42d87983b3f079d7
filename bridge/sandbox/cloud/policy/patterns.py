"""Patterns of policies: ``*`` stands for anything, ``?`` for one character."""

import re
from functools import lru_cache


def matches(pattern: str, text: str, *, fold_case: bool = False) -> bool:
    """Whether the text as a whole fits the pattern."""
    return _compile(pattern, fold_case).fullmatch(text) is not None


def matches_any(patterns: tuple[str, ...], text: str, *, fold_case: bool = False) -> bool:
    """Whether the text fits one of the patterns."""
    return any(matches(pattern, text, fold_case=fold_case) for pattern in patterns)


@lru_cache(maxsize=1024)
def _compile(pattern: str, fold_case: bool) -> re.Pattern[str]:  # noqa: FBT001 - private, and named by its callers
    """Translate a pattern.

    Each part between two stars is taken where it first fits and then kept: another place further on could not help,
    and trying them all would let a pattern of many stars run for ever.
    """
    start, *others = (re.escape(part).replace(r"\?", ".") for part in pattern.split("*"))
    middle = "".join(f"(?>.*?{part})" for part in others[:-1])
    expression = f"{start}{middle}.*{others[-1]}" if others else start
    return re.compile(expression, re.DOTALL | (re.IGNORECASE if fold_case else 0))
