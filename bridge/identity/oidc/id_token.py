"""Decides whether an ID token is acceptable.

The checks, in the order in which they run; the first that fails decides::

     1  decode_token           size, three parts, canonical base64url, strict JSON
     2  check_header           no header that asks for keys, extensions or nesting
     3  check_type             an ID token and not another kind of JWT
     4  check_algorithm        pinned by our settings, before any key is looked up
     5  find_signing_key       named by kid, in the provider's own set
     6  check_key_fits         made for this algorithm and for signatures
     7  check_signature        over the bytes that were decoded
     8  check_issuer           the provider of this flow; of several tenants one that is listed (find_issuer)
     9  check_audience         meant for us
    10  check_authorized_party given to us
    11  check_nonce            the answer to our question
    12  check_subject          one person, written one way
    13  check_times            valid now, not for long, authenticated recently enough
    14  check_groups_known     nothing was left out that decides about access
    15  check_hashes           it belongs to this code and this access token
    16  check_acr              the person authenticated by a method that is required
    17  check_groups_known     once more, over what userinfo adds, where that is asked

Groups that were left out are asked for at the very end, where the provider's settings say where.

Nothing of the payload is looked at before step 8, nothing of the header but ``alg``, ``kid`` and ``typ`` ever counts.
OpenID Connect Core 3.1.3.7; RFC 7515, RFC 8725; threats OIDC-01 to OIDC-10, OIDC-12 to OIDC-14.
"""

import base64
import binascii
import functools
import hashlib
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from joserfc.jws import JWSRegistry

from bridge.errors import (
    OIDCJSON,
    GroupsUnknown,
    OIDCAccessTokenHash,
    OIDCAcr,
    OIDCAlgorithm,
    OIDCAudience,
    OIDCAuthorizedParty,
    OIDCAuthTime,
    OIDCClaim,
    OIDCCodeHash,
    OIDCExpiry,
    OIDCForm,
    OIDCHeader,
    OIDCIssuedAt,
    OIDCIssuer,
    OIDCKey,
    OIDCKeyId,
    OIDCNonce,
    OIDCNotBefore,
    OIDCSignature,
    OIDCSize,
    OIDCSubject,
    OIDCTenant,
    OIDCTyp,
    OutsideValidity,
)
from bridge.identity.oidc.groups_endpoint import are_groups_withheld, complete_groups
from bridge.identity.oidc.key_set import ProviderKey
from bridge.identity.oidc.strict_json import parse_object
from bridge.identity.oidc.trace import OIDCTrace
from bridge.identity.oidc.userinfo import merge_claims
from bridge.identity.providers import TENANT, OIDCProvider
from bridge.identity.verified import VerifiedIdentity

MAX_TOKEN_CHARACTERS = 20_000
MAX_HEADER_CHARACTERS = 4_000
MAX_LIFETIME_SECONDS = 86_400
"""The longest ``exp`` minus ``iat``."""
MAX_AGE_SECONDS = 600
"""How long ago a token may have been issued: it came straight from the token endpoint."""

MAX_NAME_CHARACTERS = 255
"""The longest ``jti``, ``sid`` and ``acr``."""

_YEAR_9999 = 253_402_300_799
_SUBJECT = re.compile(r"[!-~]{1,255}")
_FORBIDDEN_HEADERS = frozenset({"crit", "b64", "zip", "cty", "enc", "jwk", "jku", "x5u", "x5c"})
_NOT_ABOUT_THE_PERSON = ("nonce", "at_hash", "c_hash", "s_hash", "_claim_sources")
"""The last one may hold access tokens (OIDC Core 5.6.2)."""
_TO_STANDARD_BASE64 = bytes.maketrans(b"-_+/", b"+/!!")
"""``+`` and ``/`` are no letters of base64url; they become one that base64 does not have either."""
_SIGNATURES = {
    name: JWSRegistry.algorithms[name]
    for name in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384")
}


FetchGroups = Callable[[Mapping[str, Any]], list[str]]


class KeyLookup(Protocol):
    """Where a provider's keys are found."""

    def find_key(self, kid: str | None) -> ProviderKey | None:
        """Return the key with exactly this ``kid``; for None the only key of the provider, if it has just one."""
        ...


@dataclass(frozen=True)
class ExpectedToken:
    """What the token must be to answer our question."""

    provider: OIDCProvider
    keys: KeyLookup
    algorithms: frozenset[str]
    """What the provider may sign with: its settings, narrowed by its metadata."""
    nonce: str
    now: datetime
    code: str = field(repr=False)
    """The authorization code that the token was given for."""
    access_token: str = field(repr=False)
    """What came with the token."""
    userinfo: Callable[[str], Mapping[str, Any]] | None = None
    """What fetches further claims about the subject of a token that passed every check; None: there are none."""
    groups: FetchGroups | None = None
    """What asks for groups that such a token leaves out; None: nobody does."""
    of_a_sign_in: bool = True
    """False: somebody shows us the token, and nobody is signed in by it. It then answers no question, and came with no
    code and no access token."""


class DecodedToken(NamedTuple):
    """A token taken apart, of which nothing is known to be true."""

    unverified_header: Mapping[str, Any]
    payload: bytes
    signed: bytes
    """What the signature is over: header and payload as they were sent."""
    signature: bytes


def verify_id_token(token: str, expected: ExpectedToken, trace: OIDCTrace | None = None) -> VerifiedIdentity:
    """Return who the token is about; it is the expected provider's statement, to us, now, in answer to our question.

    Whether it was presented before is for the caller to check, with ``message_id`` and ``accept_until``. ``trace``
    takes down which check has begun.

    Raises:
        IdentityError: the leaf of the first check that fails.
        ProviderUnavailable: the provider's keys, or userinfo, cannot be had.
    """
    trace = trace or OIDCTrace()
    trace.expected, trace.token = expected, token
    decoded, algorithm, key = open_token(token, expected, trace)
    trace.at = "token_content"
    try:
        trace.claims = claims = parse_object(decoded.payload)
    except ValueError as error:
        raise OIDCJSON(f"the payload is {error}") from error
    provider = expected.provider
    trace.at = "tenant"
    issuer = find_issuer(claims, provider, key)
    trace.at = "issuer"
    check_issuer(claims, issuer)
    trace.at = "audience"
    check_audience(claims, provider.client_id)
    trace.at = "authorized_party"
    check_authorized_party(claims, provider.client_id)
    if expected.of_a_sign_in:
        trace.at = "nonce"
        check_nonce(claims, expected.nonce)
    trace.at = "subject"
    check_subject(claims)
    authenticated_at, accept_until = check_times(claims, provider, expected.now, trace)
    trace.at = "groups"
    check_groups_known(claims, provider, expected.groups)
    if expected.of_a_sign_in:
        check_hashes(claims, algorithm, trace, code=expected.code, access_token=expected.access_token)
    trace.at = "acr"
    check_acr(claims, provider.required_acr)
    about_the_person = claims
    withheld = are_groups_withheld(claims, provider)
    if expected.userinfo is not None:
        trace.at = "userinfo"
        further = expected.userinfo(claims["sub"])
        trace.at = "userinfo_groups"
        check_groups_known(further, provider, expected.groups)
        withheld = withheld or are_groups_withheld(further, provider)
        about_the_person = merge_claims(claims, further, _verified(provider))
    if withheld and expected.groups is not None:
        trace.at = "groups_endpoint"
        about_the_person = complete_groups(about_the_person, provider, expected.groups(claims))

    trace.at = "claim_types"
    return VerifiedIdentity(
        provider=provider.name,
        protocol="oidc",
        issuer=issuer,
        subject=claims["sub"],
        claims=name_claims(about_the_person, provider),
        authenticated_at=authenticated_at,
        message_id=_text(claims, "jti") or digest_of(decoded),
        accept_until=accept_until,
        acr=_text(claims, "acr"),
        amr=_texts(claims, "amr"),
        session_index=_text(claims, "sid"),
        authentication_time_stated="auth_time" in claims,
    )


def name_claims(claims: Mapping[str, Any], provider: OIDCProvider) -> dict[str, Any]:
    """Return what a token says about the person, under our names for it."""
    return _rename(_drop_unverified_email(claims, provider), provider.claims)


def open_token(token: str, expected: ExpectedToken, trace: OIDCTrace) -> tuple[DecodedToken, str, ProviderKey]:
    """Return a token that the provider signed, by which algorithm and with which key: steps 1 to 7.

    Raises what the checks of these steps raise.
    """
    trace.at = "token_form"
    trace.decoded = decoded = decode_token(token)
    header = decoded.unverified_header
    trace.at = "token_header"
    check_header(header)
    trace.at = "token_type"
    check_type(header)
    trace.at = "algorithm"
    algorithm = check_algorithm(header, expected.algorithms)
    trace.at = "key"
    trace.key = key = find_signing_key(header, expected.keys)
    trace.at = "key_fits"
    check_key_fits(key, algorithm)
    trace.at = "signature"
    check_signature(decoded, algorithm, key)
    return decoded, algorithm, key


def decode_token(token: str) -> DecodedToken:
    """Take the token apart; nothing that two programs could read differently is left in its form.

    Accepted is the compact serialization of a JWS alone: no JSON serialization, no padding, white space or stray bits
    in the base64url, no encrypted token (one of five parts was opened in ``encrypted_token``, where that is allowed).
    RFC 7515 7.1; RFC 8725 3.11; threats OIDC-04, OIDC-05.

    Raises:
        OIDCSize: more than 20,000 characters, 4,000 of them in the header.
        OIDCForm: not three parts in canonical base64url.
        OIDCJSON: the header is not one unambiguous JSON object.
    """
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise OIDCSize(f"the token has {len(token)} characters")
    try:
        signed, _, signature = token.encode("ascii").rpartition(b".")
        header, payload = signed.split(b".", 2)
    except ValueError as error:
        raise OIDCForm("the token is not three parts of ASCII") from error
    return DecodedToken(_parse_header(header), decode_base64url(payload), signed, decode_base64url(signature))


def digest_of(decoded: DecodedToken) -> str:
    """Return what tells a token without ``jti`` from every other one (SHA-256, hexadecimal).

    Not the digest of the whole token: an ECDSA signature has a second valid form, the content has not.
    """
    return hashlib.sha256(decoded.signed).hexdigest()


def check_header(header: Mapping[str, Any]) -> None:
    """The header asks for nothing: no extension, compression or nesting, and no key of the token's own choosing.

    A key in the token proves only that its maker can sign; an address in it would make us fetch for a stranger.
    RFC 7515 4.1; RFC 8725 3.10; CVE-2018-0114.

    Raises:
        OIDCHeader: it does.
    """
    if not _FORBIDDEN_HEADERS.isdisjoint(header):
        raise OIDCHeader(f"the header has {sorted(_FORBIDDEN_HEADERS & header.keys())}")


def check_type(header: Mapping[str, Any]) -> None:
    """The token is not of another kind: logout and access tokens are signed with the same key.

    RFC 8725 3.11 and 3.12; an ID token has no ``typ``, or ``JWT``.

    Raises:
        OIDCTyp: it is of another kind.
    """
    if header.get("typ", "JWT") != "JWT":
        raise OIDCTyp("typ is not JWT")


def check_algorithm(header: Mapping[str, Any], allowed: frozenset[str]) -> str:
    """Return the token's algorithm: one of those that this provider may use.

    ``none`` proves nothing, and an HMAC is keyed with something that is public here. RFC 8725 3.1 and 3.2.

    Raises:
        OIDCAlgorithm: it is another, or is not there.
    """
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in allowed:
        raise OIDCAlgorithm("alg is missing, or is not one that this provider may use")
    return algorithm


def find_signing_key(header: Mapping[str, Any], keys: KeyLookup) -> ProviderKey:
    """Return the provider's key that the token names; without a name, the provider's only key.

    Raises:
        OIDCKeyId: ``kid`` is no string, or no key has it, or there is no name and not just one key.
        ProviderUnavailable: the keys cannot be had.
    """
    kid = header.get("kid")
    if "kid" in header and not isinstance(kid, str):
        raise OIDCKeyId("kid is not a string")
    key = keys.find_key(kid)
    if key is None:
        raise OIDCKeyId(
            "no key of the provider has this kid" if "kid" in header else "kid is missing beside several keys"
        )
    return key


def check_key_fits(key: ProviderKey, algorithm: str) -> None:
    """The key is of the kind that the algorithm needs, and its owner published it for signatures with it.

    RFC 8725 2.1; RFC 7517 4.2 to 4.4.

    Raises:
        OIDCKey: it is not.
    """
    if algorithm not in key.algorithms:
        raise OIDCKey("the key is not for this algorithm, or not for signatures")


def check_signature(decoded: DecodedToken, algorithm: str, key: ProviderKey) -> None:
    """The holder of the key signed these bytes.

    Raises:
        OIDCSignature: nobody knows who did.
    """
    if not _SIGNATURES[algorithm].verify(decoded.signed, decoded.signature, key.key):
        raise OIDCSignature("the signature does not verify")


def find_issuer(claims: Mapping[str, Any], provider: OIDCProvider, key: ProviderKey) -> str:
    """Return the issuer that the token must be by: the configured one, the token's tenant in its place if it has one.

    All tenants of Entra ID share keys, and anybody can have a tenant. So the tenant must be listed, and a key that
    says for whom it signs signs for nobody else (a key for private accounts was once taken for those of companies).

    Raises:
        OIDCTenant: the tenant is missing or not listed, or the key is another issuer's.
    """
    if TENANT not in provider.issuer:
        return provider.issuer
    tenant = claims.get("tid")
    if not isinstance(tenant, str) or tenant not in provider.tenants:
        raise OIDCTenant("tid is missing, or is none of tenants")
    issuer = provider.issuer.replace(TENANT, tenant)
    if key.issuer is not None and key.issuer.replace(TENANT, tenant) != issuer:
        raise OIDCTenant("the key signs for another issuer")
    return issuer


def check_issuer(claims: Mapping[str, Any], issuer: str) -> None:
    """The statement is by the provider that this flow belongs to; compared exactly.

    OIDC Core 3.1.3.7 (2); threat OIDC-06.

    Raises:
        OIDCIssuer: it is by another, or by nobody.
    """
    if claims.get("iss") != issuer:
        raise OIDCIssuer("iss is missing, or is another issuer")


def check_audience(claims: Mapping[str, Any], client_id: str) -> None:
    """The token is meant for us: without this, one for another application of the company would open ours.

    OIDC Core 3.1.3.7 (3); threat OIDC-07. ``azp`` never stands in for ``aud``.

    Raises:
        OIDCAudience: it is for others, or for nobody.
    """
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if client_id not in audiences or not all(isinstance(entry, str) for entry in audiences):
        raise OIDCAudience("aud does not contain our client ID, or is not made of strings")


def check_authorized_party(claims: Mapping[str, Any], client_id: str) -> None:
    """The token was given to us, which several audiences leave open.

    OIDC Core 3.1.3.7 (4, 5).

    Raises:
        OIDCAuthorizedParty: ``azp`` is missing beside several audiences, or is another client.
    """
    audience = claims["aud"]
    if "azp" not in claims and isinstance(audience, list) and len(audience) > 1:
        raise OIDCAuthorizedParty("azp is missing beside several audiences")
    if claims.get("azp", client_id) != client_id:
        raise OIDCAuthorizedParty("azp is another client")


def check_nonce(claims: Mapping[str, Any], nonce: str) -> None:
    """The token answers this browser's question: one that was stolen elsewhere carries another nonce.

    OIDC Core 3.1.3.7 (11) and 15.5.2.

    Raises:
        OIDCNonce: it does not.
    """
    if not nonce or claims.get("nonce") != nonce:
        raise OIDCNonce("nonce is missing, or is not the one that we sent")


def check_subject(claims: Mapping[str, Any]) -> None:
    """The subject is 1 to 255 visible ASCII characters, so that no two are told apart only by a blank or an alphabet.

    OIDC Core 2.

    Raises:
        OIDCSubject: it is not.
    """
    subject = claims.get("sub")
    if not isinstance(subject, str) or not _SUBJECT.fullmatch(subject):
        raise OIDCSubject("sub is not 1 to 255 visible ASCII characters")


def check_times(
    claims: Mapping[str, Any],
    provider: OIDCProvider,
    now: datetime,
    trace: OIDCTrace,
    *,
    token_age_seconds: int = MAX_AGE_SECONDS,
) -> tuple[datetime, datetime]:
    """Return when the person authenticated, and the last moment at which this token would still be accepted.

    Seconds since 1970, whole or not, but numbers. The provider's clock may differ by ``clock_skew_seconds``. A token is
    issued at most ten minutes (``token_age_seconds``) ago and valid for at most a day. ``auth_time`` is required, and
    counts, where we asked for a maximum age: to the provider that is a wish. OIDC Core 2 and 3.1.3.7 (9, 10, 13).

    Raises:
        OIDCExpiry: ``exp`` is missing, malformed, past, not after ``iat``, or too far from it.
        OIDCIssuedAt: ``iat`` is missing, malformed, in the future or too old.
        OIDCNotBefore: ``nbf`` is malformed or in the future.
        OIDCAuthTime: ``auth_time`` is malformed, in the future, or missing or too old where that was asked for.
    """
    moment, skew = now.timestamp(), provider.clock_skew_seconds
    trace.at = "times"
    expires = read_seconds(claims, "exp", OIDCExpiry)
    issued = read_seconds(claims, "iat", OIDCIssuedAt)
    accept_until = min(expires, issued + token_age_seconds) + skew
    trace.at = "expires"
    if expires + skew <= moment:
        raise OIDCExpiry(f"expired {moment - expires:.0f} s ago")
    trace.at = "lifetime"
    if not 0 < expires - issued <= MAX_LIFETIME_SECONDS:
        raise OIDCExpiry(f"valid for {expires - issued:.0f} s")
    trace.at = "issued"
    if issued - skew > moment or issued + token_age_seconds + skew < moment:
        raise OIDCIssuedAt(f"issued {moment - issued:.0f} s ago")
    trace.at = "not_before"
    if "nbf" in claims and read_seconds(claims, "nbf", OIDCNotBefore) - skew > moment:
        raise OIDCNotBefore("not valid yet")

    max_age = provider.max_age_seconds
    if "auth_time" not in claims and max_age is None:
        return datetime.fromtimestamp(issued, UTC), datetime.fromtimestamp(accept_until, UTC)
    trace.at = "authenticated"
    authenticated = read_seconds(claims, "auth_time", OIDCAuthTime)
    if authenticated - skew > moment:
        raise OIDCAuthTime("authenticated in the future")
    if max_age is not None:
        accept_until = min(accept_until, authenticated + max_age + skew)
        if authenticated + max_age + skew < moment:
            raise OIDCAuthTime(f"authenticated {moment - authenticated:.0f} s ago")
    return datetime.fromtimestamp(authenticated, UTC), datetime.fromtimestamp(accept_until, UTC)


def check_groups_known(claims: Mapping[str, Any], provider: OIDCProvider, fetch: FetchGroups | None) -> None:
    """The groups are in the token, or the person has none; they were not replaced by a reference, or we can ask.

    A provider that leaves them out because they are many says so with ``_claim_names`` (OIDC Core 5.6.2) or
    ``hasgroups``. Read as "no groups", that would lift a rule that denies by group.

    Raises:
        GroupsUnknown: they were left out.
    """
    if not isinstance(claims.get("_claim_names", {}), dict):
        raise GroupsUnknown("_claim_names is not an object")
    if fetch is None and are_groups_withheld(claims, provider):
        raise GroupsUnknown("the provider sent a reference instead of the groups")


def check_hashes(claims: Mapping[str, Any], algorithm: str, trace: OIDCTrace, *, code: str, access_token: str) -> None:
    """The token was issued together with this access token, for this code, where it says so.

    Both claims are optional, since everything came straight from the token endpoint. Each is the left half of a digest
    with the hash function of the token's own algorithm. OIDC Core 3.1.3.6, 3.1.3.8 and 3.3.2.11; threat OIDC-12.

    Raises:
        OIDCAccessTokenHash: ``at_hash`` is there and is another digest, or none.
        OIDCCodeHash: the same of ``c_hash``.
    """
    trace.at = "access_token_hash"
    if "at_hash" in claims and claims["at_hash"] != _left_half(access_token, algorithm):
        raise OIDCAccessTokenHash("at_hash is not the digest of the access token")
    trace.at = "code_hash"
    if "c_hash" in claims and claims["c_hash"] != _left_half(code, algorithm):
        raise OIDCCodeHash("c_hash is not the digest of the code")


def check_acr(claims: Mapping[str, Any], required: Collection[str]) -> None:
    """The provider says that the person authenticated in one of these ways; what we asked for is a wish to it.

    OIDC Core 2 and 3.1.3.7 (12).

    Raises:
        OIDCAcr: it says another, or does not say.
    """
    if required and claims.get("acr") not in required:
        raise OIDCAcr("acr is missing, or is none of required_acr")


def _left_half(text: str, algorithm: str) -> str:
    digest = hashlib.new(f"sha{algorithm[-3:]}", text.encode()).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()


@functools.lru_cache(maxsize=1_024)
def _parse_header(part: bytes) -> Mapping[str, Any]:
    # A provider puts the same header on every token until it changes its key.
    if len(part) > MAX_HEADER_CHARACTERS:
        raise OIDCSize(f"the header has {len(part)} characters")
    try:
        return MappingProxyType(parse_object(decode_base64url(part)))
    except ValueError as error:
        raise OIDCJSON(f"the header is {error}") from error


def decode_base64url(part: bytes) -> bytes:
    """Return the bytes of one part of a token. Raises OIDCForm for padding, white space or stray bits."""
    # Python's decoder forgives; what does not come out the same again was not canonical.
    standard = part.translate(_TO_STANDARD_BASE64)
    try:
        raw = binascii.a2b_base64(standard + b"==")
    except binascii.Error as error:
        raise OIDCForm("a part of the token is not base64url") from error
    if binascii.b2a_base64(raw, newline=False).rstrip(b"=") != standard:
        raise OIDCForm("a part of the token is not canonical base64url")
    return raw


def read_seconds(claims: Mapping[str, Any], name: str, error: type[OutsideValidity]) -> float:
    """Return a moment, in seconds since 1970. Raises ``error`` if it is missing or no number in range."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _YEAR_9999:
        raise error(f"{name} is missing, or is not a number of seconds since 1970")
    return value


def _text(claims: Mapping[str, Any], name: str) -> str | None:
    value = claims.get(name)
    if value is not None and (not isinstance(value, str) or not 0 < len(value) <= MAX_NAME_CHARACTERS):
        raise OIDCClaim(f"{name} is not a string of 1 to {MAX_NAME_CHARACTERS} characters")
    return value


def _texts(claims: Mapping[str, Any], name: str) -> tuple[str, ...]:
    values = claims.get(name, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise OIDCClaim(f"{name} is not a list of strings")
    return tuple(values)


def _drop_unverified_email(claims: Mapping[str, Any], provider: OIDCProvider) -> Mapping[str, Any]:
    """Leave out an address that the provider does not vouch for, where that is asked for (threat OIDC-14).

    Only the boolean ``true`` vouches: some providers send ``"false"`` as a text.
    """
    if claims.get(_verified(provider)) is True or not provider.email_verified_required:
        return claims
    return {name: value for name, value in claims.items() if name != "email"}


def _verified(provider: OIDCProvider) -> str:
    return provider.claims.get("email_verified", "email_verified")


def _rename(claims: Mapping[str, Any], theirs: Mapping[str, str]) -> dict[str, Any]:
    """Give claims our names. What the provider sends under a name that is ours for another claim is left out."""
    kept = dict(claims)
    for name in (*_NOT_ABOUT_THE_PERSON, *theirs, *theirs.values()):
        kept.pop(name, None)
    return kept | {name: claims[their] for name, their in theirs.items() if their in claims}
