"""How far the log is sequenced, computed again where the tables that say so are lost, older, or were changed.

``audit_open_block`` and ``audit_sequenced`` follow from ``audit_index`` and the records. Without this, whoever damages
one of the two stops the log, or has everything sequenced twice.
"""

from sqlalchemy import Connection, delete, func, insert, literal_column, select

from bridge.audit import tables
from bridge.audit.proof.merkle import leaf_hash, open_block_row
from bridge.audit.proof.tree import read_size
from bridge.audit.tables import BLOCK_LEAVES, NUMBER_BITS


def is_current(connection: Connection) -> bool:
    """Tell whether both tables say what follows from ``audit_index``."""
    size = _count_positions(connection)
    sequenced = connection.execute(select(func.sum(tables.sequenced.c.number))).scalar() or 0
    return size == read_size(connection) == int(sequenced)


def recompute(connection: Connection) -> None:
    """Write both tables anew."""
    size = _count_positions(connection)
    block = size // BLOCK_LEAVES
    bodies = (
        select(tables.index.c.position, tables.records.c.body)
        .join(tables.records, tables.records.c.id == tables.index.c.id)
        .where(tables.index.c.position >= block * BLOCK_LEAVES)
        .order_by(tables.index.c.position)
    )
    found = {row.position: leaf_hash(row.body.encode()) for row in connection.execute(bodies)}
    leaves = [found.get(position, bytes(32)) for position in range(block * BLOCK_LEAVES, size)]
    connection.execute(delete(tables.open_block))
    connection.execute(insert(tables.open_block), open_block_row(size, leaves))

    writer = tables.index.c.id.op(">>")(literal_column(str(NUMBER_BITS)))  # a parameter could not be grouped by
    ends = connection.execute(select(writer, func.max(tables.index.c.id)).group_by(writer)).all()
    connection.execute(delete(tables.sequenced))
    if ends:
        rows = [{"writer": of, "number": last & ((1 << NUMBER_BITS) - 1)} for of, last in ends]
        connection.execute(insert(tables.sequenced), rows)


def _count_positions(connection: Connection) -> int:
    last = connection.execute(select(func.max(tables.index.c.position))).scalar()
    return 0 if last is None else int(last) + 1
