"""Forget a person: what the log says of them becomes unreadable for good, and the log verifies as before.

What destroys it is that a key is gone, so the key has to be gone from the disk and not only from a table. The table of
keys is written anew for each erasure, and the place where it was is overwritten (SQLite) or given back (PostgreSQL).
What no command reaches: backups of the database, and PostgreSQL's write-ahead log until it is recycled. Keys in them
open nothing once the ``audit-records`` key that sealed them is gone (``rambridge keys rotate``).
"""

import json
import time
from dataclasses import dataclass

from sqlalchemy import Column, Connection, Engine, Table, delete, func, or_, select
from sqlalchemy.exc import OperationalError

from bridge.audit.events import BACKGROUND, AuditErased
from bridge.audit.log import AuditLog
from bridge.audit.search.tables import saved_searches
from bridge.audit.secrets import AuditSecrets, Label
from bridge.audit.sequencer import Sequencer
from bridge.audit.tables import index, keys
from bridge.audit.trail.forgetting import find_session_keys
from bridge.database import EMPTYING_SECONDS, empty_write_ahead_log

_LOCKED = "55P03"
_LOCK_MILLISECONDS = 500
_PAUSE_SECONDS = 1.0
_SEARCHED = (keys, saved_searches)
"""Where something of a person stands that can be read or opened."""


@dataclass(frozen=True)
class Known:
    """Somebody whom the log can tell of."""

    subject_digest: str
    label: Label
    """``issuer``, ``subject``, and ``person`` where it is known."""
    records: int
    """How many records are about them."""
    addresses: tuple[str, ...]
    """Digests of the addresses that they, and nobody else, came from."""


class Erasure:
    """Erases people from one log."""

    def __init__(self, engine: Engine, secrets: AuditSecrets, audit: AuditLog, sequencer: Sequencer) -> None:
        """Take the database, as whoever may delete keys, the log's keys, the log, and what sequences it."""
        self._engine = engine
        self._secrets = secrets
        self._audit = audit
        self._sequencer = sequencer

    def find(self, called: str) -> list[Known]:
        """Return everybody who is called this (case does not matter), or whose identifier it is exactly."""
        wanted = self._secrets.digest("name", called)
        return [
            self._describe(digest, label)
            for digest, label in self._secrets.read_labels().items()
            if called == label.get("subject") or wanted == self._secrets.digest("name", label.get("person", ""))
        ]

    def find_subject(self, issuer: str, subject: str) -> Known | None:
        """Return the person whom an issuer calls this; None: nothing is about anybody like that.

        Also somebody who was erased: if that was stopped half-way, it can be said again.
        """
        digest = self._secrets.subject_digest(issuer, subject)
        label = self._secrets.read_labels([digest]).get(digest)
        known = self._describe(digest, label or {"issuer": issuer, "subject": subject})
        return known if label or known.records else None

    def erase(self, known: Known, author: str) -> bool:
        """Destroy the keys of a person, after it was recorded; ``author`` is who wants it.

        Other processes forget the person within ``secrets.KEY_SECONDS``. Returns whether nothing of the keys is left in
        the files of the database: somebody may be reading for too long. Saying it again tries again.

        Raises:
            AuditUnavailable: it cannot be recorded; nothing was destroyed.
            sqlalchemy.exc.SQLAlchemyError: the database does not answer, or this role may not.
        """
        event = AuditErased(of_subject_digest=known.subject_digest, addresses=len(known.addresses), author=author)
        self._audit.append(BACKGROUND, event)
        self._sequencer.sign_now()
        with self._engine.connect().execution_options(read_only=True) as connection:
            others = find_session_keys(connection, known.subject_digest)
        others += [f"address/{digest}" for digest in known.addresses]
        self._secrets.erase(known.subject_digest, others)
        with self._engine.begin() as connection:
            _forget_searches(connection, known)
            if connection.dialect.name == "sqlite":
                for table in _SEARCHED:
                    _write_anew(connection, table)
        if self._engine.dialect.name == "sqlite":
            return empty_write_ahead_log(self._engine)
        return all(_write_whole(self._engine, table) for table in _SEARCHED)

    def _describe(self, digest: str, label: Label) -> Known:
        self._sequencer.catch_up()
        with self._engine.connect().execution_options(read_only=True) as connection:
            count = connection.execute(select(func.count()).where(index.c.subject == digest)).scalar_one()
            addresses = _find_own(connection, index.c.address, digest)
        return Known(digest, label, count, addresses)


def _find_own(connection: Connection, column: Column[str], subject: str) -> tuple[str, ...]:
    """Return the values of a column that stand in records about a person, and about nobody else."""
    others = index.alias()
    shared = select(others.c.position).where(others.c[column.name] == column, others.c.subject != subject)
    own = select(column).distinct().where(index.c.subject == subject, column.is_not(None), ~shared.exists())
    return tuple(connection.execute(own).scalars())


def _forget_searches(connection: Connection, known: Known) -> None:
    """Delete the searches that auditors keep in which the person stands."""
    named = [known.subject_digest, *(known.label.get(name, "") for name in ("subject", "person"))]
    texts = {text for each in named if each for text in (each, json.dumps(each).strip('"'))}
    columns = (saved_searches.c.name, saved_searches.c.query)
    says = [column.icontains(text, autoescape=True) for column in columns for text in texts]
    connection.execute(delete(saved_searches).where(or_(*says)))


def _write_whole(engine: Engine, table: Table) -> bool:
    """Let PostgreSQL write a table to a new file; return whether it could.

    It waits until nobody reads the table, and whoever signs in waits behind it. So it never waits long at once: a
    backup may read all tables for hours.
    """
    deadline = time.monotonic() + EMPTYING_SECONDS
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT", read_only=True) as connection:
        connection.exec_driver_sql(f"SET lock_timeout = {_LOCK_MILLISECONDS}")
        try:
            while True:
                try:
                    connection.exec_driver_sql(f"VACUUM FULL {table.name}")
                except OperationalError as error:
                    if getattr(error.orig, "sqlstate", None) != _LOCKED:
                        raise
                    if time.monotonic() > deadline:
                        return False
                    time.sleep(_PAUSE_SECONDS)
                else:
                    return True
        finally:
            connection.exec_driver_sql("RESET lock_timeout")


def _write_anew(connection: Connection, table: Table) -> None:
    """Copy the rows to pages where none was before; SQLite overwrites those that they were on (``secure_delete``).

    Deleting the row alone is not enough: of 1,500 that were deleted in a trial, copies of 5 were left in pages that had
    been split or joined since they were written.
    """
    connection.exec_driver_sql(f"ALTER TABLE {table.name} RENAME TO {table.name}_old")
    table.create(connection)
    connection.exec_driver_sql(f"INSERT INTO {table.name} SELECT * FROM {table.name}_old")
    connection.exec_driver_sql(f"DROP TABLE {table.name}_old")
