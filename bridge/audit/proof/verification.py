"""Verify the log: that it holds exactly what was recorded, in its place, and where that ends first.

Three things are held against each other, each by code of its own:

- checkpoints, signed with a key that is not in the database, and the tree that is kept of hashes (``checked_tree``);
- those hashes and the records, the records of each writer, and the index (``checked_records``);
- how many of each there are.

What is found to be wrong is told with the first bad position. Where several things are wrong, the first counts; where
one of them tells it less exactly (a checkpoint is over many records), one within its range that tells it exactly.
"""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from multiprocessing import get_context
from typing import Protocol

from sqlalchemy import Connection, Engine, func, or_, select

from bridge.audit import tables
from bridge.audit.events import AuditRetired
from bridge.audit.keeping.retired import NOTHING_RETIRED, Retired, read_retired
from bridge.audit.proof.checked_records import (
    STEP_SECONDS,
    RecordCheck,
    RecordDiffers,
    Span,
    check_records,
    join_spans,
)
from bridge.audit.proof.checked_tree import check_noted, check_tree, is_signed, read_checkpoints
from bridge.audit.proof.checkpoints import Checkpoint
from bridge.audit.proof.notes import VerifierKey
from bridge.audit.proof.tree import read_size
from bridge.audit.record import record_id, split_id
from bridge.audit.tables import BLOCK_LEAVES
from bridge.database import open_engine, snapshot
from bridge.errors import ChainBroken

PART = 16_384
"""How many records one process verifies at a time; a multiple of a block."""
WORTH_PROCESSES = 65_536

Progress = Callable[[int, int], None]
"""Called with how many records are verified, and of how many."""


def _no_progress(_done: int, _of: int) -> None:
    return


@dataclass(frozen=True)
class Scope:
    """What is to be verified, and with what keys."""

    keys: Sequence[VerifierKey]
    """Whose signatures of checkpoints are believed."""
    mac_key: bytes | None = field(default=None, repr=False)
    """The key of the writers' chains; None: they are not verified."""
    begin: int = 0
    """The first position; after a checkpoint, its size."""
    end: int | None = None
    """The first position that is not in it; None: to the end of the log."""
    noted: Sequence[Checkpoint] = ()
    """Verified checkpoints that somebody noted elsewhere. The log must begin with what each is over."""
    step_seconds: int = STEP_SECONDS
    """How far a clock may go back without a record that says so."""
    replaced: Sequence[VerifierKey] = ()
    """Keys that handed over to one of these. Theirs count where a later checkpoint is signed by one that did not."""


@dataclass(frozen=True)
class Verified:
    """What was verified."""

    begin: int
    end: int
    """The first position after the range; of the whole log, its size."""
    size: int
    """Of the whole log."""
    checkpoint: Checkpoint | None
    """The last checkpoint that covers something of it."""
    retired: int = 0
    """Of how many records of the range there is only the hash, since their time was over."""

    @property
    def unsigned(self) -> int:
        """How many records at the end no checkpoint is over yet."""
        return max(0, self.end - (self.checkpoint.size if self.checkpoint else 0))


def verify_log(engine: Engine, scope: Scope, *, processes: int = 1, progress: Progress = _no_progress) -> Verified:
    """Verify the log, or a range of it, in time proportional to the range.

    Args:
        engine: the audit database.
        scope: what is to be verified.
        processes: how many may work at it, where it is worth it.
        progress: see :data:`Progress`.

    Raises:
        ChainBroken: the log is not what was written; with the first bad position.
        sqlalchemy.exc.SQLAlchemyError: the database does not answer.
    """
    with snapshot(engine) as connection:
        if processes > 1 and (scope.end or _count_positions(connection)) - scope.begin >= WORTH_PROCESSES:
            retired = _read_retired(connection, scope)
            return _verify(connection, scope, _RecordsBeside(engine, scope, processes, progress, retired))
        return verify_within(connection, scope, progress)


def verify_within(connection: Connection, scope: Scope, progress: Progress = _no_progress) -> Verified:
    """Do the same with a connection that sees one state of the database."""
    return _verify(connection, scope, _RecordsHere(connection, scope, progress, _read_retired(connection, scope)))


def _read_retired(connection: Connection, scope: Scope) -> Retired:
    """Return what a signed record says was retired. What is not signed could be by whoever deleted the others."""
    retired = read_retired(connection, scope.mac_key)
    if retired.said_at is None or is_signed(connection, scope.keys, retired.said_at):
        return retired
    return NOTHING_RETIRED


def _verify(connection: Connection, scope: Scope, records: "_Records") -> Verified:
    size = _count_positions(connection)
    end = size if scope.end is None else min(scope.end, size)
    begin = min(scope.begin, end)
    kept = read_checkpoints(connection, (*scope.keys, *scope.replaced), begin, None if end == size else end)
    proved = check_tree(connection, kept, begin, end, size)
    if proved.broken is None:
        proved.broken = _find_replaced(connection, scope, proved.checkpoint, begin, end)
    noted = check_noted(connection, scope.noted, size, proved.size)
    in_tree = _combine([error for error in (proved.broken, noted.broken) if error is not None])
    # What is wrong before the first of these is still to be found. A record without a hash is wrong.
    stop = max(begin, min(end, read_size(connection) + 1))
    if in_tree is not None:
        stop = max(begin, min(stop, in_tree.position if in_tree.end is None else in_tree.end))
    try:
        spans = records.check(begin, stop)
        if (begin, stop) == (0, size) and in_tree is None:
            _check_counts(connection, spans, size, records.retired)
    except ChainBroken as error:
        raise _find_first(in_tree, error, proved.size, is_short=_is_short(connection, size)) from error
    if in_tree is not None:
        raise in_tree
    present = sum(last - first for first, last in records.retired.leave_out(begin, end))
    return Verified(begin, end, size, proved.checkpoint, end - begin - present)


def _find_replaced(
    connection: Connection, scope: Scope, last: Checkpoint | None, begin: int, end: int
) -> ChainBroken | None:
    """Return what is wrong if only a key that was replaced vouches for the range: somebody may have stolen it."""
    if last is None or set(last.signed_by) & set(scope.keys) or is_signed(connection, scope.keys, max(0, end - 1)):
        return None
    detail = "the last checkpoint is signed by a key that was replaced, and by none that is believed now"
    return ChainBroken(detail, begin, end if end > begin + 1 else None)


def _find_first(in_tree: ChainBroken | None, in_record: ChainBroken, proved: int, *, is_short: bool) -> ChainBroken:
    """Return the first of what is wrong, as exactly as what was not changed tells it.

    Where that cannot be told exactly, it begins at the first position that is not proved.

    Args:
        in_tree: what is wrong with checkpoints and hashes.
        in_record: what is wrong first with the records.
        proved: how many records the last checkpoint that agrees is over.
        is_short: whether there are fewer records than were signed.
    """
    begin, detail = in_record.position, in_record.detail
    end = begin + 1 if in_record.end is None else in_record.end
    # One change of a record can be behind both. Else there is another one, maybe before it, that only the tree tells.
    in_both = in_tree is not None and in_tree.end is not None and in_tree.position < end
    is_other = is_short or isinstance(in_record, RecordDiffers)
    if in_tree is not None and in_both:
        detail = f"{detail}; {in_tree.detail}"
    if in_record.end is None and not (in_both and is_other and end > proved):
        return ChainBroken(detail, begin)
    if end > proved:
        begin = proved
    if in_tree is not None and in_both:
        begin = max(begin, in_tree.position)
    return ChainBroken(detail, begin, end if end > begin + 1 else None)


def _combine(found: Sequence[ChainBroken]) -> ChainBroken | None:
    """Return the first of what is wrong; where another one is about some of the same records, about those alone."""
    if not found:
        return None
    first, *others = sorted(found, key=lambda error: (error.position, error.end is not None))
    begin, end = first.position, first.end
    for error in others:
        if end is None or error.position >= end:
            break
        if error.end is None:
            end = error.position + 1
        else:
            begin, end = error.position, min(end, error.end)
    return ChainBroken(first.detail, begin, end if end is None or end > begin + 1 else None)


def _is_short(connection: Connection, size: int) -> bool:
    signed = connection.execute(select(func.max(tables.checkpoints.c.size))).scalar()
    return signed is not None and signed > size


class _Records(Protocol):
    """How records are verified."""

    @property
    def retired(self) -> Retired:
        """What need not be there."""
        ...

    def check(self, begin: int, end: int) -> dict[int, Span]:
        """Verify a range; return what of each writer's records is in it."""
        ...


@dataclass(frozen=True)
class _RecordsHere:
    """One part after the other."""

    connection: Connection
    scope: Scope
    progress: Progress
    retired: Retired

    def check(self, begin: int, end: int) -> dict[int, Span]:
        check = RecordCheck(self.connection, self.scope.mac_key, self.scope.step_seconds, self.retired)
        for first, last in _parts(begin, end):
            check.check(first, last)
            self.progress(last - begin, end - begin)
        return join_spans({}, check.spans, begin=begin, retired=self.retired, step_seconds=self.scope.step_seconds)


@dataclass(frozen=True)
class _RecordsBeside:
    """Parts in several processes, and whether what each writer wrote goes on from part to part."""

    engine: Engine
    scope: Scope
    processes: int
    progress: Progress
    retired: Retired

    def check(self, begin: int, end: int) -> dict[int, Span]:
        spans: dict[int, Span] = {}
        url = self.engine.url.render_as_string(hide_password=False)
        arguments = (url, self.scope.mac_key, self.scope.step_seconds, self.retired)
        with ProcessPoolExecutor(self.processes, get_context("spawn"), _open_beside, arguments) as pool:
            parts = _parts(begin, end)
            waiting = [pool.submit(_check_part, *part) for part in parts]
            try:
                for (first, last), result in zip(parts, waiting, strict=True):
                    part = self._wait(result, spans, first, begin)
                    spans = self._join(spans, part, begin)
                    self.progress(last - begin, end - begin)
            finally:
                pool.shutdown(cancel_futures=True)
        return spans

    def _join(self, spans: dict[int, Span], part: dict[int, Span], begin: int) -> dict[int, Span]:
        return join_spans(spans, part, begin=begin, retired=self.retired, step_seconds=self.scope.step_seconds)

    def _wait(
        self, result: "Future[dict[int, Span]]", spans: dict[int, Span], first: int, begin: int
    ) -> dict[int, Span]:
        try:
            return result.result()
        except ChainBroken as error:
            # What comes before it in this part may still not go on from the parts before.
            with snapshot(self.engine) as connection:
                scope = self.scope
                part = check_records(
                    connection, first, error.position, scope.mac_key, scope.step_seconds, retired=self.retired
                )
                self._join(spans, part, begin)
            raise


def _parts(begin: int, end: int) -> list[tuple[int, int]]:
    return list(pairwise([*range(begin, end, PART), end]))


_beside: dict[str, tuple[Engine, bytes | None, int, Retired]] = {}
"""What a process that verifies parts has open."""


def _open_beside(url: str, mac_key: bytes | None, step_seconds: int, retired: Retired) -> None:
    _beside["open"] = open_engine(url), mac_key, step_seconds, retired


def _check_part(begin: int, end: int) -> dict[int, Span]:
    engine, mac_key, step_seconds, retired = _beside["open"]
    with snapshot(engine) as connection:
        return check_records(connection, begin, end, mac_key, step_seconds, retired=retired)


def _check_counts(connection: Connection, spans: dict[int, Span], size: int, retired: Retired) -> None:
    """Verify that there is nothing beside what has a position, and that the tables that are computed say so."""
    if read_size(connection) != size:
        raise ChainBroken(f"{size} records have a position, and the open block is another's", size)
    ends = {row.writer: row.number for row in connection.execute(select(tables.sequenced))}
    others = ends.keys() - spans.keys()  # what they wrote is gone, if something was retired
    if (others and not retired.spans) or any(ends.get(of) != span.last.number for of, span in spans.items()):
        raise ChainBroken("how far each writer is sequenced is not what the index says", size)
    count = select(func.count()).select_from(tables.records)
    ours = connection.scalars(select(tables.writers.c.writer).order_by(tables.writers.c.writer)).all()
    for writer in ours:
        last, span = ends.pop(writer, 0), spans.get(writer)
        if span is not None:  # what it wrote before that was retired, and may be half gone
            first = span.first.number
            placed = tables.records.c.id.between(record_id(writer, first), record_id(writer, last))
            if connection.execute(count.where(placed)).scalar_one() > last - first + 1:
                raise ChainBroken(f"of writer {writer} there are more records than have a position", size)
    if ends:
        stranger = spans.get(min(ends))
        raise ChainBroken(f"there is no writer {min(ends)}", stranger.first.position if stranger else 0)
    if _has_strangers(connection, frozenset(ours)):
        raise ChainBroken("there are records of writers that there are not", size)
    _check_strays(connection, size, retired)


def _check_strays(connection: Connection, size: int, retired: Retired) -> None:
    """Verify that no table has a row that nothing else here looks at, and that somebody could still be shown."""
    index, blocks, checkpoints, shown = tables.index, tables.blocks, tables.checkpoints, tables.witnessed
    other_blocks = or_(blocks.c.block < 0, blocks.c.block >= size // BLOCK_LEAVES)
    not_there = or_(checkpoints.c.size.is_(None), checkpoints.c.size != shown.c.size)
    strays = (
        (select(index.c.position).where(index.c.position < 0), "the index has a row at position {}", 0),
        (select(blocks.c.block).where(other_blocks), "block {} is over records that there are not", size),
        (select(tables.open_block.c.block).offset(1), "there is a second open block, {}", size),
        (select(checkpoints.c.number).where(checkpoints.c.number < 1), "no checkpoint has the number {}", 0),
        (
            select(shown.c.number).outerjoin(checkpoints, checkpoints.c.number == shown.c.number).where(not_there),
            "checkpoint {}, which a witness was shown, is gone or another one",
            size,
        ),
    )
    for query, detail, position in strays:
        found = connection.execute(query.limit(1)).first()
        if found is not None:
            raise ChainBroken(detail.format(found[0]), position)
    declared = select(tables.retired.c.position, index.c.event).outerjoin(
        index, index.c.position == tables.retired.c.position
    )
    for position, event in connection.execute(declared.order_by(tables.retired.c.position)):
        if event != AuditRetired.name and not any(first <= position < last for first, last in retired.spans):
            raise ChainBroken(f"record {position} does not say what was retired, as `audit_retired` has it", size)


def _has_strangers(connection: Connection, ours: AbstractSet[int]) -> bool:
    """Tell whether there is a record of none of these writers: from each writer's first record to the next one's."""
    first = select(func.min(tables.records.c.id))
    found = connection.execute(first).scalar()
    while found is not None:
        writer, number = split_id(found)
        if writer not in ours or number == 0:
            return True
        found = connection.execute(first.where(tables.records.c.id >= record_id(writer + 1, 0))).scalar()
    return False


def _count_positions(connection: Connection) -> int:
    last = connection.execute(select(func.max(tables.index.c.position))).scalar()
    return 0 if last is None else int(last) + 1
