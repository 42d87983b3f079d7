"""A long log as a company would have it, written fast: valid in every respect, but nobody signed in.

People with skewed activity at several identity providers, jobs that become roles, refusals, months with nights and
weekends, several processes that write. Each record has the text that the log itself would have written for the event.

``python -m tests.synthetic_log DATABASE-URL COUNT [PEOPLE]`` writes one by hand.
"""

import hashlib
import hmac
import json
import random
import sqlite3
import sys
import time as clock
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Column, Connection, Engine, LargeBinary, String
from sqlalchemy.engine import make_url

from bridge.audit import tables
from bridge.audit.content import Describer, find_network
from bridge.audit.database import open_database
from bridge.audit.events import Origin
from bridge.audit.keeping.partitions import create_ahead
from bridge.audit.kinds import kind_row, term_of, terms
from bridge.audit.proof.merkle import block_row, open_block_row
from bridge.audit.record import FIRST_MAC, FORMAT, encode_body
from bridge.audit.search import indexes
from bridge.audit.search.tables import kinds
from bridge.audit.search.upkeep import HOUR, Tally, Traits, traits_of
from bridge.audit.secrets import AuditSecrets, FoundKeys
from bridge.audit.tables import BLOCK_LEAVES, NUMBER_BITS
from bridge.sealing import Sealer
from tests.audit_records import index_row
from tests.synthetic_people import PRIVILEGED, Company, Happening, Somebody, format_second

SECOND = 1_000_000
_BATCH = 20_000
_ADDRESS = "233.252.0.77"
"""Stands for others while a template is made."""
_COLUMNS = (
    *("position", "month", "id", "time", "event", "refused", "code", "reference", "protocol", "provider", "account"),
    *("entitlement", "rule", "access_key_id", "sts_request_id", "subject", "address", "session_name", "network", "mfa"),
    *("privileged", "kind"),
)
_NUMBERS = {"number": 7_770_000_000_000_001, "writer": 7_770_000_000_000_002, "monotonic": 7_770_000_000_000_003}
"""Numbers that stand for others while a template is made."""


@dataclass(frozen=True)
class SyntheticLog:
    """What was written."""

    size: int
    people: int
    first_time: datetime
    last_time: datetime
    seconds: float


@dataclass
class _Template:
    """The text of all records that differ in who, when, from where and by which numbers, but in nothing else."""

    body: str
    personal: str
    of_subject: bool
    """Whether it is sealed for a person, and not for an address."""
    traits: Traits
    event: tuple[Any, ...]
    target: tuple[Any, ...]
    assurance: tuple[Any, ...]
    """Columns between those that differ: event, refused, code; protocol to rule; mfa, privileged, kind."""
    copied: tuple[str, str, str]
    """Slots that have a column, where the event has them: AccessKeyId, RequestId, session name."""
    term_slots: tuple[str, ...]
    fixed_terms: tuple[int, ...]


def write_log(
    engine: Engine,
    secrets: AuditSecrets,
    count: int,
    *,
    seed: int = 0,
    months: int = 12,
    until: datetime | None = None,
    people: int | None = None,
) -> SyntheticLog:
    """Fill an empty log with ``count`` sequenced records, search tables and indexes included; no checkpoint is signed.

    Let a sequencer sign afterwards (``Sequencer.sign_now``). Needs every table; drops and makes the indexes.

    Args:
        engine: the audit database; a SQLite one must not be open elsewhere.
        secrets: the log's keys.
        count: how many records.
        seed: another one is another company.
        months: over how much time, in 30 days each.
        until: when the last record was written; now where absent.
        people: how many people; one for each 400 records, 20 to 20,000, where absent.
    """
    began = clock.monotonic()
    until = until or datetime.now(UTC)
    company = Company(random.Random(seed), people or min(20_000, max(20, count // 400)))
    end = int(until.timestamp()) * SECOND
    begin = end - months * 30 * 24 * HOUR
    with engine.begin() as connection:
        make_room(connection, begin, months)
        needed = {
            f"subject/{secrets.subject_digest(person.issuer, person.subject)}": person.label
            for person in company.everybody
        }
        needed |= {f"address/{secrets.digest('address', address)}": None for address in company.strangers}
        found = secrets.provide(connection, needed)
    sink = _SqliteSink(engine) if engine.dialect.name == "sqlite" else PostgresqlSink(engine)
    writer = _Writer(secrets, found, Describer(secrets, PRIVILEGED), sink)
    for batch in _schedule(company, count, begin, end):
        writer.write(batch)
    writer.finish()
    return SyntheticLog(
        writer.position,
        len(company.everybody),
        datetime.fromtimestamp(writer.first_time / SECOND, UTC),
        datetime.fromtimestamp(writer.last_time / SECOND, UTC),
        clock.monotonic() - began,
    )


def as_copied(column: Column[Any], value: str) -> str:
    """Return SQL (SQLite) for a column's value, given as an expression, as COPY reads it."""
    if isinstance(column.type, LargeBinary):
        value = rf"'\\x' || hex({value})"
    elif isinstance(column.type, String):
        value = rf"replace(replace(replace({value}, '\', '\\'), char(10), '\n'), char(9), '\t')"
    return rf"coalesce(CAST({value} AS TEXT), '\N')"


def make_room(connection: Connection, begin: int, months: int) -> None:
    """Drop the indexes, before very many rows are added at once; in PostgreSQL each month gets its partition."""
    indexes.create(connection)
    indexes.drop_indexes(connection)
    if connection.dialect.name == "postgresql":
        create_ahead(connection, datetime.fromtimestamp(begin / SECOND, UTC), months)


def _schedule(company: Company, count: int, begin: int, end: int) -> Iterator[list[tuple[int, int, Happening]]]:
    """Yield what happens in each hour, in order of time: the moment, a number that breaks ties, and what."""
    weights = [_weight(begin + number * HOUR) for number in range((end - begin) // HOUR)]
    whole, passed, produced, tie = sum(weights), 0.0, 0, 0
    later: list[tuple[int, int, Happening]] = []
    done = 0
    for number, weight in enumerate(weights):
        start = begin + number * HOUR
        passed += weight
        target = count * passed / whole
        last = number == len(weights) - 1
        while produced < (count if last else target):
            for moment, happening in company.visit(start + int(company.random.random() * HOUR)):
                tie += 1
                produced += 1
                later.append((min(moment, end - 1), tie, happening))
        later.sort(key=_by_time)
        split = len(later) if last else _first_after(later, start + HOUR)
        ready, later = later[: min(split, count - done)], later[split:]
        done += len(ready)
        if ready:
            yield ready


def _by_time(planned: tuple[int, int, Happening]) -> tuple[int, int]:
    return planned[:2]


def _first_after(planned: Sequence[tuple[int, int, Happening]], moment: int) -> int:
    return next((at for at, each in enumerate(planned) if each[0] >= moment), len(planned))


def _weight(time: int) -> float:
    """Return how busy an hour is: office hours of UTC+8, some at night, little on weekends."""
    local = datetime.fromtimestamp(time // SECOND, UTC) + timedelta(hours=8)
    busy = 1.0 if 9 <= local.hour < 18 else 0.35 if 7 <= local.hour < 22 else 0.08
    return busy * (0.15 if local.weekday() >= 5 else 1.0)


@dataclass
class _Chain:
    writer: int
    number: int = 0
    mac: bytes = FIRST_MAC


@dataclass
class _Writer:
    """Turns what happens into rows."""

    secrets: AuditSecrets
    found: FoundKeys
    describer: Describer
    sink: "_SqliteSink | PostgresqlSink"
    position: int = 0
    first_time: int = 0
    last_time: int = 0
    known_people: dict[int, dict[str, str]] = field(default_factory=dict)
    known_addresses: dict[str, dict[str, str]] = field(default_factory=dict)
    templates: dict[Any, _Template] = field(default_factory=dict)
    chains: dict[tuple[int, int], _Chain] = field(default_factory=dict)
    started: list[dict[str, Any]] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    term_keys: "array[int]" = field(default_factory=lambda: array("q"))
    term_positions: "array[int]" = field(default_factory=lambda: array("q"))
    records: list[tuple[Any, ...]] = field(default_factory=list)
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    blocks: list[dict[str, Any]] = field(default_factory=list)

    def write(self, planned: Sequence[tuple[int, int, Happening]]) -> None:
        key, leaves, note, mac_of, sha256 = (
            self.secrets.mac_key,
            self.leaves,
            self.tally.note,
            hmac.digest,
            hashlib.sha256,
        )
        seal, before, position = self.found.seal, self.last_time, self.position
        for moment, _, happening in planned:
            time = max(moment, before + 1)
            before = time
            template = self.templates.get(happening.key) or self._make_template(happening)
            text = f"{format_second(time // SECOND)}.{time % SECOND:06d}Z"
            month = int(text[:4]) * 100 + int(text[5:7])
            chain = self._chain(month, happening.process, text)
            chain.number += 1
            values = {**happening.values, **self._address(happening.address)}
            if happening.person is not None:
                values |= self._person(happening.person)
            key_name = values["subject_key"] if template.of_subject else values["address_key"]
            values["sealed"] = seal(key_name, (template.personal % values).encode("ascii"))
            values["number"], values["writer"], values["time"] = chain.number, chain.writer, text
            values["monotonic"] = time // 1000 % 4_000_000_000
            body = template.body % values
            raw = body.encode("ascii")
            chain.mac = mac_of(key, chain.mac + raw, "sha256")
            leaves.append(sha256(b"\0" + raw).digest())
            identifier = chain.writer << NUMBER_BITS | chain.number
            self.records.append((identifier, month, body, chain.mac))
            get = values.get
            key_slot, request_slot, session_slot = template.copied
            self.rows.append(
                (
                    *(position, month, identifier, time, *template.event, values["reference"], *template.target),
                    *(get(key_slot), get(request_slot), values["subject_digest"] if template.of_subject else None),
                    *(values["address_digest"], get(session_slot), values["network"], *template.assurance),
                )
            )
            note(position, time, template.traits, values["network"])
            for term in template.fixed_terms:
                self.term_keys.append(term)
                self.term_positions.append(position)
            for slot in template.term_slots:
                self.term_keys.append(term_of(values[slot]))
                self.term_positions.append(position)
            position += 1
            if len(leaves) == BLOCK_LEAVES:
                self.blocks.append(block_row(position // BLOCK_LEAVES - 1, leaves))
                leaves.clear()
        self.first_time = self.first_time or planned[0][0]
        self.last_time, self.position = before, position
        if len(self.rows) >= _BATCH:
            self._flush()

    def finish(self) -> None:
        self._flush()
        sequenced = [{"writer": chain.writer, "number": chain.number} for chain in self.chains.values()]
        self.sink.add(tables.writers, self.started)
        self.sink.add(tables.sequenced, sequenced)
        self.sink.add(tables.open_block, [open_block_row(self.position, self.leaves)])
        self.sink.add(kinds, self.tally.kinds())
        for table, _, rows in self.tally.rows():
            self.sink.add(table, rows)
        order = sorted(range(len(self.term_keys)), key=self.term_keys.__getitem__)
        self.sink.bulk(
            "audit_terms", ("term", "position"), [(self.term_keys[at], self.term_positions[at]) for at in order]
        )
        self.sink.finish()

    def _flush(self) -> None:
        self.sink.bulk("audit_records", ("id", "month", "body", "mac"), self.records)
        self.sink.bulk("audit_index", _COLUMNS, self.rows)
        self.sink.add(tables.blocks, self.blocks)
        self.records, self.rows, self.blocks = [], [], []

    def _chain(self, month: int, process: int, text: str) -> _Chain:
        chain = self.chains.get((month, process))
        if chain is None:
            chain = self.chains[month, process] = _Chain(len(self.chains) + 1)
            self.started.append({"writer": chain.writer, "node": f"bridge-{process % 2 + 1}", "started": text})
        return chain

    def _person(self, person: Somebody) -> dict[str, str]:
        known = self.known_people.get(id(person))
        if known is None:
            secrets, digest = self.secrets, self.secrets.subject_digest(person.issuer, person.subject)
            names = sorted(secrets.digest("name", name) for name in {person.name, person.subject})
            known = self.known_people[id(person)] = {
                "subject_digest": digest,
                "subject_key": f"subject/{digest}",
                "name_digests": json.dumps(names, separators=(",", ":")),
                "session_name_digest": secrets.digest("session_name", person.session),
                "subject": _inside_json(person.subject),
                "person": _inside_json(person.name),
                "role_session_name": _inside_json(person.session),
                "source_identity": _inside_json(person.subject[:40]),
            }
        return known

    def _address(self, address: str) -> dict[str, str]:
        known = self.known_addresses.get(address)
        if known is None:
            digest = self.secrets.digest("address", address)
            known = self.known_addresses[address] = {
                "address_digest": digest,
                "address_key": f"address/{digest}",
                "network": find_network(address),
                "source_address": address,
            }
        return known

    def _make_template(self, happening: Happening) -> _Template:
        """Let the log itself describe the event, with stand-ins for what differs, and put slots in their places."""
        event = happening.make()
        slots = [name for name, value in vars(event).items() if value == f"~~{name}~~"]
        described = self.describer.describe(Origin("~~reference~~", _ADDRESS), event)
        content = {
            **described.plain,
            **_NUMBERS,
            "format": FORMAT,
            "time": "~~time~~",
            "sealed": "~~sealed~~",
            "sealed_for": described.key_name,
        }
        body = encode_body(content).replace("%", "%%")
        personal = described.personal.decode().replace("%", "%%").replace(_ADDRESS, "%(source_address)s")
        for name in ("subject_digest", "address_digest", "session_name_digest"):
            if name in content:
                body = body.replace(content[name], f"%({name})s")
        if "name_digests" in content:
            body = body.replace(json.dumps(content["name_digests"], separators=(",", ":")), "%(name_digests)s")
        body = body.replace(find_network(_ADDRESS), "%(network)s")
        for name in ("time", "reference", "sealed", *slots):
            body = body.replace(f"~~{name}~~", f"%({name})s")
        for name in ("subject", "person", *slots):
            personal = personal.replace(f"~~{name}~~", f"%({name})s")
        for name, number in _NUMBERS.items():
            body = body.replace(str(number), f"%({name})d")
        row = index_row(0, 0, {**content, "time": "2026-01-01T00:00:00Z"})
        self.tally.kind_rows.setdefault(row["kind"], kind_row(content))
        fixed = {name: value for name, value in content.items() if name not in slots}
        copied = (("access_key_id",) * 2, ("sts_request_id",) * 2, ("session_name", "session_name_digest"))
        access_key_id, sts_request_id, session_name = (slot if row[column] else "" for column, slot in copied)
        made = self.templates[happening.key] = _Template(
            body,
            personal,
            described.key_name.startswith("subject/"),
            traits_of(row),
            (row["event"], row["refused"], row["code"]),
            tuple(row[name] for name in ("protocol", "provider", "account", "entitlement", "rule")),
            (row["mfa"], row["privileged"], row["kind"]),
            (access_key_id, sts_request_id, session_name),
            tuple(slot for slot in slots if slot in content and terms({slot: "x"})),
            tuple(sorted(terms(fixed))),
        )
        return made


def _inside_json(text: str) -> str:
    return json.dumps(text)[1:-1]


class _SqliteSink:
    """Rows into a SQLite file, as fast as it goes: nothing survives a crash meanwhile."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        engine.dispose()
        self._connection = sqlite3.connect(make_url(engine.url).database, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = OFF")
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.execute("PRAGMA cache_size = -200000")
        self._connection.execute("BEGIN EXCLUSIVE")

    def bulk(self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        marks = ", ".join("?" * len(columns))
        self._connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)

    def add(self, table: Any, rows: Sequence[dict[str, Any]]) -> None:
        if rows:
            names = list(rows[0])
            self.bulk(table.name, names, [tuple(row[name] for name in names) for row in rows])

    def finish(self) -> None:
        self._connection.execute("COMMIT")
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.close()
        with self._engine.begin() as connection:
            connection.exec_driver_sql("PRAGMA cache_size = -200000")
            indexes.create(connection)
            connection.exec_driver_sql("ANALYZE")


class PostgresqlSink:
    """Rows into PostgreSQL by COPY."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._pooled: Any = engine.raw_connection()
        self._connection = self._pooled.driver_connection
        self._connection.execute("SET LOCAL synchronous_commit = off")

    def bulk(self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        text = "".join(["\t".join([_copied(value) for value in row]) + "\n" for row in rows])
        self.copy(table, ", ".join(columns), text)

    def copy(self, table: str, columns: str, text: str) -> None:
        with self._connection.cursor().copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
            copy.write(text)
        self._connection.commit()

    def add(self, table: Any, rows: Sequence[dict[str, Any]]) -> None:
        if rows:
            names = list(rows[0])
            self.bulk(table.name, names, [tuple(row[name] for name in names) for row in rows])

    def finish(self) -> None:
        self._connection.commit()
        self._pooled.close()
        with self._engine.begin() as connection:
            connection.exec_driver_sql("SET LOCAL maintenance_work_mem = '512MB'")
            indexes.create(connection)
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")


def _copied(value: Any) -> str:
    if value is None:
        return r"\N"
    if isinstance(value, str):
        return value.replace("\\", r"\\").replace("\n", r"\n").replace("\t", r"\t") if not value.isalnum() else value
    if isinstance(value, bytes):
        return rf"\\x{value.hex()}"
    return str(value)


def main() -> None:
    """Write a log by hand, under keys that nobody keeps."""
    engine = open_database(sys.argv[1])
    people = int(sys.argv[3]) if len(sys.argv) > 3 else None
    written = write_log(engine, AuditSecrets(engine, Sealer(bytes(32))), int(sys.argv[2]), people=people)
    sys.stdout.write(f"{written}\n{written.size / written.seconds:,.0f} records/s\n")


if __name__ == "__main__":
    main()
