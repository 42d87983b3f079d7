"""Decides whether an OIDC token is one that Alibaba Cloud would accept for a registered provider.

RS256 and nothing else; keys from the issuer's own discovery document; the claims after the signature, except ``iss``,
which decides whose keys to ask for. Two checks of the live service cannot be made here: the fingerprint of the
issuer's TLS chain, and the list of root certificates. Instead, plain http is taken from loopback issuers only.

Reference: RAM, "OIDC-based SSO", error codes of AssumeRoleWithOIDC.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from joserfc import jws
from joserfc.errors import BadSignatureError, JoseError
from joserfc.jwk import RSAKey

from bridge.sandbox.cloud.documents import Documents
from bridge.sandbox.cloud.entities import OIDCProvider
from bridge.sts_wire.reply import STSFault, build_fault

MAX_TOKEN = 20_000
LEEWAY = timedelta(seconds=60)

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True)
class OIDCStatement:
    """What a registered issuer states, after every check."""

    issuer: str
    subject: str
    audiences: tuple[str, ...]
    expires_at: datetime
    issued_at: datetime


def verify_oidc_token(token: str, provider: OIDCProvider, documents: Documents, now: datetime) -> OIDCStatement:
    """Return what the token states; it is by this provider's issuer, for one of its client IDs, and valid now.

    White space around the token is ignored, because clients send a file's last newline along. Raises a fault of the
    family ``AuthenticationFail.OIDCToken``.
    """
    token = token.strip()
    header, claims = _read_parts(token)
    if header.get("alg") != "RS256":
        raise _refuse("Invalid", "The algorithm of OIDC token is unknown.")
    for name in ("iss", "sub", "aud", "exp", "iat"):
        if name not in claims:
            raise _refuse("Invalid", f"The claim {name} of OIDC token is missing.")
    if claims["iss"] != provider.issuer:
        raise _refuse("IssuerNotMatch")
    _verify_signature(token, header, provider, documents)
    statement = _read_claims(claims)
    if not set(statement.audiences) & set(provider.client_ids):
        raise _refuse("AudienceNotMatch")
    _check_times(statement, claims, timedelta(hours=provider.issuance_limit_hours), now)
    return statement


def _read_parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and claims of a compact token; nothing of it is verified."""
    parts = token.split(".")
    if not 4 <= len(token) <= MAX_TOKEN or len(parts) != 3 or not token.isascii():  # noqa: PLR2004 - RFC 7515 7.1
        raise _refuse("Invalid", "OIDC token must consist of three parts.")
    try:
        header, claims = (json.loads(_decode(part), object_pairs_hook=_read_object) for part in parts[:2])
        _decode(parts[2])
    except (ValueError, RecursionError) as error:
        raise _refuse("Invalid", "OIDC token cannot be decoded.") from error
    if not isinstance(header, dict) or not isinstance(claims, dict) or not isinstance(header.get("kid"), str | None):
        raise _refuse("Invalid", "OIDC token cannot be decoded.")
    return header, claims


def _decode(part: str) -> bytes:
    """Decode base64url without padding, in its one canonical spelling."""
    decoded = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    if base64.urlsafe_b64encode(decoded).rstrip(b"=").decode() != part:
        raise binascii.Error("not canonical base64url")
    return decoded


def _read_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a member comes twice")
    return dict(pairs)


def _verify_signature(token: str, header: Mapping[str, Any], provider: OIDCProvider, documents: Documents) -> None:
    """The token was signed by a key that its issuer publishes now."""
    keys = _load_keys(provider, documents, fresh=False)
    if header.get("kid") not in keys:
        keys = _load_keys(provider, documents, fresh=True)
    key = keys.get(header.get("kid"))
    if key is None:
        raise _refuse("InvalidSignature", "The issuer has no key with the kid of OIDC token.")
    try:
        jws.deserialize_compact(token, key, algorithms=["RS256"])
    except BadSignatureError as error:
        raise _refuse("InvalidSignature") from error
    except (JoseError, ValueError) as error:
        raise _refuse("Invalid") from error


def _load_keys(provider: OIDCProvider, documents: Documents, *, fresh: bool) -> dict[str | None, RSAKey]:
    """Return the issuer's RSA keys by ``kid``."""
    address = urlsplit(provider.issuer)
    if address.scheme != "https" and address.hostname not in _LOOPBACK:
        raise _refuse("HttpsUrlInvalid")
    try:
        discovery_url = f"{provider.issuer.rstrip('/')}/.well-known/openid-configuration"
        discovery = json.loads(documents.load(discovery_url, fresh=fresh))
        jwks = json.loads(documents.load(discovery["jwks_uri"], fresh=fresh))
        keys: dict[str | None, RSAKey] = {
            key.get("kid"): RSAKey.import_key(key)
            for key in jwks["keys"]
            if key.get("kty") == "RSA" and key.get("use", "sig") == "sig"
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, JoseError) as error:
        raise _refuse("IssuerConfigurationBroken") from error
    if discovery["issuer"] != provider.issuer:
        raise _refuse("IssuerConfigurationBroken", "The discovery document is another issuer's.")
    return keys


def _read_claims(claims: Mapping[str, Any]) -> OIDCStatement:
    """Return the claims that matter, each of the type that it must have."""
    audiences = [claims["aud"]] if isinstance(claims["aud"], str) else claims["aud"]
    texts = [claims["sub"], *audiences] if isinstance(audiences, list) else [None]
    numbers = [claims["exp"], claims["iat"]]
    if not all(isinstance(text, str) and text for text in texts) or not all(
        isinstance(number, int | float) and not isinstance(number, bool) and 0 <= number < 1e11  # noqa: PLR2004
        for number in numbers
    ):
        raise _refuse("Invalid", "A claim of OIDC token has a wrong type.")
    expires_at, issued_at = (datetime.fromtimestamp(number, UTC) for number in numbers)
    return OIDCStatement(claims["iss"], claims["sub"], tuple(audiences), expires_at, issued_at)


def _check_times(statement: OIDCStatement, claims: Mapping[str, Any], limit: timedelta, now: datetime) -> None:
    """Not expired, not from the future, and not issued longer ago than the provider's ``IssuanceLimitTime``."""
    if statement.expires_at <= now:
        raise _refuse("Expired")
    if now - statement.issued_at > limit:
        raise _refuse("Expired", "OIDC token was issued too long ago.")
    not_before = claims.get("nbf", 0)
    early = statement.issued_at > now + LEEWAY
    if early or not isinstance(not_before, int | float) or not_before > (now + LEEWAY).timestamp():
        raise _refuse("Invalid", "OIDC token is not valid yet.")


def _refuse(kind: str, message: str = "") -> STSFault:
    return build_fault(f"AuthenticationFail.OIDCToken.{kind}", message)
