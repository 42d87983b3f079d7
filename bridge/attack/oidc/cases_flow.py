"""Hostile flows: a browser that comes back strangely, a provider that answers strangely (OIDC-17 to 19, OIDC-21).

Each changes one thing in a flow that works.
"""

import gzip
import json
from collections.abc import Callable
from typing import Any

from joserfc.jwk import ECKey

from bridge.attack.oidc.corpus import AnswerCase, CallbackCase, MemberCase, Query
from bridge.attack.oidc.openid_provider import DISCOVERY, make_key
from bridge.attack.scripted_server import Reply
from bridge.errors import (
    BridgeError,
    OIDCCallback,
    OIDCCode,
    OIDCKeyLeaked,
    OIDCKeySet,
    OIDCMetadata,
    OIDCMixUp,
    OIDCProviderError,
    OIDCSize,
    OIDCState,
    OIDCTokenResponse,
)

# ── OIDC-17, OIDC-18 The callback ────────────────────────────────────────────────────────────────────────────────────


def changed(**values: str | None) -> Callable[[Query], Query]:
    """Change, add or (None) remove parameters of the callback."""

    def change(query: Query) -> Query:
        kept = [(name, value) for name, value in query if name not in values]
        return kept + [(name, value) for name, value in values.items() if value is not None]

    return change


_CALLBACKS: tuple[tuple[str, str, type[BridgeError], Callable[[Query], Query]], ...] = (
    ("OIDC-17", "no code", OIDCCallback, changed(code=None)),
    ("OIDC-17", "empty code", OIDCCallback, changed(code="")),
    ("OIDC-17", "code with a blank", OIDCCallback, changed(code="a b")),
    ("OIDC-17", "code with a newline", OIDCCallback, changed(code="abc\n")),
    ("OIDC-17", "code of 5 kB", OIDCCallback, changed(code="c" * 5_000)),
    ("OIDC-17", "code not ASCII", OIDCCallback, changed(code="\u0441ode")),
    ("OIDC-17", "code and error", OIDCCallback, changed(error="access_denied")),
    ("OIDC-17", "ID token beside the code", OIDCCallback, changed(id_token="a.b.c")),
    ("OIDC-17", "ID token instead of a code", OIDCCallback, changed(code=None, id_token="a.b.c")),
    ("OIDC-17", "access token beside the code", OIDCCallback, changed(access_token="x")),
    ("OIDC-17", "code twice", OIDCCallback, lambda query: [*query, ("code", "other")]),
    ("OIDC-17", "code twice, equal", OIDCCallback, lambda query: [*query, query[0]]),
    ("OIDC-17", "state twice", OIDCCallback, lambda query: [*query, ("state", "other")]),
    ("OIDC-17", "iss twice", OIDCCallback, lambda query: [("iss", "https://evil.example"), *query]),
    ("OIDC-17", "unknown parameter twice", OIDCCallback, lambda query: [*query, ("x", "1"), ("x", "2")]),
    ("OIDC-17", "state missing", OIDCState, changed(state=None)),
    ("OIDC-17", "state empty", OIDCState, changed(state="")),
    ("OIDC-17", "state of another", OIDCState, changed(state="state-of-another")),
    ("OIDC-17", "error", OIDCProviderError, changed(code=None, error="access_denied")),
    ("OIDC-17", "error with markup", OIDCProviderError, changed(code=None, error="<script>alert(1)</script>")),
    ("OIDC-17", "empty error", OIDCProviderError, changed(code=None, error="")),
    ("OIDC-17", "nothing", OIDCMixUp, lambda _: []),
    ("OIDC-18", "iss of another", OIDCMixUp, changed(iss="https://evil.example")),
    ("OIDC-18", "iss missing though promised", OIDCMixUp, changed(iss=None)),
    ("OIDC-18", "iss empty", OIDCMixUp, changed(iss="")),
    ("OIDC-18", "iss with a slash", OIDCMixUp, lambda query: changed(iss=dict(query)["iss"] + "/")(query)),
    (
        "OIDC-18",
        "iss of another beside an error",
        OIDCMixUp,
        changed(code=None, error="access_denied", iss="https://evil.example"),
    ),
)
CALLBACKS = [CallbackCase(*case) for case in _CALLBACKS]


# ── OIDC-19 Token response ───────────────────────────────────────────────────────────────────────────────────────────


def answer(body: object, status: int = 200, kind: str = "application/json") -> Reply:
    return Reply(status, body if isinstance(body, bytes) else json.dumps(body).encode(), {"Content-Type": kind})


_TOKEN_RESPONSES: dict[str, tuple[type[BridgeError], Any]] = {
    "error in a 200": (OIDCTokenResponse, {"error": "server_error"}),
    "error beside tokens": (OIDCTokenResponse, {"error": "invalid_request", "access_token": "a", "id_token": "a.b.c"}),
    "error null": (
        OIDCTokenResponse,
        {"error": None, "access_token": "a", "id_token": "a.b.c", "token_type": "Bearer"},
    ),
    "invalid_grant": (OIDCCode, {"error": "invalid_grant"}),
    "array": (OIDCTokenResponse, []),
    "string": (OIDCTokenResponse, "a.b.c"),
    "empty": (OIDCTokenResponse, b""),
    "HTML": (OIDCTokenResponse, b"<html>sign in</html>"),
    "form-encoded": (OIDCTokenResponse, b"access_token=a&id_token=a.b.c&token_type=Bearer"),
    "UTF-16": (OIDCTokenResponse, '{"access_token":"a"}'.encode("utf-16")),
    "id_token twice": (
        OIDCTokenResponse,
        b'{"access_token":"a","token_type":"Bearer","id_token":"a.b.c","id_token":"d.e.f"}',
    ),
    "larger than 100 kB": (OIDCSize, {"access_token": "a" * 100_000}),
}

TOKEN_RESPONSES = [
    AnswerCase("OIDC-19", f"{name}, status {status}", error, "/token", answer(body, status))
    for status in (200, 400)
    for name, (error, body) in _TOKEN_RESPONSES.items()
]

_TOKEN_MEMBERS: dict[str, dict[str, Any]] = {
    "id_token missing": {"id_token": None},
    "id_token empty": {"id_token": ""},
    "id_token a number": {"id_token": 1},
    "id_token in an array": {"id_token": ["a.b.c"]},
    "id_token an object": {"id_token": {"raw": "a.b.c"}},
    "access_token missing": {"access_token": None},
    "access_token empty": {"access_token": ""},
    "access_token a number": {"access_token": 1},
    "access_token in an array": {"access_token": ["a"]},
    "access_token of two words": {"access_token": "two words"},
    "access_token with a line break": {"access_token": "a\r\nX-Injected: b"},
    "access_token not ASCII": {"access_token": "\u0430"},
    "access_token of 20 kB": {"access_token": "a" * 20_001},
    "token_type missing": {"token_type": None},
    "token_type mac": {"token_type": "mac"},
    "token_type DPoP": {"token_type": "DPoP"},
    "token_type N_A": {"token_type": "N_A"},
    "token_type in an array": {"token_type": ["Bearer"]},
}
TOKEN_MEMBERS = [
    MemberCase("OIDC-19", name, OIDCTokenResponse, "token_response", changes)
    for name, changes in _TOKEN_MEMBERS.items()
]

# ── OIDC-21 Discovery and keys ───────────────────────────────────────────────────────────────────────────────────────

_METADATA: dict[str, dict[str, Any]] = {
    "issuer of another": {"issuer": "https://evil.example"},
    "issuer missing": {"issuer": None},
    "issuer in an array": {"issuer": ["https://evil.example"]},
    "token endpoint missing": {"token_endpoint": None},
    "token endpoint no string": {"token_endpoint": {"url": "https://idp.example"}},
    "token endpoint a file": {"token_endpoint": "file:///etc/passwd"},
    "token endpoint with a user": {"token_endpoint": "https://user@idp.example/"},
    "authorization endpoint missing": {"authorization_endpoint": None},
    "authorization endpoint a script": {"authorization_endpoint": "javascript:alert(1)"},
    "authorization endpoint relative": {"authorization_endpoint": "/authorize"},
    "authorization endpoint splits headers": {"authorization_endpoint": "https://idp.example/\r\nSet-Cookie: a=b"},
    "authorization endpoint with a fragment": {"authorization_endpoint": "https://idp.example/#"},
    "keys missing": {"jwks_uri": None},
    "keys in the document's own scheme": {"jwks_uri": "data:application/json,{}"},
    "userinfo endpoint a file": {"userinfo_endpoint": "file:///etc/passwd"},
    "userinfo endpoint no string": {"userinfo_endpoint": ["https://idp.example"]},
    "algorithms no list": {"id_token_signing_alg_values_supported": "RS256"},
    "algorithms no names": {"id_token_signing_alg_values_supported": [1]},
}

METADATA = [MemberCase("OIDC-21", name, OIDCMetadata, "metadata", changes) for name, changes in _METADATA.items()]

_NO_OBJECTS = {
    "HTML": b"<html>",
    "an array": b"[]",
    "null": b"null",
    "issuer twice": b'{"issuer":"a","issuer":"b"}',
    "not UTF-8": b"\xff",
    "nested deep": b"[" * 100_000,
}
_MEGABYTES = {
    "large": Reply(body=b" " * 2_000_000),
    "a bomb": Reply(body=gzip.compress(b" " * 50_000_000), headers={"Content-Encoding": "gzip"}),
}
_DOCUMENTS: dict[str, tuple[str, type[BridgeError]]] = {
    "discovery document": (DISCOVERY, OIDCMetadata),
    "key set": ("/jwks", OIDCKeySet),
}
DOCUMENTS = [
    *(
        AnswerCase("OIDC-21", f"{document} {name}", error, path, Reply(body=body))
        for document, (path, error) in _DOCUMENTS.items()
        for name, body in _NO_OBJECTS.items()
    ),
    *(
        AnswerCase("OIDC-16", f"{document} {name}", OIDCSize, path, reply)
        for document, (path, _) in _DOCUMENTS.items()
        for name, reply in _MEGABYTES.items()
    ),
]

RSA = {"kty": "RSA", "kid": "x", "n": "AQAB", "e": "AQAB"}

KEY_SETS = [
    AnswerCase("OIDC-21", f"key set: {name}", error, "/jwks", answer(document))
    for name, document, error in (
        ("no keys member", {}, OIDCKeySet),
        ("null", {"keys": None}, OIDCKeySet),
        ("object", {"keys": {}}, OIDCKeySet),
        ("empty", {"keys": []}, OIDCKeySet),
        ("a string", {"keys": ["key"]}, OIDCKeySet),
        ("none usable", {"keys": [RSA]}, OIDCKeySet),
        ("only for encryption", {"keys": [{**make_key("e").as_dict(private=False), "use": "enc"}]}, OIDCKeySet),
        ("51 keys", {"keys": [make_key("a").as_dict(private=False), *[RSA] * 50]}, OIDCKeySet),
        ("private RSA key", {"keys": [make_key("a").as_dict(private=True)]}, OIDCKeyLeaked),
        ("private EC key", {"keys": [ECKey.generate_key("P-256", {"kid": "a"}).as_dict(private=True)]}, OIDCKeyLeaked),
        (
            "private part of an unknown kind",
            {"keys": [make_key("a").as_dict(private=False), {"kty": "XYZ", "d": "AQ"}]},
            OIDCKeyLeaked,
        ),
    )
]
