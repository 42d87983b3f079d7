"""The outgoing door keeps its bounds against a real server that does not."""

import contextlib
import gzip
import socket
import threading
import time

import pytest

from bridge.attack.scripted_server import Reply, ScriptedServer
from bridge.errors import FetchFailed, FetchRefused, FetchTooLarge
from bridge.outbound import Limits, Outbound, _TimedReader
from tests.fakes.authority import make_authority

QUICK = Limits(connect_seconds=0.5, total_seconds=0.5)
SMALL = Limits(max_bytes=10_000)


@pytest.fixture
def server():
    with ScriptedServer(lambda request: Reply(body=request.body or b"hello")) as running:
        yield running


@pytest.fixture(scope="module")
def outbound():
    return Outbound(development=True)


def test_an_answer_is_returned_whole_with_status_and_headers(server, outbound):
    server.replies["/"] = Reply(418, b"teapot", {"X-Kind": "short"})
    answer = outbound.get(f"{server.url}/")
    assert (answer.status, answer.headers["x-kind"], answer.body) == (418, "short", b"teapot")


def test_a_form_is_posted_as_utf8_with_repeated_names_and_headers(server, outbound):
    answer = outbound.post_form(f"{server.url}/", [("a", "ü&="), ("a", "2")], headers={"X-Extra": "1"})
    assert answer.body == b"a=%C3%BC%26%3D&a=2"
    (request,) = server.requests
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert request.headers["X-Extra"] == "1"


@pytest.mark.parametrize(
    "url",
    [
        "http://idp.example/",
        "HTTP://idp.example/",
        "file:///etc/passwd",
        "ftp://idp.example/",
        "javascript:alert(1)",
        "//idp.example/",
        "/relative",
        "",
        "https://",
        "https:///path",
        "https://user@idp.example/",
        "https://user:word@idp.example/",
        "https://idp.example@evil.example/",
        "https://idp.example\\@evil.example/",
        "https://idp.example/#fragment",
        "https://idp.example:port/",
        "https://idp.example/a b",
        "https://idp.example/\r\nX-Evil: 1",
        "https://idp.example/\x00",
        "https://idp.exämple/",
        "https://idp..example/",
        "https://idp.example/" + "a" * 2_048,
    ],
)
def test_an_address_that_is_not_plain_https_is_refused(url):
    with pytest.raises(FetchRefused):
        Outbound(development=False).check_url(url)


@pytest.mark.parametrize("url", ["https://idp.example", "https://idp.example:443/a?b=c", "https://[2400:3200::1]/"])
def test_a_plain_https_address_is_not_refused(url):
    Outbound(development=False).check_url(url)


def test_http_is_fetched_in_development_only(server):
    assert Outbound(development=True).get(f"{server.url}/").status == 200
    with pytest.raises(FetchRefused):
        Outbound(development=False).get(f"{server.url}/")
    with pytest.raises(FetchRefused):
        Outbound(development=False).post_form(f"{server.url}/", {})
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(server, outbound, status):
    server.replies["/"] = Reply(status, headers={"Location": f"{server.url}/elsewhere"})
    with pytest.raises(FetchRefused):
        outbound.get(f"{server.url}/")
    with pytest.raises(FetchRefused):
        outbound.post_form(f"{server.url}/", {"code": "secret"})
    assert server.paths() == ["/", "/"]


def test_a_proxy_of_the_environment_is_not_used(server, outbound, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert outbound.get(f"{server.url}/").body == b"hello"


def test_cookies_are_not_kept(server, outbound):
    server.replies["/"] = Reply(headers={"Set-Cookie": "a=b"})
    outbound.get(f"{server.url}/")
    outbound.get(f"{server.url}/")
    assert "Cookie" not in server.requests[1].headers


def test_a_body_of_just_the_limit_is_accepted_and_one_byte_more_is_not(server, outbound):
    server.replies["/"] = Reply(body=b"x" * SMALL.max_bytes)
    assert len(outbound.get(f"{server.url}/", limits=SMALL).body) == SMALL.max_bytes
    server.replies["/"] = Reply(body=b"x" * (SMALL.max_bytes + 1))
    with pytest.raises(FetchTooLarge):
        outbound.get(f"{server.url}/", limits=SMALL)


def test_the_limit_counts_what_a_compressed_body_becomes(server, outbound):
    bomb = gzip.compress(b"0" * 50_000_000)
    server.replies["/"] = Reply(body=bomb, headers={"Content-Encoding": "gzip"})
    started = time.process_time()
    with pytest.raises(FetchTooLarge):
        outbound.get(f"{server.url}/")
    assert time.process_time() - started < 1
    server.replies["/"] = Reply(body=gzip.compress(b"small"), headers={"Content-Encoding": "gzip"})
    assert outbound.get(f"{server.url}/").body == b"small"


HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(delay_seconds=5),
        Reply(body=b"x" * 100, pause_seconds=0.1),
        Reply(raw=HEAD + b"X-Slow: " + b"y" * 100, pause_seconds=0.1),
        Reply(raw=HEAD * 50, pause_seconds=0.05),
        Reply(raw=HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 50, pause_seconds=0.02),
        Reply(raw=b"HTTP/1.1 100 Continue\r\n\r\n" * 50, pause_seconds=0.02),
    ],
    ids=["silent", "drips body", "drips header", "drips lines", "drips chunks", "continues for ever"],
)
def test_the_deadline_is_for_the_whole_answer(server, outbound, reply):
    server.replies["/"] = reply  # each would take 5 s or longer
    started = time.monotonic()
    with pytest.raises(FetchFailed):
        outbound.get(f"{server.url}/", limits=QUICK)
    assert 0.4 < time.monotonic() - started < 4


def test_the_last_read_waits_no_longer_than_the_deadline(server, outbound):
    server.replies["/"] = Reply(body=b"xxxx", pause_seconds=1.4)
    started = time.monotonic()
    with pytest.raises(FetchFailed):
        outbound.get(f"{server.url}/", limits=Limits(total_seconds=1.5))
    assert time.monotonic() - started < 2.7, "it waited for the third byte"


def test_nothing_is_read_after_the_deadline():
    ours, theirs = socket.socketpair()
    with ours, theirs, ours.makefile("rb", buffering=0) as raw:
        theirs.sendall(b"late")
        with pytest.raises(TimeoutError):
            _TimedReader(raw, ours, time.monotonic() - 1).readinto(bytearray(4))


def test_an_answer_slower_than_one_read_but_within_the_deadline_is_accepted(server, outbound):
    server.replies["/"] = Reply(body=b"x" * 20, pause_seconds=0.01)
    assert outbound.get(f"{server.url}/").body == b"x" * 20


def test_a_pooled_connection_gets_a_deadline_of_its_own(server, outbound):
    outbound.get(f"{server.url}/", limits=Limits(total_seconds=1))
    time.sleep(1.1)
    assert outbound.get(f"{server.url}/", limits=Limits(total_seconds=1)).body == b"hello"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"not http\r\n\r\n",
        HEAD + b"Content-Length: 50\r\n\r\nshort",
        HEAD + b"A: b\r\n" * 200 + b"\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nx\r\n0\r\n\r\n",
    ],
    ids=["nothing", "not HTTP", "cut short", "too many headers", "negative chunk"],
)
def test_a_broken_answer_is_a_failure(server, outbound, raw):
    server.replies["/"] = Reply(raw=raw)
    with pytest.raises(FetchFailed):
        outbound.get(f"{server.url}/", limits=QUICK)


def test_a_refused_connection_is_a_failure_and_its_detail_has_no_query(outbound):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(FetchFailed) as refused:
        outbound.get(f"http://127.0.0.1:{port}/path?code=secret", limits=QUICK)
    assert "/path" in refused.value.detail
    assert "secret" not in refused.value.detail


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 64 + ".example"])
def test_a_name_that_does_not_resolve_is_a_failure(outbound, host):
    with pytest.raises(FetchFailed):
        outbound.get(f"http://{host}/", limits=QUICK)


def test_nothing_is_sent_twice(server, outbound):
    server.replies["/"] = Reply(raw=b"")
    with pytest.raises(FetchFailed):
        outbound.post_form(f"{server.url}/", {"code": "once"}, limits=QUICK)
    assert len(server.requests) == 1


def test_every_address_of_a_host_gets_its_share_of_the_connect_time(server, outbound, monkeypatch):
    port = int(server.url.rpartition(":")[2])
    silent = socket.create_server(("127.0.0.2", port), backlog=0)
    fillers = [socket.socket() for _ in range(4)]
    for filler in fillers:
        filler.settimeout(0)
        filler.connect_ex(("127.0.0.2", port))
    addresses = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in ("127.0.0.2", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)
    started = time.monotonic()
    try:
        assert outbound.get(f"{server.url}/", limits=Limits(connect_seconds=0.5)).body == b"hello"
    finally:
        for opened in (silent, *fillers):
            opened.close()
    assert time.monotonic() - started > 0.2


def test_threads_share_connections(server, outbound):
    threads = [threading.Thread(target=outbound.get, args=(f"{server.url}/",)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.requests) == 20


# ── TLS ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_server_is_trusted_by_the_given_authority_only(tmp_path):
    ours, context = make_authority(tmp_path, "ours")
    other, _ = make_authority(tmp_path, "other")
    with ScriptedServer(lambda _: Reply(body=b"sealed"), tls=context) as server:
        url = f"{server.url}/"
        assert Outbound(development=True, ca_file=ours).get(url).body == b"sealed"
        assert Outbound(development=True).get(url, ca_file=ours).body == b"sealed"
        assert Outbound(development=True, ca_file=other).post_form(url, {}, ca_file=ours).body == b"sealed"
        for distrusting in (Outbound(development=True), Outbound(development=True, ca_file=other)):
            with pytest.raises(FetchFailed):
                distrusting.get(url)
        with pytest.raises(FetchFailed):
            Outbound(development=True, ca_file=ours).get(url.replace("127.0.0.1", "localhost"))


def test_the_deadline_holds_over_tls(tmp_path):
    ours, context = make_authority(tmp_path, "ours")
    with ScriptedServer(lambda _: Reply(body=b"x" * 100, pause_seconds=0.1), tls=context) as server:
        started = time.monotonic()
        with pytest.raises(FetchFailed):
            Outbound(development=True, ca_file=ours).get(f"{server.url}/", limits=QUICK)
        assert time.monotonic() - started < 5, "all of it takes ten"


def test_a_handshake_that_never_ends_is_a_failure_in_time():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        started = time.monotonic()
        with pytest.raises(FetchFailed):
            Outbound(development=True).get(f"https://127.0.0.1:{port}/", limits=QUICK)
        assert time.monotonic() - started < 5


def test_a_missing_authority_file_is_a_failure(tmp_path):
    with pytest.raises(FetchFailed):
        Outbound(development=True, ca_file=tmp_path / "absent.pem").get("https://127.0.0.1/")


def test_tls_for_other_protocols_has_the_same_bounds_and_says_what_is_wrong(tmp_path):
    ca_file, context = make_authority(tmp_path, "other")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def answer():
            for _ in range(3):
                connection, _ = listener.accept()
                with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
                    secured.sendall(b"hello")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        door = Outbound(development=True)
        with door.open_tls("127.0.0.1", port, usual_port=6514, ca_file=ca_file) as opened:
            assert opened.recv(5) == b"hello"
        with pytest.raises(FetchFailed, match="certificate"):
            door.open_tls("127.0.0.1", port, usual_port=6514)
        with pytest.raises(FetchFailed, match="localhost"):
            door.open_tls("localhost", port, usual_port=6514, ca_file=ca_file)
        thread.join(5)
    strict = Outbound(development=False)
    with pytest.raises(FetchRefused, match="loopback"):
        strict.open_tls("127.0.0.1", 6514, usual_port=6514)
    with pytest.raises(FetchRefused, match="metadata"):
        strict.open_tls("100.100.100.200", 6514, usual_port=6514)
    with pytest.raises(FetchRefused, match="port 514"):
        strict.open_tls("siem.example.com", 514, usual_port=6514)
    with pytest.raises(FetchRefused, match="usual form"):
        strict.open_tls("2130706433", 6514, usual_port=6514)
    with pytest.raises(FetchRefused, match="characters"):
        strict.open_tls("siem.example.com/", 6514, usual_port=6514)
