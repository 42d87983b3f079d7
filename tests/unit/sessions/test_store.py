import os
import re
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.errors import SessionExpired, SessionMissing
from bridge.sealing import Sealer
from bridge.sessions.store import SessionStore, session_key
from tests.live_store import MovableClock, make_identity, running_store

IDLE, ABSOLUTE = 1800, 28_800
ISSUER = "https://idp.example.com/saml/metadata"
SUBJECT = "zhang.wei@example.com"


@pytest.fixture
def key():
    return os.urandom(32)


@pytest.fixture
def store(redis, key, clock):
    return SessionStore(redis, Sealer(key), clock, IDLE, ABSOLUTE)


@pytest.fixture
def commands(redis):
    """Return a function that tells how many commands the server has answered, its own question excluded."""
    asked = [0]

    def count():
        asked[0] += 1
        return redis.info("stats")["total_commands_processed"] - asked[0]

    return count


def test_a_session_is_loaded_as_it_was_created(store):
    identity = make_identity(amr=("pwd", "mfa"))
    cookie, created = store.create(identity)
    loaded = store.load(cookie)
    assert loaded == created
    assert loaded.identity == identity
    assert loaded.ends_at - loaded.created_at == timedelta(seconds=ABSOLUTE)


def test_a_cookie_and_a_form_token_are_unguessable_and_never_the_same():
    """T-WEB-02."""
    with running_store() as redis:
        store = SessionStore(redis, Sealer(os.urandom(32)), MovableClock(), IDLE, ABSOLUTE)
        made = [store.create(make_identity()) for _ in range(50)]
    assert len({cookie for cookie, _ in made}) == 50
    assert len({session.csrf_token for _, session in made}) == 50
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", cookie) for cookie, _ in made)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{32}", session.csrf_token) for _, session in made)


def test_a_session_prints_no_form_token(store):
    _, session = store.create(make_identity())
    assert session.csrf_token not in repr(session)


@pytest.mark.parametrize(
    "cookie", ["", "a", "A" * 42, "A" * 44, "A" * 42 + "=", "A" * 42 + "\n", "*" * 43, "A" * 42 + "ä", "A" * 43]
)
def test_an_identifier_that_we_did_not_make_is_nobody_s(store, redis, cookie):
    """T-WEB-02, T-REDIS-06: it is not adopted either."""
    with pytest.raises(SessionMissing):
        store.load(cookie)
    assert redis.keys("*") == []


def test_a_malformed_cookie_does_not_even_cost_a_question_to_the_server(store, commands):
    before = commands()
    for cookie in ("", "x" * 100_000, "A" * 42 + "\n"):
        with pytest.raises(SessionMissing):
            store.load(cookie)
    assert commands() == before


def test_signing_in_again_ends_the_session_that_was_there(store):
    """T-WEB-02: an identifier that somebody planted before sign-in is worth nothing after it."""
    planted, _ = store.create(make_identity(subject="attacker"))
    cookie, _ = store.create(make_identity(), replaces=session_key(planted))
    assert cookie != planted
    with pytest.raises(SessionMissing):
        store.load(planted)
    assert store.load(cookie).identity.subject == SUBJECT


def test_use_postpones_the_idle_end(store, clock, redis):
    cookie, created = store.create(make_identity())
    for _ in range(5):
        clock.advance(IDLE - 1)
        assert store.load(cookie).last_seen_at == clock.now()
    assert store.load(cookie).csrf_token == created.csrf_token
    assert (IDLE - 5) * 1000 < redis.pttl(session_key(cookie)) <= IDLE * 1000


def test_an_idle_session_is_over(store, clock):
    cookie, _ = store.create(make_identity())
    clock.advance(IDLE)
    with pytest.raises(SessionExpired):
        store.load(cookie)


def test_no_use_postpones_the_absolute_end(store, clock, redis):
    cookie, _ = store.create(make_identity())
    for _ in range(ABSOLUTE // 1000):
        clock.advance(1000)
        store.load(cookie)
    assert redis.pttl(session_key(cookie)) <= (ABSOLUTE % 1000) * 1000
    clock.advance(ABSOLUTE % 1000)
    with pytest.raises(SessionExpired):
        store.load(cookie)


def test_a_session_never_outlasts_the_one_at_the_provider(store, clock, redis):
    cookie, session = store.create(make_identity(valid_until=clock.now() + timedelta(seconds=100)))
    assert session.ends_at == session.identity.valid_until
    assert redis.pttl(session_key(cookie)) <= 100_000
    clock.advance(100)
    with pytest.raises(SessionExpired):
        store.load(cookie)


def test_a_provider_s_session_that_is_over_starts_none(store, clock, redis):
    with pytest.raises(SessionExpired):
        store.create(make_identity(valid_until=clock.now()))
    assert redis.keys("*") == []


def test_the_server_forgets_a_session_by_itself(redis, key, clock):
    store = SessionStore(redis, Sealer(key), clock, 1800, 600)
    cookie, _ = store.create(make_identity())
    assert 590_000 < redis.pttl(session_key(cookie)) <= 600_000
    assert all(redis.pttl(name) > 0 for name in redis.keys("*"))


def test_finding_by_key_does_not_count_as_use(store, clock):
    cookie, session = store.create(make_identity())
    clock.advance(IDLE - 1)
    assert store.find(session_key(cookie)) == session
    clock.advance(1)
    assert store.find(session_key(cookie)) is None
    assert store.find("rambridge:session:unknown") is None


def test_an_ended_session_is_over_at_once(store):
    cookie, _ = store.create(make_identity())
    assert store.end(cookie) is True
    assert store.end(cookie) is False
    with pytest.raises(SessionMissing):
        store.load(cookie)


def test_a_session_that_is_ended_while_it_is_used_stays_ended(store, clock, redis, monkeypatch):
    cookie, _ = store.create(make_identity())
    clock.advance(100)
    get = redis.get

    def end_after_reading(name):
        sealed = get(name)
        redis.delete(name)
        return sealed

    monkeypatch.setattr(redis, "get", end_after_reading)
    with pytest.raises(SessionMissing):
        store.load(cookie)
    assert redis.keys("rambridge:session:*") == []


def test_all_sessions_of_a_person_end_and_nobody_else_s(store):
    mine = [store.create(make_identity())[0] for _ in range(3)]
    others = [
        store.create(make_identity(subject="zhang.wei@example.co"))[0],
        store.create(make_identity(issuer="https://other.example.com"))[0],
    ]
    store.end(mine[0])
    assert len(store.end_all(ISSUER, SUBJECT)) == 2
    assert len(store.end_all(ISSUER, SUBJECT)) == 0
    for cookie in mine:
        with pytest.raises(SessionMissing):
            store.load(cookie)
    for cookie in others:
        store.load(cookie)


def test_of_one_session_at_the_provider_only_the_named_person_s_end(store):
    mine = store.create(make_identity(session_index="_shared"))[0]
    elsewhere = store.create(make_identity(session_index="_other"))[0]
    colleague = store.create(make_identity(subject="zhang.wei@example.co", session_index="_shared"))[0]
    assert store.end_by_session_index(ISSUER, "_shared", "nobody") == ()
    [ended] = store.end_by_session_index(ISSUER, "_shared", SUBJECT)
    assert (ended.subject, ended.session_index) == (SUBJECT, "_shared")
    with pytest.raises(SessionMissing):
        store.load(mine)
    store.load(elsewhere)
    store.load(colleague)
    assert len(store.end_by_session_index(ISSUER, "_shared")) == 1


def test_the_sessions_of_one_session_at_the_provider_end(store):
    laptop = store.create(make_identity(session_index="_laptop"))[0]
    phone = store.create(make_identity(session_index="_phone"))[0]
    unnamed = store.create(make_identity(session_index=None))[0]
    assert len(store.end_by_session_index(ISSUER, "_laptop")) == 1
    assert len(store.end_by_session_index(ISSUER, "")) == 0
    with pytest.raises(SessionMissing):
        store.load(laptop)
    store.load(phone)
    store.load(unnamed)


def test_a_session_that_begins_while_all_are_ended_stays_findable(store, redis, monkeypatch):
    store.create(make_identity())
    zrange, begun = redis.zrange, []

    def begin_after_reading(*arguments):
        keys = zrange(*arguments)
        if not begun:
            begun.append(store.create(make_identity()))
        return keys

    monkeypatch.setattr(redis, "zrange", begin_after_reading)
    assert len(store.end_all(ISSUER, SUBJECT)) == 1
    monkeypatch.undo()
    assert len(store.end_all(ISSUER, SUBJECT)) == 1


def test_an_index_forgets_sessions_that_are_over(store, clock, redis):
    for _ in range(3):
        store.create(make_identity(session_index=None))
    clock.advance(ABSOLUTE)
    store.create(make_identity(session_index=None))
    (index,) = redis.keys("rambridge:sessions-of:*")
    assert redis.zcard(index) == 1


def test_a_usual_session_fits_the_allocation_class(store, redis):
    cookie, _ = store.create(make_identity())
    assert redis.strlen(session_key(cookie)) <= 1_525
    cookie, _ = store.create(make_identity(claims={"groups": [os.urandom(16).hex() for _ in range(40)]}))
    assert redis.strlen(session_key(cookie)) <= 1_525


def test_a_request_costs_one_command_and_once_a_minute_a_second_one(store, clock, commands):
    cookie, _ = store.create(make_identity())
    before = commands()
    for _ in range(10):
        clock.advance(5)
        store.load(cookie)
    assert commands() - before == 10
    clock.advance(10)
    store.load(cookie)
    assert commands() - before == 12


def test_a_stolen_dump_opens_nothing():
    """T-REDIS-02: the append-only file is read as an attacker would."""
    with running_store() as redis:
        store = SessionStore(redis, Sealer(os.urandom(32)), MovableClock(), IDLE, ABSOLUTE)
        identity = make_identity()
        cookie, session = store.create(identity)
        folder = Path(redis.config_get("dir")["dir"])
        dump = b"".join(path.read_bytes() for path in folder.rglob("*.aof"))
    assert session_key(cookie).encode() in dump
    for secret in (
        cookie,
        session.csrf_token,
        identity.subject,
        identity.issuer,
        "cloud-team",
        "张伟",
        identity.message_id,
    ):
        assert secret.encode() not in dump


def test_a_session_opens_after_a_rotation_and_is_sealed_anew_when_used(redis, clock):
    """T-REDIS-03: previous key opens; use re-seals; the key that is gone ends the session without a crash."""
    old, new = os.urandom(32), os.urandom(32)
    before = SessionStore(redis, Sealer(old), clock, IDLE, ABSOLUTE)
    used, unused = before.create(make_identity())[0], before.create(make_identity())[0]
    during = SessionStore(redis, Sealer(new, [old]), clock, IDLE, ABSOLUTE)
    clock.advance(100)
    during.load(used)
    after = SessionStore(redis, Sealer(new), clock, IDLE, ABSOLUTE)
    after.load(used)
    with pytest.raises(SessionExpired):
        after.load(unused)


def test_a_session_that_was_put_in_place_of_another_is_over(store, redis):
    """T-REDIS-04: an attacker who can write to Redis gives himself the administrator's session."""
    admin, _ = store.create(make_identity(subject="admin"))
    mine, _ = store.create(make_identity(subject="attacker"))
    redis.copy(session_key(admin), session_key(mine), replace=True)
    with pytest.raises(SessionExpired):
        store.load(mine)
    store.load(admin)


@pytest.mark.parametrize("form", ["hash", "pickle", "plain json", "sealed list", "sealed null", "empty"])
def test_a_value_of_another_form_is_a_session_that_is_over(store, redis, key, form, caplog):
    """T-REDIS-04: an alert in the log, no crash, no session."""
    cookie, _ = store.create(make_identity())
    name = session_key(cookie)
    redis.delete(name)
    if form == "hash":
        redis.hset(name, "subject", "admin")
    else:
        seal = Sealer(key).seal_json
        redis.set(
            name,
            {
                "pickle": b"cos\nsystem\n(S'true'\ntR.",
                "plain json": b'["admin"]',
                "sealed list": seal(name, [[1], 2, 3, 4, "token"]),
                "sealed null": seal(name, None),
                "empty": b"",
            }[form],
        )
    with pytest.raises(SessionExpired):
        store.load(cookie)
    assert "a session does not open" in caplog.text
    assert cookie not in caplog.text


@pytest.fixture
def terminals(redis, key, clock):
    return SessionStore(redis, Sealer(key), clock, ABSOLUTE, ABSOLUTE, kind="terminal")


def test_a_terminal_has_no_idle_end_but_never_outlives_what_let_it_in(store, terminals, clock):
    _, session = store.create(make_identity())
    clock.advance(IDLE - 1)
    token, terminal = terminals.create(session.identity, ends_by=session.ends_at)
    assert terminal.ends_at == session.ends_at
    clock.advance(IDLE + 1)
    assert terminals.load(token).identity == session.identity


def test_a_token_opens_no_browser_and_a_cookie_no_terminal(store, terminals):
    cookie, token = store.create(make_identity())[0], terminals.create(make_identity())[0]
    for opened, value in ((store, token), (terminals, cookie)):
        with pytest.raises(SessionMissing):
            opened.load(value)


def test_what_the_provider_ends_ends_in_terminals_too(store, terminals):
    token = terminals.create(make_identity(session_index="_of-a-terminal"))[0]
    assert len(store.end_by_session_index(ISSUER, "_of-a-terminal")) == 1
    with pytest.raises(SessionMissing):
        terminals.load(token)


def test_a_person_s_terminals_end_without_their_browsers(store, terminals):
    cookie, token = store.create(make_identity())[0], terminals.create(make_identity())[0]
    others = terminals.create(make_identity(subject="somebody.else@example.com"))[0]
    assert len(terminals.end_own(ISSUER, SUBJECT)) >= 1
    with pytest.raises(SessionMissing):
        terminals.load(token)
    store.load(cookie)
    terminals.load(others)


def test_a_terminal_that_is_opened_while_all_are_ended_ends_too(store, redis, key, clock, monkeypatch):
    terminals = SessionStore(redis, Sealer(key), clock, IDLE, ABSOLUTE, kind="terminal")
    store.create(make_identity())
    zrange, opened = redis.zrange, []

    def open_after_reading(*arguments):
        keys = zrange(*arguments)
        if not opened:
            opened.append(terminals.create(make_identity())[0])
        return keys

    monkeypatch.setattr(redis, "zrange", open_after_reading)
    assert len(store.end_all(ISSUER, SUBJECT)) == 2
    with pytest.raises(SessionMissing):
        terminals.load(opened[0])
