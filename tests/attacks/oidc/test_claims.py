"""Hostile tokens: signed by the provider, but not for us, not now, or not clear (OIDC-06 to OIDC-10, MAP-06)."""

from datetime import timedelta

import pytest

from bridge.attack.oidc.cases_claims import TOKENS
from bridge.attack.oidc.tokens import CLAIMS, expected, forge
from bridge.errors import (
    IdentityError,
)
from bridge.identity.oidc.id_token import verify_id_token
from tests.attacks.oidc.refusal import assert_refused_unlike_its_twin, corpus


@corpus(TOKENS)
def test_hostile_token_is_refused_with_its_own_error(case):
    assert_refused_unlike_its_twin(case)


def test_a_token_is_never_accepted_after_accept_until():
    token = forge()
    accept_until = verify_id_token(token, expected()).accept_until
    assert accept_until == expected().now + timedelta(seconds=300 + 60)
    verify_id_token(token, expected(now=accept_until - timedelta(milliseconds=1)))
    for later in (timedelta(), timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)):
        with pytest.raises(IdentityError):
            verify_id_token(token, expected(now=accept_until + later))


def test_the_claims_of_the_valid_token_are_what_was_signed():
    claims = verify_id_token(forge(), expected()).claims
    assert claims == {name: value for name, value in CLAIMS.items() if name != "nonce"}
