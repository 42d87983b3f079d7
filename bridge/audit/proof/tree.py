"""The tree as the database keeps it: roots of complete blocks, their leaf hashes, and those of the open block.

Whoever can write to the database can change all of that. What is read here is as good as the checkpoint that its root
is held against; what is missing counts as zeros, with which no checkpoint agrees.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import BigInteger, Connection, LargeBinary, cast, select

from bridge.audit import tables
from bridge.audit.proof.merkle import HASH_BYTES, Frontier, block_row, split_hashes, tree_root
from bridge.audit.tables import BLOCK_LEAVES

_MISSING = bytes(HASH_BYTES)

# Cast, since in SQLite a column can be made to hold anything.
ROOT = cast(tables.blocks.c.root, LargeBinary).label("root")
LEAVES = cast(tables.blocks.c.leaves, LargeBinary).label("leaves")
_OPEN_BLOCK = select(
    cast(tables.open_block.c.block, BigInteger).label("block"),
    cast(tables.open_block.c.leaves, LargeBinary).label("leaves"),
)


@dataclass
class Tree:
    """The log so far: its complete blocks, and the leaf hashes after them."""

    blocks: Frontier = field(default_factory=Frontier)
    open_leaves: list[bytes] = field(default_factory=list)

    @property
    def size(self) -> int:
        """How many records have a position."""
        return self.blocks.size + len(self.open_leaves)

    def copy(self) -> "Tree":
        """Return another one that grows on its own."""
        return Tree(self.blocks.copy(), self.open_leaves.copy())

    def root(self) -> bytes:
        """Return the root over all records."""
        whole = self.blocks.copy()
        whole.extend(self.open_leaves)
        return whole.root()

    def add(self, leaf: bytes) -> dict[str, Any] | None:
        """Add a leaf hash; return the row of the block that it completes, if it does."""
        self.open_leaves.append(leaf)
        if len(self.open_leaves) < BLOCK_LEAVES:
            return None
        row = block_row(self.blocks.size // BLOCK_LEAVES, self.open_leaves)
        self.blocks.append(row["root"], BLOCK_LEAVES)
        self.open_leaves = []
        return row


def read_tree(connection: Connection, known: Frontier | None = None) -> Tree:
    """Return the tree; ``known``: complete blocks that were read before and are not read again."""
    block, leaves = read_open_block(connection)
    return Tree(_read_blocks(connection, block, known), leaves)


def read_size(connection: Connection) -> int:
    """Return how many records have a position."""
    block, leaves = read_open_block(connection)
    return block * BLOCK_LEAVES + len(leaves)


def read_open_block(connection: Connection) -> tuple[int, list[bytes]]:
    """Return the number of the block that is not complete, and its leaf hashes."""
    row = connection.execute(_OPEN_BLOCK).first()
    return (row.block, split_hashes(row.leaves)) if row else (0, [])


def read_leaves(connection: Connection, block: int) -> list[bytes]:
    """Return the leaf hashes of a block, complete or not; none if it is missing."""
    row = connection.execute(select(LEAVES).where(tables.blocks.c.block == block)).first()
    if row:
        return split_hashes(row.leaves)
    open_block, leaves = read_open_block(connection)
    return leaves if open_block == block else []


def read_hashes(connection: Connection, begin: int, end: int) -> dict[int, bytes]:
    """Return the leaf hashes of the blocks that a range touches, by position, without those that are missing."""
    hashes: dict[int, bytes] = {}
    first, last = begin // BLOCK_LEAVES, -(-end // BLOCK_LEAVES)
    block, leaves = read_open_block(connection)
    if first <= block < last:
        hashes.update(enumerate(leaves, start=block * BLOCK_LEAVES))
    query = select(tables.blocks.c.block, LEAVES)
    for block, joined in connection.execute(query.where(tables.blocks.c.block >= first, tables.blocks.c.block < last)):
        hashes.update(enumerate(split_hashes(joined), start=block * BLOCK_LEAVES))
    return hashes


def read_root(connection: Connection, size: int, known: Frontier | None = None) -> bytes:
    """Return the root over the first ``size`` records; ``known`` as for :func:`read_tree`."""
    block, rest = divmod(size, BLOCK_LEAVES)
    frontier = _read_blocks(connection, block, known)
    frontier.extend(_first_leaves(connection, block, rest))
    return frontier.root()


def read_subtree(connection: Connection, begin: int, end: int) -> bytes:
    """Return the root over the records from ``begin`` up to, and without, ``end``: a subtree of a proof's path."""
    first, rest = divmod(begin, BLOCK_LEAVES)
    if end - begin <= BLOCK_LEAVES:
        return tree_root(_first_leaves(connection, first, rest + end - begin)[rest:])
    frontier = Frontier()
    for root in _roots(connection, first, end // BLOCK_LEAVES):
        frontier.append(root, BLOCK_LEAVES)
    frontier.extend(_first_leaves(connection, *divmod(end, BLOCK_LEAVES)))
    return frontier.root()


def _read_blocks(connection: Connection, end: int, known: Frontier | None) -> Frontier:
    frontier = known.copy() if known is not None and known.size <= end * BLOCK_LEAVES else Frontier()
    for root in _roots(connection, frontier.size // BLOCK_LEAVES, end):
        frontier.append(root, BLOCK_LEAVES)
    return frontier


def _first_leaves(connection: Connection, block: int, count: int) -> list[bytes]:
    leaves = read_leaves(connection, block)[:count] if count else []
    return leaves + [_MISSING] * (count - len(leaves))


def _roots(connection: Connection, begin: int, end: int) -> Iterator[bytes]:
    query = select(tables.blocks.c.block, ROOT).where(tables.blocks.c.block >= begin, tables.blocks.c.block < end)
    found = {row.block: row.root for row in connection.execute(query)}
    for block in range(begin, end):
        yield found.get(block, _MISSING)
