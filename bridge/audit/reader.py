"""Read the log: what it says, in its order, with what it says of people."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from sqlalchemy import Engine, Select, select
from sqlalchemy.exc import SQLAlchemyError

from bridge.audit.events import SignInAccepted, SignInRefused
from bridge.audit.record import read_record
from bridge.audit.search.indexes import has_reference
from bridge.audit.secrets import AuditSecrets
from bridge.audit.tables import SAME_RECORD, index, records
from bridge.errors import AuditUnavailable

_REFERENCE = re.compile(r"[0-9A-F]{12}")
_REQUEST_ID = re.compile(r"[0-9A-F]{32}")
_ROWS = select(index.c.position, records.c.body).join(records, SAME_RECORD)


class CatchesUp(Protocol):
    """Gives every record that is committed its position."""

    def catch_up(self) -> None:
        """Return when all records that were committed before the call have one."""


class AuditReader:
    """The log, as programs and pages read it. A record of a moment ago is there.

    What is returned are *opened* contents: the record's fields, those that say something of a person included, and
    its ``position``. Where a person was erased, ``erased: True`` stands for the latter.
    """

    def __init__(self, engine: Engine, secrets: AuditSecrets, sequencer: CatchesUp) -> None:
        """Take the database, the log's keys, and what gives new records their position."""
        self._engine = engine
        self._secrets = secrets
        self._sequencer = sequencer

    def latest_sign_ins(self, count: int) -> list[dict[str, Any]]:
        """Return the last ``count`` sign-ins, accepted or refused, newest first.

        Raises:
            AuditUnavailable: the database does not answer.
        """
        names = (SignInAccepted.name, SignInRefused.name)
        return self._read(_ROWS.where(index.c.event.in_(names)).order_by(index.c.position.desc()).limit(count))

    def names(self) -> dict[tuple[str, str], str]:
        """Return what people are called, by issuer and subject.

        Raises:
            AuditUnavailable: the database does not answer.
        """
        with database_errors():
            labels = self._secrets.read_labels().values()
        return {(label["issuer"], label["subject"]): label.get("person", "") for label in labels}

    def find(self, reference: str) -> list[dict[str, Any]]:
        """Return the records of one request, oldest first.

        Raises:
            AuditUnavailable: the database does not answer.
        """
        return self._read(_ROWS.where(has_reference(reference)).order_by(index.c.position))

    def after(self, position: int, limit: int = 1_000) -> list[dict[str, Any]]:
        """Return at most ``limit`` records after ``position`` (-1: from the beginning), oldest first.

        Raises:
            AuditUnavailable: the database does not answer.
        """
        return self._read(_ROWS.where(index.c.position > position).order_by(index.c.position).limit(limit))

    def last(self, count: int) -> list[dict[str, Any]]:
        """Return the last ``count`` records, oldest first.

        Raises:
            AuditUnavailable: the database does not answer.
        """
        return self._read(_ROWS.order_by(index.c.position.desc()).limit(count))[::-1]

    def end(self) -> int:
        """Return the position of the last record; -1 if there is none.

        Raises:
            AuditUnavailable: the database does not answer.
        """
        query = select(index.c.position).order_by(index.c.position.desc()).limit(1)
        with database_errors():
            self._sequencer.catch_up()
            with self._engine.connect().execution_options(read_only=True) as connection:
                last = connection.execute(query).scalar()
        return -1 if last is None else last

    def open_rows(self, rows: Iterable[Mapping[Any, Any]]) -> list[dict[str, Any]]:
        """Return the opened contents of rows that have ``position`` and ``body``, in their order.

        Raises:
            AuditUnavailable: the database does not answer.
        """
        placed = [(row["position"], read_record(row["position"], 0, row["body"])[0]) for row in rows]
        with database_errors():
            opened = self._secrets.open_all([content for _, content in placed])
        return [content | {"position": position} for (position, _), content in zip(placed, opened, strict=True)]

    def _read(self, query: Select[Any]) -> list[dict[str, Any]]:
        with database_errors():
            self._sequencer.catch_up()
            with self._engine.connect().execution_options(read_only=True) as connection:
                rows = connection.execute(query).mappings().all()
        return self.open_rows(map(dict, rows))


def parse_reference(text: str) -> str | None:
    """Return a reference as records have it, whatever came of it on its way here; None if it is none.

    Pages show 12 digits; calls of STS have a UUID, which an SDK shows as ``RequestId``.
    """
    digits = re.sub(r"[\s-]", "", text).upper()
    if _REQUEST_ID.fullmatch(digits):
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
    return f"{digits[:4]}-{digits[4:8]}-{digits[8:]}" if _REFERENCE.fullmatch(digits) else None


@contextmanager
def database_errors() -> Iterator[None]:
    """Let the database's errors within the block be AuditUnavailable."""
    try:
        yield
    except SQLAlchemyError as error:
        raise AuditUnavailable(type(error).__name__) from error
