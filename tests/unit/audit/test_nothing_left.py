"""Everything that can be recorded of a person, everywhere it is written to, and nothing of it once they are erased."""

import dataclasses
import json
import subprocess
import sys
import typing
import zipfile
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import inspect, select, text

from bridge.audit import tables
from bridge.audit.alerts.rules import AlertRules
from bridge.audit.alerts.watcher import AlertWatcher
from bridge.audit.database import open_database
from bridge.audit.events import BACKGROUND, PERSONAL, EntitlementEvent, Event, Origin, Person
from bridge.audit.export.exporter import Exporter, Request
from bridge.audit.export.schedule import Plan, Schedule
from bridge.audit.forwarding.cursor import Cursor
from bridge.audit.keeping.erasure import Erasure
from bridge.audit.proof.checkpoints import Signer
from bridge.audit.proof.verification import Scope, verify_log
from bridge.audit.search.query import Search
from bridge.audit.search.saved import SavedSearches
from bridge.audit.search.upkeep import index_rows
from bridge.audit.secrets import AuditSecrets
from bridge.audit.sequencer import Sequencer
from bridge.audit.trail import strays
from bridge.audit.trail.importing import TrailImport
from bridge.audit.trail.reading import find_files
from bridge.audit_log import OpenedLog
from bridge.audit_tasks import SIGNATURE_CODES
from bridge.clock import format_utc
from tests.audit_log import SEALER, open_log
from tests.every_byte import find, read_files
from tests.live_store import MovableClock
from tests.synthetic_trail import ACCOUNTS, GOVERNED, OUR_PROVIDERS

LOG_NAME = "bridge.example.com/audit"
ISSUER, SUBJECT, NAME = "https://idp.example", "qzx-subject", "QZX Lin 林薇"
AT_HOME, ON_THE_WAY = "198.51.100.77", "2001:db8:77:1::4d"
IN_THE_OFFICE = "203.0.113.5"
SESSION = "qzx.session@example.com"
VALUES = ("qzx", "QZX", "林薇", "\\u6797", AT_HOME, ON_THE_WAY)
"""One of them is in each text that says something of the person."""
SEALED = ("jsonl", "csv", "ocsf", "bundle")


def every_event(kind=Event):
    """Return one of each event that there is, with a value of the person in each personal field."""
    for each in kind.__subclasses__():
        yield from every_event(each)
        if "name" in vars(each):
            yield make(each)


def make(kind):
    hints = typing.get_type_hints(kind)
    values = {field.name: fill(field.name, hints[field.name]) for field in dataclasses.fields(kind)}
    if issubclass(kind, EntitlementEvent):
        values |= {"account": "production", "entitlement": "user qzx.lin@example.com"}
    return kind(**values)


def fill(name, hint):
    told = {
        "issuer": ISSUER,
        "subject": SUBJECT,
        "person": NAME,
        "author": NAME,
        "code": "saml_signature_wrong",
        "provider": "acme",
        "role_session_name": SESSION,
        "requested_from": ON_THE_WAY,
        "granted": ("user production/qzx.lin@example.com", "role production/Admin"),
        "administrator": True,
        "amr": ("mfa",),
    }
    if name in told:
        return told[name]
    if name.endswith("_at") or name in {"of_time", "since", "earliest", "latest"}:
        return "2026-11-29T12:00:00Z"
    word = f"qzx-{name}" if name in PERSONAL else f"plain-{name}"
    kinds = typing.get_args(hint)
    if Person in (hint, *kinds):
        return Person(ISSUER, SUBJECT, NAME)
    if int in (hint, *kinds) or bool in (hint, *kinds):
        return 7
    if name == "checks":
        return ((word, "passed", f"{word}-measured", "allowed"),)
    return word if str in (hint, *kinds) else (word,)


def trail_event(number):
    account = next(iter(ACCOUNTS))
    return {
        "eventId": f"event-{number}",
        "eventTime": format_utc(datetime.now(UTC)),
        "eventName": "DescribeInstances",
        "eventRW": "Read",
        "serviceName": "Ecs",
        "acsRegion": "cn-hangzhou",
        "sourceIpAddress": AT_HOME,
        "requestId": f"request-{number}",
        "userIdentity": {
            "type": "assumed-role",
            "accessKeyId": "plain-access_key_id",
            "accountId": account,
            "arn": f"acs:ram::{account}:assumed-role/Admin/{SESSION}",
            "userName": f"Admin:{SESSION}",
        },
    }


@pytest.fixture
def log(readable_url):
    """Return a log that signs, in a database whose every byte can be read."""
    engine, clock, signer = open_database(readable_url), MovableClock(), Signer(LOG_NAME, Ed25519PrivateKey.generate())
    secrets = AuditSecrets(engine, SEALER)
    sequencer = Sequencer(engine, signer, clock, mac_key=secrets.mac_key, index_rows=index_rows)
    yield OpenedLog(engine, secrets, sequencer, clock, signer)
    engine.dispose()


def test_of_everything_that_is_recorded_nothing_is_left_in_the_database_nor_in_what_was_exported_sealed(log, tmp_path):
    audit, secrets = log.build_log(), log.secrets
    happened = list(every_event())
    assert len(happened) > 30
    for number, event in enumerate(happened):
        audit.append(Origin(f"ref-{number}", (AT_HOME, ON_THE_WAY)[number % 2]), event)
    audit.append(Origin("other", IN_THE_OFFICE), make_other())
    log.sequencer.sign_now()
    keep_elsewhere(log, tmp_path)

    folder = tmp_path / "exports"
    folder.mkdir()
    exporter = Exporter(log.engine, secrets, log.sequencer, audit, log_name=LOG_NAME, keys=log.verifier_keys)
    span = exporter.find_span()
    for form in SEALED:
        exporter.write(
            folder / f"{form}{exporter.suffix(form)}",
            span,
            Request(form, opened=False, author="Ada", origin=BACKGROUND),
        )
    write_by_schedule(log, exporter, folder)
    exporter.write(tmp_path / "opened.jsonl", span, Request("jsonl", opened=True, author="Ada", origin=BACKGROUND))
    opened = (tmp_path / "opened.jsonl").read_text()
    assert all(value in opened for value in VALUES if value != "林薇")  # the twin: it is there to be read
    (tmp_path / "opened.jsonl").unlink()
    keys = read_keys(log)
    before = read_files(log.engine, with_wal=False)
    assert all(find(key, before) for key in keys.values())

    erase(log)
    places = {"the database": read_files(log.engine, with_wal=False), "its rows": read_rows(log.engine)}
    places |= {file.name: read_members(file) for file in folder.iterdir()}
    assert len(places) == 2 + len(SEALED) * 2
    found = {place: [each for each in VALUES if find(each.encode(), said)] for place, said in places.items()}
    assert {place: said for place, said in found.items() if said} == {}
    assert not [name for name, key in keys.items() for said in places.values() if find(key, said)]
    assert all(find(b"plain-rule", said) for place, said in places.items())

    assert verify_log(log.engine, Scope(log.verifier_keys, secrets.mac_key)).size > len(happened)
    check_old_exports(log, folder, len(happened))


def make_other():
    event = next(each for each in every_event() if each.name == "exchange.issued")
    return dataclasses.replace(event, subject="other", person="Somebody Else", role_session_name="other")


def keep_elsewhere(log, tmp_path):
    """Let everything that goes by the log write what it keeps."""
    watcher = AlertWatcher(log.engine, log.secrets.open_all, log.clock, AlertRules(("*",), SIGNATURE_CODES), {})
    watcher.look()
    SavedSearches(log.engine, log.secrets).save(log.secrets.subject_digest(ISSUER, "other"), "qzx", Search(person=NAME))
    cursor = Cursor(log.engine, "forwarding/siem", log.clock)
    cursor.note_failure(cursor.begin(3), "the receiver said 500")
    (tmp_path / "trail").mkdir()
    (tmp_path / "trail" / "a.json").write_text(json.dumps([trail_event(number) for number in range(3)]))
    importer = TrailImport(log.engine, log.secrets, strays.Scope(GOVERNED, OUR_PROVIDERS), log.clock)
    assert importer.run(find_files([tmp_path / "trail"])).kept == 3
    (tmp_path / "trail" / "a.json").unlink()


def write_by_schedule(log, exporter, folder):
    plans = [Plan(f"daily-{form}", form, "day", "00:00", folder, opened=False) for form in SEALED]
    schedule = Schedule(plans, exporter, log.engine, log.clock)
    schedule.write_due()
    with log.engine.begin() as connection:  # as if it had been there before the first record
        connection.execute(text("UPDATE audit_forwarding SET position = 0 WHERE target LIKE 'export/%'"))
    log.clock.advance(86_400)
    assert len(schedule.write_due()) == len(SEALED)


def read_keys(log):
    """Return by its name each key but those of others, as it is kept."""
    digest, others = log.secrets.digest, ((ISSUER, "other"), ("", "Ada"), ("", "schedule"))
    left = {f"subject/{log.secrets.subject_digest(*other)}" for other in others} | {"digest", "mac"}
    left.add(f"address/{digest('address', IN_THE_OFFICE)}")
    with log.engine.connect() as connection:
        return {row.name: row.sealed for row in connection.execute(select(tables.keys)) if row.name not in left}


def erase(log):
    """Erase the person, also as whoever gave commands: such a one has a name alone."""
    erasure = Erasure(log.engine, log.secrets, log.build_log(), log.sequencer)
    known = erasure.find(NAME)
    assert sorted(each.label["subject"] for each in known) == sorted([NAME, SUBJECT])
    for each in known:
        erasure.erase(each, "root")
    assert erasure.overwrite() == []


def read_rows(engine):
    """Return what stands in all tables: PostgreSQL may have compressed it in the files."""
    with engine.connect() as connection:
        names = inspect(engine).get_table_names()
        rows = [repr(tuple(row)) for name in names for row in connection.execute(text(f'SELECT * FROM "{name}"'))]
    return "\n".join(rows).encode()


def read_members(file):
    """Return a file's bytes, with those of what is packed in it."""
    content = file.read_bytes()
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            content += b"".join(archive.read(name) for name in archive.namelist())
    return content


def check_old_exports(log, folder, count):
    """Old exports verify, and the log's own keys do not open them any more."""
    key = str(log.verifier_keys[0])
    for bundle in folder.glob("*.zip"):
        with zipfile.ZipFile(bundle) as archive:
            program = folder.parent / "verify_bundle.py"
            program.write_bytes(archive.read("verify_bundle.py"))
            lines = archive.read("records.jsonl").splitlines()
        command = [sys.executable, "-I", "-S", program, bundle, "--key", key]
        done = subprocess.run(command, capture_output=True, text=True, env={}, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        check_opened(log, [json.loads(line) for line in lines])
    for file in folder.glob("*.jsonl"):
        if "ocsf" not in file.name:
            check_opened(log, [json.loads(line) for line in file.read_text().splitlines()])


def check_opened(log, sealed):
    opened = open_log(log.engine).secrets.open_all(sealed)  # another process, which remembers no key
    told = [each for each in opened if "erased" not in each and each.get("person")]
    assert {each["person"] for each in told} == {"Somebody Else"}
    assert sum(each.get("erased", False) for each in opened) > 30
