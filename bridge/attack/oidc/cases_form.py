"""Hostile tokens: what is a token, and what is its JSON (OIDC-04, OIDC-05, OIDC-16)."""

import json
from collections.abc import Callable
from typing import Any

from bridge.attack.oidc.corpus import header_rows, raw_rows, row
from bridge.attack.oidc.tokens import T, b64, forge, payload
from bridge.errors import OIDCJSON, OIDCForm, OIDCHeader, OIDCSize, OIDCTyp

# ── OIDC-04 JOSE form and token type ─────────────────────────────────────────────────────────────────────────────


def _parts(**changed: Callable[[str], str]) -> str:
    """Return the valid token with the text of some parts changed, and not signed again."""
    names = ("header", "payload", "signature")
    return ".".join(changed.get(name, str)(part) for name, part in zip(names, forge().split("."), strict=True))


def _stray_bit(part: str) -> str:
    """Change the last character without changing the bytes that a forgiving decoder reads."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert len(part) % 4 in {2, 3}, "a part of whole groups has no stray bits"
    return part[:-1] + alphabet[alphabet.index(part[-1]) ^ 1]


def _flattened() -> str:
    header, body, signature = forge().split(".")
    return json.dumps({"protected": header, "payload": body, "signature": signature})


def _general() -> str:
    header, body, signature = forge().split(".")
    return json.dumps({"payload": body, "signatures": [{"protected": header, "signature": signature}]})


def _with_stray_bits(part: str) -> str:
    # The header is chosen so that its length leaves bits over; the payload's is padded by a claim.
    for filler in range(3):
        token = forge({"filler": "x" * filler}, header={"x5t": "y" * filler})
        pieces = dict(zip(("header", "payload", "signature"), token.split("."), strict=True))
        if len(pieces[part]) % 4 in {2, 3}:
            pieces[part] = _stray_bit(pieces[part])
            return ".".join(pieces.values())
    raise AssertionError("no filler leaves bits over")


FORM = [
    row("OIDC-04", "empty", OIDCForm, lambda: ""),
    row("OIDC-04", "one part", OIDCForm, lambda: forge().replace(".", "")),
    row("OIDC-04", "two parts", OIDCForm, lambda: forge().split(".", 1)[1]),
    row("OIDC-04", "four parts", OIDCForm, lambda: forge() + "."),
    row("OIDC-04", "four parts, first empty", OIDCForm, lambda: "." + forge()),
    row("OIDC-04", "five parts, an encrypted token", OIDCForm, lambda: "eyJhbGciOiJSU0EtT0FFUCJ9.AA.AA.AA.AA"),
    row("OIDC-04", "only dots", OIDCJSON, lambda: ".."),
    row("OIDC-04", "flattened JSON serialization", OIDCForm, _flattened),
    row("OIDC-04", "general JSON serialization", OIDCForm, _general),
    row("OIDC-04", "padded header", OIDCForm, lambda: _parts(header=lambda part: part + "=")),
    row("OIDC-04", "padded payload", OIDCForm, lambda: _parts(payload=lambda part: part + "==")),
    row("OIDC-04", "padded signature", OIDCForm, lambda: _parts(signature=lambda part: part + "==")),
    row("OIDC-04", "one stray character", OIDCForm, lambda: _parts(signature=lambda part: part + "AAA")),
    *[
        row("OIDC-04", f"stray bits in {part}", OIDCForm, lambda part=part: _with_stray_bits(part))
        for part in ("header", "payload", "signature")
    ],
    row("OIDC-04", "blank before", OIDCForm, lambda: " " + forge()),
    row("OIDC-04", "newline after", OIDCForm, lambda: forge() + "\n"),
    row("OIDC-04", "newline inside", OIDCForm, lambda: _parts(payload=lambda part: part[:8] + "\n" + part[8:])),
    row("OIDC-04", "NUL inside", OIDCForm, lambda: _parts(payload=lambda part: part[:8] + "\0" + part[8:])),
    row("OIDC-04", "Bearer before", OIDCForm, lambda: "Bearer " + forge()),
    row("OIDC-04", "full-width character", OIDCForm, lambda: forge() + "\uff21"),
    row("OIDC-04", "standard base64", OIDCForm, lambda: f"{forge().rpartition('.')[0]}.+/+/"),
    *header_rows("OIDC-04", OIDCHeader, "crit", {"empty": [], "known": ["exp"], "unknown": ["x-risky"], "null": None}),
    row(
        "OIDC-04",
        "unencoded payload",
        OIDCHeader,
        lambda: forge(header={"b64": False, "crit": ["b64"]}),
    ),
    *header_rows("OIDC-04", OIDCHeader, "b64", {"false": False, "true": True}),
    *header_rows("OIDC-04", OIDCHeader, "zip", {"DEF": "DEF"}),
    *header_rows("OIDC-04", OIDCHeader, "enc", {"A256GCM": "A256GCM"}),
    row(
        "OIDC-04",
        "nested token",
        OIDCHeader,
        lambda: forge(header={"cty": "JWT"}, raw_payload=forge().encode()),
    ),
    row("OIDC-04", "nested token without cty", OIDCJSON, lambda: forge(raw_payload=forge().encode())),
    *header_rows(
        "OIDC-04",
        OIDCTyp,
        "typ",
        {
            "logout token": "logout+jwt",
            "access token": "at+jwt",
            "access token in full": "application/at+jwt",
            "DPoP proof": "dpop+jwt",
            "security event": "secevent+jwt",
            "JOSE": "JOSE",
            "empty": "",
            "array": ["JWT"],
            "null": None,
            "with a blank": "JWT ",
        },
    ),
    row("OIDC-04", "header is an array", OIDCJSON, lambda: forge(raw_header=b'["alg","RS256"]')),
    row("OIDC-04", "header is not JSON", OIDCJSON, lambda: forge(raw_header=b"alg=RS256")),
    row(
        "OIDC-04",
        "header in UTF-16",
        OIDCJSON,
        lambda: forge(raw_header='{"alg":"RS256","kid":"rsa"}'.encode("utf-16")),
    ),
    *[
        row("OIDC-04", f"payload is {label}", OIDCJSON, lambda raw=raw: forge(raw_payload=raw))
        for label, raw in {
            "an array": b"[]",
            "a string": b'"ada"',
            "a number": b"1",
            "null": b"null",
            "true": b"true",
            "empty": b"",
            "two objects": payload() + payload(),
            "not JSON": b"sub=ada",
            "not UTF-8": payload().replace(b"ada", b"\xff\xfe"),
            "overlong UTF-8": payload().replace(b"ada", b"\xc1\xa1"),
            "UTF-16": payload().decode().encode("utf-16"),
            "UTF-16 without mark": payload().decode().encode("utf-16-le"),
            "UTF-32": payload().decode().encode("utf-32"),
            "UTF-8 with mark": b"\xef\xbb\xbf" + payload(),
            "commented": payload() + b"//",
            "cut short": payload()[:-1],
            "raw control character": payload().replace(b"ada", b"a\nda"),
        }.items()
    ],
]


# ── OIDC-05 JSON ambiguity ───────────────────────────────────────────────────────────────────────────────────────


def _again(member: bytes) -> Callable[[bytes], bytes]:
    """Repeat a member at the end, where most parsers read it, with another value."""
    return lambda text: text[:-1] + b"," + member + b"}"


def _first(member: bytes) -> Callable[[bytes], bytes]:
    return lambda text: b"{" + member + b"," + text[1:]


def _nested(depth: int) -> Any:
    value: Any = "bottom"
    for _ in range(depth):
        value = [value]
    return value


AMBIGUOUS = [
    *raw_rows(
        "OIDC-05",
        OIDCJSON,
        {
            "sub twice": _again(b'"sub":"eve"'),
            "sub twice, the other first": _first(b'"sub":"eve"'),
            "sub twice, one escaped": _again(b'"s\\u0075b":"eve"'),
            "sub twice, equal": _again(b'"sub":"ada"'),
            "iss twice": _again(b'"iss":"https://evil.example"'),
            "aud twice": _again(b'"aud":"other"'),
            "exp twice": _again(b'"exp":9999999999'),
            "nonce twice": _again(b'"nonce":"x"'),
            "groups twice": _again(b'"groups":["admins"]'),
            "groups twice in an object": _again(b'"realm":{"roles":["a"],"roles":["b"]}'),
            "NaN": _again(b'"x":NaN'),
            "Infinity": _again(b'"x":Infinity'),
            "minus Infinity": _again(b'"x":-Infinity'),
            "exp NaN": lambda text: text.replace(b'"exp": %d' % (T + 300), b'"exp": NaN'),
            "exp Infinity": lambda text: text.replace(b'"exp": %d' % (T + 300), b'"exp": Infinity'),
            "1e400": _again(b'"x":1e400'),
            "exp 1e400": lambda text: text.replace(b'"exp": %d' % (T + 300), b'"exp": 1e400'),
            "minus 1e400": _again(b'"x":-1e400'),
            "integer of 10,000 digits": _again(b'"x":' + b"9" * 10_000),
            "integer of 33 digits": _again(b'"x":' + b"9" * 33),
            "fraction of 10,000 digits": _again(b'"x":0.' + b"3" * 10_000),
            "half a surrogate pair in a claim": _again(b'"x":"\\ud800"'),
            "half a surrogate pair in upper case": _again(b'"x":"\\uDFFF"'),
            "half a surrogate pair in a group": lambda text: text.replace(b"platform", b"plat\\uDEADform"),
            "half a surrogate pair in a name": _again(b'"\\ud83d":1'),
            "surrogates the wrong way round": _again(b'"x":"\\ude00\\ud83d"'),
        },
    ),
    row(
        "OIDC-05",
        "nested 21 deep",
        OIDCJSON,
        lambda: forge({"x": _nested(20)}),
        lambda: forge({"x": _nested(19)}),
    ),
    row("OIDC-05", "nested 4,000 deep", OIDCJSON, lambda: forge(raw_payload=b'{"x":' + b"[" * 4_000 + b"}")),
    row(
        "OIDC-05",
        "objects 2,000 deep",
        OIDCJSON,
        lambda: forge(raw_payload=b'{"x":' * 2_000 + b"1" + b"}" * 2_000),
    ),
    *[
        row("OIDC-05", f"header with {label}", OIDCJSON, lambda raw=raw: forge(raw_header=raw))
        for label, raw in {
            "alg twice": b'{"alg":"none","alg":"RS256","kid":"rsa"}',
            "alg twice, none last": b'{"alg":"RS256","kid":"rsa","alg":"none"}',
            "kid twice": b'{"alg":"RS256","kid":"other","kid":"rsa"}',
            "NaN": b'{"alg":"RS256","kid":"rsa","x":NaN}',
            "half a surrogate pair": b'{"alg":"RS256","kid":"rsa","x":"\\ud800"}',
            "deep nesting": b'{"alg":"RS256","kid":"rsa","x":' + b"[" * 1_000 + b"]" * 1_000 + b"}",
        }.items()
    ],
]


# ── OIDC-16 Sizes ──────────────────────────────────────────

SIZES = [
    row("OIDC-16", "1 MB", OIDCSize, lambda: forge({"x": "y" * 1_000_000})),
    row("OIDC-16", "one character over 20,000", OIDCSize, lambda: forge().ljust(20_001, "A")),
    row("OIDC-16", "100,000 dots", OIDCSize, lambda: "." * 100_000),
    row("OIDC-16", "19,999 dots", OIDCForm, lambda: "." * 19_999),
    row("OIDC-16", "header of 8 kB", OIDCSize, lambda: forge(header={"x": "y" * 6_000})),
    row(
        "OIDC-16",
        "password-based encryption, 2 billion rounds",
        OIDCForm,
        lambda: b64(b'{"alg":"PBES2-HS256+A128KW","p2c":2000000000,"enc":"A128GCM"}') + ".AA.AA.AA.AA",
    ),
]

TOKENS = [*FORM, *AMBIGUOUS, *SIZES]
