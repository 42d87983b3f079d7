"""Decides whether an authorization request is acceptable (RFC 6749 4.1.1, RFC 7636, OpenID Connect Core 3.1.2).

Two kinds of refusal. As long as client and redirect URI are not known to be right, nobody is redirected: the person
sees a page. From then on the client is told, at its registered address.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from werkzeug.datastructures import MultiDict

from bridge.sandbox.idp.refusals import Refused
from bridge.sandbox.idp.state import IdPState, OIDCClient

SCOPES = ("openid", "profile", "email")
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_SECONDS = re.compile(r"[0-9]{1,9}", re.ASCII)
_PROMPTS = {"none", "login", "consent", "select_account"}


@dataclass(frozen=True)
class AuthorizationRequest:
    """A verified request of a registered relying party."""

    client: OIDCClient
    redirect_uri: str
    """One of the client's registered addresses, byte for byte."""
    scopes: frozenset[str]
    state: str | None
    nonce: str | None
    code_challenge: str
    """S256."""
    prompts: frozenset[str]
    maximum_age: timedelta | None
    """``max_age``."""
    acr_values: tuple[str, ...] = ()
    """The authentication contexts to try for, the preferred one first."""

    @property
    def demands_fresh_sign_in(self) -> bool:
        """Whether the person must sign in again even if they are signed in."""
        return bool(self.prompts & {"login", "select_account"})


class RefusedToClient(Exception):
    """The request is refused, and the client is told so at its own redirect URI."""

    def __init__(self, redirect_uri: str, state: str | None, error: str, description: str) -> None:
        """Take where to tell it, and an error of RFC 6749 4.1.2.1 or OpenID Connect Core 3.1.2.6."""
        super().__init__(f"{error}: {description}")
        self.redirect_uri = redirect_uri
        self.state = state
        self.error = error
        self.description = description


def verify_authorization_request(parameters: MultiDict[str, str], state: IdPState) -> AuthorizationRequest:
    """Return the request if everything about it is acceptable.

    Raises :class:`Refused` while the redirect URI is not trusted, :class:`RefusedToClient` afterwards.
    """
    if any(len(values) > 1 for _, values in parameters.lists()):
        raise Refused("idp_parameter_twice", "A parameter came twice.")
    client = state.find_client(parameters.get("client_id", ""))
    if client is None:
        raise Refused("idp_client", "No application is registered under this client_id.")
    redirect_uri = parameters.get("redirect_uri", "")
    if redirect_uri not in client.redirect_uris:
        raise Refused("idp_redirect_uri", "The redirect_uri is not one that this application registered.")
    for holds, error, description in _list_rules(parameters):
        if not holds:
            raise RefusedToClient(redirect_uri, parameters.get("state"), error, description)
    max_age = parameters.get("max_age")
    return AuthorizationRequest(
        client=client,
        redirect_uri=redirect_uri,
        scopes=_read_words(parameters, "scope") & frozenset(SCOPES),
        state=parameters.get("state"),
        nonce=parameters.get("nonce"),
        code_challenge=parameters["code_challenge"],
        prompts=_read_words(parameters, "prompt"),
        maximum_age=None if max_age is None else timedelta(seconds=int(max_age)),
        acr_values=tuple(parameters.get("acr_values", "").split()),
    )


def _list_rules(parameters: MultiDict[str, str]) -> Iterator[tuple[bool, str, str]]:
    """Yield what must hold, and with which error the client is refused where it does not."""
    unsupported = "Request objects are not supported."
    yield "request" not in parameters, "request_not_supported", unsupported
    yield "request_uri" not in parameters, "request_uri_not_supported", unsupported
    response_type, response_mode = parameters.get("response_type"), parameters.get("response_mode", "query")
    yield response_type == "code", "unsupported_response_type", "Only response_type=code is supported."
    yield response_mode == "query", "invalid_request", "Only response_mode=query is supported."
    yield "openid" in _read_words(parameters, "scope"), "invalid_scope", "The scope must contain openid."
    # ``plain`` protects nothing from somebody who sees the request, and it is the default (RFC 7636 4.3).
    s256 = parameters.get("code_challenge_method") == "S256"
    yield s256, "invalid_request", "PKCE with code_challenge_method=S256 is required."
    challenge = _CHALLENGE.fullmatch(parameters.get("code_challenge", "")) is not None
    yield challenge, "invalid_request", "The code_challenge is not the base64url of a SHA-256."
    prompts = _read_words(parameters, "prompt")
    alone = "none" not in prompts or len(prompts) == 1
    yield prompts <= _PROMPTS and alone, "invalid_request", "The prompt is not valid."
    seconds = _SECONDS.fullmatch(parameters.get("max_age", "0")) is not None
    yield seconds, "invalid_request", "The max_age is not a number of seconds."


def _read_words(parameters: MultiDict[str, str], name: str) -> frozenset[str]:
    return frozenset(parameters.get(name, "").split())
