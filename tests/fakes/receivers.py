"""Receivers of audit records that crash, restart, lag and refuse on request, where a real one will not."""

import json
import re
import socket
import ssl
import struct
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_MESSAGE = re.compile(
    rb"<(\d{1,3})>1 (\S+) (\S+) (\S+) (\S+) (\S+) (-|(?:\[(?:[^\]\"]|\"(?:[^\"\\\]]|\\.)*\")*\])+) (.*)", re.DOTALL
)


class SyslogReceiver:
    """Reads frames of RFC 5425 over TLS, keeps the messages, and misbehaves as ``plan`` says.

    ``plan`` has for each connection, in order, what goes wrong: ``None`` nothing; ``("crash", n)`` the process dies
    after n frames; ``("mute", n)`` the same with an orderly end of TCP but none of TLS; ``("refuse", 0)`` TLS does not
    come about.
    """

    def __init__(self, context, plan=(), lag=0.0):
        self.messages = []
        self.connections = 0
        self._plan = list(plan)
        self._lag = lag
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(60)

    def records(self):
        return [json.loads(message[7]) for message in self.messages]

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            fault = self._plan.pop(0) if self._plan else None
            with suppress(OSError, EOFError), connection:
                self._serve(connection, fault)

    def _serve(self, connection, fault):
        connection.settimeout(120)
        kind, frames = fault or (None, 0)
        if kind == "crash":  # what a process that dies with unread data leaves to the other side
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if kind == "refuse":
            return
        with self._context.wrap_socket(connection, server_side=True, suppress_ragged_eofs=False) as secured:
            stream = secured.makefile("rb")
            read = 0
            while not (fault and read >= frames):
                frame = read_frame(stream)
                if frame is None:
                    secured.unwrap().close()
                    return
                if self._lag:
                    threading.Event().wait(self._lag)
                self.messages.append(parse(frame))
                read += 1


def read_frame(stream):
    """Return the next message, or None at the orderly end of the connection."""
    digits = b""
    try:
        while not digits.endswith(b" "):
            byte = stream.read(1)
            if not byte:
                assert not digits
                return None
            digits += byte
    except ssl.SSLZeroReturnError:
        return None
    assert re.fullmatch(rb"[1-9]\d* ", digits), digits
    message = stream.read(int(digits))
    if len(message) < int(digits):
        raise EOFError
    return message


def parse(message):
    """Return the parts of a message of RFC 5424, the whole first."""
    match = _MESSAGE.fullmatch(message)
    assert match, message
    return (message, *match.groups()[:6], match[8])


class _Server(ThreadingHTTPServer):
    request_queue_size = 128


class HTTPReceiver:
    """Takes POSTs, keeps those that it answers with success, and answers as ``plan`` says: a status, or ``"drop"``.

    ``after`` in a plan entry, as ``(status, headers)``, adds headers to the answer.
    """

    def __init__(self, plan=(), context=None, max_bytes=None, answer=b"{}"):
        self.requests = []
        self.attempts = 0
        plan = list(plan)
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                receiver.attempts += 1
                body = self.rfile.read(int(self.headers["Content-Length"]))
                step = plan.pop(0) if plan else 200
                status, headers = step if isinstance(step, tuple) else (step, {})
                if max_bytes and len(body) > max_bytes:
                    status = 413
                if status == "drop":
                    self.close_connection = True
                    return
                if status == "keep-and-drop":
                    receiver.requests.append((self.path, dict(self.headers.items()), body))
                    self.close_connection = True
                    return
                if status == 200:
                    receiver.requests.append((self.path, dict(self.headers.items()), body))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        if context:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
