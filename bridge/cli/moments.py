"""Moments as people type them."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click

_AGO = re.compile(r"([0-9]{1,5})([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 168}


class Moment(click.ParamType[datetime]):
    """A date or time in UTC, or how long ago: ``2026-11-01``, ``2026-11-01T08:00``, ``24h``, ``7d``, ``2w``."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the moment; a usage error for anything else."""
        if isinstance(value, datetime):
            return value
        ago = _AGO.fullmatch(value)
        if ago:
            return datetime.now(UTC) - timedelta(hours=int(ago[1]) * _HOURS[ago[2]])
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no moment: write 2026-11-01, 2026-11-01T08:00, 24h or 7d.", param, ctx)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
