"""Tell of alerts: a line in the service's log, and a signed message to a webhook.

Each beginning and each end is told once. Before it is told it is claimed in the database, so no other process tells it.
A process that is killed after the webhook has answered, and before that is written down, leaves the one case in which a
message comes twice, a minute later: it has the same ``webhook-id`` then, by which the receiver knows it.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Engine, and_, or_, select, update
from sqlalchemy.exc import SQLAlchemyError

from bridge.audit.alerts.board import ShownAlert, show
from bridge.audit.alerts.tables import alerts
from bridge.clock import Clock, format_microseconds
from bridge.errors import BridgeError

_logger = logging.getLogger(__name__)

CLAIM_SECONDS = 60
"""For how long a process that tells something has it to itself."""
FIRST_WAIT_SECONDS = 10
LONGEST_WAIT_SECONDS = 600
TOLD_AT_ONCE = 20

Post = Callable[[str, Mapping[str, Any]], None]
"""Posts a content under an identifier; raises a BridgeError if the other side did not take it."""
OpenRecord = Callable[[int], Mapping[str, Any] | None]
"""Returns the opened record at a position."""


class AlertDelivery:
    """Tells what was not told yet."""

    def __init__(
        self, engine: Engine, clock: Clock, *, post: Post | None, open_record: OpenRecord | None, public_url: str
    ) -> None:
        """Take the database and the clock.

        Args:
            engine: the audit database.
            clock: what the time is read from.
            post: the webhook; None: there is none.
            open_record: opens the record that a message is about; None: messages say nothing of people.
            public_url: where auditors read records.
        """
        self._engine = engine
        self._clock = clock
        self._post = post
        self._open_record = open_record
        self._public_url = public_url

    def tell(self) -> None:
        """Tell all that is due.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database does not answer.
        """
        now = self._now()
        is_new = and_(alerts.c.told == 0, alerts.c.due <= now)
        is_over = and_(alerts.c.told == 1, alerts.c.ended.is_not(None), alerts.c.due <= now)
        query = select(alerts).where(or_(is_new, is_over)).order_by(alerts.c.number).limit(TOLD_AT_ONCE)
        with self._engine.connect().execution_options(read_only=True) as connection:
            rows = connection.execute(query).all()
        for row in rows:
            if self._claim(row.number, row.told, row.due, now):
                self._tell_one(show(row), row.failures)

    def _claim(self, number: int, told: int, due: int, now: int) -> bool:
        is_same = and_(alerts.c.number == number, alerts.c.told == told, alerts.c.due == due)
        with self._engine.begin() as connection:
            until = now + CLAIM_SECONDS * 1_000_000
            return connection.execute(update(alerts).where(is_same).values(due=until)).rowcount == 1

    def _tell_one(self, alert: ShownAlert, failures: int) -> None:
        what = "ended" if alert.told else "began"
        if not failures:
            _logger.warning("alert %d (%s) %s: %s", alert.number, alert.kind, what, alert.summary)
        try:
            if self._post is not None:
                self._post(f"alert-{alert.number}-{what}", self._describe(alert, what))
        except (BridgeError, SQLAlchemyError) as error:
            wait = min(FIRST_WAIT_SECONDS * 2**failures, LONGEST_WAIT_SECONDS)
            failure = error.detail if isinstance(error, BridgeError) else type(error).__name__
            self._note(
                alert, told=alert.told, due=self._now() + wait * 1_000_000, failures=failures + 1, failure=failure
            )
        else:
            self._note(alert, told=alert.told + 1, due=self._now(), failures=0, failure="")

    def _note(self, alert: ShownAlert, **values: Any) -> None:
        with self._engine.begin() as connection:
            is_same = and_(alerts.c.number == alert.number, alerts.c.told == alert.told)
            connection.execute(update(alerts).where(is_same).values(**values))

    def _describe(self, alert: ShownAlert, what: str) -> dict[str, Any]:
        content: dict[str, Any] = {
            "type": f"rambridge.alert.{what}",
            "number": alert.number,
            "kind": alert.kind,
            "text": alert.summary,
            "first": format_microseconds(alert.first),
            "last": format_microseconds(alert.last),
            "count": alert.count,
            "facts": alert.facts,
        }
        if alert.ended is not None:
            content["ended"] = format_microseconds(alert.ended)
        if alert.position is not None:
            content["record"] = f"{self._public_url}/audit/records/{alert.position}"
            record = self._open_record(alert.position) if self._open_record else None
            if record and record.get("person"):
                content["person"] = record["person"]
        return content

    def _now(self) -> int:
        return int(self._clock.now().timestamp() * 1_000_000)
