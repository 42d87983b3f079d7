"""Fuzzes what an OpenID provider, or whoever pretends to be one, sends: tokens, keys, and what it says about itself.

The first byte of an input says what the rest is:

- 0: an ID token, as it came
- 1: a logout token, as it came
- 2: the claims of an ID token that the provider signs
- 3: the claims of a logout token that the provider signs
- 4: the header of an ID token that the provider signs
- 5: a key set
- 6: a discovery document
- 7: an answer from the userinfo endpoint

Nobody but the provider says who somebody is: what is accepted from 0 and 1 must be what the honest token says.
"""

import atheris

with atheris.instrument_imports(include=["bridge.identity"]):
    from bridge.identity.oidc.discovery import parse_metadata
    from bridge.identity.oidc.id_token import ExpectedToken, verify_id_token
    from bridge.identity.oidc.key_set import parse_key_set
    from bridge.identity.oidc.logout_token import ExpectedLogoutToken, verify_logout_token
    from bridge.identity.oidc.userinfo import merge_claims, parse_userinfo

import json
import random
from typing import Any

from bridge.attack.oidc.cases_logout_token import HONEST as HONEST_LOGOUT
from bridge.attack.oidc.cases_logout_token import forge_logout
from bridge.attack.oidc.tokens import (
    ABSENT,
    ACCESS_TOKEN,
    CLAIMS,
    CODE,
    ISSUER,
    NONCE,
    NOW,
    PROVIDER,
    Keys,
    forge,
    keys,
    left_half,
    published,
)
from bridge.outbound import Answer, Outbound
from tests.fuzz.harness import Judge, fuzz
from tests.fuzz.json_changes import spoil

KEYS = Keys(published())
LOGOUT_CLAIMS = {name: value for name, value in {**CLAIMS, **HONEST_LOGOUT}.items() if value is not ABSENT}
EXPECTED = ExpectedToken(
    PROVIDER, KEYS, frozenset(PROVIDER.algorithms), NONCE, NOW, code=CODE, access_token=ACCESS_TOKEN
)
EXPECTED_LOGOUT = ExpectedLogoutToken(PROVIDER, KEYS, frozenset(PROVIDER.algorithms), NOW)
OUTBOUND = Outbound(development=False)
ID_TOKEN, LOGOUT_TOKEN = forge(), forge_logout()
IDENTITY, ENDED = verify_id_token(ID_TOKEN, EXPECTED), verify_logout_token(LOGOUT_TOKEN, EXPECTED_LOGOUT)
_judge = Judge()


def test_one(content: bytes) -> None:
    """Judge one input."""
    if not content:
        return
    kind, rest = content[0] % 8, content[1:]
    accepted = _judge.judge(lambda: _verify(kind, rest))
    if accepted is not None and kind in {0, 1}:
        assert accepted == (IDENTITY, ENDED)[kind], "somebody else than the provider was believed"


def _verify(kind: int, rest: bytes) -> object:  # noqa: PLR0911  one for each kind
    match kind:
        case 0:
            return verify_id_token(rest.decode("latin-1"), EXPECTED)
        case 1:
            return verify_logout_token(rest.decode("latin-1"), EXPECTED_LOGOUT)
        case 2:
            return verify_id_token(_sign(raw_payload=rest), EXPECTED)
        case 3:
            return verify_logout_token(_sign({"typ": "logout+jwt"}, raw_payload=rest), EXPECTED_LOGOUT)
        case 4:
            return verify_id_token(_sign(raw_header=rest), EXPECTED)
        case 5:
            return parse_key_set(rest)
        case 6:
            return parse_metadata(rest, ISSUER, OUTBOUND)
        case _:
            answer = Answer(200, {"Content-Type": "application/json"}, rest)
            return merge_claims(CLAIMS, parse_userinfo(answer, "ada"), "email_verified")


def _sign(header: dict[str, Any] | None = None, **options: bytes) -> str:
    return forge(header=header, key=keys().ec, algorithm="ES256", **options)


def seeds() -> list[bytes]:
    """Return the honest message of each kind."""
    claims = {
        **CLAIMS,
        "nbf": CLAIMS["iat"],
        "at_hash": left_half(ACCESS_TOKEN),
        "azp": CLAIMS["aud"],
        "_claim_names": {},
    }
    key_set = {"keys": [key.as_dict(private=False) for key in (keys().rsa, keys().ec, keys().ec384)]}
    endpoints = ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint", "end_session_endpoint")
    metadata = {"issuer": ISSUER, **{name: f"https://idp.example/{name}" for name in endpoints}}
    metadata["id_token_signing_alg_values_supported"] = ["RS256", "ES256"]
    header = {"alg": "ES256", "kid": "ec", "typ": "JWT"}
    documents = (
        claims,
        LOGOUT_CLAIMS,
        header,
        key_set,
        metadata,
        {"sub": "ada", "groups": ["a"], "email": "a@b.example"},
    )
    found = [json.dumps(document).encode() for document in documents]
    return [b"\0" + ID_TOKEN.encode(), b"\1" + LOGOUT_TOKEN.encode()] + [
        bytes([kind]) + document for kind, document in enumerate(found, 2)
    ]


def change(content: bytes, source: random.Random) -> bytes:
    """Change the JSON in an input."""
    changed = spoil(content[1:], source) if content[:1] and content[0] % 8 > 1 else None
    return atheris.Mutate(content, len(content) + 64) if changed is None else content[:1] + changed


if __name__ == "__main__":
    words = {
        *CLAIMS,
        *LOGOUT_CLAIMS,
        "kty",
        "crv",
        "use",
        "key_ops",
        "alg",
        "kid",
        "typ",
        "crit",
        "NaN",
        "1e400",
        "\\ud800",
        '{"',
        '":',
    }
    fuzz(test_one, seeds(), [word.encode() for word in sorted(words)], change)
