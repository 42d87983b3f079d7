"""The STS that we call: one form POST for each action, so that no token is ever part of an address.

https://www.alibabacloud.com/help/en/ram/developer-reference/api-sts-2015-04-01-overview
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from bridge.clock import Clock, format_utc
from bridge.errors import (
    ExchangeError,
    ExchangeThrottled,
    ExchangeUnavailable,
    FetchFailed,
    FetchNotConnected,
    FetchRefused,
)
from bridge.exchange.accounts import Account
from bridge.exchange.deadline import Deadline
from bridge.exchange.refusals import find_refusal
from bridge.outbound import Answer, Limits, Outbound
from bridge.sts_wire.signature import sign_v3

VERSION = "2015-04-01"
FORM = "application/x-www-form-urlencoded"
MAX_ANSWER_BYTES = 64_000

LONGEST_RETRY_AFTER_SECONDS = 300
"""What STS may ask us, and we a person, to wait at most."""

_THROTTLING = "Throttling"
_FAILING = ("ServiceUnavailable", "InternalError")
_SERVER_ERROR = 500
_TOO_MANY = 429
_OK = 200


@dataclass(frozen=True)
class AccessKey:
    """What signs a call: the bridge's own key, or that of a role session."""

    id: str
    secret: str = field(repr=False)
    security_token: str | None = field(default=None, repr=False)
    """With the key of a role session."""


class STSClient:
    """Calls an account's STS-compatible endpoint."""

    def __init__(self, outbound: Outbound, clock: Clock) -> None:
        """Take the door for outgoing requests and the clock that stamps signed calls."""
        self._outbound = outbound
        self._clock = clock

    def call(
        self,
        account: Account,
        action: str,
        parameters: Mapping[str, str],
        deadline: Deadline,
        access_key: AccessKey | None = None,
    ) -> Mapping[str, Any]:
        """Return the answer of an action that succeeded. Asks once.

        Args:
            account: whose endpoint, trusted CA and time limits to use.
            action: such as ``AssumeRoleWithSAML``.
            parameters: the action's own parameters.
            deadline: when there must be an answer.
            access_key: signs the call (ACS3-HMAC-SHA256); anonymous without it.

        Raises:
            ExchangeRefused: STS said no, by the class for its code; with that code and RequestId.
            ExchangeUnavailable: no answer in time, throttling, or a failure at STS; it says whether to try again.
        """
        if access_key is None:
            fields = {"Action": action, "Version": VERSION, "Format": "JSON", **parameters}
            headers: dict[str, str] = {}
        else:
            fields = dict(parameters)
            headers = self._sign(account, action, fields, access_key)
        left = deadline.left()
        if left <= 0:
            raise ExchangeUnavailable(f"{action} at {account.endpoint}: the deadline is over")
        try:
            answer = self._outbound.post_form(
                f"{account.endpoint}/",
                fields,
                headers={"Accept": "application/json", **headers},
                limits=Limits(min(account.connect_timeout_seconds, left), left, MAX_ANSWER_BYTES),
                ca_file=account.ca_file,
                proxy=account.proxy,
            )
        except (FetchFailed, FetchRefused) as error:
            detail = f"{action} at {account.endpoint}: {error.detail}"
            raise ExchangeUnavailable(detail, may_retry=isinstance(error, FetchNotConnected)) from error
        content = _parse(answer.body)
        if answer.status == _OK and content is not None and "Credentials" in content:
            return content
        raise _read_failure(answer, content or {}, f"{action} for account {account.name}")

    def _sign(self, account: Account, action: str, fields: Mapping[str, str], access_key: AccessKey) -> dict[str, str]:
        return sign_v3(
            method="POST",
            host=urlsplit(account.endpoint).netloc,
            action=action,
            version=VERSION,
            query={},
            body=urlencode(list(fields.items())).encode(),
            content_type=FORM,
            date=format_utc(self._clock.now()),
            nonce=secrets.token_hex(16),
            access_key_id=access_key.id,
            access_key_secret=access_key.secret,
            security_token=access_key.security_token,
        )


def _read_failure(answer: Answer, content: Mapping[str, Any], what: str) -> ExchangeError:
    """Return what an answer without credentials means. Its code and RequestId are kept; its message is nobody's."""
    code = str(content.get("Code", ""))[:128]
    request_id = str(content.get("RequestId", ""))[:64]
    detail = f"{what}: {answer.status} {code}"
    wait = _read_retry_after(answer.headers)
    if answer.status == _TOO_MANY or code.startswith(_THROTTLING):
        return ExchangeThrottled(detail, wait, may_retry=True, upstream_code=code, upstream_request_id=request_id)
    if answer.status >= _SERVER_ERROR or code.startswith(_FAILING):
        return ExchangeUnavailable(detail, wait, may_retry=True, upstream_code=code, upstream_request_id=request_id)
    if not content:
        return ExchangeUnavailable(detail)
    return find_refusal(code)(detail, code, request_id)


def _read_retry_after(headers: Mapping[str, str]) -> int | None:
    """Return after how many seconds STS wants to be asked again: ``Retry-After``, or the SDKs' milliseconds."""
    for name, units in (("Retry-After", 1), ("x-acs-retry-after", 1000)):
        text = headers.get(name, "")
        if text.isascii() and text.isdigit() and len(text) < 10:  # noqa: PLR2004  no number that is worth reading is longer
            return min(-(-int(text) // units), LONGEST_RETRY_AFTER_SECONDS)
    return None


def _parse(body: bytes) -> Mapping[str, Any] | None:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None
