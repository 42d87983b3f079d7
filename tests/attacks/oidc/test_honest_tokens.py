"""Honest tokens that look odd are accepted: what we refuse is no more than what is wrong."""

import pytest

from bridge.attack.oidc.tokens import ABSENT, CLIENT, ISSUER, T, expected, forge, keys, payload
from bridge.identity.oidc.id_token import verify_id_token

HONEST = {
    "as it is": (forge, {}),
    "RS256 with a pinned key": (lambda: forge(key=keys().pinned), {}),
    "PS256": (lambda: forge(algorithm="PS256"), {}),
    "ES256": (lambda: forge(key=keys().ec, algorithm="ES256"), {}),
    "ES384 where configured": (lambda: forge(key=keys().ec384, algorithm="ES384"), {"algorithms": ("ES384",)}),
    "RS512 where configured": (lambda: forge(algorithm="RS512"), {"algorithms": ("RS512",)}),
    "no typ": (lambda: forge(header={"typ": ABSENT}), {}),
    "no kid, one key": (lambda: forge(header={"kid": ABSENT}), {"alone": True}),
    "certificate digest in the header": (lambda: forge(header={"x5t": "abc", "x5t#S256": "abc"}), {}),
    "audience in an array": (lambda: forge({"aud": [CLIENT]}), {}),
    "two audiences, azp ours": (lambda: forge({"aud": ["other", CLIENT], "azp": CLIENT}), {}),
    "one audience, azp ours": (lambda: forge({"azp": CLIENT}), {}),
    "auth_time a fraction": (lambda: forge({"auth_time": T - 30.25}), {}),
    "times as floats": (lambda: forge({"iat": float(T), "exp": T + 300.5, "nbf": T - 0.5}), {}),
    "no auth_time": (lambda: forge({"auth_time": ABSENT}), {}),
    "auth_time within what was asked": (lambda: forge({"auth_time": T - 359}), {"max_age_seconds": 300}),
    "auth_time a month ago, not asked": (lambda: forge({"auth_time": T - 2_592_000}), {}),
    "expired within the leeway": (lambda: forge({"iat": T - 300, "exp": T - 59}), {}),
    "issued ahead within the leeway": (lambda: forge({"iat": T + 60}), {}),
    "issued 11 minutes ago": (lambda: forge({"iat": T - 660}), {}),
    "nbf ahead within the leeway": (lambda: forge({"nbf": T + 60}), {}),
    "valid for a day": (lambda: forge({"exp": T + 86_400}), {}),
    "subject of 255 characters": (lambda: forge({"sub": "ada" + "~" * 252}), {}),
    "subject a URL": (lambda: forge({"sub": "ada|https://x/?a=b#c"}), {}),
    "no optional claims": (lambda: forge(dict.fromkeys(("jti", "sid", "acr", "amr", "groups"), ABSENT)), {}),
    "emoji by a surrogate pair": (lambda: forge(raw_payload=payload(x="\U0001f600")), {}),
    "hasgroups false": (lambda: forge({"hasgroups": False}), {}),
    "claim names of another claim": (lambda: forge({"_claim_names": {"photo": "src1"}}), {}),
    "19 kB": (lambda: forge({"groups": ["g" * 90] * 130}), {}),
    "many groups": (lambda: forge({"groups": [f"g{n}" for n in range(1_000)]}), {}),
    "brackets in a string": (lambda: forge({"x": "[" * 50 + "{" * 50}), {}),
}


@pytest.mark.parametrize(("token", "settings"), HONEST.values(), ids=HONEST)
def test_honest_token_is_accepted(token, settings):
    identity = verify_id_token(token(), expected(**settings))
    assert identity.subject.startswith("ada")
    assert identity.issuer == ISSUER
