"""Bundles: records as they were recorded, with what proves them, for somebody who trusts neither us nor the database.

What is in one, and how it is verified, is told at the top of ``verifier/verify_bundle.py``, which goes with it. The
records of a bundle need not follow each other; for all others stand the hashes of the subtrees that they make up.
"""

import base64
import json
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import IO, Any

from sqlalchemy import Connection, Engine, select

from bridge.audit import tables
from bridge.audit.proof.checkpoints import split_text
from bridge.audit.proof.hand_over import read_hand_overs
from bridge.audit.proof.merkle import Frontier, join_hashes, leaf_hash, perfect_subtrees
from bridge.audit.proof.notes import VerifierKey
from bridge.audit.proof.tree import read_subtree
from bridge.database import snapshot
from bridge.errors import ChainBroken

SEPARATOR = "----\n"
"""The line after each note in a file of several."""
_AT_ONCE = 2_000
_BETWEEN_CHECKPOINTS = 256
_README = """\
These are records of {origin},
byte for byte as they were recorded, and what proves it. Nobody needs to be trusted but Python (3.9 or newer) and the
public key of the log:

    python3 -I verify_bundle.py . --key '{key}'

Compare that key with the one that the log's operator published, or that you noted earlier. `verify_bundle.py --help`
tells the rest; it is short, and needs nothing else and no network. Whoever changed the records would have changed it
as well: if you do not trust who gave you this, run a copy that you have from elsewhere.
"""


@dataclass(frozen=True)
class Selection:
    """Which records: those at the positions from ``first`` up to, and without, ``end``, made within a time."""

    first: int
    end: int
    since: int | None = None
    """Microseconds since 1970; records before it are left out."""
    until: int | None = None
    """Records from then on are left out."""
    positions: frozenset[int] | None = None
    """If given, these alone."""


@dataclass
class _Taken:
    """The records that were written."""

    ranges: list[list[int]] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)

    def add(self, position: int, leaf: bytes) -> None:
        self.leaves.append(leaf)
        if self.ranges and self.ranges[-1][1] == position:
            self.ranges[-1][1] += 1
        else:
            self.ranges.append([position, position + 1])


def write_bundle(engine: Engine, content: IO[bytes], selection: Selection, keys: Sequence[VerifierKey]) -> int:
    """Write a bundle as a zip file; return how many records are in it. Let the sequencer sign first (``sign_now``).

    Args:
        engine: the audit database.
        content: where to; it must be possible to seek in it.
        selection: which records. They must be under a checkpoint.
        keys: the public keys that sign checkpoints now.

    Raises:
        ChainBroken: the records are not those of the checkpoint, so the bundle would not verify.
        sqlalchemy.exc.SQLAlchemyError: the database does not answer.
    """
    with snapshot(engine) as connection, zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        note = _read_checkpoint(connection, selection.end)
        origin, size, root = split_text(note.rpartition("\n\n")[0] + "\n")
        taken = _Taken()
        with archive.open("records.jsonl", "w", force_zip64=True) as file:
            for position, body in _read_bodies(connection, selection):
                taken.add(position, leaf_hash(body))
                file.write(body + b"\n")
        nodes = _read_nodes(connection, taken.ranges, size)
        if _compute_root(taken, nodes, size) != root:
            raise ChainBroken("the records are not those of the checkpoint", selection.first, size)
        proof = {
            "format": 1,
            "ranges": taken.ranges,
            "nodes": [base64.b64encode(node).decode() for node in nodes],
        }
        verifier = files("bridge.audit.proof.verifier").joinpath("verify_bundle.py").read_text(encoding="utf-8")
        archive.writestr("proof.json", json.dumps(proof, indent=1) + "\n")
        archive.writestr("hashes.bin", join_hashes(taken.leaves))
        archive.writestr("checkpoint.txt", note)
        archive.writestr("checkpoints.txt", join_notes(_read_checkpoints(connection, taken.ranges)))
        named = "".join(f"{key}\n" for key in keys)
        archive.writestr("keys.txt", join_notes([named, *read_hand_overs(connection)]))
        archive.writestr("verify_bundle.py", verifier)
        archive.writestr("README.txt", _README.format(origin=origin, key=keys[0] if keys else "NAME+ID+KEY"))
    return len(taken.leaves)


def join_notes(notes: Iterable[str]) -> str:
    """Return notes one after the other, as a file of several has them."""
    return "".join(note + SEPARATOR for note in notes)


def _read_checkpoint(connection: Connection, end: int) -> str:
    """Return the last checkpoint, which is over all records up to ``end``."""
    last = connection.execute(select(tables.checkpoints).order_by(tables.checkpoints.c.number.desc()).limit(1)).first()
    if last is None or last.size < end:
        raise ChainBroken("no checkpoint is over these records yet", last.size if last else 0)
    return str(last.note)


def _read_bodies(connection: Connection, selection: Selection) -> Iterator[tuple[int, bytes]]:
    position = selection.first
    query = (
        select(tables.index.c.position, tables.records.c.body)
        .join(tables.records, tables.SAME_RECORD)
        .order_by(tables.index.c.position)
    )
    if selection.since is not None:
        query = query.where(tables.index.c.time >= selection.since)
    if selection.until is not None:
        query = query.where(tables.index.c.time < selection.until)
    if selection.positions is not None:
        query = query.where(tables.index.c.position.in_(selection.positions))
    while position < selection.end:
        last = min(position + _AT_ONCE, selection.end)
        part = query.where(tables.index.c.position >= position, tables.index.c.position < last)
        for row in connection.execute(part):
            yield row.position, row.body.encode()
        position = last


def _read_nodes(connection: Connection, ranges: Sequence[Sequence[int]], size: int) -> list[bytes]:
    """Return the roots of all perfect subtrees between the ranges, from the first to the last."""
    nodes: list[bytes] = []
    read = lru_cache(1)(lambda begin, end: read_subtree(connection, begin, end))
    place = 0
    for begin, end in [*ranges, (size, size)]:
        nodes += [read(first, first + leaves) for first, leaves in perfect_subtrees(place, begin)]
        place = end
    return nodes


def _compute_root(taken: _Taken, nodes: Sequence[bytes], size: int) -> bytes:
    frontier, given, others = Frontier(), iter(taken.leaves), iter(nodes)
    for begin, end in [*taken.ranges, (size, size)]:
        for _, leaves in perfect_subtrees(frontier.size, begin):
            frontier.append(next(others), leaves)
        for _ in range(begin, end):
            frontier.append(next(given))
    return frontier.root()


def _read_checkpoints(connection: Connection, ranges: Sequence[Sequence[int]]) -> Iterator[str]:
    """Yield earlier checkpoints that end within the records, some hundred records apart."""
    query = select(tables.checkpoints.c.size, tables.checkpoints.c.note).order_by(tables.checkpoints.c.number)
    for begin, end in ranges:
        last = begin
        within = query.where(tables.checkpoints.c.size > begin, tables.checkpoints.c.size <= end)
        for row in _rows(connection, within):
            if row.size >= last + _BETWEEN_CHECKPOINTS:
                last = row.size
                yield row.note


def _rows(connection: Connection, query: Any) -> Any:
    return connection.execution_options(yield_per=_AT_ONCE).execute(query)
