"""Whatever is changed in what an OpenID provider sends: it is refused with a leaf, or it is what it claims to be.

``RAMBRIDGE_TEST_EXAMPLES=20000`` tries more, and different ones each time.
"""

import json
import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.attack.oidc.cases_logout_token import HONEST, forge_logout
from bridge.attack.oidc.tokens import CLAIMS, ISSUER, expected, forge, keys, payload
from bridge.errors import IdentityError
from bridge.identity.ended import EndedAtProvider
from bridge.identity.oidc.discovery import parse_metadata
from bridge.identity.oidc.id_token import verify_id_token
from bridge.identity.oidc.key_set import RSA_BITS, parse_key_set
from bridge.identity.oidc.logout_token import verify_logout_token
from bridge.identity.oidc.userinfo import merge_claims, parse_userinfo
from bridge.identity.verified import VerifiedIdentity
from bridge.outbound import Answer, Outbound
from tests.attacks.oidc.test_logout_token import expect
from tests.fuzz.json_changes import spoil

EXAMPLES = int(os.environ.get("RAMBRIDGE_TEST_EXAMPLES", "0"))
BRIEFLY = settings(
    deadline=None,
    max_examples=EXAMPLES or 100,
    derandomize=not EXAMPLES,
    database=None,
    suppress_health_check=list(HealthCheck),
)
chance = st.randoms(use_true_random=False)

KEY_SET = json.dumps({"keys": [key.as_dict(private=False) for key in (keys().rsa, keys().ec, keys().ec384)]}).encode()
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint", "end_session_endpoint")
METADATA = {"issuer": ISSUER, **{name: f"https://idp.example/{name}" for name in ENDPOINTS}}
OUTBOUND = Outbound(development=False)


def signed(**changes):
    return {"key": keys().ec, "algorithm": "ES256", **changes}


def outcome(verify, *arguments):
    """Return what was accepted, or None; every refusal is a leaf."""
    try:
        return verify(*arguments)
    except IdentityError as error:
        refusal = error
    assert "code" in vars(type(refusal))
    return None


@BRIEFLY
@given(chance)
def test_whatever_claims_the_provider_signs_are_accepted_or_refused_with_a_leaf(source):
    token = forge(**signed(raw_payload=spoil(payload(nbf=CLAIMS["iat"], azp=CLAIMS["aud"]), source)))
    assert isinstance(outcome(verify_id_token, token, expected()), VerifiedIdentity | None)


@BRIEFLY
@given(chance)
def test_whatever_logout_token_the_provider_signs_is_accepted_or_refused_with_a_leaf(source):
    token = forge_logout(**signed(raw_payload=spoil(payload(**HONEST), source)))
    assert isinstance(outcome(verify_logout_token, token, expect()), EndedAtProvider | None)


@BRIEFLY
@given(chance)
def test_whatever_a_key_set_says_each_key_that_is_used_is_a_strong_one(source):
    found = outcome(parse_key_set, spoil(KEY_SET, source))
    for key in found.by_id.values() if found else ():
        assert key.key.key_type == "EC" or key.key.public_key.key_size in RSA_BITS


@BRIEFLY
@given(chance)
def test_whatever_a_discovery_document_says_we_go_only_where_we_may(source):
    found = outcome(parse_metadata, spoil(json.dumps(METADATA).encode(), source), ISSUER, OUTBOUND)
    if found:
        assert found.issuer == ISSUER
        assert found.token_endpoint.lower().startswith("https://")
        assert found.jwks_uri.lower().startswith("https://")


@BRIEFLY
@given(chance)
def test_whatever_userinfo_says_it_is_about_the_person_and_corrects_nothing(source):
    body = spoil(b'{"sub":"ada","email":"a@b.example","groups":["root"],"iss":"x","locale":"de"}', source)
    found = outcome(parse_userinfo, Answer(200, {"Content-Type": "application/json"}, body), "ada")
    if found:
        merged = merge_claims(CLAIMS, found, "email_verified")
        assert {name: merged[name] for name in CLAIMS} == CLAIMS
