"""Hostile logout tokens (OIDC-15), each beside its honest twin: who may end whose session, and with what."""

import hashlib
import hmac
import time
from dataclasses import replace
from datetime import timedelta

import pytest

from bridge.attack.oidc.tokens import (
    ABSENT,
    CLIENT,
    CLIENT_SECRET,
    ISSUER,
    NONCE,
    NOW,
    PROVIDER,
    Keys,
    T,
    expected,
    forge,
    keys,
    published,
)
from bridge.errors import (
    OIDCJSON,
    IdentityError,
    OIDCAlgorithm,
    OIDCAudience,
    OIDCClaim,
    OIDCExpiry,
    OIDCForm,
    OIDCHeader,
    OIDCIssuedAt,
    OIDCIssuer,
    OIDCKey,
    OIDCKeyId,
    OIDCLogoutEvent,
    OIDCLogoutId,
    OIDCLogoutNonce,
    OIDCLogoutTarget,
    OIDCNonce,
    OIDCNotBefore,
    OIDCSignature,
    OIDCSize,
    OIDCSubject,
    OIDCTyp,
)
from bridge.identity.oidc.id_token import verify_id_token
from bridge.identity.oidc.logout_token import EVENT, ExpectedLogoutToken, verify_logout_token

ONLY_IN_ID_TOKENS = dict.fromkeys(("nonce", "auth_time", "acr", "amr", "email", "groups"), ABSENT)
HONEST = {**ONLY_IN_ID_TOKENS, "iat": T, "exp": T + 120, "jti": "logout-1", "events": {EVENT: {}}}


def forge_logout(claims=None, header=None, **options):
    """Return a logout token; like ``forge``, which makes ID tokens."""
    return forge({**HONEST, **(claims or {})}, {"typ": "logout+jwt", **(header or {})}, **options)


def expect(*, now=NOW, **settings):
    provider = PROVIDER.model_copy(update=settings)
    return ExpectedLogoutToken(provider, Keys(published()), frozenset(provider.algorithms), now)


def raw(text):
    return lambda: forge_logout(raw_payload=text.encode())


def with_claim(name, value):
    return lambda: forge_logout({name: value})


def with_header(name, value):
    return lambda: forge_logout(header={name: value})


PAYLOAD = f'{{"iss":"{ISSUER}","aud":"{CLIENT}","iat":{T},"jti":"x","sid":"s","events":{{"{EVENT}":{{}}}}%s}}'

HOSTILE = {
    # Who signed (BackChannelLogout{AlgNone,WrongAlg} of the OpenID conformance suite)
    "alg none": (OIDCAlgorithm, lambda: forge_logout(header={"alg": "none"}, signature=b"")),
    "alg None": (OIDCAlgorithm, lambda: forge_logout(header={"alg": "None"}, signature=b"")),
    "alg missing": (OIDCAlgorithm, with_header("alg", ABSENT)),
    "alg HS256, keyed with the client secret": (
        OIDCAlgorithm,
        lambda: forge_logout(header={"alg": "HS256"}, signature=_hmac(CLIENT_SECRET)),
    ),
    "alg that the provider may not use": (OIDCAlgorithm, lambda: forge_logout(algorithm="RS512")),
    "signature empty": (OIDCSignature, lambda: forge_logout(signature=b"")),
    "signature by a stranger under the provider's kid": (
        OIDCSignature,
        lambda: forge_logout(key=keys().stranger),
    ),
    "signature of another token": (
        OIDCSignature,
        lambda: f"{forge_logout({'sub': 'eve'}).rpartition('.')[0]}.{forge_logout().rpartition('.')[2]}",
    ),
    "kid unknown": (OIDCKeyId, with_header("kid", "another")),
    "kid missing beside several keys": (OIDCKeyId, with_header("kid", ABSENT)),
    "key for encryption": (OIDCKey, lambda: forge_logout(key=keys().encryption)),
    "key in the token": (OIDCHeader, with_header("jwk", {"kty": "RSA"})),
    "address of a key": (OIDCHeader, with_header("jku", "https://evil.example/keys")),
    "crit": (OIDCHeader, with_header("crit", ["exp"])),
    # What it is
    "typ JWT without the setting": (OIDCTyp, with_header("typ", "JWT")),
    "typ missing": (OIDCTyp, with_header("typ", ABSENT)),
    "typ at+jwt": (OIDCTyp, with_header("typ", "at+jwt")),
    "typ secevent+jwt": (OIDCTyp, with_header("typ", "secevent+jwt")),
    "typ in capitals": (OIDCTyp, with_header("typ", "LOGOUT+JWT")),
    "typ in an array": (OIDCTyp, with_header("typ", ["logout+jwt"])),
    "typ null": (OIDCTyp, with_header("typ", None)),
    "an ID token": (OIDCTyp, forge),
    "an ID token with our typ": (OIDCLogoutEvent, lambda: forge(header={"typ": "logout+jwt"})),
    "an ID token with our typ and event": (
        OIDCLogoutNonce,
        lambda: forge({"events": {EVENT: {}}}, {"typ": "logout+jwt"}),
    ),
    "events missing": (OIDCLogoutEvent, with_claim("events", ABSENT)),
    "events null": (OIDCLogoutEvent, with_claim("events", None)),
    "events empty": (OIDCLogoutEvent, with_claim("events", {})),
    "events a string": (OIDCLogoutEvent, with_claim("events", EVENT)),
    "events an array": (OIDCLogoutEvent, with_claim("events", [EVENT])),
    "another event": (OIDCLogoutEvent, with_claim("events", {"https://schemas.example/account-disabled": {}})),
    "the event with a slash at its end": (OIDCLogoutEvent, with_claim("events", {f"{EVENT}/": {}})),
    "the event over https": (OIDCLogoutEvent, with_claim("events", {EVENT.replace("http:", "https:"): {}})),
    "the event null": (OIDCLogoutEvent, with_claim("events", {EVENT: None})),
    "the event true": (OIDCLogoutEvent, with_claim("events", {EVENT: True})),
    "the event an array": (OIDCLogoutEvent, with_claim("events", {EVENT: []})),
    "the event a string": (OIDCLogoutEvent, with_claim("events", {EVENT: "{}"})),
    "nonce": (OIDCLogoutNonce, with_claim("nonce", NONCE)),
    "nonce empty": (OIDCLogoutNonce, with_claim("nonce", "")),
    "nonce null": (OIDCLogoutNonce, with_claim("nonce", None)),
    # Whose it is, and for whom
    "iss another": (OIDCIssuer, with_claim("iss", "https://evil.example")),
    "iss with a slash": (OIDCIssuer, with_claim("iss", f"{ISSUER}/")),
    "iss missing": (OIDCIssuer, with_claim("iss", ABSENT)),
    "iss in an array": (OIDCIssuer, with_claim("iss", [ISSUER])),
    "aud another": (OIDCAudience, with_claim("aud", "another")),
    "aud another, in an array": (OIDCAudience, with_claim("aud", ["another"])),
    "aud missing": (OIDCAudience, with_claim("aud", ABSENT)),
    "aud not made of strings": (OIDCAudience, with_claim("aud", [CLIENT, 1])),
    # When
    "iat missing": (OIDCIssuedAt, with_claim("iat", ABSENT)),
    "iat a string": (OIDCIssuedAt, with_claim("iat", str(T))),
    "iat true": (OIDCIssuedAt, with_claim("iat", bool(T))),
    "iat of two minutes and the skew and a second ago": (OIDCIssuedAt, with_claim("iat", T - 181)),
    "iat in the future": (OIDCIssuedAt, with_claim("iat", T + 61)),
    "iat old, exp far away": (OIDCIssuedAt, lambda: forge_logout({"iat": T - 600, "exp": T + 3600})),
    "exp past": (OIDCExpiry, lambda: forge_logout({"iat": T - 100, "exp": T - 60})),
    "exp null": (OIDCExpiry, with_claim("exp", None)),
    "exp a string": (OIDCExpiry, with_claim("exp", str(T + 60))),
    "nbf in the future": (OIDCNotBefore, with_claim("nbf", T + 61)),
    # What it ends, and that it does so once
    "jti missing": (OIDCLogoutId, with_claim("jti", ABSENT)),
    "jti empty": (OIDCLogoutId, with_claim("jti", "")),
    "jti null": (OIDCLogoutId, with_claim("jti", None)),
    "jti a number": (OIDCLogoutId, with_claim("jti", 1)),
    "jti too long": (OIDCLogoutId, with_claim("jti", "x" * 256)),
    "neither sub nor sid": (OIDCLogoutTarget, lambda: forge_logout({"sub": ABSENT, "sid": ABSENT})),
    "sub null": (OIDCSubject, with_claim("sub", None)),
    "sub empty": (OIDCSubject, with_claim("sub", "")),
    "sub an array of people": (OIDCSubject, with_claim("sub", ["ada", "eve"])),
    "sub with a blank": (OIDCSubject, with_claim("sub", "ada ")),
    "sid null beside a sub": (OIDCClaim, with_claim("sid", None)),
    "sid empty": (OIDCClaim, with_claim("sid", "")),
    "sid an array": (OIDCClaim, with_claim("sid", ["session/1+"])),
    "sid too long": (OIDCClaim, with_claim("sid", "x" * 256)),
    # How it is written
    "no token": (OIDCForm, lambda: ""),
    "two parts": (OIDCForm, lambda: forge_logout().rpartition(".")[0]),
    "five parts": (OIDCForm, lambda: f"{forge_logout()}.a.b"),
    "padding": (OIDCForm, lambda: f"{forge_logout()}=="),
    "a blank in front": (OIDCForm, lambda: f" {forge_logout()}"),
    "too long": (OIDCSize, lambda: forge_logout({"padding": "x" * 20_000})),
    "payload no object": (OIDCJSON, raw("[]")),
    "sid twice": (OIDCJSON, raw(PAYLOAD % ',"sid":"t"')),
    "events twice": (OIDCJSON, raw(PAYLOAD % ',"events":{}')),
    "NaN": (OIDCJSON, raw(PAYLOAD % ',"x":NaN')),
    "header no JSON": (OIDCJSON, lambda: forge_logout(raw_header=b"{")),
}


def _hmac(secret):
    unsigned = forge_logout(header={"alg": "HS256"}, signature=b"").rpartition(".")[0]
    return hmac.digest(secret.encode(), unsigned.encode(), hashlib.sha256)


@pytest.mark.parametrize("name", HOSTILE, ids=[f"T-OIDC-15[{name}]" for name in HOSTILE])
def test_a_hostile_logout_token_is_refused_and_its_twin_is_not(name):
    error, make = HOSTILE[name]
    assert verify_logout_token(forge_logout(), expect()).subject == "ada"
    token = make()
    started = time.thread_time()
    with pytest.raises(IdentityError) as refused:
        verify_logout_token(token, expect())
    assert time.thread_time() - started < 1
    assert type(refused.value) is error, refused.value.detail
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
