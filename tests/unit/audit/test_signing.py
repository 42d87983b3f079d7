"""Only what the bridge wrote is signed: what somebody puts into the tables gets its place, and stops the signatures.

Each of them has a twin in which nobody did anything, and which is signed.
"""

import json
import logging
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import delete, func, insert, literal_column, select, update

from bridge.audit import tables
from bridge.audit.alerts.conditions import VerificationFailed
from bridge.audit.events import Origin, SignInAccepted, SignInRefused
from bridge.audit.feed import Feed
from bridge.audit.proof.checkpoints import Signer
from bridge.audit.proof.merkle import leaf_hash, open_block_row
from bridge.audit.proof.tree import read_open_block, read_root, read_tree
from bridge.audit.proof.verification import Scope, verify_log
from bridge.audit.record import encode_body, record_id
from bridge.audit.sequencer import UNSIGNED, Sequencer
from bridge.audit_log import OpenedLog
from bridge.audit_tasks import AuditTasks
from bridge.errors import ChainBroken
from bridge.settings.audit import AuditSettings
from tests.audit_log import open_log
from tests.audit_records import MAC_KEY, START, Writer, index_row, lift_guards
from tests.live_store import MovableClock

RECORDS, INDEX, CHECKPOINTS = tables.records, tables.index, tables.checkpoints


class Log:
    """A log with two writers, and the processes that give it its order."""

    def __init__(self, engine):
        self.engine, self.clock = engine, MovableClock()
        self.clock.moment = START
        self.old_key = Ed25519PrivateKey.generate()
        self.signer = Signer("login.example/audit", self.old_key)
        self.one, self.two = Writer(engine, 1), Writer(engine, 2)

    def process(self):
        """Return the sequencer of a process that begins."""
        return Sequencer(self.engine, self.signer, self.clock, mac_key=MAC_KEY)

    def place(self):
        """Give places and sign nothing: as a process that cannot sign, or one that is killed before it does."""
        Sequencer(self.engine, None, self.clock).catch_up()

    def run(self, *statements):
        """Do what the owner of the database can."""
        with self.engine.begin() as connection:
            lift_guards(connection)
            for statement in statements:
                connection.execute(statement)

    def ask(self, query):
        with self.engine.connect() as connection:
            return connection.execute(query).scalar()

    def change(self, row, **values):
        self.run(update(RECORDS).where(RECORDS.c.id == row["id"]).values(values))

    def position(self, row):
        return self.ask(select(INDEX.c.position).where(INDEX.c.id == row["id"]))

    @property
    def size(self):
        return self.ask(select(func.count()).select_from(INDEX))

    @property
    def signed(self):
        """Over how many records the last checkpoint is."""
        return self.ask(select(func.max(CHECKPOINTS.c.size))) or 0

    def place_by_hand(self, *rows):
        """Do all that sequencing does, without asking."""
        with self.engine.begin() as connection:
            for row in rows:
                tree = read_tree(connection)
                writer, number = row["id"] >> 40, row["id"] & ((1 << 40) - 1)
                connection.execute(insert(INDEX).values(index_row(tree.size, row["id"], json.loads(row["body"]))))
                tree.add(leaf_hash(row["body"].encode()))
                connection.execute(update(tables.open_block).values(open_block_row(tree.size, tree.open_leaves)))
                connection.execute(update(tables.sequenced).filter_by(writer=writer).values(number=number))

    def is_signed(self, sequencer):
        """Tell that all of it is signed, and verifies."""
        sequencer.sign_now()
        assert sequencer.broken is None, sequencer.broken.detail
        assert self.signed == self.size
        assert verify_log(self.engine, Scope(self.signer.verifier_keys, MAC_KEY)).unsigned == 0
        return True

    def refuses(self, sequencer, position=None, *, signed):
        """Tell that a process signs nothing more, then and later, and says where it began."""
        for _ in range(2):
            sequencer.catch_up()
            sequencer.sign_now()
            assert sequencer.broken is not None
            if position is not None:
                assert sequencer.broken.position == position, sequencer.broken.detail
            assert self.signed == signed
            waiting = self.two.write()[0]
            sequencer.catch_up()
            assert self.position(waiting) is not None, "what is wrong holds up what comes after it"
        return True


@pytest.fixture
def log(audit_tables):
    return Log(audit_tables())


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """Let nothing wait behind a gap; return what says how long it shall."""

    def wait(seconds):
        monkeypatch.setattr("bridge.audit.sequencer.GAP_SECONDS", seconds)

    wait(0)
    return wait


def forge(log, last, **changes):
    """Return a row for the end of a writer's chain, made without the key."""
    content = json.loads(last["body"])
    content |= {"number": content["number"] + 1, "reference": "F0F0-F0F0-F0F0", **changes}
    identifier = record_id(content["writer"], content["number"])
    return {"id": identifier, "month": last["month"], "body": encode_body(content), "mac": last["mac"]}


# What the bridge wrote


def test_what_the_bridge_wrote_is_signed_whichever_process_gave_it_its_place(log):
    here, there = log.process(), log.process()
    for sequencer in (here, there, log.process(), there, here):
        log.one.write(3)
        log.two.write(2)
        assert log.is_signed(sequencer)
    log.one.write(UNSIGNED + 20)
    log.place()
    log.two.write(5)
    for sequencer in (there, log.process(), here):
        assert log.is_signed(sequencer)


def test_who_cannot_sign_misses_no_checkpoint(log):
    log.one.write(UNSIGNED + 1)
    log.place()
    beginning = Sequencer(log.engine, None, log.clock)
    beginning.catch_up()
    assert beginning.broken is None


def test_where_nothing_is_signed_any_more_nobody_asks_who_wrote_what_is_new(log, monkeypatch):
    here = log.process()
    log.run(insert(RECORDS).values(forge(log, log.one.write(2)[-1])))
    assert log.refuses(here, 2, signed=0)
    monkeypatch.setattr("bridge.audit.sequencer.is_tied", None)
    assert log.refuses(here, 2, signed=0)


def test_a_process_that_is_killed_before_it_signs_leaves_what_the_next_one_signs(log, monkeypatch):
    log.one.write(2)
    assert log.is_signed(log.process())

    class Killed(BaseException):
        pass

    def kill(*_):
        raise Killed

    log.one.write(UNSIGNED + 20)
    dying = log.process()
    with monkeypatch.context() as patch:
        patch.setattr("bridge.audit.sequencer._keep_checkpoint", kill)
        with pytest.raises(Killed):
            dying.catch_up()
    assert (log.size, log.signed) == (UNSIGNED + 2, 2)
    assert log.is_signed(log.process())


def test_clocks_that_step_do_not_stop_signatures(log):
    here = log.process()
    log.one.write(3)
    assert log.is_signed(here)
    log.one.moment -= timedelta(seconds=4)
    log.one.write(3)
    log.one.moment -= timedelta(hours=2)
    log.one.write(1, event="clock.stepped_back")
    log.one.write(3)
    log.two.write(3)
    log.place()
    assert log.is_signed(log.process())
    assert log.is_signed(here)


def test_after_the_key_that_signs_was_replaced_the_next_process_goes_on(log):
    log.one.write(3)
    assert log.is_signed(log.process())
    log.signer = Signer("login.example/audit", Ed25519PrivateKey.generate(), log.old_key)
    log.one.write(3)
    log.place()
    assert log.is_signed(log.process())


# What somebody else put there


@pytest.mark.parametrize("how", ["mac of the record before", "no mac", "another number", "another writer", "later"])
def test_a_row_at_the_end_of_a_chain_is_placed_and_not_signed(log, how, caplog):
    here = log.process()
    last = log.one.write(5)[-1]
    assert log.is_signed(here)
    row = forge(log, last)
    if how == "no mac":
        row["mac"] = bytes(32)
    elif how == "later":  # this and the next by somebody who has the key of the chains
        row = log.one.make(number=8) | {"id": record_id(1, 8)}
    elif how != "mac of the record before":
        row = log.one.make(**{how.split()[1]: 7})
    log.run(insert(RECORDS).values(row))
    with caplog.at_level(logging.ERROR):
        assert log.refuses(here, 5, signed=5)
    assert log.position(row) == 5
    assert caplog.text.count("not signed any more") == 1
    for sequencer in (log.process(), log.process()):
        assert log.refuses(sequencer, 5, signed=5)


def test_a_row_of_a_writer_that_somebody_made_up_is_not_signed(log):
    here = log.process()
    log.one.write(5)
    assert log.is_signed(here)
    row = Writer(log.engine, 3, key=bytes(32)).write()[0]
    assert log.refuses(here, 5, signed=5)
    assert log.position(row) == 5
    assert log.refuses(log.process(), 5, signed=5)


def test_a_writer_that_begins_is_signed(log):
    here = log.process()
    log.one.write(5)
    assert log.is_signed(here)
    Writer(log.engine, 3).write(2)
    assert log.is_signed(here)


@pytest.mark.parametrize("at", [0, 2])
def test_a_record_that_is_changed_before_it_has_its_place_is_not_signed_and_restored_it_is(log, at):
    here = log.process()
    log.one.write(2)
    assert log.is_signed(here)
    row = log.one.write(4)[at]
    log.change(row, body=encode_body(json.loads(row["body"]) | {"provider": "evil"}))
    assert log.refuses(here, 2 + at, signed=2)
    body = log.ask(select(RECORDS.c.body).where(RECORDS.c.id == row["id"]))
    log.change(row, mac=bytes(32))
    assert log.refuses(log.process(), 2 + at, signed=2)
    assert log.ask(select(RECORDS.c.body).where(RECORDS.c.id == row["id"])) == body


def test_a_mac_that_is_restored_is_signed_again(log):
    here = log.process()
    log.one.write(2)
    assert log.is_signed(here)
    row = log.one.write(4)[1]
    log.change(row, mac=bytes(32))
    assert log.refuses(here, 3, signed=2)
    log.change(row, mac=row["mac"])
    assert log.is_signed(here)


def test_what_stands_far_ahead_waits_until_its_writer_has_noticed_it_and_hides_nothing(log, patience):
    here = log.process()
    last = log.one.write(2)[-1]
    assert log.is_signed(here)
    far = forge(log, last, number=900) | {"id": record_id(1, 900)}
    log.run(insert(RECORDS).values(far))
    patience(3_600)
    here.catch_up()
    assert log.position(far) is None
    later = log.one.write(3)
    log.two.write(2)
    here.catch_up()
    assert log.signed == log.size == 7
    assert None not in map(log.position, later)
    patience(0.05)
    here.settle()
    assert log.position(far) == 7
    assert log.refuses(here, 7, signed=7)


@pytest.mark.parametrize("ahead", [1, 2, 900])
def test_a_process_leaves_its_chain_to_whoever_else_wrote_into_it(audit_tables, monkeypatch, ahead):
    monkeypatch.setattr("bridge.audit.writer.LOOK_SECONDS", -1 if ahead > 2 else 3_600)
    opened = open_log(audit_tables())
    writing, query = opened.build_log(), select(RECORDS).order_by(RECORDS.c.id)
    writing.append(Origin("R0", ""), SignInRefused("p", "saml", "c", "d"))
    with opened.engine.begin() as connection:
        last = connection.execute(query).one()._asdict()
        connection.execute(insert(RECORDS).values(last | {"id": last["id"] + ahead}))
    for number in range(1, 5):
        writing.append(Origin(f"R{number}", ""), SignInRefused("p", "saml", "c", "d"))
    with opened.engine.connect() as connection:
        rows = connection.execute(query).all()
    ours = [row.id for row in rows if row.id != last["id"] + ahead]
    in_first = 1 if ahead > 2 else ahead
    assert ours == [record_id(1, 1 + at) for at in range(in_first)] + [
        record_id(2, 1 + at) for at in range(5 - in_first)
    ]
    written = [json.loads(row.body)["reference"] for row in rows if row.id in ours]
    assert written == ["R0", "R1", "R2", "R3", "R4"], "nothing is lost and nothing is there twice"


@pytest.mark.parametrize("missing", [0, 1])
def test_a_gap_is_not_signed(log, missing):
    here = log.process()
    log.one.write(2)
    assert log.is_signed(here)
    row = log.one.write(4)[missing]
    log.run(delete(RECORDS).where(RECORDS.c.id == row["id"]))
    assert log.refuses(here, 2 + missing, signed=2)
    assert log.refuses(log.process(), 2 + missing, signed=2)


def test_of_several_things_that_are_wrong_the_first_is_told(log):
    here = log.process()
    log.one.write(2)
    assert log.is_signed(here)
    rows = log.one.write(4)
    log.run(delete(RECORDS).where(RECORDS.c.id == rows[0]["id"]))
    log.change(rows[3], mac=bytes(32))
    assert log.refuses(here, 2, signed=2)


def test_records_that_changed_places_are_not_signed(log):
    here = log.process()
    log.one.write(2)
    assert log.is_signed(here)
    rows = log.one.write(4)
    for first, second in ((1, 2), (2, 1)):
        log.change(rows[first], body=rows[second]["body"], mac=rows[second]["mac"])
    assert log.refuses(here, 3, signed=2)
    assert log.refuses(log.process(), 3, signed=2)


def test_one_among_many_stops_the_signatures_of_all_that_come_with_it(log):
    here = log.process()
    log.one.write(2)
    assert log.is_signed(here)
    rows = log.one.write(2 * UNSIGNED)
    log.change(rows[9], mac=bytes(32))
    assert log.refuses(here, 11, signed=2)


@pytest.mark.parametrize("body", ["?", "[]", '{"time":5}', '"\u00e9"', "[" * 100_000])
def test_what_nobody_can_read_is_placed_and_not_signed(log, body):
    here = log.process()
    last = log.one.write(2)[-1]
    assert log.is_signed(here)
    row = forge(log, last) | {"body": body}
    log.run(insert(RECORDS).values(row))
    assert log.refuses(here, 2, signed=2)
    assert log.position(row) == 2
    with pytest.raises(ChainBroken) as caught:
        verify_log(log.engine, Scope(log.signer.verifier_keys, MAC_KEY))
    assert caught.value.position == 2


def put(log, last, body):
    """Put a row at the end of a chain whose body is an expression of SQLite, or a text that no JSON is."""
    row = forge(log, last) | {"body": literal_column(body if log.engine.dialect.name == "sqlite" else "'?'")}
    log.run(insert(RECORDS).values(row))
    return row


@pytest.mark.parametrize(
    "body", ["CAST(x'ff' AS TEXT)", "CAST('{\"time\":\"' || CAST(x'ff' AS TEXT) || '\"}' AS TEXT)"]
)
def test_what_is_no_text_at_all_is_placed_and_keeps_nobody_from_the_others(log, body):
    here = log.process()
    last = log.one.write(2)[-1]
    assert log.is_signed(here)
    row = put(log, last, body)
    assert log.refuses(here, 2, signed=2)
    assert log.position(row) == 2
    with pytest.raises(ChainBroken) as caught:
        verify_log(log.engine, Scope(log.signer.verifier_keys, MAC_KEY))
    assert caught.value.position == 2
    assert [signal.kind for signal in VerificationFailed(here)(0)] == ["verification_failed"]
    assert len(Feed(log.engine).read(0)) == log.size - 1


@pytest.mark.parametrize("body", ["?", '{"time":"2026-11-24T12:00:00"}'])
def test_what_nobody_can_read_at_the_end_of_a_chain_of_this_machine_keeps_nobody_from_signing_in(audit_tables, body):
    opened = open_log(audit_tables())
    writing = opened.build_log()
    accepted = SignInAccepted("p", "i", "s", "n", "saml", "m", "", None, solicited=True)
    writing.append(Origin("R", ""), accepted)
    query = select(RECORDS).order_by(RECORDS.c.id.desc()).limit(1)
    with opened.engine.begin() as connection:
        last = connection.execute(query).one()._asdict()
        connection.execute(insert(RECORDS).values(last | {"id": last["id"] + 1, "body": body}))
    opened.build_log().append(Origin("S", ""), accepted)
    assert [each["event"] for each in opened.reader.after(-1)].count("sign_in.accepted") == 2


def test_a_text_that_is_not_ascii_is_found_by_whoever_verifies(log):
    last = log.one.write(2)[-1]
    row = forge(log, last)
    row["body"] = json.dumps(json.loads(row["body"]) | {"provider": "\u00e9"}, ensure_ascii=False)
    log.run(insert(RECORDS).values(row))
    assert log.refuses(log.process(), 2, signed=0)
    with pytest.raises(ChainBroken, match="mac"):
        verify_log(log.engine, Scope(log.signer.verifier_keys, MAC_KEY))


# Between the transaction that places and the one that signs


@pytest.mark.parametrize("begin", [0, 5])
def test_what_got_its_place_and_no_signature_is_verified_by_the_next_process(log, begin):
    last = log.one.write(5)[-1]
    if begin:
        assert log.is_signed(log.process())
    log.run(insert(RECORDS).values(forge(log, last)))
    log.place()
    log.two.write(2)
    for sequencer in (log.process(), log.process()):
        assert log.refuses(sequencer, 5, signed=begin)


def test_it_is_verified_by_a_process_that_runs_already(log):
    here = log.process()
    last = log.one.write(5)[-1]
    assert log.is_signed(here)
    log.run(insert(RECORDS).values(forge(log, last)))
    log.place()
    assert log.refuses(here, 5, signed=5)


def test_who_changes_the_mac_before_cannot_make_one_that_fits(log):
    last = log.one.write(5)[-1]
    assert log.is_signed(log.process())
    row = forge(log, last)
    log.run(insert(RECORDS).values(row))
    log.change(last, mac=bytes(32))
    log.place_by_hand(row)
    assert log.refuses(log.process(), 5, signed=5)


def test_who_places_a_record_by_hand_cannot_leave_one_out(log):
    log.one.write(5)
    assert log.is_signed(log.process())
    left_out, row = log.one.write(2)
    log.place_by_hand(row)
    assert log.position(left_out) is None
    assert log.refuses(log.process(), 5, signed=5)


def test_who_says_that_a_record_left_out_is_in_the_log_is_not_believed(log):
    first = log.one.write(5)[0]
    assert log.is_signed(log.process())
    left_out, row = log.one.write(2)
    log.place_by_hand(row)
    said = index_row(log.position(first), left_out["id"], json.loads(left_out["body"]))
    log.run(update(INDEX).where(INDEX.c.id == first["id"]).values(said))
    log.run(insert(tables.sequenced).values(writer=77, number=-1))  # so that the sum is right
    assert log.refuses(log.process(), 5, signed=5)


def test_who_places_records_by_hand_in_their_order_does_what_we_do(log):
    log.one.write(5)
    assert log.is_signed(log.process())
    rows = log.one.write(2)
    log.place_by_hand(*rows)
    assert log.is_signed(log.process())


def set_back(log):
    """Let what is computed say that the first writer's last record has no place; the sum of all is right."""
    for writer, by in ((1, -1), (2, 1)):
        table = tables.sequenced
        log.run(update(table).filter_by(writer=writer).values(number=table.c.number + by))


def test_a_record_that_has_its_place_gets_no_second_one_under_a_signature(log):
    here = log.process()
    log.one.write(5)
    log.two.write(2)
    assert log.is_signed(here)
    set_back(log)
    log.one.write()
    other = log.process()
    other.catch_up()
    assert (other.broken.position, log.signed) == (7, 7)
    assert log.size == 9


def test_a_process_that_runs_knows_how_far_it_got(log):
    here = log.process()
    log.one.write(5)
    log.two.write(2)
    assert log.is_signed(here)
    set_back(log)
    log.one.write()
    log.two.write()
    assert log.is_signed(here)


def test_a_record_that_somebody_placed_twice_is_not_signed(log):
    last = log.one.write(5)[-1]
    assert log.is_signed(log.process())
    log.place_by_hand(last)
    log.run(insert(tables.sequenced).values(writer=77, number=1))  # so that the sum is right
    assert log.refuses(log.process(), 5, signed=5)


def test_roots_that_are_not_those_of_their_hashes_are_not_signed(log):
    log.one.write(10)
    assert log.is_signed(log.process())
    log.one.write(600)
    log.place()
    root = log.ask(select(tables.blocks.c.root).filter_by(block=1))
    log.run(update(tables.blocks).filter_by(block=1).values(root=bytes(32)))
    assert log.refuses(log.process(), signed=10)
    log.run(update(tables.blocks).filter_by(block=1).values(root=root))
    assert log.is_signed(log.process())


def test_what_a_process_has_seen_is_not_another_record_later(log):
    here = log.process()
    rows = log.one.write(5)
    log.place()
    here.look()
    assert here.broken is None
    other = rows[4] | {"body": rows[4]["body"].replace("acme-saml", "evil-saml")}
    log.change(rows[4], body=other["body"])
    with log.engine.begin() as connection:
        _, leaves = read_open_block(connection)
        leaves[-1] = leaf_hash(other["body"].encode())
        connection.execute(update(tables.open_block).values(open_block_row(5, leaves)))
    log.two.write()
    log.place()
    assert log.refuses(here, signed=0)


# Checkpoints


def test_a_checkpoint_of_a_stranger_vouches_for_nothing(log):
    last = log.one.write(5)[-1]
    assert log.is_signed(log.process())
    row = forge(log, last)
    log.run(insert(RECORDS).values(row))
    log.place()
    with log.engine.connect() as connection:
        root = read_root(connection, 6)
    stranger, now = Signer("login.example/audit", Ed25519PrivateKey.generate()), int(START.timestamp())
    note = {"number": 2, "size": 6, "time": now * 10**6, "note": stranger.sign(6, root, now)}
    log.run(insert(CHECKPOINTS).values(note))
    assert log.refuses(log.process(), 5, signed=6)
    assert log.ask(select(func.count()).select_from(CHECKPOINTS)) == 2


@pytest.mark.parametrize("count", [UNSIGNED, UNSIGNED + 1])
def test_a_long_log_whose_checkpoints_are_all_gone_is_signed_only_when_somebody_says_that_there_were_none(log, count):
    log.one.write(count)
    assert log.is_signed(log.process())
    log.run(delete(CHECKPOINTS))
    if count == UNSIGNED:  # as somebody may have left it who cannot sign
        assert log.is_signed(log.process())
        return
    assert log.refuses(log.process(), 0, signed=0)
    first = log.process()
    first.sign_first()
    assert log.is_signed(first)
    assert log.is_signed(log.process())


def test_who_says_that_there_were_none_does_not_sign_what_the_bridge_did_not_write(log):
    rows = log.one.write(UNSIGNED + 1)
    log.place()
    log.change(rows[7], mac=bytes(32))
    first = log.process()
    first.sign_first()
    assert (first.broken.position, log.signed) == (7, 0)


def test_checkpoints_that_a_witness_has_seen_are_missed(log):
    log.one.write(5)
    log.clock.advance(60)
    assert log.is_signed(log.process())
    log.run(insert(tables.witnessed).values(witness="w", number=1, size=5, time=1, answer=b""))
    assert log.is_signed(log.process())
    log.run(delete(CHECKPOINTS))
    first = log.process()
    first.sign_first()
    assert "checkpoint 1 is gone" in first.broken.detail
    assert log.refuses(log.process(), 0, signed=0)


def test_checkpoints_that_are_deleted_while_a_process_runs_are_missed(log):
    here = log.process()
    log.one.write(5)
    assert log.is_signed(here)
    log.run(delete(CHECKPOINTS))
    log.one.write(1)
    assert log.refuses(here, 0, signed=0)


def test_the_first_records_are_signed_as_they_get_their_place(log, monkeypatch):
    def fail(_connection, rows, _contents):
        if rows[0]["position"]:
            raise RuntimeError("full")

    log.one.write(UNSIGNED + 1)
    dying = Sequencer(log.engine, log.signer, log.clock, mac_key=MAC_KEY, index_rows=fail)
    with pytest.raises(RuntimeError):
        dying.catch_up()
    assert log.signed == log.size == UNSIGNED
    assert log.is_signed(log.process())


def test_whoever_signs_needs_the_key_of_the_chains(log):
    with pytest.raises(ValueError, match="key of the writers' chains"):
        Sequencer(log.engine, log.signer, log.clock)


# Who says so


def test_a_process_that_places_nothing_finds_out_too_and_the_alert_is_there(log):
    last = log.one.write(5)[-1]
    assert log.is_signed(log.process())
    watching = log.process()
    failed = VerificationFailed(watching)
    assert not list(failed(0))
    log.run(insert(RECORDS).values(forge(log, last)))
    log.process().catch_up()
    (signal,) = VerificationFailed(log.process())(0)
    assert (signal.kind, signal.facts["first_bad"]) == ("verification_failed", "5")
    size = log.size
    log.two.write()
    assert not list(failed(0)), "it looks no oftener than once a second"
    watching._looked_at = float("-inf")
    (signal,) = failed(0)
    assert signal.facts["first_bad"] == "5"
    assert log.size == size


def test_whoever_watches_the_service_is_told(log):
    last = log.one.write(5)[-1]
    assert log.is_signed(log.process())

    def describe():
        opened = OpenedLog(log.engine, None, log.process(), log.clock)
        return AuditTasks(AuditSettings(), opened, None, None, "https://login.example").describe()

    assert "verification_failed" not in describe()
    log.run(insert(RECORDS).values(forge(log, last)))
    log.place()
    assert describe()["verification_failed"]["first_bad"] == 5
