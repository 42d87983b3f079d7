"""What still lives of what was handed out is what the audit log says of it, until its end and not a moment longer."""

from datetime import timedelta

import pytest

from bridge.audit import events
from bridge.audit.database import open_database
from bridge.audit.events import Origin
from bridge.audit.search.upkeep import index_rows
from bridge.audit.sequencer import Sequencer
from bridge.audit_log import OpenedLog
from bridge.clock import format_utc
from bridge.web.handed_out import find_handed_out
from tests.audit_log import open_log
from tests.live_store import MovableClock

WHO = {"provider": "acme", "issuer": "https://idp.example", "subject": "lin.wei", "person": "林薇"}
WHAT = {"account": "production", "entitlement": "role ReadOnly"}
WHY = {"rule": "10.yaml:daily", "rules_version": "f" * 64}
SHARED = {"role_session_name": "lin.wei", "duration_seconds": 3600, "decided_by": "default"}


class Log:
    """A log of its own, with a clock that a test moves."""

    def __init__(self, engine):
        self.clock = MovableClock()
        opened = open_log(engine, self.clock)
        indexed = Sequencer(engine, None, self.clock, index_rows=index_rows)
        self.opened = OpenedLog(engine, opened.secrets, indexed, self.clock)
        self.log = self.opened.build_log()

    def write(self, *happened, reference="AAAA-AAAA-AAAA"):
        self.log.append(Origin(reference, "192.0.2.7"), *happened)

    def issue(self, key, **changes):
        ends = format_utc(self.clock.moment.replace(microsecond=0) + timedelta(hours=1))
        fields = WHO | WHAT | WHY | SHARED | {"trust": "saml", "access_key_id": key, "expires_at": ends}
        return events.ExchangeIssued(**fields | {"sts_request_id": "R"} | changes)

    def deliver(self, key, **changes):
        return events.CredentialsDelivered(**WHO | WHAT | {"access_key_id": key} | changes)

    def open_console(self, **changes):
        return events.ConsoleOpened(**WHO | WHAT | WHY | SHARED | {"way": "saml", "assertion_id": "_1"} | changes)

    def find(self, subject="lin.wei", *, complete=True):
        digest = self.opened.secrets.subject_digest(WHO["issuer"], subject)
        found, all_of_it = find_handed_out(self.opened.search, digest, self.clock)
        assert all_of_it is complete
        return found


@pytest.fixture
def log(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path}/audit.db")
    yield Log(engine)
    engine.dispose()


def test_credentials_live_until_the_end_that_was_issued(log):
    log.write(log.issue("STS.one"), log.deliver("STS.one"))
    [one] = log.find()
    assert (one.kind, one.account, one.name, one.access_key_id) == ("credentials", "production", "ReadOnly", "STS.one")
    assert (one.address, one.reference) == ("192.0.2.7", "AAAA-AAAA-AAAA")
    log.clock.advance(3590)
    assert log.find() == [one]
    log.clock.advance(11)
    assert log.find() == []


def test_what_was_issued_and_never_handed_over_is_not_listed(log):
    log.write(log.issue("STS.one"))
    assert log.find() == []


def test_credentials_that_requests_share_are_listed_once(log):
    log.write(log.issue("STS.one"), log.deliver("STS.one"))
    log.clock.advance(60)
    log.write(log.deliver("STS.one"), reference="BBBB-BBBB-BBBB")
    assert [each.reference for each in log.find()] == ["BBBB-BBBB-BBBB"]


def test_a_roles_console_is_listed_once_by_its_last_end(log):
    log.write(log.open_console())
    log.clock.advance(1800)
    log.write(log.open_console(), reference="BBBB-BBBB-BBBB")
    log.clock.advance(2000)
    [one] = log.find()
    assert (one.kind, one.reference, one.access_key_id) == ("console", "BBBB-BBBB-BBBB", "")
    log.clock.advance(1700)
    assert log.find() == []


def test_how_often_a_roles_console_was_opened_counts_what_has_not_ended(log):
    for opened in (1, 2, 3):
        log.write(log.open_console())
        assert [each.times for each in log.find()] == [opened]
        log.clock.advance(1500)
    assert [each.times for each in log.find()] == [2]


def test_more_than_is_looked_at_is_said_to_be_not_all(log, monkeypatch):
    monkeypatch.setattr("bridge.web.handed_out.MOST_RECORDS", 2)
    log.write(log.issue("STS.one"), log.deliver("STS.one"), log.deliver("STS.one"))
    assert len(log.find()) == 1
    log.write(log.deliver("STS.one"))
    assert log.find(complete=False)[0].times == 2


def test_a_console_by_token_ends_with_the_credentials_behind_it(log):
    log.write(log.issue("STS.one"), log.open_console(way="token", access_key_id="STS.one", duration_seconds=43_200))
    assert [each.kind for each in log.find()] == ["console"]
    log.clock.advance(3601)
    assert log.find() == []


def test_nobody_sees_what_was_handed_to_somebody_else(log):
    other = {"subject": "sofia", "person": "Sofia"}
    log.write(log.issue("STS.one", **other), log.deliver("STS.one", **other))
    assert log.find() == []
    assert len(log.find("sofia")) == 1
