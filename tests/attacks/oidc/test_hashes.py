"""Hostile tokens: not the ones that were issued with this access token and for this code (OIDC-12)."""

import pytest

from bridge.attack.oidc.cases_hashes import TOKENS
from bridge.attack.oidc.tokens import ACCESS_TOKEN, CODE, expected, forge, keys, left_half
from bridge.errors import OIDCAccessTokenHash, OIDCCodeHash
from bridge.identity.oidc.id_token import verify_id_token
from tests.attacks.oidc.refusal import assert_refused_unlike_its_twin, corpus


@corpus(TOKENS)
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
