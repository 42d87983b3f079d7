"""Moments as people at a terminal read them."""

from datetime import UTC, datetime

from bridge.language import mark, translate

_WEEKDAYS = (
    mark("Monday %(time)s"),
    mark("Tuesday %(time)s"),
    mark("Wednesday %(time)s"),
    mark("Thursday %(time)s"),
    mark("Friday %(time)s"),
    mark("Saturday %(time)s"),
    mark("Sunday %(time)s"),
)


def describe_moment(text: str, now: datetime | None = None) -> str:
    """Return ``17:30`` in this machine's zone for a moment in UTC, after the day of the week if that is another one."""
    try:
        moment = datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        return text
    time, here = f"{moment:%H:%M}", (now or datetime.now(UTC)).astimezone()
    return time if moment.date() == here.date() else translate(_WEEKDAYS[moment.weekday()], time=time)
