"""A month whose time is over goes, and what is left is proved as before."""

import json
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import delete, func, insert, select, text, update

from bridge.audit import tables
from bridge.audit.events import AuditRetired, Origin, SessionEnded
from bridge.audit.keeping import retention
from bridge.audit.keeping.append_only import lift_delete_guard
from bridge.audit.keeping.partitions import list_months
from bridge.audit.keeping.retention import Due, Retention, months_before
from bridge.audit.keeping.retired import Retired, merge_spans, read_retired
from bridge.audit.proof.checked_records import check_records, join_spans
from bridge.audit.proof.checkpoints import Signer
from bridge.audit.proof.merkle import inclusion_path, leaf_hash, open_block_row, prove, verify_inclusion
from bridge.audit.proof.tree import read_open_block, read_root, read_subtree
from bridge.audit.proof.verification import Scope, verify_log
from bridge.audit.search.checked import check_search
from bridge.audit.search.query import Search
from bridge.audit.search.rebuilding import Rebuilding
from bridge.audit.search.tables import counts, hours, kinds, networks, terms, uses
from bridge.audit.search.upkeep import index_rows
from bridge.audit.secrets import AuditSecrets
from bridge.audit.sequencer import Sequencer
from bridge.audit_log import OpenedLog
from bridge.errors import ChainBroken, RetentionRefused, SearchBusy
from tests.audit_log import SEALER
from tests.audit_records import Writer, index_row, lift_guards
from tests.live_store import MovableClock

START = datetime(2026, 8, 28, 23, tzinfo=UTC)
SIGNER = Signer("login.example/audit", Ed25519PrivateKey.generate())
MONTHS = (8, 9, 10)


@pytest.fixture
def opened(audit_database):
    engine, clock = audit_database(), MovableClock()
    clock.moment = datetime(2026, 11, 20, tzinfo=UTC)
    secrets = AuditSecrets(engine, SEALER)
    return OpenedLog(engine, secrets, Sequencer(engine, SIGNER, clock, mac_key=secrets.mac_key), clock)


@pytest.fixture
def long_log(opened):
    """Three months: two processes that write over the ends of them, one that wrote in August only."""
    writers = [Writer(opened.engine, number, start=START, key=opened.secrets.mac_key) for number in (1, 2, 3)]
    writers[2].write(100, subject_digest="f" * 32, address_digest="e" * 32)
    for month in MONTHS:
        for day, hour, count in ((29, 23, 120), (30 if month == 9 else 31, 23, 30)):
            for writer in writers[:2]:
                writer.moment = datetime(2026, month, day, hour, 59, 50, tzinfo=UTC)
                writer.write(count)
        opened.sequencer.catch_up()
    return opened


def retention_of(opened):
    log, mac_key = opened.build_log(), opened.secrets.mac_key
    return Retention(opened.engine, log, opened.sequencer, opened.clock, mac_key=mac_key)


def retire(opened, month):
    retention_of(opened).retire(month, "root")
    opened.sequencer.catch_up()


def due(opened, keep_months=1):
    return retention_of(opened).find_due(keep_months)


def count(opened, table, **columns):
    query = select(func.count()).select_from(table).filter_by(**columns)
    with opened.engine.connect() as connection:
        return connection.execute(query).scalar_one()


def verify(opened, begin=0, end=None):
    return verify_log(opened.engine, Scope(SIGNER.verifier_keys, opened.secrets.mac_key, begin, end))


def first_position(opened, month):
    with opened.engine.connect() as connection:
        return connection.execute(select(func.min(tables.index.c.position)).filter_by(month=month)).scalar_one()


def test_a_month_goes_and_the_rest_verifies_with_every_checkpoint_and_mac(long_log):
    size = verify(long_log).size
    gone = count(long_log, tables.records, month=202608)
    later = count(long_log, tables.records) - gone
    assert due(long_log) == [Due(202608, gone), Due(202609, count(long_log, tables.index, month=202609))]
    retire(long_log, 202608)
    assert count(long_log, tables.records, month=202608) == count(long_log, tables.index, month=202608) == 0
    assert count(long_log, tables.records) == later + 1
    verified = verify(long_log)
    assert (verified.size, verified.unsigned, verified.retired) == (size + 1, 0, gone)
    middle = first_position(long_log, 202609)
    assert verify(long_log, middle - 40, middle + 40).end == middle + 40
    if long_log.engine.dialect.name == "postgresql":
        with long_log.engine.connect() as connection:
            assert 202608 not in list_months(connection)
    with long_log.engine.begin() as connection:
        connection.execute(delete(tables.index).where(tables.index.c.position == middle))
    with pytest.raises(ChainBroken):  # still nobody can take one away
        verify(long_log)


def test_what_stays_has_the_proof_that_it_had(long_log):
    position = first_position(long_log, 202609)
    query = select(tables.records.c.body).join(tables.index, tables.index.c.id == tables.records.c.id)
    with long_log.engine.connect() as connection:
        body = connection.execute(query.where(tables.index.c.position == position)).scalar_one()
        size = 2 * tables.BLOCK_LEAVES
        root = read_root(connection, size)
    retire(long_log, 202608)
    with long_log.engine.connect() as connection:
        proof = prove(inclusion_path(position, size), lambda *span: read_subtree(connection, *span))
        assert read_root(connection, size) == root
    assert verify_inclusion(leaf_hash(body.encode()), position, size, proof, root)


def test_one_month_after_the_other_and_the_last_record_says_what_is_gone(long_log):
    before = sum(count(long_log, tables.index, month=month) for month in (202608, 202609))
    for month in (202608, 202609):
        retire(long_log, month)
    assert due(long_log) == []
    with long_log.engine.connect() as connection:
        gone = read_retired(connection)
    assert gone.spans[0][0] == 0
    assert sum(end - first for first, end in gone.spans) == before
    assert len(gone.ends) == 2
    assert count(long_log, tables.index, event=AuditRetired.name) == 2
    assert verify(long_log).unsigned == 0


def test_when_it_is_stopped_the_log_verifies_and_the_next_run_goes_on(long_log, monkeypatch):
    class Stopped(BaseException):
        pass

    def stop(_seconds):
        raise Stopped

    monkeypatch.setattr(retention, "_AT_ONCE", 64)
    before = count(long_log, tables.index, month=202608)
    with monkeypatch.context() as patch:
        patch.setattr(retention.time, "sleep", stop)
        with pytest.raises(Stopped):
            retire(long_log, 202608)
    assert count(long_log, tables.index, month=202608) == before - 64
    assert verify(long_log).unsigned == 0
    retire(long_log, 202608)
    assert count(long_log, tables.index, month=202608) == count(long_log, tables.records, month=202608) == 0
    assert count(long_log, tables.index, event=AuditRetired.name) == 1
    assert verify(long_log).unsigned == 0


def test_records_that_were_deleted_and_not_retired_are_missed(long_log):
    with long_log.engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            lift_delete_guard(connection, tables.records)
        else:
            connection.execute(text("ALTER TABLE audit_records DISABLE TRIGGER audit_records_no_change"))
        connection.execute(delete(tables.records).where(tables.records.c.month == 202608))
        connection.execute(delete(tables.index).where(tables.index.c.month == 202608))
        # and who says that they were retired is no record that says so
        connection.execute(insert(tables.retired).values(position=500, month=202608))
    with pytest.raises(ChainBroken) as caught:
        verify(long_log)
    assert caught.value.position == 0


def forge(opened, position, positions):
    """Do what the owner of the database can: delete records, and let one of one's own, at the end, say it was right."""
    first, last = map(int, positions.split("-"))
    stranger = Writer(opened.engine, 77, start=opened.clock.moment, key=bytes(32))
    row = stranger.make(event=AuditRetired.name, positions=[positions], ends=[], month=202608, count=1, author="root")
    gone = tables.index.c.position.between(first, last)
    with opened.engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            lift_delete_guard(connection, tables.records)
        else:
            connection.execute(text("ALTER TABLE audit_records DISABLE TRIGGER audit_records_no_change"))
        connection.execute(delete(tables.records).where(tables.records.c.id.in_(select(tables.index.c.id).where(gone))))
        connection.execute(insert(tables.records).values(row))
        connection.execute(insert(tables.sequenced).values(writer=77, number=1))
        connection.execute(insert(tables.index).values(index_row(position, row["id"], json.loads(row["body"]))))
        _, leaves = read_open_block(connection)
        leaves.append(leaf_hash(row["body"].encode()))
        connection.execute(update(tables.open_block).values(open_block_row(position + 1, leaves)))
        connection.execute(insert(tables.retired).values(position=position, month=202608))


@pytest.mark.parametrize("itself", [0, 1])
def test_who_deletes_records_cannot_say_that_they_were_retired(long_log, itself):
    size = verify(long_log).size
    forge(long_log, size, f"0-{size - 1 + itself}")
    for mac_key, end in ((long_log.secrets.mac_key, None), (None, None), (long_log.secrets.mac_key, 300), (None, 300)):
        with pytest.raises(ChainBroken) as caught:
            verify_log(long_log.engine, Scope(SIGNER.verifier_keys, mac_key, 0, end))
        assert caught.value.position == 0


def test_what_a_stranger_says_was_retired_is_not_believed_when_it_has_a_place(long_log):
    size = verify(long_log).size
    forge(long_log, size, f"0-{size - 1}")
    long_log.sequencer.sign_now()
    with pytest.raises(ChainBroken):
        verify(long_log)


@pytest.mark.parametrize(
    ("said", "key", "believed"),
    [
        pytest.param({}, None, True, id="what was written"),
        pytest.param({"event": "audit.exported"}, None, False, id="another event"),
        pytest.param({"writer": 2}, None, False, id="the words of another writer"),
        pytest.param({"number": 7}, None, False, id="words from another place"),
        pytest.param({"positions": ["0-4"]}, None, True, id="all before it"),
        pytest.param({"positions": ["0-5"]}, None, False, id="itself"),
        pytest.param({"positions": []}, None, False, id="nothing"),
        pytest.param({"positions": ["0"]}, None, False, id="no span"),
        pytest.param({}, bytes(32), False, id="another key"),
    ],
)
def test_only_a_genuine_record_says_what_was_retired(opened, said, key, believed):
    writer = Writer(opened.engine, 1, key=opened.secrets.mac_key)
    writer.write(5)
    writer.write(**{"event": AuditRetired.name, "positions": ["0-2"], "ends": [], "month": 202608} | said)
    opened.sequencer.catch_up()
    with opened.engine.begin() as connection:
        connection.execute(insert(tables.retired).values(position=5, month=202608))
        assert (read_retired(connection, key or opened.secrets.mac_key).said_at == 5) is believed
        assert (read_retired(connection, key).said_at == 5) is believed


def begin_after_august(opened):
    """Return a process that begins where the last checkpoint is over August, of which the records are gone."""
    retire(opened, 202608)
    size, now = first_position(opened, 202609), int(opened.clock.now().timestamp())
    with opened.engine.begin() as connection:
        lift_guards(connection)
        connection.execute(delete(tables.checkpoints))
        note = SIGNER.sign(size, read_root(connection, size), now)
        connection.execute(insert(tables.checkpoints).values(number=1, size=size, time=now * 10**6, note=note))
    return Sequencer(opened.engine, SIGNER, opened.clock, mac_key=opened.secrets.mac_key)


def test_what_follows_on_a_record_that_was_retired_is_signed(long_log):
    beginning = begin_after_august(long_log)
    beginning.sign_now()
    assert beginning.broken is None
    assert verify(long_log).unsigned == 0


def test_what_does_not_follow_on_a_record_that_was_retired_is_not_signed(long_log):
    beginning, position = begin_after_august(long_log), first_position(long_log, 202609)
    first = select(tables.index.c.id).where(tables.index.c.position == position).scalar_subquery()
    with long_log.engine.begin() as connection:
        connection.execute(update(tables.records).where(tables.records.c.id == first).values(mac=bytes(32)))
    beginning.sign_now()
    assert beginning.broken.position == position


def test_what_was_retired_and_is_under_no_checkpoint_is_not_signed(long_log):
    beginning = begin_after_august(long_log)
    with long_log.engine.begin() as connection:
        connection.execute(delete(tables.checkpoints))
    beginning.sign_first()
    assert (beginning.broken.position, "retired" in beginning.broken.detail) == (0, True)


def test_a_record_after_one_that_was_retired_does_not_stand_there_twice(long_log):
    retire(long_log, 202608)
    size, position = verify(long_log).size, first_position(long_log, 202609)
    query = select(tables.records.c.id, tables.records.c.body).join(
        tables.index, tables.index.c.id == tables.records.c.id
    )
    with long_log.engine.begin() as connection:
        row = connection.execute(query.where(tables.index.c.position == position)).one()
        connection.execute(insert(tables.index).values(index_row(size, row.id, json.loads(row.body))))
        leaves = [*read_open_block(connection)[1], leaf_hash(row.body.encode())]
        connection.execute(update(tables.open_block).values(open_block_row(size + 1, leaves)))
    for begin, end in ((0, None), (size - 300, None)):
        with pytest.raises(ChainBroken, match="stands after its number") as caught:
            verify(long_log, begin, end)
        assert caught.value.position == size
    key = long_log.secrets.mac_key
    with long_log.engine.connect() as connection:
        parts = [check_records(connection, *span, key) for span in ((position, size), (size, size + 1))]
        gone = read_retired(connection, key)
    with pytest.raises(ChainBroken, match="stands after its number"):
        join_spans(*parts, begin=position, retired=gone)


def test_a_record_that_was_changed_does_not_say_what_was_retired(opened):
    writer = Writer(opened.engine, 1, key=opened.secrets.mac_key)
    writer.write(5)
    (row,) = writer.write(event=AuditRetired.name, positions=["0-2"], ends=[], month=202608)
    opened.sequencer.catch_up()
    with opened.engine.begin() as connection:
        connection.execute(insert(tables.retired).values(position=5, month=202608))
        lift_guards(connection)
        body = row["body"].replace("0-2", "0-4")
        connection.execute(update(tables.records).filter_by(id=row["id"]).values(body=body))
        assert read_retired(connection) == Retired()


def test_a_month_with_a_record_that_has_no_place_yet_stays(long_log):
    late = Writer(long_log.engine, 9, start=START, key=long_log.secrets.mac_key)
    long_log.sequencer.catch_up()
    row = late.make()
    with long_log.engine.begin() as connection:
        # a number without the one before it is never sequenced
        connection.execute(insert(tables.records).values(row | {"id": row["id"] + (90 << 40)}))
    before = count(long_log, tables.records)
    with pytest.raises(RetentionRefused, match="have a place"):
        retire(long_log, 202608)
    assert count(long_log, tables.records) == before


def test_nothing_goes_from_a_log_that_does_not_verify(long_log):
    with long_log.engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            connection.execute(text("DROP TRIGGER audit_records_no_update"))
        else:
            connection.execute(text("ALTER TABLE audit_records DISABLE TRIGGER audit_records_no_change"))
        changed = tables.records.update().where(tables.records.c.id == (1 << 40) + 7)
        connection.execute(changed.values(body=tables.records.c.body + " "))
    before = count(long_log, tables.records)
    with pytest.raises(ChainBroken):
        retire(long_log, 202608)
    assert count(long_log, tables.records) == before


def test_with_the_last_record_of_somebody_goes_their_key(long_log):
    log = long_log.build_log()
    origin = Origin("ref", "192.0.2.7")
    log.append(origin, SessionEnded(provider="p", issuer="i", subject="stays", person="Stays"))
    long_log.secrets.seal("subject/" + "f" * 32, {"subject": "went"}, {"issuer": "i", "subject": "went"})
    long_log.secrets.seal("address/" + "e" * 32, {"detail": "went"})
    long_log.secrets.seal("address/" + "d" * 32, {"detail": "of nobody who is known, as background records are"})
    retire(long_log, 202608)
    known = AuditSecrets(long_log.engine, SEALER).read_labels().values()
    assert sorted(label["subject"] for label in known) == ["root", "stays"]
    assert count(long_log, tables.keys, name="address/" + "e" * 32) == 0
    assert count(long_log, tables.keys, name="address/" + "d" * 32) == 1
    last = long_log.reader.last(3)
    assert "stays" in [record.get("subject") for record in last]
    assert [record["author"] for record in last if record["event"] == AuditRetired.name] == ["root"]


def test_nobody_is_forgotten_whose_next_record_waits_for_its_place(long_log):
    long_log.secrets.seal("subject/" + "f" * 32, {"subject": "back"}, {"issuer": "i", "subject": "back"})
    late = Writer(long_log.engine, 9, start=long_log.clock.now(), key=long_log.secrets.mac_key)
    late.write(subject_digest="f" * 32)
    with long_log.engine.begin() as connection:
        retention._forget(connection, [(tables.index.c.subject, "f" * 32)])
    assert count(long_log, tables.keys, name="subject/" + "f" * 32) == 1


def test_words_of_records_that_are_gone_are_found_no_more(long_log):
    kept = first_position(long_log, 202609)
    with long_log.engine.begin() as connection:
        connection.execute(delete(terms))
        connection.execute(insert(terms), [{"term": 7, "position": 0}, {"term": 7, "position": kept}])
    retire(long_log, 202608)
    with long_log.engine.connect() as connection:
        assert connection.execute(select(terms.c.position).where(terms.c.term == 7)).scalars().all() == [kept]


def test_spans_that_touch_become_one():
    assert merge_spans([(5, 7), (0, 3), (3, 4)]) == ((0, 4), (5, 7))
    assert list(Retired(((0, 4), (6, 8))).leave_out(2, 12)) == [(4, 6), (8, 12)]
    assert list(Retired(((0, 4),)).leave_out(1, 3)) == []
    assert list(Retired().leave_out(1, 3)) == [(1, 3)]


def test_months_are_whole_ones():
    assert months_before(datetime(2026, 11, 29, tzinfo=UTC), 13) == 202510
    assert months_before(datetime(2026, 1, 1, tzinfo=UTC), 1) == 202512


@pytest.fixture
def searched(audit_database):
    """Return a log of three months whose records can be searched."""
    engine, clock = audit_database(), MovableClock()
    clock.moment = datetime(2026, 11, 20, tzinfo=UTC)
    secrets = AuditSecrets(engine, SEALER)
    sequencer = Sequencer(engine, SIGNER, clock, mac_key=secrets.mac_key, index_rows=index_rows)
    opened = OpenedLog(engine, secrets, sequencer, clock)
    writer = Writer(engine, 1, start=START, key=secrets.mac_key)
    for month in MONTHS:
        writer.moment = datetime(2026, month, 20, tzinfo=UTC)
        writer.write(5, network=f"192.0.{month}.0/24", message_id=f"m{month}")
        if month == 8:
            writer.write(2, event="sign_in.refused", code="saml_expired")
        sequencer.catch_up()
    return opened


def check(opened):
    with opened.engine.connect() as connection:
        check_search(connection)


def total(opened, **search):
    return opened.search.find(Search(**search)).total


def test_what_went_is_in_no_total_and_offered_nowhere_and_what_happened_stays_in_the_figures(searched, monkeypatch):
    monkeypatch.setattr(retention, "_AT_ONCE", 3)
    assert (total(searched), total(searched, event="sign_in.accepted")) == (17, 15)
    since, until = datetime(2026, 8, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
    figures = searched.search.overview(since, until)
    retire(searched, 202608)
    check(searched)
    assert total(searched) == count(searched, tables.index) == 11
    assert total(searched, event="sign_in.accepted") == 10
    assert total(searched, event="sign_in.refused") == 0
    assert searched.search.values("code") == ()
    assert searched.search.overview(since, until) == figures
    Writer(searched.engine, 9, key=searched.secrets.mac_key).write(event="sign_in.refused", code="saml_expired")
    assert total(searched, event="sign_in.refused") == 1
    check(searched)


def test_what_is_computed_again_after_a_month_went_keeps_what_was_counted_of_it(searched):
    retire(searched, 202608)
    computed = [kinds, counts, uses, hours, networks, terms]

    def rebuild():
        run = Rebuilding(searched.engine, searched.secrets.mac_key, lambda *_: None)
        run.run()
        with searched.engine.connect() as connection:
            return run.done.list_mended(), {each.name: set(connection.execute(select(each))) for each in computed}

    nothing, before = rebuild()
    assert nothing == []
    with searched.engine.begin() as connection:
        connection.execute(delete(kinds))
        connection.execute(update(counts).where(counts.c.day > 20_700).values(count=99))  # of September and later
        connection.execute(update(networks).where(networks.c.network == "192.0.9.0/24").values(first_time=1))
    assert rebuild()[1] == before
    check(searched)


def test_while_a_month_is_half_gone_nothing_is_computed_again(searched, monkeypatch):
    class Stopped(BaseException):
        pass

    def stop(_seconds):
        raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(retention.time, "sleep", stop)
        patch.setattr(retention, "_AT_ONCE", 3)
        with pytest.raises(Stopped):
            retire(searched, 202608)
    with pytest.raises(SearchBusy, match="retire"):
        Rebuilding(searched.engine, searched.secrets.mac_key, lambda *_: None).run()
    retire(searched, 202608)
    Rebuilding(searched.engine, searched.secrets.mac_key, lambda *_: None).run()
    check(searched)
