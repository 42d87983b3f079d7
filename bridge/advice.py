"""What to do about an error code, for IT: the words of docs/errors.md, which is their only place."""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from bridge.language import translate

_PLACES = (Path(__file__).with_name("errors.md"), Path(__file__).parents[1] / "docs" / "errors.md")
"""Beside this module in an installed package, and in a clone."""
_ROW = re.compile(r"^\| `([a-z0-9_]+)` \| \d{3} \| (.+?) \| (.+?) \|$", re.MULTILINE)
_AFTER_A_SENTENCE = re.compile(r"(?<=\.) |(?<=。)")
_LINK = re.compile(r"\[([^\]]+)\]\([^)]+\)")


class Advice(NamedTuple):
    """What a code means, and what to do about it."""

    meaning: str
    remedy: str

    @property
    def in_short(self) -> str:
        """The first sentence of what it means."""
        return _AFTER_A_SENTENCE.split(self.meaning, maxsplit=1)[0]


def find_advice(code: str) -> Advice | None:
    """Return what docs/errors.md says of a code, as plain text in the language that is spoken.

    None if it does not know the code.
    """
    found = read_advice().get(code)
    return None if found is None else Advice(*map(translate, found))


@cache
def read_advice() -> dict[str, Advice]:
    """Return the whole of docs/errors.md by code, as it is written: in English."""
    document = next((path.read_text(encoding="utf-8") for path in _PLACES if path.is_file()), "")
    return {code: Advice(_plain(meaning), _plain(remedy)) for code, meaning, remedy in _ROW.findall(document)}


def _plain(text: str) -> str:
    return _LINK.sub(r"\1", text).replace("`", "").replace("*", "")
