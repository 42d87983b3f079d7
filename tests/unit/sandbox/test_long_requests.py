"""The server takes what official SDKs send: a whole SAML response in the request line; and it logs none of it."""

import gc
import logging
import socket
import struct
import threading
import warnings
from urllib.parse import quote

import pytest

from bridge.sandbox.long_requests import MAX_REQUEST_LINE, make_long_request_server
from tests.unit.sandbox.cloud.client import Cloud


@pytest.fixture
def port():
    server = make_long_request_server(Cloud().app, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.port
    server.shutdown()
    thread.join()
    server.server_close()


def ask(port, target, *, method="POST"):
    """Send one request and return the whole answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(f"{method} {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
        answer = b""
        while piece := connection.recv(65_536):
            answer += piece
    return answer.decode()


QUERY = "Action=AssumeRoleWithSAML&Version=2015-04-01&RoleArn=x&SAMLProviderArn=x&SAMLAssertion="


@pytest.mark.parametrize("size", [100, 70_000, 128 * 1024 - len(QUERY)])
def test_query_of_128_kilobytes_reaches_sts(port, size):
    answer = ask(port, f"/?{QUERY}{'A' * size}")

    assert answer.startswith("HTTP/1.1 400 ")
    assert '"Code": "InvalidParameter.RoleArn"' in answer


@pytest.mark.parametrize("path", ["", "/", "//"])
def test_address_may_be_written_carelessly(port, path):
    assert '"Code": "MissingAction"' in ask(port, f"{path}?Format=JSON")


def test_longer_request_line_is_refused(port):
    assert ask(port, f"/?{QUERY}{'A' * MAX_REQUEST_LINE}").startswith("HTTP/1.1 414 ")


def test_empty_connection_does_no_harm(port):
    socket.create_connection(("127.0.0.1", port)).close()

    assert ask(port, "/console", method="GET").startswith("HTTP/1.1 200 ")


def test_line_that_is_no_request_is_refused(port):
    assert " 400 " in ask(port, "/", method="POST /extra words").splitlines()[0]


def test_query_is_not_logged(port, caplog):
    caplog.set_level(logging.DEBUG)

    ask(port, f"/?{QUERY}{quote('a-secret-assertion')}")

    assert "POST / 400" in caplog.text
    assert "a-secret-assertion" not in caplog.text


def test_file_is_closed_when_the_browser_resets_the_connection_after_it(port, monkeypatch):
    left_open = []
    monkeypatch.setattr("sys.unraisablehook", left_open.append)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
                connection.sendall(b"GET /static/cloud.svg HTTP/1.1\r\nHost: x\r\n\r\n")
                assert connection.recv(65_536).startswith(b"HTTP/1.1 200 ")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        ask(port, "/console", method="GET")
        gc.collect()

    assert [str(what.exc_value) for what in left_open] == []
