"""The proof of one record: under which checkpoint it is, and a bundle that shows it to somebody who trusts nobody."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, select

from bridge.audit import tables
from bridge.audit.proof.bundle import Selection, write_bundle
from bridge.audit.proof.merkle import leaf_hash
from bridge.audit.proof.notes import VerifierKey
from bridge.audit.reader import database_errors
from bridge.audit.sequencer import Sequencer


@dataclass(frozen=True)
class RecordProof:
    """A record as it was recorded, and what covers it."""

    body: str
    """Byte for byte, ASCII; what says something of a person is sealed."""
    leaf: str
    """Its hash in the tree (RFC 6962, 2.1), hexadecimal."""
    size: int | None
    """How many records the last checkpoint is over; None: this one is not among them yet."""
    time: int | None
    """When that was signed; microseconds since 1970, UTC."""


class RecordProofs:
    """Reads and writes them."""

    def __init__(self, engine: Engine, sequencer: Sequencer, keys: Sequence[VerifierKey]) -> None:
        """Take the database, what signs checkpoints, and the public keys that verify them."""
        self._engine = engine
        self._sequencer = sequencer
        self._keys = keys

    def describe(self, position: int) -> RecordProof | None:
        """Return what proves a record; None if there is no record (any more) at this position.

        Raises:
            AuditUnavailable: the database does not answer.
        """
        body_at = (
            select(tables.records.c.body)
            .join(tables.index, tables.SAME_RECORD)
            .where(tables.index.c.position == position)
        )
        last = select(tables.checkpoints.c.size, tables.checkpoints.c.time)
        last = last.order_by(tables.checkpoints.c.number.desc()).limit(1)
        with database_errors(), self._engine.connect().execution_options(read_only=True) as connection:
            body = connection.execute(body_at).scalar()
            checkpoint = connection.execute(last).first()
        if body is None:
            return None
        leaf = leaf_hash(body.encode()).hex()
        if checkpoint is None or checkpoint.size <= position:
            return RecordProof(body, leaf, None, None)
        return RecordProof(body, leaf, checkpoint.size, checkpoint.time)

    def write(self, position: int) -> bytes:
        """Return a bundle (a zip file) with this record alone, under a checkpoint of now.

        Raises:
            ChainBroken: the record is not the one that was signed, or nothing here can sign.
            AuditUnavailable: the database does not answer.
        """
        content = io.BytesIO()
        with database_errors():
            self._sequencer.sign_now()
            write_bundle(self._engine, content, Selection(position, position + 1), self._keys)
        return content.getvalue()
