"""Next month's partition is there before the month is, or somebody hears of it in time."""

import logging
import threading
from collections.abc import Mapping

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from bridge.audit.keeping.partitions import AHEAD, coming_months, create_ahead, list_months, list_strays, owns_tables
from bridge.clock import Clock

_logger = logging.getLogger(__name__)

PERIOD_SECONDS = 3_600.0
_ADVICE = "let the owner of the tables run `rambridge audit migrate`"


class PartitionKeeper:
    """Makes partitions ahead where this role may, and says what is missing where it may not."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        """Take the audit database and the clock."""
        self._engine = engine
        self._clock = clock
        self._missing = ""

    def keep(self) -> str:
        """Make what is missing, and return what still is, in words with what to do; empty if nothing is.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database does not answer.
        """
        if self._engine.dialect.name != "postgresql":
            return ""
        with self._engine.connect().execution_options(read_only=True) as connection:
            missing = set(coming_months(self._clock.now(), AHEAD)) - set(list_months(connection))
            strays = list_strays(connection)
            may = owns_tables(connection)
        if may and (missing or strays):
            with self._engine.begin() as connection:
                create_ahead(connection, self._clock.now())
            missing, strays = set(), set()
        self._missing = _describe(missing & set(coming_months(self._clock.now(), 1)), strays)
        return self._missing

    def run_forever(self, stop: threading.Event) -> None:
        """Keep at once and every hour until ``stop`` is set; nothing needs to be kept in SQLite."""
        if self._engine.dialect.name != "postgresql":
            return
        while not stop.is_set():
            try:
                missing = self.keep()
                if missing:
                    _logger.warning("audit log: %s; %s", missing, _ADVICE)
            except SQLAlchemyError as error:
                _logger.error("partitions of the audit log cannot be kept: %s", type(error).__name__)  # noqa: TRY400  the text names hosts
            stop.wait(PERIOD_SECONDS)

    def describe(self) -> Mapping[str, str]:
        """Return what was missing when it was last looked, for a monitor; nothing is missing where it is empty."""
        return {"partitions": self._missing} if self._missing else {}


def _describe(missing: set[int], strays: set[int]) -> str:
    parts = []
    if missing:
        parts.append(f"there is no partition for {', '.join(_month(each) for each in sorted(missing))}")
    if strays:
        parts.append(f"records of {', '.join(_month(each) for each in sorted(strays))} are in the default partition")
    return "; ".join(parts)


def _month(number: int) -> str:
    return f"{number // 100}-{number % 100:02d}"
