"""Issues ID tokens."""

import hashlib
import secrets
from base64 import urlsafe_b64encode
from datetime import datetime, timedelta
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey

from bridge.sandbox.idp.oidc.code import Grant
from bridge.sandbox.idp.state import Person

LIFETIME = timedelta(minutes=5)


def issue_id_token(grant: Grant, issuer: str, key: RSAKey, access_token: str, now: datetime) -> str:
    """Return a signed statement about the signed-in person (OpenID Connect Core 2, 3.1.3.6), valid for five minutes."""
    request, session = grant.request, grant.session
    claims: dict[str, Any] = {
        "iss": issuer,
        "sub": find_subject(issuer, session.person),
        "aud": request.client.client_id,
        "iat": int(now.timestamp()),
        "exp": int((now + LIFETIME).timestamp()),
        "auth_time": int(session.authenticated_at.timestamp()),
        "acr": session.method.acr,
        "amr": session.method.amr,
        "sid": session.index,
        "jti": secrets.token_urlsafe(16),
        "at_hash": _hash_half(access_token),
    }
    if request.nonce is not None:
        claims["nonce"] = request.nonce
    if "profile" in request.scopes:
        claims |= {
            "name": session.person.name,
            "preferred_username": session.person.uid,
            "department": session.person.department,
            "title": session.person.title,
            "groups": list(session.person.groups),
        }
    if "email" in request.scopes:
        claims |= {"email": session.person.mail, "email_verified": True}
    return jwt.encode({"alg": "RS256", "typ": "JWT", "kid": key.kid}, claims, key)


def find_subject(issuer: str, person: Person) -> str:
    """Return the identifier by which every client knows the person: opaque, and the same after a restart."""
    return hashlib.sha256(f"{issuer}\n{person.uid}".encode()).hexdigest()[:32]


def _hash_half(token: str) -> str:
    digest = hashlib.sha256(token.encode("ascii")).digest()
    return urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()
