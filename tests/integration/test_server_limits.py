"""The production server and requests that no browser sends: refused at its door, and nothing of them reaches a page."""

import socket
from contextlib import suppress

import pytest

from bridge import embedded_store
from bridge.cli.serve import REQUEST_LINE_BYTES
from bridge.sandbox.servers import run_sandbox
from tests.installation import BridgeProcess, prepare

BODY = b"SAMLResponse=!"
SECOND = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
"""What a front end would take for the body of the request before it, or the other way round."""


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    installation = prepare(tmp_path_factory.mktemp("limits"))
    with (
        run_sandbox(installation.config, installation.folder / "certs" / "sandbox"),
        BridgeProcess(installation),
    ):
        yield installation
    embedded_store.stop(installation.store_folder)
    assert "Traceback" not in (installation.folder / "bridge.log").read_text()


def send(installation, *headers, line=b"POST /saml/acme-saml/acs HTTP/1.1", body=BODY):
    """Send one request byte for byte; return everything that comes back."""
    host = installation.bridge.removeprefix("http://")
    name, _, port = host.partition(":")
    head = [line, b"Host: " + host.encode(), b"Content-Type: application/x-www-form-urlencoded", *headers]
    answer = b""
    with socket.create_connection((name, int(port)), timeout=120) as connection:
        with suppress(ConnectionError):  # it answered before it had read everything
            connection.sendall(b"\r\n".join([*head, b"Connection: close", b"", body]))
        with suppress(OSError):  # and is gone
            connection.shutdown(socket.SHUT_WR)
        with suppress(ConnectionError):  # it did not read the rest
            while piece := connection.recv(65_536):
                answer += piece
    return answer


def status_of(answer):
    return int(answer.split(b" ", 2)[1])


CHUNKED = b"Transfer-Encoding: chunked"
LENGTH = b"Content-Length: %d" % len(BODY)
SMUGGLED = b"0\r\n\r\n" + SECOND
HOSTILE = {
    "two lengths": {"headers": [LENGTH, b"Content-Length: 3"]},
    "two equal lengths": {"headers": [LENGTH, LENGTH]},
    "a list of lengths": {"headers": [b"Content-Length: 14, 14"]},
    "a length with a sign": {"headers": [b"Content-Length: +14"]},
    "a negative length": {"headers": [b"Content-Length: -1"]},
    "a length in other digits": {"headers": ["Content-Length: \u0661\u0664".encode()]},
    "a length and chunks": {"headers": [b"Content-Length: %d" % len(SMUGGLED), b"Transfer-Encoding: chunked"]},
    "chunks and a length": {"headers": [b"Transfer-Encoding: chunked", b"Content-Length: 4"]},
    "an encoding that is almost chunked": {"headers": [b"Transfer-Encoding: xchunked", LENGTH]},
    "two encodings": {"headers": [b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"]},
    "chunks that are chunked": {"headers": [b"Transfer-Encoding: chunked, chunked"]},
    "a blank before the colon": {"headers": [b"Content-Length : %d" % len(BODY)]},
    "a chunk of no size": {"headers": [CHUNKED], "body": b"zz\r\nabc\r\n0\r\n\r\n"},
    "a chunk that is cut short": {"headers": [CHUNKED], "body": b"ff\r\nabc\r\n0\r\n\r\n"},
    "a chunk without an end": {"headers": [CHUNKED], "body": b"3\r\nabcdef\r\n0\r\n\r\n"},
    "an extension of a chunk in two lines": {
        "headers": [b"Transfer-Encoding: chunked"],
        "body": b"3;a\rb\r\nabc\r\n0\r\n\r\n",
    },
    "a header in two lines": {"headers": [LENGTH, b"X-A: b\r\n c"]},
    "NUL in a header": {"headers": [LENGTH, b"X-A: b\x00c"]},
    "a line feed in a header": {"headers": [LENGTH, b"X-A: b\nX-B: c"]},
    "hundreds of headers": {"headers": [LENGTH, *(b"X-%d: a" % number for number in range(300))]},
    "a header of 20 kB": {"headers": [LENGTH, b"X-A: " + b"b" * 20_000]},
    "a long address": {"line": b"GET /" + b"x" * REQUEST_LINE_BYTES + b" HTTP/1.1", "headers": []},
    "no version": {"line": b"GET /", "headers": []},
    "another version": {"line": b"GET / HTTP/3.0", "headers": []},
    "something else": {"line": b"\x16\x03\x01\x02\x00\x01\x00", "headers": []},
}


def test_t_sts_12_a_call_of_sts_may_have_a_line_of_128_kib_and_a_page_may_not(installation):
    def line(path, length):
        rest = len(b"POST  HTTP/1.1") + len(path)
        return b"POST " + path + b"x" * (length - rest) + b" HTTP/1.1"

    call = b"/?Action=AssumeRoleWithOIDC&Version=2015-04-01&OIDCToken="
    nothing = [b"Content-Length: 0"]
    longest = send(installation, *nothing, line=line(call, 128 * 1024), body=b"")
    assert status_of(longest) == 400
    assert b"MissingParameter.RoleArn" in longest, "the whole line was read"
    assert status_of(send(installation, *nothing, line=line(call, 128 * 1024 + 1), body=b"")) == 414
    page = b"/saml/acme-saml/acs?x="
    assert status_of(send(installation, *nothing, line=line(page, REQUEST_LINE_BYTES), body=b"")) == 400
    assert status_of(send(installation, *nothing, line=line(page, REQUEST_LINE_BYTES + 1), body=b"")) == 414


def test_t_web_17_the_same_requests_in_the_one_right_form_reach_the_page(installation):
    for headers, body in (
        ([LENGTH], BODY),
        ([CHUNKED], b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)),
        ([LENGTH, *(b"X-%d: a" % number for number in range(50))], BODY),
    ):
        answer = send(installation, *headers, body=body)
        assert status_of(answer) == 400
        assert b"saml_base64" in answer, "the page has seen the form"


@pytest.mark.parametrize("request_parts", HOSTILE.values(), ids=HOSTILE)
def test_t_web_17_what_two_servers_could_read_differently_or_what_is_too_much_is_refused(installation, request_parts):
    parts = dict(request_parts)
    headers, body = parts.pop("headers"), parts.pop("body", SMUGGLED)
    before = len(installation.records())
    answer = send(installation, *headers, body=body, **parts)
    assert answer.count(b"HTTP/1.") <= 1, "one request, at most one answer"
    assert status_of(answer) in {400, 414, 431, 501}
    assert b"saml_" not in answer
    assert b'"alive"' not in answer
    assert b"Traceback" not in answer
    assert len(installation.records()) == before
    assert status_of(send(installation, line=b"GET /health/live HTTP/1.1", body=b"")) == 200
