"""Proofs that somebody can check without the log: that a record is in it, and that it only grew.

Each is made from the hashes that the database keeps, and checked before it is handed out.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from bridge.audit import tables
from bridge.audit.proof.checkpoints import Checkpoint, open_checkpoint
from bridge.audit.proof.merkle import (
    consistency_path,
    inclusion_path,
    prove,
    verify_consistency,
    verify_inclusion,
)
from bridge.audit.proof.notes import NoteRefused, VerifierKey
from bridge.audit.proof.tree import read_leaves, read_root, read_subtree
from bridge.audit.tables import BLOCK_LEAVES
from bridge.errors import ChainBroken

_PROOF_FORMAT = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True)
class Signed:
    """A checkpoint and the note that it was read from."""

    checkpoint: Checkpoint
    note: str


@dataclass(frozen=True)
class RecordProof:
    """That the record at a position is under a checkpoint."""

    position: int
    leaf: bytes
    hashes: tuple[bytes, ...]
    """From the record's neighbour up to the root's child (RFC 6962, 2.1.1)."""
    under: Signed

    @property
    def text(self) -> str:
        """The proof as https://c2sp.org/tlog-proof has it. What is proved is the record's text."""
        hashes = "".join(f"{_encode(each)}\n" for each in self.hashes)
        return f"{_PROOF_FORMAT}\nindex {self.position}\n{hashes}\n{self.under.note}"


@dataclass(frozen=True)
class GrowthProof:
    """That the records under one checkpoint begin those under another."""

    first: Signed
    second: Signed
    hashes: tuple[bytes, ...]
    """RFC 6962, 2.1.2."""

    @property
    def text(self) -> str:
        """The proof as JSON, as ``verify_bundle.py --grew`` reads it."""
        members = {
            "first": self.first.note,
            "second": self.second.note,
            "hashes": [_encode(each) for each in self.hashes],
        }
        return json.dumps(members, indent=1, ensure_ascii=False) + "\n"


def read_last(connection: Connection, keys: Sequence[VerifierKey]) -> Signed | None:
    """Return the last checkpoint; None if there is none yet.

    Raises:
        ChainBroken: none of the keys signed it.
    """
    row = connection.execute(select(tables.checkpoints).order_by(tables.checkpoints.c.number.desc()).limit(1)).first()
    if row is None:
        return None
    try:
        return Signed(open_checkpoint(row.note, keys), row.note)
    except NoteRefused as error:
        raise ChainBroken(f"checkpoint {row.number}: {error}", 0, row.size) from error


def prove_record(connection: Connection, position: int, under: Signed) -> RecordProof:
    """Return the proof that a record is under a checkpoint.

    Raises:
        ValueError: the checkpoint is over fewer records.
        ChainBroken: the hashes that are kept do not prove it.
    """
    size = under.checkpoint.size
    path = inclusion_path(position, size)
    leaves = read_leaves(connection, position // BLOCK_LEAVES)
    leaf = leaves[position % BLOCK_LEAVES] if position % BLOCK_LEAVES < len(leaves) else b""
    hashes = tuple(prove(path, lambda begin, end: read_subtree(connection, begin, end)))
    if not verify_inclusion(leaf, position, size, hashes, under.checkpoint.root):
        raise ChainBroken(f"the hashes that are kept do not lead from record {position} to the checkpoint", 0, size)
    return RecordProof(position, leaf, hashes, under)


def prove_growth(connection: Connection, first: Signed, second: Signed) -> GrowthProof:
    """Return the proof that one checkpoint's records begin another's.

    Raises:
        ChainBroken: they do not, or the hashes that are kept do not prove it.
    """
    old, new = first.checkpoint, second.checkpoint
    if old.size > new.size:
        raise ChainBroken(f"records {new.size} to {old.size - 1}, which the first is over, are gone", new.size)
    path = consistency_path(old.size, new.size)
    hashes = tuple(prove(path, lambda begin, end: read_subtree(connection, begin, end)))
    if not verify_consistency(old.size, old.root, new.size, new.root, hashes):
        same = read_root(connection, old.size) == old.root
        detail = "hashes that are kept were changed" if same else "the first checkpoint is over others than these"
        raise ChainBroken(detail, 0, old.size)
    return GrowthProof(first, second, hashes)


def _encode(content: bytes) -> str:
    return base64.b64encode(content).decode()
