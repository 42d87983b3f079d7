"""The checks of an OpenID Connect answer, in the order in which they are made, and how each is explained.

What is read here is read again, only to be shown; see :mod:`bridge.identity.trace`.
"""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from bridge.identity.oidc.key_set import ProviderKey
from bridge.identity.oidc.strict_json import parse_object
from bridge.identity.trace import (
    PERSON,
    STEP_UP,
    Row,
    Skip,
    Trace,
    between,
    characters,
    differ,
    from_now,
    match,
    recent,
)
from bridge.language import mark

if TYPE_CHECKING:
    from bridge.identity.oidc.discovery import ProviderMetadata
    from bridge.identity.oidc.id_token import DecodedToken, ExpectedToken

_SHOWN_PARAMETERS = frozenset(
    {"code", "error", "error_description", "id_token", "access_token", "iss", "scope", "session_state", "state"}
)
"""The names of parameters of a callback. A stranger can write anything into another name."""


class OIDCTrace(Trace):
    """Where the verification of one answer is, and what it has seen."""

    issuers: Collection[str] = ()
    """As which the provider may speak in a callback."""
    metadata: "ProviderMetadata | None" = None
    parameters: Mapping[str, str]
    expected: "ExpectedToken"
    token: str
    decoded: "DecodedToken"
    key: ProviderKey
    claims: Mapping[str, Any]

    def read_claimed(self) -> tuple[str | None, str | None]:
        """Return ``iss`` and ``jti`` of the token, or ``iss`` of the callback; nothing of it is known to be true."""
        if not hasattr(self, "decoded"):
            return self.parameters.get("iss"), None
        claims = parse_object(self.decoded.payload)
        issuer, token_id = claims.get("iss"), claims.get("jti")
        return issuer if isinstance(issuer, str) else None, token_id if isinstance(token_id, str) else None

    @property
    def header(self) -> Mapping[str, Any]:
        """The header of the token."""
        return self.decoded.unverified_header

    @property
    def skew(self) -> float:
        """How far the provider's clock and ours may differ, in seconds."""
        return self.expected.provider.clock_skew_seconds


# ── What there was ───────────────────────────────────────────────────────────────────────────────────────────


def _question(trace: OIDCTrace) -> str:
    return "none" if trace.question is None else "found"


def _question_provider(trace: OIDCTrace) -> str | None:
    return None if trace.question is None else trace.question.provider


def _browser(trace: OIDCTrace) -> str | None:
    return None if trace.question is None else match(trace.browser, trace.question.browser)


def _parameters(trace: OIDCTrace) -> list[str]:
    return [name if name in _SHOWN_PARAMETERS else "another" for name in trace.parameters]


def _callback_state(trace: OIDCTrace) -> str | None:
    return None if trace.question is None else match(trace.parameters.get("state"), trace.question.handle)


def _issuers(trace: OIDCTrace) -> list[str]:
    optional = trace.metadata is not None and not trace.metadata.promises_issuer
    return [*sorted(trace.issuers), *(["none"] * optional)]


def _answer(trace: OIDCTrace) -> list[str]:
    return [name for name in ("code", "error", "id_token", "access_token") if name in trace.parameters]


def _forbidden(trace: OIDCTrace) -> list[str]:
    return [name for name in ("crit", "b64", "zip", "cty", "enc", "jwk", "jku", "x5u", "x5c") if name in trace.header]


def _key(trace: OIDCTrace) -> str:
    return f"key with the thumbprint {trace.key.key.thumbprint()}"


def _tenant(trace: OIDCTrace) -> Any:
    if not trace.expected.provider.tenants:
        raise Skip
    return trace.claims.get("tid")


def _issuer(trace: OIDCTrace) -> str:
    provider = trace.expected.provider
    return provider.issuer.replace("{tenantid}", str(trace.claims.get("tid")))


def _moment(trace: OIDCTrace, name: str) -> str | None:
    value = trace.claims.get(name)
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return from_now(value, trace.expected.now)
    return "not a number of seconds"


def _optional_moment(trace: OIDCTrace, name: str) -> str | None:
    if name not in trace.claims:
        if trace.at != {"nbf": "not_before", "auth_time": "authenticated"}[name]:
            raise Skip
        return None
    return _moment(trace, name)


def _digest(trace: OIDCTrace, name: str, check: str) -> str:
    if name not in trace.claims:
        return "none"
    return "differs" if trace.at == check else "matches"


def _userinfo(trace: OIDCTrace) -> str:
    if trace.expected.userinfo is None:
        raise Skip
    return "not usable" if trace.at == "userinfo" else "about this person"


def _groups_endpoint(trace: OIDCTrace) -> str:
    if trace.at != "groups_endpoint":
        raise Skip
    return "not to be had"


def _authenticated(trace: OIDCTrace) -> str:
    max_age = trace.expected.provider.max_age_seconds
    return f"not in the future; {differ(trace.skew)}" if max_age is None else recent(max_age, trace.skew)


def _claim(name: str) -> Any:
    return lambda trace: trace.claims.get(name)


OIDCTrace.rows = (
    Row("parameters", mark("The callback has one state"), lambda _: "", lambda _: "each parameter once"),
    Row("question", mark("A question of ours waits for this answer"), _question, lambda _: "found"),
    Row("browser", mark("The same browser asked"), _browser, lambda _: "matches"),
    Row(
        "question_provider",
        mark("The question went to this provider"),
        _question_provider,
        lambda trace: trace.provider,
    ),
    Row(
        "provider_metadata",
        mark("The provider's settings are at hand"),
        lambda trace: "none" if trace.metadata is None else "found",
        lambda trace: sorted(trace.issuers),
    ),
    Row("callback_parameters", mark("Each parameter of the callback comes once"), _parameters, lambda _: "each once"),
    Row(
        "callback_issuer", mark("The callback is by this provider"), lambda trace: trace.parameters.get("iss"), _issuers
    ),
    Row("callback_state", mark("The callback answers our question"), _callback_state, lambda _: "matches"),
    Row("callback_code", mark("The callback brings a code, and nothing else"), _answer, lambda _: "code"),
    Row(
        "token_response",
        mark("The provider gives tokens for the code"),
        lambda trace: "none" if trace.at == "token_response" else "an ID token and an access token",
        lambda _: "an ID token and an access token",
    ),
    Row(
        "decryption",
        mark("The ID token can be opened, or needs no opening"),
        lambda trace: "not opened" if trace.at == "decryption" else "",
        lambda _: "plain, or encrypted for us where the settings allow it",
    ),
    Row(
        "token_form",
        mark("The ID token has the form of a signed token"),
        lambda trace: characters(trace.token),
        lambda _: "at most 20000 characters",
    ),
    Row("token_header", mark("The token's header asks for nothing"), _forbidden, lambda _: "none"),
    Row(
        "token_type",
        mark("It is no other kind of token"),
        lambda trace: trace.header.get("typ"),
        lambda _: "JWT, or none",
    ),
    Row(
        "algorithm",
        mark("The algorithm is one that we accept"),
        lambda trace: trace.header.get("alg"),
        lambda trace: sorted(trace.expected.algorithms),
    ),
    Row(
        "key",
        mark("The key is one of the provider's"),
        lambda trace: trace.header.get("kid"),
        lambda _: "the kid of one of its keys; none where it has one key only",
    ),
    Row(
        "key_fits",
        mark("The key is for this algorithm"),
        lambda trace: sorted(trace.key.algorithms),
        lambda trace: trace.header.get("alg"),
    ),
    Row("signature", mark("The signature is by that key"), _key, _key),
    Row("token_content", mark("The content can be read in one way only"), lambda _: "", lambda _: "one JSON object"),
    Row("tenant", mark("The tenant is a listed one"), _tenant, lambda trace: sorted(trace.expected.provider.tenants)),
    Row("issuer", mark("The issuer is this provider"), _claim("iss"), _issuer),
    Row("audience", mark("The token is meant for us"), _claim("aud"), lambda trace: trace.expected.provider.client_id),
    Row(
        "authorized_party",
        mark("The token was given to us"),
        _claim("azp"),
        lambda trace: f"{trace.expected.provider.client_id}; none with one audience",
    ),
    Row(
        "nonce",
        mark("The token answers our question"),
        lambda trace: match(trace.claims.get("nonce"), trace.expected.nonce),
        lambda _: "matches",
    ),
    Row(
        "subject",
        mark("The token is about one person"),
        lambda trace: characters(trace.claims.get("sub")),
        lambda _: "1 to 255 visible ASCII characters",
    ),
    Row(
        "times",
        mark("It says since when and until when it is valid"),
        lambda trace: [f"exp {_moment(trace, 'exp')}", f"iat {_moment(trace, 'iat')}"],
        lambda _: "seconds since 1970",
    ),
    Row(
        "expires",
        mark("Its validity has not ended"),
        lambda trace: _moment(trace, "exp"),
        lambda trace: f"in the future; {differ(trace.skew)}",
    ),
    Row(
        "lifetime",
        mark("Its validity is short"),
        lambda trace: between(trace.claims["iat"], trace.claims["exp"]),
        lambda _: "more than 0 s, at most 86400 s",
    ),
    Row(
        "issued",
        mark("It was issued recently"),
        lambda trace: _moment(trace, "iat"),
        lambda trace: recent(600, trace.skew),
    ),
    Row(
        "not_before",
        mark("Its validity has begun"),
        lambda trace: _optional_moment(trace, "nbf"),
        lambda trace: f"not in the future; {differ(trace.skew)}",
    ),
    Row(
        "authenticated",
        mark("The person authenticated recently enough"),
        lambda trace: _optional_moment(trace, "auth_time"),
        _authenticated,
    ),
    Row("groups", mark("The groups were not left out"), lambda _: "", lambda _: "in the token, or none"),
    Row(
        "access_token_hash",
        mark("It belongs to the access token"),
        lambda trace: _digest(trace, "at_hash", "access_token_hash"),
        lambda _: "matches, or none",
    ),
    Row(
        "code_hash",
        mark("It belongs to the code"),
        lambda trace: _digest(trace, "c_hash", "code_hash"),
        lambda _: "matches, or none",
    ),
    Row(
        "acr",
        mark("The way of authenticating is a required one"),
        _claim("acr"),
        lambda trace: trace.expected.provider.required_acr or "any",
    ),
    Row("userinfo", mark("Userinfo is about the same person"), _userinfo, lambda _: "a JSON object about this person"),
    Row("userinfo_groups", mark("Userinfo leaves no groups out"), _userinfo, lambda _: "in the answer, or none"),
    Row("groups_endpoint", mark("Groups that were left out can be had"), _groups_endpoint, lambda _: "a complete list"),
    Row(
        "claim_types",
        mark("The other claims are of the right kinds"),
        lambda _: "",
        lambda _: "jti, sid, acr: texts; amr: a list",
    ),
    PERSON,
    Row(
        "first_use",
        mark("The token was never accepted before"),
        lambda trace: trace.message_id,
        lambda _: "an identifier that was not used yet",
    ),
    Row("question_unused", mark("The question was not answered yet"), _question, lambda _: "unanswered"),
    STEP_UP,
)
