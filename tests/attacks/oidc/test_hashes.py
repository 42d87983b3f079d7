"""Hostile tokens: not the ones that were issued with this access token and for this code (OIDC-12)."""

import hashlib

import pytest

from bridge.attack.oidc.corpus import row
from bridge.attack.oidc.tokens import ACCESS_TOKEN, CODE, b64, expected, forge, keys, left_half
from bridge.errors import OIDCAccessTokenHash, OIDCCodeHash
from bridge.identity.oidc.id_token import verify_id_token
from tests.attacks.oidc.refusal import assert_refused_unlike_its_twin, corpus


def hash_rows(name, error, text):
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


@corpus(HASHES)
def test_hostile_token_is_refused(case):
    assert_refused_unlike_its_twin(case)


@pytest.mark.parametrize(
    ("algorithm", "key", "right", "wrong"),
    [
        ("RS512", "rsa", "sha512", "sha256"),
        ("ES384", "ec384", "sha384", "sha512"),
        ("PS256", "rsa", "sha256", "sha512"),
    ],
)
def test_t_oidc_12_the_hash_function_is_that_of_the_algorithm(algorithm, key, right, wrong):
    question = expected(algorithms=(algorithm,))
    options = {"key": getattr(keys(), key), "algorithm": algorithm}
    honest = {"at_hash": left_half(ACCESS_TOKEN, right), "c_hash": left_half(CODE, right)}
    assert verify_id_token(forge(honest, **options), question).subject == "ada"
    with pytest.raises(OIDCAccessTokenHash):
        verify_id_token(forge(honest | {"at_hash": left_half(ACCESS_TOKEN, wrong)}, **options), question)
    with pytest.raises(OIDCCodeHash):
        verify_id_token(forge(honest | {"c_hash": left_half(CODE, wrong)}, **options), question)
