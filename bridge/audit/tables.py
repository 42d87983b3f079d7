"""The tables of the audit log, the same on SQLite and PostgreSQL. What may be done to them: ``migrations/``.

Four kinds, and the difference matters to whoever has to believe the log:

- **What was recorded and what proves it**: ``audit_writers``, ``audit_records``, ``audit_checkpoints``,
  ``audit_blocks``, ``audit_retired``. Rows are added and never changed; the database itself refuses anything else.
- **What can be destroyed on purpose**: ``audit_keys``. Without its key what a record says of a person cannot be read,
  and the record still verifies.
- **What is computed from the first kind**, to be found quickly: ``audit_index``, ``audit_sequenced``,
  ``audit_open_block`` and whatever else search needs. It can be thrown away and computed again, and verification
  compares it with the records.
- **How far something got** that hands records on: ``audit_forwarding``. Rows change; the log does not depend on them.
"""

from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, MetaData, String, Table, Text, and_

metadata = MetaData()

_Key = BigInteger().with_variant(Integer, "sqlite")
"""64 bits on both; in SQLite, ``INTEGER`` alone makes the primary key the row's own number, without a second tree."""

NUMBER_BITS = 40
"""A record's ``id`` is ``writer << NUMBER_BITS | number``."""
BLOCK_LEAVES = 256

writers = Table(
    "audit_writers",
    metadata,
    Column("writer", _Key, primary_key=True, autoincrement=False),
    Column("node", Text, nullable=False),
    Column("started", String(32), nullable=False),
)
"""Each process that writes has a number of its own, from 1, and its records have theirs, from 1 without a gap."""

records = Table(
    "audit_records",
    metadata,
    Column("id", _Key, primary_key=True, autoincrement=False),
    Column("month", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("mac", LargeBinary(32), nullable=False),
)
"""``month`` is ``year * 100 + month`` of the record's time, UTC; in PostgreSQL there is a partition for each, and it is
part of the primary key.

``mac`` is HMAC-SHA256 over the mac of the same writer's record before and the body (see ``record.py``).
"""

index = Table(
    "audit_index",
    metadata,
    Column("position", _Key, primary_key=True, autoincrement=False),
    Column("month", Integer, nullable=False),
    Column("id", BigInteger, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("event", String(64), nullable=False),
    Column("refused", Boolean, nullable=False),
    Column("code", String(64)),
    Column("reference", String(64), nullable=False),
    Column("protocol", String(16)),
    Column("provider", Text),
    Column("account", Text),
    Column("entitlement", Text),
    Column("rule", Text),
    Column("access_key_id", Text),
    Column("sts_request_id", Text),
    Column("subject", String(32)),
    Column("address", String(32)),
    Column("session_name", String(32)),
    Column("network", Text),
    Column("mfa", Boolean),
    Column("privileged", Boolean),
    Column("kind", BigInteger, nullable=False),
)
"""One row for each sequenced record, by its place in the log (``position``, from 0 without a gap: the leaf's index).

``time`` is in microseconds since 1970, UTC. ``subject``, ``address`` and ``session_name`` are keyed digests.
``kind`` is what many records have in common (``kinds.py``); most searches go by it.
"""

SAME_RECORD = and_(records.c.id == index.c.id, records.c.month == index.c.month)
"""Joins a row of ``audit_index`` to its record. The month leads PostgreSQL to one partition."""

blocks = Table(
    "audit_blocks",
    metadata,
    Column("block", _Key, primary_key=True, autoincrement=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("leaves", LargeBinary, nullable=False),
)
"""The tree's inner hash over each 256 leaves that are complete, and those leaf hashes, 32 bytes each: what proofs are
made of without reading records, and what tells which of 256 was changed. ``merkle.block_row`` makes a row.
"""

open_block = Table(
    "audit_open_block",
    metadata,
    Column("block", BigInteger, primary_key=True, autoincrement=False),
    Column("leaves", LargeBinary, nullable=False),
)
"""Its one row: the leaf hashes of the block that is not complete. Computed, like ``audit_sequenced``; together with the
number of the block it is how many records have a position.
"""

checkpoints = Table(
    "audit_checkpoints",
    metadata,
    Column("number", _Key, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
)
"""Signed checkpoints, in order; ``note`` is the whole signed note, ``time`` in microseconds since 1970, UTC."""

witnessed = Table(
    "audit_witnessed",
    metadata,
    Column("witness", String(40), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("answer", LargeBinary, nullable=False),
)
"""Which checkpoint was shown to a witness, when (microseconds since 1970, UTC), and what it answered: signature lines,
or a time stamp. Rows are only added; what counts is what the witness itself has.
"""

sequenced = Table(
    "audit_sequenced",
    metadata,
    Column("writer", _Key, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
)
"""Up to which number the records of a writer have a position. Computed: the greatest in ``audit_index``."""

retired = Table(
    "audit_retired",
    metadata,
    Column("position", _Key, primary_key=True, autoincrement=False),
    Column("month", Integer, nullable=False),
)
"""Where the records ``audit.retired`` stand, which say what records are gone because their time was over.

Their hashes stay in ``audit_blocks`` and ``audit_open_block``.
"""

keys = Table(
    "audit_keys",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("label", LargeBinary),
)
"""Random keys, sealed under the ``audit-records`` key of the key folder.

``digest`` and ``mac`` are the log's own; ``subject/DIGEST`` and ``address/DIGEST`` seal what records say of one person,
or of an address that nobody signed in from. ``label``: what the subject is called, sealed under that same key.
"""

forwarding = Table(
    "audit_forwarding",
    metadata,
    Column("target", String(80), primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("moved", BigInteger, nullable=False),
    Column("failing_since", BigInteger),
    Column("failure", Text),
)
"""How far each receiver of records got: ``position`` is the first one that it does not have for certain.

``target`` is ``forwarding/NAME`` or ``export/NAME``. ``moved`` is when the position last changed and ``failing_since``
when the failures began that have not ended, in microseconds since 1970, UTC; ``failure`` is the last of them.
"""
