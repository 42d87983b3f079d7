"""Equal requests share one exchange, nobody else's, and nothing that is not recorded."""

import threading
import time
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from bridge.attack.scripted_server import Reply
from bridge.clock import SystemClock
from bridge.entitlements.choice import Choice
from bridge.entitlements.reading import READS_ALL, Reading
from bridge.errors import AuditUnavailable, ExchangeNotTrusted, ExchangeUnavailable
from bridge.exchange.cache import CredentialsCache
from bridge.exchange.waiting_room import WaitingRoom
from bridge.sealing import Sealer
from bridge.store_connection import connect_store
from tests.factories import NOW, make_account, make_entitlement, make_identity
from tests.fakes.alibaba_sts import fault
from tests.live_store import MovableClock, running_store

KEY = bytes(range(32))
PERSON = make_identity()


@pytest.fixture(scope="module")
def store():
    with running_store() as client:
        yield client


@pytest.fixture
def redis(store):
    store.flushall()
    return store


@pytest.fixture
def clock(sts):
    clock = MovableClock()
    sts.now = lambda: clock.now().timestamp()
    return clock


@pytest.fixture
def build_cache(redis, build_exchange, clock):
    """Return what builds the cache of one process."""

    def build(*accounts, store=redis, **settings):
        exchange = build_exchange(*accounts, **settings)
        exchange._clock = clock
        return CredentialsCache(exchange, store, Sealer(KEY), clock, WaitingRoom(1000))

    return build


def ask(cache, identity=PERSON, *, asked=None, reference="REF", recorded=None, reading=READS_ALL, **entitlement):
    choice = Choice(identity, make_entitlement(**entitlement), asked, reading=reading)
    return cache.obtain(choice, reference, lambda issued: recorded is not None and recorded.append(issued))


def ask_at_once(caches, count, **options):
    """Ask in so many threads at the same moment, of the caches in turn; return results and failures."""
    results, failures, start = [], [], threading.Barrier(count)

    def run(cache):
        start.wait()
        try:
            results.append(ask(cache, **options))
        except Exception as failure:  # noqa: BLE001
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(caches[number % len(caches)],)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results, failures


def test_500_simultaneous_equal_requests_cause_one_exchange(sts, build_cache):
    recorded = []
    results, failures = ask_at_once([build_cache(timeout_seconds=30)], 500, recorded=recorded)
    assert not failures
    assert len(sts.requests) == len(recorded) == 1
    assert len({result.credentials.access_key_id for result in results}) == 1
    assert sum(not result.credentials.reused for result in results) == 1


def test_processes_share_one_exchange_too(sts, build_cache):
    caches = [build_cache(timeout_seconds=30) for _ in range(4)]
    results, failures = ask_at_once(caches, 80)
    assert not failures
    assert len(results) == 80
    assert len(sts.requests) == 1


@pytest.mark.parametrize(
    ("reply", "error", "seconds"),
    [
        (fault(403, "NoPermission"), ExchangeNotTrusted, 10),
        (Reply(200, b"<html>"), ExchangeUnavailable, 10),
        (Reply(200, b"{}", delay_seconds=5), ExchangeUnavailable, 1),
    ],
)
def test_when_it_fails_it_fails_for_all_who_wait_and_is_not_asked_for_each(sts, build_cache, reply, error, seconds):
    sts.reply = reply
    cache = build_cache(timeout_seconds=seconds)
    begun = time.monotonic()
    results, failures = ask_at_once([cache], 100)
    assert not results
    assert {type(failure) for failure in failures} == {error}
    assert len(sts.requests) < 10
    assert time.monotonic() - begun < 4
    sts.behave()
    assert ask(cache).credentials.access_key_secret in sts.secrets


def test_an_equal_request_gets_the_same_and_is_told_of_whom(sts, build_cache):
    first = ask(build_cache(), reference="FIRST")
    second = ask(build_cache(), reference="SECOND")
    assert second.credentials.access_key_id == first.credentials.access_key_id
    assert (first.credentials.reused, second.credentials.reused) == (False, True)
    assert second.reference == "FIRST"
    assert second.credentials.request_id == first.credentials.request_id
    assert len(sts.requests) == 1


OTHERS = {
    "another person": {"identity": make_identity(subject="another")},
    "the same name at another issuer": {"identity": make_identity(issuer="https://other.example")},
    "the same name by another provider": {"identity": make_identity(provider="acme-oidc")},
    "another session name": {"identity": make_identity(claims={"email": "wei.lin@acme.example"})},
    "another length": {"asked": 1800},
    "another limit of the rule": {"duration_seconds": 1800},
    "the same person after another kind of sign-in": {"identity": make_identity(acr="urn:acme:mfa")},
    "the same person by other means": {"identity": make_identity(amr=("pwd", "otp"))},
    "the same person in another group": {"identity": make_identity(claims=PERSON.claims | {"groups": ["finance"]})},
    "another role": {"name": "Developer"},
    "a policy": {"session_policy": '{"Version":"1","Statement":[]}'},
    "a RAM user with that role": {"kind": "user", "name": "lin.wei", "terminal_role": "ReadOnly"},
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_an_unequal_request_gets_its_own(sts, build_cache, other):
    cache = build_cache()
    first, second = ask(cache), ask(cache, **other)
    assert first.credentials.access_key_id != second.credentials.access_key_id
    assert not second.credentials.reused
    assert len(sts.requests) == 2
    assert ask(cache).credentials.access_key_id == first.credentials.access_key_id
    assert ask(cache, **other).credentials.access_key_id == second.credentials.access_key_id


def test_what_no_rule_reads_makes_no_request_unequal_and_what_one_reads_does(sts, build_cache):
    cache, reading = build_cache(), Reading(frozenset({"groups"}), authentication_time=False)
    later = make_identity(
        message_id="_2", authenticated_at=NOW + timedelta(minutes=1), claims=PERSON.claims | {"run_id": "7"}
    )
    first = ask(cache, reading=reading)
    assert ask(cache, later, reading=reading).credentials.access_key_id == first.credentials.access_key_id
    for more in (replace(reading, authentication_time=True), replace(reading, claims=reading.claims | {"run_id"})):
        keys = {ask(cache, each, reading=more).credentials.access_key_id for each in (PERSON, later)}
        assert len(keys | {first.credentials.access_key_id}) == 3


def test_t_sts_07_what_a_caller_narrowed_is_not_what_a_rule_narrowed_by_the_same_policy(sts, build_cache):
    cache, entitlement = build_cache(), make_entitlement(session_policy='{"Version":"1","Statement":[]}')
    choices = [Choice(PERSON, entitlement, narrowed_by_caller=narrowed) for narrowed in (False, True)]
    first, second = (cache.obtain(choice, "REF", lambda _: None) for choice in choices)
    assert first.credentials.access_key_id != second.credentials.access_key_id
    assert cache.obtain(choices[1], "REF", lambda _: None).credentials.reused


def test_a_changed_account_file_makes_everything_new(sts, build_cache):
    ask(build_cache())
    assert not ask(build_cache(max_duration_seconds=40_000)).credentials.reused
    assert len(sts.requests) == 2


@pytest.mark.parametrize(
    ("asked", "reused_until"),
    [(3600, 3600 - 20 * 60), (1800, 600), (900, 300)],
)
def test_they_are_reused_while_20_minutes_or_two_thirds_are_left(sts, build_cache, clock, asked, reused_until):
    cache = build_cache()
    first = ask(cache, asked=asked)
    clock.advance(reused_until - 1)
    again = ask(cache, asked=asked)
    assert again.credentials.reused
    assert again.credentials.expires_at == first.credentials.expires_at
    clock.advance(2)
    assert not ask(cache, asked=asked).credentials.reused
    assert len(sts.requests) == 2


def test_they_never_outlast_the_end_that_the_provider_set(sts, build_cache, clock):
    cache = build_cache()
    ask(cache)
    ends = make_identity(valid_until=clock.now() + timedelta(seconds=1500))
    short = ask(cache, ends)
    assert not short.credentials.reused
    assert short.credentials.expires_at <= clock.now() + timedelta(seconds=1501)


def test_an_sts_that_lies_about_the_time_is_not_believed_beyond_our_own_arithmetic(sts, build_cache, clock):
    cache = build_cache()
    sts.now = lambda: clock.now().timestamp() + 290
    assert ask(cache).credentials
    clock.advance(3600 - 20 * 60 + 1)
    assert not ask(cache).credentials.reused


def test_what_cannot_be_recorded_is_shared_with_nobody_and_not_kept(sts, build_cache):
    cache, results = build_cache(), []

    def fail(_):
        time.sleep(0.2)
        raise AuditUnavailable("the disk is full")

    def run():
        try:
            results.append(cache.obtain(Choice(PERSON, make_entitlement()), "REF", fail))
        except AuditUnavailable as error:
            results.append(error)

    threads = [threading.Thread(target=run) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {type(result) for result in results} == {AuditUnavailable}
    refused = set(sts.secrets)
    again = ask(cache)
    assert not again.credentials.reused
    assert again.credentials.access_key_secret not in refused


def test_nobody_gets_them_before_they_are_recorded(sts, build_cache):
    caches, order, start = [build_cache(), build_cache()], [], threading.Event()

    def record(_):
        start.set()
        time.sleep(0.3)
        order.append("recorded")

    def lead():
        caches[0].obtain(Choice(PERSON, make_entitlement()), "REF", record)

    def follow(cache):
        start.wait()
        ask(cache)
        order.append("released")

    threads = [threading.Thread(target=lead), *(threading.Thread(target=follow, args=(cache,)) for cache in caches)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert order == ["recorded", "released", "released"]
    assert len(sts.requests) == 1


def test_what_is_kept_is_sealed_and_names_nobody(redis, sts, build_cache):
    ask(build_cache())
    dump = b"".join(key + (redis.get(key) or b"") for key in redis.keys("*") if redis.type(key) == b"string")
    for secret in (*sts.secrets, PERSON.subject, "ReadOnly", "STS."):
        assert secret.encode() not in dump


def test_what_is_put_under_another_persons_name_does_not_open(redis, sts, build_cache):
    cache = build_cache()
    ask(cache)
    [mine] = redis.keys("rambridge:credentials:*")
    ask(cache, make_identity(subject="another"))
    [other] = set(redis.keys("rambridge:credentials:*")) - {mine}
    redis.set(other, redis.get(mine))
    assert not ask(cache, make_identity(subject="another")).credentials.reused
    assert ask(cache).credentials.reused


def test_forgetting_a_person_drops_theirs_alone(redis, sts, build_cache):
    cache, another = build_cache(), make_identity(subject="another")
    ask(cache), ask(cache, name="Developer"), ask(cache, another)
    cache.forget(PERSON.issuer, PERSON.subject)
    assert not ask(cache).credentials.reused
    assert not ask(cache, name="Developer").credentials.reused
    assert ask(cache, another).credentials.reused


@pytest.mark.parametrize("signs_out", [True, False])
def test_what_is_under_way_at_a_sign_out_is_for_nobody_after_it(sts, build_cache, signs_out):
    cache, another = build_cache(), build_cache()

    def sign_out(_):
        if signs_out:
            another.forget(PERSON.issuer, PERSON.subject)

    first = cache.obtain(Choice(PERSON, make_entitlement()), "REF", sign_out)
    second, third = ask(another), ask(cache)
    assert (second.credentials.access_key_id == first.credentials.access_key_id) is not signs_out
    assert second.credentials.access_key_id == third.credentials.access_key_id


def test_whoever_waits_since_a_sign_out_for_what_was_asked_before_it_gets_their_own(sts, build_cache):
    cache, under_way, signed_out, results = build_cache(timeout_seconds=10), threading.Event(), threading.Event(), []

    def record(_):
        under_way.set()
        assert signed_out.wait(5)

    def ask_first():
        results.append(cache.obtain(Choice(PERSON, make_entitlement()), "FIRST", record))

    def ask_again():
        results.append(ask(cache, reference="SECOND"))

    threads = [threading.Thread(target=ask_first), threading.Thread(target=ask_again)]
    threads[0].start()
    assert under_way.wait(5)
    cache.forget(PERSON.issuer, PERSON.subject)
    threads[1].start()
    time.sleep(0.1)
    signed_out.set()
    for thread in threads:
        thread.join()
    assert len({result.credentials.access_key_id for result in results}) == 2
    assert ask(cache).reference == "SECOND"


def test_whoever_dies_while_asking_holds_nobody_for_longer_than_a_deadline(redis, sts, build_cache, monkeypatch):
    cache = build_cache(timeout_seconds=1.5)
    monkeypatch.setattr(cache, "_end_turn", lambda *_: None)
    sts.script = [fault(403, "NoPermission")]
    with pytest.raises(ExchangeNotTrusted):
        ask(cache)
    assert redis.keys("rambridge:credentials-asked:*")
    other = build_cache(timeout_seconds=1.5)
    begun = time.monotonic()
    with suppress(ExchangeUnavailable):  # a little of its own time may be left when the turn ends
        ask(other)
    assert 0.2 < time.monotonic() - begun < 5
    assert ask(other).credentials.access_key_secret in sts.secrets


def test_without_redis_everybody_still_gets_their_own(sts, build_cache):
    cache = build_cache(store=connect_store("redis://127.0.0.1:9/0"))
    assert ask(cache).credentials.access_key_secret in sts.secrets
    assert not ask(cache).credentials.reused


def test_other_accounts_do_not_meet(sts, build_cache):
    accounts = [make_account(name=name, id=f"100000000000000{name}", endpoint=sts.url) for name in "12"]
    cache = build_cache(*accounts)
    for name in "12":
        assert not ask(cache, account=name).credentials.reused


def test_the_system_clock_will_do(redis, sts, build_exchange):
    cache = CredentialsCache(build_exchange(), redis, Sealer(KEY), SystemClock(), WaitingRoom(1))
    assert not ask(cache).credentials.reused
    assert ask(cache).credentials.reused
