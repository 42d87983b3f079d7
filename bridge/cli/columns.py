"""Text in a terminal's columns, of which a Chinese character takes two."""

import re
import shutil
import unicodedata
from typing import TextIO

_MAY_NOT_BEGIN = "，。、；：？！）》」』”’…,.;:?!)"  # noqa: RUF001  those of Chinese
_MAY_NOT_END = "（《「『“‘("  # noqa: RUF001

_TOGETHER = re.compile(r"(`[^`]+`|\[[^]]+])")


def width(text: str) -> int:
    """Return how many columns a text takes in a terminal (Unicode TR 11)."""
    return sum(0 if unicodedata.combining(letter) else 2 if is_wide(letter) else 1 for letter in text)


def is_wide(letter: str) -> bool:
    """Return whether a character takes two columns."""
    return unicodedata.east_asian_width(letter) in "WF"


def pad(text: str, columns: int) -> str:
    """Return a text with so many blanks that it takes ``columns``."""
    return text + " " * (columns - width(text))


def find_columns(stream: TextIO) -> int | None:
    """Return how many columns the terminal has that a stream goes to; None where it goes elsewhere."""
    return shutil.get_terminal_size().columns if stream.isatty() else None


def fill(text: str, columns: int) -> str:
    """Return a text in lines of at most ``columns``; a word that is longer has a line of its own.

    A line ends at a blank, or beside a wide character; no line begins with what closes, or ends with what opens. What
    stands in brackets or backticks stays together.
    """
    lines, line = [], ""
    for piece in _split(text):
        if line and width(line + piece.rstrip()) > columns:
            lines.append(line.rstrip())
            line = ""
        line += piece
    return "\n".join([*lines, line.rstrip()])


def _split(text: str) -> list[str]:
    """Return the pieces that may stand in lines of their own; a blank belongs to what it follows."""
    pieces: list[str] = []
    for part in _TOGETHER.split(" ".join(text.split())):
        for unit in [part] if _TOGETHER.fullmatch(part) else part:
            if pieces and not _may_break(pieces[-1][-1], unit[0]):
                pieces[-1] += unit
            else:
                pieces.append(unit)
    return pieces


def _may_break(before: str, after: str) -> bool:
    if after == " " or after in _MAY_NOT_BEGIN or before in _MAY_NOT_END:
        return False
    return before == " " or is_wide(before) or is_wide(after)
