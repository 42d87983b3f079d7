"""The service's portal protocol, as its client: the five questions of a terminal."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from bridge.client.credentials import Credentials
from bridge.client.failure import ClientError, Refused, SignedOut

CLIENT_ID = "rambridge"
GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"
TIMEOUT_SECONDS = 30.0
LARGEST_ANSWER_BYTES = 1_000_000

_UNAUTHORIZED = 401
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the token to wherever somebody points."""

    def redirect_request(self, *_: Any) -> None:
        """Follow nothing."""


class Portal:
    """One service."""

    def __init__(self, server: str) -> None:
        """Take the service's address; only its scheme, host and port count.

        Raises ClientError for one that is not https: tokens and credentials travel there. Loopback may be http.
        """
        parts = urlsplit(server)
        host = parts.hostname or ""
        if not host or parts.username or parts.scheme not in ("https", "http"):
            raise ClientError(f"{server!r} is not the address of a service, such as https://access.example.com.")
        if parts.scheme == "http" and host not in _LOOPBACK:
            raise ClientError("The service's address must begin with https:// since credentials travel there.")
        self.origin = f"{parts.scheme}://{parts.netloc}"
        handlers: list[urllib.request.BaseHandler] = [_NoRedirects()]
        if host in _LOOPBACK:
            handlers.append(urllib.request.ProxyHandler({}))
        self._opener = urllib.request.build_opener(*handlers)

    def start_device(self, challenge: str) -> dict[str, Any]:
        """Ask for a device code and a user code (step 1)."""
        body = {
            "PortalUrl": self.origin,
            "CodeChallenge": challenge,
            "CodeChallengeMethod": "S256",
            "ClientId": CLIENT_ID,
        }
        return self._ask("/device-authorization", body)

    def ask_for_token(self, device_code: str, verifier: str) -> tuple[dict[str, Any], str]:
        """Return the token's answer and nothing, or nothing and why not yet, in the words of RFC 8628 (step 2)."""
        body = {"CodeVerifier": verifier, "ClientId": CLIENT_ID, "DeviceCode": device_code, "GrantType": GRANT_TYPE}
        status, answer = self._send("/token", body, {})
        if status == 200:  # noqa: PLR2004
            return answer, ""
        if answer.get("ErrorCode") == "AuthorizationPending":
            return {}, str(answer.get("error", "authorization_pending"))
        raise _refusal(status, answer)

    def list_accounts(self, token: str) -> list[dict[str, str]]:
        """Return the accounts in which this terminal's person has something (step 3)."""
        return list(self._pages("/access-assignments/accounts", "Accounts", token, {}))

    def list_roles(self, token: str, account: str) -> list[dict[str, str]]:
        """Return what they may become in one account (step 4)."""
        path, name = "/access-assignments/access-configurations", "AccessConfigurationsForAccount"
        return list(self._pages(path, name, token, {"AccountId": account}))

    def get_credentials(self, token: str, account: str, role: str) -> Credentials:
        """Return new credentials (step 5); ``account`` is its number, ``role`` a role's name or an entitlement's id."""
        answer = self._ask("/cloud-credentials", {"AccountId": account, "AccessConfigurationId": role}, token)
        try:
            found = answer["CloudCredential"]
            return Credentials(
                access_key_id=str(found["AccessKeyId"]),
                access_key_secret=str(found["AccessKeySecret"]),
                security_token=str(found["SecurityToken"]),
                expires_at=datetime.strptime(found["Expiration"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ClientError("The service's answer has no credentials in it.") from error

    def _pages(self, path: str, name: str, token: str, query: Mapping[str, str]) -> Iterator[dict[str, str]]:
        onward = ""
        for _ in range(100):
            asked = {**query, "MaxResults": "100", **({"NextToken": onward} if onward else {})}
            answer = self._ask(f"{path}?{urlencode(asked)}", None, token)
            yield from answer.get(name, ())
            onward = str(answer.get("NextToken") or "")
            if not answer.get("IsTruncated") or not onward:
                return

    def _ask(self, path: str, body: Mapping[str, str] | None, token: str = "") -> dict[str, Any]:
        status, answer = self._send(path, body, {"Authorization": f"Bearer {token}"} if token else {})
        if status != 200:  # noqa: PLR2004
            raise _refusal(status, answer)
        return answer

    def _send(
        self, path: str, body: Mapping[str, str] | None, headers: Mapping[str, str]
    ) -> tuple[int, dict[str, Any]]:
        request = urllib.request.Request(  # noqa: S310  the scheme was checked
            self.origin + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Accept": "application/json", "Content-Type": "application/json", **headers},
        )
        try:
            with self._opener.open(request, timeout=TIMEOUT_SECONDS) as response:
                status, content = response.status, response.read(LARGEST_ANSWER_BYTES)
        except urllib.error.HTTPError as error:
            with error:
                status, content = error.code, error.read(LARGEST_ANSWER_BYTES)
        except OSError as error:
            reason = getattr(error, "reason", error)
            raise ClientError(f"{self.origin} cannot be reached: {reason}.") from error
        try:
            answer = json.loads(content)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise ClientError(f"What answers at {self.origin} (status {status}) is no Rambridge, or is in trouble.")
        return status, answer


def _refusal(status: int, answer: Mapping[str, Any]) -> ClientError:
    message = _clean(answer.get("ErrorMessage")) or "The service refused this."
    if status == _UNAUTHORIZED:
        return SignedOut(message)
    return Refused(message, _clean(answer.get("ErrorCode")) or str(status), _clean(answer.get("RequestId")))


def _clean(text: object) -> str:
    """Return text that cannot move the cursor or colour the terminal."""
    return "".join(character for character in str(text or "") if character.isprintable())[:400]
