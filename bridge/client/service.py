"""One service, as its client: requests over https, nothing followed, and what goes wrong in words."""

import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import Any
from urllib.parse import urlencode, urlsplit

from bridge.client.failure import ClientError, ClockWrong, Unreachable, WrongService

TIMEOUT_SECONDS = 30.0
LARGEST_ANSWER_BYTES = 4_000_000
MOST_SECONDS_OFF = 900
"""What Alibaba Cloud tolerates between the time of a signature and its own; past that no credentials work here."""

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
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
            raise ClientError(f"{server!r} is not the address of a service, such as https://access.example.com.")
        if parts.scheme == "http" and host not in _LOOPBACK:
            raise ClientError("The service's address must begin with https:// since credentials travel there.")
        self.origin = f"{parts.scheme}://{parts.netloc}".lower()
        self.clock_ahead_seconds = 0.0
        """How far this machine's clock was ahead of the service's at its last answer."""
        handlers: list[urllib.request.BaseHandler] = [_NoRedirects()]
        if host in _LOOPBACK:
            handlers.append(urllib.request.ProxyHandler({}))
        self._host = host
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
            side = "ahead of" if ahead > 0 else "behind"
            raise ClockWrong(
                f"This machine's clock is {_describe(abs(ahead))} {side} the service's, so Alibaba Cloud would refuse "
                "what is signed here. Set the clock, and try again."
            )

    def _send(self, method: str, path: str, body: bytes | None, content_type: str, token: str) -> Answer:
        headers = {"Accept": "application/json"}
        if content_type:
            headers["Content-Type"] = content_type
        if token:
            headers["Authorization"] = f"Bearer {token}"
        request = urllib.request.Request(self.origin + path, data=body, headers=headers, method=method)  # noqa: S310  the scheme was checked
        try:
            with self._opener.open(request, timeout=TIMEOUT_SECONDS) as response:
                status, seen, content = response.status, response.headers, response.read(LARGEST_ANSWER_BYTES)
        except urllib.error.HTTPError as error:
            with error:
                status, seen, content = error.code, error.headers, error.read(LARGEST_ANSWER_BYTES)
        except (OSError, HTTPException) as error:
            raise self._explain(error) from error
        self._note_time(seen.get("Date", ""))
        return Answer(status, self._read(status, content))

    def _read(self, status: int, content: bytes) -> dict[str, Any]:
        if not content and 200 <= status < 300:  # noqa: PLR2004  RFC 7009 2.2 says nothing when it is done
            return {}
        try:
            answer = json.loads(content)
        except ValueError:
            answer = None
        if isinstance(answer, dict):
            return answer
        if status in (502, 503, 504):
            raise Unreachable(f"{self.origin} does not work at the moment (status {status}). Try again in a minute.")
        raise WrongService(
            f"What answers at {self.origin} (status {status}) is no Rambridge. Is the address right? "
            "Another one: rambridge login --server URL"
        )

    def _note_time(self, date: str) -> None:
        try:
            self.clock_ahead_seconds = time.time() - parsedate_to_datetime(date).timestamp()
        except ValueError:
            return

    def _explain(self, error: Exception) -> ClientError:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError):
            if reason.verify_code in (_NOT_YET_VALID, _EXPIRED):
                return ClockWrong(
                    f"The certificate of {self._host} is not valid at this machine's time, "
                    f"{time.strftime('%Y-%m-%d %H:%M')}. If that is wrong, set the clock; else tell those who run it."
                )
            return WrongService(
                f"The certificate of {self._host} is not trusted here: {reason.verify_message}. If your company has a "
                "certificate authority of its own, name its file in SSL_CERT_FILE."
            )
        said = "it does not answer" if isinstance(reason, TimeoutError) else clean_reason(reason)
        return Unreachable(f"{self.origin} cannot be reached: {said}. Are you online, and in the right network or VPN?")


def clean_reason(reason: object) -> str:
    """Return what the system says of a failure, without its number."""
    text = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return str(text).rstrip(".")


def _describe(seconds: float) -> str:
    minutes = round(seconds / 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [f"{number} {unit}" for number, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if number]
    return " ".join(parts[:2])
