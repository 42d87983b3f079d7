"""Names and texts that are partly taken from claims: ``ext-${ claims.uid }``.

A person's claims decide a part of a name here, so each part must be a plain name by itself: no separator, wildcard
or further placeholder survives (threat MAP-03). Nothing is expanded twice.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from bridge.entitlements.expressions import Expression, ExpressionInvalid, Variables, compile_text
from bridge.entitlements.matching import find_flaw
from bridge.language import Said, phrase

MAX_TITLE_CHARACTERS = 80
MAX_PURPOSE_CHARACTERS = 200

PLACEHOLDER = re.compile(r"\$\{([^{}]*)\}")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


@dataclass(frozen=True)
class Template:
    """A name, or the parts that make one."""

    text: str
    """As it was written."""
    parts: tuple[str | Expression, ...]

    def expand(self, variables: Variables) -> tuple[str | None, Said | None]:
        """Return the name for these variables, or None and why there is none."""
        name = ""
        for part in self.parts:
            if isinstance(part, str):
                name += part
                continue
            value, reason = part.read_text(variables)
            if value is None:
                return None, phrase("%(template)s has no value: %(reason)s", template=self.text, reason=reason)
            if not _NAME.fullmatch(value):
                return None, phrase(
                    "%(template)s is not a plain name: letters, digits, `.`, `_` and `-`, at most 64",
                    template=self.text,
                )
            name += value
        if not _NAME.fullmatch(name):
            return None, phrase("%(template)s is not a plain name of at most 64", template=self.text)
        return name, None

    @cached_property
    def is_literal(self) -> bool:
        """Whether the name is the same for everybody."""
        return all(isinstance(part, str) for part in self.parts)


@dataclass(frozen=True)
class TextTemplate:
    """A text for people, or the parts that make one. It may hold any letters, and never more than fits on a card."""

    text: str
    """As it was written."""
    parts: tuple[str | Expression, ...]
    max_characters: int

    def expand(self, variables: Variables) -> tuple[str, Said | None]:
        """Return the text for these variables, or an empty one and why there is none."""
        text = ""
        for part in self.parts:
            if isinstance(part, str):
                text += part
                continue
            value, reason = part.read_text(variables)
            if value is None:
                return "", phrase("%(template)s has no value: %(reason)s", template=self.text, reason=reason)
            flaw = find_flaw(value)
            if flaw:
                return "", phrase("%(template)s is no plain text: %(flaw)s", template=self.text, flaw=phrase(flaw))
            text += value
        if len(text) > self.max_characters:
            most = self.max_characters
            return "", phrase("%(template)s is longer than %(most)s characters", template=self.text, most=most)
        return text, None

    @cached_property
    def is_literal(self) -> bool:
        """Whether the text is the same for everybody."""
        return all(isinstance(part, str) for part in self.parts)


def compile_template(text: str) -> Template:
    """Return the checked template of a name.

    Raises:
        ExpressionInvalid: a placeholder holds no valid expression, or the rest is not made of name characters.
    """
    return Template(text, tuple(_iterate_parts(text, _check_name)))


def compile_text_template(text: str, max_characters: int) -> TextTemplate:
    """Return the checked template of a text for people.

    Raises:
        ExpressionInvalid: a placeholder holds no valid expression, or does not end.
    """
    return TextTemplate(text, tuple(_iterate_parts(text, _check_closed)), max_characters)


def _iterate_parts(text: str, check: Callable[[str, int], None]) -> Iterator[str | Expression]:
    end = 0
    for match in PLACEHOLDER.finditer(text):
        literal = text[end : match.start()]
        check(literal, end)
        if literal:
            yield literal
        try:
            yield compile_text(match[1])
        except ExpressionInvalid as error:
            raise ExpressionInvalid(error.message, 1, match.start(1) + error.column) from error
        end = match.end()
    check(text[end:], end)
    if text[end:]:
        yield text[end:]


def _check_name(text: str, offset: int) -> None:
    if text and not _NAME.fullmatch(text):
        raise ExpressionInvalid("this is not a plain name, nor a `${ … }` placeholder", 1, offset + 1)


def _check_closed(text: str, offset: int) -> None:
    if "${" in text:
        message = "`${` does not end, or holds a brace"
        raise ExpressionInvalid(message, 1, offset + text.index("${") + 1)
