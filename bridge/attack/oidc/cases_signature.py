"""Hostile tokens: who signed, with what, and who says so (OIDC-01 to OIDC-03)."""

import base64
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import OctKey

from bridge.attack.oidc.corpus import header_rows, row
from bridge.attack.oidc.tokens import (
    ABSENT,
    CLIENT,
    CLIENT_SECRET,
    ISSUER,
    b64,
    find_foreign_algorithm,
    forge,
    keys,
    payload,
    sign,
    signature_of,
)
from bridge.errors import (
    OIDCAlgorithm,
    OIDCForm,
    OIDCHeader,
    OIDCKey,
    OIDCKeyId,
    OIDCSignature,
    OIDCSize,
)

# ── OIDC-01 Unsigned tokens ──────────────────────────────────────────────────────────────────────────────────────

UNSIGNED = [
    *[
        row(
            "OIDC-01",
            f"alg {label}, no signature",
            OIDCAlgorithm,
            lambda alg=alg: forge(header={"alg": alg}, signature=b""),
        )
        for label, alg in {"none": "none", "None": "None", "NONE": "NONE", "nOnE": "nOnE", "empty": ""}.items()
    ],
    *header_rows(
        "OIDC-01",
        OIDCAlgorithm,
        "alg",
        {
            "none with a signature": "none",
            "null": None,
            "missing": ABSENT,
            "in an array": ["RS256"],
            "an array that allows none": ["RS256", "none"],
            "an object": {"RS256": 1},
            "a number": 256,
            "true": True,
            "in lower case": "rs256",
            "with a blank": "RS256 ",
            "with a NUL": "RS256\x00",
            "RS1": "RS1",
            "EdDSA": "EdDSA",
        },
    ),
    row("OIDC-01", "signature empty", OIDCSignature, lambda: forge(signature=b"")),
    row("OIDC-01", "signature part missing", OIDCForm, lambda: forge().rpartition(".")[0]),
    row("OIDC-01", "signature cut short", OIDCSignature, lambda: forge(signature=signature_of(forge())[:-1])),
    row("OIDC-01", "signature of zeros", OIDCSignature, lambda: forge(signature=bytes(256))),
    row("OIDC-01", "nothing allowed is left", OIDCAlgorithm, forge, twin_settings={}, algorithms=()),
    row(
        "OIDC-01",
        "narrowed to another",
        OIDCAlgorithm,
        lambda: forge(algorithm="RS256"),
        twin_settings={},
        algorithms=("ES256",),
    ),
    row("OIDC-01", "not among the configured ones", OIDCAlgorithm, lambda: forge(algorithm=find_foreign_algorithm())),
]


# ── OIDC-02 Key and algorithm confusion ──────────────────────────────────────────────────────────────────────────


def _public_spellings() -> dict[str, Callable[[], bytes]]:
    """Every way in which somebody might have fed the public key to an HMAC."""

    def written(encoding: Encoding, form: PublicFormat) -> bytes:
        return bytes(keys().rsa.public_key.public_bytes(encoding, form))

    def jwk() -> dict[str, Any]:
        return dict(keys().rsa.as_dict(private=False))

    def required() -> dict[str, Any]:
        return {name: jwk()[name] for name in ("e", "kty", "n")}

    return {
        "PEM": lambda: written(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "PEM without last newline": lambda: written(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).rstrip(b"\n"),
        "PEM in CRLF": lambda: written(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).replace(b"\n", b"\r\n"),
        "PEM body alone": lambda: b"".join(written(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).splitlines()[1:-1]),
        "DER": lambda: written(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "PKCS1 PEM": lambda: written(Encoding.PEM, PublicFormat.PKCS1),
        "PKCS1 DER": lambda: written(Encoding.DER, PublicFormat.PKCS1),
        "OpenSSH": lambda: written(Encoding.OpenSSH, PublicFormat.OpenSSH),
        "certificate PEM": lambda: _certificate().public_bytes(Encoding.PEM),
        "certificate DER": lambda: _certificate().public_bytes(Encoding.DER),
        "modulus": lambda: keys().rsa.public_key.public_numbers().n.to_bytes(256),
        "modulus in base64url": lambda: bytes(jwk()["n"], "ascii"),
        "JWK": lambda: json.dumps(jwk()).encode(),
        "JWK of a thumbprint": lambda: json.dumps(required(), separators=(",", ":")).encode(),
        "thumbprint": lambda: keys().rsa.thumbprint().encode(),
        "kid": lambda: b"rsa",
        "client secret": CLIENT_SECRET.encode,
        "client id": CLIENT.encode,
        "published symmetric key": lambda: keys().shared_secret.raw_value,
        "empty string": lambda: b"",
    }


def _certificate() -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "idp.example")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(keys().rsa.public_key)
        .serial_number(1)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2027, 1, 1, tzinfo=UTC))
        .sign(keys().rsa.private_key, hashes.SHA256())
    )


def _hmac(secret: bytes, algorithm: str = "HS256", **header: Any) -> str:
    signed = f"{b64(json.dumps({'alg': algorithm, 'kid': 'rsa', 'typ': 'JWT', **header}).encode())}.{b64(payload())}"
    digest = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}[algorithm]
    return f"{signed}.{b64(hmac.digest(secret, signed.encode(), digest))}"


def _es256(*, signature: Callable[[bytes], bytes] | bytes | None = None) -> str:
    """Return a token signed with the P-256 key, its signature replaced or changed."""
    token = forge(key=keys().ec, algorithm="ES256")
    if signature is None:
        return token
    changed = signature(signature_of(token)) if callable(signature) else signature
    return f"{token.rpartition('.')[0]}.{b64(changed)}"


def _der(raw: bytes) -> bytes:
    return encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))


P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def _pair(r: int, s: int) -> bytes:
    return r.to_bytes(32) + s.to_bytes(32)


def _pss(salt_length: int) -> str:
    signed = forge(algorithm="PS256").rpartition(".")[0]
    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), salt_length)
    return f"{signed}.{b64(keys().rsa.private_key.sign(signed.encode(), scheme, hashes.SHA256()))}"


def _resigned(token: str, replaced: str) -> str:
    """Return ``replaced`` with the genuine signature of ``token``."""
    return f"{replaced.rpartition('.')[0]}.{token.rpartition('.')[2]}"


CONFUSED = [
    *[
        row("OIDC-02", f"HS256 with {label}", OIDCAlgorithm, lambda secret=secret: _hmac(secret()))
        for label, secret in _public_spellings().items()
    ],
    row("OIDC-02", "HS384", OIDCAlgorithm, lambda: _hmac(CLIENT_SECRET.encode(), "HS384")),
    row("OIDC-02", "HS512", OIDCAlgorithm, lambda: _hmac(CLIENT_SECRET.encode(), "HS512")),
    row(
        "OIDC-02",
        "HS256 under a symmetric key's kid",
        OIDCAlgorithm,
        lambda: _hmac(keys().shared_secret.raw_value, kid="shared-secret"),
    ),
    row(
        "OIDC-02",
        "HMAC called RS256 under a symmetric key's kid",
        OIDCKeyId,
        lambda: forge(header={"kid": "shared-secret"}, signature=b"x" * 32),
    ),
    row(
        "OIDC-02",
        "HMAC called RS256",
        OIDCSignature,
        lambda: forge(signature=sign(b"", "HS256", OctKey.import_key(b"x" * 32))),
    ),
    row(
        "OIDC-02",
        "ES256 token under an RSA kid",
        OIDCKey,
        lambda: forge(key=keys().ec, algorithm="ES256", header={"kid": "rsa"}),
        _es256,
    ),
    row("OIDC-02", "RS256 token under an EC kid", OIDCKey, lambda: forge(header={"kid": "ec"})),
    row(
        "OIDC-02",
        "ES256 under a P-384 kid",
        OIDCKey,
        lambda: forge(key=keys().ec, algorithm="ES256", header={"kid": "ec384"}),
        _es256,
    ),
    row("OIDC-02", "key for encryption", OIDCKey, lambda: forge(key=keys().encryption)),
    row("OIDC-02", "key that may not verify", OIDCKey, lambda: forge(key=keys().signs_only)),
    row(
        "OIDC-02",
        "PS256 with a key for RS256",
        OIDCKey,
        lambda: forge(header={"kid": "pinned"}, algorithm="PS256"),
        lambda: forge(key=keys().pinned),
    ),
    row("OIDC-02", "RS384 is not configured", OIDCAlgorithm, lambda: forge(algorithm="RS384")),
    row("OIDC-02", "ES384 is not configured", OIDCAlgorithm, lambda: forge(key=keys().ec384, algorithm="ES384")),
    row("OIDC-02", "PS256 called RS256", OIDCSignature, lambda: forge(header={"alg": "RS256"}, algorithm="PS256")),
    row(
        "OIDC-02",
        "RS256 called PS256",
        OIDCSignature,
        lambda: forge(header={"alg": "PS256"}, algorithm="RS256"),
    ),
    row("OIDC-02", "SHA-512 called RS256", OIDCSignature, lambda: forge(header={"alg": "RS256"}, algorithm="RS512")),
    row("OIDC-02", "PS256 without salt", OIDCSignature, lambda: _pss(0), lambda: _pss(32)),
    row("OIDC-02", "PS256 with longest salt", OIDCSignature, lambda: _pss(222), lambda: _pss(32)),
    row("OIDC-02", "psychic signature", OIDCSignature, lambda: _es256(signature=bytes(64)), _es256),
    row("OIDC-02", "r is zero", OIDCSignature, lambda: _es256(signature=_pair(0, 1)), _es256),
    row("OIDC-02", "s is zero", OIDCSignature, lambda: _es256(signature=_pair(1, 0)), _es256),
    row(
        "OIDC-02",
        "r and s are the order",
        OIDCSignature,
        lambda: _es256(signature=_pair(P256_ORDER, P256_ORDER)),
        _es256,
    ),
    row("OIDC-02", "r and s are all ones", OIDCSignature, lambda: _es256(signature=b"\xff" * 64), _es256),
    row("OIDC-02", "ECDSA in DER", OIDCSignature, lambda: _es256(signature=_der), _es256),
    row("OIDC-02", "ECDSA too short", OIDCSignature, lambda: _es256(signature=lambda raw: raw[:-1]), _es256),
    row("OIDC-02", "ECDSA too long", OIDCSignature, lambda: _es256(signature=lambda raw: raw + b"\0"), _es256),
    row("OIDC-02", "ECDSA halves padded", OIDCSignature, lambda: _es256(signature=lambda raw: b"\0" + raw), _es256),
    row(
        "OIDC-02",
        "ECDSA halves swapped",
        OIDCSignature,
        lambda: _es256(signature=lambda raw: raw[32:] + raw[:32]),
        _es256,
    ),
    row("OIDC-02", "another's key under the right kid", OIDCSignature, lambda: forge(key=keys().stranger)),
    row(
        "OIDC-02", "another key of the provider", OIDCSignature, lambda: forge(key=keys().pinned, header={"kid": "rsa"})
    ),
    row(
        "OIDC-02",
        "subject changed after signing",
        OIDCSignature,
        lambda: _resigned(forge(), forge({"sub": "eve"})),
    ),
    row(
        "OIDC-02",
        "header changed after signing",
        OIDCSignature,
        lambda: _resigned(forge(), forge(header={"typ": ABSENT})),
    ),
    row("OIDC-02", "signature and one byte more", OIDCSignature, lambda: forge() + "AA"),
    row(
        "OIDC-02",
        "signature after a zero",
        OIDCSignature,
        lambda: forge(signature=b"\0" + signature_of(forge())),
    ),
]


# ── OIDC-03 Keys named by the token ──────────────────────────────────────────────────────────────────────────────


def _stranger(**header: Any) -> str:
    return forge(key=keys().stranger, header=header)


NAMED_KEYS = [
    row(
        "OIDC-03",
        "attacker's jwk",
        OIDCHeader,
        lambda: _stranger(jwk=keys().stranger.as_dict(private=False), kid=ABSENT),
    ),
    row("OIDC-03", "provider's own jwk", OIDCHeader, lambda: forge(header={"jwk": keys().rsa.as_dict(private=False)})),
    row(
        "OIDC-03",
        "attacker's certificate",
        OIDCHeader,
        lambda: _stranger(x5c=[base64.b64encode(_certificate().public_bytes(Encoding.DER)).decode()]),
    ),
    *header_rows(
        "OIDC-03",
        OIDCHeader,
        "jku",
        {"of a stranger": "https://evil.example/jwks", "of the provider": f"{ISSUER}/jwks", "null": None},
    ),
    *header_rows("OIDC-03", OIDCHeader, "x5u", {"of a stranger": "https://evil.example/cert"}),
    *header_rows(
        "OIDC-03",
        OIDCKeyId,
        "kid",
        {
            "unknown": "other",
            "traversal": "../../../../dev/null",
            "SQL": "rsa' OR '1'='1",
            "URL": "https://evil.example/key",
            "command": "rsa|id",
            "array": ["rsa"],
            "object": {"kid": "rsa"},
            "number": 1,
            "true": True,
            "null": None,
            "empty": "",
            "in upper case": "RSA",
            "prefix": "rs",
            "with a blank": "rsa ",
            "with a NUL": "rsa\x00",
            "257 characters": "k" * 257,
            "missing beside several keys": ABSENT,
        },
    ),
    row("OIDC-03", "kid 10 kB", OIDCSize, lambda: forge(header={"kid": "k" * 10_000})),
    row(
        "OIDC-03",
        "kid missing, the only key did not sign",
        OIDCSignature,
        lambda: _stranger(kid=ABSENT),
        lambda: forge(header={"kid": ABSENT}),
        alone=True,
    ),
]

TOKENS = [*UNSIGNED, *CONFUSED, *NAMED_KEYS]
