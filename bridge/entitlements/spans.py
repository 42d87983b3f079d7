"""A span of time in words: ``15 minutes``, ``1 hour 30 minutes``."""

_SHORT_SECONDS = 120


def describe_span(seconds: int) -> str:
    """Return a span in words, to the second; below two minutes in seconds alone."""
    if seconds < _SHORT_SECONDS:
        return _count(seconds, "second")
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "hour"), (minutes, "minute"), (rest, "second"))
    return " ".join(_count(number, unit) for number, unit in parts if number)


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
