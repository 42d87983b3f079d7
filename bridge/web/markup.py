"""Sentences of the catalogue with HTML in their places, and lists of things in a sentence."""

from collections.abc import Iterable

from markupsafe import Markup, escape

from bridge.language import translate, translate_number


def translate_markup(message: str, **values: object) -> Markup:
    """Return what ``translate`` returns, as HTML: values are escaped, unless they are Markup."""
    # A message is ours in every language, so its own text is trusted; nothing else is.
    return Markup(translate(message, **_escape(values)))  # noqa: S704


def translate_number_markup(one: str, many: str, number: int, **values: object) -> Markup:
    """Return what ``translate_number`` returns, as HTML: values are escaped, unless they are Markup."""
    return Markup(translate_number(one, many, number, **_escape(values)))  # noqa: S704


def list_all(things: Iterable[str]) -> Markup:
    """Return things one after the other, as ``list_texts`` does, as HTML."""
    return translate_markup(", ").join(things)


def _escape(values: dict[str, object]) -> dict[str, object]:
    return {name: escape(value) for name, value in values.items()}
