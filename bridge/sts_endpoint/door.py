"""Tells calls of STS from requests for pages, reads them as they arrived, and answers in the vendor's shapes.

It stands before the pages, at ``/``: the SDKs name a host and nothing else. It looks at the raw request, since a
signature covers what was sent and not what a framework made of it; the ``Host`` may be one that pages refuse
(``http://host:port`` is what one SDK sends).
"""

import logging
import re
import traceback
import uuid
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bridge.audit.events import Origin
from bridge.errors import BridgeError
from bridge.sts_endpoint.actions import Actions
from bridge.sts_endpoint.budget import Budget
from bridge.sts_endpoint.faults import translate
from bridge.sts_wire.reply import Format, Reply, STSFault, build_fault, build_fault_reply, build_reply
from bridge.sts_wire.request import MAX_REQUEST_BYTES, RawRequest, STSRequest, find_format, parse_request

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_logger = logging.getLogger(__name__)

MAX_REQUEST_LINE_BYTES = 128 * 1024
"""SDKs put a SAML assertion of up to 100,000 characters into the address."""

_PATHS = frozenset({"", "/", "//"})
_SIGNS = re.compile(r"(?:^|&)(?:Action|Signature|AccessKeyId)=")
_LENGTH = re.compile(r"[0-9]{1,12}")
_YEAR_SECONDS = 31_536_000


def is_sts_call(environ: "WSGIEnvironment") -> bool:
    """Return whether a request is a call of STS: posted to ``/``, or asked there by what only STS has.

    No page of ours is posted to ``/``, and none has such a parameter or header.
    """
    if environ.get("PATH_INFO", "") not in _PATHS:
        return False
    return (
        environ["REQUEST_METHOD"] == "POST"
        or "HTTP_X_ACS_ACTION" in environ
        or environ.get("HTTP_AUTHORIZATION", "").startswith("ACS3-")
        or _SIGNS.search(environ.get("QUERY_STRING", "")) is not None
    )


class STSDoor:
    """A WSGI application that answers calls of STS, and hands everything else on."""

    def __init__(
        self,
        pages: "WSGIApplication",
        actions: Actions,
        budget: Budget,
        public_url: str,
        *,
        knows_scheme: bool,
    ) -> None:
        """Take the pages, the actions, and our address.

        ``knows_scheme``: whether a trusted proxy says if the call reached it by https.
        """
        self._pages = pages
        self._actions = actions
        self._budget = budget
        parts = urlsplit(public_url)
        self._host = parts.netloc.lower()
        self._https = parts.scheme == "https"
        self._knows_scheme = knows_scheme

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        if not is_sts_call(environ):
            return self._pages(environ, start_response)
        reply = self._answer(environ)
        headers = {**reply.headers, "Content-Length": str(len(reply.body)), "X-Content-Type-Options": "nosniff"}
        if self._https:
            headers["Strict-Transport-Security"] = f"max-age={_YEAR_SECONDS}"
        start_response(f"{reply.status} {HTTPStatus(reply.status).phrase}", list(headers.items()))
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [reply.body]

    def _answer(self, environ: "WSGIEnvironment") -> Reply:
        """Return the answer; every refusal, even an unforeseen one, has the vendor's shape."""
        request_id = str(uuid.uuid4()).upper()
        origin = Origin(reference=request_id, source_address=environ.get("REMOTE_ADDR", ""))
        raw: RawRequest | None = None
        request: STSRequest | None = None
        wait = None
        try:
            self._check_scheme(environ["wsgi.url_scheme"])
            self._budget.count_address(origin.source_address)
            raw = RawRequest(
                method=environ["REQUEST_METHOD"],
                query=environ.get("QUERY_STRING", "").encode("latin-1"),
                headers=list(_iterate_headers(environ)),
                body=_read_body(environ),
            )
            request = parse_request(raw)
            self._check_host(request, environ.get("HTTP_HOST", ""))
            return build_reply(request.action, request_id, self._actions.answer(request, origin), request.form)
        except STSFault as refusal:
            fault = refusal
        except BridgeError as error:
            fault, wait = translate(error, request.action if request else "")
            _logger.info("%s refused: %s", request_id, error.code)
        except Exception as error:  # noqa: BLE001  the last door: even a fault of ours has the vendor's shape
            # The message of an exception may quote what somebody sent; its kind and its place do not.
            place = "".join(traceback.format_list(traceback.extract_tb(error.__traceback__)))
            _logger.error("%s failed: %s\n%s", request_id, type(error).__name__, place)  # noqa: TRY400
            fault = build_fault("InternalError")
        form: Format = request.form if request else find_format(raw) if raw else "JSON"
        return build_fault_reply(fault, request_id, self._host, form, retry_after_seconds=wait)

    def _check_scheme(self, scheme: str) -> None:
        """What is answered is secret, so nothing is answered over plain http where we can know."""
        if self._https and self._knows_scheme and scheme != "https":
            raise build_fault("InvalidProtocol.NeedSsl")

    def _check_host(self, request: STSRequest, host: str) -> None:
        """A signature that covers a host covers ours: a call to another STS is none to us (threat STS-01)."""
        if request.signature is None or request.signature.scheme != "v3":
            return
        if host.lower().removeprefix("http://").removeprefix("https://") != self._host:
            raise build_fault("IncompleteSignature", "The request was signed for another host.")


def _iterate_headers(environ: "WSGIEnvironment") -> Iterator[tuple[str, str]]:
    for name, value in environ.items():
        if name.startswith("HTTP_"):
            yield name[5:].replace("_", "-").lower(), value
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            yield name.replace("_", "-").lower(), environ[name]


def _read_body(environ: "WSGIEnvironment") -> bytes:
    """Return the body, whole. One that is larger than allowed is not read."""
    length = environ.get("CONTENT_LENGTH") or ""
    if _LENGTH.fullmatch(length):
        if int(length) > MAX_REQUEST_BYTES:
            raise build_fault("RequestTooLarge")
        wanted = int(length)
    elif environ.get("wsgi.input_terminated"):
        wanted = MAX_REQUEST_BYTES + 1
    else:
        return b""
    pieces, left = [], wanted
    try:
        while left and (piece := environ["wsgi.input"].read(left)):
            pieces.append(piece)
            left -= len(piece)
    except OSError as error:
        raise build_fault("InvalidParameter", "The body cannot be read.") from error
    body = b"".join(pieces)
    if len(body) > MAX_REQUEST_BYTES:
        raise build_fault("RequestTooLarge")
    if len(body) < wanted and length:
        raise build_fault("InvalidParameter", "The body is shorter than its length says.")
    return body
