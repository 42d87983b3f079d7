"""May the end of the log be signed? Asked of records that have their place and that no checkpoint is over.

Somebody else may have put them there, or the process that did was killed before it signed. All that verification asks
of a record is asked, and one thing more: that what its writer wrote before is in the log, and where. Clocks are left
out: the bridge wrote what its clock said.
"""

from collections.abc import Iterator

from sqlalchemy import Connection, select

from bridge.audit import tables
from bridge.audit.keeping.retired import Retired, read_retired
from bridge.audit.proof.chain import is_tied
from bridge.audit.proof.checked_records import RecordCheck, Stand
from bridge.audit.proof.checked_tree import KeptRoots
from bridge.audit.proof.merkle import leaf_hash
from bridge.audit.proof.tree import read_leaves
from bridge.audit.record import Head, read_record, record_id
from bridge.audit.tables import BLOCK_LEAVES
from bridge.errors import ChainBroken

_ANY_STEP_SECONDS = 1 << 40


def check_signable(connection: Connection, begin: int, size: int, mac_key: bytes) -> None:
    """Verify all records from ``begin`` on, and that the hashes that are kept lead to the roots that are kept.

    Args:
        connection: sees one state of the database.
        begin: the first position that nobody vouches for.
        size: how many records have their place.
        mac_key: the key of the writers' chains.

    Raises:
        ChainBroken: at the first record that must not be signed.
    """
    if begin == size:
        return
    retired = read_retired(connection, mac_key)
    check = RecordCheck(connection, mac_key, _ANY_STEP_SECONDS, retired)
    found: list[ChainBroken] = []
    try:
        check.check(begin, size)
        KeptRoots(connection, begin, size).root_at(size)
    except ChainBroken as error:
        found.append(error)
    firsts = {writer: span.first for writer, span in check.spans.items()}
    found += _find_unfounded(connection, begin, firsts, mac_key, retired)
    found += _find_retired(begin, size, retired)
    if found:
        raise min(found, key=lambda error: error.position)


def find_head(connection: Connection, retired: Retired, writer: int, number: int) -> Head | None:
    """Return how far a writer's chain is in the log, if it got to this number; None if it did not.

    What the tables that are computed say of it is held against the tree: the record has the leaf at its place.
    """
    if not number:
        return Head()
    identifier = record_id(writer, number)
    if identifier in retired.ends:
        return Head(number, retired.ends[identifier])
    query = select(tables.records.c.body, tables.records.c.mac).where(tables.records.c.id == identifier)
    row = connection.execute(query).first()
    position = find_position(connection, identifier, row.body) if row else None
    if row is None or position is None:
        return None
    leaves = read_leaves(connection, position // BLOCK_LEAVES)
    at = position % BLOCK_LEAVES
    return Head(number, row.mac) if leaves[at : at + 1] == [leaf_hash(row.body.encode())] else None


def find_position(connection: Connection, identifier: int, body: str, before: int | None = None) -> int | None:
    """Return the place of a record; None if it has none, or none before that one."""
    index = tables.index
    _, row = read_record(0, identifier, body)
    # Its reference has an index; its id has none.
    query = select(index.c.position).where(index.c.reference == row["reference"], index.c.id == identifier)
    if before is not None:
        query = query.where(index.c.position < before)
    return connection.execute(query.limit(1)).scalar()


def _find_unfounded(
    connection: Connection, begin: int, firsts: dict[int, Stand], mac_key: bytes, retired: Retired
) -> Iterator[ChainBroken]:
    """Yield what is wrong with the first record of each writer, which goes on from one before the range."""
    for writer, stand in firsts.items():
        identifier = record_id(writer, stand.number)
        body = connection.execute(select(tables.records.c.body).where(tables.records.c.id == identifier)).scalar_one()
        head = find_head(connection, retired, writer, stand.number - 1)
        if head is None:
            detail = f"number {stand.number - 1} of writer {writer}, before record {stand.position}, is not in the log"
            yield ChainBroken(detail, stand.position)
        elif not is_tied(mac_key, head.mac, body, stand.mac):
            yield ChainBroken(f"record {stand.position} does not go on from what its writer wrote", stand.position)
        elif find_position(connection, identifier, body, begin) is not None:
            yield ChainBroken(f"record {stand.position} stands in the log before", stand.position)


def _find_retired(begin: int, end: int, retired: Retired) -> Iterator[ChainBroken]:
    """Yield where records were retired: months go only when a checkpoint is over them."""
    for first, last in retired.spans:
        if first < end and begin < last:
            yield ChainBroken(f"record {max(begin, first)} was retired before it was signed", max(begin, first))
