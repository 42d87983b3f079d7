"""Names that are partly taken from claims: ``ext-${ claims.uid }``.

A person's claims decide a part of a name here, so each part must be a plain name by itself: no separator, wildcard
or further placeholder survives (threat MAP-03). Nothing is expanded twice.
"""

import re
from dataclasses import dataclass

from bridge.entitlements.expressions import Expression, ExpressionInvalid, Variables, compile_text

_PLACEHOLDER = re.compile(r"\$\{([^{}]*)\}")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


@dataclass(frozen=True)
class Template:
    """A name, or the parts that make one."""

    text: str
    """As it was written."""
    parts: tuple[str | Expression, ...]

    def expand(self, variables: Variables) -> tuple[str | None, str]:
        """Return the name for these variables, or None and why there is none."""
        name = ""
        for part in self.parts:
            if isinstance(part, str):
                name += part
                continue
            value, reason = part.read_text(variables)
            if value is None:
                return None, f"{self.text} has no value: {reason}"
            if not _NAME.fullmatch(value):
                return None, f"{self.text} is not a plain name: letters, digits, `.`, `_` and `-`, at most 64"
            name += value
        return (name, "") if _NAME.fullmatch(name) else (None, f"{self.text} is not a plain name of at most 64")

    @property
    def is_literal(self) -> bool:
        """Whether the name is the same for everybody."""
        return all(isinstance(part, str) for part in self.parts)


def compile_template(text: str) -> Template:
    """Return the checked template.

    Raises:
        ExpressionInvalid: a placeholder holds no valid expression, or the rest is not made of name characters.
    """
    parts: list[str | Expression] = []
    end = 0
    for match in _PLACEHOLDER.finditer(text):
        _check_literal(text[end : match.start()], end)
        parts.append(text[end : match.start()])
        try:
            parts.append(compile_text(match[1]))
        except ExpressionInvalid as error:
            raise ExpressionInvalid(error.message, 1, match.start(1) + error.column) from error
        end = match.end()
    _check_literal(text[end:], end)
    parts.append(text[end:])
    return Template(text, tuple(part for part in parts if part))


def _check_literal(text: str, offset: int) -> None:
    if text and not _NAME.fullmatch(text):
        raise ExpressionInvalid("this is not a plain name, nor a `${ … }` placeholder", 1, offset + 1)
