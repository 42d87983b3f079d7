"""Look at the log as it grows, and open and end alerts.

One process at a time does it (:class:`bridge.audit.exclusive.Turn`). What it looked at and what came of it are written
in one transaction, and only if nobody else has since it read: so a process that wrongly believes that it is its turn,
or that is killed at any moment, neither loses an alert nor makes a second one.
"""

import json
import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from bridge.audit.alerts.counting import Alert, Counting, Threshold
from bridge.audit.alerts.delivery import AlertDelivery
from bridge.audit.alerts.rules import AlertRules, Kind, Signal
from bridge.audit.alerts.tables import alerts, known, state
from bridge.audit.exclusive import Turn
from bridge.audit.record import read_record
from bridge.audit.tables import SAME_RECORD, index, records, retired
from bridge.clock import Clock

_logger = logging.getLogger(__name__)

PERIOD_SECONDS = 2.0
LOOK_AT_ONCE = 2_000
"""Records in one step."""
NOTE_EVERY = 5_000
"""After how many positions without a signal it is written down how far the log was looked at."""
SAY_AGAIN_SECONDS = 60
"""How often it is written down that a condition still holds."""
_STATE = select(state.c.position, state.c.pending, state.c.version)
_COLUMNS = ("kind", "about", "first", "last", "count", "position", "last_position", "ended")

OpenAll = Callable[[Sequence[Mapping[str, Any]]], Sequence[Mapping[str, Any]]]
Conditions = Callable[[int], Iterable[Signal]]
"""Returns what holds at a moment (microseconds since 1970) and is in no record."""


class AlertWatcher:
    """Opens and ends alerts."""

    def __init__(
        self,
        engine: Engine,
        open_all: OpenAll,
        clock: Clock,
        rules: AlertRules,
        thresholds: Mapping[Kind, Threshold],
        *,
        off: frozenset[Kind] = frozenset(),
        conditions: Sequence[Conditions] = (),
        delivery: AlertDelivery | None = None,
    ) -> None:
        """Take the database, what opens records, the rules, how many signals make an alert, and which kinds are off."""
        self._engine = engine
        self._open_all = open_all
        self._clock = clock
        self._rules = rules
        self._thresholds = thresholds
        self._off = off
        self._conditions = conditions
        self._delivery = delivery
        self._looked_at = -1
        self._turn = Turn(engine, "alerts")

    def run_forever(self, stop: threading.Event) -> None:
        """Look every two seconds until ``stop`` is set. Whatever goes wrong is tried again."""
        while not stop.wait(PERIOD_SECONDS):
            try:
                if self._turn.take():
                    self.look()
                    if self._delivery is not None:
                        self._delivery.tell()
            except (SQLAlchemyError, OSError) as error:
                _logger.error("the audit log was not looked through for alerts: %s", type(error).__name__)  # noqa: TRY400  a traceback would show the rows
            except Exception:  # a thread that died would end all alerts until somebody restarts the service
                _logger.exception("the audit log was not looked through for alerts")
        self._turn.leave()

    def look(self) -> None:
        """Look at everything that has a position and was not looked at; then at what is no record.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database does not answer.
        """
        while self._look_at_some():
            pass

    def _look_at_some(self) -> bool:
        now = int(self._clock.now().timestamp() * 1_000_000)
        with self._engine.connect().execution_options(read_only=True) as connection:
            noted, pending, version = connection.execute(_STATE).one()
            begin = max(noted, self._looked_at)
            found, end = self._read(connection, begin)
            counting = Counting(self._thresholds, open=_read_open(connection))
            counting.load(json.loads(pending))
            signals = [signal for record in self._open_all(found) for signal in self._rules.find(record)]
            signals = [signal for signal in signals if signal.kind not in self._off and _counts(connection, signal)]
            firsts = _find_firsts(connection, signals)
            more = bool(end - begin == LOOK_AT_ONCE)
        counting.take(signal for signal in signals if not signal.once or signal in firsts)
        if not more:
            counting.take(self._find_conditions(now, counting))
            counting.close_over(now)
        changed = [alert for alert in (*counting.open.values(), *counting.closed) if alert.changed]
        if signals or changed or end - noted > NOTE_EVERY:
            with self._engine.begin() as connection:
                if not _move(connection, version, end, json.dumps(counting.dump())):
                    return True  # somebody else looked at it meanwhile: read again what there is
                _keep(connection, changed, now)
                rows = [{"kind": each.kind, "about": each.about[:256], "position": each.position} for each in firsts]
                if rows:
                    connection.execute(insert(known), rows)
        self._looked_at = end
        return more

    def _read(self, connection: Connection, after: int) -> tuple[list[dict[str, Any]], int]:
        """Return the records that may signal something of the next positions, and the last of these positions."""
        last = connection.execute(select(func.max(index.c.position))).scalar()
        end = min(after + LOOK_AT_ONCE, -1 if last is None else last)
        query = (
            select(index.c.position, records.c.id, records.c.body)
            .join(records, SAME_RECORD)
            .where(index.c.position > after, index.c.position <= end, index.c.event.in_(sorted(self._rules.events)))
            .order_by(index.c.position)
        )
        rows = connection.execute(query)
        found = [{**read_record(row.position, row.id, row.body)[0], "position": row.position} for row in rows]
        return found, max(end, after)

    def _find_conditions(self, now: int, counting: Counting) -> Iterable[Signal]:
        for find in self._conditions:
            for signal in find(now):
                alert = counting.open.get((signal.kind, signal.about))
                said_lately = alert is not None and now - alert.last < SAY_AGAIN_SECONDS * 1_000_000
                if signal.kind not in self._off and not said_lately:
                    yield signal


def _read_open(connection: Connection) -> dict[tuple[Kind, str], Alert]:
    found: dict[tuple[Kind, str], Alert] = {}
    for row in connection.execute(select(alerts).where(alerts.c.ended.is_(None))).mappings():
        values = {name: row[name] for name in _COLUMNS}
        alert = Alert(**values, facts=json.loads(row["facts"]), number=row["number"], changed=False)
        found[alert.kind, alert.about] = alert
    return found


def _counts(connection: Connection, signal: Signal) -> bool:
    """Tell whether there was what has to be before it. What was retired may have been."""
    if not signal.after or connection.execute(select(retired.c.position).limit(1)).first() is not None:
        return True
    before = select(index.c.position).where(index.c.position < signal.position, index.c.event.in_(sorted(signal.after)))
    return connection.execute(before.limit(1)).first() is not None


def _find_firsts(connection: Connection, signals: Iterable[Signal]) -> list[Signal]:
    """Return of the signals that count once those that are about something for the first time."""
    firsts: dict[tuple[str, str], Signal] = {}
    for signal in signals:
        if signal.once:
            firsts.setdefault((signal.kind, signal.about[:256]), signal)
    for kind, about in list(firsts):
        query = select(known.c.kind).where(known.c.kind == kind, known.c.about == about)
        if connection.execute(query).first() is not None:
            del firsts[kind, about]
    return list(firsts.values())


def _move(connection: Connection, version: int, end: int, pending: str) -> bool:
    statement = update(state).where(state.c.version == version)
    changed = connection.execute(statement.values(version=version + 1, position=end, pending=pending)).rowcount
    return bool(changed)


def _keep(connection: Connection, changed: Sequence[Alert], now: int) -> None:
    number = connection.execute(select(func.max(alerts.c.number))).scalar() or 0
    for alert in changed:
        values = {name: getattr(alert, name) for name in _COLUMNS}
        if alert.number:
            statement = update(alerts).where(alerts.c.number == bindparam("of_number"))
            if alert.ended is not None:
                values["due"] = now
            connection.execute(statement.values(**values), {"of_number": alert.number})
        else:
            number += 1
            rest = {"number": number, "facts": json.dumps(alert.facts), "told": 0, "due": now}
            connection.execute(insert(alerts).values(**values, **rest, failures=0, failure=""))
