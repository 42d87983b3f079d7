"""Our own public keys, as one OpenID provider needs them: to check who asks, and to encrypt for us."""

from typing import Any

from joserfc.jwk import RSAKey

from bridge.identity.providers import OIDCProvider
from bridge.keys import KeyFolder, SigningKey


def build_client_jwks(provider: OIDCProvider, keys: KeyFolder) -> dict[str, Any] | None:
    """Return the JWK set of ours that this provider fetches; None: it needs none (RFC 7517).

    Raises KeyMissing and KeyUnusable.
    """
    found: list[dict[str, Any]] = []
    if provider.client_authentication == "private_key_jwt":
        found += [_describe(key, use="sig", alg="RS256") for key in keys.published("oidc-client")]
    if provider.encryption != "refuse":
        # Without ``alg``: the provider is registered for one of the two that we open.
        found += [_describe(key, use="enc") for key in keys.decryption("oidc-decryption").published]
    return {"keys": found} if found else None


def _describe(key: SigningKey, **members: str) -> dict[str, Any]:
    public = RSAKey.import_key(key.private_key.public_key()).as_dict(private=False)
    return {**public, "kid": key.id, **members}
