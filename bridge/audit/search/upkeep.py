"""What search needs beside ``audit_index``, kept in the transaction that gives records their position."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Insert, Table, bindparam, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from bridge.audit.kinds import kind_row, terms
from bridge.audit.search.tables import counts, hours, kinds, networks, uses
from bridge.audit.search.tables import terms as term_table
from bridge.audit.tables import index

HOUR = 3_600_000_000
DAY = 24 * HOUR
SIGN_IN = "sign_in.accepted"
ISSUED = "exchange.issued"
CONSOLE = "delivery.console"
TURN = "search-upkeep"
"""Of whoever rebuilds all of it, or retires months: positions must not go meanwhile."""
_KNOWN_AT_ONCE = 500
_ADD_TO_KIND = (
    kinds.update()
    .where(kinds.c.kind == bindparam("of_kind"))
    .values(last_position=bindparam("last"), count=kinds.c.count + bindparam("more"))
)


def counts_as_issued(row: Mapping[str, Any]) -> bool:
    """Tell whether a record says that somebody became a role or user: credentials were issued, or a console opened.

    A console that was opened with credentials is told by their own record already. Takes the row of ``audit_index``.
    """
    event = row["event"]
    return bool(event == ISSUED or (event == CONSOLE and not row["access_key_id"]))


def flag_number(flag: bool | None) -> int:  # noqa: FBT001  a column that may be absent
    """Return a flag as ``audit_counts`` has it."""
    return -1 if flag is None else int(flag)


Group = tuple[str, str, str, int, int]
"""event, provider, code, privileged, mfa"""
Use = tuple[str, str, int, bool]
"""account, entitlement, mfa, whether it is privileged"""


@dataclass(frozen=True)
class Traits:
    """What of a record is counted; many records share it."""

    kind: int
    group: Group
    use: Use | None
    """Of a record that says that somebody became something."""
    sign_in: bool
    refused: bool


def traits_of(row: Mapping[str, Any]) -> Traits:
    """Return what is counted of a record, from its row of ``audit_index``."""
    group = (
        row["event"],
        row["provider"] or "",
        row["code"] or "",
        flag_number(row["privileged"]),
        flag_number(row["mfa"]),
    )
    issued = counts_as_issued(row)
    use = (row["account"] or "", row["entitlement"] or "", group[4], bool(row["privileged"])) if issued else None
    return Traits(row["kind"], group, use, row["event"] == SIGN_IN, row["refused"])


class Tally:
    """What some records, one after the other, add to the computed tables."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.kind_rows: dict[int, Mapping[str, Any]] = {}
        self.terms: list[tuple[int, int]] = []
        self._kinds: dict[int, list[int]] = {}
        self._counts: Counter[tuple[int, Group]] = Counter()
        self._uses: Counter[tuple[int, Use]] = Counter()
        self._hours: dict[int, list[int]] = {}
        self._networks: dict[str, list[int]] = {}

    def add(self, row: Mapping[str, Any], content: Mapping[str, Any]) -> None:
        """Take one record: its row of ``audit_index``, and what it says. Positions rise."""
        kind, position = row["kind"], row["position"]
        if kind not in self.kind_rows:
            self.kind_rows[kind] = kind_row(content)
        self.note(position, row["time"], traits_of(row), row["network"])
        self.terms += [(term, position) for term in terms(content)]

    def note(self, position: int, time: int, traits: Traits, network: str | None) -> None:
        """Count one record."""
        span = self._kinds.get(traits.kind)
        if span is None:
            span = self._kinds[traits.kind] = [position, position, 0]
        span[1] = position
        span[2] += 1
        day = time // DAY
        self._counts[day, traits.group] += 1
        hour = self._hours.get(time // HOUR)
        if hour is None:
            hour = self._hours[time // HOUR] = [position, position, 0, 0, 0, 0]
        hour[1] = position
        hour[2] += 1
        hour[3] += traits.sign_in
        hour[4] += traits.refused
        if traits.use is not None:
            hour[5] += 1
            self._uses[day, traits.use] += 1
        if network:
            seen = self._networks.get(network)
            if seen is None:
                seen = self._networks[network] = [position, time, position, 0]
            seen[2] = position
            seen[3] += 1

    def write(self, connection: Connection) -> None:
        """Add everything to the tables."""
        self._write_kinds(connection)
        for table, sums, rows in self.rows():
            _add(connection, table, sums, rows)
        if self.terms:
            connection.execute(
                term_table.insert(), [{"term": term, "position": position} for term, position in self.terms]
            )

    def rows(self) -> Iterator[tuple[Table, Sequence[str], list[dict[str, Any]]]]:
        """Yield tables but for the kinds and terms, which of their columns are sums, and what was counted."""
        grouped = [(day, *group, count) for (day, group), count in self._counts.items()]
        yield counts, ("count",), _rows(counts, grouped)
        used = [(day, *use[:3], count, use[3]) for (day, use), count in self._uses.items()]
        yield uses, ("count",), _rows(uses, used)
        sums = ("records", "sign_ins", "refusals", "issued")
        yield hours, sums, _rows(hours, [(hour, *values) for hour, values in self._hours.items()])
        yield networks, ("count",), _rows(networks, [(name, *values) for name, values in self._networks.items()])

    def kinds(self) -> list[dict[str, Any]]:
        """Return rows of ``audit_kinds``: as if there had been no such records before."""
        names = ("first_position", "last_position", "count")
        return [{**self.kind_rows[kind], **dict(zip(names, span, strict=True))} for kind, span in self._kinds.items()]

    def _write_kinds(self, connection: Connection) -> None:
        rows = self.kinds()
        known = _find_known(connection, sorted(self._kinds))
        new = [row for row in rows if row["kind"] not in known]
        old = [
            {"of_kind": row["kind"], "last": row["last_position"], "more": row["count"]}
            for row in rows
            if row["kind"] in known
        ]
        if new:
            connection.execute(kinds.insert(), new)
        if old:
            connection.execute(_ADD_TO_KIND, old)


def index_rows(
    connection: Connection, rows: Sequence[Mapping[str, Any]], contents: Sequence[Mapping[str, Any]]
) -> None:
    """Keep what search needs of records that get their position in this transaction.

    Args:
        connection: the transaction of the sequencer, which no other is in at the same time.
        rows: the new rows of ``audit_index``, by position.
        contents: what the records say, in the same order.
    """
    tally = Tally()
    for row, content in zip(rows, contents, strict=True):
        tally.add(row, content)
    tally.write(connection)


def forget_positions(connection: Connection, positions: Sequence[int]) -> None:
    """Forget records that are about to lose their rows of ``audit_index``: no search finds or counts them any more.

    What is counted by hours and days, and when a network was seen first, stays: those figures say what happened.
    Nobody else may sequence meanwhile.
    """
    connection.execute(delete(term_table).where(term_table.c.position.in_(positions)))
    of_kind = select(index.c.kind, func.count().label("gone")).where(index.c.position.in_(positions))
    rows = connection.execute(of_kind.group_by(index.c.kind)).all()
    for kind, gone in rows:
        left = select(func.min(index.c.position), func.max(index.c.position)).where(
            index.c.kind == kind, index.c.position.not_in(positions)
        )
        first, last = connection.execute(left).one()
        this = kinds.c.kind == kind
        if first is None:
            connection.execute(delete(kinds).where(this))
        else:
            values = {"first_position": first, "last_position": last, "count": kinds.c.count - gone}
            connection.execute(update(kinds).where(this).values(values))


def _rows(table: Table, values: Iterable[Sequence[Any]]) -> list[dict[str, Any]]:
    names = table.columns.keys()
    return [dict(zip(names, each, strict=True)) for each in values]


def _find_known(connection: Connection, numbers: Sequence[int]) -> set[int]:
    known: set[int] = set()
    for start in range(0, len(numbers), _KNOWN_AT_ONCE):
        part = numbers[start : start + _KNOWN_AT_ONCE]
        known.update(connection.execute(select(kinds.c.kind).where(kinds.c.kind.in_(part))).scalars())
    return known


def _add(connection: Connection, table: Table, sums: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, or add to ``sums`` of those that are there. A last position moves on; a first one stays."""
    if not rows:
        return
    insert = _insert(connection, table)
    changed = {name: table.c[name] + insert.excluded[name] for name in sums}
    if "last_position" in table.c:
        changed["last_position"] = insert.excluded.last_position
    connection.execute(insert.on_conflict_do_update(index_elements=list(table.primary_key.columns), set_=changed), rows)


def _insert(connection: Connection, table: Table) -> Any:
    make: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement: Insert = make(table)
    return statement
