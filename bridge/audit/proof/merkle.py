"""The tree over all records, as Certificate Transparency has it (RFC 6962, 2.1; RFC 9162, 2.1), with SHA-256.

A leaf is the text of a record. The hash of an inner node covers its two children, so one root stands for every record
and its place; a few hashes prove that a record is under a root, or that one root's records begin another's.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from bridge.audit.tables import BLOCK_LEAVES

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256().digest()

_sha256 = hashlib.sha256

Subtree = tuple[int, int]
"""Leaves from the first number up to, and without, the second."""


def leaf_hash(body: bytes) -> bytes:
    """Return the hash of a leaf. The prefix keeps a leaf from passing for an inner node, and the other way round."""
    return _sha256(b"\x00" + body).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node over its two children."""
    return _sha256(b"\x01" + left + right).digest()


def tree_root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over these leaf hashes (RFC 6962, 2.1: MTH)."""
    if not leaves:
        return EMPTY_ROOT
    level = list(leaves)
    while len(level) > 1:
        # An odd last node goes up as it is: then every left subtree is the largest possible power of two.
        odd = level[-1:] if len(level) % 2 else []
        pairs = zip(level[::2], level[1::2], strict=False)
        level = [_sha256(b"\x01" + left + right).digest() for left, right in pairs] + odd
    return level[0]


class Frontier:
    """The tree so far, as the roots of the perfect subtrees that it is made of; it grows at its right end."""

    def __init__(self) -> None:
        """Begin with the empty tree."""
        self.size = 0
        self._peaks: list[bytes] = []

    def copy(self) -> "Frontier":
        """Return another one that grows on its own."""
        twin = Frontier()
        twin.size, twin._peaks = self.size, self._peaks.copy()
        return twin

    def append(self, subtree: bytes, leaves: int = 1) -> None:
        """Add the root of a perfect subtree; without ``leaves``, a leaf hash.

        Args:
            subtree: the hash.
            leaves: over how many leaves it is: a power of two of which the size so far is a multiple.
        """
        self.size += leaves
        count = self.size // leaves
        while not count & 1:
            subtree = _sha256(b"\x01" + self._peaks.pop() + subtree).digest()
            count >>= 1
        self._peaks.append(subtree)

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add leaf hashes."""
        for leaf in leaves:
            self.append(leaf)

    def root(self) -> bytes:
        """Return the root of the tree so far."""
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = node_hash(peak, root)
        return root


def join_hashes(hashes: Iterable[bytes]) -> bytes:
    """Return hashes one after the other, as the tables keep them."""
    return b"".join(hashes)


def split_hashes(joined: bytes) -> list[bytes]:
    """Return the hashes that were joined."""
    return [joined[at : at + HASH_BYTES] for at in range(0, len(joined), HASH_BYTES)]


def block_row(block: int, leaves: Sequence[bytes]) -> dict[str, Any]:
    """Return the row of ``audit_blocks`` for the block with this number and its 256 leaf hashes."""
    return {"block": block, "root": tree_root(leaves), "leaves": join_hashes(leaves)}


def open_block_row(size: int, leaves: Sequence[bytes]) -> dict[str, Any]:
    """Return the row of ``audit_open_block`` for a log of this size; ``leaves``: those after the last full block."""
    return {"block": size // BLOCK_LEAVES, "leaves": join_hashes(leaves)}


def perfect_subtrees(begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the perfect subtrees that cover the leaves up to, and without, ``end``: first leaf, number of leaves."""
    while begin < end:
        leaves = begin & -begin if begin else 1 << (end - begin).bit_length() - 1
        while begin + leaves > end:
            leaves >>= 1
        yield begin, leaves
        begin += leaves


def inclusion_path(position: int, size: int) -> list[Subtree]:
    """Return the subtrees whose roots prove that a leaf is in a tree of this size, from the leaf up (RFC 6962, 2.1.1).

    Raises:
        ValueError: the tree has no such leaf.
    """
    if not 0 <= position < size:
        raise ValueError(f"a tree of {size} leaves has none at {position}")
    path: list[Subtree] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _left_leaves(end - begin)
        if position < middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((begin, middle))
            begin = middle
    return path[::-1]


def consistency_path(first: int, second: int) -> list[Subtree]:
    """Return the subtrees whose roots prove that a tree of ``first`` leaves begins one of ``second`` (RFC 6962, 2.1.2).

    Raises:
        ValueError: the first tree is larger than the second.
    """
    if not 0 <= first <= second:
        raise ValueError(f"a tree of {first} leaves cannot begin one of {second}")
    if first in (0, second):
        return []
    path: list[Subtree] = []
    begin, end, whole = 0, second, True
    while end != first:
        middle = begin + _left_leaves(end - begin)
        if first <= middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((begin, middle))
            begin, whole = middle, False
    if not whole:
        path.append((begin, end))
    return path[::-1]


def prove(path: Sequence[Subtree], root_of: Callable[[int, int], bytes]) -> list[bytes]:
    """Return the proof along a path: ``root_of(begin, end)`` gives the root over these leaves."""
    return [root_of(begin, end) for begin, end in path]


def verify_inclusion(leaf: bytes, position: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Tell whether the proof leads from the leaf hash at this position to the root (RFC 9162, 2.1.3.2)."""
    if not 0 <= position < size:
        return False
    index, last, node = position, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if index & 1 or index == last:
            node = node_hash(sibling, node)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        index, last = index >> 1, last >> 1
    return last == 0 and node == root


def verify_consistency(first: int, first_root: bytes, second: int, second_root: bytes, proof: Sequence[bytes]) -> bool:
    """Tell whether the proof shows that the first tree's leaves begin the second's (RFC 9162, 2.1.4.2)."""
    if not 0 <= first <= second:
        return False
    if first == 0:
        return not proof and first_root == EMPTY_ROOT
    if first == second:
        return not proof and first_root == second_root
    hashes = list(proof) if first & (first - 1) else [first_root, *proof]
    if not hashes:
        return False
    index, last = first - 1, second - 1
    while index & 1:
        index, last = index >> 1, last >> 1
    old = new = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if index & 1 or index == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        index, last = index >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root


def _left_leaves(size: int) -> int:
    """Return how many leaves are in the left subtree: the largest power of two below ``size``."""
    return 1 << (size - 1).bit_length() - 1
