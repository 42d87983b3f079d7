"""STS-15 at the door: what an STS in trouble can do to people, to the records and to the workers of the service."""

import json
import re
import threading
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest

from bridge.attack.scripted_server import Reply
from bridge.exchange.breaker import FAILURES
from tests.attacks.door import Visitor, find_code, sign_in
from tests.attacks.test_languages import switch
from tests.attacks.test_web import ask_for, find_in
from tests.fakes.alibaba_sts import AlibabaSTS, fault


@pytest.fixture
def node(service):
    """Return a node of our own, since a breaker remembers."""
    return service.start()


@contextmanager
def answering_late(sts, seconds):
    """Let STS issue at once, and answer later."""
    honest = sts.answer
    sts.answer = lambda request: replace(honest(request), delay_seconds=seconds)
    yield
    sts.answer = honest


def run_at_once(act, visitors):
    threads = [threading.Thread(target=act, args=(each,)) for each in visitors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.usefixtures("no_failures")
def test_t_sts_15_what_sts_issued_too_late_reaches_nobody_and_is_not_asked_for_again(service, node):
    visitor = Visitor(node)
    sign_in(visitor)
    last = service.last()
    with answering_late(service.sts, 1.5):
        page = ask_for(visitor, "credentials")
    assert (page.status_code, find_code(page)) == (503, "exchange_unavailable")
    lost = list(service.sts.secrets)
    assert lost, "it did issue"
    assert len(service.sts.requests) == 1
    assert [record["event"] for record in service.records(last)] == ["choice.made", "exchange.refused"]
    page = ask_for(visitor, "credentials")
    assert page.status_code == 200
    assert find_in(lost, page.text) == []
    assert len(find_in(service.sts.secrets[-2:], page.text)) == 2


def test_t_sts_15_a_redirect_to_another_endpoint_carries_no_assertion_there(service, node):
    visitor = Visitor(node)
    sign_in(visitor)
    with AlibabaSTS() as other:
        for status in (301, 302, 307, 308):
            service.sts.reply = Reply(status, b"", {"Location": f"{other.url}/"})
            assert find_code(ask_for(visitor, "credentials")) == "exchange_unavailable"
        assert other.requests == []
        service.sts.behave()
        assert ask_for(visitor, "credentials").status_code == 200


@pytest.mark.usefixtures("no_failures")
def test_t_sts_15_an_sts_that_fails_again_and_again_is_left_alone_and_used_when_it_is_back(service, node):
    visitor = Visitor(node)
    sign_in(visitor)
    service.sts.reply = Reply(200, b"<html>")
    for _ in range(FAILURES):
        assert find_code(ask_for(visitor, "credentials")) == "exchange_unavailable"
    asked = len(service.sts.requests)
    page = ask_for(visitor, "credentials")
    assert (page.status_code, find_code(page)) == (503, "exchange_paused")
    assert 1 <= int(page.headers["Retry-After"]) <= 10
    assert len(service.sts.requests) == asked
    ready = visitor.get("/health/ready")
    assert ready.status_code == 200, "the other account is well"
    assert ready.json["exchange"] == {"production": "open", "sandbox": "closed"}
    service.sts.behave()
    assert ask_for(visitor, "credentials", "sandbox").status_code == 200


def find_facts(page):
    return re.findall(r'<dd class="mono">([^<]*)<?', page.text)


def test_t_sts_15_a_throttled_person_is_told_when_to_come_back(service, node):
    visitor = Visitor(node)
    sign_in(visitor)
    service.sts.reply = fault(429, "Throttling.User", Retry_After="7")
    page = ask_for(visitor, "credentials")
    assert (page.status_code, find_code(page), page.headers["Retry-After"]) == (503, "exchange_throttled", "7")
    assert "Throttling.User" in page.text
    assert "7B2A9E40-0E5C-4A8B-9D3F-1C2B3A4D5E6F" in page.text
    assert len(find_facts(page)) == 3
    assert find_facts(switch(visitor, page)) == find_facts(page), "IT needs them in whichever language"
    failed = service.records()[-1]
    assert failed["sts_code"] == "Throttling.User"
    assert failed["sts_request_id"] == "7B2A9E40-0E5C-4A8B-9D3F-1C2B3A4D5E6F"
    service.sts.behave()
    assert ask_for(visitor, "credentials").status_code == 200


@pytest.mark.usefixtures("no_failures")
def test_t_sts_15_many_at_once_are_each_recorded_and_share_one_exchange(service):
    accounts = service.configuration.accounts.items()
    patient = {name: account.model_copy(update={"timeout_seconds": 30}) for name, account in accounts}
    visitor = Visitor(service.start(accounts=patient))
    sign_in(visitor)
    visitors, pages, last = [visitor.copy() for _ in range(12)], [], service.last()
    with answering_late(service.sts, 0.2):
        run_at_once(lambda each: pages.append(ask_for(each, "credentials")), visitors)
    assert {page.status_code for page in pages} == {200}
    assert len(service.sts.requests) == 1
    records = service.records(last)
    events = [record["event"] for record in records]
    assert (events.count("exchange.issued"), events.count("exchange.reused")) == (1, 11)
    keys = {record["access_key_id"] for record in records if record["event"].startswith("exchange.")}
    assert len(keys) == 1
    assert find_in(service.sts.secrets, json.dumps(records)) == []


def test_t_sts_15_workers_are_free_again_when_the_deadline_is_over(service, node):
    visitor = Visitor(node)
    sign_in(visitor)
    service.sts.reply = Reply(200, b"{}", delay_seconds=5)
    begun, ends = time.monotonic(), []

    def ask(each):
        ask_for(each, "credentials")
        ends.append(time.monotonic() - begun)

    run_at_once(ask, [visitor.copy() for _ in range(8)])
    assert max(ends) < 3, "the account's time limit is one second"


def test_a_sign_out_ends_what_is_kept_of_that_person_alone(service, node):
    visitor, other = Visitor(node), Visitor(node)
    sign_in(visitor)
    sign_in(other, subject="bob@example.com")
    assert [ask_for(each, "credentials").status_code for each in (visitor, other)] == [200, 200]
    assert len(service.redis.keys("rambridge:credentials:*")) == 2
    last = service.last()
    assert visitor.submit(visitor.get("/"), "/sign-out").status_code in {200, 303}
    assert len(service.redis.keys("rambridge:credentials:*")) == 1
    assert ask_for(other, "credentials").status_code == 200
    assert [record["event"] for record in service.records(last)][-2:] == ["exchange.reused", "delivery.credentials"]
