"""What arrives at a receiver that crashes, restarts, lags and refuses: everything, in order.

``RAMBRIDGE_TEST_FORWARDED`` is how many records each of these tests forwards.
"""

import base64
import hashlib
import hmac
import json
import os
import random
import subprocess
import sys
import threading
from datetime import UTC, datetime
from itertools import groupby

import pytest
from sqlalchemy import delete

from bridge.audit import tables
from bridge.audit.exclusive import Turn
from bridge.audit.feed import Feed
from bridge.audit.forwarding.cursor import Cursor
from bridge.audit.forwarding.forwarder import Forwarder, Receiver
from bridge.audit.forwarding.lag import measure_lags
from bridge.audit.forwarding.syslog import MAX_MESSAGE_BYTES, SyslogSender, write_message
from bridge.audit.forwarding.webhook import WebhookSender, read_secret
from bridge.clock import SystemClock
from bridge.errors import ForwardingFailed
from bridge.outbound import Outbound
from tests.fakes.authority import make_authority
from tests.fakes.receivers import HTTPReceiver, SyslogReceiver
from tests.live_store import MovableClock
from tests.unit.audit.forwarding.conftest import BEGIN

COUNT = int(os.environ.get("RAMBRIDGE_TEST_FORWARDED", "300"))
SECRET = b"a secret of the test's own, 32 B."
ATTEMPTS = 200 + COUNT


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return make_authority(tmp_path_factory.mktemp("authority"), "siem")


@pytest.fixture(scope="module")
def outbound():
    return Outbound(development=True)


@pytest.fixture
def receivers():
    opened = []

    def start(kind, *args, **options):
        opened.append(kind(*args, **options))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


def syslog(outbound, authority, port, **options):
    return SyslogSender(
        outbound, "127.0.0.1", port, hostname="bridge.example.com", encode=dict, ca_file=authority[0], **options
    )


def webhook(outbound, url, clock=None):
    return WebhookSender(
        outbound, url, SECRET, clock or SystemClock(), log_name="bridge.example.com/audit", encode=dict
    )


def forwarder(log, sender, name="siem", **options):
    options = {"from_the_beginning": True} | options
    return Forwarder(Receiver(name, sender, Feed(log.engine), **options), log.engine, SystemClock())


def forward_all(one, attempts=ATTEMPTS):
    """Go on after each failure, as the thread does after its pause; return how many failures there were."""
    failures = 0
    for _ in range(attempts):
        try:
            if not one.forward_once():
                return failures
        except ForwardingFailed:
            failures += 1
    raise AssertionError("it does not end")


def first_arrivals(positions):
    """What is left once a record that comes again is passed over."""
    seen = set()
    return [each for each in positions if not (each in seen or seen.add(each))]


def test_syslog_all_of_a_log_arrives_once_and_in_order(log, outbound, authority, receivers):
    log.add(COUNT)
    receiver = receivers(SyslogReceiver, authority[1])
    assert forward_all(forwarder(log, syslog(outbound, authority, receiver.port))) == 0
    assert [record["position"] for record in receiver.records()] == list(range(COUNT))


def test_syslog_a_receiver_that_crashes_restarts_and_lags_misses_nothing_and_keeps_the_order(
    either_log, outbound, authority, receivers
):
    random_ = random.Random(6)
    faults = ["crash", "crash", "mute", "refuse"]
    plan = [(random_.choice(faults), random_.randrange(COUNT)) if random_.random() < 0.7 else None for _ in range(40)]
    receiver = receivers(SyslogReceiver, authority[1], plan, lag=0.0002)
    failures = 0
    for begin in range(0, COUNT, 100):  # what is recorded meanwhile, and a restart of ours in between
        either_log.add(min(100, COUNT - begin))
        failures += forward_all(forwarder(either_log, syslog(outbound, authority, receiver.port)))
    positions = [record["position"] for record in receiver.records()]
    assert failures > 0
    assert first_arrivals(positions) == list(range(COUNT))
    assert len(positions) > COUNT, "the plan was too kind: nothing came twice"


def test_syslog_only_a_confirmed_close_counts(log, outbound, authority, receivers):
    """A receiver that read everything and died may have lost it: the records come again."""
    log.add(3)
    receiver = receivers(SyslogReceiver, authority[1], [("mute", 3)])
    one = forwarder(log, syslog(outbound, authority, receiver.port))
    with pytest.raises(ForwardingFailed):
        one.forward_once()
    assert forward_all(one) == 0
    assert [record["position"] for record in receiver.records()] == [0, 1, 2, 0, 1, 2]


def test_syslog_an_orderly_end_of_tcp_counts_where_the_settings_say_so_and_a_reset_never_does(
    log, outbound, authority, receivers
):
    log.add(3)
    receiver = receivers(SyslogReceiver, authority[1], [("crash", 2), ("mute", 3)])
    one = forwarder(log, syslog(outbound, authority, receiver.port, tcp_close_is_enough=True))
    with pytest.raises(ForwardingFailed):
        one.forward_once()
    assert forward_all(one) == 0
    assert [record["position"] for record in receiver.records()] == [0, 1, 0, 1, 2]


def test_syslog_messages_are_of_rfc_5424(log, outbound, authority, receivers):
    log.add(5, person="林薇\n<13>1 forged")
    receiver = receivers(SyslogReceiver, authority[1])
    forward_all(forwarder(log, syslog(outbound, authority, receiver.port)))
    message, priority, time, host, app, process, event, text = receiver.messages[3]
    assert (priority, host, app, process, event) == (
        b"109",  # log audit (13), notice (5): a refusal
        b"bridge.example.com",
        b"rambridge",
        b"-",
        b"sign_in.refused",
    )
    assert time == json.loads(text)["time"].encode()
    assert b'[meta sequenceId="4"]' in message
    assert message.count(b"\n") == 0
    assert receiver.messages[2][1] == b"110"


def test_syslog_a_record_that_is_too_long_loses_its_longest_fields_and_says_so():
    record = {"position": 1, "time": "2026-11-29T12:00:00.000000Z", "event": "rules.promoted", "diff": ["x" * 60] * 200}
    message = write_message(record, record, "bridge.example.com")
    content = json.loads(message[message.index(b"{") :])
    assert len(message) <= MAX_MESSAGE_BYTES
    assert content["left_out"] == ["diff"]
    assert content["position"] == 1


def test_syslog_a_stranger_in_the_receivers_place_gets_nothing(log, outbound, authority, receivers, tmp_path):
    log.add(3)
    stranger = receivers(SyslogReceiver, make_authority(tmp_path, "stranger")[1])
    with pytest.raises(ForwardingFailed, match="certificate"):
        forwarder(log, syslog(outbound, authority, stranger.port)).forward_once()
    other_name = SyslogSender(outbound, "localhost", stranger.port, hostname="b", encode=dict, ca_file=authority[0])
    with pytest.raises(ForwardingFailed):
        forwarder(log, other_name).forward_once()
    assert stranger.messages == []


def test_webhook_a_receiver_that_fails_restarts_and_lags_misses_nothing_and_keeps_the_order(log, outbound, receivers):
    random_ = random.Random(6)
    answers = [500, 503, 429, 404, "drop", "keep-and-drop", 200]
    plan = [random_.choice(answers) for _ in range(30)]
    receiver = receivers(HTTPReceiver, plan)
    failures = 0
    for begin in range(0, COUNT, 100):
        log.add(min(100, COUNT - begin))
        failures += forward_all(forwarder(log, webhook(outbound, f"http://127.0.0.1:{receiver.port}/hook")))
    positions = [record["position"] for _, _, body in receiver.requests for record in json.loads(body)["records"]]
    assert failures > 0
    assert first_arrivals(positions) == list(range(COUNT))


def test_webhook_bodies_are_signed_as_standard_webhooks_wants_it(log, outbound, receivers):
    log.add(2)
    clock = MovableClock()
    receiver = receivers(HTTPReceiver)
    forward_all(forwarder(log, webhook(outbound, f"http://127.0.0.1:{receiver.port}/hook", clock)))
    ((path, headers, body),) = receiver.requests
    headers = {name.lower(): value for name, value in headers.items()}
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(SECRET, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["webhook-id"] == "0-1@bridge_example_com/audit"
    assert int(headers["webhook-timestamp"]) == int(clock.now().timestamp())
    assert (path, json.loads(body)["log"]) == ("/hook", "bridge.example.com/audit")


@pytest.mark.parametrize("answers", [["drop"], [(302, {"Location": "https://elsewhere.example"})], [500]])
def test_no_failure_names_the_path_of_a_webhook_which_may_be_its_secret(log, outbound, receivers, answers):
    log.add(1)
    receiver = receivers(HTTPReceiver, answers)
    url = f"http://127.0.0.1:{receiver.port}/services/T01/whoever-knows-this-may-post"
    with pytest.raises(ForwardingFailed) as caught:
        forwarder(log, webhook(outbound, url)).forward_once()
    assert "whoever-knows" not in caught.value.detail
    assert "webhook" in caught.value.detail or f"127.0.0.1:{receiver.port}" in caught.value.detail


def test_webhook_secrets_are_read_as_the_specification_writes_them():
    assert read_secret("whsec_" + base64.b64encode(b"k" * 24).decode()) == b"k" * 24
    assert read_secret("plain") == b"plain"


def test_a_receiver_that_takes_little_at_once_gets_little_at_once(log, outbound, receivers):
    log.add(COUNT)
    receiver = receivers(HTTPReceiver, max_bytes=8_000)
    assert forward_all(forwarder(log, webhook(outbound, f"http://127.0.0.1:{receiver.port}/"))) > 0
    positions = [record["position"] for _, _, body in receiver.requests for record in json.loads(body)["records"]]
    assert positions == list(range(COUNT))


def test_a_receiver_that_asks_to_wait_is_left_alone_for_that_long(log, outbound, receivers):
    log.add(1)
    receiver = receivers(HTTPReceiver, [(429, {"Retry-After": "120"})])
    one = forwarder(log, webhook(outbound, f"http://127.0.0.1:{receiver.port}/"))
    with pytest.raises(ForwardingFailed) as caught:
        one.forward_once()
    assert one._pause(0, caught.value.retry_seconds) == 120
    assert [one._pause(failures) for failures in (0, 1, 2, 30)] == [1, 2, 4, 60]


def test_a_new_receiver_gets_what_is_recorded_from_then_on_unless_it_asks_for_everything(log, outbound, receivers):
    log.add(5)
    receiver = receivers(HTTPReceiver)
    sender = webhook(outbound, f"http://127.0.0.1:{receiver.port}/")
    late, full = forwarder(log, sender, "late", from_the_beginning=False), forwarder(log, sender, "full")
    assert forward_all(late) == 0
    log.add(2)
    assert forward_all(late) == forward_all(full) == 0
    batches = [[record["position"] for record in json.loads(body)["records"]] for _, _, body in receiver.requests]
    assert batches == [[5, 6], [0, 1, 2, 3, 4, 5, 6]]


def test_records_whose_time_was_over_are_passed_over(log, outbound, receivers):
    log.add(10)
    with log.engine.begin() as connection:
        connection.execute(delete(tables.index).where(tables.index.c.position < 4))
    receiver = receivers(HTTPReceiver)
    assert forward_all(forwarder(log, webhook(outbound, f"http://127.0.0.1:{receiver.port}/"))) == 0
    assert [record["position"] for record in json.loads(receiver.requests[0][2])["records"]] == list(range(4, 10))


def test_the_lag_is_visible_in_records_and_seconds_and_so_is_the_failure(either_log, outbound, receivers):
    either_log.add(10)
    clock = MovableClock()
    clock.moment = datetime.fromtimestamp(BEGIN + 100, UTC)
    receiver = receivers(HTTPReceiver, [500])
    one = Forwarder(
        Receiver(
            "siem",
            webhook(outbound, f"http://127.0.0.1:{receiver.port}/"),
            Feed(either_log.engine),
            from_the_beginning=True,
        ),
        either_log.engine,
        clock,
    )
    assert [lag.state for lag in measure_lags(either_log.engine, ["siem"], clock)] == ["new"]
    with pytest.raises(ForwardingFailed):
        one.forward_once()
    clock.moment = datetime.fromtimestamp(BEGIN + 130, UTC)
    (lag,) = measure_lags(either_log.engine, ["siem"], clock)
    assert (lag.state, lag.records, lag.seconds, lag.failing_seconds) == ("failing", 10, 130.0, 30.0)
    assert "500" in lag.failure
    forward_all(one)
    either_log.add(1)
    (lag,) = measure_lags(either_log.engine, ["siem"], clock)
    assert (lag.state, lag.records, lag.seconds, lag.failure) == ("behind", 1, 120.0, None)


def test_the_thread_forwards_until_it_is_told_to_stop(log, outbound, receivers):
    log.add(20)
    receiver = receivers(HTTPReceiver)
    stop = threading.Event()
    one = forwarder(log, webhook(outbound, f"http://127.0.0.1:{receiver.port}/"))
    thread = threading.Thread(target=one.run_forever, args=(stop,))
    thread.start()
    for _ in range(100):
        if receiver.requests:
            break
        stop.wait(0.05)
    stop.set()
    thread.join(5)
    assert not thread.is_alive()
    assert len(json.loads(receiver.requests[0][2])["records"]) == 20
    mine = Turn(log.engine, "forwarding/siem")
    assert mine.take()
    mine.leave()


def test_of_two_senders_for_one_receiver_only_one_sends_and_the_other_goes_on_after_it_died(either_log):
    """A killed process leaves its turn behind, on both databases."""
    url = either_log.engine.url.render_as_string(hide_password=False)
    hold = (
        "import sys, time; from bridge.audit.exclusive import Turn; from bridge.database import open_engine\n"
        "turn = Turn(open_engine(sys.argv[1]), 'forwarding/siem'); print(turn.take(), flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", hold, url], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "True\n"
        mine = Turn(either_log.engine, "forwarding/siem")
        assert not mine.take()
        other = Turn(either_log.engine, "forwarding/other")
        assert other.take()
        other.leave()
        holder.kill()
        holder.wait(10)
        taken = any(mine.take() or threading.Event().wait(0.05) for _ in range(100))
        assert taken
    finally:
        holder.kill()
        holder.wait(10)
        holder.stdout.close()
        mine.leave()


def test_a_sender_that_was_cut_off_does_not_move_the_place_back(either_log):
    either_log.add(10)
    cursor = Cursor(either_log.engine, "forwarding/siem", SystemClock())
    stale = cursor.begin(0)
    assert cursor.advance(stale, 8)
    assert not cursor.advance(stale, 4)
    assert cursor.read().position == 8
    assert [key for key, _ in groupby([cursor.begin(3).position])] == [8]
