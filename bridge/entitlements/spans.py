"""A span of time in words: ``15 minutes``, ``1 hour 30 minutes``."""

from dataclasses import dataclass

from bridge.language import translate_number

_SHORT_SECONDS = 120


@dataclass(slots=True, unsafe_hash=True)
class Span:
    """A span of time that is put into words when it is read."""

    seconds: int

    def __str__(self) -> str:
        """Return it in words."""
        return describe_span(self.seconds)


def describe_span(seconds: int) -> str:
    """Return a span in words, to the second; below two minutes in seconds alone."""
    if seconds < _SHORT_SECONDS:
        return _count_seconds(seconds)
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    parts = [translate_number("%(number)s hour", "%(number)s hours", hours)] if hours else []
    if minutes:
        parts.append(translate_number("%(number)s minute", "%(number)s minutes", minutes))
    if rest:
        parts.append(_count_seconds(rest))
    return " ".join(parts)


def _count_seconds(seconds: int) -> str:
    return translate_number("%(number)s second", "%(number)s seconds", seconds)
