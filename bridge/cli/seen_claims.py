"""The claims in the sign-ins that this installation keeps, for ``rambridge check``; unknown where it keeps none."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from bridge.clock import SystemClock
from bridge.database import open_engine
from bridge.errors import HistoryUnavailable, KeyMissing, KeyUnusable
from bridge.history.history import open_history
from bridge.history.seen_claims import collect_claims
from bridge.keys import KeyFolder
from bridge.sealing import Sealer
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
    try:
        sealer = Sealer(*KeyFolder(settings.key_folder).sealing_keys())
    except (KeyMissing, KeyUnusable):
        return None
    clock = SystemClock()
    now = clock.now() + timedelta(minutes=1)
    days = settings.rules.keep_days
    engine = open_engine(url)
    try:
        history = open_history(engine, sealer, clock, keep_days=days)
        while days > 1 and history.count(now - timedelta(days=days), now) > MAX_SIGN_INS:
            days //= 2
        return collect_claims(history.read(now - timedelta(days=days), now))
    except HistoryUnavailable:
        return None
    finally:
        engine.dispose()
