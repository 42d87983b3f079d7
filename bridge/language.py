"""What people read, in their language. English stands in the code; bridge/words/ has the other languages.

What is kept, recorded or read by programs is never translated: it is made while English is spoken, or of codes.
"""

import gettext
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path

ENGLISH = "en"
LANGUAGES = {ENGLISH: "English", "zh-CN": "简体中文"}
"""Each language that is complete, by its tag (BCP 47), as its readers call it."""

_WORDS = Path(__file__).with_name("words")
_spoken: ContextVar[str] = ContextVar("language", default=ENGLISH)


def mark(message: str) -> str:
    """Return the message as it is: ``make words`` finds it by this call, and ``translate`` is given it later."""
    return message


def translate(message: str, **values: object) -> str:
    """Return the message in the language that is spoken, with its ``%(name)s`` places filled in."""
    text = _read(_spoken.get()).gettext(message)
    return text % values if values else text


def translate_number(one: str, many: str, number: int, **values: object) -> str:
    """Return ``one`` or ``many``, as the language wants it for ``number``, which both may hold as ``%(number)s``."""
    return _read(_spoken.get()).ngettext(one, many, number) % {"number": number, **values}


def spoken() -> str:
    """Return the tag of the language that is spoken here."""
    return _spoken.get()


def speak(language: str) -> None:
    """Speak a language of LANGUAGES from here on, in this thread or task."""
    if language not in LANGUAGES:
        raise ValueError(language)
    _spoken.set(language)


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Speak a language of LANGUAGES for a while."""
    before = _spoken.get()
    speak(language)
    try:
        yield
    finally:
        _spoken.set(before)


def understand(tag: str) -> str | None:
    """Return the language of LANGUAGES that a tag or locale such as ``zh-Hans-CN`` or ``en_GB.UTF-8`` means.

    Traditional Chinese is answered in Simplified: its readers understand that better than English.
    """
    wanted = tag.replace("_", "-").split(".", 1)[0].split("-", 1)[0].lower()
    return next((language for language in LANGUAGES if language.split("-", 1)[0] == wanted), None)


@cache
def _read(language: str) -> gettext.NullTranslations:
    if language == ENGLISH:
        return gettext.NullTranslations()
    with (_WORDS / f"{language}.mo").open("rb") as file:
        return gettext.GNUTranslations(file)
