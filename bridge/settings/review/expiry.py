"""Rules that end soon, and rules that have ended."""

from collections.abc import Iterator
from datetime import UTC, datetime

from bridge.errors import Problem
from bridge.settings.review.placed import PlacedRule

NOTICE_DAYS = 30


def find_expiring(each: PlacedRule, now: datetime) -> Iterator[Problem]:
    """Yield a warning if the rule has ended, or ends within 30 days of ``now`` (UTC)."""
    last_day = each.rule.expires
    if last_day is None:
        return
    loc = (*each.loc, "expires")
    days = (last_day - now.astimezone(UTC).date()).days
    if days < 0:
        message = f"the rule `{each.rule.id}` has applied to nobody since the end of {last_day} (UTC)"
        yield each.warn(loc, message, "Remove the rule, or write a later day.", "expired")
    elif days <= NOTICE_DAYS:
        message = f"the rule `{each.rule.id}` ends at the end of {last_day} (UTC), in {days} days"
        yield each.warn(loc, message, "Ask whether it is still needed; if so, write a later day.", "expires-soon")
