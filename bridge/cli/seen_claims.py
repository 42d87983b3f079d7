"""The claims in the sign-ins that this installation keeps, for ``rambridge check``; unknown where it keeps none."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from bridge.cli.kept_sign_ins import open_kept_sign_ins
from bridge.clock import SystemClock
from bridge.errors import HistoryUnavailable, KeyMissing, KeyUnusable
from bridge.history.seen_claims import collect_claims
from bridge.settings import Settings

MAX_SIGN_INS = 20_000
"""Each is opened, which takes seconds with more; then only the latest days count."""

_SQLITE = "sqlite:///"


def read_seen_claims(settings: Settings) -> Mapping[str, frozenset[str]] | None:
    """Return for each provider the names of the claims in its sign-ins.

    None where no sign-ins are kept, or their database or their key is out of reach: a build server has neither. No
    database is made for the question.
    """
    url = settings.database_url()
    if url.startswith(_SQLITE) and not Path(url.removeprefix(_SQLITE)).exists():
        return None
    now = SystemClock().now() + timedelta(minutes=1)
    days = settings.rules.keep_days
    try:
        with open_kept_sign_ins(settings) as history:
            while days > 1 and history.count(now - timedelta(days=days), now) > MAX_SIGN_INS:
                days //= 2
            return collect_claims(history.read(now - timedelta(days=days), now))
    except (HistoryUnavailable, KeyMissing, KeyUnusable):
        return None
