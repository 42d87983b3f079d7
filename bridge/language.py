"""What people read, in their language. English stands in the code; bridge/words/ has the other languages.

What is kept, recorded or read by programs is never translated: it is made while English is spoken, or of codes.
"""

import gettext
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, reduce
from pathlib import Path

ENGLISH = "en"
LANGUAGES = {ENGLISH: "English", "zh-CN": "简体中文"}
"""Each language that is complete, by its tag (BCP 47), as its readers call it."""

_WORDS = Path(__file__).with_name("words")
_spoken: ContextVar[str] = ContextVar("language", default=ENGLISH)


def mark(message: str) -> str:
    """Return the message as it is: ``make words`` finds it by this call, and ``translate`` is given it later."""
    return message


@dataclass(slots=True, unsafe_hash=True)
class Said:
    """A message with its values that is kept now, and read later in the language that is spoken then.

    Among the values may be others of its kind, and lists and sets of texts. Nobody changes one; it is not frozen, since
    a decision makes hundreds and freezing each doubles what they cost.
    """

    message: str
    values: tuple[tuple[str, object], ...] = ()

    def __str__(self) -> str:
        """Return the text in the language that is spoken."""
        return translate(self.message, **{name: _fill(value) for name, value in self.values})

    @property
    def english(self) -> str:
        """Return the text as it is recorded, whatever is spoken."""
        if _spoken.get() == ENGLISH:
            return str(self)
        with speaking(ENGLISH):
            return str(self)


@dataclass(slots=True, unsafe_hash=True)
class Alternatives:
    """Some texts of which one is enough, that are put into words when they are read."""

    texts: tuple[str, ...]

    def __str__(self) -> str:
        """Return them in the language that is spoken."""
        return reduce(lambda one, other: translate("%(one)s or %(other)s", one=one, other=other), self.texts)


def phrase(message: str, **values: object) -> Said:
    """Return a message that is read later; ``make words`` finds it by this call."""
    return Said(message, tuple(values.items()))


def chain(parts: Iterable[Said]) -> Said | None:
    """Return some messages as one, in their order; None of none."""
    found = tuple(parts)
    if not found:
        return None
    return reduce(lambda first, second: phrase("%(first)s; %(second)s", first=first, second=second), found)


def list_texts(texts: Iterable[str]) -> str:
    """Return some texts one after the other, with what the language that is spoken puts between them."""
    return translate(", ").join(texts)


def join_sentences(sentences: Iterable[str]) -> str:
    """Return some sentences, at least one, as one text, with what the language that is spoken puts between them."""
    return reduce(lambda first, second: translate("%(first)s %(second)s", first=first, second=second), sentences)


def write_length(seconds: float) -> str:
    """Return a length of time in whole minutes: ``1 h 30 min``; of days, ``2 d 3 h``; below a minute in seconds."""
    span = timedelta(seconds=seconds)
    hours, minutes = divmod(span.seconds // 60, 60)
    given = {"days": span.days, "hours": hours, "minutes": minutes}
    if span.days:
        return translate("%(days)s d %(hours)s h", **given) if hours else translate("%(days)s d", **given)
    if hours:
        return translate("%(hours)s h %(minutes)s min", **given) if minutes else translate("%(hours)s h", **given)
    return translate("%(minutes)s min", **given) if minutes else translate("%(seconds)s s", seconds=span.seconds)


def _fill(value: object) -> object:
    if isinstance(value, frozenset):
        return list_texts(sorted(value))
    return list_texts(map(str, value)) if isinstance(value, tuple | list) else value


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
