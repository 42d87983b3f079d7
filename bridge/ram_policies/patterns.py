"""Patterns of RAM's policies: ``*`` stands for any text, ``?`` for one character."""

import re
from collections.abc import Callable, Iterable, Sequence

_WILD_RUN = re.compile(r"[*?]*\*[*?]*")


def normalise(pattern: str) -> str:
    """Return the pattern with each run of wildcards in one order: what means the same is written the same."""
    return _WILD_RUN.sub(lambda run: "?" * run[0].count("?") + "*", pattern)


def is_pattern(text: str) -> bool:
    """Tell whether a text has a wildcard."""
    return "*" in text or "?" in text


def compile_patterns(patterns: Iterable[str], *, fold_case: bool = False) -> re.Pattern[str]:
    """Return what matches whole texts that fit one of the patterns, in linear time for each pattern.

    It may be given a pattern instead of a text: then it matches only where every text that fits that one fits, since
    nothing but a ``*`` takes a ``*``. So ``ecs:*`` matches ``ecs:Describe*``, and ``ecs:?`` does not match ``ecs:*``.
    """
    expression = "|".join(f"(?:{_translate(normalise(pattern))})" for pattern in patterns) or "(?!)"
    return re.compile(expression, re.DOTALL | (re.IGNORECASE if fold_case else 0))


def compile_quickly(patterns: Sequence[str], *, fold_case: bool = False) -> Callable[[str], bool]:
    """Return what tells of whole texts, none of them a pattern, whether they fit one of the patterns.

    Nearly all patterns are texts, or texts with one star behind: they are compared without a regular expression.
    """
    folded = [each.lower() for each in patterns] if fold_case else patterns
    texts = frozenset(each for each in folded if not is_pattern(each))
    starts = tuple(each[:-1] for each in folded if each[-1:] == "*" and not is_pattern(each[:-1]))
    others = [each for each in folded if each not in texts and not (each[-1:] == "*" and each[:-1] in starts)]
    slow = compile_patterns(others) if others else None

    def fits(text: str) -> bool:
        text = text.lower() if fold_case else text
        return text in texts or text.startswith(starts) or (slow is not None and slow.fullmatch(text) is not None)

    return fits


def _translate(pattern: str) -> str:
    """Each part between two stars is taken where it first fits: a later place would not help, and costs time."""
    start, *others = (re.escape(part).replace(r"\?", "[^*]") for part in pattern.split("*"))
    if not others:
        return start
    return f"{start}{''.join(f'(?>.*?{part})' for part in others[:-1])}.*{others[-1]}"


def overlap(one: str, other: str) -> bool:
    """Tell whether some text fits both patterns."""
    reached = {0}
    for character in one:
        reached = _skip_stars(other, reached)
        if character == "*":
            reached = set(range(min(reached), len(other) + 1)) if reached else reached
            continue
        reached = {
            place if other[place] == "*" else place + 1
            for place in reached
            if place < len(other) and (other[place] in {"*", "?", character} or character == "?")
        }
        if not reached:
            return False
    return len(other) in _skip_stars(other, reached)


def _skip_stars(pattern: str, places: set[int]) -> set[int]:
    """Return the places with those behind stars, which may stand for nothing."""
    found = set(places)
    for place in places:
        while place < len(pattern) and pattern[place] == "*":
            place += 1  # noqa: PLW2901 - walks on from each place
            found.add(place)
    return found


def exemplify(pattern: str, filling: str) -> str:
    """Return a text that fits the pattern, with ``filling`` for each star."""
    return pattern.replace("*", filling).replace("?", "x")


def join(one: str, other: str) -> str | None:
    """Return a text that fits both patterns, found by their beginnings and ends alone; None where that finds none."""
    if not (is_pattern(one) and is_pattern(other)):
        return None
    starts = sorted((_head(one), _head(other)), key=len)
    ends = sorted((_head(one[::-1])[::-1], _head(other[::-1])[::-1]), key=len)
    if not (starts[1].startswith(starts[0]) and ends[1].endswith(ends[0])):
        return None
    text = f"{starts[1]}-any-{ends[1]}"
    fits = all(compile_patterns([each]).fullmatch(text) for each in (one, other))
    return text if fits else None


def _head(pattern: str) -> str:
    return re.split(r"[*?]", pattern, maxsplit=1)[0]
