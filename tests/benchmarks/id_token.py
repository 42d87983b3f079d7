"""How much our checks cost: ID-token verification against splitting, one signature check and JSON, in the same run.

    python -m tests.benchmarks.id_token

The goal for RS256 is a ratio of at most 1.5. The two take turns, CPU time counts, and the median of many short rounds
is compared, so that a busy machine disturbs both alike.
"""

import base64
import json
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from bridge.identity.oidc.id_token import ExpectedToken, verify_id_token
from bridge.identity.oidc.key_set import KeySet, ProviderKey, parse_key_set
from bridge.identity.providers import OIDCProvider

ROUNDS = 200
CALLS_PER_ROUND = 50
GOAL = {"RS256": 1.5}
PROVIDER = OIDCProvider(
    name="corp",
    title="Corp",
    protocol="oidc",
    issuer="https://idp.example/realms/corp",
    client_id="rambridge",
    client_secret="not used",
)
NONCE = "n" * 43
NOW = datetime.now(UTC)


class Keys:
    """A key lookup without a network."""

    def __init__(self, key_set: KeySet) -> None:
        self._key_set = key_set

    def find_key(self, kid: str | None) -> ProviderKey | None:
        return self._key_set.find(kid)


def make_claims() -> dict[str, object]:
    """Return the claims of a usual token: about 1.5 kB signed, with ten groups."""
    now = int(NOW.timestamp())
    return {
        "iss": PROVIDER.issuer,
        "sub": "f3a1c9d2-6c1e-4f7c-9a55-0d1f2b3c4d5e",
        "aud": PROVIDER.client_id,
        "azp": PROVIDER.client_id,
        "exp": now + 300,
        "iat": now,
        "nbf": now,
        "auth_time": now - 20,
        "nonce": NONCE,
        "jti": "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",
        "sid": "9c8b7a6f-5e4d-3c2b-1a09-f8e7d6c5b4a3",
        "acr": "urn:example:mfa",
        "amr": ["pwd", "otp"],
        "name": "Ada Lovelace",
        "preferred_username": "ada.lovelace",
        "email": "ada.lovelace@corp.example",
        "email_verified": True,
        "department": "Analytical Engines",
        "groups": [f"cloud-production-team-{number}" for number in range(10)],
    }


def split_check_and_load(token: str, check: Callable[[bytes, bytes], None]) -> object:
    """Do the least that tells a genuine token from a forged one."""
    header, payload, signature = token.split(".")
    check(base64.urlsafe_b64decode(signature + "=="), f"{header}.{payload}".encode())
    json.loads(base64.urlsafe_b64decode(header + "=="))
    return json.loads(base64.urlsafe_b64decode(payload + "=="))


def rsa_check(key: RSAKey) -> Callable[[bytes, bytes], None]:
    """Return the signature check of RS256, its objects made once."""
    public, scheme = key.public_key, padding.PKCS1v15()
    return lambda signature, signed: public.verify(signature, signed, scheme, hashes.SHA256())


def ec_check(key: ECKey) -> Callable[[bytes, bytes], None]:
    """Return the signature check of ES256."""
    public = key.public_key

    def check(signature: bytes, signed: bytes) -> None:
        der = encode_dss_signature(int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
        public.verify(der, signed, ec.ECDSA(hashes.SHA256()))

    return check


def compare(baseline: Callable[[], object], ours: Callable[[], object]) -> tuple[float, float, float]:
    """Return the medians of both in microseconds, and the median of the ratios of neighbouring rounds."""
    pairs = [(_microseconds(baseline), _microseconds(ours)) for _ in range(ROUNDS)]
    ratios = [after / before for before, after in pairs]
    return (*(statistics.median(column) for column in zip(*pairs, strict=True)), statistics.median(ratios))


def _microseconds(call: Callable[[], object]) -> float:
    started = time.thread_time()
    for _ in range(CALLS_PER_ROUND):
        call()
    return (time.thread_time() - started) / CALLS_PER_ROUND * 1e6


def main() -> None:
    """Print one line for each algorithm."""
    others = [RSAKey.generate_key(2048, {"kid": f"other-{number}", "use": "sig"}) for number in range(4)]
    rsa = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig", "alg": "RS256"})
    curve = ECKey.generate_key("P-256", {"kid": "ec", "use": "sig", "alg": "ES256"})
    published = [key.as_dict(private=False) for key in (*others, rsa, curve)]
    keys = Keys(parse_key_set(json.dumps({"keys": published}).encode()))
    expected = ExpectedToken(PROVIDER, keys, frozenset(PROVIDER.algorithms), NONCE, NOW, code="c", access_token="a")
    for algorithm, key, check in (("RS256", rsa, rsa_check(rsa)), ("ES256", curve, ec_check(curve))):
        header = {"alg": algorithm, "kid": key.kid, "typ": "JWT"}
        token = jws.serialize_compact(header, json.dumps(make_claims()), key, [algorithm])
        floor, ours, ratio = compare(
            lambda token=token, check=check: split_check_and_load(token, check),
            lambda token=token: verify_id_token(token, expected),
        )
        goal = f"  goal {GOAL[algorithm]}" if algorithm in GOAL else ""
        print(
            f"{algorithm}  {len(token)} characters  split, signature, JSON {floor:6.1f} µs  "
            f"verify_id_token {ours:6.1f} µs  ratio {ratio:.2f}{goal}"
        )


if __name__ == "__main__":
    main()
