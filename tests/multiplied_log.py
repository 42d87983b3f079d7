"""A log many times as long as one that ``synthetic_log`` wrote, without writing each record: to measure searches on.

``python -m tests.multiplied_log DATABASE-URL BASE-FILE TIMES`` fills an empty database on either server from a SQLite
file, by SQL and COPY alone, so that ten million records take minutes where writing each of them takes an hour.

Each record of the base stands in the log ``TIMES`` times, one copy right behind the other, at the same moment. What
costs a search something is as in a log of so many records that were written one by one:

- a copy has its own position, id, reference, AccessKeyId, RequestId and whole values (``audit_terms``), spread over all
  of their indexes, so that none of these has fewer different values or fewer pages;
- people, addresses, networks and session names are the base's, which is written with as many people as the long log is
  to have: each of them has ``TIMES`` as many records, the busiest ones too;
- a long log has more kinds of records than a short one (decision 124): those that the base has once become four. Of
  20,000 people a million records are of 28,600 kinds, ten million written one by one of some 42,000, and those that
  this makes of 44,300;
- texts and sealed fields are there in full; a page that shows them reads and opens as much.

Hashes and macs are missing or the base's, so that nothing of it can be verified.
"""

import sqlite3
import sys
import time
from collections.abc import Iterator, Mapping

from sqlalchemy import Engine, Table

from bridge.audit import tables
from bridge.audit.database import open_database
from bridge.audit.search import indexes
from bridge.audit.search import tables as search
from bridge.audit.tables import BLOCK_LEAVES, NUMBER_BITS
from tests.synthetic_log import PostgresqlSink, as_copied, make_room

_OWN_KINDS = 3
"""In so many copies the kinds that occur once in the base are others; the further copies share theirs."""
MOST_TIMES = 16
_MONTHS = 13
_AT_ONCE = 20_000
_STEP = 0x0101010101010101
_DIGITS = {"reference": ("0123456789ABCDEF", 1), "access_key_id": ("0123456789abcdef", len("STS.N") + 1)}
_DIGITS["sts_request_id"] = _DIGITS["reference"]
"""Which digit of a number is another one in each copy."""
_OWN_KIND = f"iif(kind IN (SELECT kind FROM base.audit_kinds WHERE count = 1), min(k, {_OWN_KINDS}), 0)"
_COUNTED = (search.hours, search.networks, search.counts, search.uses)
_SUMS = ("records", "sign_ins", "refusals", "issued", "count")

Selected = tuple[Table, str, Mapping[str, str]]
"""A table, what to read its rows from, and an expression for each column."""


def multiply_log(base: str, target: Engine, times: int) -> int:
    """Fill an empty database with a log ``times`` as long as the one in a SQLite file; return its length."""
    if not 0 < times <= MOST_TIMES:
        raise ValueError(times)
    with sqlite3.connect(f"file:{base}?mode=ro", uri=True) as reading:
        size, begin = reading.execute("SELECT count(*), min(time) FROM audit_index").fetchone()
        writers = [writer for (writer,) in reading.execute("SELECT writer FROM audit_writers ORDER BY writer")]
    with target.begin() as connection:
        make_room(connection, begin, _MONTHS)
    selected = _select_records(writers, times), _select_others(size * times, times)
    fill = _fill_sqlite if target.dialect.name == "sqlite" else _fill_postgresql
    fill(base, target, times, [each for part in selected for each in part])
    return int(size * times)


def _select_records(writers: list[int], times: int) -> Iterator[Selected]:
    """Yield the records of each writer and copy by themselves, so that ids rise."""
    columns = _columns(tables.records) | {"id": _moved_id(times)}
    for writer in writers:
        for copy in range(times):
            where = f"id >= {writer << NUMBER_BITS} AND id < {(writer + 1) << NUMBER_BITS}"
            yield tables.records, f"(SELECT *, {copy} AS k FROM base.audit_records WHERE {where})", columns


def _select_others(size: int, times: int) -> Iterator[Selected]:
    position, copies = f"position * {times} + k", "CROSS JOIN temp.copies"
    numbers = {name: _other_digit(name) for name in _DIGITS}
    index = {"position": position, "id": _moved_id(times), "kind": _differ("kind", _OWN_KIND)}
    yield tables.index, f"base.audit_index {copies}", _columns(tables.index) | index | numbers
    for table in (tables.writers, tables.sequenced):
        yield table, f"base.{table.name} {copies}", _columns(table) | {"writer": f"writer * {times} + k"}
    moved = f"SELECT {_differ('term', 'k')} AS term, {position} AS position FROM base.audit_terms {copies}"
    yield search.terms, f"({moved} ORDER BY 1, 2)", _columns(search.terms)
    own = {"kind": _differ("kind", "k"), "first_position": f"first_{position}"}
    own |= {"last_position": f"last_{position}", "count": "1"}
    once = f"base.audit_kinds {copies} WHERE count = 1 AND k"
    yield search.kinds, f"{once} < {_OWN_KINDS}", _columns(search.kinds) | own
    shared = {"last_position": f"last_position * {times} + {times - 1}", "count": str(times - _OWN_KINDS)}
    yield search.kinds, f"{once} = {_OWN_KINDS}", _columns(search.kinds) | own | shared
    yield search.kinds, "base.audit_kinds WHERE count > 1", _grown(search.kinds, times)
    for table in _COUNTED:
        yield table, f"base.{table.name}", _grown(table, times)
    open_block = {"block": str(size // BLOCK_LEAVES), "leaves": f"zeroblob({size % BLOCK_LEAVES * 32})"}
    yield tables.open_block, "(SELECT 1)", open_block
    yield tables.keys, "base.audit_keys", _columns(tables.keys)


def _columns(table: Table) -> dict[str, str]:
    return {column.name: column.name for column in table.columns}


def _grown(table: Table, times: int) -> dict[str, str]:
    grown = {name: f"{name} * {times}" for name in ("first_position", *_SUMS)}
    grown["last_position"] = f"last_position * {times} + {times - 1}"
    return {name: grown.get(name, name) for name in _columns(table)}


def _moved_id(times: int) -> str:
    return f"(((id >> {NUMBER_BITS}) * {times} + k) << {NUMBER_BITS} | (id & {(1 << NUMBER_BITS) - 1}))"


def _differ(hashed: str, copy: str) -> str:
    """Return SQL for a 64-bit hash that is another one in each copy: SQLite has no exclusive or."""
    step = f"({copy} * {_STEP})"
    return f"(({hashed} | {step}) - ({hashed} & {step}))"


def _other_digit(name: str) -> str:
    digits, at = _DIGITS[name]
    digit = f"substr('{digits * 2}', instr('{digits}', substr({name}, {at}, 1)) + k, 1)"
    return f"(substr({name}, 1, {at - 1}) || {digit} || substr({name}, {at + 1}))"


def _open_base(base: str, times: int, database: str = ":memory:") -> sqlite3.Connection:
    connection = sqlite3.connect(database, isolation_level=None, uri=True)
    connection.execute("ATTACH ? AS base", (f"file:{base}?mode=ro",))
    connection.execute("CREATE TEMPORARY TABLE copies (k INTEGER PRIMARY KEY)")
    connection.executemany("INSERT INTO temp.copies VALUES (?)", [(copy,) for copy in range(times)])
    return connection


def _fill_sqlite(base: str, target: Engine, times: int, selected: list[Selected]) -> None:
    target.dispose()
    writing = _open_base(base, times, f"file:{target.url.database}")
    for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -200000"):
        writing.execute(f"PRAGMA main.{pragma}")
    writing.execute("BEGIN EXCLUSIVE")
    for table, source, columns in selected:
        names, values = ", ".join(columns), ", ".join(columns.values())
        writing.execute(f"INSERT INTO main.{table.name} ({names}) SELECT {values} FROM {source}")
    writing.execute("COMMIT")
    writing.execute("PRAGMA main.journal_mode = WAL")
    writing.close()
    with target.begin() as connection:
        connection.exec_driver_sql("PRAGMA cache_size = -200000")
        indexes.create(connection)
        connection.exec_driver_sql("ANALYZE")


def _fill_postgresql(base: str, target: Engine, times: int, selected: list[Selected]) -> None:
    sink, reading = PostgresqlSink(target), _open_base(base, times)
    for table, source, columns in selected:
        line = " || char(9) || ".join(as_copied(table.c[name], value) for name, value in columns.items())
        lines = reading.execute(f"SELECT {line} FROM {source}")
        while part := lines.fetchmany(_AT_ONCE):
            sink.copy(table.name, ", ".join(columns), "\n".join([each for (each,) in part]) + "\n")
    reading.close()
    sink.finish()


def main() -> None:
    """Multiply a log by hand."""
    began = time.monotonic()
    size = multiply_log(sys.argv[2], open_database(sys.argv[1]), int(sys.argv[3]))
    sys.stdout.write(f"{size:,} records in {time.monotonic() - began:,.0f} s\n")


if __name__ == "__main__":
    main()
