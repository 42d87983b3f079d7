"""Which language the command speaks, and click's own words in it."""

import gettext
import io
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from bridge.language import ENGLISH, LANGUAGES, mark, speaking, translate, understand

CLICK_WORDS = (
    mark("Aborted!"),
    mark("Choose from:\n\t{choices}"),
    mark("Did you mean {possibility}?"),
    mark("(Did you mean one of: {possibilities}?)"),
    mark("Error: {message}"),
    mark("Got unexpected extra argument ({args})"),
    mark("Got unexpected extra arguments ({args})"),
    mark("Invalid value for {param_hint}: {message}"),
    mark("Missing command."),
    mark("No such command {name!r}."),
    mark("No such option {name!r}."),
    mark("Option {name!r} does not take a value."),
    mark("Option {name!r} requires an argument."),
    mark("Options"),
    mark("Try '{command} {option}' for help."),
    mark("default: {default}"),
    mark("env var: {var}"),
    mark("file"),
    mark("{name} {filename!r} is a directory."),
    mark("{value!r} is not a valid {number_type}."),
    mark("{value!r} is not one of {choices}."),
    mark("{value} is not in the range {range}."),
)
"""What click itself says to people, in its words: a test finds those that are missing."""


def find_language(environment: Mapping[str, str]) -> str:
    """Return the language of LANGUAGES that a terminal is to read.

    ``RAMBRIDGE_LANGUAGE`` decides, else what gettext asks: the list in ``LANGUAGE``, then the first of ``LC_ALL``,
    ``LC_MESSAGES`` and ``LANG`` that is set; if that is ``C``, it alone. English for any other language, and where
    standard output or standard error cannot show the one that is wanted.
    """
    found = next(filter(None, map(understand, _list_wanted(environment))), ENGLISH)
    return found if all(_can_show(LANGUAGES[found], stream) for stream in (sys.stdout, sys.stderr)) else ENGLISH


@contextmanager
def speaking_here() -> Iterator[None]:
    """Speak the language of this terminal, and let click speak it as well."""
    language = find_language(os.environ)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names are in any script, whatever the terminal shows
    with speaking(language), _click_asking_us():
        yield


def _list_wanted(environment: Mapping[str, str]) -> list[str]:
    if environment.get("RAMBRIDGE_LANGUAGE"):
        return [environment["RAMBRIDGE_LANGUAGE"]]
    locale = next(filter(None, map(environment.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), "C")
    if locale.partition(".")[0] in ("C", "POSIX"):
        return []
    return [*environment.get("LANGUAGE", "").split(":"), locale]


def _can_show(text: str, stream: object) -> bool:
    try:
        text.encode(getattr(stream, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


@contextmanager
def _click_asking_us() -> Iterator[None]:
    """Answer what is asked of ``gettext``, which has no other way in.

    It finds a catalogue by the environment alone, in folders of its own layout: to choose the language we would have
    to set ``LANGUAGE``, for every program that we start as well.
    """
    before = gettext.dgettext, gettext.dngettext
    gettext.dgettext = lambda domain, message: translate(message)  # noqa: ARG005  called by position
    gettext.dngettext = lambda domain, msgid1, msgid2, n: translate(msgid1 if n == 1 else msgid2)  # noqa: ARG005
    try:
        yield
    finally:
        gettext.dgettext, gettext.dngettext = before
