"""T-AUD-04: a clock that is set back is recorded, and nobody signs in until it is beyond the last record again."""

from datetime import timedelta

import pytest

from bridge.audit import writer
from bridge.audit.events import Origin, SessionEnded, SignInAccepted
from bridge.errors import ClockBehind
from bridge.settings.audit import AuditSettings
from tests.audit_log import open_log
from tests.live_store import MovableClock

ORIGIN = Origin("REF", "192.0.2.7")
WHO = {"provider": "acme", "issuer": "https://idp.example", "subject": "s", "person": "Lin Wei"}
ACCEPTED = SignInAccepted(
    **WHO, protocol="saml", message_id="_1", authenticated_at="", session_index=None, solicited=True
)
ENDED = SessionEnded(**WHO)


@pytest.fixture
def clock():
    return MovableClock()


@pytest.fixture
def opened(audit_database, clock):
    return open_log(audit_database(), clock)


def names(opened):
    return [record["event"] for record in opened.reader.last(100)]


@pytest.mark.parametrize("seconds", [6, 3_600])
def test_t_aud_04_a_sign_in_after_a_step_back_is_refused_and_leaves_no_record(opened, clock, seconds):
    log = opened.build_log()
    log.append(ORIGIN, ACCEPTED)
    before = clock.moment
    clock.moment -= timedelta(seconds=seconds)
    with pytest.raises(ClockBehind):
        log.append(ORIGIN, ACCEPTED, ENDED)
    with pytest.raises(ClockBehind):
        log.check_clock()
    clock.moment = before
    with pytest.raises(ClockBehind):
        log.append(ORIGIN, ACCEPTED)
    clock.moment = before + timedelta(microseconds=1)
    log.check_clock()
    log.append(ORIGIN, ACCEPTED)
    assert names(opened) == ["sign_in.accepted", "clock.stepped_back", "sign_in.accepted"]


def test_t_aud_04_the_record_says_by_how_much_and_where(opened, clock):
    log = opened.build_log()
    log.append(ORIGIN, ENDED)
    clock.moment -= timedelta(minutes=2)
    log.append(ORIGIN, ENDED)
    log.append(ORIGIN, ENDED)
    records = opened.reader.last(100)
    assert sorted(record["event"] for record in records) == ["clock.stepped_back", *["session.ended"] * 3]
    [step] = [record for record in records if record["event"] == "clock.stepped_back"]
    assert (step["seconds"], step["latest"], step["number"]) == (120, records[0]["time"], 2)
    assert step["node"]


@pytest.mark.parametrize("seconds", [0, 1, 5])
def test_a_clock_that_is_adjusted_a_little_stops_nobody(opened, clock, seconds):
    log = opened.build_log()
    log.append(ORIGIN, ACCEPTED)
    clock.moment -= timedelta(seconds=seconds)
    log.check_clock()
    log.append(ORIGIN, ACCEPTED)
    assert "clock.stepped_back" not in names(opened)


def test_t_aud_04_a_process_that_starts_after_the_step_finds_it_too(opened, clock):
    opened.build_log().append(ORIGIN, ACCEPTED)
    clock.moment -= timedelta(hours=1)
    log = opened.build_log()
    with pytest.raises(ClockBehind):
        log.append(ORIGIN, ACCEPTED)
    with pytest.raises(ClockBehind):
        log.check_clock()
    assert "clock.stepped_back" in names(opened)


def test_t_aud_04_a_process_that_was_silent_learns_how_late_it_was_for_the_others(opened, clock, monkeypatch):
    monkeypatch.setattr(writer, "LOOK_SECONDS", 0)
    silent, busy = opened.build_log(), opened.build_log()
    silent.append(ORIGIN, ACCEPTED)
    clock.advance(600)
    busy.append(ORIGIN, ACCEPTED)
    clock.advance(-300)
    with pytest.raises(ClockBehind):
        silent.append(ORIGIN, ACCEPTED)
    clock.advance(301)
    silent.append(ORIGIN, ACCEPTED)
    assert names(opened).count("sign_in.accepted") == 3


def test_t_aud_04_commands_between_do_not_hide_what_the_service_wrote_last(opened, clock):
    service = opened.build_log()
    service.append(ORIGIN, ACCEPTED)
    for _ in range(writer.PROCESSES):
        opened.build_log().append(ORIGIN, ENDED)
    clock.advance(3_600)
    service.append(ORIGIN, ACCEPTED)
    opened.sequencer.catch_up()
    clock.advance(-1_800)
    with pytest.raises(ClockBehind):
        opened.build_log().append(ORIGIN, ACCEPTED)


def test_another_machine_s_clock_is_not_this_one_s(opened, clock, monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "another")
    opened.build_log().append(ORIGIN, ACCEPTED)
    monkeypatch.undo()
    clock.moment -= timedelta(hours=1)
    opened.build_log().append(ORIGIN, ACCEPTED)
    assert sorted(names(opened)) == ["sign_in.accepted", "sign_in.accepted"]


def test_how_much_is_too_much_can_be_set(opened, clock):
    log = opened.build_log(AuditSettings(max_clock_step_seconds=60))
    log.append(ORIGIN, ACCEPTED)
    clock.moment -= timedelta(seconds=60)
    log.append(ORIGIN, ACCEPTED)
    clock.moment -= timedelta(seconds=1)
    with pytest.raises(ClockBehind):
        log.append(ORIGIN, ACCEPTED)
