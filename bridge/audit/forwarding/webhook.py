"""An HTTPS webhook: batches of records as JSON, signed as Standard Webhooks wants it.

``webhook-signature`` is ``v1,`` and the base64 of HMAC-SHA256 over ``webhook-id.webhook-timestamp.body``. The
identifier names the log and the first and last record of the batch, so the same batch has the same one however often
it comes.
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bridge.clock import Clock
from bridge.errors import FetchFailed, FetchRefused, ForwardingFailed
from bridge.outbound import Limits, Outbound

_LIMITS = Limits(connect_seconds=5.0, total_seconds=30.0, max_bytes=65_536)
_SECRET_PREFIX = "whsec_"  # noqa: S105  how the specification writes one, and none itself


class Webhook:
    """A webhook, and the key of the signatures that it checks."""

    def __init__(
        self, outbound: Outbound, url: str, secret: bytes, clock: Clock, *, log_name: str, ca_file: Path | None = None
    ) -> None:
        """Take where to post, the key of the signatures, and which log it is about."""
        self._outbound = outbound
        self._url = url
        self._secret = secret
        self._clock = clock
        self._log_name = log_name
        self._ca_file = ca_file

    def post(self, name: str, content: Mapping[str, Any]) -> None:
        """Return once the receiver has answered with a status of success (2xx) to a message that has this name.

        Raises:
            FetchRefused: the address is not allowed, or the answer is a redirect.
            FetchFailed: no answer in time.
            ForwardingFailed: another status.
        """
        body = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
        identifier = f"{name}@{self._log_name.replace('.', '_')}"
        timestamp = str(int(self._clock.now().timestamp()))
        headers = {
            "Content-Type": "application/json",
            "webhook-id": identifier,
            "webhook-timestamp": timestamp,
            "webhook-signature": sign(self._secret, identifier, timestamp, body),
        }
        try:
            answer = self._outbound.post_bytes(self._url, body, headers=headers, limits=_LIMITS, ca_file=self._ca_file)
        except (FetchFailed, FetchRefused) as error:
            # The path of a webhook is often all that one has to know to post there. No address has a space.
            reason = error.detail.partition(" ")[2]
            raise type(error)(f"{urlsplit(self._url).netloc.rpartition('@')[2]}: {reason}") from error
        if not 200 <= answer.status < 300:  # noqa: PLR2004  success
            wait = _read_seconds(answer.headers.get("Retry-After", ""))
            raise ForwardingFailed(f"the webhook answered with status {answer.status}", retry_seconds=wait)


class WebhookSender:
    """The way of records to a webhook."""

    def __init__(
        self,
        outbound: Outbound,
        url: str,
        secret: bytes,
        clock: Clock,
        *,
        log_name: str,
        encode: Callable[[Mapping[str, Any]], Mapping[str, Any]],
        ca_file: Path | None = None,
    ) -> None:
        """Take where to post, the key of the signatures, which log it is, and the form of a record."""
        self._webhook = Webhook(outbound, url, secret, clock, log_name=log_name, ca_file=ca_file)
        self._log_name = log_name
        self._encode = encode

    def send(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Return once the receiver has answered with a status of success (2xx).

        Raises:
            FetchRefused: the address is not allowed, or the answer is a redirect.
            FetchFailed: no answer in time.
            ForwardingFailed: another status.
        """
        first, last = records[0]["position"], records[-1]["position"]
        content = {
            "log": self._log_name,
            "first": first,
            "last": last,
            "records": [self._encode(record) for record in records],
        }
        self._webhook.post(f"{first}-{last}", content)


def read_secret(text: str) -> bytes:
    """Return the key behind a secret: base64 after ``whsec_``, else the text itself.

    Raises ValueError if what follows ``whsec_`` is not base64.
    """
    if text.startswith(_SECRET_PREFIX):
        return base64.b64decode(text.removeprefix(_SECRET_PREFIX), validate=True)
    return text.encode()


def sign(secret: bytes, identifier: str, timestamp: str, body: bytes) -> str:
    """Return the value of ``webhook-signature``."""
    signed = f"{identifier}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(secret, signed, "sha256")).decode()


def _read_seconds(text: str) -> float:
    return float(text) if text.isascii() and text.isdigit() else 0.0
