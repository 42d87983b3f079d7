"""The authorization code flow with PKCE as any relying party does it: proves a provider without the bridge."""

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import requests
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.interop.parties import OIDCClient

TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class CodeFlow:
    """One sign-in in flight."""

    issuer: str
    client: OIDCClient
    scope: str
    state: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    def authorization_url(self) -> str:
        """Return where the browser is sent."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self.client.client_id,
            "redirect_uri": self.client.redirect_uri,
            "scope": self.scope,
            "state": self.state,
            "nonce": self.nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        return f"{self.metadata()['authorization_endpoint']}?{urlencode(query)}"

    def redeem(self, code: str, *, verifier: str | None = None) -> requests.Response:
        """Return the token endpoint's answer."""
        return requests.post(
            self.metadata()["token_endpoint"],
            {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": self.client.redirect_uri,
                "code_verifier": verifier or self.verifier,
            },
            auth=(self.client.client_id, self.client.client_secret),
            timeout=TIMEOUT_SECONDS,
        )

    def read_id_token(self, token: str) -> dict[str, Any]:
        """Return the claims; the signature is by a key that the provider publishes."""
        keys = requests.get(self.metadata()["jwks_uri"], timeout=TIMEOUT_SECONDS).json()
        return jwt.decode(token, KeySet.import_key_set(keys), algorithms=["RS256"]).claims

    def metadata(self) -> dict[str, Any]:
        """Return what the provider says about itself."""
        url = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
        published: dict[str, Any] = requests.get(url, timeout=TIMEOUT_SECONDS).json()
        return published
