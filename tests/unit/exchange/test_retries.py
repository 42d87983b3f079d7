"""STS is asked again where that is safe, each time with something new, and never beyond the deadline."""

import base64
import socket
import threading
import time

import pytest
from lxml import etree

from bridge.attack.scripted_server import Reply
from bridge.errors import (
    ExchangeNotTrusted,
    ExchangePaused,
    ExchangeRefused,
    ExchangeThrottled,
    ExchangeUnavailable,
)
from bridge.exchange.breaker import FAILURES, FIRST_REST_SECONDS, LARGEST_REST_SECONDS, Breaker
from bridge.exchange.deadline import Deadline
from bridge.exchange.refusals import REFUSALS, find_refusal, show_upstream
from bridge.exchange.retries import FIRST_PAUSE_SECONDS, LARGEST_PAUSE_SECONDS, TRIES, try_repeatedly
from bridge.exchange.sts_client import LONGEST_RETRY_AFTER_SECONDS
from tests.factories import make_account, make_choice, make_entitlement
from tests.fakes.alibaba_sts import fault

SAFE = {
    "throttled, as documented": fault(400, "Throttling.User"),
    "throttled, by status": Reply(429, b"slow down"),
    "internal error": fault(500, "InternalError"),
    "unavailable": fault(503, "ServiceUnavailable"),
    "a gateway's page": Reply(502, b"<html>bad gateway</html>"),
}
NOT_SAFE = {
    "no answer": Reply(raw=b""),
    "half an answer": Reply(raw=b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"a'),
    "a page with status 200": Reply(200, b"<html>sign in</html>"),
    "a redirect": Reply(307, b"", {"Location": "http://127.0.0.1:9/"}),
}


@pytest.mark.parametrize("reply", SAFE.values(), ids=SAFE)
@pytest.mark.parametrize("trust", ["saml", "oidc"])
def test_a_failure_that_is_certain_is_tried_again_with_another_assertion_or_token(sts, build_exchange, trust, reply):
    sts.script = [reply, reply]
    issued = build_exchange(trust=trust).issue(make_choice())
    assert issued.access_key_secret in sts.secrets
    proofs = [request.form.get("SAMLAssertion") or request.form["OIDCToken"] for request in sts.requests]
    assert len(proofs) == len(set(proofs)) == TRIES
    if trust == "saml":
        ids = {etree.fromstring(base64.b64decode(proof)).get("ID") for proof in proofs}
        assert len(ids) == TRIES


def test_a_signed_call_is_tried_again_with_another_nonce(sts, build_exchange):
    sts.script = [fault(500, "InternalError")]
    build_exchange(trust="access_key", access_key_id="LTAI", access_key_secret="secret").issue(make_choice())
    nonces = [request.headers["x-acs-signature-nonce"] for request in sts.requests]
    assert len(nonces) == len(set(nonces)) == 2


@pytest.mark.parametrize("reply", NOT_SAFE.values(), ids=NOT_SAFE)
def test_a_call_that_sts_may_have_acted_on_is_made_once(sts, build_exchange, reply):
    sts.script = [reply]
    exchange = build_exchange()
    with pytest.raises(ExchangeUnavailable):
        exchange.issue(make_choice())
    assert len(sts.requests) == 1
    assert exchange.issue(make_choice()).access_key_secret in sts.secrets


def test_sts_is_not_asked_for_ever(sts, build_exchange):
    sts.reply = fault(503, "ServiceUnavailable")
    with pytest.raises(ExchangeUnavailable) as caught:
        build_exchange().issue(make_choice())
    assert len(sts.requests) == TRIES
    assert caught.value.upstream_code == "ServiceUnavailable"
    assert caught.value.upstream_request_id


@pytest.mark.parametrize("reply", [Reply(200, b"{}", delay_seconds=5), Reply(200, b"x" * 900, pause_seconds=0.05)])
def test_an_sts_that_is_slow_holds_nobody_beyond_the_deadline(sts, build_exchange, reply):
    sts.reply = reply
    begun = time.monotonic()
    with pytest.raises(ExchangeUnavailable):
        build_exchange(timeout_seconds=0.8).issue(make_choice())
    assert time.monotonic() - begun < 4
    assert len(sts.requests) == 1


def test_tries_and_pauses_share_one_deadline(sts, build_exchange):
    sts.reply = Reply(503, b"", delay_seconds=1)
    begun = time.monotonic()
    with pytest.raises(ExchangeUnavailable):
        build_exchange(timeout_seconds=1.2).issue(make_choice())
    assert time.monotonic() - begun < 2.9, "three tries alone would take longer"


def test_a_connection_that_is_not_made_is_tried_again_and_the_person_hears_it_soon(build_exchange):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
        begun = time.monotonic()
        with pytest.raises(ExchangeUnavailable, match="NewConnectionError") as caught:
            build_exchange(endpoint=endpoint).issue(make_choice())
    assert caught.value.may_retry
    assert time.monotonic() - begun < 3


def test_the_first_connection_that_is_made_is_used():
    tries = []

    def attempt():
        tries.append(len(tries))
        if len(tries) == 1:
            raise ExchangeUnavailable("no connection", may_retry=True)
        return "answer"

    assert try_repeatedly(attempt, Deadline(1)) == "answer"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry_After": "1"}, 1),
        ({"x_acs_retry_after": "1500"}, 2),
        ({"Retry_After": "999999"}, LONGEST_RETRY_AFTER_SECONDS),
        ({"Retry_After": "Fri, 31 Dec 1999 23:59:59 GMT"}, None),
        ({"Retry_After": "-5"}, None),
        ({"Retry_After": "9" * 400}, None),
        ({}, None),
    ],
)
def test_what_sts_says_about_coming_back_is_kept_within_reason(sts, build_exchange, headers, seconds):
    sts.reply = fault(429, "Throttling", **headers)
    with pytest.raises(ExchangeThrottled) as caught:
        build_exchange(timeout_seconds=0.9 if seconds else 10).issue(make_choice())
    assert caught.value.retry_after_seconds == seconds
    assert len(sts.requests) == (1 if seconds else TRIES)


def test_the_pauses_are_drawn_from_the_whole_range_and_grow():
    bounds, slept = [], []

    def draw(low, high):
        bounds.append((low, high))
        return high

    def fail():
        raise ExchangeUnavailable("no", may_retry=True)

    with pytest.raises(ExchangeUnavailable):
        try_repeatedly(fail, Deadline(60), draw=draw, sleep=slept.append)
    assert bounds[:2] == [(0, FIRST_PAUSE_SECONDS), (0, 2 * FIRST_PAUSE_SECONDS)]
    assert slept == [high for _, high in bounds[: TRIES - 1]]
    assert max(slept) <= LARGEST_PAUSE_SECONDS


# ── The circuit breaker ──────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def time_of_breaker():
    return [0.0]


@pytest.fixture
def breaker(time_of_breaker):
    return Breaker("acme", lambda: time_of_breaker[0])


def fail(breaker, error=None):
    with pytest.raises(ExchangeUnavailable) as caught, breaker.guard():
        raise error or ExchangeUnavailable("down")
    return caught.value


def test_the_breaker_opens_after_failures_in_a_row_and_says_so(breaker, caplog):
    for _ in range(FAILURES - 1):
        fail(breaker)
    assert breaker.state == "closed"
    fail(breaker)
    assert breaker.state == "open"
    assert "STS of account acme failed 5 times in a row" in caplog.text
    reached = []
    with pytest.raises(ExchangePaused) as caught, breaker.guard():
        reached.append(True)
    assert not reached
    assert caught.value.retry_after_seconds == FIRST_REST_SECONDS


@pytest.mark.parametrize("answer", [None, ExchangeRefused("no", "NoPermission", "")])
def test_an_answer_in_between_keeps_it_closed_whatever_it_says(breaker, answer):
    for _ in range(2):
        for _ in range(FAILURES - 1):
            fail(breaker)
        try:
            with breaker.guard():
                if answer:
                    raise answer
        except ExchangeRefused:
            pass
    assert breaker.state == "closed"


def test_one_release_tries_when_the_rest_is_over_and_the_others_wait(breaker, time_of_breaker, caplog):
    for _ in range(FAILURES):
        fail(breaker)
    time_of_breaker[0] += FIRST_REST_SECONDS
    assert breaker.state == "half-open"
    with breaker.guard(), pytest.raises(ExchangePaused), breaker.guard():
        pass
    assert breaker.state == "closed"
    assert "answers again" in caplog.text
    with breaker.guard(), breaker.guard():
        pass


def test_a_try_that_fails_makes_the_rest_longer_up_to_a_bound(breaker, time_of_breaker):
    for _ in range(FAILURES):
        fail(breaker)
    rests = []
    for _ in range(5):
        paused = fail_paused(breaker)
        rests.append(paused.retry_after_seconds)
        time_of_breaker[0] += paused.retry_after_seconds
        fail(breaker)
    assert rests == [10, 20, 40, LARGEST_REST_SECONDS, LARGEST_REST_SECONDS]


def fail_paused(breaker):
    with pytest.raises(ExchangePaused) as caught, breaker.guard():
        pass
    return caught.value


def test_a_try_that_ends_in_a_fault_of_our_own_leaves_the_way_free_for_the_next(breaker, time_of_breaker):
    for _ in range(FAILURES):
        fail(breaker)
    time_of_breaker[0] += FIRST_REST_SECONDS
    with pytest.raises(KeyError), breaker.guard():
        raise KeyError("ours")
    assert breaker.state == "half-open"
    with breaker.guard():
        pass
    assert breaker.state == "closed"


def test_an_sts_that_was_down_is_used_again_without_a_restart(sts, build_exchange, breaker, time_of_breaker):
    exchange = build_exchange()
    exchange._breakers["acme"] = breaker
    sts.reply = Reply(raw=b"")
    for _ in range(FAILURES):
        with pytest.raises(ExchangeUnavailable):
            exchange.issue(make_choice())
    before = len(sts.requests)
    with pytest.raises(ExchangePaused):
        exchange.issue(make_choice())
    assert exchange.describe() == {"acme": "open"}
    assert len(sts.requests) == before
    sts.behave()
    time_of_breaker[0] += FIRST_REST_SECONDS
    assert exchange.issue(make_choice()).access_key_secret in sts.secrets
    assert exchange.describe() == {"acme": "closed"}


def test_an_account_that_is_down_does_not_stop_another(sts, build_exchange):
    down = make_account(endpoint="http://127.0.0.1:9")
    up = make_account(name="up", id="1000000000000002", endpoint=sts.url)
    exchange = build_exchange(down, up)
    for _ in range(FAILURES):
        with pytest.raises(ExchangeUnavailable):
            exchange.issue(make_choice())
    assert exchange.issue(make_choice(entitlement=make_entitlement(account="up"))).access_key_id
    assert exchange.describe() == {"acme": "open", "up": "closed"}


def test_many_threads_at_an_sts_that_is_down_end_in_time(sts, build_exchange):
    sts.reply = Reply(200, b"{}", delay_seconds=5)
    exchange = build_exchange(timeout_seconds=0.4)
    ends = []

    def ask():
        with pytest.raises(ExchangeUnavailable):
            exchange.issue(make_choice())
        ends.append(time.monotonic())

    begun = time.monotonic()
    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ends) == 20
    assert max(ends) - begun < 4


# ── What STS's codes mean ────────────────────────────────────────────────────────────────────────────────────


def test_a_refusal_is_of_the_class_for_the_code_of_sts_and_keeps_code_and_request_id(sts, build_exchange):
    sts.reply = fault(403, "NoPermission")
    with pytest.raises(ExchangeNotTrusted) as caught:
        build_exchange().issue(make_choice())
    assert show_upstream(caught.value) == ("NoPermission", "7B2A9E40-0E5C-4A8B-9D3F-1C2B3A4D5E6F")
    assert len(sts.requests) == 1


@pytest.mark.parametrize("code", ["NoPermission.Odd", "nopermission", "<script>", "", "['NoPermission']"])
def test_a_code_that_nobody_documents_is_refused_all_the_same_and_not_shown(code):
    refusal = find_refusal(code)("detail", code, "<b>1</b>")
    assert type(refusal) is ExchangeRefused
    assert show_upstream(refusal) == ("", "")


def test_every_refusal_of_the_table_has_words_of_its_own():
    assert len({refusal.public for refusal in REFUSALS.values()}) == len(set(REFUSALS.values()))
    assert all(refusal.public != ExchangeRefused.public for refusal in REFUSALS.values())
