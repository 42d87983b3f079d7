"""Authorization codes: short-lived, single-use, and bound to client, redirect URI and PKCE challenge."""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import timedelta

from bridge.clock import Clock
from bridge.sandbox.idp.memory import Memory
from bridge.sandbox.idp.oidc.authorization import AuthorizationRequest
from bridge.sandbox.idp.oidc.token_errors import TokenRefused
from bridge.sandbox.idp.sessions import Session
from bridge.sandbox.idp.state import OIDCClient

LIFETIME = timedelta(seconds=60)
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


@dataclass(frozen=True)
class Grant:
    """What a code stands for."""

    request: AuthorizationRequest
    session: Session


class Codes(Memory[Grant]):
    """All codes that were not used yet."""

    def __init__(self, clock: Clock) -> None:
        """Begin with none."""
        super().__init__(clock, LIFETIME)


def redeem_code(codes: Codes, code: str, client: OIDCClient, redirect_uri: str, verifier: str) -> Grant:
    """Return the grant, and the code is used up, also when the rest is wrong.

    A code that somebody presents with the wrong client, address or verifier has leaked: nobody may use it any more
    (RFC 6749 10.5, RFC 9700 4.5).
    """
    grant = codes.take(code)
    if grant is None:
        raise TokenRefused("invalid_grant", "The code is unknown, too old, or was used before.")
    if grant.request.client.client_id != client.client_id:
        raise TokenRefused("invalid_grant", "The code was issued to another client.")
    if grant.request.redirect_uri != redirect_uri:
        raise TokenRefused("invalid_grant", "The redirect_uri differs from that of the authorization request.")
    if not _VERIFIER.fullmatch(verifier):
        raise TokenRefused("invalid_grant", "The code_verifier is missing or malformed.")
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    challenge = urlsafe_b64encode(digest).rstrip(b"=").decode()
    if not hmac.compare_digest(challenge, grant.request.code_challenge):
        raise TokenRefused("invalid_grant", "The code_verifier does not match the code_challenge.")
    return grant
