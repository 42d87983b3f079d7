"""T-AUD-07: a flood of refusals is summed up; what was granted never is."""

import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest

from bridge.audit import repetitions
from bridge.audit.database import open_database
from bridge.audit.events import AdministrationRefused, Origin, SessionEnded, SignInRefused
from bridge.audit.log import AuditLog
from bridge.audit.repetitions import Repetitions
from tests.audit_log import open_log

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
HERE = Origin("REF", "192.0.2.7")


def refused(code="saml_signature", provider="acme"):
    return SignInRefused(provider=provider, protocol="saml", code=code, detail="the signature is not right")


def denied(subject):
    return AdministrationRefused("acme", "i", subject, subject, page="/admin", code="web_forbidden")


class Stopwatch:
    seconds = 0.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def watch():
    return Stopwatch()


@pytest.fixture
def counter(watch):
    return Repetitions(3, watch)


def test_t_aud_07_more_than_the_quota_of_a_minute_become_one_record(counter, watch):
    assert [counter.count(HERE, refused(), NOW) for _ in range(5)] == [False] * 3 + [True] * 2
    watch.seconds = 59.9
    assert counter.take() == []
    watch.seconds = 60.0
    [(origin, event)] = counter.take()
    assert (origin.source_address, event.refused) == ("192.0.2.7", True)
    assert (event.of_event, event.code, event.times) == ("sign_in.refused", "saml_signature", 2)
    assert event.since == "2026-11-29T12:00:00.000000Z"
    assert counter.count(HERE, refused(), NOW) is False
    watch.seconds = 200.0
    assert counter.take() == [], "nothing was too much in this one"


@pytest.mark.parametrize(
    ("origin", "event"),
    [
        (Origin("REF", "192.0.2.8"), refused()),
        (HERE, refused("saml_expired")),
        (HERE, refused(provider="other")),
        (HERE, denied("alice")),
    ],
)
def test_another_source_kind_or_person_is_counted_for_itself(counter, origin, event):
    for _ in range(5):
        counter.count(HERE, refused(), NOW)
        counter.count(HERE, denied("bob"), NOW)
    assert counter.count(origin, event, NOW) is False


def test_t_aud_07_addresses_of_one_ipv6_customer_are_one_source(counter):
    answers = [counter.count(Origin("R", f"2001:db8:1:2::{each}"), refused(), NOW) for each in range(5)]
    assert answers == [False] * 3 + [True] * 2


def test_t_aud_07_what_is_no_refusal_is_always_recorded(counter):
    ended = SessionEnded("acme", "i", "s", "n")
    assert not any(counter.count(HERE, ended, NOW) for _ in range(100))


def test_t_aud_07_so_many_sources_that_they_cannot_be_counted_are_recorded_one_by_one(counter, monkeypatch):
    monkeypatch.setattr(repetitions, "MOST_SOURCES", 2)
    for address in ("192.0.2.1", "192.0.2.2"):
        counter.count(Origin("R", address), refused(), NOW)
    assert not any(counter.count(HERE, refused(), NOW) for _ in range(10))


def test_t_aud_07_a_flood_leaves_its_quota_and_a_sum_and_every_success(audit_database, monkeypatch):
    monkeypatch.setattr(repetitions, "PERIOD_SECONDS", 0.5)
    opened = open_log(audit_database())
    log, minute = AuditLog(opened.engine, opened.secrets, opened.clock, refusals_per_minute=3), [0.0]
    log._repetitions._monotonic = lambda: minute[0]  # it stands for the length of the flood
    for _ in range(50):
        log.append(HERE, refused())
    for _ in range(10):
        log.append(HERE, SessionEnded("acme", "i", "s", "n"))
    minute[0] = 1.0
    deadline = 200
    while (records := opened.reader.last(100))[-1]["event"] != "repeated.refused" and deadline:
        deadline -= 1
        time.sleep(0.05)
    names = [record["event"] for record in records]
    assert names == ["sign_in.refused"] * 3 + ["session.ended"] * 10 + ["repeated.refused"]
    assert (records[-1]["times"], records[-1]["source_address"]) == (47, "192.0.2.7")
    assert opened.reader.latest_sign_ins(100) != []


ENDING = """
import os, sys
from bridge.audit.database import open_database
from bridge.audit.events import Origin, SignInRefused
from bridge.audit.log import AuditLog
from tests.audit_log import open_log

opened = open_log(open_database(sys.argv[1]))
log = AuditLog(opened.engine, opened.secrets, opened.clock, refusals_per_minute=1)
for _ in range(5):
    log.append(Origin("REF", "192.0.2.7"), SignInRefused(provider="acme", protocol="saml", code="c", detail="d"))
child = os.fork()  # what the parent counted is the parent's
if child:
    assert os.waitpid(child, 0)[1] == 0
"""


def test_t_aud_07_a_process_that_is_told_to_end_sums_up_what_it_counted(tmp_path):
    url = f"sqlite:///{tmp_path}/audit.db"
    subprocess.run([sys.executable, "-c", ENDING, url], check=True)
    records = open_log(open_database(url)).reader.last(10)
    assert [record["event"] for record in records] == ["sign_in.refused", "repeated.refused"]
    assert records[-1]["times"] == 4
