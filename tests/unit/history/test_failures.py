"""The database goes away: nobody waits, the log says so, what waits is bounded, and it goes on by itself."""

import logging
import re
import time

import pytest

from bridge.database import open_engine
from bridge.history import writer as writer_module
from tests.unit.history.test_history import PLATFORM, note, read_all, wait_until


@pytest.fixture
def folder(tmp_path):
    """Return the folder of the database: without it, SQLite cannot open the file."""
    return tmp_path / "database"


@pytest.fixture
def engine(folder, monkeypatch):
    monkeypatch.setattr(writer_module, "RETRY_SECONDS", 0.05)
    engine = open_engine(f"sqlite:///{folder}/bridge.db")
    folder.rmdir()
    yield engine
    engine.dispose()


@pytest.fixture
def compiled(rules):
    return rules.compile(PLATFORM)


@pytest.fixture
def begin(engine, compiled, start):
    """Return a function that starts the history: what it logs then belongs to the test."""
    return lambda: start(engine, compiled)


def test_sign_ins_wait_in_memory_while_the_database_is_away(begin, folder, compiled, clock, caplog):
    history = begin()
    began = time.perf_counter()
    for number in range(5):
        note(history, compiled, clock, subject=f"s{number}")
    assert time.perf_counter() - began < 0.5
    assert not history.flush(0.3)
    folder.mkdir()
    assert len(read_all(history, clock)) == 5
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(said) == 2, "once when it begins, once when it is over"
    assert "cannot be kept for previews: OperationalError" in said[0]
    assert said[1].endswith("again; 0 were dropped meanwhile")


@pytest.mark.usefixtures("few_may_wait")
def test_no_more_than_a_bound_waits_and_the_log_says_how_many_were_dropped(begin, folder, compiled, clock, caplog):
    history = begin()
    assert wait_until(lambda: "cannot be kept" in caplog.text)
    for number in range(10):
        note(history, compiled, clock, subject=f"s{number}")
    folder.mkdir()
    kept = {each.identity.subject for each in read_all(history, clock)}
    dropped = int(re.search(r"again; (\d+) were dropped", caplog.text)[1])
    assert 6 <= dropped <= 7, "the thread may have taken one out of the queue already"
    assert kept == {f"s{number}" for number in range(10 - dropped)}


@pytest.fixture
def few_may_wait(monkeypatch):
    monkeypatch.setattr(writer_module, "WAITING", 3)


def test_what_cannot_be_written_at_all_is_dropped_and_the_rest_goes_on(begin, folder, compiled, clock, caplog):
    history = begin()
    folder.mkdir()
    note(history, compiled, clock, claims={"groups": [float("nan")]})
    assert history.flush(5)
    note(history, compiled, clock, subject="next")
    assert [each.identity.subject for each in read_all(history, clock)] == ["next"]
    assert "could not be kept for previews: ValueError" in caplog.text
    assert "1 were dropped" in caplog.text
