"""The service as authorization server: what this command asks it, as a public client (RFC 6749, 8252, 8628, 9126)."""

import base64
import hashlib
import secrets
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from bridge.client.failure import (
    ClientError,
    SignedOut,
    SignInFailed,
    Unreachable,
    WrongService,
    clean,
    plain,
    refusal_of,
)
from bridge.client.service import Answer, Service
from bridge.language import translate

CLIENT_ID = "rambridge-cli"
METADATA_PATH = "/.well-known/oauth-authorization-server"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
LONGEST_PATH = 1_000
"""Of an address; a QR code holds no more than three times that."""
LONGEST_INTERVAL_SECONDS = 60
"""However long a service wants to be left alone: the person waits."""


@dataclass(frozen=True)
class Tokens:
    """What a signed-in terminal has."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    expires_at: float
    """When the access token ends, in seconds since 1970."""


@dataclass(frozen=True)
class Proof:
    """PKCE (RFC 7636): only who began can finish."""

    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48), repr=False)

    @property
    def challenge(self) -> str:
        """Return the S256 challenge."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@dataclass(frozen=True)
class Device:
    """A terminal that waits until somebody lets it in."""

    device_code: str = field(repr=False)
    user_code: str
    address: str
    """The page that has the code in it."""
    plain_address: str
    """The page where the code is typed."""
    interval_seconds: int
    ends_at: float
    """In seconds of the monotonic clock."""


class AuthorizationServer:
    """The endpoints that the service's metadata names, all of its own origin."""

    def __init__(self, service: Service) -> None:
        """Ask for the metadata. Raises WrongService for what is no Rambridge, or one that calls itself otherwise."""
        self.service = service
        answer = service.get(METADATA_PATH)
        if not answer.ok and isinstance(failure := _refusal(answer), Unreachable):
            raise failure
        self.issuer = str(answer.content.get("issuer", ""))
        if not answer.ok or not self.issuer:
            raise WrongService(
                translate(
                    "What answers at %(service)s is no Rambridge, or one that is older than this command. Is the "
                    "address right? Another one: rambridge login --server URL",
                    service=service.origin,
                )
            )
        # RFC 8414 3.3: else one server could send the person to another's sign-in, and take what it gives.
        if self.issuer.rstrip("/").lower() != service.origin:
            raise WrongService(
                translate(
                    "The service at %(service)s calls itself %(name)s. Use that address: rambridge login --server "
                    "%(name)s",
                    service=service.origin,
                    name=clean(self.issuer),
                )
            )
        self._metadata = answer.content
        self.names_itself = answer.content.get("authorization_response_iss_parameter_supported") is True
        self.resource = f"{service.origin}/api/v1"

    def build_address(self, redirect_uri: str, state: str, proof: Proof) -> str:
        """Return what the browser opens; the request goes ahead of it where the service takes that (RFC 9126)."""
        fields = {
            "client_id": CLIENT_ID,
            "response_type": "code",
            "redirect_uri": redirect_uri,
            "state": state,
            "code_challenge": proof.challenge,
            "code_challenge_method": "S256",
            "resource": self.resource,
        }
        if "pushed_authorization_request_endpoint" in self._metadata:
            answer = self.service.post_form(self._path("pushed_authorization_request_endpoint"), fields)
            if not answer.ok:
                raise _refusal(answer)
            fields = {"client_id": CLIENT_ID, "request_uri": str(answer.content.get("request_uri", ""))}
        return f"{self.service.origin}{self._path('authorization_endpoint')}?{urlencode(fields)}"

    def redeem(self, code: str, redirect_uri: str, proof: Proof) -> Tokens:
        """Return the tokens for a code."""
        answer = self._ask_for_token(
            grant_type="authorization_code", code=code, redirect_uri=redirect_uri, code_verifier=proof.verifier
        )
        if not answer.ok:
            raise _refusal(answer)
        return self._read_tokens(answer)

    def refresh(self, refresh_token: str) -> Tokens:
        """Return new tokens. Raises SignedOut if what this terminal had is over."""
        answer = self._ask_for_token(grant_type="refresh_token", refresh_token=refresh_token)
        if answer.content.get("error") == "invalid_grant":
            raise SignedOut(_read_message(answer) or translate("This terminal's sign-in has ended."))
        if not answer.ok:
            raise _refusal(answer)
        return self._read_tokens(answer)

    def start_device(self, proof: Proof) -> Device:
        """Return what waits to be let in (RFC 8628 3.1)."""
        if "device_authorization_endpoint" not in self._metadata:
            raise SignInFailed(translate("This service lets nobody in without a browser on the same machine."))
        answer = self.service.post_form(
            self._path("device_authorization_endpoint"),
            {
                "client_id": CLIENT_ID,
                "resource": self.resource,
                "code_challenge": proof.challenge,
                "code_challenge_method": "S256",
            },
        )
        if not answer.ok:
            raise _refusal(answer)
        content = answer.content
        try:
            return Device(
                device_code=plain(content["device_code"]),
                user_code=clean(content["user_code"]),
                address=self._own(str(content.get("verification_uri_complete") or content["verification_uri"])),
                plain_address=self._own(str(content["verification_uri"])),
                interval_seconds=min(max(1, int(content.get("interval", 5))), LONGEST_INTERVAL_SECONDS),
                ends_at=time.monotonic() + float(content["expires_in"]),
            )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise WrongService(translate("The service's answer names no code.")) from error

    def ask_device(self, device: Device, proof: Proof) -> tuple[Tokens | None, str]:
        """Return the tokens, or nothing and why not yet, in the words of RFC 8628 3.5.

        Raises SignInFailed if the person refused, or did not decide in time.
        """
        answer = self._ask_for_token(
            grant_type=DEVICE_GRANT, device_code=device.device_code, code_verifier=proof.verifier
        )
        if answer.ok:
            return self._read_tokens(answer), ""
        match str(answer.content.get("error", "")):
            case "authorization_pending" | "slow_down" as why_not:
                return None, why_not
            case "access_denied":
                raise SignInFailed(translate("This was refused in the browser."))
            case "expired_token" | "invalid_grant":
                raise SignInFailed(translate("Nobody allowed this in the browser in time. Once more: rambridge login"))
        raise _refusal(answer)

    def revoke(self, refresh_token: str) -> None:
        """End what this terminal has (RFC 7009)."""
        fields = {"client_id": CLIENT_ID, "token": refresh_token, "token_type_hint": "refresh_token"}
        answer = self.service.post_form(self._path("revocation_endpoint"), fields)
        if not answer.ok:
            raise _refusal(answer)

    def _ask_for_token(self, **fields: str) -> Answer:
        common = {"client_id": CLIENT_ID, "resource": self.resource}
        return self.service.post_form(self._path("token_endpoint"), common | fields)

    def _read_tokens(self, answer: Answer) -> Tokens:
        content = answer.content
        if str(content.get("token_type")).lower() != "bearer":
            raise WrongService(translate("The service's token is of a kind that this command does not know."))
        try:
            return Tokens(
                access=plain(content["access_token"]),
                refresh=plain(content.get("refresh_token", "")),
                expires_at=time.time() + float(content["expires_in"]),
            )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise WrongService(translate("The service's answer has no token in it.")) from error

    def _path(self, name: str) -> str:
        address: Any = self._metadata.get(name)
        if not isinstance(address, str):
            raise WrongService(translate("The service's metadata has no %(name)s.", name=name))
        return self._own(address).removeprefix(self.service.origin)

    def _own(self, address: str) -> str:
        """Return an address of the service's own origin. What it names elsewhere gets neither tokens nor people."""
        origin, rest = address[: len(self.service.origin)], address[len(self.service.origin) :]
        is_plain = rest.startswith("/") and rest.isascii() and rest.isprintable() and len(rest) <= LONGEST_PATH
        if origin.lower() != self.service.origin or not is_plain:
            raise WrongService(
                translate(
                    "The service at %(service)s names an address elsewhere: %(address)s.",
                    service=self.service.origin,
                    address=clean(address),
                )
            )
        return self.service.origin + rest


def _refusal(answer: Answer) -> ClientError:
    """Return what an error of OAuth's endpoints means for the person (RFC 6749 5.2)."""
    content = answer.content
    code = clean(content.get("code")) or clean(content.get("error"))
    return refusal_of(answer.status, _read_message(answer), code, clean(content.get("reference")))


def _read_message(answer: Answer) -> str:
    """Return the service's sentence: in the person's language, else OAuth's own, which is in ASCII (RFC 6749 5.2)."""
    return clean(answer.content.get("message")) or clean(answer.content.get("error_description"))
