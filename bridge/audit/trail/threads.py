"""The thread from a sign-in to what was done in the cloud: our records and the calls that the trail has, as one line.

Records have our time and calls the cloud's; the two clocks may be some minutes apart, so a call can stand a little
before the record that made it possible.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Engine, Select, and_, or_, select

from bridge.audit.events import SignInAccepted
from bridge.audit.record import read_record, to_microseconds
from bridge.audit.search.indexes import has_reference
from bridge.audit.secrets import AuditSecrets
from bridge.audit.tables import SAME_RECORD, index, records
from bridge.audit.trail.join import Credentials
from bridge.audit.trail.store import COLUMNS, Lookups, read_progress
from bridge.audit.trail.tables import addresses, calls, credentials

Record = Mapping[str, Any]
MAX_RECORDS = 500


@dataclass(frozen=True)
class Call:
    """One event of the trail, under the credentials with which it was done; times in microseconds since 1970, UTC."""

    event_id: str
    time: int
    service: str
    name: str
    region: str
    write: bool
    error_code: str
    """Empty if it was done."""
    request_id: str
    source_address: str
    """Empty where it is unknown, or the person was erased."""
    network: str
    access_key_id: str
    account: str
    """The account's id."""
    role: str


@dataclass(frozen=True)
class Thread:
    """Everything about one set of credentials."""

    access_key_id: str
    records: tuple[Record, ...]
    """Ours: the sign-in, the choice, the exchange, the release; opened, oldest first."""
    credentials: Credentials | None
    """What the trail says of them; None: nothing."""
    session_name: str
    caller: str
    """What whoever asked STS is called in the trail. Both empty where it is unknown, or the person was erased."""
    parents: tuple[Credentials, ...]
    """With which they were asked for, and those with which these were, as far as the trail knows."""
    children: tuple[Credentials, ...]
    """Asked for with them."""
    calls: tuple[Call, ...]
    """The last ones, newest first."""


class Threads:
    """Reads threads."""

    def __init__(self, engine: Engine, secrets: AuditSecrets) -> None:
        """Take the audit database and the log's keys."""
        self._engine = engine
        self._secrets = secrets

    def follow(
        self, access_key_id: str, *, count: int = 200, before: int | None = None, beyond: str = ""
    ) -> Thread | None:
        """Return everything about an AccessKeyId; None: neither log knows it.

        Args:
            access_key_id: exactly as STS wrote it.
            count: how many calls at most.
            before: only calls before this moment.
            beyond: the identifier of the last call that was shown, at that moment: those of it that follow count too.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database does not answer.
        """
        with self._engine.connect().execution_options(read_only=True) as connection:
            lookups = Lookups(connection, {})
            found = lookups.find_named([access_key_id]).get(access_key_id)
            parents = _find_parents(lookups, found)
            children = self._find_children(connection, access_key_id)
            told = self._read_records(connection, access_key_id, found)
            opened = self._open([_sealed(found.session, found.sealed)])[0] if found and found.sealed else {}
        if found is None and not told:
            return None
        query = _CALLS.where(calls.c.credentials == found.number) if found else None
        return Thread(
            access_key_id=access_key_id,
            records=tuple(told),
            credentials=found,
            session_name=opened.get("role_session_name", ""),
            caller=opened.get("caller", ""),
            parents=parents,
            children=children,
            calls=tuple(self._read_calls(query, before, count, beyond)) if query is not None else (),
        )

    def calls_of_person(
        self, subject_digest: str, *, count: int = 200, before: int | None = None, since: int = 0
    ) -> list[Call]:
        """Return the calls with all credentials that are traced to a person, newest first.

        Args:
            subject_digest: the keyed digest of the person, as in records.
            count: how many at most.
            before: only calls before this moment; microseconds since 1970.
            since: only calls at this moment or later.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database does not answer.
        """
        own = select(credentials.c.number).where(credentials.c.subject == subject_digest, credentials.c.last >= since)
        return self._read_calls(_CALLS.where(calls.c.credentials.in_(own), calls.c.time >= since), before, count)

    def latest(self, count: int = 50) -> list[Credentials]:
        """Return the credentials with calls that were used last, newest first.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database does not answer.
        """
        query = select(*(credentials.c[name] for name in COLUMNS)).where(
            credentials.c.way != "", credentials.c.calls > 0
        )
        with self._engine.connect().execution_options(read_only=True) as connection:
            return [
                Credentials(*row) for row in connection.execute(query.order_by(credentials.c.last.desc()).limit(count))
            ]

    def newest(self) -> int | None:
        """Return the time of the newest event that was imported; None: nothing was.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database does not answer.
        """
        with self._engine.connect().execution_options(read_only=True) as connection:
            return read_progress(connection, "newest") or None

    def _read_calls(self, query: Select[Any], before: int | None, count: int, beyond: str = "") -> list[Call]:
        if before is not None:
            rest = and_(calls.c.time == before, calls.c.event_id > beyond)
            query = query.where(or_(calls.c.time < before, rest) if beyond else calls.c.time < before)
        query = query.order_by(calls.c.time.desc(), calls.c.event_id).limit(count)
        with self._engine.connect().execution_options(read_only=True) as connection:
            rows = connection.execute(query).mappings().all()
        opened = self._open([_sealed(row["session"], row["sealed"]) for row in rows])
        names = {field.name for field in fields(Call)} - {"source_address", "network", "name", "access_key_id"}
        return [
            Call(
                **{name: row[name] for name in names},
                name=row["call"],
                access_key_id=row["key"],
                network=row["network"] or "",
                source_address=each.get("source_address", ""),
            )
            for row, each in zip(rows, opened, strict=True)
        ]

    def _open(self, contents: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return self._secrets.open_all(contents)

    def _find_children(self, connection: Any, name: str) -> tuple[Credentials, ...]:
        query = select(*(credentials.c[column] for column in COLUMNS)).where(credentials.c.parent == name)
        rows = connection.execute(query.order_by(credentials.c.first).limit(MAX_RECORDS))
        return tuple(Credentials(*row) for row in rows)

    def _read_records(self, connection: Any, access_key_id: str, found: Credentials | None) -> list[Record]:
        """Return the records of the requests in which the credentials left, and of the sign-in before them."""
        about = index.c.access_key_id == access_key_id
        if found is not None and found.position is not None:
            about = or_(about, index.c.position == found.position)
        query = select(index.c.reference, index.c.subject, index.c.position).where(about).order_by(index.c.position)
        leading = connection.execute(query.limit(MAX_RECORDS)).all()
        if not leading:
            return []
        first = leading[0]
        references = {row.reference for row in leading if row.reference}
        sign_in = select(index.c.reference).where(
            index.c.subject == first.subject, index.c.event == SignInAccepted.name, index.c.position < first.position
        )
        last = connection.execute(sign_in.order_by(index.c.position.desc()).limit(1)).scalar()
        references |= {last} if last else set()
        rows = connection.execute(
            _RECORDS.where(or_(about, has_reference(*references))).order_by(index.c.position).limit(MAX_RECORDS)
        ).all()
        opened = self._open([read_record(row.position, 0, row.body)[0] for row in rows])
        return [{**each, "position": row.position} for row, each in zip(rows, opened, strict=True)]


def weave(told: Iterable[Record], made: Iterable[Call]) -> Iterator[Record | Call]:
    """Yield records and calls as one line, newest first; both come so."""
    lines: tuple[Iterable[Record | Call], Iterable[Call]] = (told, made)
    yield from heapq.merge(*lines, key=_moment, reverse=True)


def _moment(entry: Record | Call) -> int:
    return entry.time if isinstance(entry, Call) else to_microseconds(entry["time"])


def _sealed(session: str, sealed: str | None) -> dict[str, Any]:
    return {} if sealed is None else {"sealed": sealed, "sealed_for": f"session/{session}"}


def _find_parents(lookups: Lookups, found: Credentials | None) -> tuple[Credentials, ...]:
    parents: list[Credentials] = []
    seen = {""}
    while found is not None and found.parent not in seen:
        seen.add(found.parent)
        found = lookups.find_named([found.parent]).get(found.parent)
        parents += [found] if found else []
    return tuple(parents)


_CALLS = (
    select(
        calls.c.event_id,
        calls.c.time,
        calls.c.service,
        calls.c.name.label("call"),
        calls.c.region,
        calls.c.write,
        calls.c.error_code,
        calls.c.request_id,
        credentials.c.name.label("key"),
        credentials.c.account,
        credentials.c.role,
        credentials.c.session,
        addresses.c.network,
        addresses.c.sealed,
    )
    .join(credentials, credentials.c.number == calls.c.credentials)
    .outerjoin(addresses, addresses.c.number == calls.c.address)
)
_RECORDS = select(index.c.position, records.c.body).join(records, SAME_RECORD)
