"""The log on SQLite and on PostgreSQL: durable, chained, append-only, and refusing when it cannot write."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from bridge.audit.chain import Head
from bridge.audit.events import Origin, SessionEnded, SignInRefused
from bridge.audit.log import AuditLog
from bridge.audit.reader import read_after, read_last, verify_log
from bridge.audit.schema import open_database
from bridge.clock import SystemClock
from bridge.errors import AuditUnavailable, ChainBroken

ORIGIN = Origin("ref-1", "192.0.2.7")


def ended(subject="alice"):
    return SessionEnded(provider="acme", issuer="https://idp.example", subject=subject, person="Alice")


@pytest.fixture
def engine(audit_database):
    return audit_database()


def write(engine, count):
    log = AuditLog(engine, SystemClock())
    for number in range(count):
        log.append(ORIGIN, ended(f"person {number}"))


def tamper(engine, statement):
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.execute(text("DROP TRIGGER audit_no_update"))
            connection.execute(text("DROP TRIGGER audit_no_delete"))
        else:
            connection.execute(text("ALTER TABLE audit_records DISABLE TRIGGER audit_no_change"))
        connection.execute(text(statement))


def test_an_untouched_log_verifies_and_names_its_head(engine):
    write(engine, 5)
    assert verify_log(engine).sequence == 5


def test_an_empty_log_verifies(engine):
    assert verify_log(engine) == Head()


def test_records_are_read_back_in_order_with_their_origin(engine):
    write(engine, 4)
    assert [record["subject"] for record in read_last(engine, 2)] == ["person 2", "person 3"]
    assert [record["sequence"] for record in read_after(engine, 1)] == [2, 3, 4]
    assert read_last(engine, 1)[0]["source_address"] == "192.0.2.7"


@pytest.mark.parametrize(
    ("statement", "position"),
    [
        ("UPDATE audit_records SET body = replace(body, 'person 2', 'person X') WHERE sequence = 3", 3),
        ("UPDATE audit_records SET subject = 'mallory' WHERE sequence = 4", 4),
        ("DELETE FROM audit_records WHERE sequence = 2", 2),
        ("UPDATE audit_records SET sequence = 60 WHERE sequence = 6", 6),
        ("UPDATE audit_records SET digest = repeat_zero WHERE sequence = 5", 5),
    ],
    ids=["body changed", "indexed column changed", "record deleted", "record moved", "digest changed"],
)
def test_t_aud_02_tampering_is_found_at_its_first_position(engine, statement, position):
    write(engine, 6)
    tamper(engine, statement.replace("repeat_zero", "'" + "0" * 64 + "'"))
    with pytest.raises(ChainBroken) as caught:
        verify_log(engine)
    assert caught.value.position == position


def test_t_aud_01_a_cut_tail_is_found_against_a_noted_head(engine):
    write(engine, 6)
    noted = verify_log(engine)
    tamper(engine, "DELETE FROM audit_records WHERE sequence > 4")
    assert verify_log(engine).sequence == 4
    with pytest.raises(ChainBroken) as caught:
        verify_log(engine, noted)
    assert caught.value.position == 5


def test_a_rewritten_history_is_found_against_a_noted_head(audit_database):
    first, second = audit_database(), audit_database()
    write(first, 3)
    write(second, 3)
    with pytest.raises(ChainBroken):
        verify_log(second, verify_log(first))


@pytest.mark.parametrize("statement", ["UPDATE audit_records SET code = 'x'", "DELETE FROM audit_records"])
def test_the_database_itself_refuses_changes(engine, statement):
    write(engine, 1)
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(text(statement))
    assert verify_log(engine).sequence == 1


def test_waiting_callers_share_commits_and_none_is_lost(engine):
    log = AuditLog(engine, SystemClock())
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda number: log.append(ORIGIN, ended(str(number)), ended(f"{number}b")), range(100)))
    assert verify_log(engine).sequence == 200
    subjects = [record["subject"] for record in read_last(engine, 200)]
    assert sorted(subjects[::2], key=int) == [str(number) for number in range(100)]
    assert list(subjects[1::2]) == [f"{first}b" for first in subjects[::2]]


def test_two_writers_keep_one_chain(audit_database):
    logs = [AuditLog(audit_database(same=True), SystemClock()) for _ in range(2)]
    threads = [
        threading.Thread(target=lambda log=log: [log.append(ORIGIN, ended()) for _ in range(25)]) for log in logs
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert verify_log(audit_database(same=True)).sequence == 50


def test_t_aud_05_what_cannot_be_written_is_refused_and_writing_recovers(engine):
    log = AuditLog(engine, SystemClock())
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE audit_records RENAME TO away"))
    with pytest.raises(AuditUnavailable):
        log.append(ORIGIN, ended())
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE away RENAME TO audit_records"))
    log.append(ORIGIN, ended())
    assert verify_log(engine).sequence == 1


def test_an_event_that_cannot_be_written_does_not_stop_the_next(engine):
    log = AuditLog(engine, SystemClock())
    with pytest.raises(AuditUnavailable):
        log.append(ORIGIN, ended(subject=object()))
    log.append(ORIGIN, ended())
    assert verify_log(engine).sequence == 1


def test_t_web_12_control_characters_and_markup_stay_inside_one_escaped_line(engine):
    log = AuditLog(engine, SystemClock())
    hostile = "a\r\nb\x1b[31m\u2028\u202e<b>" + "x" * 10_000
    log.append(ORIGIN, SignInRefused(provider="p", protocol="saml", code="saml_issuer", detail=hostile))
    with engine.connect() as connection:
        body = connection.execute(text("SELECT body FROM audit_records")).scalar_one()
    assert body.isascii()
    assert not any(ord(character) < 32 for character in body)
    assert len(body) < 1_000


def test_a_database_that_cannot_be_opened_says_so(tmp_path):
    with pytest.raises(DBAPIError):
        open_database(f"sqlite:///{tmp_path}")
