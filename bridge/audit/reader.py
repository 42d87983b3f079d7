"""Read the log: verify it, and follow its end."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from bridge.audit.chain import Head, verify_chain
from bridge.audit.events import SignInAccepted, SignInRefused
from bridge.audit.schema import records
from bridge.errors import AuditUnavailable, ChainBroken

_PAGE = 5_000
_REFERENCE = re.compile(r"[0-9A-F]{12}")
_REQUEST_ID = re.compile(r"[0-9A-F]{32}")


def verify_log(engine: Engine, expected: Head | None = None) -> Head:
    """Return the head of a log in which every record is what was written.

    Args:
        engine: the database.
        expected: a head that was noted earlier. The log must contain it: so a truncated log is found too.

    Raises:
        ChainBroken: with the sequence number of the first bad record.
    """
    head = Head()
    for head in verify_chain(_all_rows(engine)):
        if expected and head.sequence == expected.sequence and head.digest != expected.digest:
            raise ChainBroken(f"record {head.sequence} is not the one that was noted", head.sequence)
    if expected and head.sequence < expected.sequence:
        raise ChainBroken(
            f"records {head.sequence + 1} to {expected.sequence} are missing at the end", head.sequence + 1
        )
    return head


def read_after(engine: Engine, sequence: int, limit: int = 1_000) -> list[dict[str, Any]]:
    """Return the contents of at most ``limit`` records after ``sequence``, oldest first."""
    query = select(records.c.body).where(records.c.sequence > sequence).order_by(records.c.sequence).limit(limit)
    with engine.connect().execution_options(read_only=True) as connection:
        return [json.loads(row.body) for row in connection.execute(query)]


def read_sign_ins(engine: Engine, count: int) -> list[dict[str, Any]]:
    """Return the contents of the last ``count`` records of sign-ins, accepted or refused, newest first."""
    names = (SignInAccepted.name, SignInRefused.name)
    query = select(records.c.body).where(records.c.event.in_(names)).order_by(records.c.sequence.desc()).limit(count)
    with engine.connect().execution_options(read_only=True) as connection:
        return [json.loads(row.body) for row in connection.execute(query)]


def read_names(engine: Engine, count: int = 20_000) -> dict[tuple[str, str], str]:
    """Return what people are called, by issuer and subject, from the last ``count`` accepted sign-ins."""
    query = (
        select(records.c.body)
        .where(records.c.event == SignInAccepted.name)
        .order_by(records.c.sequence.desc())
        .limit(count)
    )
    names: dict[tuple[str, str], str] = {}
    with engine.connect().execution_options(read_only=True) as connection:
        for row in connection.execute(query):
            record = json.loads(row.body)
            names.setdefault((record.get("issuer", ""), record.get("subject", "")), record.get("person", ""))
    return names


def find_reference(engine: Engine, reference: str) -> list[dict[str, Any]]:
    """Return the contents of the records of one request, oldest first."""
    query = select(records.c.body).where(records.c.reference == reference).order_by(records.c.sequence)
    with engine.connect().execution_options(read_only=True) as connection:
        return [json.loads(row.body) for row in connection.execute(query)]


def parse_reference(text: str) -> str | None:
    """Return a reference as records have it, whatever came of it on its way here; None if it is none.

    Pages show 12 digits; calls of STS have a UUID, which an SDK shows as ``RequestId``.
    """
    digits = re.sub(r"[\s-]", "", text).upper()
    if _REQUEST_ID.fullmatch(digits):
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
    return f"{digits[:4]}-{digits[4:8]}-{digits[8:]}" if _REFERENCE.fullmatch(digits) else None


def read_last(engine: Engine, count: int) -> list[dict[str, Any]]:
    """Return the contents of the last ``count`` records, oldest first."""
    query = select(records.c.body).order_by(records.c.sequence.desc()).limit(count)
    with engine.connect().execution_options(read_only=True) as connection:
        return [json.loads(row.body) for row in connection.execute(query)][::-1]


class AuditReader:
    """The log as the pages of administrators read it."""

    def __init__(self, engine: Engine) -> None:
        """Take the database."""
        self._engine = engine

    def latest_sign_ins(self, count: int) -> list[dict[str, Any]]:
        """Return the contents of the last ``count`` records of sign-ins, accepted or refused, newest first.

        Raises:
            AuditUnavailable: the database does not answer.
        """
        with _database_errors():
            return read_sign_ins(self._engine, count)

    def names(self) -> dict[tuple[str, str], str]:
        """Return what people are called, by issuer and subject, from the last accepted sign-ins.

        Raises:
            AuditUnavailable: the database does not answer.
        """
        with _database_errors():
            return read_names(self._engine)

    def find(self, reference: str) -> list[dict[str, Any]]:
        """Return the contents of the records of one request, oldest first.

        Raises:
            AuditUnavailable: the database does not answer.
        """
        with _database_errors():
            return find_reference(self._engine, reference)


@contextmanager
def _database_errors() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise AuditUnavailable(type(error).__name__) from error


def _all_rows(engine: Engine) -> Iterator[dict[str, Any]]:
    sequence = 0
    while True:
        query = select(records).where(records.c.sequence > sequence).order_by(records.c.sequence).limit(_PAGE)
        with engine.connect().execution_options(read_only=True) as connection:
            page = [dict(row) for row in connection.execute(query).mappings()]
        if not page:
            return
        yield from page
        sequence = page[-1]["sequence"]
