"""Hostile tokens: not the ones that were issued with this access token and for this code (OIDC-12)."""

import hashlib

from bridge.attack.oidc.corpus import TokenCase, row
from bridge.attack.oidc.tokens import ACCESS_TOKEN, CODE, b64, forge, left_half
from bridge.errors import IdentityError, OIDCAccessTokenHash, OIDCCodeHash


def hash_rows(name: str, error: type[IdentityError], text: str) -> list[TokenCase]:
    """Return a row for each wrong value of a claim; the twin has the right digest."""
    right = left_half(text)
    values = {
        "of another": left_half(text + "2"),
        "of nothing": left_half(""),
        "empty": "",
        "null": None,
        "number": 0,
        "true": True,
        "array": [right],
        "object": {"sha256": right},
        "the value itself": text,
        "padded": right + "==",
        "with a newline": right + "\n",
        "one character": right[:1],
        "short": right[:-1],
        "in another case": right.swapcase(),
        "the whole digest": b64(hashlib.sha256(text.encode()).digest()),
        "of SHA-384": left_half(text, "sha384"),
        "of SHA-512": left_half(text, "sha512"),
    }
    return [
        row(
            "OIDC-12",
            f"{name} {label}",
            error,
            lambda value=value: forge({name: value}),
            lambda: forge({name: right}),
        )
        for label, value in values.items()
    ]


HASHES = [
    *hash_rows("at_hash", OIDCAccessTokenHash, ACCESS_TOKEN),
    *hash_rows("c_hash", OIDCCodeHash, CODE),
    row(
        "OIDC-12",
        "digests exchanged",
        OIDCAccessTokenHash,
        lambda: forge({"at_hash": left_half(CODE), "c_hash": left_half(ACCESS_TOKEN)}),
        lambda: forge({"at_hash": left_half(ACCESS_TOKEN), "c_hash": left_half(CODE)}),
    ),
]

TOKENS = [*HASHES]
