"""Rules that end soon, and rules that have ended."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

from bridge.errors import Problem
from bridge.settings.review.placed import PlacedRule

NOTICE = timedelta(days=30)


def find_expiring(each: PlacedRule, now: datetime) -> Iterator[Problem]:
    """Yield a warning if the rule has ended, or ends within 30 days of ``now`` (UTC)."""
    end = _read_end(getattr(each.rule, "expires", None))
    if end is None:
        return
    loc = (*each.loc, "expires")
    if end <= now:
        message = f"the rule `{each.rule.id}` has applied to nobody since {end:%Y-%m-%d %H:%M} UTC"
        yield each.warn(loc, message, "Remove the rule, or write a later date.", "expired")
    elif end <= now + NOTICE:
        days = (end - now).days
        message = f"the rule `{each.rule.id}` ends in {days} days, at {end:%Y-%m-%d %H:%M} UTC"
        yield each.warn(loc, message, "Ask whether it is still needed; if so, write a later date.", "expires-soon")


def _read_end(expires: object) -> datetime | None:
    """Return the first moment at which the rule does not apply any more; of a date, the end of that day in UTC."""
    if isinstance(expires, datetime):
        return expires if expires.tzinfo else expires.replace(tzinfo=UTC)
    if isinstance(expires, date):
        return datetime.combine(expires + timedelta(days=1), time(), UTC)
    return None
