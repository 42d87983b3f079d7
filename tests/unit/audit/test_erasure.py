"""Whoever is erased is nowhere any more, down to the bytes on the disk, and the log verifies as before."""

import base64
import json
import threading
from pathlib import Path

import pytest
from sqlalchemy import create_engine, insert, make_url, select, text

from bridge.audit import tables
from bridge.audit.database import open_database
from bridge.audit.events import ExchangeIssued, Origin, SignInRefused
from bridge.audit.keeping import erasure as module
from bridge.audit.keeping.erasure import Erasure
from bridge.audit.proof.verification import Scope, verify_log
from bridge.audit.search.tables import saved_searches
from bridge.audit.secrets import AuditSecrets
from tests.audit_log import SEALER, open_log

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


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """Return the address of a new database whose files this test can read."""
    if request.param == "sqlite":
        yield make_url(f"sqlite:///{tmp_path}/audit.db")
        return
    server = request.getfixturevalue("superuser_url")
    administration = create_engine(server, isolation_level="AUTOCOMMIT")
    with administration.connect() as connection:
        connection.execute(text("CREATE DATABASE audit_erasure"))
    yield server.set(database="audit_erasure")
    with administration.connect() as connection:
        connection.execute(text("DROP DATABASE audit_erasure WITH (FORCE)"))
    administration.dispose()


@pytest.fixture
def log(url):
    """Return a log with what several people did; one of them is Lin Wei."""
    opened = open_log(open_database(url))
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
    erasure = Erasure(log.engine, log.secrets, log.build_log(), log.sequencer)
    known = erasure.find_subject(ISSUER, subject)
    assert erasure.erase(known, "root")
    return known


def read_files(engine, *, with_wal):
    """Return every byte of the database's files."""
    if engine.dialect.name == "sqlite":
        files = list(Path(engine.url.database).parent.iterdir())
    else:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT", read_only=True) as connection:
            connection.execute(text("CHECKPOINT"))
            folder = Path(connection.execute(text("SHOW data_directory")).scalar_one())
            query = "SELECT oid FROM pg_database WHERE datname = current_database()"
            database = connection.execute(text(query)).scalar_one()
        files = [*(folder / "base" / str(database)).iterdir(), *(folder / "global").iterdir()]
        files += (folder / "pg_wal").iterdir() if with_wal else []
    return b"".join(file.read_bytes() for file in files if file.is_file())


def test_a_search_of_every_byte_finds_nothing_of_whoever_was_erased(log):
    with log.engine.begin() as connection:
        query = json.dumps({"person": "lin wei-okafor"})
        connection.execute(insert(saved_searches).values(owner="o", name="mine", query=query))
        connection.execute(insert(saved_searches).values(owner="o", name="other", query="{}"))
    digest = log.secrets.subject_digest(ISSUER, "s-4711")
    address = log.secrets.digest("address", AT_HOME)
    with log.engine.connect() as connection:
        keys = {row.name: row for row in connection.execute(select(tables.keys))}
    gone = [keys[f"subject/{digest}"].sealed, keys[f"subject/{digest}"].label, keys[f"address/{address}"].sealed]
    stays = keys["subject/" + log.secrets.subject_digest(ISSUER, "p-7")].sealed
    assert any(record.get("person") == "Lin Wei-Okafor" for record in log.reader.last(400))
    assert all(_find(each, read_files(log.engine, with_wal=False)) for each in (*gone, stays))

    session = log.secrets.digest("session_name", "lin.wei.session")
    log.secrets.seal(f"session/{session}", {"role_session_name": "lin.wei.session"})  # as what is imported of a trail
    known = erase(log)
    assert (known.records, known.addresses) == (2, (address,))
    with log.engine.connect() as connection:
        assert not connection.execute(select(tables.keys).where(tables.keys.c.name == f"session/{session}")).all()
    found = read_files(log.engine, with_wal=False)
    assert [each for each in gone if _find(each, found)] == []
    assert _find(stays, found)
    everything = read_files(log.engine, with_wal=True)
    assert [value for value in PERSONAL if _find(value.encode(), everything)] == []
    assert _find(b"production", everything)


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


def test_nobody_reads_what_was_erased_and_everybody_reads_the_rest(log, url):
    erase(log)
    again = open_log(open_database(url))  # another process
    records = again.reader.last(400)
    again.engine.dispose()
    erased = [record for record in records if record.get("erased")]
    assert [record["event"] for record in erased] == ["exchange.issued", "sign_in.refused", "exchange.issued"]
    assert not any(value in json.dumps(erased) for value in PERSONAL)
    assert sum(record.get("person", "").startswith("Person ") for record in records) == 300
    # a refusal from an address that others use too is not known to be theirs
    assert [record["claimed_id"] for record in records if "claimed_id" in record] == ["a1b2-claimed"]


def test_people_are_found_by_what_they_are_called_or_by_their_identifier(log):
    erasure = Erasure(log.engine, log.secrets, log.build_log(), log.sequencer)
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


def _find(needle, haystack):
    """Tell whether bytes stand there, as they are, in base64 of any alignment, or in hexadecimal."""
    forms = [needle, needle.hex().encode()]
    forms += [base64.b64encode(bytes(shift) + needle)[4 if shift else 0 : -4] for shift in range(3)]
    return any(form in haystack for form in forms if len(form) > 5)


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)  # SQLite locks no table
def test_nobody_who_signs_in_waits_while_something_reads_all_tables(log, monkeypatch):
    monkeypatch.setattr(module, "EMPTYING_SECONDS", 1)
    erasure = Erasure(log.engine, log.secrets, log.build_log(), log.sequencer)
    known = erasure.find_subject(ISSUER, "s-4711")
    done = []
    with log.engine.connect() as backup:
        backup.execute(select(tables.keys).limit(1)).all()  # holds its lock to the end of the block
        thread = threading.Thread(target=lambda: done.append(erasure.erase(known, "root")))
        thread.start()
        log.build_log().append(Origin("ref-3", IN_THE_OFFICE), issued("new", "Somebody New"))
        thread.join(20)
        assert done == [False]
    assert erasure.erase(known, "root")
