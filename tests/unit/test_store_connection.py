import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from redis import Redis

from bridge import embedded_store
from bridge.authorization.codes import Codes
from bridge.authorization.pushed import PushedRequests
from bridge.authorization.requests import AuthorizationRequest, Receiver
from bridge.errors import BadParameter, StoreUnavailable, Unsealable
from bridge.identity.guesses import GuessLimit
from bridge.identity.pending import PendingSignIn, PendingSignIns, UnconfirmedSignIns
from bridge.identity.replay import ReplayMemory
from bridge.identity.saml.rehearsal_counts import RehearsalCounter, Sighting
from bridge.sealing import Sealer
from bridge.sessions.grants import Grants
from bridge.sessions.store import SessionStore, session_key
from bridge.setup.doctor.store import check_keeping
from bridge.store_connection import (
    StoreAddress,
    StoreKeeping,
    build_key,
    connect_store,
    parse_store_url,
    read_keeping,
    store_errors,
)
from tests.live_store import MovableClock, make_identity, running_store
from tests.ports import reserve_ports

ACL = """
    on >secret resetkeys ~rambridge:* -@all
    +get +set +del +getdel +incrby +pexpire +zadd +zrem +zrange +zremrangebyscore +hincrby +hset +hgetall +ping +select
    +info
"""
CLUSTER_ACL = ACL + "+command +cluster|slots +cluster|shards"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://store", StoreAddress("single", (("store", 6379),))),
        ("redis://store:7000/3", StoreAddress("single", (("store", 7000),), database=3)),
        ("redis://store/", StoreAddress("single", (("store", 6379),))),
        ("redis://[::1]:7000", StoreAddress("single", (("::1", 7000),))),
        ("rediss://store:6380/0", StoreAddress("single", (("store", 6380),), tls=True)),
        ("unix:///run/store.sock", StoreAddress("single", (), socket="/run/store.sock")),
        (
            "redis+sentinel://a:1,b/main/2",
            StoreAddress("sentinel", (("a", 1), ("b", 26379)), service="main", database=2),
        ),
        ("rediss+sentinel://a/main", StoreAddress("sentinel", (("a", 26379),), tls=True, service="main")),
        ("redis+cluster://a:1,b:2", StoreAddress("cluster", (("a", 1), ("b", 2)))),
        ("rediss+cluster://a/", StoreAddress("cluster", (("a", 6379),), tls=True)),
    ],
)
def test_an_address_is_understood(url, address):
    assert parse_store_url(url) == address


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "no scheme"),
        ("store:6379", "starts with"),
        ("http://store", "starts with 'http'"),
        ("redis://", "host:port"),
        ("redis://a,,b", "host:port"),
        ("redis://store:0", "host:port"),
        ("redis://store:65536", "host:port"),
        ("redis://store:port", "host:port"),
        ("redis://st ore", "host:port"),
        ("redis://:password@store", "apart"),
        ("redis://user@store", "apart"),
        ("redis://store/x", "database number"),
        ("redis://store?ssl_cert_reqs=none", "no option"),
        ("redis://store#x", "no option"),
        ("unix://run/store.sock", "absolute"),
        ("unix://", "absolute"),
        ("redis+sentinel://a", "/service"),
        ("redis+sentinel://a/main/x", "/service"),
        ("redis+cluster://a/1", "no path"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_in_words(url, reason):
    with pytest.raises(ValueError, match=reason):
        parse_store_url(url)


def test_several_servers_need_sentinel_or_cluster():
    with pytest.raises(ValueError, match="several servers"):
        parse_store_url("redis://a,b")


@pytest.mark.parametrize(
    ("url", "username", "password", "weakness"),
    [
        ("redis://store", "rambridge", "", "no password"),
        ("redis://store", "rambridge", "secret", "without TLS"),
        ("rediss://store", "", "secret", "default user"),
        ("rediss://store", "default", "secret", "default user"),
        ("redis+cluster://127.0.0.1,store", "rambridge", "secret", "without TLS"),
        ("rediss://store", "rambridge", "secret", None),
        ("redis://localhost", "rambridge", "secret", None),
        ("unix:///run/store.sock", "", "", None),
    ],
)
def test_a_store_that_its_network_can_use_is_told(url, username, password, weakness):
    """T-REDIS-01."""
    found = parse_store_url(url).find_weakness(username, password)
    assert found is None if weakness is None else weakness in found


def test_parts_of_a_key_never_run_into_each_other():
    """T-REDIS-06."""
    assert build_key("used", "a", "bc") != build_key("used", "ab", "c") != build_key("used", "abc")
    assert build_key("used", "1:a", "b") != build_key("used", "1", "a1:b")
    assert build_key("used", "a") != build_key("pending", "a")


def test_nothing_of_the_client_library_gets_out():
    (port,) = reserve_ports(1)
    client = connect_store(f"redis://127.0.0.1:{port}")
    begun = time.monotonic()
    with pytest.raises(StoreUnavailable), store_errors():
        client.get("rambridge:a")
    assert time.monotonic() - begun < 1
    with pytest.raises(StoreUnavailable):
        connect_store(f"redis+cluster://127.0.0.1:{port}")
    with pytest.raises(StoreUnavailable), store_errors():
        connect_store(f"redis+sentinel://127.0.0.1:{port}/main").get("rambridge:a")


def test_a_server_that_says_nothing_costs_a_bounded_time():
    """T-REDIS-05."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = connect_store(f"redis://127.0.0.1:{silent.getsockname()[1]}")
        begun = time.monotonic()
        with pytest.raises(StoreUnavailable), store_errors():
            client.get("rambridge:a")
        assert time.monotonic() - begun < 5
        client.close()


def test_a_key_of_another_type_is_not_an_outage():
    with running_store() as redis:
        redis.hset("rambridge:a", "b", "c")
        with pytest.raises(Unsealable), store_errors():
            redis.get("rambridge:a")


def test_a_full_server_refuses_instead_of_forgetting():
    """T-REDIS-05: a forgotten replay mark would be a second sign-in."""
    with running_store() as redis:
        memory, clock = ReplayMemory(redis, MovableClock()), MovableClock()
        assert memory.claim("issuer", "first", clock.now() + timedelta(seconds=300))
        redis.config_set("maxmemory", 1)
        with pytest.raises(StoreUnavailable):
            memory.claim("issuer", "second", clock.now() + timedelta(seconds=300))
        with pytest.raises(StoreUnavailable):
            SessionStore(redis, Sealer(bytes(32)), clock, 60, 60).create(make_identity())
        redis.config_set("maxmemory", 0)
        assert not memory.claim("issuer", "first", clock.now() + timedelta(seconds=300))


@contextmanager
def server(port, *options):
    """Run the bundled server on a TCP port, as somebody else's would be."""
    folder = Path(tempfile.mkdtemp(prefix="rambridge-test-"))
    arguments = [embedded_store._find_binary()]
    if "--sentinel" in options:
        (folder / "sentinel.conf").write_text(options[-1])
        arguments += [folder / "sentinel.conf", "--sentinel"]
    else:
        arguments += options
    arguments += ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    process = subprocess.Popen(arguments, cwd=folder, stdout=subprocess.DEVNULL)
    client = Redis("127.0.0.1", port)
    try:
        client.ping()
        yield client
    finally:
        client.close()
        process.kill()
        process.wait()
        shutil.rmtree(folder)


def exercise(client):
    """Do everything once that we do with a store."""
    clock, sealer = MovableClock(), Sealer(bytes(32))
    memory = ReplayMemory(client, clock)
    until = clock.now() + timedelta(seconds=60)
    assert [memory.claim("issuer", name, until) for name in ("a", "b", "a")] == [True, True, False]
    questions = PendingSignIns(client, sealer, clock)
    question = PendingSignIn("handle", "corporate", "saml", "browser", until)
    questions.save(question)
    assert questions.find("handle") == question
    assert [questions.consume("handle"), questions.consume("handle")] == [True, False]
    unconfirmed = UnconfirmedSignIns(client, sealer, clock)
    unconfirmed.save("token", "browser", make_identity())
    assert unconfirmed.take("token", "browser") is not None
    sessions = SessionStore(client, sealer, clock, 600, 3600)
    old, _ = sessions.create(make_identity())
    cookies = [sessions.create(make_identity(), replaces=session_key(old))[0] for _ in range(5)]
    clock.advance(100)
    assert all(sessions.load(cookie).identity.subject for cookie in cookies)
    assert sessions.end(cookies[0])
    assert len(sessions.end_all(make_identity().issuer, make_identity().subject)) == 4
    sessions.create(make_identity())
    assert len(sessions.end_by_session_index(make_identity().issuer, make_identity().session_index)) == 1
    terminals = SessionStore(client, sealer, clock, 3600, 3600, kind="terminal")
    grants = Grants(terminals, client, sealer, clock)
    tokens = grants.issue(*terminals.create(make_identity()))
    assert terminals.list_of(make_identity().issuer, make_identity().subject)
    repeated = [grants.refresh(tokens.refresh_token, network).tokens for network in ("a", "a", "b")]
    assert [each is None for each in repeated] == [False, False, True]
    assert grants.end(tokens.access_token) is not None
    codes = Codes(client, sealer, clock, 3600)
    code = codes.give(AuthorizationRequest(Receiver("http://127.0.0.1:1/callback", ""), "A" * 43), "browser")
    shown = [codes.take(code) for _ in range(2)]
    assert [each.shown_again for each in shown] == [False, True]
    assert shown[0].terminal == shown[1].terminal
    assert codes.is_over(shown[0])
    pushed = PushedRequests(client, sealer)
    reference = pushed.keep({"state": "x"})
    assert pushed.find(reference) == {"state": "x"}
    pushed.use_up(reference)
    with pytest.raises(BadParameter):
        pushed.use_up(reference)
    for _ in range(2):
        GuessLimit(client, clock).count("corporate", "192.0.2.1")
    counter = RehearsalCounter(client)
    for hours in range(3):
        counter.note(Sighting("corporate", (), clock.now() - timedelta(hours=hours), stranger=hours == 2))
    counter.settle()
    counts = counter.read("corporate", (), clock.now())
    assert (counts.seen, counts.strangers) == (1, 1)  # the first two are the same message
    client.close()


def test_everything_works_on_one_server_as_a_user_of_least_privilege():
    """T-REDIS-01."""
    (port,) = reserve_ports(1)
    with server(port) as admin:
        admin.execute_command("ACL", "SETUSER", "rambridge", *ACL.split())
        exercise(connect_store(f"redis://127.0.0.1:{port}", username="rambridge", password="secret"))
        with pytest.raises(StoreUnavailable), store_errors():
            connect_store(f"redis://127.0.0.1:{port}", username="rambridge", password="wrong").ping()


def test_the_doctor_tells_what_a_server_forgets_by_itself():
    (port,) = reserve_ports(1)
    with server(port) as admin:
        store = connect_store(f"redis://127.0.0.1:{port}")

        def examine():
            return [(each.result, each.found) for each in check_keeping(lambda: read_keeping(store))]

        refuses = ("ok", "when it is full it refuses, and forgets nothing")
        assert examine() == [refuses, ("warning", "a restart forgets who is signed in, and which messages were used")]
        admin.config_set("appendonly", "yes")
        assert examine() == [refuses, ("ok", "it writes each change to a file")]
        admin.config_set("maxmemory-policy", "volatile-lru")
        assert examine()[0] == ("failed", "when its memory is full it forgets what was used (volatile-lru)")
        admin.execute_command("ACL", "SETUSER", "default", "-info")
        [(result, found)] = examine()
        assert (result, "NoPermissionError" in found) == ("skipped", True)
        store.close()


def test_a_server_that_does_not_say_what_it_forgets_is_told():
    class Reticent:
        def info(self):
            return {"redis_version": "7.0.0", "aof_enabled": 1}

    [finding] = check_keeping(lambda: read_keeping(Reticent()))
    assert (finding.result, finding.found) == ("skipped", "it does not tell: its INFO has no maxmemory_policy")


def test_of_several_servers_one_that_forgets_is_enough():
    keeps, forgets = StoreKeeping("noeviction", appends=True), StoreKeeping("allkeys-lru", appends=False)
    assert [each.result for each in check_keeping(lambda: [keeps, keeps])] == ["ok", "ok"]
    assert [each.result for each in check_keeping(lambda: [keeps, forgets])] == ["failed", "warning"]


def test_everything_works_on_a_cluster_as_a_user_of_least_privilege():
    port = next(port for port in reserve_ports(20) if port < 55_000)  # the cluster's own is ten thousand higher
    with server(port, "--cluster-enabled", "yes") as admin:
        admin.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        admin.execute_command("ACL", "SETUSER", "rambridge", *CLUSTER_ACL.split())
        deadline = time.monotonic() + 60
        while admin.cluster("INFO")["cluster_state"] != "ok" and time.monotonic() < deadline:
            time.sleep(0.05)
        store = connect_store(f"redis+cluster://127.0.0.1:{port}", username="rambridge", password="secret")
        admin.config_set("maxmemory-policy", "volatile-lru")
        assert read_keeping(store) == [StoreKeeping("volatile-lru", appends=False)]
        exercise(store)


def test_everything_works_through_a_sentinel():
    port, sentinel_port = reserve_ports(2)
    watched = f"sentinel monitor main 127.0.0.1 {port} 1\n"
    with server(port), server(sentinel_port, "--sentinel", watched):
        exercise(connect_store(f"redis+sentinel://127.0.0.1:{sentinel_port}/main/0"))
