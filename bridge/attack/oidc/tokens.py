"""Makes ID tokens, honest and hostile, from one valid token and real throw-away keys.

:func:`forge` without arguments is the valid token; each argument changes one thing. Header, payload and signature can
also be given as bytes, because many faults are ones that no JSON or JOSE library would write.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from types import SimpleNamespace
from typing import Any

from joserfc.jwk import ECKey, OctKey, RSAKey
from joserfc.jws import JWSRegistry

from bridge.identity.oidc.id_token import ExpectedToken
from bridge.identity.oidc.key_set import KeySet, ProviderKey, parse_key_set
from bridge.identity.providers import TENANT, OIDCProvider

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


_KEY_NAMES = {"ES256": "ec", "ES384": "ec384"}
"""The key for an algorithm, where it is not the RSA key."""


@dataclass(frozen=True)
class Honest:
    """What a provider's settings make of the valid token."""

    claims: Mapping[str, Any] = field(default_factory=dict)
    algorithms: tuple[str, ...] = PROVIDER.algorithms

    @property
    def algorithm(self) -> str:
        """What signs where a case does not say."""
        return "RS256" if "RS256" in self.algorithms else self.algorithms[0]


_USUAL = Honest()
_HONEST: ContextVar[Honest] = ContextVar("honest", default=_USUAL)


def find_foreign_algorithm() -> str:
    """Return an algorithm that the settings do not name. Raises StopIteration if they name every one."""
    known = ("RS384", "RS512", "PS384", "PS512", "ES384", "PS256", "RS256", "ES256")
    return next(name for name in known if name not in _HONEST.get().algorithms)


def key_for(algorithm: str) -> Any:
    """Return a published key that signs with this algorithm, and says so."""
    return _pin(algorithm)


@cache
def _pin(algorithm: str) -> Any:
    key = getattr(keys(), _KEY_NAMES.get(algorithm, "rsa"))
    return type(key).import_key({**key.as_dict(private=True), "alg": algorithm, "kid": "first"})


@contextmanager
def honest_for(provider: OIDCProvider) -> Iterator[None]:
    """Let the valid token, while the block runs, be one that a provider with these settings would send."""
    claims: dict[str, Any] = {}
    if provider.required_acr and CLAIMS["acr"] not in provider.required_acr:
        claims["acr"] = provider.required_acr[0]
    if provider.tenants:
        claims |= {"iss": provider.issuer.replace(TENANT, provider.tenants[0]), "tid": provider.tenants[0]}
    token = _HONEST.set(Honest(claims, provider.algorithms))
    try:
        yield
    finally:
        _HONEST.reset(token)


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
def published() -> KeySet:
    """Return the provider's key set, parsed as the bridge parses it."""
    ours = [key for name, key in vars(keys()).items() if name not in {"stranger", "shared_secret"}]
    members = [{**key.as_dict(private=False), **parameters_of(key)} for key in ours]
    return parse_key_set(json.dumps({"keys": [*members, keys().shared_secret.as_dict(private=True)]}).encode())


@cache
def published_alone() -> KeySet:
    """Return the key set of a provider with a single key."""
    return parse_key_set(json.dumps({"keys": [keys().rsa.as_dict(private=False)]}).encode())


def parameters_of(key: Any) -> dict[str, Any]:
    """Return what the provider says about its key, beside the key itself."""
    # joserfc would not sign with one whose public half may not verify.
    return {"key_ops": ["sign"]} if key.kid == "signs-only" else {}


class Keys:
    """A key lookup without a network."""

    def __init__(self, key_set: KeySet) -> None:
        self._key_set = key_set

    def find_key(self, kid: str | None) -> ProviderKey | None:
        """Return the key with this ID, or the only one for None."""
        return self._key_set.find(kid)


def expected(
    *,
    nonce: str = NONCE,
    algorithms: Iterable[str] | None = None,
    alone: bool = False,
    now: datetime = NOW,
    **settings: Any,
) -> ExpectedToken:
    """Return what the valid token answers to; ``alone``: the provider has one key; ``settings`` change its own."""
    provider = PROVIDER.model_copy(update=settings)
    return ExpectedToken(
        provider,
        Keys(published_alone() if alone else published()),
        frozenset(provider.algorithms if algorithms is None else algorithms),
        nonce,
        now,
        code=CODE,
        access_token=ACCESS_TOKEN,
    )


def b64(raw: bytes) -> str:
    """Encode a part of a token."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def forge(
    claims: dict[str, Any] | None = None,
    header: dict[str, Any] | None = None,
    *,
    key: Any = None,
    algorithm: str | None = None,
    raw_header: bytes | None = None,
    raw_payload: bytes | None = None,
    signature: bytes | None = None,
) -> str:
    """Return a signed token. ``algorithm`` is what really signs; ``header`` may say something else."""
    honest = _HONEST.get()
    algorithm = algorithm or ("RS256" if key else honest.algorithm)
    key = key or getattr(keys(), _KEY_NAMES.get(algorithm, "rsa"))
    members = {"alg": algorithm, "kid": key.kid, "typ": "JWT", **(header or {})}
    first = raw_header if raw_header is not None else _json(members)
    second = raw_payload if raw_payload is not None else _json({**CLAIMS, **honest.claims, **(claims or {})})
    signed = f"{b64(first)}.{b64(second)}"
    return f"{signed}.{b64(sign(signed.encode(), algorithm, key) if signature is None else signature)}"


def sign(data: bytes, algorithm: str, key: Any) -> bytes:
    """Sign as the algorithm says."""
    return bytes(JWSRegistry.algorithms[algorithm].sign(data, key))


def signature_of(token: str) -> bytes:
    """Return the signature in a token."""
    return base64.urlsafe_b64decode(token.rpartition(".")[2] + "==")


def left_half(text: str, hash_name: str = "sha256") -> str:
    """Return what ``at_hash`` and ``c_hash`` are made of."""
    digest = hashlib.new(hash_name, text.encode()).digest()
    return b64(digest[: len(digest) // 2])


def payload(**claims: Any) -> bytes:
    """Return the valid payload with these changes, as JSON text to be damaged further."""
    return _json({**CLAIMS, **_HONEST.get().claims, **claims})


def _json(members: dict[str, Any]) -> bytes:
    return json.dumps({name: value for name, value in members.items() if value is not ABSENT}).encode()
