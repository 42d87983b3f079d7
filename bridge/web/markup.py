"""Sentences of the catalogue with HTML in their places, and lists of things in a sentence."""

from collections.abc import Iterable
from functools import reduce

from markupsafe import Markup, escape

from bridge.language import translate, translate_number


def translate_markup(message: str, **values: object) -> Markup:
    """Return what ``translate`` returns, as HTML: values are escaped, unless they are Markup."""
    # A message is ours in every language, so its own text is trusted; nothing else is.
    return Markup(translate(message, **_escape(values)))  # noqa: S704


def translate_number_markup(one: str, many: str, number: int, **values: object) -> Markup:
    """Return what ``translate_number`` returns, as HTML: values are escaped, unless they are Markup."""
    return Markup(translate_number(one, many, number, **_escape(values)))  # noqa: S704


def list_all(things: Iterable[object]) -> Markup:
    """Return things one after the other, as a sentence lists them; nothing for none."""
    texts = [Markup("{}").format(each) for each in things]
    return reduce(_go_on, texts) if texts else Markup()


def _go_on(before: Markup, following: Markup) -> Markup:
    return translate_markup("%(before)s, %(following)s", before=before, following=following)


def _escape(values: dict[str, object]) -> dict[str, object]:
    return {name: escape(value) for name, value in values.items()}
