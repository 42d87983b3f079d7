"""Hostile tokens: what is a token, and what is its JSON (OIDC-04, OIDC-05, OIDC-16)."""

from bridge.attack.oidc.cases_form import TOKENS
from tests.attacks.oidc.refusal import assert_refused_unlike_its_twin, corpus


@corpus(TOKENS)
def test_hostile_token_is_refused_with_its_own_error(case):
    assert_refused_unlike_its_twin(case)
