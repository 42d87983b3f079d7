"""Moments and lengths of time as people at a terminal read them."""

from datetime import UTC, datetime, timedelta

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


def describe_length(seconds: float) -> str:
    """Return ``1 h 30 min``; of days, ``2 d 3 h``."""
    span = timedelta(seconds=seconds)
    hours, minutes = divmod(span.seconds // 60, 60)
    given = {"days": span.days, "hours": hours, "minutes": minutes}
    if span.days:
        return translate("%(days)s d %(hours)s h", **given) if hours else translate("%(days)s d", **given)
    if hours:
        return translate("%(hours)s h %(minutes)s min", **given) if minutes else translate("%(hours)s h", **given)
    return translate("%(minutes)s min", **given) if minutes else translate("%(seconds)s s", seconds=span.seconds)
