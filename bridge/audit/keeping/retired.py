"""What is no longer there and was retired: as the log itself says, in its last record ``audit.retired``.

Hashes stand in the places of such records, so all else is verified as before. A record that is missing elsewhere was
not retired.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from bridge.audit.events import AuditRetired
from bridge.audit.proof.merkle import leaf_hash
from bridge.audit.proof.tree import read_leaves
from bridge.audit.record import FIRST_MAC, link, record_id, split_id
from bridge.audit.tables import BLOCK_LEAVES, index, records, retired
from bridge.errors import ChainBroken

Span = tuple[int, int]
"""Positions from the first up to, and without, the second."""

# Not joined with the next one: SQLite may then go through the whole index to find out that there is none.
_POSITIONS = select(retired.c.position).order_by(retired.c.position.desc())
_RECORD = (
    select(index.c.position, records.c.id, records.c.body, records.c.mac)
    .join(records, records.c.id == index.c.id)
    .where(index.c.position == bindparam("position"))
)


@dataclass(frozen=True)
class Retired:
    """Everything that was retired so far."""

    spans: tuple[Span, ...] = ()
    """Positions without a record, ascending; they do not touch."""
    ends: Mapping[int, bytes] = field(default_factory=dict)
    """The mac of each retired record whose writer's next one is still there, by ``id``."""
    said_at: int | None = None
    """The position of the record that says so."""

    def leave_out(self, begin: int, end: int) -> Iterator[Span]:
        """Yield the parts of a span that were not retired."""
        for first, last in self.spans:
            if begin < min(first, end):
                yield begin, min(first, end)
            begin = max(begin, last)
        if begin < end:
            yield begin, end

    def ends_before(self, writer: int, number: int) -> bool:
        """Tell whether the record before a writer's record of this number was retired."""
        return record_id(writer, number - 1) in self.ends

    def describe_spans(self) -> tuple[str, ...]:
        """Return the spans as a record has them: first and last position."""
        return tuple(f"{first}-{end - 1}" for first, end in self.spans)

    def describe_ends(self) -> tuple[str, ...]:
        """Return the ends as a record has them: writer, number and mac (hexadecimal)."""
        return tuple("{} {} {}".format(*split_id(of), mac.hex()) for of, mac in sorted(self.ends.items()))


NOTHING_RETIRED = Retired()


def parse_retired(spans: Sequence[str], ends: Sequence[str]) -> Retired:
    """Return what a record says. Raises ValueError if it says nothing of the kind."""
    pairs = [span.split("-") for span in spans]
    triples = [end.split(" ") for end in ends]
    return Retired(
        merge_spans((int(first), int(last) + 1) for first, last in pairs),
        {record_id(int(writer), int(number)): bytes.fromhex(mac) for writer, number, mac in triples},
    )


def read_retired(connection: Connection, mac_key: bytes | None = None) -> Retired:
    """Return what the log says was retired; nothing where no record says so that has its place in the log.

    Whoever believes it must know that the record is genuine: nothing else is verified of what it says is gone. With
    ``mac_key``, the key of the writers' chains, it is one that the bridge wrote. See also ``checked_tree.is_signed``.
    """
    for position in connection.scalars(_POSITIONS).all():
        row = connection.execute(_RECORD, {"position": position}).first()
        said = _read_row(connection, row, mac_key) if row is not None else NOTHING_RETIRED
        if said.said_at is not None:
            return said
    return NOTHING_RETIRED


def _read_row(connection: Connection, row: Row[Any, Any, Any, Any], mac_key: bytes | None) -> Retired:
    try:
        leaves = read_leaves(connection, row.position // BLOCK_LEAVES)
        if leaves[row.position % BLOCK_LEAVES] != leaf_hash(row.body.encode()):
            return NOTHING_RETIRED
        content = json.loads(row.body)
        said = parse_retired(content["positions"], content.get("ends", ()))
        place = record_id(content["writer"], content["number"])
        if content["event"] != AuditRetired.name or place != row.id or said.spans[-1][1] > row.position:
            return NOTHING_RETIRED  # what comes after a record, or the record itself, was not gone when it was written
        if mac_key is not None and link(mac_key, _read_mac_before(connection, said, row.id), row.body) != row.mac:
            return NOTHING_RETIRED
    except (ChainBroken, ValueError, LookupError, TypeError):
        return NOTHING_RETIRED
    return replace(said, said_at=row.position)


def _read_mac_before(connection: Connection, said: Retired, identifier: int) -> bytes:
    """Return the mac that a record goes on from. Without the key nobody finds one that fits a record of their own."""
    if split_id(identifier)[1] == 1:
        return FIRST_MAC
    found = connection.execute(select(records.c.mac).where(records.c.id == identifier - 1)).scalar()
    return bytes(said.ends[identifier - 1] if found is None else found)


def merge_spans(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return the spans ascending, those that touch as one."""
    merged: list[Span] = []
    for first, end in sorted(spans):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((first, end))
    return tuple(merged)
