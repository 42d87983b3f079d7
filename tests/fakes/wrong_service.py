"""An HTTP server that answers each path as it is told: for services that are wrong, hostile or far off."""

import json
import threading
import time
from contextlib import contextmanager, suppress
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs


class WrongService:
    """What it answers, by path (a status and a JSON value or text), and what it was asked."""

    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}"
        self.answers = {}
        self.asked = []
        self.seconds_ahead = 0.0
        self.says_date = ""
        """What stands in ``Date``, in place of the time."""
        self.drips = False
        """Whether an answer begins with blanks, one every 20 ms for seconds."""
        self.breaks_off = False
        """Whether answers end in the middle of a chunk."""

    def write(self, stream, text):
        """Write the body of an answer, unless nobody waits for it any more."""
        with suppress(ConnectionError):
            for _ in range(150 * self.drips):
                stream.write(b"1\r\n \r\n")
                time.sleep(0.02)
            stream.write(b"ffff\r\n" * self.breaks_off + text)

    def describe_itself(self, **changes):
        """Answer with the metadata of an authorization server."""
        names = {
            "authorization_endpoint": "authorize",
            "token_endpoint": "token",
            "pushed_authorization_request_endpoint": "par",
            "device_authorization_endpoint": "device_authorization",
            "revocation_endpoint": "revoke",
        }
        metadata = {"issuer": self.url} | {name: f"{self.url}/oauth/{path}" for name, path in names.items()}
        metadata["authorization_response_iss_parameter_supported"] = True
        content = {name: value for name, value in (metadata | changes).items() if value is not None}
        self.answers["/.well-known/oauth-authorization-server"] = (200, content)


class _Server(ThreadingHTTPServer):
    request_queue_size = 128


@contextmanager
def wrong_service(*, tls=None):
    """Run one at a free port of 127.0.0.1; ``tls`` is the context of a server for https."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def end_headers(self):
            self.send_header("Connection", "close")
            super().end_headers()

        def do_GET(self):
            self.answer("")

        def do_POST(self):
            self.answer(self.rfile.read(int(self.headers["Content-Length"])).decode())

        def answer(self, body):
            path = self.path.partition("?")[0]
            service.asked.append((self.command, path, {name: value[0] for name, value in parse_qs(body).items()}))
            status, content = service.answers.get(path, (404, {"code": "web_not_found", "message": "Not here."}))
            text = (content if isinstance(content, str) else json.dumps(content)).encode()
            self.send_response(status)
            if service.breaks_off or service.drips:
                self.send_header("Transfer-Encoding", "chunked")
            else:
                self.send_header("Content-Length", str(len(text)))
            if status == 302:
                self.send_header("Location", content)
            self.end_headers()
            service.write(self.wfile, text)

        def date_time_string(self, timestamp=None):
            return service.says_date or formatdate(time.time() + service.seconds_ahead, usegmt=True)

        def log_message(self, *_):
            pass

    server = _Server(("127.0.0.1", 0), Handler)
    service = WrongService(server.server_port)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        service.url = service.url.replace("http://127.0.0.1", "https://localhost")
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
