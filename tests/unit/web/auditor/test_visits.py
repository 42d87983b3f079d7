"""What auditors look at is recorded before it is shown: once an hour for each of them, and nothing is left out."""

import pytest
from flask import Flask, g
from sqlalchemy import text

from bridge.audit.database import open_database
from bridge.audit.search.query import Search
from bridge.errors import AuditUnavailable
from bridge.sessions.session import Session
from bridge.web.access import Access
from bridge.web.auditor import visits as module
from bridge.web.auditor.visits import Visits
from tests.audit_log import open_log
from tests.factories import make_identity
from tests.live_store import MovableClock


class Looking:
    """An auditor's requests, each of which a guard has let in already."""

    def __init__(self, engine):
        self.engine = engine
        self.clock = MovableClock()
        self.opened = open_log(engine, self.clock)
        self.visits = Visits(Access(None, None, None, None, ""), self.opened.build_log(), self.clock)
        self.app = Flask(__name__)

    def look(self, subject="lin.wei", *, person=None, **search):
        now = self.clock.now()
        with self.app.test_request_context():
            g.session = Session(make_identity(subject=subject), now, now, now, "token")
            g.auditor = True
            if person:
                self.visits.record_person(person)
            else:
                self.visits.record_search(Search(**search))

    def count(self):
        return len(self.opened.reader.after(-1, 1_000))


@pytest.fixture
def looking(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path}/audit.db")
    yield Looking(engine)
    engine.dispose()


@pytest.mark.parametrize("what", [{"person": "ab" * 16}, {"code": "saml_expired"}], ids=["a person", "a search"])
def test_the_same_is_recorded_once_an_hour_for_each_auditor(looking, what):
    looking.look(**what)
    looking.clock.advance(3_599)
    looking.look(**what)
    assert looking.count() == 1
    looking.look("sofia", **what)
    assert looking.count() == 2
    looking.clock.advance(1)
    looking.look(**what)
    assert looking.count() == 3


def test_another_value_of_the_same_filter_is_another_search(looking):
    looking.look(person=None, address="203.0.113.7")
    looking.look(person=None, address="203.0.113.8")
    assert [each["asked"] for each in looking.opened.reader.after(-1, 10)] == [["address"], ["address"]]


@pytest.mark.parametrize(
    "field", ["person", "address", "session_name", "text", "access_key_id", "request_id", "reference"]
)
def test_what_says_of_whom_is_recorded_by_its_name_alone(looking, field):
    with looking.app.test_request_context():
        g.session = Session(make_identity(), *[looking.clock.now()] * 3, "token")
        g.auditor = True
        looking.visits.record_search(Search(**{field: "tell-tale"}, code="saml_expired"))
    [record] = looking.opened.reader.after(-1, 10)
    assert sorted(record["asked"]) == sorted(["code saml_expired", field])


def test_what_could_not_be_recorded_is_not_taken_for_recorded(looking):
    with looking.engine.begin() as connection:
        connection.execute(text("CREATE TRIGGER full BEFORE INSERT ON audit_records BEGIN SELECT RAISE(FAIL, ''); END"))
    with pytest.raises(AuditUnavailable):
        looking.look(code="saml_expired")
    with looking.engine.begin() as connection:
        connection.execute(text("DROP TRIGGER full"))
    looking.look(code="saml_expired")
    assert looking.count() == 1


def test_what_was_looked_at_longest_ago_is_forgotten_first(looking, monkeypatch):
    monkeypatch.setattr(module, "_REMEMBERED", 2)
    for code in ("one", "two", "three", "two", "one"):
        looking.look(code=code)
    assert [each["asked"] for each in looking.opened.reader.after(-1, 10)] == [
        ["code one"],
        ["code two"],
        ["code three"],
        ["code one"],
    ]
