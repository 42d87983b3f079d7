"""Hostile logout tokens (OIDC-15), each beside its honest twin: who may end whose session, and with what."""

import time
from dataclasses import replace
from datetime import timedelta

import pytest

from bridge.attack.oidc.cases_logout_token import LOGOUT_TOKENS, forge_logout
from bridge.attack.oidc.tokens import (
    ABSENT,
    CLIENT,
    ISSUER,
    NOW,
    PROVIDER,
    Keys,
    T,
    expected,
    forge,
    published,
)
from bridge.errors import (
    IdentityError,
    OIDCExpiry,
    OIDCIssuedAt,
    OIDCLogoutEvent,
    OIDCNonce,
    OIDCTyp,
)
from bridge.identity.oidc.id_token import verify_id_token
from bridge.identity.oidc.logout_token import EVENT, ExpectedLogoutToken, verify_logout_token


def expect(*, now=NOW, **settings):
    provider = PROVIDER.model_copy(update=settings)
    return ExpectedLogoutToken(provider, Keys(published()), frozenset(provider.algorithms), now)


@pytest.mark.parametrize("case", LOGOUT_TOKENS, ids=str)
def test_a_hostile_logout_token_is_refused_and_its_twin_is_not(case):
    assert verify_logout_token(forge_logout(), expect()).subject == "ada"
    token = case.token()
    started = time.thread_time()
    with pytest.raises(IdentityError) as refused:
        verify_logout_token(token, expect())
    assert time.thread_time() - started < 1
    assert type(refused.value) is case.error, refused.value.detail
    assert len(refused.value.detail) < 200


ACCEPTED = {
    "as oidc-provider sends it": ({}, {}, {}),
    "as LemonLDAP::NG sends it": ({"exp": ABSENT}, {"typ": "JWT"}, {"logout_token_typ_jwt": True}),
    "logout+jwt in spite of the setting": ({}, {}, {"logout_token_typ_jwt": True}),
    "a session alone": ({"sub": ABSENT}, {}, {}),
    "a person alone": ({"sid": ABSENT}, {}, {}),
    "audiences": ({"aud": [CLIENT, "another"]}, {}, {}),
    "an event beside ours": ({"events": {EVENT: {}, "https://schemas.example/other": {}}}, {}, {}),
    "something in the event": ({"events": {EVENT: {"reason": "idle"}}}, {}, {}),
    "two minutes old, by a clock that is a minute behind": ({"iat": T - 180, "exp": ABSENT}, {}, {}),
    "a clock that is a minute ahead": ({"iat": T + 60}, {}, {}),
    "a fraction of a second": ({"iat": T - 0.5}, {}, {}),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_an_honest_logout_token_is_accepted(name):
    claims, header, settings = ACCEPTED[name]
    over = verify_logout_token(forge_logout(claims, header), expect(**settings))
    named = {"sub": "ada", "sid": "session/1+", **{key: claims[key] for key in claims.keys() & {"sub", "sid"}}}
    assert over.issuer == ISSUER
    assert over.subject == (None if named["sub"] is ABSENT else named["sub"])
    assert over.session_indexes == (() if named["sid"] is ABSENT else (named["sid"],))
    assert over.message_id == "logout-1"


@pytest.mark.parametrize(
    ("claims", "seconds"), [({"exp": ABSENT}, 180), ({"exp": T + 30}, 90), ({"exp": T + 999}, 180)]
)
def test_it_is_remembered_for_as_long_as_it_would_be_accepted(claims, seconds):
    token = forge_logout(claims)
    over = verify_logout_token(token, expect())
    assert over.accept_until == NOW + timedelta(seconds=seconds)
    late = expect(now=over.accept_until + timedelta(seconds=1))
    with pytest.raises((OIDCIssuedAt, OIDCExpiry)):
        verify_logout_token(token, late)
    assert verify_logout_token(token, replace(late, now=over.accept_until - timedelta(seconds=1))) == over


def test_t_oidc_15_no_logout_token_signs_anybody_in():
    with pytest.raises(OIDCTyp):
        verify_id_token(forge_logout(), expected())
    with pytest.raises(OIDCNonce):
        verify_id_token(forge_logout(header={"typ": "JWT"}), expected())
    assert verify_id_token(forge(), expected()).subject == "ada"


def test_an_id_token_is_refused_where_jwt_is_allowed():
    with pytest.raises(OIDCLogoutEvent):
        verify_logout_token(forge(), expect(logout_token_typ_jwt=True))
