"""What a verified token becomes. What is refused is in tests/attacks/oidc."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.attack.oidc.tokens import ABSENT, ACCESS_TOKEN, CODE, ISSUER, NOW, T, expected, forge, left_half
from bridge.errors import IdentityError
from bridge.identity.oidc.id_token import verify_id_token
from bridge.identity.verified import VerifiedIdentity


def test_the_identity_says_who_how_and_when():
    identity = verify_id_token(forge(), expected())
    assert identity.provider == "corp"
    assert identity.protocol == "oidc"
    assert (identity.issuer, identity.subject) == (ISSUER, "ada")
    assert identity.authenticated_at == NOW - timedelta(seconds=30)
    assert identity.message_id == "token-1"
    assert identity.accept_until == NOW + timedelta(seconds=360)
    assert identity.valid_until is None
    assert (identity.acr, identity.amr) == ("urn:mfa", ("pwd", "otp"))
    assert identity.session_index == "session/1+"


def test_what_the_provider_leaves_out_is_none():
    token = forge(dict.fromkeys(("jti", "sid", "acr", "amr", "auth_time"), ABSENT))
    identity = verify_id_token(token, expected())
    assert identity.authenticated_at == NOW
    assert identity.message_id == hashlib.sha256(token.rpartition(".")[0].encode()).hexdigest()
    assert (identity.acr, identity.amr, identity.session_index) == (None, (), None)


def test_a_fraction_of_a_second_is_kept():
    identity = verify_id_token(forge({"auth_time": T - 1.5}), expected())
    assert identity.authenticated_at == datetime.fromtimestamp(T - 1.5, UTC)


@pytest.mark.parametrize(
    ("claims", "provider", "seconds"),
    [
        ({"exp": T + 100}, {}, 160),
        ({"exp": T + 3_600}, {}, 660),
        ({"exp": T + 3_600, "iat": T - 300}, {}, 360),
        ({"auth_time": T - 250}, {"max_age_seconds": 300}, 110),
        ({"exp": T + 100}, {"clock_skew_seconds": 0}, 100),
    ],
)
def test_accept_until_is_the_first_of_all_ends(claims, provider, seconds):
    identity = verify_id_token(forge(claims), expected(**provider))
    assert identity.accept_until == NOW + timedelta(seconds=seconds)


def test_claims_get_our_names():
    claims = {"email": "self-service@evil.example", "mail": "ada@corp.example", "roles": ["a"], "groups": ["b"]}
    identity = verify_id_token(forge(claims), expected(claims={"email": "mail", "groups": "roles"}))
    assert identity.claims["email"] == "ada@corp.example"
    assert identity.claims["groups"] == ["a"]
    assert "mail" not in identity.claims
    assert "roles" not in identity.claims


def test_a_claim_under_our_name_does_not_stand_in_for_the_one_that_is_configured():
    identity = verify_id_token(forge({"email": "self-service@evil.example"}), expected(claims={"email": "mail"}))
    assert "email" not in identity.claims


def test_two_claims_can_change_places():
    identity = verify_id_token(forge({"a": 1, "b": 2}), expected(claims={"a": "b", "b": "a"}))
    assert (identity.claims["a"], identity.claims["b"]) == (2, 1)


def test_the_nonce_and_digests_are_not_claims_about_the_person():
    identity = verify_id_token(forge({"at_hash": left_half(ACCESS_TOKEN), "c_hash": left_half(CODE)}), expected())
    assert not {"nonce", "at_hash", "c_hash"} & identity.claims.keys()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**40), 10**40) | st.floats() | st.text(max_size=20),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=6,
)
QUICKLY = settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
NAMES = ["iss", "sub", "aud", "azp", "exp", "iat", "nbf", "auth_time", "nonce", "jti", "sid", "acr", "amr", "groups"]


def _verified_or_refused(token):
    try:
        outcome = verify_id_token(token, expected())
    except IdentityError as error:
        outcome = error
    assert isinstance(outcome, VerifiedIdentity) or "code" in vars(type(outcome))


@QUICKLY
@given(st.dictionaries(st.sampled_from([*NAMES, "_claim_names", "hasgroups"]), JSON, max_size=4))
def test_whatever_the_provider_signs_is_accepted_or_refused_with_a_leaf(claims):
    _verified_or_refused(forge(claims))


@QUICKLY
@given(st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "jwk", "x5t", "cty"]), JSON, max_size=3))
def test_whatever_stands_in_the_header_is_accepted_or_refused_with_a_leaf(header):
    _verified_or_refused(forge(header=header))


@QUICKLY
@given(st.text(max_size=100) | st.binary(max_size=100).map(lambda raw: raw.decode("latin-1")))
def test_whatever_is_sent_is_refused_with_a_leaf(token):
    with pytest.raises(IdentityError) as refused:
        verify_id_token(token, expected())
    assert "code" in vars(type(refused.value))


@QUICKLY
@given(st.data())
def test_a_token_with_any_character_changed_is_refused(data):
    token = forge()
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(max_codepoint=0x7E).filter(lambda character: character != token[place]))
    with pytest.raises(IdentityError):
        verify_id_token(token[:place] + other + token[place + 1 :], expected())


@pytest.mark.parametrize("stated", [True, False])
def test_whether_the_time_of_the_authentication_is_stated_is_remembered(stated):
    token = forge() if stated else forge({"auth_time": ABSENT})
    assert verify_id_token(token, expected()).authentication_time_stated is stated
