"""Tokens that are shown again and again: a pod reads the same file for each refresh of its credentials, for an hour.

What was decoded from a token stays known for as long as the key that signed it is the issuer's. Whatever depends on the
moment or on the settings (issuer, times, audience, claims, first use) is checked each time: see ``workload_token``.
Kept under the token's digest, and only after its signature was right, so that a stranger can fill nothing.
"""

import hashlib
from typing import Any, NamedTuple

from bridge.errors import OIDCJSON
from bridge.identity.oidc.id_token import DecodedToken, ExpectedToken, open_token
from bridge.identity.oidc.key_set import ProviderKey
from bridge.identity.oidc.strict_json import parse_object
from bridge.identity.oidc.trace import OIDCTrace

MOST = 500


class OpenedToken(NamedTuple):
    """A token that its issuer signed."""

    decoded: DecodedToken
    claims: dict[str, Any]
    key: ProviderKey


class ShownAgain:
    """The tokens of one issuer that were opened; shared by all threads."""

    def __init__(self) -> None:
        """Begin with none."""
        self._opened: dict[bytes, OpenedToken] = {}

    def open(self, token: str, expected: ExpectedToken, trace: OIDCTrace) -> OpenedToken:
        """Return the token as :func:`open_signed` does, without checking again what cannot have changed."""
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        opened = self._opened.get(digest)
        if opened is not None:
            trace.at, trace.decoded = "key", opened.decoded
            if expected.keys.find_key(opened.decoded.unverified_header.get("kid")) is opened.key:
                trace.key, trace.claims = opened.key, opened.claims
                return opened
        opened = open_signed(token, expected, trace)
        if len(self._opened) >= MOST:
            self._opened.clear()
        self._opened[digest] = opened
        return opened


def open_signed(token: str, expected: ExpectedToken, trace: OIDCTrace) -> OpenedToken:
    """Return a token that its issuer signed, and what it states: of that, nothing is checked yet.

    Raises:
        OIDCJSON: its payload is not one unambiguous JSON object.
        IdentityError: what :func:`~bridge.identity.oidc.id_token.open_token` raises.
    """
    decoded, _, key = open_token(token, expected, trace)
    trace.at = "token_content"
    try:
        trace.claims = claims = parse_object(decoded.payload)
    except ValueError as error:
        raise OIDCJSON(f"the payload is {error}") from error
    return OpenedToken(decoded, claims, key)
