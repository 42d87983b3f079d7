"""A span of time in words: ``15 minutes``, ``1 hour 30 minutes``."""

from bridge.language import translate_number

_SHORT_SECONDS = 120


def describe_span(seconds: int) -> str:
    """Return a span in words of the language that is spoken, to the second; below two minutes in seconds alone."""
    if seconds < _SHORT_SECONDS:
        return translate_number("%(number)s second", "%(number)s seconds", seconds)
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    parts = []
    if hours:
        parts.append(translate_number("%(number)s hour", "%(number)s hours", hours))
    if minutes:
        parts.append(translate_number("%(number)s minute", "%(number)s minutes", minutes))
    if rest:
        parts.append(translate_number("%(number)s second", "%(number)s seconds", rest))
    return " ".join(parts)
