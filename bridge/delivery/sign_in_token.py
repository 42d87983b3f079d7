"""The console's federation endpoint: temporary credentials go in, a sign-in token for one browser comes out.

The request is a form POST, so that neither secret nor token is part of an address here. The sign-in token is for one
use within 30 seconds, and for nothing but the console; the console session that it opens ends with the credentials,
and has their session policy. https://help.aliyun.com/document_detail/91913.html : "GetSigninToken".
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from bridge.errors import ConsoleTokenRefused, ConsoleTokenUnavailable, FetchFailed, FetchRefused
from bridge.exchange.accounts import Account
from bridge.exchange.credentials import TemporaryCredentials
from bridge.outbound import Limits, Outbound

MAX_ANSWER_BYTES = 16_000

_OK = 200
_TOO_MANY = 429
_SERVER_ERROR = 500
_TOKEN = re.compile(r"[!-~]{1,4096}", re.ASCII)


class SignInTokens:
    """Asks an account's federation endpoint for sign-in tokens."""

    def __init__(self, outbound: Outbound) -> None:
        """Take the door for outgoing requests."""
        self._outbound = outbound

    def get(self, account: Account, credentials: TemporaryCredentials) -> str:
        """Return a sign-in token for the console session that these credentials stand for. Asks once.

        Raises:
            ConsoleTokenRefused: the endpoint says no, or something that is no sign-in token.
            ConsoleTokenUnavailable: no answer within the account's time limits, or a failure there.
        """
        url = account.console_addresses.federation_url
        if url is None:
            raise ConsoleTokenRefused(f"account {account.name} has a console without a federation endpoint", "", "")
        fields = {
            "Action": "GetSigninToken",
            "AccessKeyId": credentials.access_key_id,
            "AccessKeySecret": credentials.access_key_secret,
            "SecurityToken": credentials.security_token,
            "TicketType": "mini",
        }
        # `ca_file` and `proxy` are the way to the account's STS, perhaps in a VPC; the console's address is public, and
        # whoever may vouch for a private endpoint must not vouch for this one. Only the sandbox has both in one place.
        like_sts = account.custom_console is not None
        try:
            answer = self._outbound.post_form(
                url,
                fields,
                headers={"Accept": "application/json"},
                limits=Limits(account.connect_timeout_seconds, account.timeout_seconds, MAX_ANSWER_BYTES),
                ca_file=account.ca_file if like_sts else None,
                proxy=account.proxy if like_sts else None,
            )
        except (FetchFailed, FetchRefused) as error:
            raise ConsoleTokenUnavailable(f"GetSigninToken at {url}: {error.detail}") from error
        content = _parse(answer.body)
        token = content.get("SigninToken")
        if answer.status == _OK and isinstance(token, str) and _TOKEN.fullmatch(token):
            return token
        code, request_id = str(content.get("Code", ""))[:128], str(content.get("RequestId", ""))[:64]
        detail = f"GetSigninToken for account {account.name}: {answer.status} {code}"
        if answer.status >= _SERVER_ERROR or answer.status == _TOO_MANY:
            raise ConsoleTokenUnavailable(detail, upstream_code=code, upstream_request_id=request_id)
        raise ConsoleTokenRefused(detail, code, request_id)


def _parse(body: bytes) -> Mapping[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
