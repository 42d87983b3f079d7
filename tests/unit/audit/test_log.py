"""The log on SQLite and on PostgreSQL: durable, in order, tied together, and refusing when it cannot write."""

import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.exc import DBAPIError, OperationalError

from bridge.audit import writer
from bridge.audit.database import open_database
from bridge.audit.events import BACKGROUND, Origin, RulesNotLoaded, SessionEnded, SignInRefused
from bridge.audit.record import FIRST_MAC, link, split_id
from bridge.audit.tables import keys, records, writers
from bridge.errors import AuditUnavailable
from tests.audit_log import open_log

ORIGIN = Origin("ref-1", "192.0.2.7")


def ended(subject="alice"):
    return SessionEnded(provider="acme", issuer="https://idp.example", subject=subject, person="Alice")


@pytest.fixture
def engine(audit_database):
    return audit_database()


@pytest.fixture
def opened(engine):
    return open_log(engine)


def check_chains(opened):
    """Return how many records each writer has; every chain has all its numbers, and all its macs."""
    with opened.engine.connect() as connection:
        rows = connection.execute(select(records).order_by(records.c.id)).all()
    heads = {}
    for row in rows:
        number, mac = heads.get(split_id(row.id)[0], (0, FIRST_MAC))
        assert split_id(row.id)[1] == number + 1
        assert row.mac == link(opened.secrets.mac_key, mac, row.body)
        heads[split_id(row.id)[0]] = (number + 1, row.mac)
    return {name: number for name, (number, _) in heads.items()}


def test_records_are_read_back_in_order_with_their_origin(opened):
    log = opened.build_log()
    for number in range(4):
        log.append(ORIGIN, ended(f"person {number}"))
    reader = opened.reader
    assert [record["subject"] for record in reader.last(2)] == ["person 2", "person 3"]
    assert [record["position"] for record in reader.after(0)] == [1, 2, 3]
    assert (reader.last(1)[0]["source_address"], reader.end()) == ("192.0.2.7", 3)
    assert check_chains(opened) == {1: 4}


def test_an_empty_log_has_no_end(opened):
    assert (opened.reader.end(), opened.reader.last(5), opened.reader.after(-1)) == (-1, [], [])


def test_waiting_callers_share_commits_and_none_is_lost(opened):
    log = opened.build_log()
    commits = []
    event.listen(opened.engine, "commit", commits.append)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda number: log.append(ORIGIN, ended(str(number)), ended(f"{number}b")), range(100)))
    assert len(commits) < 100
    assert check_chains(opened) == {1: 200}
    subjects = [record["subject"] for record in opened.reader.last(200)]
    assert sorted(subjects[::2], key=int) == sorted(map(str, range(100)), key=int)
    assert list(subjects[1::2]) == [f"{first}b" for first in subjects[::2]]


def test_several_processes_have_a_chain_each_and_a_person_one_key(audit_database):
    opened = [open_log(audit_database(same=True)) for _ in range(3)]
    logs = [each.build_log() for each in opened]
    threads = [
        threading.Thread(target=lambda log=log: [log.append(ORIGIN, ended()) for _ in range(20)]) for log in logs
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(check_chains(opened[0])) == [1, 2, 3]
    assert set(check_chains(opened[0]).values()) == {20}
    assert {record["person"] for record in opened[0].reader.last(100)} == {"Alice"}


def test_a_child_of_a_fork_has_a_chain_of_its_own(opened):
    log = opened.build_log()
    log.append(ORIGIN, ended())
    child = os.fork()
    if child == 0:
        try:
            log.append(ORIGIN, ended())
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    log.append(ORIGIN, ended())
    assert check_chains(opened) == {1: 2, 2: 1}


def test_an_engine_that_is_disposed_of_while_the_writer_rests_leaves_no_connection_open(engine, opened, monkeypatch):
    """What is given back to a pool that was closed a moment ago would stay open until somebody notices."""
    monkeypatch.setattr("bridge.audit.log.REST_SECONDS", 0.01)
    pool, disposed = engine.pool, threading.Event()
    disposing = threading.Thread(target=lambda: (engine.dispose(), disposed.set()))

    def dispose_meanwhile(*_):
        disposing.start()
        wait_until(lambda: engine.pool is not pool)

    event.listen(pool, "reset", dispose_meanwhile, once=True)
    log = opened.build_log()
    log.append(ORIGIN, ended())
    assert disposed.wait(10)
    with log._writer._letting_go:  # the writer, which began to rest before that, has given its connection back
        assert (pool.checkedin(), pool.checkedout()) == (0, 0)


def test_a_child_of_a_fork_leaves_the_connection_to_its_parent(engine, opened):
    """Closing it would end the parent's session at the server."""
    opened.build_log().append(ORIGIN, ended())
    closed = []
    event.listen(engine, "close", lambda *_: closed.append(True))
    child = os.fork()
    if child == 0:
        os._exit(len(closed))
    assert os.waitpid(child, 0)[1] == 0


def wait_until(is_so, seconds=5):
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_after_a_day_of_silence_a_process_begins_a_new_chain(opened, monkeypatch):
    log = opened.build_log()
    log.append(ORIGIN, ended())
    monkeypatch.setattr(writer, "IDLE_SECONDS", -1)
    log.append(ORIGIN, ended())
    assert check_chains(opened) == {1: 1, 2: 1}


def test_t_aud_05_what_cannot_be_written_is_refused_and_writing_recovers(opened):
    log = opened.build_log()
    with opened.engine.begin() as connection:
        connection.execute(text("ALTER TABLE audit_records RENAME TO away"))
    with pytest.raises(AuditUnavailable):
        log.append(ORIGIN, ended())
    with opened.engine.begin() as connection:
        connection.execute(text("ALTER TABLE away RENAME TO audit_records"))
    log.append(ORIGIN, ended())
    assert check_chains(opened) == {1: 1}


def test_t_aud_05_a_full_disk_refuses_and_room_on_it_is_enough_to_go_on(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path}/audit.db")
    opened, most_pages = open_log(engine), [1_000_000]

    @event.listens_for(engine, "begin")
    def bound(connection):
        connection.exec_driver_sql(f"PRAGMA max_page_count = {most_pages[0]}")

    log = opened.build_log()
    log.append(ORIGIN, ended("before"))
    most_pages[0] = 1
    hidden = "x" * 500
    with pytest.raises(AuditUnavailable):
        log.append(ORIGIN, *(ended(f"{number} {hidden}") for number in range(200)))
    most_pages[0] = 1_000_000
    log.append(ORIGIN, ended("after"))
    assert check_chains(opened) == {1: 2}
    assert [record["subject"] for record in opened.reader.last(10)] == ["before", "after"]
    engine.dispose()


@pytest.mark.parametrize("committed", [True, False])
def test_t_aud_05_a_commit_of_which_nobody_heard_is_neither_repeated_nor_lost(opened, committed):
    log = opened.build_log()
    log.append(ORIGIN, ended("before"))
    failing = [True]

    def lose_the_connection(connection):
        if failing:
            failing.clear()
            if committed:
                connection.commit()
            raise OperationalError("COMMIT", {}, ConnectionError("the server went away"))

    commit = opened.engine.dialect.do_commit
    opened.engine.dialect.do_commit = lambda connection: (lose_the_connection(connection), commit(connection))
    log.append(ORIGIN, ended("in between"))
    log.append(ORIGIN, ended("after"))
    assert not failing
    assert check_chains(opened) == {1: 3}
    assert [record["subject"] for record in opened.reader.last(10)] == ["before", "in between", "after"]


def test_an_event_that_cannot_be_written_does_not_stop_the_next(opened):
    log = opened.build_log()
    with pytest.raises(AuditUnavailable):
        log.append(ORIGIN, ended(subject=object()))
    log.append(ORIGIN, ended())
    assert check_chains(opened) == {1: 1}


def test_what_says_nothing_of_anybody_is_recorded_without_a_key(opened):
    failed = RulesNotLoaded(node="n", version="v", kept="", code="rules_version_unknown", detail="")
    opened.build_log().append(BACKGROUND, failed)
    [record] = opened.reader.last(1)
    assert (record["event"], record["reference"], record["node"]) == ("rules.not_loaded", "", "n")
    assert not record.keys() & {"sealed", "sealed_for", "erased", "source_address"}
    with opened.engine.connect() as connection:
        assert sorted(connection.execute(select(keys.c.name)).scalars()) == ["digest", "mac"]


def test_the_writers_are_named_with_their_machine(opened):
    opened.build_log().append(ORIGIN, ended())
    with opened.engine.connect() as connection:
        [row] = connection.execute(select(writers)).all()
    assert (row.writer, row.node) == (1, os.uname().nodename)
    assert row.started.endswith("Z")


def test_t_web_12_control_characters_and_markup_stay_inside_one_escaped_line(opened):
    hostile = "a\r\nb\x1b[31m\u2028\u202e\ud800\0<b>" + "x" * 10_000
    log = opened.build_log()
    log.append(
        Origin("R", hostile), SignInRefused(provider=hostile, protocol="saml", code="saml_issuer", detail=hostile)
    )
    with opened.engine.connect() as connection:
        body = connection.execute(select(records.c.body)).scalar_one()
    assert body.isascii()
    assert body.isprintable()
    assert len(body) < 8_000
    [record] = opened.reader.last(1)
    assert record["provider"] == record["detail"] == hostile[:512]
    assert json.loads(body).keys() >= {"format", "writer", "number", "time", "monotonic", "event", "reference"}


def test_a_database_that_cannot_be_opened_says_so(tmp_path):
    with pytest.raises(DBAPIError):
        open_database(f"sqlite:///{tmp_path}")
