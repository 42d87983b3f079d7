"""The alerts, as pages and commands read them."""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, Row, select

from bridge.audit.alerts.rules import SUMMARIES
from bridge.audit.alerts.tables import alerts


@dataclass(frozen=True)
class ShownAlert:
    """One alert; times in microseconds since 1970, UTC."""

    number: int
    kind: str
    summary: str
    """What it is, in one sentence."""
    first: int
    last: int
    ended: int | None
    """None: it goes on."""
    count: int
    """How many signals it is made of."""
    position: int | None
    """The first of its records."""
    last_position: int | None
    facts: dict[str, str]
    """What else there is to say; nothing personal."""
    told: int
    """0: to nobody yet; 1: that it began; 2: that it ended."""
    failure: str
    """Why the webhook does not know yet; empty if it does, or there is none."""


class AlertBoard:
    """Reads alerts."""

    def __init__(self, engine: Engine) -> None:
        """Take the audit database."""
        self._engine = engine

    def latest(self, count: int = 50, *, open_only: bool = False) -> list[ShownAlert]:
        """Return the last ``count`` alerts, those that go on first, then the newest.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database does not answer.
        """
        query = select(alerts).order_by(alerts.c.ended.is_not(None), alerts.c.number.desc()).limit(count)
        if open_only:
            query = query.where(alerts.c.ended.is_(None))
        with self._engine.connect().execution_options(read_only=True) as connection:
            return [show(row) for row in connection.execute(query)]


def show(row: Row[Any]) -> ShownAlert:
    """Return an alert as it is shown, from its row."""
    return ShownAlert(
        number=row.number,
        kind=row.kind,
        summary=SUMMARIES.get(row.kind, row.kind),
        first=row.first,
        last=row.last,
        ended=row.ended,
        count=row._mapping["count"],  # noqa: SLF001  its public name, and `count` is a method of every row
        position=row.position,
        last_position=row.last_position,
        facts=json.loads(row.facts),
        told=row.told,
        failure=row.failure,
    )
