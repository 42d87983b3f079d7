"""Hostile tokens: signed by the provider, but not for us, not now, or not clear (OIDC-06 to OIDC-10, MAP-06)."""

from dataclasses import replace

from bridge.attack.oidc.corpus import claim_rows, row
from bridge.attack.oidc.tokens import ABSENT, CLIENT, ISSUER, NONCE, T, forge
from bridge.errors import (
    GroupsUnknown,
    OIDCAcr,
    OIDCAudience,
    OIDCAuthorizedParty,
    OIDCAuthTime,
    OIDCClaim,
    OIDCExpiry,
    OIDCIssuedAt,
    OIDCIssuer,
    OIDCNonce,
    OIDCNotBefore,
    OIDCSubject,
)

# ── OIDC-06 to 09 Issuer, audience, nonce, subject ───────────────────────────────────────────────────────────────

ISSUERS = claim_rows(
    "OIDC-06",
    OIDCIssuer,
    "iss",
    {
        "other": "https://evil.example",
        "prefix": "https://idp.example",
        "longer": ISSUER + "/x",
        "longer host": ISSUER.replace("idp.example", "idp.example.evil.example"),
        "with a slash": ISSUER + "/",
        "in another case": ISSUER.replace("corp", "Corp"),
        "host in another case": ISSUER.replace("idp", "IDP"),
        "with the port": ISSUER.replace("example/", "example:443/"),
        "http": ISSUER.replace("https", "http"),
        "escaped": ISSUER.replace("corp", "%63orp"),
        "with a dot segment": ISSUER.replace("realms", "./realms"),
        "with user info": ISSUER.replace("idp", "x@idp"),
        "with a blank": ISSUER + " ",
        "with a newline": ISSUER + "\n",
        "look-alike": ISSUER.replace("corp", "c\u043erp"),
        "array": [ISSUER],
        "object": {"iss": ISSUER},
        "null": None,
        "number": 1,
        "empty": "",
        "missing": ABSENT,
    },
)

AUDIENCES = [
    *claim_rows(
        "OIDC-07",
        OIDCAudience,
        "aud",
        {
            "other": "other",
            "missing": ABSENT,
            "null": None,
            "empty": "",
            "empty array": [],
            "others": ["other", "another"],
            "object": {CLIENT: True},
            "number": 1,
            "true": True,
            "substring": "ram",
            "longer": CLIENT + "2",
            "in another case": CLIENT.upper(),
            "with a blank": CLIENT + " ",
            "in one string": f"other {CLIENT}",
            "nested array": [[CLIENT]],
            "array with a number": [CLIENT, 7],
            "array with null": [CLIENT, None],
            "array with an object": [CLIENT, {}],
            "URL of ours": "https://bridge.example/oidc/corp/callback",
        },
    ),
    row("OIDC-07", "other's token with our azp", OIDCAudience, lambda: forge({"aud": "other", "azp": CLIENT})),
    row("OIDC-07", "no aud with our azp", OIDCAudience, lambda: forge({"aud": ABSENT, "azp": CLIENT})),
    row(
        "OIDC-07",
        "several audiences without azp",
        OIDCAuthorizedParty,
        lambda: forge({"aud": [CLIENT, "other"]}),
        lambda: forge({"aud": [CLIENT, "other"], "azp": CLIENT}),
    ),
    row(
        "OIDC-07",
        "several audiences, azp another",
        OIDCAuthorizedParty,
        lambda: forge({"aud": [CLIENT, "other"], "azp": "other"}),
        lambda: forge({"aud": [CLIENT, "other"], "azp": CLIENT}),
    ),
    *claim_rows(
        "OIDC-07",
        OIDCAuthorizedParty,
        "azp",
        {"another": "other", "array": [CLIENT], "null": None, "empty": "", "number": 0, "false": False},
    ),
]

NONCES = [
    *claim_rows(
        "OIDC-08",
        OIDCNonce,
        "nonce",
        {
            "other": "other",
            "missing": ABSENT,
            "null": None,
            "empty": "",
            "array": [NONCE],
            "object": {"nonce": NONCE},
            "prefix": NONCE[:-1],
            "longer": NONCE + "x",
            "in another case": NONCE.swapcase(),
            "number": 0,
            "true": True,
        },
    ),
    row(
        "OIDC-08",
        "said to be unsupported",
        OIDCNonce,
        lambda: forge({"nonce": ABSENT, "nonce_supported": False}),
        lambda: forge({"nonce_supported": False}),
    ),
    row("OIDC-08", "none was sent", OIDCNonce, lambda: forge({"nonce": ""}), twin_settings={}, nonce=""),
]

SUBJECTS = claim_rows(
    "OIDC-09",
    OIDCSubject,
    "sub",
    {
        "missing": ABSENT,
        "null": None,
        "empty": "",
        "number": 42,
        "true": True,
        "array": ["ada"],
        "object": {"id": "ada"},
        "256 characters": "a" * 256,
        "blank": " ",
        "blank inside": "ada lovelace",
        "blank after": "ada ",
        "newline after": "ada\n",
        "tab": "a\tda",
        "NUL": "ada\x00",
        "delete": "ada\x7f",
        "look-alike": "\u0430da",
        "full-width": "\uff41da",
        "zero-width": "ada\u200b",
        "right-to-left": "\u202eada",
        "accent": "ad\u00e1",
        "Arabic digits": "\u0661\u0662",
    },
)


# ── OIDC-10 Times ────────────────────────────────────────────────────────────────────────────────────────────────

NO_NUMBERS = {
    "string": str(T),
    "true": True,
    "false": False,
    "null": None,
    "array": [T],
    "object": {"t": T},
    "negative": -1,
    "ISO date": "2026-11-24T12:00:00Z",
}

TIMES = [
    *claim_rows("OIDC-10", OIDCExpiry, "exp", NO_NUMBERS),
    *claim_rows(
        "OIDC-10",
        OIDCExpiry,
        "exp",
        {
            "missing": ABSENT,
            "past": T - 3_600,
            "past by just the leeway": T - 60,
            "zero": 0,
            "in milliseconds": (T + 300) * 1_000,
            "a decade away": T + 315_360_000,
            "a second over a day": T + 86_401,
            "20 digits": 10**20,
            "1e300": 1e300,
            "at iat": T,
            "before iat": T - 1,
        },
    ),
    *claim_rows("OIDC-10", OIDCIssuedAt, "iat", NO_NUMBERS),
    *claim_rows(
        "OIDC-10",
        OIDCIssuedAt,
        "iat",
        {"missing": ABSENT, "future": T + 61, "11 minutes and a second ago": T - 661, "a day ago": T - 86_000},
    ),
    *claim_rows("OIDC-10", OIDCNotBefore, "nbf", NO_NUMBERS),
    *claim_rows("OIDC-10", OIDCNotBefore, "nbf", {"future": T + 61, "far future": T + 3_600}),
    *claim_rows("OIDC-10", OIDCAuthTime, "auth_time", NO_NUMBERS),
    *claim_rows("OIDC-10", OIDCAuthTime, "auth_time", {"future": T + 61, "far future": 10**20}),
    *claim_rows(
        "OIDC-10",
        OIDCAuthTime,
        "auth_time",
        {"missing though asked for": ABSENT, "older than asked for": T - 361, "a day ago": T - 86_400},
        max_age_seconds=300,
    ),
    row(
        "OIDC-10",
        "expired with no leeway",
        OIDCExpiry,
        lambda: forge({"iat": T - 300, "exp": T}),
        lambda: forge({"iat": T - 300, "exp": T + 1}),
        clock_skew_seconds=0,
    ),
]


# ── MAP-06 Groups left out; other claims of the protocol ─────────────────────────────────────────────────────────

OTHERS = [
    *claim_rows(
        "MAP-06",
        GroupsUnknown,
        "_claim_names",
        {"groups": {"groups": "src1"}, "not an object": "groups", "null": None, "array": ["groups"]},
    ),
    *claim_rows("MAP-06", GroupsUnknown, "hasgroups", {"true": True, "text": "true", "null": None}),
    row(
        "MAP-06",
        "claim names for a renamed claim",
        GroupsUnknown,
        lambda: forge({"_claim_names": {"roles": "src1"}}),
        claims={"groups": "roles"},
    ),
    *claim_rows("OIDC-10", OIDCClaim, "jti", {"number": 1, "empty": "", "array": ["a"], "256 long": "j" * 256}),
    *claim_rows("OIDC-10", OIDCClaim, "sid", {"number": 1, "empty": "", "object": {}}),
    *claim_rows("OIDC-10", OIDCClaim, "acr", {"number": 2, "array": ["urn:mfa"], "true": True}),
    *[
        row(
            "OIDC-10",
            f"acr required, {label}",
            OIDCAcr,
            lambda value=value: forge({"acr": value}),
            required_acr=("urn:mfa", "urn:hwk"),
        )
        for label, value in {
            "missing": ABSENT,
            "null": None,
            "another": "urn:pwd",
            "in another case": "urn:MFA",
            "longer": "urn:mfa2",
            "both in one": "urn:mfa urn:hwk",
            "array": ["urn:mfa"],
            "object": {"urn:mfa": True},
        }.items()
    ],
    *claim_rows("OIDC-10", OIDCClaim, "amr", {"string": "mfa", "null": None, "array of numbers": [1], "object": {}}),
]

AT_THE_EDGE = [replace(case, settings={"clock_skew_seconds": 60} | case.settings) for case in TIMES]
"""How far the clocks may differ decides what is too late."""

TOKENS = [*ISSUERS, *AUDIENCES, *NONCES, *SUBJECTS, *AT_THE_EDGE, *OTHERS]
