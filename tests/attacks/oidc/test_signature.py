"""Hostile tokens: who signed, with what, and who says so (OIDC-01 to OIDC-03)."""

import pytest

from bridge.attack.oidc.cases_signature import P256_ORDER, TOKENS
from bridge.attack.oidc.tokens import (
    ABSENT,
    b64,
    expected,
    forge,
    keys,
    signature_of,
)
from bridge.attack.scripted_server import ScriptedServer
from bridge.errors import (
    IdentityError,
)
from bridge.identity.oidc.id_token import verify_id_token
from tests.attacks.oidc.refusal import assert_refused_unlike_its_twin, corpus


@corpus(TOKENS)
def test_hostile_token_is_refused_with_its_own_error(case):
    assert_refused_unlike_its_twin(case)


# ── Nothing that a token says is fetched ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["jku", "x5u", "kid", "iss", "x5t", "jwk", "x5c", "typ", "alg", "crit"])
def test_no_address_in_a_token_is_fetched(name):
    with ScriptedServer() as canary:
        for value in (f"{canary.url}/{name}", [f"{canary.url}/{name}"], {"url": f"{canary.url}/{name}"}):
            for token in (forge(header={name: value}), forge({name: value})):
                try:
                    verify_id_token(token, expected())
                except IdentityError:
                    continue
        assert canary.requests == []


def test_a_malleable_signature_does_not_make_another_message():
    def negated(raw):
        return raw[:32] + (P256_ORDER - int.from_bytes(raw[32:])).to_bytes(32)

    first = forge({"jti": ABSENT}, key=keys().ec, algorithm="ES256")
    second = f"{first.rpartition('.')[0]}.{b64(negated(signature_of(first)))}"
    assert first != second
    assert verify_id_token(first, expected()).message_id == verify_id_token(second, expected()).message_id
