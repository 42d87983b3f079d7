"""Verify checkpoints and tree: each checkpoint is signed, follows the one before, and is over the hashes that we keep.

This reads no record. That the records are those that were hashed is what ``checked_records`` finds out.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from bridge.audit import tables
from bridge.audit.proof.checkpoints import CLOCKS_SECONDS, STEPPED_BACK, Checkpoint, open_checkpoint
from bridge.audit.proof.merkle import Frontier, split_hashes, tree_root
from bridge.audit.proof.notes import NoteRefused, VerifierKey
from bridge.audit.proof.tree import LEAVES, ROOT, read_leaves, read_size
from bridge.audit.tables import BLOCK_LEAVES
from bridge.errors import ChainBroken

_AT_ONCE = 64
_CHECKPOINTS_AT_ONCE = 2_000
_MICROSECONDS = 1_000_000


@dataclass(frozen=True)
class Kept:
    """A checkpoint of the table, verified."""

    number: int
    checkpoint: Checkpoint


@dataclass
class Proved:
    """How far the hashes that are kept are those that were signed."""

    size: int = 0
    """How many records the last checkpoint that agrees is over. It may be more than are still there."""
    checkpoint: Checkpoint | None = None
    """The last one that agrees."""
    broken: ChainBroken | None = None
    """The first thing that does not agree."""


class KeptRoots:
    """Roots over the first records, for rising sizes, from the hashes that the database keeps."""

    def __init__(self, connection: Connection, begin: int, end: int) -> None:
        """Take the range in which leaf hashes are held against the roots of their blocks."""
        self._connection = connection
        self._checked = range(begin // BLOCK_LEAVES, -(-end // BLOCK_LEAVES))
        self._frontier = Frontier()
        self._rows: Iterator[tuple[int, bytes, bytes | None]] = iter(())
        self._partial: tuple[int, list[bytes], Frontier] | None = None

    def root_at(self, size: int) -> bytes:
        """Return the root over the first ``size`` records; never smaller than the last one asked for.

        Raises:
            ChainBroken: what is kept is incomplete, or does not fit together.
        """
        block, rest = divmod(size, BLOCK_LEAVES)
        while self._frontier.size < block * BLOCK_LEAVES:
            self._frontier.append(self._next_root(), BLOCK_LEAVES)
        if not rest:
            return self._frontier.root()
        if self._partial is None or self._partial[0] != block:
            self._partial = (block, read_leaves(self._connection, block), self._frontier.copy())
        _, leaves, partial = self._partial
        if len(leaves) < rest:
            begin = block * BLOCK_LEAVES + len(leaves)
            raise ChainBroken(f"the hashes of records {begin} to {size - 1} are gone", begin)
        partial.extend(leaves[partial.size - block * BLOCK_LEAVES : rest])
        return partial.root()

    def _next_root(self) -> bytes:
        block = self._frontier.size // BLOCK_LEAVES
        row = next(self._rows, None)
        if row is None:
            self._rows = self._read(block)
            row = next(self._rows, None)
        begin, end = block * BLOCK_LEAVES, (block + 1) * BLOCK_LEAVES
        if row is None or row[0] != block:
            raise ChainBroken(f"block {block}, the hashes of records {begin} to {end - 1}, is gone", begin)
        _, root, leaves = row
        if leaves is not None:
            hashes = split_hashes(leaves)
            if len(hashes) != BLOCK_LEAVES or tree_root(hashes) != root:
                raise ChainBroken(f"the hashes that block {block} keeps do not lead to its root", begin, end)
        return root

    def _read(self, first: int) -> Iterator[tuple[int, bytes, bytes | None]]:
        checked = first in self._checked
        last = min(first + _AT_ONCE, self._checked.stop) if checked else first + _AT_ONCE * BLOCK_LEAVES
        if not checked and first < self._checked.start:
            last = min(last, self._checked.start)
        columns = [tables.blocks.c.block, ROOT, *([LEAVES] if checked else [])]
        query = select(*columns).where(tables.blocks.c.block >= first, tables.blocks.c.block < last)
        rows = self._connection.execute(query.order_by(tables.blocks.c.block)).all()
        return iter([(row[0], row[1], row[2] if checked else None) for row in rows])


def read_checkpoints(
    connection: Connection, keys: Sequence[VerifierKey], begin: int = 0, end: int | None = None
) -> Iterator[Kept]:
    """Yield checkpoints, each verified, from the last over at most ``begin`` records to the first over ``end`` or more.

    Raises:
        ChainBroken: one is missing, was not signed by one of the keys, or does not follow the one before.
    """
    query = select(tables.checkpoints).order_by(tables.checkpoints.c.number).limit(_CHECKPOINTS_AT_ONCE)
    before: Kept | None = None
    if begin:
        earlier = select(tables.checkpoints).where(tables.checkpoints.c.size <= begin)
        row = connection.execute(earlier.order_by(tables.checkpoints.c.number.desc()).limit(1)).first()
        if row is not None:
            before = _open(row, keys, begin)
            yield before
    while True:
        number = before.number if before else 0
        rows = connection.execute(query.where(tables.checkpoints.c.number > number)).all()
        if not rows:
            return
        for row in rows:
            after = before.checkpoint.size if before else 0
            number = before.number + 1 if before else 1
            if row.number != number:
                raise ChainBroken(f"checkpoint {number} is gone", after)
            kept = _open(row, keys, after)
            if before is not None:
                _check_order(connection, before, kept)
            before = kept
            yield kept
            if end is not None and kept.checkpoint.size >= end:
                return


def check_tree(connection: Connection, kept: Iterable[Kept], begin: int, end: int, size: int) -> Proved:
    """Hold each checkpoint against the hashes that are kept, and those of a range against each other.

    Args:
        connection: sees one state of the database.
        kept: see :func:`read_checkpoints`.
        begin: where the range begins.
        end: the first position after it.
        size: how many records the log has.
    """
    proved = Proved()
    roots = KeptRoots(connection, begin, end)
    try:
        _hold_against(roots, ((f"checkpoint {each.number}", each.checkpoint) for each in kept), proved, size)
        hashed = min(end, read_size(connection))  # what has a position beyond that is for whoever looks at records
        if proved.size < hashed:
            roots.root_at(hashed)
    except ChainBroken as error:
        proved.broken = error
    return proved


def check_noted(connection: Connection, noted: Iterable[Checkpoint], size: int, known: int = 0) -> Proved:
    """Do the same with checkpoints that somebody noted elsewhere, and verified.

    ``known``: how many records the log's own checkpoints prove. It counts where the end is gone, and not where the log
    says otherwise than what was noted: then whoever changed it has the key that signs.
    """
    proved = Proved()
    named = (("a noted checkpoint", each) for each in sorted(noted, key=lambda checkpoint: checkpoint.size))
    try:
        _hold_against(KeptRoots(connection, 0, 0), named, proved, size, known)
    except ChainBroken as error:
        proved.broken = error
    return proved


def _hold_against(
    roots: KeptRoots, checkpoints: Iterable[tuple[str, Checkpoint]], proved: Proved, size: int, known: int = 0
) -> None:
    for name, checkpoint in checkpoints:
        is_short = checkpoint.size > size
        try:
            agrees = roots.root_at(checkpoint.size) == checkpoint.root
        except ChainBroken:
            if not is_short:
                raise
            agrees = False
        if agrees:
            proved.size, proved.checkpoint = checkpoint.size, checkpoint
        if is_short:
            # If not even their hashes are there: of what one process wrote last, some could be gone before the end.
            good = min(size, max(proved.size, known))
            detail = f"records {size} to {checkpoint.size - 1}, which {name} is over, are gone"
            raise ChainBroken(detail, good, size + 1 if good < size else None)
        if not agrees:
            detail = f"{name}, over {checkpoint.size} records, is over others than these"
            raise ChainBroken(detail, proved.size, checkpoint.size)


def is_signed(connection: Connection, keys: Sequence[VerifierKey], position: int) -> bool:
    """Tell whether the last checkpoint is over the hash that is kept at a position, wherever a range ends."""
    row = connection.execute(select(tables.checkpoints).order_by(tables.checkpoints.c.number.desc()).limit(1)).first()
    try:
        checkpoint = _open(row, keys, 0).checkpoint if row else None
        roots = KeptRoots(connection, position, position + 1)
        return (
            checkpoint is not None and position < checkpoint.size and roots.root_at(checkpoint.size) == checkpoint.root
        )
    except ChainBroken:
        return False


def _open(row: Row[Any], keys: Sequence[VerifierKey], after: int) -> Kept:
    number, size, time, note = row.number, row.size, row.time, row.note
    try:
        checkpoint = open_checkpoint(note, keys)
        agrees = checkpoint.size == size and checkpoint.time == time // _MICROSECONDS
    except NoteRefused as error:
        raise ChainBroken(f"checkpoint {number} is not what was signed: {error}", after) from error
    except TypeError as error:
        raise ChainBroken(f"checkpoint {number} has values that no checkpoint has", after) from error
    if not agrees:
        raise ChainBroken(f"checkpoint {number} says another size or time than its row", after)
    return Kept(number, checkpoint)


def _check_order(connection: Connection, before: Kept, kept: Kept) -> None:
    first, second = before.checkpoint, kept.checkpoint
    if second.origin != first.origin:
        raise ChainBroken(f"checkpoint {kept.number} is of another log, {second.origin}", first.size)
    if second.size < first.size:
        raise ChainBroken(f"checkpoint {kept.number} is over fewer records than the one before", second.size)
    if (second.time or 0) < (first.time or 0) - CLOCKS_SECONDS:
        stepped = select(tables.index.c.position).where(
            tables.index.c.position >= first.size,
            tables.index.c.position < second.size,
            tables.index.c.event == STEPPED_BACK,
        )
        if connection.execute(stepped.limit(1)).first() is None:
            raise ChainBroken(f"checkpoint {kept.number} was signed earlier than the one before", first.size)
