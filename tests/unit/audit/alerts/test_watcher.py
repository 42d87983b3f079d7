"""Alerts over a real log: which records make one, once only, and told once."""

import base64
import hmac
import json
import threading
import time
from dataclasses import dataclass, field
from typing import get_args

import pytest
from sqlalchemy import event, select

from bridge.audit import events, repetitions
from bridge.audit.alerts import watcher
from bridge.audit.alerts.board import AlertBoard
from bridge.audit.alerts.conditions import CheckpointLate
from bridge.audit.alerts.counting import Threshold
from bridge.audit.alerts.delivery import AlertDelivery
from bridge.audit.alerts.rules import SUMMARIES, AlertRules, Kind, Signal
from bridge.audit.alerts.tables import alerts
from bridge.audit.alerts.watcher import AlertWatcher
from bridge.audit.database import open_database
from bridge.audit.events import BACKGROUND, Origin
from bridge.audit.forwarding.webhook import Webhook
from bridge.audit.log import AuditLog
from bridge.audit_tasks import SIGNATURE_CODES
from bridge.errors import ForwardingFailed
from bridge.outbound import Outbound
from bridge.settings.audit_alerts import AlertKind
from tests.audit_log import open_log
from tests.fakes.receivers import HTTPReceiver
from tests.live_store import MovableClock

ORIGIN = Origin("1A2B-3C4D-5E6F", "192.0.2.7")
LIN = {"provider": "acme", "issuer": "https://idp.example", "subject": "lin", "person": "林薇"}
RULES = AlertRules(("*/BreakGlass*",), SIGNATURE_CODES)
BURST = {"refused_signatures": Threshold(3, 60_000_000)}


@pytest.fixture
def log(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path}/audit.db")
    yield open_log(engine, MovableClock())
    engine.dispose()


@pytest.fixture
def either_log(audit_tables):
    """The same on both databases, for what differs between them."""
    return open_log(audit_tables(), MovableClock())


def watch(log, **options):
    return AlertWatcher(log.engine, log.secrets.open_all, log.clock, RULES, BURST, **options)


def write(log, *happened):
    log.build_log().append(ORIGIN, *happened)
    log.sequencer.catch_up()


def found(log):
    return [(each.kind, each.count) for each in reversed(AlertBoard(log.engine).latest())]


def issued(role="ReadOnly", **changes):
    return events.ExchangeIssued(
        **LIN
        | {
            "account": "production",
            "entitlement": f"role {role}",
            "rule": "r",
            "rules_version": "v",
            "trust": "saml",
            "role_session_name": "lin@example.com",
            "access_key_id": "STS.1",
            "expires_at": "",
            "duration_seconds": 3600,
            "decided_by": "rule",
            "sts_request_id": "R",
        }
        | changes
    )


def refused(code="saml_signature_invalid"):
    return events.SignInRefused("acme", "saml", code, "no")


def resolved(**changes):
    return events.EntitlementsResolved(**LIN | changes, rules_version="v", granted=())


def changed(version="v2"):
    return events.RulesPromoted(version, "v1", "lin", message="", diff_digest="d", diff=())


def taken(version):
    return events.RulesTaken(version, "", "node", message="", diff_digest="d", diff=())


def imported(strays):
    return events.TrailImported(1, ("d",), 5, 3, "", "", strays, ("production/Admin STS.x",) * strays)


@pytest.mark.parametrize(
    ("happened", "kinds"),
    [
        pytest.param([issued("BreakGlass1")], ["break_glass"], id="a role for emergencies"),
        pytest.param([issued()], [], id="any other role"),
        pytest.param([issued("Admin")], ["first_privileged_use"], id="a privileged role for the first time"),
        pytest.param([refused()] * 3, ["refused_signatures"], id="as many wrong signatures as make a burst"),
        pytest.param([refused()] * 2, [], id="fewer wrong signatures"),
        pytest.param([refused("saml_expired")] * 3, [], id="as many other refusals"),
        pytest.param([resolved(administrator=True)], ["new_administrator"], id="an administrator"),
        pytest.param([resolved()], [], id="somebody who is none"),
        pytest.param([changed()], ["rules_changed"], id="other rules"),
        pytest.param([taken("v1")], [], id="the first rules"),
        pytest.param([taken("v1"), taken("v2")], ["rules_changed"], id="others that somebody made look like the first"),
        pytest.param([imported(2)], ["strays"], id="strays in an import"),
        pytest.param([imported(0)], [], id="an import without any"),
        pytest.param([events.ClockSteppedBack("node", 7, "")], ["clock_stepped_back"], id="a clock set back"),
    ],
)
def test_what_an_auditor_wants_to_know_is_an_alert_and_nothing_else(log, happened, kinds):
    write(log, *happened)
    watch(log).look()
    assert [kind for kind, _ in found(log)] == kinds


def test_a_kind_that_is_off_makes_no_alert(log):
    write(log, changed(), issued("BreakGlass1"))
    watch(log, off=frozenset({"rules_changed"})).look()
    assert found(log) == [("break_glass", 1)]


def test_an_administrator_is_new_once(log):
    write(log, resolved(administrator=True))
    watch(log).look()
    log.clock.advance(86_400)
    write(log, resolved(administrator=True), resolved(administrator=True, subject="wang", person="王"))
    watch(log).look()
    assert [kind for kind, _ in found(log)] == ["new_administrator", "new_administrator"]
    positions = [each.position for each in AlertBoard(log.engine).latest()]
    assert sorted(positions) == [0, 2]


def test_uses_of_one_emergency_are_one_alert_which_ends(log):
    for _ in range(3):
        write(log, issued("BreakGlass1"))
        watch(log).look()
        log.clock.advance(60)
    assert found(log) == [("break_glass", 3)]
    log.clock.advance(700)
    watch(log).look()
    (alert,) = AlertBoard(log.engine).latest()
    assert alert.ended == alert.last + 600_000_000
    write(log, issued("BreakGlass1"))
    watch(log).look()
    assert found(log) == [("break_glass", 3), ("break_glass", 1)]


@pytest.mark.parametrize(
    "refusal",
    [
        pytest.param(refused(), id="of a provider"),
        pytest.param(events.SignedCallRefused("AssumeRole", "STS.1", "SignatureDoesNotMatch", "d"), id="of a call"),
    ],
)
def test_t_aud_07_what_was_summed_up_makes_a_burst_with_what_was_not(log, monkeypatch, refusal):
    monkeypatch.setattr(repetitions, "PERIOD_SECONDS", 0.5)
    recording, minute = AuditLog(log.engine, log.secrets, log.clock, refusals_per_minute=2), [0.0]
    recording._repetitions._monotonic = lambda: minute[0]  # it stands until all have been refused
    for _ in range(3):
        recording.append(ORIGIN, refusal)
    minute[0] = 1.0
    deadline = time.monotonic() + 10
    while log.reader.last(1)[0]["event"] != "repeated.refused":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    watch(log).look()
    assert found(log) == [("refused_signatures", 3)]


def test_no_alert_is_opened_twice_however_often_a_process_begins_anew(either_log):
    write(either_log, changed(), *[refused()] * 2)
    for _ in range(3):
        watch(either_log).look()
    write(either_log, refused())
    for _ in range(3):
        watch(either_log).look()
    assert found(either_log) == [("rules_changed", 1), ("refused_signatures", 3)]


def test_no_alert_is_opened_twice_by_processes_that_look_at_once(either_log):
    """Even where each believes that it is its turn."""
    watchers = [watch(either_log) for _ in range(4)]
    for number in range(5):
        write(either_log, changed(f"v{number}"), issued("BreakGlass1"))
        barrier = threading.Barrier(len(watchers))

        def look(one, barrier=barrier):
            barrier.wait()
            one.look()

        threads = [threading.Thread(target=look, args=(each,)) for each in watchers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(found(either_log)) == [("break_glass", 5), *[("rules_changed", 1)] * 5]


@pytest.mark.parametrize("statement", ["UPDATE audit_alert_state", "INSERT INTO audit_alerts"])
def test_a_process_that_dies_on_the_way_leaves_nothing_half_done(either_log, statement):
    write(either_log, changed(), *[refused()] * 3)

    def die(_connection, _cursor, text, *_):
        if text.startswith(statement):
            raise KeyboardInterrupt

    event.listen(either_log.engine, "after_cursor_execute", die)
    with pytest.raises(KeyboardInterrupt):
        watch(either_log).look()
    event.remove(either_log.engine, "after_cursor_execute", die)
    assert found(either_log) == []
    watch(either_log).look()
    assert found(either_log) == [("rules_changed", 1), ("refused_signatures", 3)]


def test_a_condition_is_one_alert_for_as_long_as_it_holds(log):
    holds = [True]

    def condition(now):
        if holds[0]:
            yield Signal("verification_failed", "log", now, None, facts={"detail": "record 7"})

    for _ in range(20):
        watch(log, conditions=(condition,)).look()
        log.clock.advance(30)
    holds[0] = False
    log.clock.advance(601)
    watch(log, conditions=(condition,)).look()
    (alert,) = AlertBoard(log.engine).latest()
    assert alert.kind == "verification_failed"
    assert alert.ended is not None


def test_a_fault_that_nobody_thought_of_does_not_end_the_watch(log, monkeypatch):
    stop, looked = threading.Event(), []

    def find(_now):
        looked.append(1)
        if len(looked) == 1:
            raise KeyError("nobody thought of this")
        stop.set()
        return ()

    monkeypatch.setattr(watcher, "PERIOD_SECONDS", 0.01)
    thread = threading.Thread(target=watch(log, conditions=[find]).run_forever, args=(stop,), daemon=True)
    thread.start()
    thread.join(10)
    assert len(looked) == 2


def test_a_checkpoint_is_late_only_when_it_is(log):
    """Nothing signs in this log, so what counts is how old its first record is."""
    late = CheckpointLate(log.engine, 300)
    assert list(late(int(log.clock.now().timestamp() * 1_000_000))) == []
    write(log, changed())
    log.clock.advance(299)
    assert list(late(int(log.clock.now().timestamp() * 1_000_000))) == []
    log.clock.advance(2)
    (signal,) = late(int(log.clock.now().timestamp() * 1_000_000))
    assert signal.kind == "checkpoint_late"


def test_nothing_personal_is_in_an_alert(log):
    write(log, issued("BreakGlass1"), resolved(administrator=True), changed(), imported(1), *[refused()] * 3)
    watch(log).look()
    with log.engine.connect() as connection:
        stored = str(connection.execute(select(alerts)).all())
    assert [text for text in ("lin", "林薇", "192.0.2.7") if text in stored] == []


def test_each_kind_has_words_and_can_be_turned_off():
    assert set(get_args(Kind)) == set(SUMMARIES) == set(get_args(AlertKind))


@dataclass
class Receiver:
    """Takes what is posted, unless it fails."""

    fails: bool = False
    got: list = field(default_factory=list)

    def post(self, name, content):
        if self.fails:
            raise ForwardingFailed("the webhook answered with status 500")
        self.got.append((name, content))


def deliver(log, receiver, *, opens=None):
    return AlertDelivery(
        log.engine, log.clock, post=receiver.post, open_record=opens, public_url="https://bridge.example"
    )


def test_beginning_and_end_are_told_once_each(log):
    receiver = Receiver()
    write(log, changed())
    watch(log).look()
    for _ in range(3):
        deliver(log, receiver).tell()
    log.clock.advance(601)
    watch(log).look()
    for _ in range(3):
        deliver(log, receiver).tell()
    assert [name for name, _ in receiver.got] == ["alert-1-began", "alert-1-ended"]
    began, ended = (content for _, content in receiver.got)
    assert began["record"] == "https://bridge.example/audit/records/0"
    assert "ended" not in began
    assert ended["ended"]


def test_of_two_nodes_one_tells(either_log):
    receiver, gate = Receiver(), threading.Barrier(4)
    write(either_log, *(changed(f"v{number}") for number in range(5)))
    watch(either_log).look()

    def tell():
        gate.wait()
        deliver(either_log, receiver).tell()

    threads = [threading.Thread(target=tell) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(name for name, _ in receiver.got) == [f"alert-{number}-began" for number in range(1, 6)]


def test_what_the_webhook_did_not_take_is_told_later_and_says_why(log, caplog):
    receiver = Receiver(fails=True)
    write(log, changed())
    watch(log).look()
    for _ in range(4):
        deliver(log, receiver).tell()
        log.clock.advance(11)
    (alert,) = AlertBoard(log.engine).latest()
    assert alert.failure == "the webhook answered with status 500"
    receiver.fails = False
    log.clock.advance(60)
    deliver(log, receiver).tell()
    assert [name for name, _ in receiver.got] == ["alert-1-began"]
    assert AlertBoard(log.engine).latest()[0].failure == ""
    assert caplog.text.count("alert 1") == 1


@pytest.mark.parametrize("opened", [True, False])
def test_people_are_named_only_where_the_settings_say_so(log, opened):
    receiver = Receiver()
    write(log, issued("BreakGlass1"))
    watch(log).look()
    opens = (lambda position: log.reader.after(position - 1, 1)[0]) if opened else None
    deliver(log, receiver, opens=opens).tell()
    assert receiver.got[0][1].get("person") == ("林薇" if opened else None)


def test_messages_are_signed_as_standard_webhooks_wants_it(log):
    receiver = HTTPReceiver()
    url = f"http://127.0.0.1:{receiver.port}/alerts"
    webhook = Webhook(Outbound(development=True), url, b"secret", log.clock, log_name="bridge.example/audit")
    write(log, changed())
    watch(log).look()
    AlertDelivery(log.engine, log.clock, post=webhook.post, open_record=None, public_url="https://b.example").tell()
    receiver.close()
    ((path, headers, body),) = receiver.requests
    headers = {name.lower(): value for name, value in headers.items()}
    identifier, timestamp = headers["webhook-id"], headers["webhook-timestamp"]
    assert (path, identifier) == ("/alerts", "alert-1-began@bridge_example/audit")
    expected = hmac.digest(b"secret", f"{identifier}.{timestamp}.".encode() + body, "sha256")
    assert headers["webhook-signature"] == "v1," + base64.b64encode(expected).decode()
    assert json.loads(body)["kind"] == "rules_changed"


def test_the_log_before_any_record_is_looked_at(log):
    watch(log).look()
    log.build_log().append(BACKGROUND, changed())
    log.sequencer.catch_up()
    watch(log).look()
    assert found(log) == [("rules_changed", 1)]
