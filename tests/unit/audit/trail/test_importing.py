"""Import of files into the database: each event once, in whatever order they come, and nothing more than is needed."""

import gzip
import json
import os
from datetime import datetime

import pytest
from sqlalchemy import func, select

from bridge.audit.database import open_database
from bridge.audit.trail.importing import TrailImport
from bridge.audit.trail.reading import find_files
from bridge.audit.trail.store import find_stored_strays
from bridge.audit.trail.strays import Scope
from bridge.audit.trail.tables import addresses, calls, credentials
from bridge.clock import SystemClock
from tests.audit_log import open_log
from tests.synthetic_trail import GOVERNED, OUR_PROVIDERS, LogClock, record, synthesize

EVENTS = int(os.environ.get("RAMBRIDGE_TEST_TRAIL_EVENTS", "2000"))
SCOPE = Scope(GOVERNED, OUR_PROVIDERS)


@pytest.fixture(scope="module")
def trail():
    return synthesize(EVENTS, seed=5)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "trail").mkdir()
    return tmp_path / "trail"


@pytest.fixture
def log(tmp_path, trail):
    """An audit log that has recorded what left."""
    engine = open_database(f"sqlite:///{tmp_path}/audit.db")
    yield _fill(engine, trail)
    engine.dispose()


@pytest.fixture
def either_log(audit_tables, trail):
    """The same on both databases."""
    return _fill(audit_tables(), trail)


def _fill(engine, trail):
    clock = LogClock()
    opened = open_log(engine, clock)
    record(trail.log, opened.build_log(), clock)
    opened.sequencer.catch_up()
    return opened


def open_import(log):
    return TrailImport(log.engine, log.secrets, SCOPE, SystemClock())


def read_all(log, table):
    with log.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(select(table).order_by(table.c[0]))]


def read_chained(log):
    query = select(credentials.c.name).where(credentials.c.way == "chained")
    with log.engine.connect() as connection:
        return set(connection.execute(query).scalars())


def find_strays(log):
    return {stray.credentials.name: stray.reason for stray in find_stored_strays(log.engine, SCOPE)}


def test_all_planted_strays_are_found_and_nothing_else_is_called_one(either_log, trail, folder):
    trail.write(folder, per_file=EVENTS // 4)
    report = open_import(either_log).run(find_files([folder]))
    assert find_strays(either_log) == trail.strays
    assert {stray.credentials.name for stray in report.new_strays} == trail.strays.keys()
    assert read_chained(either_log) == trail.chained
    assert report.read == len(trail.events)
    assert not report.unreadable

    before = [read_all(either_log, table) for table in (calls, credentials, addresses)]
    again = open_import(either_log).run(find_files([folder]))
    assert [read_all(either_log, table) for table in (calls, credentials, addresses)] == before
    assert (again.kept, again.new_strays) == (0, [])


def test_nothing_depends_on_the_order_of_events_or_files(log, trail, folder):
    half = len(trail.events) // 2
    for number, part in enumerate((trail.events[half:], trail.events[:half])):
        text = "\n".join(json.dumps(event) for event in reversed(part))
        (folder / f"{number}.gz").write_bytes(gzip.compress(text.encode()))
    report = open_import(log).run(find_files([folder]))
    assert find_strays(log) == trail.strays
    assert read_chained(log) == trail.chained
    with log.engine.connect() as connection:
        kept = connection.execute(select(func.count()).select_from(calls)).scalar()
        counted = connection.execute(select(func.sum(credentials.c.calls))).scalar()
    assert report.kept == kept == counted
    assert open_import(log).run(find_files([folder])).kept == 0


def test_a_file_that_is_cut_off_stops_no_other_and_can_be_imported_later(log, trail, folder):
    text = json.dumps(trail.events).encode()
    (folder / "a.json").write_bytes(text[:-1_000])
    (folder / "b.json").write_text(json.dumps(trail.events[-1]))
    report = open_import(log).run(find_files([folder]))
    assert [str(folder / "a.json") in error.detail for error in report.unreadable] == [True]
    (folder / "a.json").write_bytes(text)
    assert open_import(log).run(find_files([folder])).unreadable == []
    assert find_strays(log) == trail.strays


def test_calls_of_others_are_not_kept(log, trail, folder):
    (folder / "a.json").write_text(json.dumps(trail.events))
    open_import(log).run(find_files([folder]))
    with log.engine.connect() as connection:
        rows = connection.execute(select(credentials).where(credentials.c.number.in_(select(calls.c.credentials))))
        for row in rows:
            assert row.way or (row.account, row.role) in GOVERNED


def test_no_name_and_no_address_is_readable_in_the_tables(log, trail, folder):
    (folder / "a.json").write_text(json.dumps(trail.events))
    open_import(log).run(find_files([folder]))
    stored = str([read_all(log, table) for table in (calls, credentials, addresses)])
    names = {event["sourceIpAddress"] for event in trail.events} | {each.session_name for each in trail.log}
    assert [name for name in names if name in stored] == []
    assert "203.0.113.0/24" in stored


def test_nothing_is_called_a_stray_before_what_may_come_late(log, trail, folder):
    """The twin: the same events, when younger ones were imported."""
    last = max(event["eventTime"] for event in trail.events)
    (folder / "a.json").write_text(json.dumps([event for event in trail.events if event["eventTime"] < last]))
    (folder / "b.json").write_text(json.dumps([event for event in trail.events if event["eventTime"] == last]))
    assert open_import(log).run(find_files([folder / "a.json"])).new_strays != trail.strays
    newest = max(event["eventTime"] for event in json.loads((folder / "a.json").read_text()))
    assert all(stray.credentials.first < _hour_before(newest) for stray in find_stored_strays(log.engine, SCOPE))
    open_import(log).run(find_files([folder / "b.json"]))
    assert find_strays(log) == trail.strays


def _hour_before(time):
    return int(datetime.fromisoformat(time).timestamp() - 3_600) * 1_000_000 + 1


def test_an_event_of_a_time_that_has_not_come_makes_no_stray_of_what_waits(log, trail, folder):
    waiting = next(iter(trail.strays))
    until = min(event["eventTime"] for event in trail.events if waiting in json.dumps(event))
    (folder / "a.json").write_text(json.dumps([event for event in trail.events if event["eventTime"] <= until]))
    open_import(log).run(find_files([folder / "a.json"]))
    before = find_strays(log)
    assert waiting not in before
    event = {**trail.events[0], "eventId": "of-next-century", "eventTime": "2126-01-01T00:00:00Z"}
    (folder / "b.json").write_text(json.dumps([event]))
    assert open_import(log).run(find_files([folder / "b.json"])).unusable == 1
    assert find_strays(log) == before


def test_without_any_record_nothing_is_called_a_stray(tmp_path, trail, folder):
    log = open_log(open_database(f"sqlite:///{tmp_path}/empty.db"))
    (folder / "a.json").write_text(json.dumps(trail.events))
    assert open_import(log).run(find_files([folder])).new_strays == []
