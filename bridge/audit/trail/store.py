"""The imported credentials in the database, and what the join asks of it and of our log."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    select,
)

from bridge.audit.among import among
from bridge.audit.events import ConsoleOpened, DoctorExchanged, ExchangeIssued
from bridge.audit.tables import SAME_RECORD, index, records
from bridge.audit.trail.join import SECOND, Credentials, Issue
from bridge.audit.trail.strays import LONGEST_SESSION, Horizon, Scope, Stray, find_strays
from bridge.audit.trail.tables import credentials, progress

COLUMNS = tuple(field.name for field in fields(Credentials))
_ISSUING = (ExchangeIssued.name, DoctorExchanged.name)
_ISSUE_COLUMNS = (index.c.position, index.c.subject, index.c.time)


class Lookups:
    """Asks within one transaction; a ``Log`` and a ``Parents`` of :mod:`bridge.audit.trail.join`."""

    def __init__(self, connection: Connection, accounts: Mapping[str, str]) -> None:
        """Take the transaction, and our names of the accounts by their ids."""
        self._connection = connection
        self._dialect = connection.dialect.name
        self._ids = {name: account for account, name in accounts.items()}

    def find_keys(self, names: Collection[str]) -> Mapping[str, Issue]:
        """Return by AccessKeyId the record by which it was issued."""
        return self._find_issues(index.c.access_key_id, names)

    def find_requests(self, request_ids: Collection[str]) -> Mapping[str, Issue]:
        """Return by STS's RequestId the record of the exchange."""
        return self._find_issues(index.c.sts_request_id, request_ids)

    def find_console_sign_ins(
        self, places: Collection[tuple[str, str, str]]
    ) -> Mapping[tuple[str, str, str], Sequence[Issue]]:
        """Return by account id, role (lower case) and session name's digest the console sign-ins by SAML, by time."""
        found: dict[tuple[str, str, str], list[Issue]] = defaultdict(list)
        sessions = {session for _, _, session in places}
        if not sessions:
            return found
        query = (
            select(*_ISSUE_COLUMNS, index.c.account, index.c.entitlement, index.c.session_name, records.c.body)
            .join(records, SAME_RECORD)
            .where(index.c.event == ConsoleOpened.name, index.c.access_key_id.is_(None))
            .where(among(index.c.session_name, sessions, self._dialect))
            .order_by(index.c.time, index.c.position)
        )
        for row in self._connection.execute(query):
            kind, _, role = (row.entitlement or "").partition(" ")
            place = (self._ids.get(row.account, ""), role.casefold(), row.session_name)
            if kind == "role" and place in places:
                seconds = json.loads(row.body).get("duration_seconds")
                length = seconds * SECOND if isinstance(seconds, int) else LONGEST_SESSION
                found[place].append(Issue(row.position, row.subject, row.time, row.time + length))
        return found

    def find_ways(self, names: Collection[str]) -> Mapping[str, tuple[str, int | None, str | None]]:
        """Return way, position and subject of those of the named credentials that are explained."""
        table = credentials.c
        query = select(table.name, table.way, table.position, table.subject).where(table.way != "")
        return {name: (way, position, subject) for name, way, position, subject in self._ask(query, table.name, names)}

    def find_steps(self, names: Collection[str]) -> Collection[str]:
        """Return those of the names with which credentials were asked for that are ``issued`` or ``request``."""
        query = select(credentials.c.parent).where(credentials.c.way.in_(("issued", "request"))).distinct()
        return {row.parent for row in self._ask(query, credentials.c.parent, names)}

    def find_used(self, positions: Collection[int]) -> Collection[int]:
        """Return those of the positions whose console sign-in explains an answer of STS already."""
        query = select(credentials.c.position).where(credentials.c.way == "console", credentials.c.action != "")
        query = query.where(among(credentials.c.position, positions, self._dialect))
        return set(self._connection.execute(query).scalars())

    def find_named(self, names: Collection[str]) -> dict[str, Credentials]:
        """Return the credentials of these names that are there."""
        query = select(*(credentials.c[name] for name in COLUMNS))
        return {row.name: Credentials(*row) for row in self._ask(query, credentials.c.name, names)}

    def _find_issues(self, column: ColumnElement[Any], names: Collection[str]) -> dict[str, Issue]:
        query = select(column, *_ISSUE_COLUMNS).where(index.c.event.in_(_ISSUING)).order_by(index.c.position.desc())
        return {row[0]: Issue(row[1], row[2], row[3], row[3]) for row in self._ask(query, column, names)}

    def _ask(self, query: Any, column: ColumnElement[Any], names: Collection[str]) -> Iterable[Any]:
        if not names:
            return ()
        return self._connection.execute(query.where(among(column, names, self._dialect)))


def read_unexplained(connection: Connection) -> list[Credentials]:
    """Return all credentials that nothing explains."""
    query = select(*(credentials.c[name] for name in COLUMNS)).where(credentials.c.way == "")
    return [Credentials(*row) for row in connection.execute(query)]


def find_stored_strays(engine: Engine, scope: Scope) -> list[Stray]:
    """Return the strays among all that was imported, newest first.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database does not answer.
    """
    table = credentials.c
    with engine.connect().execution_options(read_only=True) as connection:
        begin, newest = read_begin(connection), read_progress(connection, "newest")
        places = connection.execute(select(table.account, table.role).where(table.way == "").distinct()).all()
        roles = {row.role for row in places if (row.account, row.role) in scope.governed}
        query = select(*(table[name] for name in COLUMNS)).where(table.way == "", table.role.in_(roles))
        left = [Credentials(*row) for row in connection.execute(query)]
    if begin is None:
        return []
    horizon = Horizon(begin, newest, scope.tolerance_seconds * SECOND, scope.settling_seconds * SECOND)
    found = find_strays(left, scope.governed, horizon, scope.our_providers)
    return sorted(found, key=lambda stray: -stray.credentials.last)


def read_progress(connection: Connection, name: str) -> int:
    """Return one of the values in ``audit_trail_progress``; 0 if it is not there yet."""
    return connection.execute(select(progress.c.value).where(progress.c.name == name)).scalar() or 0


def read_begin(connection: Connection) -> int | None:
    """Return the time of the first record of the log that is kept; None without one."""
    time: int | None = connection.execute(select(index.c.time).order_by(index.c.position).limit(1)).scalar()
    return time
