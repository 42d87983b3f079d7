"""Give what was recorded its place in one log, and sign what the log is.

Each process appends to a log of its own and waits for nobody. About once a second one of them, whoever gets the lock,
takes what has no place yet, in the order of time, and puts it at the end of the common log: a row in ``audit_index``
and a leaf of the tree for each record. Then it signs a checkpoint.

Records are read, parsed and hashed before the transaction that writes, and few are written in each, so that an append
never waits long. If another process was faster, the transaction writes nothing, and everything is read again.

What is signed is what the bridge wrote. The tree as the database keeps it is believed as far as the last checkpoint
agrees; each record after that, whoever gave it its place, has to be the one that its writer wrote next. What is not
still gets its place, so that it can be read; but nothing is signed any more, nor where the tree was changed.
"""

import heapq
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Row, bindparam, func, insert, or_, select, text, update

from bridge.audit import tables
from bridge.audit.keeping.retired import read_retired
from bridge.audit.proof.chain import is_tied, says_its_place
from bridge.audit.proof.checkpoints import CLOCKS_SECONDS, STEPPED_BACK, Signer, open_checkpoint, split_text
from bridge.audit.proof.merkle import Frontier, leaf_hash, open_block_row
from bridge.audit.proof.notes import NoteRefused, UnknownSigner
from bridge.audit.proof.signable import check_signable, find_head, find_position
from bridge.audit.proof.tree import Tree, read_root, read_size, read_tree
from bridge.audit.recomputed import is_current, recompute
from bridge.audit.record import Head, read_record, record_id, split_id
from bridge.audit.tables import NUMBER_BITS
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
UNSIGNED = ROWS
"""With more records there is a checkpoint, since whoever can sign signs the first ones with their places. Somebody who
cannot may have been there before, or somebody deleted all checkpoints: a person has to say which."""
LOOK_SECONDS = 1.0
"""How old what :meth:`Sequencer.look` knows may be. Strangers can have it asked (``/health/ready``)."""
OVERTAKEN_SECONDS = 3.0
"""How long whoever asks waits while other processes sequence."""
GAP_SECONDS = 10.0
"""How long what stands behind a gap in a writer's numbers waits. Somebody else has put it there, or has deleted what is
missing; and if the writer lives, it fills the gap, until it looks at its chain and begins another one
(``writer.LOOK_SECONDS``). What is behind the gap has its place afterwards: nobody would look for it before that."""
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
_LAST_WITNESSED = select(func.max(tables.witnessed.c.number))
"""What a witness was shown there was."""
_RECORDS = (
    select(tables.records.c.id, tables.records.c.body, tables.records.c.mac)
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
    mac: bytes
    is_next: bool | None
    """Whether its writer wrote it, and after the record before; None: nobody asked, since nothing is signed."""


class _Overtaken(Exception):
    """Another process has sequenced meanwhile, or is at it."""


class Sequencer:
    """Sequences the records of one database; shared by all threads of a process."""

    def __init__(
        self,
        engine: Engine,
        signer: Signer | None,
        clock: Clock,
        *,
        mac_key: bytes | None = None,
        index_rows: IndexRows | None = None,
    ) -> None:
        """Take the database, the keys that sign, and what else is kept for each record.

        Args:
            engine: the audit database.
            signer: signs checkpoints. None: this process has no key; it sequences, and others sign.
            clock: when a checkpoint is signed.
            mac_key: the key of the writers' chains. Whoever signs has to have it.
            index_rows: see :data:`IndexRows`.
        """
        if signer is not None and mac_key is None:
            raise ValueError("whoever signs needs the key of the writers' chains")
        self._engine = engine
        self._signer = signer
        self._clock = clock
        self._mac_key = mac_key
        self._index_rows = index_rows
        self._lock = threading.Lock()
        self._tree: Tree | None = None
        """The log as far as this process knows that it may be signed."""
        self._writers = _Writers(clock, mac_key)
        self._looked_at = float("-inf")
        self._last_number = 0
        """Of the last checkpoint that this process has seen."""
        self._may_begin = False
        """Whether somebody has said that the log was never signed."""
        self._is_current = False
        """Whether what is computed was looked at, which is done once."""
        self._signed_time: int | None = None
        """When the last checkpoint that we know of was signed: microseconds since 1970."""
        self.broken: ChainBroken | None = None
        """Why nothing is signed any more: the database does not hold what was signed, or what the bridge wrote."""

    def catch_up(self) -> None:
        """Return when every record that was committed before the call has its place, and is under a checkpoint.

        Where another process is at it, this waits for it, but not for long. Why nothing is signed: ``broken``. What is
        behind a gap gets its place later: see :meth:`settle`.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database does not answer.
        """
        self._catch_up(sign=False)

    def settle(self) -> None:
        """Catch up, also with what is behind a gap, which takes ``GAP_SECONDS``: for whoever asks but once.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database does not answer.
        """
        self.catch_up()
        while self._writers.is_waiting:
            time.sleep(GAP_SECONDS / 50)
            self.catch_up()

    def sign_now(self) -> None:
        """Settle, and sign a checkpoint with the time of now, also if nothing is new: for whoever exports.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database does not answer.
        """
        self._catch_up(sign=True)
        if self._writers.is_waiting:
            self.settle()
            self._catch_up(sign=True)

    def sign_first(self) -> None:
        """Do the same where records have their places and no checkpoint: whoever asks says that there never was one.

        All records have to be what the bridge wrote.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database does not answer.
        """
        self._may_begin = True
        self.sign_now()

    def look(self) -> None:
        """Find out whether what has its place may be signed (``broken``), if that is not known; place nothing.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database does not answer.
        """
        if not self._lock.acquire(blocking=False):
            return  # whoever is at it finds out
        try:
            if time.monotonic() - self._looked_at >= LOOK_SECONDS:
                with snapshot(self._engine) as connection:
                    self._read_tree(connection)
        finally:
            self._lock.release()

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
            is_checked = self._signer is not None and self.broken is None
            waiting = [rows for rows in self._writers.read_new(connection, is_checked=is_checked) if rows]
        if not waiting:
            if tree.size and (sign or self._is_due()):
                self._write(tree, [], sign=True)
            return False
        ordered = list(_in_order(waiting))
        more = any(len(rows) == READ_AT_ONCE for rows in waiting)
        for begin in range(0, len(ordered), ROWS):
            is_last = begin + ROWS >= len(ordered) and not more
            tree = self._write(tree, ordered[begin : begin + ROWS], sign=is_last or not self._last_number)
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
        are_next = all(record.is_next is not False for record in records)
        note = self._sign(grown) if sign and are_next else None
        try:
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
                number = _keep_checkpoint(connection, note, self._last_number) if note is not None else None
        except ChainBroken as error:
            self._note_break(error)
            raise _Overtaken from error
        self._writers.note_news(records)
        if not are_next:
            with snapshot(self._engine) as connection:
                self._read_tree(connection)  # says which record it is
        elif self.broken is None:
            self._tree = grown
        if note is not None and number is not None:
            self._signed_time, self._last_number = note["time"], number
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
        """Return the tree; what others added since we looked is held against the last checkpoint, or is verified."""
        self._looked_at = time.monotonic()
        known, size = self._tree, read_size(connection)
        if known is not None and known.size == size and self.broken is None:
            return known
        self._writers.forget_heads()
        blocks = known.blocks if known is not None else None
        tree = read_tree(connection, blocks)
        broken = self._find_break(connection, tree, blocks)
        self._note_break(broken)
        if broken is None:
            self._tree = tree
        return tree

    def _note_break(self, broken: ChainBroken | None) -> None:
        if broken is not None and self.broken is None:
            _logger.error("the audit log is not signed any more: %s", broken.detail)
        self.broken = broken

    def _find_break(self, connection: Connection, tree: Tree, blocks: Frontier | None) -> ChainBroken | None:
        known = self._tree or Tree()
        if tree.size < known.size:
            return ChainBroken(f"records {tree.size} to {known.size - 1} are gone", tree.size)
        try:
            signed = self._check_checkpoint(connection, tree, blocks)
            if self._signer is None or self._mac_key is None:
                return None
            if read_root(connection, known.size, blocks) != known.root():
                return ChainBroken(f"the first {known.size} records are not those that were there before", 0)
            check_signable(connection, max(signed, known.size), tree.size, self._mac_key)
        except ChainBroken as error:
            return error
        return None

    def _check_checkpoint(self, connection: Connection, tree: Tree, blocks: Frontier | None) -> int:
        """Hold the last checkpoint against the tree; return over how many records it is, as our own keys say.

        Raises:
            ChainBroken: it is over others, or it is not the last one that there was.
        """
        last = connection.execute(_LAST_CHECKPOINT).first()
        seen = self._last_number
        if self._tree is None:
            seen = max(seen, connection.execute(_LAST_WITNESSED).scalar() or 0)
        _check_last(last, seen)
        if last is None:
            if tree.size > UNSIGNED and self._signer is not None and not self._may_begin:
                gone = f"{tree.size} records have their place, and there is no checkpoint"
                raise ChainBroken(f"{gone}: if there never was one, say `rambridge audit checkpoint --first`", 0)
            return 0
        signed = 0
        try:
            try:
                checkpoint = open_checkpoint(last.note, self._signer.verifier_keys if self._signer else ())
                size, root = checkpoint.size, checkpoint.root
                signed = size
            except UnknownSigner:
                # Nobody whom we know vouches for it; it is over these records, or something is wrong all the same.
                _, size, root = split_text(last.note.rpartition("\n\n")[0] + "\n")
        except NoteRefused as error:
            raise ChainBroken(f"checkpoint {last.number}: {error}", last.size) from error
        if tree.size < size:
            raise ChainBroken(f"records {tree.size} to {size - 1} are gone", tree.size)
        if read_root(connection, size, blocks) != root:
            raise ChainBroken(f"the records are not those of checkpoint {last.number}: run `rambridge audit verify`", 0)
        self._last_number = last.number
        return signed


class _Writers:
    """Whose records are asked for: of thousands of processes that once wrote, only the few that still may."""

    def __init__(self, clock: Clock, mac_key: bytes | None) -> None:
        self._clock = clock
        self._mac_key = mac_key
        self._heads: dict[int, Head] = {}
        """How far the log has the chains of those whom nobody else has sequenced since."""
        self._recent: dict[int, float] = {}
        """When a writer last had something new, by the process's own clock (``time.monotonic``)."""
        self._newest = 0
        self._everyone_asked = float("-inf")
        self._gaps: dict[int, float] = {}
        """When we first saw that a record is missing before another one, by the ``id`` of the first such."""
        self.is_waiting = False
        """Whether records behind a gap wait for their place."""

    def read_new(self, connection: Connection, *, is_checked: bool) -> list[list[_New]]:
        """Return the records of each writer that have no place yet; of one with many, the first ones.

        ``is_checked``: it is found out whether they wrote them.
        """
        now = time.monotonic()
        everyone = now - self._everyone_asked >= ALL_WRITERS_SECONDS
        query = _WRITERS
        if not everyone:
            query = query.where(or_(tables.writers.c.writer > self._newest, tables.writers.c.writer.in_(self._recent)))
        numbers = {row.writer: row.number for row in connection.execute(query)}
        key = self._mac_key if is_checked else None
        self.is_waiting = False
        found = [list(self._read_some(connection, writer, number, key)) for writer, number in numbers.items()]
        if everyone:
            self._recent = dict.fromkeys(self._find_recent(connection, numbers), now)
            self._everyone_asked = now
        else:
            self._recent |= dict.fromkeys((writer for writer in numbers if writer > self._newest), now)
        self._newest = max(numbers, default=self._newest)
        return found

    def note_news(self, records: Sequence[_New]) -> None:
        """Take note of who wrote these records, which have their place now."""
        now = time.monotonic()
        for record in {record.id >> NUMBER_BITS: record for record in records}.values():  # the last of each
            writer, number = split_id(record.id)
            self._recent[writer] = now
            self._heads[writer] = Head(number, record.mac)
        self._recent = {writer: last for writer, last in self._recent.items() if now - last < QUIET_SECONDS}
        self._heads = {writer: head for writer, head in self._heads.items() if writer in self._recent}

    def forget_heads(self) -> None:
        """Believe nothing of where the chains end: others have sequenced, or something is wrong."""
        self._heads.clear()

    def _read_some(self, connection: Connection, writer: int, number: int, mac_key: bytes | None) -> Iterator[_New]:
        """Yield what a writer wrote after its record with this number, which is the last that has a place."""
        head = self._heads.get(writer)
        rows = connection.execute(_RECORDS, _bounds(writer, head.number if head else number)).all()
        if rows and head is None and mac_key is not None:
            head = _find_head(connection, writer, number, rows[0], mac_key)
        next_id, mac_before = record_id(writer, head.number if head else number), head.mac if head else None
        before = next_id
        for identifier, body, mac in rows:
            if identifier != before + 1 and self._may_be_filled(before + 1):
                return
            before = identifier
            content, index_row = read_record(0, identifier, body)
            is_next = None
            if mac_key is not None:
                next_id += 1
                is_next = (
                    mac_before is not None
                    and identifier == next_id
                    and says_its_place(content, identifier)
                    and is_tied(mac_key, mac_before, body, mac)
                )
                mac_before = mac if is_next else None
            yield _New(identifier, content, index_row, leaf_hash(body.encode()), mac, is_next)

    def _may_be_filled(self, gap: int) -> bool:
        now = time.monotonic()
        self._gaps = {each: since for each, since in self._gaps.items() if now - since < QUIET_SECONDS}
        waits = now - self._gaps.setdefault(gap, now) < GAP_SECONDS
        self.is_waiting |= waits
        return waits

    def _find_recent(self, connection: Connection, numbers: Mapping[int, int]) -> Iterator[int]:
        """Return the writers that have written nothing yet, or whose last record is of the last day."""
        earliest = self._clock.now().timestamp() - QUIET_SECONDS
        for writer, number in numbers.items():
            query = select(tables.records.c.body).where(tables.records.c.id == record_id(writer, number))
            body = connection.execute(query).scalar()
            if body is None or read_record(0, 0, body)[1]["time"] >= earliest * _MICROSECONDS:
                yield writer


def _find_head(
    connection: Connection, writer: int, number: int, first: Row[Any, Any, Any], mac_key: bytes
) -> Head | None:
    """Return how far a writer's chain is in the log; None if that is not what the tables say that are computed."""
    if find_position(connection, first.id, first.body) is not None:
        return None
    return find_head(connection, read_retired(connection, mac_key), writer, number)


def _bounds(writer: int, number: int) -> dict[str, int]:
    return {"after": record_id(writer, number), "before": record_id(writer + 1, 0)}


def _in_order(waiting: Sequence[Sequence[_New]]) -> Iterator[_New]:
    """Yield records by their time, those of one writer as it wrote them, even where its clock was set back."""

    def by_time(records: Sequence[_New]) -> Iterator[tuple[str, int, _New]]:
        latest = ""
        for record in records:
            latest = max(latest, record.content["time"])
            yield latest, record.id, record

    for _, _, record in heapq.merge(*map(by_time, waiting), key=lambda entry: entry[:2]):
        yield record


def wait_for_turn(connection: Connection) -> None:
    """Let nobody sequence until the transaction ends; wait for whoever does. In SQLite only one transaction writes."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


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


def _check_last(last: Row[Any] | None, seen: int) -> None:
    """Raise ChainBroken if the last checkpoint is not at least the one with the number ``seen``, which there was."""
    if seen > (last.number if last else 0):
        raise ChainBroken(f"checkpoint {seen} is gone", last.size if last else 0)


def _keep_checkpoint(connection: Connection, note: Mapping[str, Any], seen: int) -> int | None:
    """Add a checkpoint; return its number, or None if it was not added. ``seen``: the number of one that there was.

    It is not where the clock is behind the last checkpoint, unless a record says that it was set back: verification
    takes a checkpoint that seems older than the one before for a changed one.

    Raises:
        ChainBroken: that one is gone.
    """
    last = connection.execute(_LAST_CHECKPOINT).first()
    _check_last(last, seen)
    if last is not None and note["time"] < last.time - CLOCKS_SECONDS * _MICROSECONDS:
        stepped = select(tables.index.c.position).where(
            tables.index.c.position >= last.size, tables.index.c.event == STEPPED_BACK
        )
        if connection.execute(stepped.limit(1)).first() is None:
            _logger.warning("no checkpoint was signed: the clock is behind the last one")
            return None
    number = last.number + 1 if last else 1
    connection.execute(insert(tables.checkpoints), {"number": number, **note})
    return number
