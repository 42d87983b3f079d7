"""Whoever is erased is nowhere any more, down to the bytes on the disk, and the log verifies as before."""

import json
import threading
from pathlib import Path

import pytest
from sqlalchemy import create_engine, select, text

from bridge.audit import tables
from bridge.audit.database import open_database
from bridge.audit.events import ExchangeIssued, Origin, SignInRefused
from bridge.audit.keeping import overwriting
from bridge.audit.keeping.erasure import Erasure
from bridge.audit.proof.verification import Scope, verify_log
from bridge.audit.search.query import Search
from bridge.audit.search.saved import SavedSearches
from bridge.audit.search.tables import saved_searches
from bridge.audit.secrets import AuditSecrets
from tests.audit_log import SEALER, open_log
from tests.every_byte import find, read_files

ISSUER = "https://idp.example"
AT_HOME, IN_THE_OFFICE = "198.51.100.77", "203.0.113.5"
PERSONAL = ("s-4711", "Lin Wei-Okafor", AT_HOME, "lin.wei.session", "lin.wei@example.com", "a1b2-claimed")


def issued(subject="s-4711", person="Lin Wei-Okafor"):
    return ExchangeIssued(
        provider="acme",
        issuer=ISSUER,
        subject=subject,
        person=person,
        account="production",
        entitlement="user lin.wei@example.com",
        rule="r",
        rules_version="1",
        trust="saml",
        role_session_name="lin.wei.session" if subject == "s-4711" else subject,
        access_key_id="STS.x",
        expires_at="",
        duration_seconds=3600,
        decided_by="rule",
        sts_request_id="",
    )


def refused():
    return SignInRefused(
        provider="acme", protocol="saml", code="saml_replay", detail="a1b2-claimed", claimed_id="a1b2-claimed"
    )


@pytest.fixture
def log(readable_url):
    """Return a log with what several people did; one of them is Lin Wei."""
    opened = open_log(open_database(readable_url))
    writer = opened.build_log()
    at_home, in_the_office = Origin("ref-1", AT_HOME), Origin("ref-2", IN_THE_OFFICE)
    people = [issued(f"p-{number}", f"Person {number}") for number in range(300)]
    for begin in range(0, 150, 15):  # so that the table of keys has many pages, which were split
        writer.append(in_the_office, *people[begin : begin + 15])
    writer.append(at_home, issued(), refused())
    writer.append(in_the_office, issued(), refused())
    for begin in range(150, 300, 15):
        writer.append(in_the_office, *people[begin : begin + 15])
    opened.sequencer.catch_up()
    yield opened
    opened.engine.dispose()


def erase(log, subject="s-4711"):
    erasure = open_erasure(log)
    known = erasure.find_subject(ISSUER, subject)
    erasure.erase(known, "root")
    assert erasure.overwrite() == []
    return known


def open_erasure(log):
    return Erasure(log.engine, log.secrets, log.build_log(), log.sequencer)


def test_a_search_of_every_byte_finds_nothing_of_whoever_was_erased(log):
    digest = log.secrets.subject_digest(ISSUER, "s-4711")
    address = log.secrets.digest("address", AT_HOME)
    with log.engine.connect() as connection:
        keys = {row.name: row for row in connection.execute(select(tables.keys))}
    gone = [keys[f"subject/{digest}"].sealed, keys[f"subject/{digest}"].label, keys[f"address/{address}"].sealed]
    stays = keys["subject/" + log.secrets.subject_digest(ISSUER, "p-7")].sealed
    assert any(record.get("person") == "Lin Wei-Okafor" for record in log.reader.last(400))
    assert all(find(each, read_files(log.engine, with_wal=False)) for each in (*gone, stays))

    session = log.secrets.digest("session_name", "lin.wei.session")
    log.secrets.seal(f"session/{session}", {"role_session_name": "lin.wei.session"})  # as what is imported of a trail
    known = erase(log)
    assert (known.records, known.addresses) == (2, (address,))
    with log.engine.connect() as connection:
        assert not connection.execute(select(tables.keys).where(tables.keys.c.name == f"session/{session}")).all()
    found = read_files(log.engine, with_wal=False)
    assert [each for each in gone if find(each, found)] == []
    assert find(stays, found)
    everything = read_files(log.engine, with_wal=True)
    assert [value for value in PERSONAL if find(value.encode(), everything)] == []
    assert find(b"production", everything)


def test_the_log_verifies_and_says_who_did_it_to_whom_by_a_digest_alone(log):
    known = erase(log)
    assert verify_log(log.engine, Scope((), log.secrets.mac_key)).size == 305
    last = log.reader.last(1)[0]
    assert (last["event"], last["of_subject_digest"], last["addresses"], last["author"]) == (
        "audit.erased",
        log.secrets.subject_digest(ISSUER, "s-4711"),
        1,
        "root",
    )
    assert known.subject_digest == last["of_subject_digest"]


def test_nobody_reads_what_was_erased_and_everybody_reads_the_rest(log, readable_url):
    erase(log)
    again = open_log(open_database(readable_url))  # another process
    records = again.reader.last(400)
    again.engine.dispose()
    erased = [record for record in records if record.get("erased")]
    assert [record["event"] for record in erased] == ["exchange.issued", "sign_in.refused", "exchange.issued"]
    assert not any(value in json.dumps(erased) for value in PERSONAL)
    assert sum(record.get("person", "").startswith("Person ") for record in records) == 300
    # a refusal from an address that others use too is not known to be theirs
    assert [record["claimed_id"] for record in records if "claimed_id" in record] == ["a1b2-claimed"]


def test_people_are_found_by_what_they_are_called_or_by_their_identifier(log):
    erasure = open_erasure(log)
    for called in ("lin WEI-okafor", "s-4711"):
        assert [known.label["subject"] for known in erasure.find(called)] == ["s-4711"]
    assert erasure.find("Person") == []
    assert erasure.find_subject("https://another.example", "s-4711") is None
    assert erasure.find_subject(ISSUER, "p-7").addresses == ()


def test_what_was_stopped_half_way_can_be_said_again(log):
    digest = log.secrets.subject_digest(ISSUER, "s-4711")
    AuditSecrets(log.engine, SEALER).erase(digest)
    assert erase(log).subject_digest == digest


def test_whoever_signs_in_again_is_somebody_new(log):
    erase(log)
    log.build_log().append(Origin("ref-3", AT_HOME), issued())
    records = [record for record in log.reader.last(400) if record.get("subject") == "s-4711"]
    assert [record["reference"] for record in records] == ["ref-3"]


def read_keys(log, *names):
    """Return what stands in the table of keys under these names: what has to be gone from the disk."""
    with log.engine.connect() as connection:
        rows = connection.execute(select(tables.keys).where(tables.keys.c.name.in_(names))).all()
    return [value for row in rows for value in (row.sealed, row.label) if value]


on_postgresql = pytest.mark.parametrize("readable_url", ["postgresql"], indirect=True)


@on_postgresql  # SQLite locks no table
def test_nobody_who_signs_in_waits_while_something_reads_all_tables(log, monkeypatch):
    monkeypatch.setattr(overwriting, "EMPTYING_SECONDS", 1)
    erasure = open_erasure(log)
    known = erasure.find_subject(ISSUER, "s-4711")
    done = []
    with log.engine.connect() as backup:
        backup.execute(select(tables.keys).limit(1)).all()  # holds its lock to the end of the block
        process = backup.connection.driver_connection.info.backend_pid
        erasure.erase(known, "root")
        thread = threading.Thread(target=lambda: done.extend(erasure.overwrite()))
        thread.start()
        log.build_log().append(Origin("ref-3", IN_THE_OFFICE), issued("new", "Somebody New"))
        thread.join(20)
    assert [cause for cause in done if cause.startswith(f"process {process} of ")]
    monkeypatch.undo()  # other tests use the server too, each for a while
    assert erasure.overwrite() == []


@on_postgresql
@pytest.mark.parametrize(
    ("database", "begin", "said"),
    [
        ("postgres", "SELECT pg_current_xact_id()", " in the database postgres"),
        (None, "SELECT count(*) FROM pg_class", " began at 20"),
    ],
    ids=["a transaction that writes in another database", "one that reads other tables of this one"],
)
def test_it_is_not_called_done_while_a_transaction_keeps_what_was_deleted(log, monkeypatch, database, begin, said):
    monkeypatch.setattr(overwriting, "EMPTYING_SECONDS", 1)
    gone = read_keys(log, f"subject/{log.secrets.subject_digest(ISSUER, 's-4711')}")
    erasure = open_erasure(log)
    known = erasure.find_subject(ISSUER, "s-4711")
    url = log.engine.url
    other = create_engine(url.set(database=database or url.database), isolation_level="REPEATABLE READ")
    with other.connect() as connection:
        connection.execute(text(begin))
        erasure.erase(known, "root")
        process = f"process {connection.connection.driver_connection.info.backend_pid} "
        assert [cause for cause in erasure.overwrite() if cause.startswith(process) and said in cause]
        assert any(find(each, read_files(log.engine, with_wal=False)) for each in gone)  # so it would be wrong to
    other.dispose()
    monkeypatch.undo()  # other tests use the server too, each for a while
    assert erasure.overwrite() == []
    assert not any(find(each, read_files(log.engine, with_wal=False)) for each in gone)


@on_postgresql
def test_it_waits_for_a_transaction_that_ends_soon(log):
    gone = read_keys(log, f"subject/{log.secrets.subject_digest(ISSUER, 's-4711')}")
    other = create_engine(log.engine.url, isolation_level="REPEATABLE READ")
    connection = other.connect()
    connection.execute(text("SELECT count(*) FROM pg_class"))
    timer = threading.Timer(1, connection.close)
    timer.start()
    erase(log)
    timer.join()
    other.dispose()
    assert not any(find(each, read_files(log.engine, with_wal=False)) for each in gone)


@on_postgresql
def test_the_planners_samples_hold_no_keys(log):
    names = [f"subject/{log.secrets.subject_digest(ISSUER, f'p-{number}')}" for number in range(300)]
    with log.engine.connect().execution_options(isolation_level="AUTOCOMMIT", read_only=True) as connection:
        connection.execute(text("ANALYZE"))  # as PostgreSQL does by itself
        query = "SELECT attname FROM pg_stats WHERE tablename IN ('audit_keys', 'audit_saved_searches')"
        assert set(connection.execute(text(query)).scalars()) <= {"name", "owner", "number"}
        where = "SELECT pg_relation_filepath(oid) FROM pg_class WHERE relname IN ('pg_statistic', 'pg_toast_2619')"
        connection.execute(text("CHECKPOINT"))
        folder = Path(connection.execute(text("SHOW data_directory")).scalar_one())
        samples = b"".join((folder / path).read_bytes() for path in connection.execute(text(where)).scalars())
    assert samples  # of each column about every third value of the 300
    assert not any(find(key, samples) for key in read_keys(log, *names))


def test_searches_that_name_whoever_was_erased_are_forgotten_with_all_that_they_keep(log):
    searches = SavedSearches(log.engine, log.secrets)
    log.build_log().append(Origin("ref-9", IN_THE_OFFICE), issued("auditor", "Ada Auditor"))
    ada, wei = (log.secrets.subject_digest(ISSUER, each) for each in ("auditor", "s-4711"))
    about_wei = {
        "by name": Search(person="LIN wei-okafor"),
        "by a part of it": Search(person="Okafor"),
        "by subject": Search(person="s-4711"),
        "by digest": Search(person=wei, days=7),
        "by address": Search(address=AT_HOME),
        "Lin  Wei-Okafor": Search(code="saml_replay"),
        "by words": Search(text="did Lin Wei-Okafor sign"),
    }
    others = {
        "Person 7": Search(person="Person 7"),
        "office": Search(address=IN_THE_OFFICE),
        "refused": Search(outcome="refused", text="s-47110"),
    }
    for name, search in (about_wei | others).items():
        assert searches.save(ada, name, search)
    searches.save(wei, "mine", Search(outcome="refused"))
    erase(log)
    assert {each.name for each in searches.list(ada)} == others.keys()
    with log.engine.connect() as connection:
        assert connection.execute(select(saved_searches.c.owner).distinct()).scalars().all() == [ada]
