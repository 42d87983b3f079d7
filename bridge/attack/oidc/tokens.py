"""Makes ID tokens, honest and hostile, from one valid token and real throw-away keys.

:func:`forge` without arguments is the valid token; each argument changes one thing. Header, payload and signature can
also be given as bytes, because many faults are ones that no JSON or JOSE library would write.
"""

import base64
import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from types import SimpleNamespace
from typing import Any

from joserfc.jwk import ECKey, OctKey, RSAKey
from joserfc.jws import JWSRegistry

from bridge.identity.oidc.id_token import ExpectedToken
from bridge.identity.oidc.key_set import parse_key_set
from bridge.identity.providers import OIDCProvider

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
T = int(NOW.timestamp())
ISSUER = "https://idp.example/realms/corp"
CLIENT = "rambridge"
CLIENT_SECRET = "the-client-secret-of-rambridge"
NONCE = "n-0S6_WzA2Mj_n-0S6_WzA2Mj_n-0S6_WzA2Mj"
CODE = "c0de"
ACCESS_TOKEN = "the-access-token"
ABSENT = object()
"""As a value: the member is left out."""

PROVIDER = OIDCProvider(
    name="corp", title="Corp", protocol="oidc", issuer=ISSUER, client_id=CLIENT, client_secret=CLIENT_SECRET
)
CLAIMS = {
    "iss": ISSUER,
    "sub": "ada",
    "aud": CLIENT,
    "exp": T + 300,
    "iat": T,
    "auth_time": T - 30,
    "nonce": NONCE,
    "jti": "token-1",
    "sid": "session/1+",
    "acr": "urn:mfa",
    "amr": ["pwd", "otp"],
    "email": "ada@corp.example",
    "groups": ["platform", "staff"],
}


@cache
def keys() -> SimpleNamespace:
    """Return the keys: those that the provider publishes, and an attacker's."""
    return SimpleNamespace(
        rsa=RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"}),
        pinned=RSAKey.generate_key(2048, {"kid": "pinned", "use": "sig", "alg": "RS256"}),
        encryption=RSAKey.generate_key(2048, {"kid": "encryption", "use": "enc"}),
        signs_only=RSAKey.generate_key(2048, {"kid": "signs-only", "key_ops": ["sign"]}),
        ec=ECKey.generate_key("P-256", {"kid": "ec", "use": "sig"}),
        ec384=ECKey.generate_key("P-384", {"kid": "ec384", "use": "sig"}),
        shared_secret=OctKey.generate_key(256, {"kid": "shared-secret"}),
        stranger=RSAKey.generate_key(2048, {"kid": "rsa"}),
    )


@cache
def published():
    """Return the provider's key set, parsed as the bridge parses it."""
    ours = [key for name, key in vars(keys()).items() if name not in {"stranger", "shared_secret"}]
    members = [{**key.as_dict(private=False), **_parameters(key)} for key in ours]
    return parse_key_set(json.dumps({"keys": [*members, keys().shared_secret.as_dict(private=True)]}).encode())


@cache
def published_alone():
    """Return the key set of a provider with a single key."""
    return parse_key_set(json.dumps({"keys": [keys().rsa.as_dict(private=False)]}).encode())


def _parameters(key) -> dict[str, Any]:
    # What the provider says about its key; joserfc would not sign with one whose public half may not verify.
    return {"key_ops": ["sign"]} if key.kid == "signs-only" else {}


class Keys:
    """A key lookup without a network."""

    def __init__(self, key_set) -> None:
        self._key_set = key_set

    def find_key(self, kid):
        return self._key_set.find(kid)


def expected(*, nonce: str = NONCE, algorithms=None, alone=False, now=NOW, **settings: Any) -> ExpectedToken:
    """Return what the valid token answers to; ``alone``: the provider has one key; ``settings`` change its own."""
    provider = PROVIDER.model_copy(update=settings)
    return replace(
        ExpectedToken(
            provider,
            Keys(published_alone() if alone else published()),
            frozenset(provider.algorithms),
            nonce,
            now,
            code=CODE,
            access_token=ACCESS_TOKEN,
        ),
        **({} if algorithms is None else {"algorithms": frozenset(algorithms)}),
    )


def b64(raw: bytes) -> str:
    """Encode a part of a token."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def forge(
    claims: dict[str, Any] | None = None,
    header: dict[str, Any] | None = None,
    *,
    key: Any = None,
    algorithm: str = "RS256",
    raw_header: bytes | None = None,
    raw_payload: bytes | None = None,
    signature: bytes | None = None,
) -> str:
    """Return a signed token. ``algorithm`` is what really signs; ``header`` may say something else."""
    key = key or keys().rsa
    members = {"alg": algorithm, "kid": key.kid, "typ": "JWT", **(header or {})}
    first = raw_header if raw_header is not None else _json(members)
    second = raw_payload if raw_payload is not None else _json({**CLAIMS, **(claims or {})})
    signed = f"{b64(first)}.{b64(second)}"
    return f"{signed}.{b64(sign(signed.encode(), algorithm, key) if signature is None else signature)}"


def sign(data: bytes, algorithm: str, key: Any) -> bytes:
    """Sign as the algorithm says."""
    return JWSRegistry.algorithms[algorithm].sign(data, key)


def signature_of(token: str) -> bytes:
    """Return the signature in a token."""
    return base64.urlsafe_b64decode(token.rpartition(".")[2] + "==")


def left_half(text: str, hash_name: str = "sha256") -> str:
    """Return what ``at_hash`` and ``c_hash`` are made of."""
    digest = hashlib.new(hash_name, text.encode()).digest()
    return b64(digest[: len(digest) // 2])


def payload(**claims: Any) -> bytes:
    """Return the valid payload with these changes, as JSON text to be damaged further."""
    return _json({**CLAIMS, **claims})


def _json(members: dict[str, Any]) -> bytes:
    return json.dumps({name: value for name, value in members.items() if value is not ABSENT}).encode()
