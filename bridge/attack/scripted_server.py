"""A real HTTP server on a free port that answers what it is told, as badly as it is told."""

import contextlib
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Request:
    """What arrived."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """The fields of a form."""
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass(frozen=True)
class Reply:
    """What goes back, and how slowly."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    delay_seconds: float = 0
    """Before the first byte."""
    pause_seconds: float = 0
    """Between any two bytes of the body."""
    raw: bytes | None = None
    """Instead of all of the above: these bytes, with the pause between any two, and then the end."""


def _not_found(_: Request) -> Reply:
    return Reply(404)


class ScriptedServer:
    """Serves until the ``with`` block ends. ``requests`` is all that arrived, ``replies`` overrides by path."""

    def __init__(
        self,
        answer: Callable[[Request], Reply] = _not_found,
        tls: ssl.SSLContext | None = None,
        address: tuple[str, int] = ("127.0.0.1", 0),
    ) -> None:
        self.answer = answer
        self.replies: dict[str, Reply] = {}
        self.requests: list[Request] = []
        self._stopping = threading.Event()
        self._http = _Quiet(address, _handler(self))
        if tls:
            self._http.socket = tls.wrap_socket(self._http.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"{'https' if tls else 'http'}://{address[0]}:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def is_stopped(self) -> bool:
        """Whether the ``with`` block has ended."""
        return self._stopping.is_set()

    def paths(self) -> list[str]:
        """Return the paths that were asked for, in order."""
        return [request.path for request in self.requests]

    def reply_to(self, request: Request) -> Reply:
        """Return the answer to a request, and remember it."""
        self.requests.append(request)
        return self.replies.get(request.path) or self.answer(request)

    def sleep(self, seconds: float) -> None:
        """Wait, but not beyond the end of the block."""
        if seconds:
            self._stopping.wait(seconds)


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that hang up in the middle are what the tests are about."""


def _handler(server: ScriptedServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 5
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            if server.is_stopped:  # a connection that was kept alive outlives the listening socket
                self.close_connection = True
                return
            target = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            query = parse_qsl(target.query, keep_blank_values=True)
            request = Request(self.command, target.path, query, dict(self.headers.items()), body)
            reply = server.reply_to(request)
            server.sleep(reply.delay_seconds)
            if reply.raw is not None:
                self.close_connection = True
                self._write(reply.raw, reply.pause_seconds)
                return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self._write(reply.body, reply.pause_seconds)

        def _write(self, body: bytes, pause_seconds: float) -> None:
            if not pause_seconds:
                self.wfile.write(body)
                return
            for byte in body:
                self.wfile.write(bytes([byte]))
                server.sleep(pause_seconds)

        do_GET = do_POST = _serve  # noqa: N815  the standard library's names

        def log_message(self, *_: object) -> None:
            pass

        def finish(self) -> None:
            with contextlib.suppress(OSError):
                super().finish()

    return Handler


def wait_until(true: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Return whether it became true in time."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True
