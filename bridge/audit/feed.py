"""Records in the order of their places in the log, for whoever hands all of them on."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Engine, func, select

from bridge.audit.record import read_record
from bridge.audit.tables import SAME_RECORD, index, records

Content = Mapping[str, Any]

_JOINED = index.join(records, SAME_RECORD)


class Feed:
    """What is in the log, by position. It sees what has a position; the sequencer gives one within about a second."""

    def __init__(
        self, engine: Engine, open_all: Callable[[Sequence[Content]], Sequence[Content]] | None = None
    ) -> None:
        """Take the database, and what opens the personal fields of records; without it they stay sealed."""
        self._engine = engine
        self._open_all = open_all

    def read(self, first: int, end: int | None = None, limit: int = 1_000) -> list[Content]:
        """Return the records from ``first`` on, at most ``limit``, and none at ``end`` or after; each has ``position``.

        Records whose time was over are gone; the next ones follow.
        """
        query = select(index.c.position, records.c.id, records.c.body).select_from(_JOINED)
        query = query.where(index.c.position >= first)
        if end is not None:
            query = query.where(index.c.position < end)
        with self._engine.connect().execution_options(read_only=True) as connection:
            rows = connection.execute(query.order_by(index.c.position).limit(limit)).all()
        contents: Sequence[Content] = [read_record(row.position, row.id, row.body)[0] for row in rows]
        if self._open_all:
            contents = self._open_all(contents)
        return [{**content, "position": row.position} for row, content in zip(rows, contents, strict=True)]

    def size(self) -> int:
        """Return how many records have a position."""
        with self._engine.connect().execution_options(read_only=True) as connection:
            last = connection.execute(select(func.max(index.c.position))).scalar()
        return 0 if last is None else last + 1

    def time_of(self, position: int) -> int | None:
        """Return when the first record at ``position`` or after it was made, in microseconds since 1970."""
        query = select(index.c.time).where(index.c.position >= position).order_by(index.c.position).limit(1)
        with self._engine.connect().execution_options(read_only=True) as connection:
            return connection.execute(query).scalar()
