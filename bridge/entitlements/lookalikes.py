"""How two texts that are not equal differ, where people would take one for the other.

Only for explanations: what is compared in a decision is compared exactly, see ``matching.py``. The table of letters is
a part of Unicode's confusables (UTS 39): Cyrillic, Greek and other letters that look like a Latin one.
"""

# ruff: noqa: RUF001  ambiguous letters are what this is about

import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import Literal, TypeAlias

from bridge.entitlements.matching import INVISIBLE_CATEGORIES, INVISIBLE_LETTERS
from bridge.language import list_texts, translate

Difference: TypeAlias = Literal["case", "blanks", "invisible", "unicode form", "look-alike"]

_LIKES = str.maketrans(
    "АВЕЅІЈКМНОРСТУХаесһіјѕорухԁԛԝҮցӏΑΒΕΖΗΙΚΜΝΟΡΤΥΧαινορυϲıɡɑ‐‑‒–—−ʼ’",
    "ABESIJKMHOPCTYXaechijsopyxdqwYglABEZHIKMNOPTYXaivopuciga------''",
)
MAX_SHOWN_CHARACTERS = 80


def quote(text: str) -> str:
    """Return a text from outside for people to read: in one line, without what one cannot see, and cut."""
    cut = text[:MAX_SHOWN_CHARACTERS]
    return f"`{make_visible(cut)}{'…' if len(text) > len(cut) else ''}`"


def make_visible(text: str) -> str:
    """Return a text with a name in the place of each character that one cannot see, or that moves others."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else f"<U+{ord(letter):04X}>" for letter in text)


@lru_cache(maxsize=65_536)
def fold(text: str) -> str:
    """Return what is left of a text without all differences that are told apart here: equal for two that look alike."""
    for change in _CHANGES.values():
        text = change(text)
    return text


def find_differences(sent: str, wanted: str) -> tuple[Difference, ...]:
    """Return in what two texts differ that fold to the same; the one difference, where one alone explains it."""
    for name, change in _CHANGES.items():
        if change(sent) == change(wanted):
            return (name,)
    return tuple(name for name in _CHANGES if not _are_equal_without(sent, wanted, name))


def describe_differences(sent: str, wanted: str) -> str:
    """Return the same in words that go on after the text that was sent."""
    return list_texts(_describe(name, sent, wanted) for name in find_differences(sent, wanted))


def _describe(name: Difference, sent: str, wanted: str) -> str:
    match name:
        case "case":
            return translate("differs in case")
        case "blanks" if sent != sent.strip():
            return translate("has blanks around it")
        case "blanks":
            return translate("has other blanks")
        case "unicode form":
            return translate("is not in Unicode normal form C")
        case "invisible":
            strange = _name_first(sent, lambda letter: not _drop_invisible(letter))
            return translate("holds an invisible character, %(letter)s", letter=strange)
        case "look-alike":
            strange = _name_first(sent, lambda letter: letter not in wanted and _look_alike(letter) != letter)
            return translate("holds a look-alike letter, %(letter)s", letter=strange)


def _name_first(text: str, is_meant: Callable[[str], bool]) -> str:
    letter = next((each for each in text if is_meant(each)), text[:1])
    return f"U+{ord(letter):04X} {unicodedata.name(letter, '')}".rstrip()


def _are_equal_without(sent: str, wanted: str, left_out: Difference) -> bool:
    for name, change in _CHANGES.items():
        if name != left_out:
            sent, wanted = change(sent), change(wanted)
    return sent == wanted


def _drop_invisible(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        letter
        for letter in text
        if letter in "\t\n\r"
        or (unicodedata.category(letter) not in INVISIBLE_CATEGORIES and letter not in INVISIBLE_LETTERS)
    )


def _compose(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _join_blanks(text: str) -> str:
    return " ".join(text.split())


def _look_alike(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFKC", text).translate(_LIKES)


_CHANGES: dict[Difference, Callable[[str], str]] = {
    "invisible": _drop_invisible,
    "unicode form": _compose,
    "blanks": _join_blanks,
    "look-alike": _look_alike,
    "case": str.casefold,
}
