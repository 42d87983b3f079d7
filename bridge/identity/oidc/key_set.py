"""The keys of one provider: parsed once per fetch, then looked up by ``kid``.

A key set is the provider's to change, so one key that we cannot use must not stop the others: it is skipped. A set
that shows a private key is refused whole, for anybody could have signed. RFC 7517; threats OIDC-02, OIDC-03, OIDC-21.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from bridge.errors import OIDCKeyLeaked, OIDCKeySet
from bridge.identity.oidc.strict_json import parse_object

MAX_KEYS = 50
MAX_KID_CHARACTERS = 256
RSA_BITS = range(2_048, 8_193)
"""Below, a key can be broken; above, one verification costs more than a sign-in is worth."""

_RSA_ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_CURVE_ALGORITHMS = {"P-256": frozenset({"ES256"}), "P-384": frozenset({"ES384"})}
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth"})


@dataclass(frozen=True)
class ProviderKey:
    """A public key and what it may be used for."""

    key: RSAKey | ECKey
    algorithms: frozenset[str]
    """The signature algorithms that kind, curve, ``alg``, ``use`` and ``key_ops`` leave; empty: it verifies nothing."""
    issuer: str | None = None
    """Entra ID: the only issuer that the key signs for, perhaps with a place for the tenant. None: it does not say."""


@dataclass(frozen=True)
class KeySet:
    """The keys of one fetch."""

    by_id: Mapping[str, ProviderKey]
    only: ProviderKey | None
    """The one key that can verify signatures, where there is just one: what a token without ``kid`` may mean."""

    def find(self, kid: str | None) -> ProviderKey | None:
        """Return the key with exactly this ``kid``; without one, the only key, or None where there are several."""
        return self.only if kid is None else self.by_id.get(kid)


def parse_key_set(document: bytes) -> KeySet:
    """Return the usable keys of a JWK set.

    Skipped are unknown kinds and curves, symmetric keys (an ``oct`` key in a public set is a key that everybody
    has), RSA keys under 2048 bits, keys that do not parse, and different keys under one ``kid``.

    Raises:
        OIDCKeyLeaked: a key shows its private part.
        OIDCKeySet: not a JWK set, more than 50 keys, or none that can be used.
    """
    try:
        entries = parse_object(document).get("keys")
    except ValueError as error:
        raise OIDCKeySet(f"the key set is {error}") from error
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise OIDCKeySet("the key set has no list of keys")
    if len(entries) > MAX_KEYS:
        raise OIDCKeySet(f"the key set has {len(entries)} keys")
    if any(_PRIVATE_MEMBERS & entry.keys() for entry in entries):
        raise OIDCKeyLeaked("the key set shows a private key")

    usable = [(entry.get("kid"), key) for entry in entries if (key := _parse_key(entry)) is not None]
    verifying = [key for _, key in usable if key.algorithms]
    if not verifying:
        raise OIDCKeySet("the key set has no key that we can use")
    return KeySet(_index(usable), verifying[0] if len(verifying) == 1 else None)


def _index(usable: list[tuple[Any, ProviderKey]]) -> dict[str, ProviderKey]:
    by_id: dict[str, ProviderKey] = {}
    ambiguous = set()
    for kid, key in usable:
        if not isinstance(kid, str) or not 0 < len(kid) <= MAX_KID_CHARACTERS:
            continue
        other = by_id.get(kid)
        if other and other.algorithms and key.algorithms and not _is_same(other, key):
            ambiguous.add(kid)
        if other is None or key.algorithms:
            by_id[kid] = key
    return {kid: key for kid, key in by_id.items() if kid not in ambiguous}


def _is_same(one: ProviderKey, other: ProviderKey) -> bool:
    return one.issuer == other.issuer and one.key.thumbprint() == other.key.thumbprint()


def _parse_key(entry: dict[str, Any]) -> ProviderKey | None:
    try:
        if entry.get("kty") == "RSA" and _bits(entry["n"]) in RSA_BITS:
            key: RSAKey | ECKey = RSAKey.import_key({"kty": "RSA", "n": entry["n"], "e": entry["e"]})
            algorithms = _RSA_ALGORITHMS
        elif entry.get("kty") == "EC" and entry.get("crv") in _CURVE_ALGORITHMS:
            key = ECKey.import_key({"kty": "EC", "crv": entry["crv"], "x": entry["x"], "y": entry["y"]})
            algorithms = _CURVE_ALGORITHMS[entry["crv"]]
        else:
            return None
    except (KeyError, TypeError, ValueError, JoseError):
        return None
    if "alg" in entry:
        algorithms = frozenset(name for name in algorithms if name == entry["alg"])
    issuer = entry.get("issuer")
    if issuer is not None and not isinstance(issuer, str):
        return None
    return ProviderKey(key, algorithms if _may_verify(entry) else frozenset(), issuer)


def _may_verify(entry: dict[str, Any]) -> bool:
    operations = entry.get("key_ops", ["verify"])
    return entry.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations


def _bits(modulus: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(modulus + "==")).bit_length()
