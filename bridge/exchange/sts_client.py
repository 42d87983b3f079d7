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
from bridge.errors import ExchangeRefused, ExchangeUnavailable, FetchFailed, FetchRefused
from bridge.exchange.accounts import Account
from bridge.outbound import Limits, Outbound
from bridge.sts_wire.signature import sign_v3

VERSION = "2015-04-01"
FORM = "application/x-www-form-urlencoded"
MAX_ANSWER_BYTES = 64_000

_WORTH_RETRYING = ("Throttling", "ServiceUnavailable", "InternalError")
_SERVER_ERROR = 500
_OK = 200


@dataclass(frozen=True)
class AccessKey:
    """The bridge's own key for signed calls."""

    id: str
    secret: str = field(repr=False)


class STSClient:
    """Calls an account's STS-compatible endpoint."""

    def __init__(self, outbound: Outbound, clock: Clock) -> None:
        """Take the door for outgoing requests and the clock that stamps signed calls."""
        self._outbound = outbound
        self._clock = clock

    def call(
        self, account: Account, action: str, parameters: Mapping[str, str], access_key: AccessKey | None = None
    ) -> Mapping[str, Any]:
        """Return the answer of an action that succeeded.

        Args:
            account: whose endpoint, trusted CA and time limits to use.
            action: such as ``AssumeRoleWithSAML``.
            parameters: the action's own parameters.
            access_key: signs the call (ACS3-HMAC-SHA256); anonymous without it.

        Raises:
            ExchangeRefused: STS said no; with its code and RequestId.
            ExchangeUnavailable: no answer in time, throttling, or a failure at STS.
        """
        if access_key is None:
            fields = {"Action": action, "Version": VERSION, "Format": "JSON", **parameters}
            headers: dict[str, str] = {}
        else:
            fields = dict(parameters)
            headers = self._sign(account, action, fields, access_key)
        try:
            answer = self._outbound.post_form(
                f"{account.endpoint}/",
                fields,
                headers={"Accept": "application/json", **headers},
                limits=Limits(account.connect_timeout_seconds, account.timeout_seconds, MAX_ANSWER_BYTES),
                ca_file=account.ca_file,
            )
        except (FetchFailed, FetchRefused) as error:
            raise ExchangeUnavailable(f"{action} at {account.endpoint}: {error.detail}") from error
        content = _parse(answer.body)
        if answer.status == _OK and content is not None and "Credentials" in content:
            return content
        code = str((content or {}).get("Code", ""))[:128]
        request_id = str((content or {}).get("RequestId", ""))[:64]
        detail = f"{action} for account {account.name}: {answer.status} {code}"
        if content is None or answer.status >= _SERVER_ERROR or code.startswith(_WORTH_RETRYING):
            raise ExchangeUnavailable(detail)
        raise ExchangeRefused(detail, code, request_id)

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
        )


def _parse(body: bytes) -> Mapping[str, Any] | None:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None
