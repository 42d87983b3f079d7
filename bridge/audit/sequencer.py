"""Give what was recorded its place in one log, and sign what the log is.

Each process appends to a log of its own and waits for nobody. About once a second one of them, whoever gets the lock,
takes what has no place yet, in the order of time, and puts it at the end of the common log: a row in ``audit_index``
and a leaf of the tree for each record. Then it signs a checkpoint.

Records are read, parsed and hashed before the transaction that writes, and few are written in each, so that an append
never waits long. If another process was faster, the transaction writes nothing, and everything is read again.

The tree as the database keeps it is believed only as far as the last checkpoint agrees. What was changed behind our
back still gets its place, so that it can be read, and is never signed.
"""

import heapq
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, func, insert, or_, select, text, update

from bridge.audit import tables
from bridge.audit.proof.checkpoints import CLOCKS_SECONDS, STEPPED_BACK, Signer, open_checkpoint, split_text
from bridge.audit.proof.merkle import leaf_hash, open_block_row
from bridge.audit.proof.notes import NoteRefused, UnknownSigner
from bridge.audit.proof.tree import Tree, read_root, read_size, read_tree
from bridge.audit.recomputed import is_current, recompute
from bridge.audit.record import read_record, record_id, split_id
from bridge.audit.turns import turn
from bridge.clock import Clock
from bridge.database import snapshot
from bridge.errors import ChainBroken

_logger = logging.getLogger(__name__)

PERIOD_SECONDS = 1.0
CHECKPOINT_SECONDS = 60
"""A checkpoint is signed at least so often, also when nothing is new: then a log that was cut off cannot say that
nothing happened."""
ROWS = 500
"""How many records one transaction sequences."""
READ_AT_ONCE = 2_000
OVERTAKEN_SECONDS = 3.0
"""How long whoever asks waits while other processes sequence."""
QUIET_SECONDS = 26 * 3_600
"""A process takes a new number after a day without an append, so a writer that was quiet for longer is over."""
ALL_WRITERS_SECONDS = 3_600
"""How often those are asked all the same."""

_LOCK = 0x52616D63
"""PostgreSQL's advisory lock of whoever sequences."""
_MICROSECONDS = 1_000_000

IndexRows = Callable[[Connection, Sequence[Mapping[str, Any]], Sequence[Mapping[str, Any]]], None]
"""Called in the transaction that sequences, with the rows for ``audit_index`` and the contents of their records."""

_LAST_CHECKPOINT = select(tables.checkpoints).order_by(tables.checkpoints.c.number.desc()).limit(1)
_RECORDS = (
    select(tables.records.c.id, tables.records.c.body)
    .where(tables.records.c.id > bindparam("after"), tables.records.c.id < bindparam("before"))
    .order_by(tables.records.c.id)
    .limit(READ_AT_ONCE)
)
_WRITERS = select(tables.writers.c.writer, func.coalesce(tables.sequenced.c.number, 0).label("number")).outerjoin(
    tables.sequenced, tables.sequenced.c.writer == tables.writers.c.writer
)
_UPDATE_SEQUENCED = (
    update(tables.sequenced)
    .where(tables.sequenced.c.writer == bindparam("of_writer"))
    .values(number=bindparam("to_number"))
)


@dataclass(frozen=True)
class _New:
    """A record that has no place yet."""

    id: int
    content: Mapping[str, Any]
    row: Mapping[str, Any]
    """Its row in ``audit_index``, still without its position."""
    leaf: bytes


class _Overtaken(Exception):
    """Another process has sequenced meanwhile, or is at it."""


class Sequencer:
    """Sequences the records of one database; shared by all threads of a process."""

    def __init__(
        self, engine: Engine, signer: Signer | None, clock: Clock, *, index_rows: IndexRows | None = None
    ) -> None:
        """Take the database, the keys that sign, and what else is kept for each record.

        Args:
            engine: the audit database.
            signer: signs checkpoints. None: this process has no key; it sequences, and others sign.
            clock: when a checkpoint is signed.
            index_rows: see :data:`IndexRows`.
        """
        self._engine = engine
        self._signer = signer
        self._clock = clock
        self._index_rows = index_rows
        self._lock = threading.Lock()
        self._tree: Tree | None = None
        self._writers = _Writers(clock)
        self._is_current = False
        """Whether what is computed was looked at, which is done once."""
        self._signed_time: int | None = None
        """When the last checkpoint that we know of was signed: microseconds since 1970."""
        self.broken: ChainBroken | None = None
        """Why nothing is signed any more: the database does not hold what its last checkpoint says."""

    def catch_up(self) -> None:
        """Return when every record that was committed before the call has its place, and is under a checkpoint.

        Where another process is at it, this waits for it, but not for long. Why nothing is signed: ``broken``.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database does not answer.
        """
        self._catch_up(sign=False)

    def sign_now(self) -> None:
        """Catch up, and sign a checkpoint with the time of now, also if nothing is new: for whoever exports.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database does not answer.
        """
        self._catch_up(sign=True)

    def run_forever(self, stop: threading.Event) -> None:
        """Catch up every second until ``stop`` is set. Whatever goes wrong is tried again."""
        while not stop.wait(PERIOD_SECONDS):
            try:
                self.catch_up()
            except Exception as error:  # noqa: BLE001  a thread that died would leave every later record without a place
                _logger.error("audit records could not be sequenced: %s", type(error).__name__)  # noqa: TRY400  a traceback would show the rows

    def _catch_up(self, *, sign: bool) -> None:
        deadline = time.monotonic() + OVERTAKEN_SECONDS
        more = True
        while more:
            try:
                with self._lock:
                    more = self._sequence_some(sign=sign)
            except _Overtaken:
                if time.monotonic() > deadline:
                    return
                time.sleep(0.02)

    def _sequence_some(self, *, sign: bool) -> bool:
        """Do one round; tell whether there may be more to do."""
        if not self._is_current:
            self._make_current()
        with snapshot(self._engine) as connection:
            tree = self._read_tree(connection)
            waiting = [rows for rows in self._writers.read_new(connection) if rows]
        if not waiting:
            if tree.size and (sign or self._is_due()):
                self._write(tree, [], sign=True)
            return False
        ordered = list(_in_order(waiting))
        more = any(len(rows) == READ_AT_ONCE for rows in waiting)
        for begin in range(0, len(ordered), ROWS):
            is_last = begin + ROWS >= len(ordered) and not more
            tree = self._write(tree, ordered[begin : begin + ROWS], sign=is_last)
        return more

    def _make_current(self) -> None:
        with snapshot(self._engine) as connection:
            current = is_current(connection)
            size = read_size(connection)
        if not current:
            with self._engine.begin() as connection:
                _take_turn(connection, size)
                recompute(connection)
        self._is_current = True

    def _write(self, tree: Tree, records: Sequence[_New], *, sign: bool) -> Tree:
        """Put the records behind the tree, in one transaction, and return the tree with them."""
        grown = tree.copy()
        rows, blocks = [], []
        for record in records:
            rows.append({**record.row, "position": grown.size})
            block = grown.add(record.leaf)
            if block is not None:
                blocks.append(block)
        note = self._sign(grown) if sign else None
        with turn(self._engine), self._engine.begin() as connection:
            _take_turn(connection, tree.size)
            if rows:
                connection.execute(insert(tables.index), rows)
                if self._index_rows is not None:
                    self._index_rows(connection, rows, [record.content for record in records])
                if blocks:
                    connection.execute(insert(tables.blocks), blocks)
                _keep_open_block(connection, grown)
                _keep_numbers(connection, records)
            signed = note is not None and _keep_checkpoint(connection, note)
        if self.broken is None:
            self._tree = grown
        self._writers.note_news(records)
        if note is not None and signed:
            self._signed_time = note["time"]
        return grown

    def _sign(self, tree: Tree) -> dict[str, Any] | None:
        if self._signer is None or self.broken is not None:
            return None
        moment = int(self._clock.now().timestamp() * _MICROSECONDS)
        note = self._signer.sign(tree.size, tree.root(), moment // _MICROSECONDS)
        return {"size": tree.size, "time": moment, "note": note}

    def _is_due(self) -> bool:
        if self._signer is None or self.broken is not None:
            return False
        before = self._clock.now().timestamp() - CHECKPOINT_SECONDS
        if self._signed_time is not None and self._signed_time > before * _MICROSECONDS:
            return False
        with snapshot(self._engine) as connection:
            last = connection.execute(_LAST_CHECKPOINT).first()
        self._signed_time = last.time if last else None
        return last is None or last.time <= before * _MICROSECONDS

    def _read_tree(self, connection: Connection) -> Tree:
        """Return the tree; what others added since we looked is held against the last checkpoint."""
        known, size = self._tree, read_size(connection)
        if known is not None and known.size == size and self.broken is None:
            return known
        tree = read_tree(connection, known.blocks if known is not None and self.broken is None else None)
        broken = self._find_break(connection, tree)
        if broken is not None and self.broken is None:
            _logger.error("the audit log is not signed any more: %s", broken.detail)
        self.broken = broken
        return tree

    def _find_break(self, connection: Connection, tree: Tree) -> ChainBroken | None:
        if self._tree is not None and tree.size < self._tree.size:
            return ChainBroken(f"records {tree.size} to {self._tree.size - 1} are gone", tree.size)
        last = connection.execute(_LAST_CHECKPOINT).first()
        if last is None:
            return None
        try:
            try:
                checkpoint = open_checkpoint(last.note, self._signer.verifier_keys if self._signer else ())
                size, root = checkpoint.size, checkpoint.root
            except UnknownSigner:
                _, size, root = split_text(last.note.rpartition("\n\n")[0] + "\n")
        except NoteRefused as error:
            return ChainBroken(f"checkpoint {last.number}: {error}", last.size)
        if tree.size < size:
            return ChainBroken(f"records {tree.size} to {size - 1} are gone", tree.size)
        if read_root(connection, size, self._tree.blocks if self._tree else None) != root:
            return ChainBroken(
                f"the records are not those of checkpoint {last.number}: run `rambridge audit verify`", 0
            )
        return None


class _Writers:
    """Whose records are asked for: of thousands of processes that once wrote, only the few that still may."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._recent: dict[int, float] = {}
        """When a writer last had something new, by the process's own clock (``time.monotonic``)."""
        self._newest = 0
        self._everyone_asked = float("-inf")

    def read_new(self, connection: Connection) -> list[list[_New]]:
        """Return the records of each writer that have no place yet; of one with many, the first ones."""
        now = time.monotonic()
        everyone = now - self._everyone_asked >= ALL_WRITERS_SECONDS
        query = _WRITERS
        if not everyone:
            query = query.where(or_(tables.writers.c.writer > self._newest, tables.writers.c.writer.in_(self._recent)))
        numbers = {row.writer: row.number for row in connection.execute(query)}
        found = [_read_new(connection, writer, number) for writer, number in numbers.items()]
        if everyone:
            self._recent = dict.fromkeys(self._find_recent(connection, numbers), now)
            self._everyone_asked = now
        else:
            self._recent |= dict.fromkeys((writer for writer in numbers if writer > self._newest), now)
        self._newest = max(numbers, default=self._newest)
        return found

    def note_news(self, records: Sequence[_New]) -> None:
        """Take note of who wrote these records."""
        now = time.monotonic()
        self._recent |= {split_id(record.id)[0]: now for record in records}
        self._recent = {writer: last for writer, last in self._recent.items() if now - last < QUIET_SECONDS}

    def _find_recent(self, connection: Connection, numbers: Mapping[int, int]) -> Iterator[int]:
        """Return the writers that have written nothing yet, or whose last record is of the last day."""
        earliest = self._clock.now().timestamp() - QUIET_SECONDS
        for writer, number in numbers.items():
            query = select(tables.records.c.body).where(tables.records.c.id == record_id(writer, number))
            body = connection.execute(query).scalar()
            if body is None or read_record(0, 0, body)[1]["time"] >= earliest * _MICROSECONDS:
                yield writer


def _read_new(connection: Connection, writer: int, number: int) -> list[_New]:
    bounds = {"after": record_id(writer, number), "before": record_id(writer + 1, 0)}
    rows = connection.execute(_RECORDS, bounds)
    return [_New(row.id, *read_record(0, row.id, row.body), leaf_hash(row.body.encode())) for row in rows]


def _in_order(waiting: Sequence[Sequence[_New]]) -> Iterator[_New]:
    """Yield records by their time, those of one writer as it wrote them, even where its clock was set back."""

    def by_time(records: Sequence[_New]) -> Iterator[tuple[str, int, _New]]:
        latest = ""
        for record in records:
            latest = max(latest, record.content["time"])
            yield latest, record.id, record

    for _, _, record in heapq.merge(*map(by_time, waiting), key=lambda entry: entry[:2]):
        yield record


def _take_turn(connection: Connection, size: int) -> None:
    """Let nobody else sequence until the transaction ends.

    Raises:
        _Overtaken: somebody else is at it, or the log is not as it was read any more.
    """
    if connection.dialect.name == "postgresql":
        taken = connection.execute(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _LOCK}).scalar_one()
        if not taken:
            raise _Overtaken
    if read_size(connection) != size:
        raise _Overtaken


def _keep_open_block(connection: Connection, tree: Tree) -> None:
    row = open_block_row(tree.size, tree.open_leaves)
    if not connection.execute(update(tables.open_block).values(row)).rowcount:
        connection.execute(insert(tables.open_block), row)


def _keep_numbers(connection: Connection, records: Sequence[_New]) -> None:
    for writer, number in dict(split_id(record.id) for record in records).items():
        changed = connection.execute(_UPDATE_SEQUENCED, {"of_writer": writer, "to_number": number}).rowcount
        if not changed:
            connection.execute(insert(tables.sequenced), {"writer": writer, "number": number})


def _keep_checkpoint(connection: Connection, note: Mapping[str, Any]) -> bool:
    """Add a checkpoint; return whether it was added.

    It is not where the clock is behind the last checkpoint, unless a record says that it was set back: verification
    takes a checkpoint that seems older than the one before for a changed one.
    """
    last = connection.execute(_LAST_CHECKPOINT).first()
    if last is not None and note["time"] < last.time - CLOCKS_SECONDS * _MICROSECONDS:
        stepped = select(tables.index.c.position).where(
            tables.index.c.position >= last.size, tables.index.c.event == STEPPED_BACK
        )
        if connection.execute(stepped.limit(1)).first() is None:
            _logger.warning("no checkpoint was signed: the clock is behind the last one")
            return False
    connection.execute(insert(tables.checkpoints), {"number": last.number + 1 if last else 1, **note})
    return True
