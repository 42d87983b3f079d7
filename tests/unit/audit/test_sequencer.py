"""The sequencer on SQLite and on PostgreSQL: every record gets one place, and what is signed is what was recorded."""

import itertools
import json
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import delete, insert, select, update

from bridge.audit import tables
from bridge.audit.proof.checkpoints import Signer, open_checkpoint
from bridge.audit.proof.merkle import leaf_hash, tree_root
from bridge.audit.proof.notes import NoteKey, sign_note
from bridge.audit.record import split_id
from bridge.audit.sequencer import Sequencer
from tests.audit_records import MAC_KEY, START, Writer, index_row, lift_guards
from tests.live_store import MovableClock

ORIGIN = "login.example/audit"


@pytest.fixture
def engine(audit_tables):
    return audit_tables()


@pytest.fixture
def signer():
    return Signer(ORIGIN, Ed25519PrivateKey.generate())


@pytest.fixture
def clock():
    clock = MovableClock()
    clock.moment = START
    return clock


@pytest.fixture
def sequencer(engine, signer, clock):
    return Sequencer(engine, signer, clock, mac_key=MAC_KEY)


@pytest.fixture
def another(engine, signer, clock):
    """Return a function that makes the sequencer of another process."""
    return lambda: Sequencer(engine, signer, clock, mac_key=MAC_KEY)


def rows_of(engine, table, *order):
    with engine.connect() as connection:
        return connection.execute(select(table).order_by(*order)).mappings().all()


def bodies_of(engine):
    """Return what was recorded, in the order of the positions."""
    joined = select(tables.records.c.body).join_from(
        tables.index, tables.records, tables.index.c.id == tables.records.c.id
    )
    with engine.connect() as connection:
        return connection.scalars(joined.order_by(tables.index.c.position)).all()


def last_checkpoint(engine, signer):
    rows = rows_of(engine, tables.checkpoints, tables.checkpoints.c.number)
    return open_checkpoint(rows[-1]["note"], signer.verifier_keys)


def change(engine, statement):
    with engine.begin() as connection:
        lift_guards(connection)
        connection.execute(statement)


def test_every_record_gets_one_position_without_a_gap(engine, sequencer):
    writers = [Writer(engine, number) for number in (1, 2, 3)]
    for count in (1, 40, 700):
        for writer in writers:
            writer.write(count)
        sequencer.catch_up()
    index = rows_of(engine, tables.index, tables.index.c.position)
    recorded = {row["id"] for row in rows_of(engine, tables.records, tables.records.c.id)}
    assert [row["position"] for row in index] == list(range(3 * 741))
    assert {row["id"] for row in index} == recorded


def test_a_row_of_the_index_says_what_the_record_says(engine, sequencer):
    Writer(engine, 1).write(3, code="x", account="acme")
    sequencer.catch_up()
    for row, body in zip(rows_of(engine, tables.index, tables.index.c.position), bodies_of(engine), strict=True):
        assert dict(row) == index_row(row["position"], row["id"], json.loads(body))
        assert row["account"] == "acme"


def test_records_of_several_writers_stand_in_the_order_of_time(engine, sequencer):
    for number in (3, 1, 2):
        Writer(engine, number).write(200)
    sequencer.catch_up()
    times = [json.loads(body)["time"] for body in bodies_of(engine)]
    assert times == sorted(times)


def test_a_writers_records_keep_their_order_where_its_clock_was_set_back(engine, sequencer):
    first, second = Writer(engine, 1), Writer(engine, 2)
    first.write(20)
    first.moment -= timedelta(seconds=15)
    first.write(20)
    second.write(40)
    sequencer.catch_up()
    ids = [split_id(row["id"]) for row in rows_of(engine, tables.index, tables.index.c.position)]
    for writer in (1, 2):
        assert [number for of, number in ids if of == writer] == list(range(1, 41))


def test_the_checkpoint_is_over_exactly_what_was_recorded(engine, sequencer, signer):
    writer = Writer(engine, 1)
    for count in (1, 254, 1, 1, 511, 256):
        writer.write(count)
        sequencer.catch_up()
        leaves = [leaf_hash(body.encode()) for body in bodies_of(engine)]
        checkpoint = last_checkpoint(engine, signer)
        assert (checkpoint.size, checkpoint.root) == (len(leaves), tree_root(leaves))
        assert checkpoint.time == int(START.timestamp())


def test_blocks_and_the_open_block_hold_the_leaves(engine, sequencer):
    Writer(engine, 1).write(1_000)
    sequencer.catch_up()
    leaves = [leaf_hash(body.encode()) for body in bodies_of(engine)]
    blocks = rows_of(engine, tables.blocks, tables.blocks.c.block)
    (open_block,) = rows_of(engine, tables.open_block, tables.open_block.c.block)
    assert [block["root"] for block in blocks] == [tree_root(leaves[at : at + 256]) for at in (0, 256, 512)]
    assert b"".join(block["leaves"] for block in blocks) + open_block["leaves"] == b"".join(leaves)
    assert open_block["block"] == 3


def test_how_far_each_writer_is_sequenced_is_kept(engine, sequencer):
    Writer(engine, 1).write(3)
    Writer(engine, 2).write(2_500)
    sequencer.catch_up()
    assert [(row["writer"], row["number"]) for row in rows_of(engine, tables.sequenced, tables.sequenced.c.writer)] == [
        (1, 3),
        (2, 2_500),
    ]


def test_another_process_goes_on_where_the_last_one_ended(engine, sequencer, signer, clock):
    writer = Writer(engine, 1)
    writer.write(300)
    sequencer.catch_up()
    writer.write(300)
    Sequencer(engine, signer, clock, mac_key=MAC_KEY).catch_up()
    writer.write(300)
    sequencer.catch_up()
    leaves = [leaf_hash(body.encode()) for body in bodies_of(engine)]
    assert len(leaves) == 900
    assert last_checkpoint(engine, signer).root == tree_root(leaves)


def test_processes_that_sequence_at_once_do_nothing_twice(engine, signer, clock):
    sequencers = [Sequencer(engine, signer, clock, mac_key=MAC_KEY) for _ in range(4)]
    writers = [Writer(engine, number) for number in (1, 2, 3, 4)]

    def write_and_read(pair):
        writer, sequencer = pair
        for _ in range(5):
            last = writer.write(30)[-1]["id"]
            sequencer.catch_up()
            query = select(tables.index.c.position).where(tables.index.c.id == last)
            with engine.connect() as connection:
                assert connection.scalar(query) is not None, "a reader does not see what was recorded before it asked"

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write_and_read, zip(writers, sequencers, strict=True)))
    ids = [row["id"] for row in rows_of(engine, tables.index, tables.index.c.position)]
    assert len(ids) == len(set(ids)) == 600
    checkpoint = last_checkpoint(engine, signer)
    assert checkpoint.root == tree_root([leaf_hash(body.encode()) for body in bodies_of(engine)])


def test_what_else_is_kept_is_kept_in_the_same_transaction(engine, signer, clock):
    seen = []

    def keep(connection, rows, contents):
        seen.extend((row["position"], content["number"]) for row, content in zip(rows, contents, strict=True))
        if len(seen) == 510:
            raise RuntimeError("full")

    Writer(engine, 1).write(510)
    sequencer = Sequencer(engine, signer, clock, mac_key=MAC_KEY, index_rows=keep)
    with pytest.raises(RuntimeError):
        sequencer.catch_up()
    assert len(rows_of(engine, tables.index, tables.index.c.position)) == 500
    sequencer.catch_up()
    assert seen[-10:] == [(position, position + 1) for position in range(500, 510)]
    assert len(rows_of(engine, tables.index, tables.index.c.position)) == 510


def test_a_quiet_log_is_signed_each_minute_and_an_empty_one_is_not(engine, sequencer, signer, clock):
    clock.advance(600)
    sequencer.catch_up()
    assert not rows_of(engine, tables.checkpoints, tables.checkpoints.c.number)
    Writer(engine, 1).write()
    for seconds in (0, 30, 29, 1, 30, 30):
        clock.advance(seconds)
        sequencer.catch_up()
    rows = rows_of(engine, tables.checkpoints, tables.checkpoints.c.number)
    assert [(row["number"], row["size"]) for row in rows] == [(1, 1), (2, 1), (3, 1)]
    times = [open_checkpoint(row["note"], signer.verifier_keys).time for row in rows]
    assert times == [row["time"] // 1_000_000 for row in rows]
    assert [later - earlier for earlier, later in itertools.pairwise(times)] == [60, 60]


def test_a_clock_that_was_set_back_signs_only_after_a_record_that_says_so(engine, sequencer, signer, clock, caplog):
    writer = Writer(engine, 1)
    writer.write()
    sequencer.catch_up()
    clock.advance(-90)
    writer.write()
    sequencer.catch_up()
    assert last_checkpoint(engine, signer).size == 1
    assert "the clock is behind" in caplog.text
    writer.write(event="clock.stepped_back")
    sequencer.catch_up()
    assert last_checkpoint(engine, signer).size == 3
    assert last_checkpoint(engine, signer).time == int(START.timestamp()) - 90


def test_several_processes_sign_a_quiet_log_once_a_minute(engine, signer, clock):
    Writer(engine, 1).write()
    sequencers = [Sequencer(engine, signer, clock, mac_key=MAC_KEY) for _ in range(3)]
    for _ in range(3):
        for sequencer in sequencers:
            sequencer.catch_up()
        clock.advance(60)
    assert len(rows_of(engine, tables.checkpoints, tables.checkpoints.c.number)) == 3


def test_a_checkpoint_can_be_had_now(engine, sequencer, signer, clock):
    Writer(engine, 1).write()
    sequencer.sign_now()
    clock.advance(5)
    sequencer.sign_now()
    assert last_checkpoint(engine, signer).time == int(START.timestamp()) + 5
    assert len(rows_of(engine, tables.checkpoints, tables.checkpoints.c.number)) == 2


def test_a_process_without_the_key_sequences_and_does_not_sign(engine, clock, sequencer, signer):
    Writer(engine, 1).write(5)
    Sequencer(engine, None, clock).catch_up()
    assert len(bodies_of(engine)) == 5
    assert not rows_of(engine, tables.checkpoints, tables.checkpoints.c.number)
    clock.advance(60)
    sequencer.catch_up()
    assert last_checkpoint(engine, signer).size == 5


def test_a_record_that_nobody_of_us_wrote_does_not_stop_the_others(engine, sequencer):
    writer = Writer(engine, 1)
    good = writer.write()[0]
    content = json.loads(good["body"])
    odd = [{"account": {"a": 1}}, {"rule": 7}, {"mfa": "yes"}, {"subject_digest": "x" * 33}, {"address_digest": "\0"}]
    bodies = ["?", "[]", '{"time":5}', "[" * 100_000, *(json.dumps(content | each) for each in odd)]
    for number, body in enumerate(bodies, 2):
        change(engine, insert(tables.records).values({**good, "id": (1 << 40) + number, "body": body}))
    Writer(engine, 2).write()
    sequencer.catch_up()
    events = [row["event"] for row in rows_of(engine, tables.index, tables.index.c.position)]
    assert sorted(events) == ["record.unreadable"] * len(bodies) + ["sign_in.accepted"] * 2


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(update(tables.blocks).where(tables.blocks.c.block == 1).values(root=bytes(32)), id="a block"),
        pytest.param(delete(tables.blocks).where(tables.blocks.c.block == 0), id="a missing block"),
        pytest.param(update(tables.open_block).values(leaves=bytes(88 * 32)), id="the open block"),
        pytest.param(update(tables.checkpoints).values(note="no note"), id="the checkpoint"),
        pytest.param(
            update(tables.checkpoints).values(note=sign_note("x\n", [NoteKey("x", Ed25519PrivateKey.generate())])),
            id="a stranger's note",
        ),
    ],
)
def test_what_was_changed_behind_our_back_is_never_signed(engine, sequencer, another, spoil, caplog):
    writer = Writer(engine, 1)
    writer.write(600)
    sequencer.catch_up()
    before = rows_of(engine, tables.checkpoints, tables.checkpoints.c.number)
    change(engine, spoil)
    writer.write(5)
    other = another()
    with caplog.at_level(logging.ERROR):
        other.catch_up()
    assert other.broken is not None
    assert "not signed any more" in caplog.text
    assert len(rows_of(engine, tables.checkpoints, tables.checkpoints.c.number)) == len(before) == 2


def test_a_log_that_is_whole_again_is_signed_again(engine, signer, clock, sequencer):
    writer = Writer(engine, 1)
    writer.write(300)
    sequencer.catch_up()
    root = rows_of(engine, tables.blocks, tables.blocks.c.block)[0]["root"]
    change(engine, update(tables.blocks).values(root=bytes(32)))
    other = Sequencer(engine, signer, clock, mac_key=MAC_KEY)
    writer.write()
    other.catch_up()
    assert other.broken is not None
    change(engine, update(tables.blocks).values(root=root))
    writer.write()
    other.catch_up()
    assert other.broken is None
    assert last_checkpoint(engine, signer).size == 302


def test_a_database_that_was_set_back_while_we_run_is_not_signed(engine, sequencer):
    writer = Writer(engine, 1)
    writer.write(10)
    sequencer.catch_up()
    kept = rows_of(engine, tables.open_block, tables.open_block.c.block)[0]
    writer.write(10)
    sequencer.catch_up()
    change(engine, update(tables.open_block).values(leaves=kept["leaves"]))
    change(engine, delete(tables.checkpoints).where(tables.checkpoints.c.size > 10))
    change(engine, delete(tables.index).where(tables.index.c.position >= 10))
    change(engine, update(tables.sequenced).values(number=10))
    sequencer.catch_up()
    assert sequencer.broken is not None
    assert sequencer.broken.position == 10


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param([delete(tables.open_block)], id="the open block is lost"),
        pytest.param([update(tables.open_block).values(block=0, leaves=b"")], id="the open block is an old one"),
        pytest.param([delete(tables.sequenced)], id="it is lost how far each writer is"),
        pytest.param([update(tables.sequenced).values(number=3)], id="how far each writer is is old"),
        pytest.param([delete(tables.sequenced), delete(tables.open_block)], id="both are lost"),
    ],
)
def test_what_follows_from_the_rest_is_computed_again(engine, sequencer, another, signer, damage):
    writers = [Writer(engine, 1), Writer(engine, 2)]
    for writer in writers:
        writer.write(170)
    sequencer.catch_up()
    for statement in damage:
        change(engine, statement)
    for writer in writers:
        writer.write(10)
    other = another()
    other.catch_up()
    leaves = [leaf_hash(body.encode()) for body in bodies_of(engine)]
    assert other.broken is None
    assert len(leaves) == 360
    assert last_checkpoint(engine, signer).root == tree_root(leaves)


def test_a_writer_that_was_quiet_for_a_day_is_asked_no_more_and_a_new_one_is(engine, signer, clock):
    old = Writer(engine, 1, start=START - timedelta(days=3))
    old.write()
    Sequencer(engine, signer, clock, mac_key=MAC_KEY).catch_up()
    sequencer = Sequencer(engine, signer, clock, mac_key=MAC_KEY)
    sequencer.catch_up()
    old.write()
    Writer(engine, 2).write()
    sequencer.catch_up()
    assert len(bodies_of(engine)) == 2
    Sequencer(engine, signer, clock, mac_key=MAC_KEY).catch_up()
    assert len(bodies_of(engine)) == 3


def test_it_goes_on_whatever_went_wrong(engine, sequencer, monkeypatch, tmp_path, caplog):
    monkeypatch.setattr("bridge.audit.sequencer.PERIOD_SECONDS", 0.01)
    stop = threading.Event()
    broken = Sequencer(engine, None, sequencer._clock, index_rows=lambda *_: tmp_path.read_bytes())  # an OSError
    Writer(engine, 1).write(3)
    thread = threading.Thread(target=broken.run_forever, args=[stop])
    with caplog.at_level(logging.ERROR):
        thread.start()
        deadline = time.monotonic() + 10
        while caplog.text.count("could not be sequenced: IsADirectoryError") < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
    assert thread.is_alive()
    stop.set()
    thread.join(10)


def test_it_runs_by_itself_and_stops_when_it_is_told(engine, sequencer, monkeypatch):
    monkeypatch.setattr("bridge.audit.sequencer.PERIOD_SECONDS", 0.01)
    stop = threading.Event()
    thread = threading.Thread(target=sequencer.run_forever, args=[stop])
    thread.start()
    Writer(engine, 1).write(3)
    deadline = time.monotonic() + 10
    while len(bodies_of(engine)) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    assert len(bodies_of(engine)) == 3
