"""Moments as people at a terminal read them."""

from datetime import UTC, datetime, timedelta


def describe_moment(text: str, now: datetime | None = None) -> str:
    """Return ``until 17:30`` in this machine's zone for a moment in UTC, with the day if that is another one."""
    try:
        moment = datetime.fromisoformat(text).astimezone()
    except ValueError:
        return f"until {text}"
    here = (now or datetime.now(UTC)).astimezone()
    return f"until {moment:%H:%M}" if moment.date() == here.date() else f"until {moment:%A %H:%M}"


def describe_length(seconds: int) -> str:
    """Return ``1 h 30 min``."""
    hours, rest = divmod(int(timedelta(seconds=seconds).total_seconds()), 3600)
    parts = [f"{hours} h" if hours else "", f"{rest // 60} min" if rest >= 60 else ""]  # noqa: PLR2004
    return " ".join(part for part in parts if part) or f"{seconds} s"
