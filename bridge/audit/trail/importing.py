"""Import of ActionTrail files: each event once, whatever was imported before and however often.

What is kept: which credentials STS gave out for our accounts, all of them for some days, since the middle of a chain of
roles may come last; and calls, only of credentials that are ours or of a governed role. An event is known by its
``eventId``.

A batch of events is read, looked up and joined first, and then written in one transaction that waits for nothing, so
that sign-ins, which are recorded in the same database, do not wait long. If another import was faster meanwhile, the
batch is done again.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, delete, func, insert, select, update

from bridge.audit.among import among
from bridge.audit.content import find_network
from bridge.audit.secrets import AuditSecrets, encode_personal
from bridge.audit.trail.events import TrailEvent, read_event, read_key
from bridge.audit.trail.gathering import Seen, gather, merge
from bridge.audit.trail.join import SECOND, Credentials, Join
from bridge.audit.trail.reading import TrailFile
from bridge.audit.trail.store import (
    COLUMNS,
    Lookups,
    find_stored_strays,
    read_begin,
    read_progress,
    read_unexplained,
)
from bridge.audit.trail.strays import LONGEST_SESSION, Scope, Stray
from bridge.audit.trail.tables import addresses, calls, credentials, progress
from bridge.clock import Clock
from bridge.errors import TrailUnreadable

BATCH = 8_000
_CACHE = "PRAGMA cache_size = -65536"
"""64 MB for this command: identifiers are random, so every page of their index is needed again and again."""
KEPT_UNEXPLAINED = 7 * 86_400 * SECOND
"""For how long credentials of roles that nobody governs are kept, lest they turn out to be in the middle of a chain."""


_CHANGING = tuple(name for name in COLUMNS if name not in {"number", "name"})
_USED = ("first", "last", "calls")


@dataclass
class Report:
    """What came of an import."""

    files: list[TrailFile] = field(default_factory=list)
    unreadable: list[TrailUnreadable] = field(default_factory=list)
    read: int = 0
    """Events, also those that say nothing here."""
    unusable: int = 0
    """Of these, objects that are no event, or of a time that has not come."""
    kept: int = 0
    """Of these, calls that were not there before."""
    first: int | None = None
    last: int | None = None
    """The time of the earliest and the latest event, by their clock; microseconds since 1970."""
    new_strays: list[Stray] = field(default_factory=list)


class TrailImport:
    """Imports files into the tables."""

    def __init__(self, engine: Engine, secrets: AuditSecrets, scope: Scope, clock: Clock) -> None:
        """Take the audit database, the log's keys, what to go by, and the clock."""
        self._engine = engine
        self._clock = clock
        self._secrets = secrets
        self.scope = scope
        self._passed_over: set[str] = set()
        self._oldest = 0

    def run(self, files: Iterable[TrailFile]) -> Report:
        """Import every file, and return what came of it; a file that cannot be read does not stop the others.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database does not answer. What was imported before stays.
        """
        report = Report(files=list(files))
        before = {stray.credentials.name for stray in find_stored_strays(self._engine, self.scope)}
        with self._reading() as connection:
            begin = read_begin(connection)
        self._oldest = 0 if begin is None else begin - self._tolerance - LONGEST_SESSION
        for batch in _batches(self._read(report)):
            report.kept += self._take(batch)
        self._join_again()
        self._take_passed_over(report)
        self._note_newest(report)
        report.new_strays = [
            stray for stray in find_stored_strays(self._engine, self.scope) if stray.credentials.name not in before
        ]
        return report

    @property
    def _tolerance(self) -> int:
        return self.scope.tolerance_seconds * SECOND

    def _reading(self) -> Connection:
        return self._engine.connect().execution_options(read_only=True)

    def _read(self, report: Report, only: frozenset[str] | None = None) -> Iterator[TrailEvent]:
        """Yield the events of the files; with ``only``, those done with these credentials."""
        # One event of next year would make everything that waits a stray, and let the chains that wait be forgotten.
        future = int(self._clock.now().timestamp()) * SECOND + self._tolerance
        for file in report.files:
            try:
                for raw in file.read():
                    report.read += 1
                    if only is not None and read_key(raw) not in only:
                        continue
                    event = read_event(raw)
                    if event is None or event.time > future:
                        report.unusable += 1
                        continue
                    report.first = min(report.first or event.time, event.time)
                    report.last = max(report.last or event.time, event.time)
                    yield event
            except TrailUnreadable as error:
                report.unreadable.append(error)

    def _take(self, events: Sequence[TrailEvent], only: frozenset[str] | None = None) -> int:
        """Import a batch; with ``only``, no other credentials. Return how many calls were new."""
        accounts = self.scope.governed.accounts
        fresh = {event.event_id: event for event in events if event.time >= self._oldest}
        seen = list(gather(fresh.values(), accounts, lambda name: self._secrets.digest("session_name", name)))
        if only is not None:
            seen = [each for each in seen if each.actor is not None and each.actor.name in only]
        while True:
            with self._reading() as connection:
                if connection.dialect.name == "sqlite":
                    connection.exec_driver_sql(_CACHE)
                turn = read_progress(connection, "turn")
                known = _find_known(connection, [each.event.event_id for each in seen])
                batch = self._join_batch(connection, [each for each in seen if each.event.event_id not in known])
            if not batch.touched:
                return 0
            with self._engine.begin() as connection:
                if _take_turn(connection, turn):
                    self._write(connection, batch)
                    return len(batch.calls)

    def _join_batch(self, connection: Connection, seen: Sequence[Seen]) -> "_Batch":
        lookups = Lookups(connection, self.scope.governed.accounts)
        names = {each.name for one in seen for each in (one.actor, one.child) if each is not None}
        found = lookups.find_named(names)
        batch = _Batch(found)
        for one in seen:
            batch.add(one)
        join = Join(lookups, lookups, self.scope.our_providers, self._tolerance)
        batch.said.update(each.name for each in join.explain(found.values(), settled=False))
        for one in seen:
            holder = self._find_holder(one, found)
            if holder is not None:
                batch.calls.append((one.event, holder))
                holder.calls += 1
        batch.touched = [each for each in found.values() if each.action or self._is_wanted(each)]
        return batch

    def _find_holder(self, seen: Seen, found: dict[str, Credentials]) -> Credentials | None:
        """Return the credentials under which an event is kept; None: it is not."""
        for each in (seen.actor, seen.child):
            if each is not None:
                if self._is_wanted(found[each.name]):
                    return found[each.name]
                if each is seen.actor:
                    self._passed_over.add(each.name)
        return None

    def _is_wanted(self, each: Credentials) -> bool:
        return bool(each.way) or (each.account, each.role) in self.scope.governed

    def _write(self, connection: Connection, batch: "_Batch") -> None:
        self._seal(connection, batch)
        number = connection.execute(select(func.max(credentials.c.number))).scalar() or 0
        new, old = [], []
        for each in batch.touched:
            if not each.number:
                number += 1
                each.number = number
                new.append(each)
            else:
                old.append(each)
        if new:
            connection.execute(insert(credentials), [_to_row(each) for each in new])
        _update(connection, [each for each in old if each.name in batch.said])
        _update(connection, [each for each in old if each.name not in batch.said], _USED)
        places = self._place_addresses(connection, batch)
        if batch.calls:
            connection.execute(insert(calls), [_to_call(event, holder, places) for event, holder in batch.calls])

    def _seal(self, connection: Connection, batch: "_Batch") -> None:
        """Seal what is known of those whose row says less; nothing of those that are only kept for a chain."""
        wanted = [each for each in batch.touched if each.name in batch.personal and self._is_wanted(each)]
        for _, holder in batch.calls:
            batch.sessions[holder.session] = None
        needed = {_key_name(each.session): None for each in wanted}
        needed |= {_key_name(session): None for session in batch.sessions}
        batch.keys = self._secrets.provide(connection, needed)
        for each in wanted:
            each.sealed = batch.keys.seal(_key_name(each.session), encode_personal(batch.personal[each.name]))

    def _place_addresses(self, connection: Connection, batch: "_Batch") -> dict[tuple[str, str], int]:
        """Return by session and address the number of its row, made where there is none."""
        pairs = {(holder.session, event.address) for event, holder in batch.calls if event.address}
        places = {pair: f"{pair[0]}/{self._secrets.digest('address', pair[1])}" for pair in pairs}
        query = select(addresses.c.place, addresses.c.number)
        query = query.where(among(addresses.c.place, places.values(), connection.dialect.name))
        there = {row.place: row.number for row in connection.execute(query)}
        number = connection.execute(select(func.max(addresses.c.number))).scalar() or 0
        rows = []
        for (session, address), place in places.items():
            if place not in there:
                number += 1
                there[place] = number
                sealed = batch.keys.seal(_key_name(session), encode_personal({"source_address": address}))
                network = find_network(address)
                rows.append({"number": number, "place": place, "network": network, "sealed": sealed})
        if rows:
            connection.execute(insert(addresses), rows)
        return {pair: there[place] for pair, place in places.items()}

    def _join_again(self) -> None:
        """Join what is left with what came later."""
        while True:
            with self._reading() as connection:
                turn = read_progress(connection, "turn")
                left = read_unexplained(connection)
                lookups = Lookups(connection, self.scope.governed.accounts)
                found = Join(lookups, lookups, self.scope.our_providers, self._tolerance).explain(left)
            if not found:
                return
            with self._engine.begin() as connection:
                if _take_turn(connection, turn):
                    _update(connection, found)
                    return

    def _take_passed_over(self, report: Report) -> None:
        """Read the files once more if there were calls in them of credentials that only what came later explained."""
        with self._reading() as connection:
            late = frozenset(Lookups(connection, self.scope.governed.accounts).find_ways(self._passed_over))
        if late:
            again = Report(files=report.files)
            report.kept += sum(self._take(batch, late) for batch in _batches(self._read(again, late)))

    def _note_newest(self, report: Report) -> None:
        with self._engine.begin() as connection:
            newest = max(read_progress(connection, "newest"), report.last or 0)
            _set_progress(connection, "newest", newest)
            governed = self.scope.governed
            over = newest - KEPT_UNEXPLAINED
            query = select(credentials.c.number, credentials.c.account, credentials.c.role)
            rows = connection.execute(query.where(credentials.c.way == "", credentials.c.last < over))
            gone = [{"gone": row.number} for row in rows if (row.account, row.role) not in governed]
            if gone:
                connection.execute(delete(credentials).where(credentials.c.number == bindparam("gone")), gone)


class _Batch:
    """What a batch makes of the credentials that it speaks of."""

    def __init__(self, found: dict[str, Credentials]) -> None:
        self.found = found
        self.calls: list[tuple[TrailEvent, Credentials]] = []
        self.personal: dict[str, dict[str, str]] = {}
        """What is to be sealed of credentials of which the database says less."""
        self.said: set[str] = set()
        """Of which more is known now than when they were used."""
        self.touched: list[Credentials] = []
        self.sessions: dict[str, None] = {}
        self.keys: Any = None

    def add(self, seen: Seen) -> None:
        """Note what an event says of credentials."""
        event = seen.event
        if seen.actor is not None:
            self._merge(seen.actor, {"role_session_name": event.session_name})
        if seen.child is not None and event.birth is not None:
            self._merge(seen.child, {"role_session_name": event.birth.session_name, "caller": event.user})

    def _merge(self, each: Credentials, personal: dict[str, str]) -> None:
        there = self.found.get(each.name)
        says_more = there is None or (bool(each.action) and not there.action) or there.sealed is None
        if there is None:
            self.found[each.name] = replace(each)  # a batch that is done again begins with what the events say
        else:
            merge(there, each)
        if says_more:
            self.said.add(each.name)
            self.personal.setdefault(each.name, {}).update({key: text for key, text in personal.items() if text})


def _batches(events: Iterator[TrailEvent]) -> Iterator[list[TrailEvent]]:
    while batch := list(islice(events, BATCH)):
        yield batch


def _find_known(connection: Connection, names: Iterable[str]) -> set[str]:
    query = select(calls.c.event_id).where(among(calls.c.event_id, list(names), connection.dialect.name))
    return set(connection.execute(query).scalars())


def _take_turn(connection: Connection, turn: int) -> bool:
    """Let nobody else import until the transaction ends; tell whether nobody has since ``turn`` was read."""
    changed = connection.execute(
        update(progress).where(progress.c.name == "turn", progress.c.value == turn).values(value=turn + 1)
    ).rowcount
    return bool(changed)


def _set_progress(connection: Connection, name: str, value: int) -> None:
    connection.execute(update(progress).where(progress.c.name == name).values(value=value))


def _key_name(session: str) -> str:
    return f"session/{session}"


def _to_row(each: Credentials) -> dict[str, Any]:
    return {name: getattr(each, name) for name in COLUMNS}


def _update(connection: Connection, changed: Sequence[Credentials], names: Sequence[str] = _CHANGING) -> None:
    if changed:
        statement = update(credentials).where(credentials.c.number == bindparam("row_number"))
        statement = statement.values({name: bindparam(f"new_{name}") for name in names})
        rows = [
            {f"new_{name}": getattr(each, name) for name in names} | {"row_number": each.number} for each in changed
        ]
        connection.execute(statement, rows)


def _to_call(event: TrailEvent, holder: Credentials, places: dict[tuple[str, str], int]) -> dict[str, Any]:
    return {
        "event_id": event.event_id,
        "credentials": holder.number,
        "time": event.time,
        "service": event.service,
        "name": event.name,
        "region": event.region,
        "write": event.write,
        "error_code": event.error_code,
        "request_id": event.request_id,
        "address": places.get((holder.session, event.address)),
    }
