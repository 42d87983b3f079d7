"""How long something lasts, in words."""

from bridge.language import translate


def write_duration(seconds: int) -> str:
    """Return a duration in whole minutes, or in seconds where it is shorter than one."""
    hours, minutes = divmod(seconds // 60, 60)
    if hours and minutes:
        return translate("%(hours)s h %(minutes)s min", hours=hours, minutes=minutes)
    if hours:
        return translate("%(hours)s h", hours=hours)
    if minutes:
        return translate("%(minutes)s min", minutes=minutes)
    return translate("%(seconds)s s", seconds=seconds)
