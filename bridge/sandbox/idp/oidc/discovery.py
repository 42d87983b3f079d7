"""What the provider publishes about its OpenID Connect side (OpenID Connect Discovery 3, RFC 8414, RFC 9207)."""

from typing import Any

from joserfc.jwk import RSAKey

from bridge.sandbox.idp.oidc.authorization import SCOPES
from bridge.sandbox.idp.sessions import MFA_CONTEXT, PASSWORD_CONTEXT

_CLAIMS = ["iss", "sub", "aud", "iat", "exp", "auth_time", "nonce", "acr", "amr", "sid", "jti", "at_hash"]
_PROFILE_CLAIMS = ["name", "preferred_username", "department", "title", "groups", "email", "email_verified"]


def build_discovery(issuer: str) -> dict[str, Any]:
    """Return the discovery document."""
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oidc/authorize",
        "token_endpoint": f"{issuer}/oidc/token",
        "jwks_uri": f"{issuer}/oidc/jwks",
        "scopes_supported": list(SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
        "claims_supported": [*_CLAIMS, *_PROFILE_CLAIMS],
        "acr_values_supported": [PASSWORD_CONTEXT, MFA_CONTEXT],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "authorization_response_iss_parameter_supported": True,
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
    }


def build_jwks(key: RSAKey) -> dict[str, Any]:
    """Return the key set that verifies our ID tokens: public parts only."""
    return {"keys": [key.as_dict(private=False)]}
