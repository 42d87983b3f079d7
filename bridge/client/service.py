"""One service, as its client: requests over https, nothing followed, and what goes wrong in words."""

import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import IO, Any
from urllib.parse import urlencode, urlsplit

from bridge.client.failure import ClientError, ClockWrong, Unreachable, WrongService, clean, name_reason
from bridge.language import mark, spoken, translate, write_length

TIMEOUT_SECONDS = 30.0
LONGEST_ANSWER_SECONDS = 60.0
"""An answer that comes in drops would keep the agent, and everybody who asks it, for ever."""
LARGEST_ANSWER_BYTES = 4_000_000
MOST_SECONDS_OFF = 900
"""What Alibaba Cloud tolerates between the time of a signature and its own; past that no credentials work here."""

_PIECE_BYTES = 65_536
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_CLOCK_AHEAD = mark(
    "This machine's clock is %(length)s ahead of the service's, so Alibaba Cloud would refuse what is signed here. Set "
    "the clock, and try again."
)
_CLOCK_BEHIND = mark(
    "This machine's clock is %(length)s behind the service's, so Alibaba Cloud would refuse what is signed here. Set "
    "the clock, and try again."
)
_NOT_YET_VALID, _EXPIRED = 9, 10  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED


@dataclass(frozen=True)
class Answer:
    """What came back: status, and the JSON object in it."""

    status: int
    content: dict[str, Any] = field(repr=False)

    @property
    def ok(self) -> bool:
        """Return whether it is what was asked for."""
        return 200 <= self.status < 300  # noqa: PLR2004


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the token to wherever somebody points."""

    def redirect_request(self, *_: Any) -> None:
        """Follow nothing."""


def _read_all(response: IO[bytes]) -> bytes:
    ends_at = time.monotonic() + LONGEST_ANSWER_SECONDS
    content = b""
    while len(content) < LARGEST_ANSWER_BYTES and (piece := response.read1(_PIECE_BYTES)):  # type: ignore[attr-defined]
        content += piece
        if time.monotonic() > ends_at:
            raise TimeoutError
    return content


class Service:
    """One service."""

    def __init__(self, server: str) -> None:
        """Take the service's address; only its scheme, host and port count.

        Raises ClientError for one that is not https: tokens and credentials travel there. Loopback may be http.
        """
        try:
            parts = urlsplit(server)
            host, _ = parts.hostname or "", parts.port
        except ValueError:
            parts, host = urlsplit(""), ""
        if not host or parts.username or parts.scheme not in ("https", "http"):
            raise ClientError(
                translate(
                    "'%(server)s' is not the address of a service, such as https://access.example.com.",
                    server=clean(server),
                )
            )
        if parts.scheme == "http" and host not in _LOOPBACK:
            raise ClientError(
                translate("The service's address must begin with https:// since credentials travel there.")
            )
        self.origin = f"{parts.scheme}://{parts.netloc}".lower()
        self.clock_ahead_seconds = 0.0
        """How far this machine's clock was ahead of the service's at its last answer."""
        handlers: list[urllib.request.BaseHandler] = [_NoRedirects()]
        if host in _LOOPBACK:
            handlers.append(urllib.request.ProxyHandler({}))
        self._host = host
        self._language = spoken()
        self._opener = urllib.request.build_opener(*handlers)

    def get(self, path: str, token: str = "") -> Answer:
        """Ask for what is at a path. Raises Unreachable, WrongService or ClockWrong."""
        return self._send("GET", path, None, "", token)

    def post(self, path: str, content: Mapping[str, Any], token: str = "") -> Answer:
        """Post a JSON object. Raises as ``get``."""
        return self._send("POST", path, json.dumps(content).encode(), "application/json", token)

    def post_form(self, path: str, fields: Mapping[str, str]) -> Answer:
        """Post a form, as OAuth's endpoints take it. Raises as ``get``."""
        return self._send("POST", path, urlencode(fields).encode(), "application/x-www-form-urlencoded", "")

    def check_clock(self) -> None:
        """Raise ClockWrong if this machine's clock is so far off that no credentials would work here."""
        ahead = self.clock_ahead_seconds
        if abs(ahead) > MOST_SECONDS_OFF:
            message = _CLOCK_AHEAD if ahead > 0 else _CLOCK_BEHIND
            raise ClockWrong(translate(message, length=write_length(round(abs(ahead) / 60) * 60)))

    def _send(self, method: str, path: str, body: bytes | None, content_type: str, token: str) -> Answer:
        headers = {"Accept": "application/json", "Accept-Language": self._language}
        if content_type:
            headers["Content-Type"] = content_type
        if token:
            headers["Authorization"] = f"Bearer {token}"
        request = urllib.request.Request(self.origin + path, data=body, headers=headers, method=method)  # noqa: S310  the scheme was checked
        try:
            status, seen, content = self._fetch(request)
        except (OSError, HTTPException) as error:
            raise self._explain(error) from error
        self._note_time(seen.get("Date", ""))
        return Answer(status, self._read(status, content))

    def _fetch(self, request: urllib.request.Request) -> tuple[int, Message, bytes]:
        try:
            with self._opener.open(request, timeout=TIMEOUT_SECONDS) as response:
                return response.status, response.headers, _read_all(response)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, _read_all(error)

    def _read(self, status: int, content: bytes) -> dict[str, Any]:
        if not content and 200 <= status < 300:  # noqa: PLR2004  RFC 7009 2.2 says nothing when it is done
            return {}
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError):
            answer = None
        if isinstance(answer, dict):
            return answer
        if status in (502, 503, 504):
            raise Unreachable(
                translate(
                    "%(service)s does not work at the moment (status %(status)s). Try again in a minute.",
                    service=self.origin,
                    status=status,
                )
            )
        raise WrongService(
            translate(
                "What answers at %(service)s (status %(status)s) is no Rambridge. Is the address right? Another one: "
                "rambridge login --server URL",
                service=self.origin,
                status=status,
            )
        )

    def _note_time(self, date: str) -> None:
        try:
            self.clock_ahead_seconds = time.time() - parsedate_to_datetime(date).timestamp()
        except (ValueError, OverflowError):
            return

    def _explain(self, error: Exception) -> ClientError:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError):
            if reason.verify_code in (_NOT_YET_VALID, _EXPIRED):
                return ClockWrong(
                    translate(
                        "The certificate of %(host)s is not valid at this machine's time, %(time)s. If that is wrong, "
                        "set the clock; else tell those who run the service.",
                        host=self._host,
                        time=time.strftime("%Y-%m-%d %H:%M"),
                    )
                )
            return WrongService(
                translate(
                    "The certificate of %(host)s is not trusted here: %(why)s. If your company has a certificate "
                    "authority of its own, name its file in SSL_CERT_FILE.",
                    host=self._host,
                    why=name_reason(reason),
                )
            )
        why = translate("it does not answer") if isinstance(reason, TimeoutError) else name_reason(reason)
        return Unreachable(
            translate(
                "%(service)s cannot be reached: %(why)s. Are you online, and in the right network or VPN?",
                service=self.origin,
                why=why,
            )
        )
