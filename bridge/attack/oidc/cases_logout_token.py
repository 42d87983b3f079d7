"""Hostile logout tokens (OIDC-15), each beside its honest twin: who may end whose session, and with what."""

import hashlib
import hmac
from collections.abc import Callable
from typing import Any

from bridge.attack.oidc.corpus import LogoutTokenCase
from bridge.attack.oidc.tokens import (
    ABSENT,
    CLIENT,
    CLIENT_SECRET,
    ISSUER,
    NONCE,
    PROVIDER,
    T,
    forge,
    keys,
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
    OIDCNotBefore,
    OIDCSignature,
    OIDCSize,
    OIDCSubject,
    OIDCTyp,
)
from bridge.identity.oidc.logout_token import EVENT

ONLY_IN_ID_TOKENS = dict.fromkeys(("nonce", "auth_time", "acr", "amr", "email", "groups"), ABSENT)
HONEST = {**ONLY_IN_ID_TOKENS, "iat": T, "exp": T + 120, "jti": "logout-1", "events": {EVENT: {}}}


def forge_logout(claims: dict[str, Any] | None = None, header: dict[str, Any] | None = None, **options: Any) -> str:
    """Return a logout token; like ``forge``, which makes ID tokens."""
    return forge({**HONEST, **(claims or {})}, {"typ": "logout+jwt", **(header or {})}, **options)


def raw(text: str) -> Callable[[], str]:
    return lambda: forge_logout(raw_payload=text.encode())


def with_claim(name: str, value: Any) -> Callable[[], str]:
    return lambda: forge_logout({name: value})


def with_header(name: str, value: Any) -> Callable[[], str]:
    return lambda: forge_logout(header={name: value})


PAYLOAD = f'{{"iss":"{ISSUER}","aud":"{CLIENT}","iat":{T},"jti":"x","sid":"s","events":{{"{EVENT}":{{}}}}%s}}'

_HOSTILE: dict[str, tuple[type[IdentityError], Callable[[], str]]] = {
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


def _hmac(secret: str) -> bytes:
    unsigned = forge_logout(header={"alg": "HS256"}, signature=b"").rpartition(".")[0]
    return hmac.digest(secret.encode(), unsigned.encode(), hashlib.sha256)


_NEEDS: dict[type[IdentityError], dict[str, Any]] = {
    OIDCAlgorithm: {"algorithms": PROVIDER.algorithms},
    OIDCTyp: {"logout_token_typ_jwt": False},
    OIDCIssuedAt: {"clock_skew_seconds": 60},
    OIDCExpiry: {"clock_skew_seconds": 60},
    OIDCNotBefore: {"clock_skew_seconds": 60},
}
"""The settings under which such a message is hostile."""

LOGOUT_TOKENS = [
    LogoutTokenCase("OIDC-15", name, error, make, _NEEDS.get(error, {})) for name, (error, make) in _HOSTILE.items()
]
