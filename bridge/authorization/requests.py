"""What an authorization request must say before anybody is asked about it (RFC 6749 4.1.1, 7636 4.3, 8707, 9126)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bridge.authorization.client import check_client, check_redirect_uri, check_resource
from bridge.errors import BadParameter, PKCEMissing, ResponseTypeUnsupported

PARAMETERS = frozenset(
    {
        "client_id",
        "response_type",
        "response_mode",
        "redirect_uri",
        "state",
        "code_challenge",
        "code_challenge_method",
        "resource",
    }
)
"""What of a request counts for anything. Each has a short form of its own."""
LONGEST_STATE = 128
_STATE = re.compile(rf"[\x20-\x7e]{{0,{LONGEST_STATE}}}", re.ASCII)
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


@dataclass(frozen=True)
class Receiver:
    """Where the answer may go: an address that was checked, and what the program wants to see again there."""

    redirect_uri: str
    state: str


@dataclass(frozen=True)
class AuthorizationRequest:
    """A request that may be put to the person."""

    receiver: Receiver
    challenge: str
    """S256 of what the program will prove itself with."""


def read_receiver(parameters: Mapping[str, str]) -> Receiver:
    """Return where the answer may go.

    Raises ClientUnknown, RedirectRefused or BadParameter; nobody may be sent anywhere then (RFC 6749 4.1.2.1).
    """
    check_client(parameters.get("client_id", ""))
    redirect_uri = parameters.get("redirect_uri", "")
    check_redirect_uri(redirect_uri)
    state = parameters.get("state", "")
    if not _STATE.fullmatch(state):
        raise BadParameter("the state is too long, or not of printable ASCII")
    return Receiver(redirect_uri, state)


def check_request(parameters: Mapping[str, str], receiver: Receiver, resource: str) -> AuthorizationRequest:
    """Return the request whose answer goes to ``receiver``.

    Raises ResponseTypeUnsupported, PKCEMissing, TargetInvalid, or BadParameter for a request object (RFC 9101);
    the program is told.
    """
    if parameters.get("response_type") != "code" or parameters.get("response_mode", "query") != "query":
        raise ResponseTypeUnsupported("not code in the query")
    if "request" in parameters:
        raise BadParameter("a request object")
    # RFC 9700 2.1.1: whoever leaves the method out would get "plain", which whoever sees the request can answer.
    if parameters.get("code_challenge_method") != "S256":
        raise PKCEMissing("the method is not S256")
    challenge = parameters.get("code_challenge", "")
    if not _CHALLENGE.fullmatch(challenge):
        raise PKCEMissing("no S256 challenge")
    check_resource(parameters.get("resource", ""), resource)
    return AuthorizationRequest(receiver, challenge)
