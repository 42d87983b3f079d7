import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest

from bridge.errors import StoreUnavailable
from bridge.identity.ended import EndedAtProvider
from bridge.identity.pending import CONFIRMATION_SECONDS, PendingSignIn, PendingSignIns, UnconfirmedSignIns
from bridge.identity.step_up import StepUp
from bridge.sealing import Sealer
from bridge.store_connection import build_key, connect_store
from tests.live_store import MovableClock, make_identity, running_store

HANDLE = "Jm0cV0Yw3m8o1lq1jT3m6Vx3nY0dXo2uQ4rK5sP6tE8"


@pytest.fixture(scope="module")
def redis():
    with running_store() as client:
        yield client


@pytest.fixture
def clock(redis):
    redis.flushdb()
    return MovableClock()


@pytest.fixture
def sealer():
    return Sealer(os.urandom(32))


@pytest.fixture
def questions(redis, sealer, clock):
    return PendingSignIns(redis, sealer, clock)


@pytest.fixture
def unconfirmed(redis, sealer, clock):
    return UnconfirmedSignIns(redis, sealer, clock)


@pytest.fixture
def question(clock):
    return PendingSignIn(
        handle=HANDLE,
        provider="corporate",
        protocol="oidc",
        browser="ab" * 32,
        expires_at=clock.now() + timedelta(seconds=600),
        request_id="_req",
        nonce="the-nonce",
        code_verifier="the-verifier",
        return_to="/accounts",
        replaces_session="rambridge:session:old",
        asked_at=clock.now(),
        step_up=StepUp("0123456789abcdef", "https://idp.example", "ada", ("urn:a", "urn:b"), 600),
    )


def test_a_question_is_found_as_it_was_asked_and_stays(questions, question):
    questions.save(question)
    assert questions.find(HANDLE) == question
    assert questions.find(HANDLE) == question


def test_a_question_of_a_version_that_did_not_remember_when_it_asked_is_found(questions, question, redis, sealer):
    questions.save(question)
    key = build_key("pending", HANDLE)
    fields = sealer.open_json(key, redis.get(key))
    del fields["asked_at"]
    redis.set(key, sealer.seal_json(key, fields))
    assert questions.find(HANDLE) == replace(question, asked_at=None)


@pytest.mark.parametrize("handle", ["", HANDLE[:-1], HANDLE + "A", HANDLE.lower(), "*", "a:b\r\nc", "\udce4"])
def test_no_other_handle_finds_it(questions, question, handle):
    """T-REDIS-06."""
    questions.save(question)
    assert questions.find(handle) is None
    assert questions.consume(handle) is False
    assert questions.find(HANDLE) == question


def test_a_question_that_is_too_old_is_not_found(questions, question, clock):
    questions.save(question)
    clock.advance(599)
    assert questions.find(HANDLE) == question
    clock.advance(1)
    assert questions.find(HANDLE) is None


def test_a_question_that_is_too_old_when_it_is_remembered_is_no_fault(questions, question, clock):
    questions.save(replace(question, expires_at=clock.now()))
    assert questions.find(question.handle) is None


def test_the_server_forgets_a_question_by_itself(questions, question, redis):
    questions.save(question)
    assert 590_000 < redis.pttl(build_key("pending", HANDLE)) <= 600_000


def test_a_used_question_is_gone(questions, question):
    questions.save(question)
    assert questions.consume(HANDLE) is True
    assert questions.consume(HANDLE) is False
    assert questions.find(HANDLE) is None


def test_of_twenty_that_use_a_question_exactly_one_wins(questions, question):
    barrier = Barrier(20)

    def use(_):
        barrier.wait()
        return questions.consume(HANDLE)

    with ThreadPoolExecutor(20) as pool:
        for _ in range(20):
            questions.save(question)
            assert list(pool.map(use, range(20))).count(True) == 1


def test_a_stolen_dump_holds_neither_handle_nor_nonce_nor_verifier(questions, question, redis):
    """T-REDIS-02."""
    questions.save(question)
    (key,) = redis.keys("*")
    stored = key + redis.get(key)
    for secret in (HANDLE, "the-nonce", "the-verifier", "corporate", "rambridge:session:old"):
        assert secret.encode() not in stored


def test_a_question_that_was_swapped_for_another_is_not_found(questions, question, redis):
    """T-REDIS-04."""
    questions.save(question)
    questions.save(replace(question, handle="other", browser="cd" * 32))
    redis.copy(build_key("pending", "other"), build_key("pending", HANDLE), replace=True)
    assert questions.find(HANDLE) is None


def test_a_question_of_another_type_or_form_is_not_found(questions, question, redis, sealer):
    """T-REDIS-04."""
    key = build_key("pending", HANDLE)
    redis.hset(key, "provider", "corporate")
    assert questions.find(HANDLE) is None
    for value in ({}, [], {"expires_at": "tomorrow"}, {"expires_at": 1e15}, {"expires_at": 2e9, "role": "admin"}):
        redis.set(key, sealer.seal_json(key, value))
        assert questions.find(HANDLE) is None


def test_a_question_opens_after_a_rotation_and_not_when_its_key_is_gone(redis, question, clock):
    """T-REDIS-03."""
    old, new = os.urandom(32), os.urandom(32)
    PendingSignIns(redis, Sealer(old), clock).save(question)
    assert PendingSignIns(redis, Sealer(new, [old]), clock).find(HANDLE) == question
    assert PendingSignIns(redis, Sealer(new), clock).find(HANDLE) is None


def test_a_confirmed_sign_in_is_taken_once(unconfirmed):
    identity = make_identity()
    unconfirmed.save("token", "browser", identity)
    assert unconfirmed.take("token", "browser") == identity
    assert unconfirmed.take("token", "browser") is None


@pytest.mark.parametrize(
    ("token", "browser"), [("token", "other"), ("other", "browser"), ("tokenb", "rowser"), ("", "")]
)
def test_another_browser_gets_nothing_and_burns_nothing(unconfirmed, token, browser):
    identity = make_identity()
    unconfirmed.save("token", "browser", identity)
    assert unconfirmed.take(token, browser) is None
    assert unconfirmed.take("token", "browser") == identity


def test_of_twenty_that_confirm_exactly_one_wins(unconfirmed):
    unconfirmed.save("token", "browser", make_identity())
    barrier = Barrier(20)

    def take(_):
        barrier.wait()
        return unconfirmed.take("token", "browser")

    with ThreadPoolExecutor(20) as pool:
        assert [identity is None for identity in pool.map(take, range(20))].count(False) == 1


def test_a_confirmation_that_comes_too_late_gets_nothing(unconfirmed, clock, redis):
    unconfirmed.save("token", "browser", make_identity())
    (key,) = redis.keys("*")
    assert 0 < redis.pttl(key) <= CONFIRMATION_SECONDS * 1000
    clock.advance(CONFIRMATION_SECONDS)
    assert unconfirmed.take("token", "browser") is None


def test_an_unconfirmed_identity_of_another_form_is_not_taken(unconfirmed, redis, sealer):
    """T-REDIS-04."""
    key = build_key("unconfirmed", "token", "browser")
    for value in (None, [], {}, [2e9, []], ["soon", None], [2e9, [99] + [""] * 12], 7):
        redis.set(key, sealer.seal_json(key, value))
        assert unconfirmed.take("token", "browser") is None


def over(**changes):
    settings = {"issuer": "https://idp.example", "subject": None, "session_indexes": (), "message_id": "m"}
    return EndedAtProvider(**(settings | {"accept_until": datetime.now(UTC)} | changes))


def test_an_end_at_the_provider_counts_for_what_waited_then_and_not_for_what_comes_later(unconfirmed, clock, redis):
    identity = make_identity(session_index="s")
    ended = over(issuer=identity.issuer, session_indexes=("s",))
    unconfirmed.save("before", "browser", identity)
    clock.advance(1)
    unconfirmed.end(ended)
    clock.advance(1)
    unconfirmed.save("after", "browser", identity)
    assert unconfirmed.take("before", "browser") is None
    assert unconfirmed.take("after", "browser") == identity
    (mark,) = redis.keys("rambridge:ended:*")
    assert 0 < redis.pttl(mark) <= CONFIRMATION_SECONDS * 1000


@pytest.mark.parametrize(
    ("waits", "end", "is_over"),
    [
        (("ada", "s"), ("ada", ()), True),
        (("ada", None), ("ada", ()), True),
        (("ada", "s"), ("eve", ()), False),
        (("ada", "s"), (None, ("other", "s")), True),
        (("ada", "s"), (None, ("other",)), False),
        (("ada", None), (None, ("s",)), False),
        (("ada", "s"), ("ada", ("s",)), True),
        (("ada", "s"), ("eve", ("s",)), False),
        (("ada", "s"), ("ada", ("other",)), False),
        (("ada", None), ("ada", ("s",)), False),
    ],
)
def test_what_waits_is_over_if_it_is_of_this_person_and_this_session(unconfirmed, waits, end, is_over):
    identity = make_identity(subject=waits[0], session_index=waits[1])
    unconfirmed.save("token", "browser", identity)
    unconfirmed.end(over(issuer="https://other.example", subject=waits[0]))
    unconfirmed.end(over(issuer=identity.issuer, subject=end[0], session_indexes=end[1]))
    assert unconfirmed.take("token", "browser") == (None if is_over else identity)


def test_t_redis_04_a_mark_of_another_form_ends_what_waits(unconfirmed, redis):
    identity = make_identity()
    unconfirmed.save("token", "browser", identity)
    redis.set(build_key("ended", identity.issuer, "", identity.subject), b"never")
    assert unconfirmed.take("token", "browser") is None


@pytest.mark.parametrize(
    "use",
    [
        lambda questions, _, question: questions.save(question),
        lambda questions, _, __: questions.find(HANDLE),
        lambda questions, _, __: questions.consume(HANDLE),
        lambda _, unconfirmed, __: unconfirmed.save("token", "browser", make_identity()),
        lambda _, unconfirmed, __: unconfirmed.take("token", "browser"),
        lambda _, unconfirmed, __: unconfirmed.end(EndedAtProvider("issuer", "ada", (), "", datetime.now(UTC))),
    ],
)
def test_without_the_store_nothing_is_remembered_and_nothing_found(questions, unconfirmed, question, tmp_path, use):
    use(questions, unconfirmed, question)
    gone = connect_store(f"unix://{tmp_path}/none.sock")
    with pytest.raises(StoreUnavailable):
        use(
            PendingSignIns(gone, Sealer(os.urandom(32)), MovableClock()),
            UnconfirmedSignIns(gone, Sealer(os.urandom(32)), MovableClock()),
            question,
        )


def test_a_store_that_fails_before_it_says_what_is_over_lets_nobody_in(unconfirmed, redis, tmp_path, monkeypatch):
    for token in ("first", "second"):
        unconfirmed.save(token, "browser", make_identity())
    with monkeypatch.context() as fault:
        fault.setattr(redis, "pipeline", connect_store(f"unix://{tmp_path}/none.sock").pipeline)
        with pytest.raises(StoreUnavailable):
            unconfirmed.take("first", "browser")
    assert unconfirmed.take("second", "browser") is not None
