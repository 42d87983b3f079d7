"""The OIDC token that we present to STS (AssumeRoleWithOIDC).

RS256, one audience, five minutes: https://www.alibabacloud.com/help/en/ram/ : "AssumeRoleWithOIDC", "OIDC-based SSO".
"""

import secrets
from datetime import datetime, timedelta

from joserfc import jwt
from joserfc.jwk import RSAKey

from bridge.keys import SigningKey

LIFETIME = timedelta(minutes=5)


def issue_token(*, issuer: str, subject: str, audience: str, key: SigningKey, now: datetime) -> str:
    """Return a signed token that says who the person is to the RAM OIDC provider, valid for five minutes."""
    issued_at = int(now.timestamp())
    claims = {
        "iss": issuer,
        "sub": subject,
        "aud": audience,
        "iat": issued_at,
        "exp": issued_at + int(LIFETIME.total_seconds()),
        "jti": secrets.token_urlsafe(16),
    }
    return jwt.encode({"alg": "RS256", "kid": key.id, "typ": "JWT"}, claims, RSAKey.import_key(key.private_key))
