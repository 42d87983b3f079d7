"""The sign-ins that this installation keeps, for commands that read them."""

from collections.abc import Iterator
from contextlib import contextmanager

from bridge.clock import SystemClock
from bridge.database import open_engine
from bridge.history.history import History, open_history
from bridge.keys import KeyFolder
from bridge.sealing import Sealer
from bridge.settings import Settings


@contextmanager
def open_kept_sign_ins(settings: Settings) -> Iterator[History]:
    """Open the history for the time of a block.

    Raises:
        KeyMissing, KeyUnusable: the key that opens it is out of reach.
        HistoryUnavailable: the database does not answer.
    """
    sealer = Sealer(*KeyFolder(settings.key_folder).sealing_keys())
    engine = open_engine(settings.database_url())
    try:
        yield open_history(engine, sealer, SystemClock(), keep_days=settings.rules.keep_days)
    finally:
        engine.dispose()
