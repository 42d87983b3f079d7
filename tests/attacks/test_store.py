"""The store in somebody else's hands, or gone, in the middle of a sign-in (REDIS-02 to 06).

The server is a real one of these tests alone: they take it apart.
"""

import re
import secrets
import time
from pathlib import Path

import pytest
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import RedisError

from bridge import embedded_store
from bridge.attack.scripted_server import wait_until
from bridge.clock import SystemClock
from bridge.keys import rotate
from tests.attacks.door import (
    CLIENT_SECRET,
    Visitor,
    add_attribute,
    begin,
    call_back,
    draft_response,
    find_code,
    post_response,
    run_service,
    sign_in,
)
from tests.live_store import kill_store

pytestmark = pytest.mark.usefixtures("no_failures")

SUBJECT = "alice@example.com"


@pytest.fixture(scope="module")
def running_service(tmp_path_factory):
    with run_service(tmp_path_factory.mktemp("store")) as service:
        yield service


@pytest.fixture(scope="module")
def app(running_service):
    return running_service.start()


@pytest.fixture
def server(service):
    """Return what an operator, or whoever took the operator's place, does with the server."""
    return Server(service)


class Server:
    def __init__(self, service):
        self._redis = service.redis
        self._folder = Path(service.redis.config_get("dir")["dir"])

    def dump(self):
        """Return the bytes of a fresh snapshot and of the append-only file."""
        self._redis.config_set("rdbcompression", "no")  # so that what is readable can be found
        self._redis.save()
        files = [self._folder / "dump.rdb", *self._folder.rglob("*.aof")]
        assert all(file.is_file() for file in files)
        return {file.suffix: file.read_bytes() for file in files}

    def kill(self):
        kill_store(self._folder)

    def start(self):
        embedded_store.start(self._folder)
        assert wait_until(self._answers)

    def _answers(self):
        try:
            return self._redis.ping()
        except ConnectionLost:
            return False


def finish(visitor, provider, question, answer):
    """Bring a provider's answer to a question."""
    if provider == "corp":
        return post_response(visitor, "corp", answer, question.handle)
    return call_back(visitor, provider, answer)


def ask(service, visitor, provider):
    """Begin a sign-in; return the question, and the honest answer to it."""
    question = begin(visitor, provider)
    if provider == "corp":
        return question, draft_response("corp", question.request_id).encode()
    return question, service.staff.authorize(question.url)


BOTH = pytest.mark.parametrize(("provider", "subject"), [("corp", SUBJECT), ("staff", "ada")])


# ── REDIS-02: a stolen copy ──────────────────────────────────────────────────────────────────────────────────


def test_t_redis_02_a_snapshot_taken_at_every_stage_of_a_sign_in_holds_nothing_that_opens_anything(
    service, app, server
):
    canaries = {name: f"canary-{name}-{secrets.token_hex(8)}" for name in ("subject", "department", "group", "email")}
    visitor, guest, third = Visitor(app), Visitor(app), Visitor(app)
    pending = begin(third, "staff", "/sign-in?canary-path")
    question = begin(visitor, "corp")
    draft = draft_response("corp", question.request_id, canaries["subject"], groups=("platform", canaries["group"]))
    add_attribute(draft, "department", canaries["department"])
    post_response(visitor, "corp", draft.encode(), question.handle)
    unasked = draft_response("tiles", None, canaries["email"])
    confirmation = post_response(guest, "tiles", unasked.encode())
    token = confirmation.text.partition('name="token" value="')[2].partition('"')[0]
    callback = service.staff.authorize(begin(guest, "staff").url, "canary-ada")
    assert call_back(guest, "staff", callback).status_code == 303

    known = {
        **canaries,
        "OIDC subject": "canary-ada",
        "return path": "canary-path",
        "state": pending.handle,
        "nonce": pending.url.partition("nonce=")[2].partition("&")[0],
        "RelayState": question.handle,
        "request": question.request_id,
        "assertion": draft.assertion.get("ID"),
        "confirmation": token,
        "session": visitor.session,
        "browser": visitor.browser,
        "form token": visitor.get("/").text.partition('name="csrf_token" value="')[2].partition('"')[0],
        "client secret": CLIENT_SECRET,
        "code": dict(callback)["code"],
        **{f"code verifier {n}": request.form.get("code_verifier", "") for n, request in enumerate(redeemed(service))},
    }
    assert all(len(value) > 9 for value in known.values()), known
    control = secrets.token_hex(16)
    service.redis.set("control", control)
    dump = server.dump()
    for kind, content in dump.items():
        assert control.encode() in content, f"what is stored in the clear is not found in {kind}"
        assert content.count(b"rambridge:") >= 6
        assert {name: value for name, value in known.items() if value.encode() in content} == {}, kind
    assert visitor.is_signed_in_as(canaries["subject"])


def redeemed(service):
    found = [request for request in service.staff.requests if request.path == "/token"]
    assert found
    return found


# ── REDIS-03: keys that change in the middle ─────────────────────────────────────────────────────────────────


@BOTH
def test_t_redis_03_a_sign_in_outlives_a_rotation_and_ends_quietly_when_its_key_is_gone(service, provider, subject):
    folder, node = service.configuration.settings.key_folder, service.start()
    signed_in, visitor, late = Visitor(node), Visitor(node), Visitor(node)
    sign_in(signed_in, "bob@example.com")
    question, answer = ask(service, visitor, provider)
    forgotten, late_answer = ask(service, late, provider)
    rotate(folder, "store", SystemClock())
    node = service.start()
    assert finish(visitor.copy(app=node), provider, question, answer).status_code == 303
    assert signed_in.copy(app=node).is_signed_in_as("bob@example.com")
    for _ in range(2):
        rotate(folder, "store", SystemClock())
    node = service.start()
    response = finish(late.copy(app=node), provider, forgotten, late_answer)
    assert (response.status_code, find_code(response)) in {(400, "saml_inresponseto"), (400, "oidc_state")}
    assert signed_in.copy(app=node).get("/api/v1/session").status_code == 401
    visitor = Visitor(node)
    question, answer = ask(service, visitor, provider)
    assert finish(visitor, provider, question, answer).status_code == 303
    assert visitor.is_signed_in_as(subject)


# ── REDIS-04: written by somebody else ───────────────────────────────────────────────────────────────────────


def test_t_redis_04_two_sessions_that_change_places_become_nobodys(service, app):
    mallory, admin, bystander = Visitor(app), Visitor(app), Visitor(app)
    sign_in(bystander, "bystander@example.com")
    before = set(service.memory())
    sign_in(mallory, "mallory@example.com")
    of_mallory = next(key for key in set(service.memory()) - before if b":session:" in key)
    before = set(service.memory())
    sign_in(admin, "admin@example.com")
    of_admin = next(key for key in set(service.memory()) - before if b":session:" in key)
    value, other = service.redis.get(of_mallory), service.redis.get(of_admin)
    service.redis.set(of_mallory, other)
    service.redis.set(of_admin, value)
    for visitor in (mallory, admin):
        answer = visitor.get("/api/v1/session")
        assert (answer.status_code, answer.json["code"]) == (401, "session_expired")
    assert bystander.is_signed_in_as("bystander@example.com")
    sign_in(admin, "admin@example.com")


@BOTH
@pytest.mark.parametrize("value", [b"", b"{}", b'{"provider": "corp"}', b"\x80\x04K\x01.", b"x" * 100_000])
def test_t_redis_04_a_question_that_somebody_wrote_is_no_question(service, visitor, provider, subject, value):
    question, answer = ask(service, visitor, provider)
    [key] = [key for key in service.memory() if b":pending:" in key]
    kept = service.redis.get(key)
    service.redis.set(key, value)
    response = finish(visitor, provider, question, answer)
    assert (response.status_code, find_code(response)) in {(400, "saml_inresponseto"), (400, "oidc_state")}
    service.redis.set(key, kept)
    assert finish(visitor, provider, question, answer).status_code == 303
    assert visitor.is_signed_in_as(subject)


# ── REDIS-05: gone, or full, in the middle ───────────────────────────────────────────────────────────────────


@BOTH
def test_t_redis_05_a_server_that_is_killed_between_question_and_answer_costs_a_minute_and_no_sign_in(
    service, app, server, *, provider, subject
):
    signed_in = Visitor(app)
    sign_in(signed_in, "bob@example.com")
    visitor = Visitor(app)
    question, answer = ask(service, visitor, provider)
    last = service.last()
    server.kill()
    try:
        begun = time.monotonic()
        for response in (finish(visitor, provider, question, answer), signed_in.get("/"), visitor.get("/sign-in/corp")):
            assert (response.status_code, find_code(response)) == (503, "store_unavailable")
            assert int(response.headers["Retry-After"]) > 0
            assert "Set-Cookie" not in response.headers
        assert time.monotonic() - begun < 30
        refused = [(record["event"], record["code"]) for record in service.records(last)]
        assert refused == [("sign_in.refused", "store_unavailable")]
    finally:
        server.start()
    assert signed_in.is_signed_in_as("bob@example.com")
    if provider == "staff":  # the provider has not been asked yet: the code is good
        assert "/token" not in service.staff.paths()
    assert finish(visitor, provider, question, answer).status_code == 303
    assert visitor.is_signed_in_as(subject)
    again = finish(visitor, provider, question, answer)
    assert again.status_code == 400, "what came before the outage and after it is one message"


def test_t_redis_05_what_was_used_before_the_server_was_killed_stays_used(service, app, server):
    encoded = draft_response("tiles", None).encode()
    assert post_response(Visitor(app), "tiles", encoded).status_code == 200
    server.kill()
    server.start()
    response = post_response(Visitor(app), "tiles", encoded)
    assert (response.status_code, find_code(response)) == (400, "saml_replay")
    assert post_response(Visitor(app), "tiles", draft_response("tiles", None).encode()).status_code == 200


@BOTH
def test_t_redis_05_a_full_server_forgets_nothing_and_takes_nothing(service, app, *, provider, subject):
    signed_in, visitor = Visitor(app), Visitor(app)
    sign_in(signed_in, "bob@example.com")
    question, answer = ask(service, visitor, provider)
    before = set(service.memory())
    limit = service.redis.config_get("maxmemory")["maxmemory"]
    service.redis.config_set("maxmemory", "1")
    try:
        with pytest.raises(RedisError, match="maxmemory"):
            service.redis.set("x", "y")
        response = finish(visitor, provider, question, answer)
        assert (response.status_code, find_code(response)) == (503, "store_unavailable")
        assert visitor.session is None
        assert signed_in.get("/").status_code == 200, "reading goes on"
        assert before <= set(service.memory())
    finally:
        service.redis.config_set("maxmemory", limit)
    if provider == "staff":  # this code was redeemed before the token could be marked as used
        question, answer = ask(service, visitor, provider)
    assert finish(visitor, provider, question, answer).status_code == 303
    assert visitor.is_signed_in_as(subject)


# ── REDIS-06: identifiers that are commands or patterns ──────────────────────────────────────────────────────


@pytest.mark.parametrize("text", ["*", "a:b", "x\r\nFLUSHALL\r\n", "rambridge:*", "\u4f60\u0000", "{slot}", "x" * 200])
def test_t_redis_06_no_identifier_of_a_provider_shapes_a_name_or_a_command(service, app, text):
    bystander, visitor = Visitor(app), Visitor(app)
    sign_in(bystander, "bystander@example.com")
    service.staff.claims = {"jti": text, "sid": text}
    response = call_back(visitor, "staff", service.staff.authorize(begin(visitor, "staff").url))
    assert response.status_code == 303
    assert visitor.is_signed_in_as("ada")
    assert bystander.is_signed_in_as("bystander@example.com")
    assert {key for key in service.memory() if not re.fullmatch(rb"rambridge:[a-z-]+:[A-Za-z0-9_-]{43}", key)} == set()
