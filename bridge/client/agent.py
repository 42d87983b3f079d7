"""A server on loopback that hands credentials to this person's programs: as a credentials URI, and as ECS metadata.

Everybody on the machine can connect to loopback, and so can a page in a browser. So the path is a secret of 256 bits;
the ``Host`` must be an address of ours, since a page reaches us under its own name after it has let that name point
here (DNS rebinding); and what a browser or a proxy sends on for somebody is refused whatever it asks.

SDKs ask the metadata service at a fixed address without a secret path. That shape is served beside the secret one where
the person asks for it: a token must be fetched first, by PUT, which no form or link can do; but every program of every
user on this machine can.
"""

import base64
import hashlib
import hmac
import json
import secrets
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from urllib.parse import urlsplit

from bridge.client.credentials import write_json
from bridge.client.failure import ClientError, name_reason
from bridge.client.renewal import Renewal
from bridge.language import speaking, spoken, translate

METADATA_ADDRESS = "100.100.100.200"
LONGEST_TOKEN_SECONDS = 21_600
SECRET_BYTES = 32
REQUEST_SECONDS = 10

_TOKEN_PATH = "/latest/api/token"  # noqa: S105
_ROLES_PATH = "/latest/meta-data/ram/security-credentials/"
_NOT_FROM_PROGRAMS = ("origin", "sec-fetch-site", "sec-fetch-mode", "x-forwarded-for", "forwarded", "via")


@dataclass(frozen=True)
class Reply:
    """What goes back."""

    status: int
    text: str
    content_type: str = "text/plain; charset=utf-8"


NOT_FOUND = Reply(HTTPStatus.NOT_FOUND, "Not found\n")
FORBIDDEN = Reply(HTTPStatus.FORBIDDEN, "Forbidden\n")


class Metadata:
    """The shape of the ECS metadata service, hardened: nothing without a token."""

    def __init__(self, renewal: Renewal, role: str, now: Callable[[], float] = time.time) -> None:
        """Take the credentials, the role's name, and the time in seconds since 1970."""
        self._renewal = renewal
        self._role = role
        self._now = now
        self._key = secrets.token_bytes(32)

    def answer(self, method: str, path: str, headers: Mapping[str, str]) -> Reply:
        """Return the answer; ``headers`` have names in lower case."""
        if path == _TOKEN_PATH:
            return self._make_token(headers) if method == "PUT" else Reply(HTTPStatus.METHOD_NOT_ALLOWED, "")
        if method != "GET":
            return Reply(HTTPStatus.METHOD_NOT_ALLOWED, "")
        if not self._is_good(headers.get("x-aliyun-ecs-metadata-token", "")):
            return FORBIDDEN
        if path in (_ROLES_PATH, _ROLES_PATH.rstrip("/")):
            return Reply(HTTPStatus.OK, self._role)
        if path == _ROLES_PATH + self._role:
            return answer_credentials(self._renewal, now=self._now())
        return NOT_FOUND

    def _make_token(self, headers: Mapping[str, str]) -> Reply:
        text = headers.get("x-aliyun-ecs-metadata-token-ttl-seconds", "")
        seconds = int(text) if text.isascii() and text.isdigit() and len(text) <= len("21600") else 0
        if not 1 <= seconds <= LONGEST_TOKEN_SECONDS:
            return Reply(HTTPStatus.BAD_REQUEST, "Bad request\n")
        stamp = struct.pack(">d", self._now() + seconds) + secrets.token_bytes(8)
        return Reply(HTTPStatus.OK, base64.urlsafe_b64encode(stamp + self._sign(stamp)).decode())

    def _is_good(self, token: str) -> bool:
        try:
            content = base64.urlsafe_b64decode(token.encode("ascii"))
        except ValueError:
            return False
        stamp, signature = content[:16], content[16:]
        if not hmac.compare_digest(self._sign(stamp), signature):
            return False
        (ends_at,) = struct.unpack(">d", stamp[:8])
        return bool(self._now() < ends_at)

    def _sign(self, stamp: bytes) -> bytes:
        return hmac.new(self._key, stamp, hashlib.sha256).digest()


class SecretPath:
    """The answers under the path that only the person's own programs know."""

    def __init__(self, renewal: Renewal, metadata: Metadata) -> None:
        """Take the credentials, and the metadata that is served below the same path."""
        self._renewal = renewal
        self._metadata = metadata
        self.path = f"/{secrets.token_urlsafe(SECRET_BYTES)}"

    def answer(self, method: str, path: str, headers: Mapping[str, str]) -> Reply:
        """Return the answer; the same for a wrong path as for one that does not exist."""
        given, rest = path[: len(self.path)], path[len(self.path) :]
        if not hmac.compare_digest(given.encode(), self.path.encode()) or (rest and not rest.startswith("/")):
            return NOT_FOUND
        if rest.startswith("/latest/"):
            return self._metadata.answer(method, rest, headers)
        if rest not in ("", "/"):
            return NOT_FOUND
        if method != "GET":
            return Reply(HTTPStatus.METHOD_NOT_ALLOWED, "")
        return answer_credentials(self._renewal)


def answer_credentials(renewal: Renewal, now: float | None = None) -> Reply:
    """Return the credentials as JSON, with ``LastUpdated`` (``now``) where that is asked for; 503 if there are none."""
    try:
        content = json.loads(write_json(renewal.get()))
    except ClientError as failure:
        body = json.dumps({"Code": "Failed", "Message": str(failure)})
        return Reply(HTTPStatus.SERVICE_UNAVAILABLE, body, "application/json")
    if now is not None:
        content["LastUpdated"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    return Reply(HTTPStatus.OK, json.dumps(content), "application/json")


class AgentServer(ThreadingHTTPServer):
    """One address on loopback."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, host: str, port: int, answer: Callable[[str, str, Mapping[str, str]], Reply]) -> None:
        """Listen; ``port`` 0 takes a free one.

        Raises ClientError for an address that others than this machine can reach, or that cannot be had.
        """
        if host != METADATA_ADDRESS and not _is_loopback(host):
            raise ClientError(translate("%(host)s is not an address of this machine alone; use 127.0.0.1.", host=host))
        self.answer = answer
        self.language = spoken()
        try:
            super().__init__((host, port), _Handler)
        except OSError as error:
            raise ClientError(
                translate(
                    "Nothing can listen at %(host)s:%(port)s: %(why)s.", host=host, port=port, why=name_reason(error)
                )
            ) from error
        names = {host, "localhost"} if _is_loopback(host) else {host}
        self.hosts = names | {f"{name}:{self.server_port}" for name in names}

    def also_answers_to(self, host: str) -> None:
        """Take requests for this ``Host`` as well."""
        self.hosts |= {host, f"{host}:80"}


class _Handler(BaseHTTPRequestHandler):
    server: AgentServer
    timeout = REQUEST_SECONDS
    server_version = "rambridge-agent"
    sys_version = ""

    def do_GET(self) -> None:
        with speaking(self.server.language):
            self._reply(self._decide())

    def do_PUT(self) -> None:
        with speaking(self.server.language):
            self._reply(self._decide())

    def _decide(self) -> Reply:
        hosts = self.headers.get_all("Host") or []
        if len(hosts) != 1 or hosts[0].lower() not in self.server.hosts:
            return FORBIDDEN
        if any(name in self.headers for name in _NOT_FROM_PROGRAMS):
            return FORBIDDEN
        path = self.path
        if path.startswith("http://"):  # the form for proxies, which servers take as well (RFC 9112 3.2.2)
            try:
                target = urlsplit(path)
            except ValueError:
                return FORBIDDEN
            if target.netloc.lower() not in self.server.hosts:
                return FORBIDDEN
            path = target.path
        headers = {name.lower(): value for name, value in self.headers.items()}
        return self.server.answer(self.command, path, headers)

    def _reply(self, reply: Reply) -> None:
        body = reply.text.encode()
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing: the path is a secret."""


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback and ":" not in host
    except ValueError:
        return False
