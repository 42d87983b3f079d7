"""What somebody who can write to the database does to the log, and that verification names the first bad position.

Three kinds of attacker: one who changes a table; one who makes everything agree again that needs no key (``thorough``);
and one who has the key of the writers' chains as well, but not the one that signs (``with the mac key``).

RAMBRIDGE_TEST_TAMPERINGS says at how many random positions each is tried (1), and RAMBRIDGE_TEST_SEED which ones are
random.
"""

import json
import os
import random
from dataclasses import dataclass
from itertools import zip_longest

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import bindparam, delete, func, insert, literal, select, update

from bridge.audit import tables
from bridge.audit.database import open_database
from bridge.audit.keeping.partitions import create_ahead
from bridge.audit.proof.checkpoints import Signer, open_checkpoint
from bridge.audit.proof.merkle import block_row, join_hashes, leaf_hash, open_block_row, split_hashes
from bridge.audit.proof.tree import read_root
from bridge.audit.proof.verification import Scope, verify_log, verify_within
from bridge.audit.record import FIRST_MAC, encode_body, link, read_record, record_id, split_id
from bridge.audit.sequencer import Sequencer
from bridge.clock import SystemClock
from bridge.database import snapshot
from bridge.errors import ChainBroken
from tests.audit_records import MAC_KEY, START, Writer, lift_guards, new_log

POSITIONS = int(os.environ.get("RAMBRIDGE_TEST_TAMPERINGS", "1"))
SEED = os.environ.get("RAMBRIDGE_TEST_SEED", "")
SIZE = 600
CASES = range(POSITIONS)
INDEX, RECORDS = tables.index, tables.records


@dataclass
class Log:
    """A log as it was written, and a connection on which somebody changes it."""

    connection: object
    signer: Signer
    rows: list
    """Position, id, body and mac of each record."""
    sizes: list
    """Over how many records each checkpoint is."""
    chance: random.Random

    def verify(self, *, mac_key=MAC_KEY, **scope):
        return verify_within(self.connection, Scope(self.signer.verifier_keys, mac_key, **scope))

    def refuse(self, **scope):
        with pytest.raises(ChainBroken) as caught:
            self.verify(**scope)
        return caught.value

    def run(self, *statements):
        for statement in statements:
            self.connection.execute(statement)

    def signed_before(self, position):
        """Return the size of the last checkpoint that does not cover a position."""
        return max((size for size in self.sizes if size <= position), default=0)

    def covered_by(self, position):
        """Return the size of the first checkpoint that covers it."""
        return min(size for size in self.sizes if size > position)

    def move(self, first, by):
        """Move all positions from one on."""
        far = 10_000_000
        self.run(
            update(INDEX).where(INDEX.c.position >= first).values(position=INDEX.c.position + far),
            update(INDEX).where(INDEX.c.position >= far).values(position=INDEX.c.position - far + by),
        )

    def current(self):
        joined = select(INDEX.c.position, INDEX.c.id, RECORDS.c.body, RECORDS.c.mac).join(
            RECORDS, RECORDS.c.id == INDEX.c.id
        )
        return [tuple(row) for row in self.connection.execute(joined.order_by(INDEX.c.position))]

    def make_agree(self):
        """Compute again all that needs no key: index, hashes, how far each writer is."""
        rows = self.current()
        self.run(delete(INDEX), delete(tables.blocks), delete(tables.open_block), delete(tables.sequenced))
        self.connection.execute(insert(INDEX), [read_record(at, row[1], row[2])[1] for at, row in enumerate(rows)])
        leaves = [leaf_hash(row[2].encode()) for row in rows]
        whole = len(leaves) // 256
        for block in range(whole):
            self.connection.execute(insert(tables.blocks), block_row(block, leaves[block * 256 : (block + 1) * 256]))
        self.connection.execute(insert(tables.open_block), open_block_row(len(leaves), leaves[whole * 256 :]))
        ends = {}
        for row in rows:
            writer, number = split_id(row[1])
            ends[writer] = max(number, ends.get(writer, 0))
        self.connection.execute(insert(tables.sequenced), [{"writer": w, "number": n} for w, n in ends.items()])

    def chain_again(self):
        """Compute the macs of every writer again."""
        last, macs = {}, []
        for _, identifier, body, _ in self.current():
            writer, _ = split_id(identifier)
            last[writer] = link(MAC_KEY, last.get(writer, FIRST_MAC), body)
            macs.append({"of": identifier, "to": last[writer]})
        self.connection.execute(
            update(RECORDS).where(RECORDS.c.id == bindparam("of")).values(mac=bindparam("to")), macs
        )

    def changed_body(self, position):
        """Return what a record says, but for one letter."""
        body = self.rows[position][2]
        while True:
            at = self.chance.randrange(len(body))
            letter = self.chance.choice("abcdefghijklmnopqrstuvwxyz0123456789")
            if body[at] != letter:
                return body[:at] + letter + body[at + 1 :]

    def set_body(self, position, body):
        self.run(update(RECORDS).where(RECORDS.c.id == self.rows[position][1]).values(body=body))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def written(request, tmp_path_factory):
    """Return an engine with a log of several writers and checkpoints, and who signed it."""
    with new_log(request, tmp_path_factory.mktemp("tampering")) as url:
        engine = open_database(url)
        signer = write_log(engine)
        yield engine, signer
        engine.dispose()


def write_log(engine):
    signer = Signer("login.example/audit", Ed25519PrivateKey.generate())
    sequencer = Sequencer(engine, signer, SystemClock(), mac_key=MAC_KEY)
    writers, chance = [Writer(engine, number) for number in (1, 2, 3)], random.Random(7)
    left = SIZE
    while left:
        for writer in writers:
            count = min(left, chance.randrange(1, 40))
            if count:
                writer.write(count)
                left -= count
        sequencer.catch_up()
    return signer


@pytest.fixture(scope="module")
def kept(written):
    engine, _ = written
    with snapshot(engine) as connection:
        log = Log(connection, None, [], [], None)
        sizes = connection.scalars(select(tables.checkpoints.c.size).order_by(tables.checkpoints.c.number)).all()
        return log.current(), sizes


@pytest.fixture(params=CASES)
def log(request, written, kept):
    """Return the log, for somebody to change it; afterwards it is as it was."""
    engine, signer = written
    rows, sizes = kept
    connection = engine.connect()
    transaction = connection.begin()
    lift_guards(connection)
    yield Log(connection, signer, rows, sizes, random.Random(SEED + request.node.name))
    transaction.rollback()
    connection.close()


@pytest.fixture
def position(log):
    return log.chance.randrange(SIZE)


def refused_at(log, position, **scope):
    error = log.refuse(**scope)
    assert (error.position, error.end) == (position, None), error.detail
    return error.detail


def refused_after_signed(log, position, **scope):
    """Where not even hashes are left of what is gone, what one process wrote last could be gone from before the end."""
    error = log.refuse(**scope)
    begin = log.signed_before(position)
    assert (error.position, error.end) == (begin, position + 1 if begin < position else None), error.detail
    assert f"records {position} to " in error.detail


def test_an_untouched_log_verifies(written):
    engine, signer = written
    verified = verify_log(engine, Scope(signer.verifier_keys, MAC_KEY))
    assert (verified.begin, verified.end, verified.unsigned) == (0, SIZE, 0)
    assert verified.checkpoint.size == SIZE


# Records


def test_a_changed_record_is_named(log, position):
    log.set_body(position, log.changed_body(position))
    refused_at(log, position)
    refused_at(log, position, mac_key=None)


def test_a_changed_mac_is_named(log, position):
    identifier, mac = log.rows[position][1], bytearray(log.rows[position][3])
    mac[log.chance.randrange(32)] ^= 1 << log.chance.randrange(8)
    log.run(update(RECORDS).where(RECORDS.c.id == identifier).values(mac=bytes(mac)))
    assert "mac" in refused_at(log, position)


def test_a_changed_record_with_everything_made_to_agree_is_named_by_its_mac(log, position):
    content = json.loads(log.rows[position][2])
    log.set_body(position, encode_body(content | {"mfa": not content["mfa"]}))
    log.make_agree()
    assert "mac" in refused_at(log, position)


def test_without_the_mac_key_it_lies_between_the_checkpoints_around_it(log, position):
    content = json.loads(log.rows[position][2])
    log.set_body(position, encode_body(content | {"mfa": not content["mfa"]}))
    log.make_agree()
    for mac_key in (None, MAC_KEY):
        error = log.refuse(mac_key=mac_key)
        assert (error.position, error.end) == (log.signed_before(position), log.covered_by(position))
        log.chain_again()


def test_a_record_that_is_deleted_is_named(log, position):
    log.run(delete(RECORDS).where(RECORDS.c.id == log.rows[position][1]))
    assert "is gone" in refused_at(log, position)


def test_a_record_that_is_deleted_from_the_index_as_well_is_named(log, position):
    log.run(delete(RECORDS).where(RECORDS.c.id == log.rows[position][1]))
    log.run(delete(INDEX).where(INDEX.c.position == position))
    refused_at(log, position)


def test_a_record_whose_gap_is_closed_is_named(log, position):
    log.run(delete(RECORDS).where(RECORDS.c.id == log.rows[position][1]))
    log.run(delete(INDEX).where(INDEX.c.position == position))
    log.move(position + 1, -1)
    refused_at(log, position)


def test_a_deleted_record_with_everything_made_to_agree_is_missed_by_its_writer(log, position):
    log.run(delete(RECORDS).where(RECORDS.c.id == log.rows[position][1]))
    log.run(delete(INDEX).where(INDEX.c.position == position))
    log.move(position + 1, -1)
    log.make_agree()
    error = log.refuse()
    end = error.end or error.position + 1
    assert log.signed_before(position) <= error.position <= position < end <= log.covered_by(position)


def first_difference(log):
    """Return the first position at which there is not what was written."""
    pairs = zip_longest(log.rows, log.current())
    return next(at for at, (before, now) in enumerate(pairs) if before != now)


def flip(log, row):
    log.run(update(RECORDS).where(RECORDS.c.id == row[1]).values(body=row[2].replace('"saml"', '"oidc"')))


def take_out(log, row):
    log.run(delete(RECORDS).where(RECORDS.c.id == row[1]))
    log.run(delete(INDEX).where(INDEX.c.position == row[0]))
    log.move(row[0] + 1, -1)


def swap_with_next(log, row):
    at = min(row[0], len(log.current()) - 2)
    ids = [each[1] for each in log.current()[at : at + 2]]
    log.run(update(INDEX).where(INDEX.c.position == at).values(id=ids[1]))
    log.run(update(INDEX).where(INDEX.c.position == at + 1).values(id=ids[0]))


def cut(log, row):
    ids = [each[1] for each in log.current()[row[0] :]]
    log.run(delete(RECORDS).where(RECORDS.c.id.in_(ids)), delete(INDEX).where(INDEX.c.position >= row[0]))


def test_of_two_changes_the_first_is_not_told_too_late(log):
    first, second = log.chance.choice([flip, take_out, swap_with_next]), log.chance.choice([flip, take_out, cut])
    first(log, log.chance.choice(log.current()))
    if log.chance.random() < 0.7:
        log.make_agree()
    second(log, log.chance.choice(log.current()[1:]))
    if log.chance.random() < 0.3:
        log.make_agree()
    error = log.refuse()
    end = error.end or error.position + 1
    assert log.signed_before(first_difference(log)) <= error.position <= first_difference(log) < end, error.detail


def test_an_inserted_record_is_named(log, position):
    content = json.loads(log.rows[position][2])
    writer, last = split_id(max(row[1] for row in log.rows))
    content |= {"writer": writer, "number": last + 1}
    identifier, body = record_id(writer, last + 1), encode_body(content)
    _, row = read_record(position, identifier, body)
    log.move(position, 1)
    mac = log.chance.randbytes(32)
    log.run(insert(RECORDS).values(id=identifier, month=row["month"], body=body, mac=mac), insert(INDEX).values(row))
    refused_at(log, position)
    log.make_agree()
    error = log.refuse()  # its writer's records before it are missing, and stood somewhere up to there
    assert log.signed_before(position) <= error.position <= position
    assert error.end == position + 1 or (error.position, error.end) == (position, None)


def test_a_record_that_stands_there_twice_is_named(log, position):
    _, row = read_record(position, *log.rows[position][1:3])
    log.move(position, 1)
    log.run(insert(INDEX).values(row))
    refused_at(log, position + 1)
    log.make_agree()
    refused_at(log, position + 1)


def test_two_records_that_changed_places_are_named(log, position):
    other = log.chance.choice([at for at in range(SIZE) if at != position])
    first, second = sorted((position, other))
    for at, of in ((first, second), (second, first)):
        _, row = read_record(at, *log.rows[of][1:3])
        log.run(update(INDEX).where(INDEX.c.position == at).values(row))
    refused_at(log, first)


def test_two_records_whose_texts_changed_places_are_named(log, position):
    other = log.chance.choice([at for at in range(SIZE) if at != position])
    first, second = sorted((position, other))
    log.set_body(first, log.rows[second][2])
    log.set_body(second, log.rows[first][2])
    refused_at(log, first)
    log.make_agree()
    refused_at(log, first)


def test_records_that_changed_places_with_everything_made_to_agree_lie_between_checkpoints(log, position):
    first = min(position, SIZE - 2)
    for at, of in ((first, first + 1), (first + 1, first)):
        _, row = read_record(at, *log.rows[of][1:3])
        log.run(update(INDEX).where(INDEX.c.position == at).values(row))
    log.make_agree()
    error = log.refuse()
    assert log.signed_before(first) <= error.position <= first
    assert error.end is None or first < error.end <= log.covered_by(first)


# The end, and another history


def cut_off(log, position):
    ids = [row[1] for row in log.rows[position:]]
    log.run(delete(RECORDS).where(RECORDS.c.id.in_(ids)), delete(INDEX).where(INDEX.c.position >= position))


def test_an_end_that_is_cut_off_is_named(log, position):
    cut_off(log, position)
    assert "are gone" in refused_at(log, position)
    if position:
        log.make_agree()
        refused_after_signed(log, position)


def test_an_end_that_is_cut_off_with_its_checkpoints_is_named_with_one_that_was_noted(log, position):
    note = log.connection.scalar(
        select(tables.checkpoints.c.note).order_by(tables.checkpoints.c.number.desc()).limit(1)
    )
    noted = [open_checkpoint(note, log.signer.verifier_keys)]
    position = max(position, 1)
    cut_off(log, position)
    log.make_agree()
    log.run(delete(tables.checkpoints).where(tables.checkpoints.c.size > position))
    assert log.verify().size == position, "nothing in the database tells it any more"
    refused_after_signed(log, position, noted=noted)


def fork(log, position):
    """Write another history from a position on, with the key of the writers' chains."""
    bodies = []
    for _, identifier, body, _ in log.rows[position:]:
        content = json.loads(body) | {"reference": f"F{log.chance.randrange(10**6)}"}
        bodies.append({"of": identifier, "to": encode_body(content)})
    log.connection.execute(update(RECORDS).where(RECORDS.c.id == bindparam("of")).values(body=bindparam("to")), bodies)
    log.chain_again()


def test_a_fork_is_named(log, position):
    fork(log, position)
    refused_at(log, position)


def test_a_fork_with_everything_made_to_agree_lies_after_the_last_checkpoint_that_agrees(log, position):
    fork(log, position)
    log.make_agree()
    error = log.refuse()
    assert (error.position, error.end) == (log.signed_before(position), log.covered_by(position))


def test_a_fork_that_is_signed_with_a_stolen_key_is_named_with_checkpoints_that_were_noted(log, position):
    notes = log.connection.scalars(select(tables.checkpoints.c.note)).all()
    noted = [open_checkpoint(note, log.signer.verifier_keys) for note in notes]
    fork(log, position)
    log.make_agree()
    log.run(delete(tables.checkpoints).where(tables.checkpoints.c.size > position))
    last = log.connection.scalar(select(func.max(tables.checkpoints.c.number))) or 0
    root = current_root(log)
    log.run(
        insert(tables.checkpoints).values(
            number=last + 1, size=SIZE, time=noted[-1].time * 10**6, note=log.signer.sign(SIZE, root, noted[-1].time)
        )
    )
    assert log.verify().size == SIZE, "nothing in the database tells it any more"
    error = log.refuse(noted=noted)
    assert (error.position, error.end) == (log.signed_before(position), log.covered_by(position))


def current_root(log):
    return read_root(log.connection, SIZE)


# What is computed, and what proves


def test_a_changed_column_of_the_index_is_named(log, position):
    column = log.chance.choice([column for column in INDEX.c if column.name not in ("position", "id")])
    before = log.connection.scalar(select(column).where(INDEX.c.position == position))
    if isinstance(before, bool) or column.type.python_type is bool:
        after = not before
    elif column.type.python_type is int:
        after = (before or 0) + 1
    else:
        after = f"{before or ''}x"[-16:]
    log.run(update(INDEX).where(INDEX.c.position == position).values({column.name: after}))
    assert "index" in refused_at(log, position)


def test_a_row_of_the_index_that_leads_to_another_record_is_named(log, position):
    other = log.chance.choice([row[1] for row in log.rows if row[0] != position])
    log.run(update(INDEX).where(INDEX.c.position == position).values(id=other))
    refused_at(log, position)


def test_a_row_of_the_index_that_is_deleted_is_named(log, position):
    log.run(delete(INDEX).where(INDEX.c.position == position))
    refused_at(log, position)


def test_a_changed_root_of_a_block_is_named(log, position):
    block = position % (SIZE // 256 * 256) // 256
    log.run(update(tables.blocks).where(tables.blocks.c.block == block).values(root=log.chance.randbytes(32)))
    error = log.refuse()
    assert (error.position, error.end) == (block * 256, block * 256 + 256)


def test_a_block_that_is_deleted_is_named(log, position):
    block = position % (SIZE // 256 * 256) // 256
    log.run(delete(tables.blocks).where(tables.blocks.c.block == block))
    refused_at(log, block * 256)


def test_a_changed_hash_of_a_record_is_named(log, position):
    block, at = divmod(position, 256)
    table = tables.blocks if block < SIZE // 256 else tables.open_block
    hashes = split_hashes(log.connection.scalar(select(table.c.leaves).where(table.c.block == block)))
    hashes[at] = log.chance.randbytes(32)
    log.run(update(table).where(table.c.block == block).values(leaves=join_hashes(hashes)))
    refused_at(log, position)


def pick_checkpoint(log):
    """Return a checkpoint's number, and over how many records the one before is."""
    number = log.chance.randrange(1, len(log.sizes) + 1)
    return number, log.sizes[number - 2] if number > 1 else 0


def test_a_changed_checkpoint_is_named(log):
    number, before = pick_checkpoint(log)
    note = log.connection.scalar(select(tables.checkpoints.c.note).where(tables.checkpoints.c.number == number))
    at = log.chance.randrange(len(note))
    changed = note[:at] + ("x" if note[at] != "x" else "y") + note[at + 1 :]
    log.run(update(tables.checkpoints).where(tables.checkpoints.c.number == number).values(note=changed))
    assert f"checkpoint {number} " in refused_at(log, before)


@pytest.mark.parametrize("column", ["size", "time"])
def test_a_checkpoint_whose_row_says_otherwise_is_named(log, column):
    number, before = pick_checkpoint(log)
    changed = {column: tables.checkpoints.c[column] + 1_000_000}
    log.run(update(tables.checkpoints).where(tables.checkpoints.c.number == number).values(changed))
    assert f"checkpoint {number} " in refused_at(log, before)


def test_a_checkpoint_that_is_deleted_is_named(log):
    number, before = pick_checkpoint(log)
    if number == len(log.sizes):
        number, before = number - 1, log.sizes[number - 3]
    log.run(delete(tables.checkpoints).where(tables.checkpoints.c.number == number))
    assert f"checkpoint {number} is gone" in refused_at(log, before)


def test_checkpoints_that_changed_places_are_named(log):
    number = log.chance.randrange(1, len(log.sizes))
    query = select(tables.checkpoints.c.size, tables.checkpoints.c.time, tables.checkpoints.c.note)
    rows = [
        log.connection.execute(query.where(tables.checkpoints.c.number == at)).first() for at in (number, number + 1)
    ]
    for at, row in zip((number + 1, number), rows, strict=True):
        log.run(update(tables.checkpoints).where(tables.checkpoints.c.number == at).values(row._asdict()))
    assert f"checkpoint {number + 1} is over fewer records" in log.refuse().detail


def test_a_checkpoint_of_another_key_is_named(log):
    number, before = pick_checkpoint(log)
    row = log.connection.execute(select(tables.checkpoints).where(tables.checkpoints.c.number == number)).first()
    forged = Signer(log.signer.origin, Ed25519PrivateKey.generate()).sign(row.size, bytes(32), row.time // 10**6)
    log.run(update(tables.checkpoints).where(tables.checkpoints.c.number == number).values(note=forged))
    assert "no known key" in refused_at(log, before)


@pytest.mark.parametrize(
    "statement",
    [
        update(tables.open_block).values(block=0),
        update(tables.sequenced).where(tables.sequenced.c.writer == 1).values(number=1),
        insert(tables.sequenced).values(writer=9, number=1),
        delete(tables.writers).where(tables.writers.c.writer == 2),
    ],
)
def test_what_says_how_far_the_log_goes_is_verified(log, statement):
    log.run(statement)
    log.refuse()


def test_a_record_of_a_writer_that_there_is_not_is_found(log):
    log.run(insert(RECORDS).values(id=record_id(99, 1), month=202611, body="{}", mac=bytes(32)))
    assert "writers that there are not" in refused_at(log, SIZE)


def test_a_record_that_waits_for_its_position_is_no_fault(log):
    log.run(insert(RECORDS).values(id=record_id(1, 5_000), month=202611, body="{}", mac=bytes(32)))
    assert log.verify().size == SIZE


# What nothing else looks at, and what no column of ours can hold


def copy_row(table, condition, **changes):
    """Add a row like one that is there."""
    columns = [literal(changes[column.name], column.type) if column.name in changes else column for column in table.c]
    return insert(table).from_select(list(table.c.keys()), select(*columns).where(condition))


STRAYS = {
    "the index has a row at position -5": copy_row(INDEX, INDEX.c.position == 9, position=-5),
    "no record has the position 600": copy_row(INDEX, INDEX.c.position == 9, position=2**62),
    "block 77 is over records that there are not": copy_row(tables.blocks, tables.blocks.c.block == 0, block=77),
    "block -1 is over records that there are not": copy_row(tables.blocks, tables.blocks.c.block == 0, block=-1),
    "there is a second open block": copy_row(tables.open_block, tables.open_block.c.block == 2, block=3),
    "no checkpoint has the number 0": copy_row(tables.checkpoints, tables.checkpoints.c.number == 2, number=0),
    "checkpoint 99, which a witness was shown, is gone": insert(tables.witnessed).values(
        witness="file", number=99, size=999, time=0, answer=b""
    ),
    "record 9 does not say what was retired": insert(tables.retired).values(position=9, month=202611),
    "record 999 does not say what was retired": insert(tables.retired).values(position=999, month=202611),
}


@pytest.mark.parametrize(("detail", "statement"), STRAYS.items(), ids=STRAYS)
def test_a_row_that_leads_nowhere_is_named(log, detail, statement):
    log.run(statement)
    assert detail in log.refuse().detail


def test_a_record_that_is_no_ascii_text_is_named(log, position):
    log.set_body(position, log.rows[position][2].replace('"saml"', '"s\u00e4ml"'))
    refused_at(log, position)
    log.make_agree()
    refused_at(log, position)


@pytest.mark.parametrize("both", [False, True])
def test_a_record_under_another_month_is_named(log, position, both):
    log.run(update(RECORDS).where(RECORDS.c.id == log.rows[position][1]).values(month=202512))
    if both:
        log.run(update(INDEX).where(INDEX.c.position == position).values(month=202512))
    assert "month" in refused_at(log, position)


@pytest.mark.parametrize("written", ["postgresql"], indirect=True)
def test_a_second_record_of_a_number_in_another_partition_is_found(log, position):
    identifier = log.rows[position][1]
    log.run(insert(RECORDS).values(id=identifier, month=202512, body="{}", mac=bytes(32)))
    assert "more records than have a position" in refused_at(log, SIZE)


@pytest.mark.parametrize("written", ["postgresql"], indirect=True)
def test_a_partition_that_was_taken_away_is_missed(log):
    create_ahead(log.connection, START, 0)  # those made with the log are of the months from now on
    log.connection.exec_driver_sql("ALTER TABLE audit_records DETACH PARTITION audit_records_202611")
    assert "is gone" in refused_at(log, 0)


ODD = {
    "audit_records SET body = CAST(body AS BLOB) WHERE id = {id}": 100,
    "audit_records SET body = CAST(x'ff' AS TEXT) WHERE id = {id}": 100,
    "audit_records SET body = 5 WHERE id = {id}": 100,
    "audit_records SET mac = 'text' WHERE id = {id}": 100,
    "audit_index SET id = 'text' WHERE position = 100": 100,
    "audit_index SET time = 1.5 WHERE position = 100": 100,
    "audit_blocks SET leaves = 'text' WHERE block = 1": 256,
    "audit_blocks SET leaves = leaves || x'00' WHERE block = 1": 256,
    "audit_blocks SET root = 'text' WHERE block = 1": 256,
    "audit_open_block SET leaves = 7": 512,
    "audit_open_block SET block = 'text'": 512,
    "audit_checkpoints SET note = CAST(note AS BLOB) WHERE number = 2": 57,
    "audit_checkpoints SET note = CAST(x'ff' AS TEXT) WHERE number = 2": 57,
    "audit_checkpoints SET size = 'text' WHERE number = 2": 57,
    "audit_checkpoints SET time = 'text' WHERE number = 2": 57,
    "audit_sequenced SET number = 'text'": 600,
}


@pytest.mark.parametrize("written", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("change", "position"), ODD.items(), ids=ODD)
def test_a_value_of_a_type_that_only_sqlite_lets_into_the_column_is_named(log, change, position):
    log.connection.exec_driver_sql("UPDATE " + change.format(id=log.rows[100][1]))
    assert log.refuse().position == position


# A range


def test_a_range_is_verified_without_looking_at_the_rest(log, position):
    begin, end = sorted((position, log.chance.randrange(SIZE)))
    log.set_body(position, log.changed_body(position))
    assert log.verify(begin=position + 1).end == SIZE
    assert log.verify(end=position).end == position
    refused_at(log, position, begin=begin, end=end + 1)


def test_what_came_after_a_checkpoint_is_verified_alone(log):
    notes = log.connection.scalars(select(tables.checkpoints.c.note).order_by(tables.checkpoints.c.number)).all()
    checkpoint = open_checkpoint(log.chance.choice(notes), log.signer.verifier_keys)
    verified = log.verify(begin=checkpoint.size, noted=[checkpoint])
    assert (verified.begin, verified.end, verified.checkpoint.size) == (checkpoint.size, SIZE, SIZE)


# Clocks


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def emptied(request, tmp_path_factory):
    """Return a function that empties the tables of a log and returns its engine."""

    def empty():
        with engine.begin() as connection:
            for table in tables.metadata.sorted_tables:
                connection.execute(delete(table))
        return engine

    with new_log(request, tmp_path_factory.mktemp("emptied")) as url:
        engine = open_database(url)
        with engine.begin() as connection:
            lift_guards(connection)
        yield empty
        engine.dispose()


@pytest.mark.parametrize("case", CASES)
def test_a_clock_that_was_set_back_without_a_record_is_named_and_with_one_is_not(emptied, case):
    chance = random.Random(f"{SEED}{case}")
    for says_so in (False, True):
        engine = emptied()
        signer = Signer("login.example/audit", Ed25519PrivateKey.generate())
        first, second = Writer(engine, 1), Writer(engine, 2)
        before = chance.randrange(1, 200)
        first.write(before)
        back = first.set_clock_back(chance.randrange(7, 100_000))
        first.write(1, **({"event": "clock.stepped_back"} if says_so else {}))
        first.write(chance.randrange(1, 40))
        second.write(chance.randrange(1, 100))
        Sequencer(engine, signer, SystemClock(), mac_key=MAC_KEY).catch_up()
        scope = Scope(signer.verifier_keys, MAC_KEY)
        if says_so:
            assert verify_log(engine, scope).unsigned == 0
            continue
        with pytest.raises(ChainBroken, match="clock was set back") as caught:
            verify_log(engine, scope)
        query = select(INDEX.c.position).where(INDEX.c.id == record_id(1, before + 1))
        with engine.connect() as connection:
            assert caught.value.position == connection.scalar(query)
        assert f"by {back} s" in caught.value.detail or f"by {back - 1} s" in caught.value.detail


@pytest.mark.parametrize("written", ["sqlite"], indirect=True)
def test_several_processes_verify_as_one_does(written, monkeypatch):
    engine, signer = written
    monkeypatch.setattr("bridge.audit.proof.verification.PART", 256)
    monkeypatch.setattr("bridge.audit.proof.verification.WORTH_PROCESSES", 1)
    seen = []
    scope = Scope(signer.verifier_keys, MAC_KEY)
    verified = verify_log(engine, scope, processes=2, progress=lambda done, of: seen.append((done, of)))
    assert verified == verify_log(engine, scope)
    assert seen == [(256, SIZE), (512, SIZE), (SIZE, SIZE)]
