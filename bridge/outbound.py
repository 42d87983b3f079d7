"""The one door for outgoing HTTP: whoever asks another server for something asks here.

What every request gets, whoever the other side is (threats WEB-09, OIDC-16):

- https only; http where the installation says that it is for development
- the name is resolved once, every address that comes back must be one that ``destinations`` allows, and the connection
  goes to an address of that answer: a name that means another machine a moment later (rebinding) gains nothing
- no redirect is followed, no proxy, cookie or credential is taken from the environment
- where a proxy is named, its address is judged like any other; it makes a tunnel to an https address, whose name it
  resolves itself, and sees nothing of what goes through
- a deadline for the whole exchange: urllib3's read time-out starts again with every byte, so that a server that
  drips would hold a worker for ever
- a bound on the body, after decompression
- no retry: a request that was sent may have been acted on

The operating system's resolver knows no deadline, so it runs beside, and is waited for no longer than for a connection.
"""

import contextlib
import functools
import http.client
import io
import json
import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, ProxyManager, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
)
from urllib3.response import BaseHTTPResponse, HTTPResponse
from urllib3.util import Url, parse_url

from bridge.destinations import HTTPS_PORT, Destinations
from bridge.errors import FetchFailed, FetchNotConnected, FetchRefused, FetchTooLarge

_POOLS = 64
_CONNECTIONS_PER_HOST = 16
_MAX_URL_CHARACTERS = 2_048
_REDIRECTS = range(300, 400)
_HTTP_PORT = 80
_MAX_PLACE_CHARACTERS = 300


@dataclass(frozen=True)
class Limits:
    """What one request may cost."""

    connect_seconds: float = 3.0
    """How long TCP and TLS may take together."""
    total_seconds: float = 8.0
    """How long everything may take, from the first packet to the last byte of the body."""
    max_bytes: int = 1_000_000
    """How long the body may be, decompressed."""


USUAL = Limits()


@dataclass(frozen=True)
class Answer:
    """What the other server said: read whole, within its bounds, and not yet believed."""

    status: int
    headers: Mapping[str, str]
    """Looked up without regard to case."""
    body: bytes


class Outbound:
    """Sends requests and reads answers within fixed bounds; shared by all threads, connections are pooled."""

    def __init__(
        self, *, development: bool, ca_file: Path | None = None, destinations: Destinations | None = None
    ) -> None:
        """Trust ``ca_file`` (PEM), or the system's authorities; ``development`` allows http, loopback and any port."""
        self._destinations = destinations or Destinations(development)
        self._schemes = ("https", "http") if development else ("https",)
        self._ca_file = ca_file
        self._pools: dict[tuple[Path | None, str | None], PoolManager] = {}
        self._lock = threading.Lock()

    def check_url(self, url: str) -> None:
        """Return only if ``url`` is one that this door would open.

        Refused are other schemes than https (a ``file:`` or ``javascript:`` address in a provider's metadata),
        names and passwords in the address, fragments, what is not visible ASCII, ports and IP addresses that are not
        allowed. Nothing is resolved: a host name can still lead to an address that is refused when it is fetched.

        Raises:
            FetchRefused: for any of these.
        """
        self._parse(url)

    def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        limits: Limits = USUAL,
        ca_file: Path | None = None,
    ) -> Answer:
        """Return the answer to a GET, whatever its status, except a redirect.

        Args:
            url: what to fetch.
            headers: further headers.
            limits: the bounds of this request.
            ca_file: a PEM bundle to trust for this request alone.

        Raises:
            FetchRefused: the address is not allowed, or the answer is a redirect.
            FetchTooLarge: the body is too long.
            FetchFailed: no complete answer in time, or no trusted connection.
        """
        request = _Request("GET", url, None, dict(headers or {}))
        return self._send(request, limits, ca_file)

    def post_form(
        self,
        url: str,
        fields: Mapping[str, str] | Iterable[tuple[str, str]],
        *,
        headers: Mapping[str, str] | None = None,
        limits: Limits = USUAL,
        ca_file: Path | None = None,
        proxy: str | None = None,
    ) -> Answer:
        """Return the answer to a POST of ``fields``, form-encoded as UTF-8; never sent twice.

        Args:
            url: where to post.
            fields: names and values; pairs where a name is repeated.
            headers: further headers, such as ``Authorization``.
            limits: the bounds of this request.
            ca_file: a PEM bundle to trust for this request alone.
            proxy: the address of a proxy to go through; https addresses only.

        Raises:
            FetchRefused: the address is not allowed, or the answer is a redirect.
            FetchTooLarge: the body is too long.
            FetchNotConnected: no connection came about.
            FetchFailed: no complete answer in time, or no trusted connection. The request may have been acted on.
        """
        pairs = list(fields.items() if isinstance(fields, Mapping) else fields)
        form = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        return self._send(_Request("POST", url, urlencode(pairs).encode(), form), limits, ca_file, proxy)

    def post_json(
        self, url: str, members: Mapping[str, Any], *, headers: Mapping[str, str], limits: Limits = USUAL
    ) -> Answer:
        """Return the answer to a POST of a JSON object; never sent twice. Raises what :meth:`post_form` raises."""
        body = json.dumps(members).encode()
        return self._send(_Request("POST", url, body, {"Content-Type": "application/json", **headers}), limits, None)

    def post_bytes(
        self,
        url: str,
        body: bytes,
        *,
        headers: Mapping[str, str],
        limits: Limits = USUAL,
        ca_file: Path | None = None,
    ) -> Answer:
        """Return the answer to a POST of ``body``; never sent twice. Raises what :meth:`post_form` raises."""
        return self._send(_Request("POST", url, body, dict(headers)), limits, ca_file)

    def open_tls(
        self,
        host: str,
        port: int,
        *,
        usual_port: int,
        limits: Limits = USUAL,
        ca_file: Path | None = None,
        certificate: Path | None = None,
    ) -> ssl.SSLSocket:
        """Return a TLS connection for a protocol other than HTTP; its time-out is what is left of ``limits``.

        Args:
            host: a name, or an IP address (IPv6 in brackets), that the server's certificate must be for.
            port: where.
            usual_port: the protocol's own port, which is allowed beside those of the settings.
            limits: the bounds; ``max_bytes`` is not used.
            ca_file: a PEM bundle to trust, in place of what this door trusts.
            certificate: our own certificate and key, for a server that asks who we are (PEM).

        Raises:
            FetchRefused: the address is not allowed.
            FetchFailed: no connection in time, or none that is trusted.
        """
        place = ascii(f"{host}:{port}")[1:-1]
        fault = self._destinations.find_host_fault(host)
        fault = fault or (None if port == usual_port else self._destinations.find_port_fault(port))
        if fault:
            raise FetchRefused(f"{place}: {fault}")
        name = host.strip("[]")
        deadline = time.monotonic() + limits.total_seconds
        try:
            context = ssl.create_default_context(cafile=ca_file or self._ca_file)
            if certificate is not None:
                context.load_cert_chain(certificate)
            sock = _connect(name, port, self._destinations, time.monotonic() + limits.connect_seconds)
        except _AddressRefused as error:
            raise FetchRefused(f"{place}: {error}") from error
        except (OSError, UnicodeError) as error:
            raise FetchNotConnected(f"{place}: {_say(error)}") from error
        try:
            return _start_tls(sock, context, name, deadline)
        except OSError as error:
            sock.close()
            raise FetchFailed(f"{place}: {_say(error)}") from error

    def _send(self, request: "_Request", limits: Limits, ca_file: Path | None, proxy: str | None = None) -> Answer:
        target = self._parse(request.url)
        if proxy is not None and target.scheme != "https":
            raise FetchRefused(f"{_describe(request.url)}: a proxy is for https addresses")
        place = _describe(request.url)
        try:
            response = self._pool(ca_file or self._ca_file, proxy).urlopen(
                request.method,
                request.url,
                body=request.body,
                headers={"User-Agent": "rambridge", "Accept-Encoding": "identity", **request.headers},
                timeout=Timeout(connect=limits.connect_seconds, total=limits.total_seconds),
                retries=False,
                redirect=False,
                preload_content=False,
            )
            return _read(response, place, limits.max_bytes)
        except _AddressRefused as error:
            raise FetchRefused(f"{place}: {error}") from error
        except (NewConnectionError, ConnectTimeoutError) as error:
            raise FetchNotConnected(f"{place}: {type(error).__name__}") from error
        except (HTTPError, OSError, http.client.HTTPException) as error:
            raise FetchFailed(f"{place}: {type(error).__name__}") from error

    def _parse(self, url: str) -> Url:
        fault = "it is too long or has characters that no address has"
        if len(url) <= _MAX_URL_CHARACTERS and all("!" <= character <= "~" for character in url) and "\\" not in url:
            # NOTE: the parser is the one that also opens the connection; two could see two hosts in one address.
            try:
                target = parse_url(url)
            except LocationParseError:
                fault = "it cannot be parsed"
            else:
                found = self._find_fault(target)
                if found is None:
                    return target
                fault = found
        raise FetchRefused(f"{_describe(url)}: {fault}")

    def _find_fault(self, target: Url) -> str | None:
        if target.scheme not in self._schemes:
            return f"the scheme is not {' or '.join(self._schemes)}"
        if not target.host or target.auth is not None or target.fragment is not None:
            return "it has no host, or has a user name or a fragment"
        usual = HTTPS_PORT if target.scheme == "https" else _HTTP_PORT
        port = usual if target.port is None else target.port
        return self._destinations.find_host_fault(target.host) or self._destinations.find_port_fault(port)

    def _pool(self, ca_file: Path | None, proxy: str | None) -> PoolManager:
        with self._lock:
            key = (ca_file, proxy)
            if key not in self._pools:
                self._pools[key] = _build_pool(ca_file, proxy, self._destinations)
            return self._pools[key]


@dataclass(frozen=True)
class _Request:
    method: str
    url: str
    body: bytes | None
    headers: Mapping[str, str]


class _AddressRefused(Exception):
    """A host name led to an address that may not be reached."""


def _describe(url: str) -> str:
    """Return an address as a log may have it: without what could be a secret, and harmless wherever it is printed."""
    place, _, _ = url.partition("?")
    place, _, _ = place.partition("#")
    scheme, slashes, rest = place.partition("//")
    host, slash, path = rest.partition("/")
    return ascii(f"{scheme}{slashes}{host.rpartition('@')[2]}{slash}{path}")[1:-1][:_MAX_PLACE_CHARACTERS]


def _build_pool(ca_file: Path | None, proxy: str | None, destinations: Destinations) -> PoolManager:
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise FetchFailed(f"the certificate authorities in {ca_file} cannot be read") from error
    if proxy is None:
        pool = PoolManager(num_pools=_POOLS, maxsize=_CONNECTIONS_PER_HOST, ssl_context=context)
    else:
        pool = ProxyManager(proxy, num_pools=_POOLS, maxsize=_CONNECTIONS_PER_HOST, ssl_context=context)
    pool.pool_classes_by_scheme = {
        "http": functools.partial(_TimedPool, destinations=destinations),  # type: ignore[dict-item]  # it only calls it
        "https": functools.partial(_TimedTLSPool, destinations=destinations),  # type: ignore[dict-item]
    }
    return pool


def _read(response: BaseHTTPResponse, place: str, max_bytes: int) -> Answer:
    with contextlib.closing(response):  # a body that is left unread must not go back into the pool
        if response.status in _REDIRECTS:
            raise FetchRefused(f"{place} answered with a redirect")
        try:
            body = response.read(max_bytes + 1, decode_content=True)
        except ValueError as error:  # urllib3 takes the length of a chunk as it comes, a negative one too
            raise FetchFailed(f"{place}: a length that is none") from error
        if len(body) > max_bytes:
            raise FetchTooLarge(f"{place} answered with more than {max_bytes} bytes")
        response.release_conn()
    return Answer(response.status, response.headers, body)


class _TimedReader(io.RawIOBase):
    """Reads from a socket until a moment, however many reads that takes."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, deadline: float) -> None:
        self._raw = raw
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("the answer took too long")
        self._sock.settimeout(remaining)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    """A response whose status line, headers and body must all arrive before ``deadline``."""

    def __init__(self, sock: socket.socket, *args: Any, deadline: float, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        raw = self.fp.detach()
        self.fp = io.BufferedReader(_TimedReader(raw, sock, deadline))


def _resolve(host: str, port: int, seconds: float) -> list[tuple[Any, ...]]:
    """Return what ``getaddrinfo`` says, which may take half a minute where name servers are silent.

    Raises what it raises; ``socket.gaierror`` too if it does not answer in time.
    """
    answer: queue.SimpleQueue[list[tuple[Any, ...]] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answer.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except Exception as error:  # noqa: BLE001  it is raised where somebody waits for it
            answer.put(error)

    threading.Thread(target=ask, name="resolver", daemon=True).start()
    try:
        found = answer.get(timeout=max(seconds, 0.001))
    except queue.Empty:
        raise socket.gaierror(socket.EAI_AGAIN, "the resolver did not answer in time") from None
    if isinstance(found, Exception):
        raise found
    return found


def _say(error: Exception) -> str:
    """Return why a connection failed as the system, or TLS, says it; neither has more to say than names."""
    said = getattr(error, "verify_message", "") or getattr(error, "strerror", "") or type(error).__name__
    return ascii(said)[1:-1][:_MAX_PLACE_CHARACTERS]


def _connect(host: str, port: int, destinations: Destinations, deadline: float) -> socket.socket:
    """Return a TCP connection to the first address that answers; each gets a part of what is left of the time.

    Raises ``_AddressRefused`` if any address of the host is not allowed, else what resolver or last address raised.
    """
    addresses = _resolve(host, port, deadline - time.monotonic())
    for *_, address in addresses:
        fault = destinations.find_address_fault(str(address[0]))
        if fault:
            raise _AddressRefused(fault)
    failure: OSError = TimeoutError("no address")
    for left, (family, kind, protocol, _, address) in zip(range(len(addresses), 0, -1), addresses, strict=True):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(max((deadline - time.monotonic()) / left, 0.001))
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(max(deadline - time.monotonic(), 0.001))
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    raise failure


def _start_tls(sock: socket.socket, context: ssl.SSLContext, name: str, deadline: float) -> ssl.SSLSocket:
    """Return the connection with TLS 1.2 or newer on it, to a server whose certificate is for ``name``."""
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    sock.settimeout(max(deadline - time.monotonic(), 0.001))
    secured = context.wrap_socket(sock, server_hostname=name)
    secured.settimeout(max(deadline - time.monotonic(), 0.001))
    return secured


class _TimedConnection(HTTPConnection):
    """A connection to a checked address, within urllib3's total time-out, which urllib3 itself applies to each read."""

    destinations: Destinations

    def _new_conn(self) -> socket.socket:
        # TCP to the first address that answers, in the time that urllib3 would give to each; the rest is for TLS.
        deadline = time.monotonic() + (self.timeout or USUAL.connect_seconds)
        try:
            return _connect(self._dns_host, self.port, self.destinations, deadline)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except UnicodeError as error:  # a label of more than 63 characters
            raise LocationParseError(self.host) from error
        except OSError as error:
            raise NewConnectionError(self, "no address of the host answered") from error

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as in urllib3 itself
        # At this point ``timeout`` is what is left of the total.
        deadline = time.monotonic() + (self.timeout or USUAL.total_seconds)
        self.response_class = functools.partial(_TimedResponse, deadline=deadline)  # type: ignore[assignment]
        return super().getresponse()


class _TimedTLSConnection(_TimedConnection, HTTPSConnection):
    """The same over TLS, and where there is a proxy, through its tunnel."""

    def connect(self) -> None:
        # What a proxy says about the tunnel must arrive in the time for connecting, however it drips.
        deadline = time.monotonic() + (self.timeout or USUAL.connect_seconds)
        self.response_class = functools.partial(_TimedResponse, deadline=deadline)  # type: ignore[assignment]
        super().connect()


class _TimedPool(HTTPConnectionPool):
    ConnectionCls = _TimedConnection

    def __init__(self, *args: Any, destinations: Destinations, **options: Any) -> None:
        super().__init__(*args, **options)
        self._destinations = destinations

    def _new_conn(self) -> Any:
        connection: Any = super()._new_conn()
        connection.destinations = self._destinations
        return connection


class _TimedTLSPool(_TimedPool, HTTPSConnectionPool):
    ConnectionCls = _TimedTLSConnection
