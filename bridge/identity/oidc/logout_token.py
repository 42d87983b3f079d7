"""Decides whether a logout token is acceptable: the provider's server says, to ours, that a session there is over.

The checks, in the order in which they run; the first that fails decides. Form and signature are those of an ID token,
and so is the code; everything else is not, since neither kind of token may pass for the other::

     1  decode_token, check_header   three canonical parts, strict JSON, a header that asks for nothing
     2  check_logout_type            a logout token and not another kind of JWT
     3  check_algorithm              pinned by our settings, before any key is looked up
     4  find_signing_key, check_key_fits, check_signature
     5  find_logout_issuer           the provider at whose address the token arrived, or a tenant of it that is listed
     6  check_audience               meant for us
     7  check_logout_times           issued in the last two minutes, and not expired where it says when
     8  check_logout_event           its one statement is that a session has ended
     9  check_no_nonce               it never was the answer to a question
    10  read_token_id                it can be told from every other one
    11  read_target                  about a person, a session, or both

That it is used once is for the caller to check. OpenID Connect Back-Channel Logout 1.0, 2.4 and 2.6; RFC 8417; threat
OIDC-15.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bridge.errors import (
    OIDCJSON,
    OIDCClaim,
    OIDCExpiry,
    OIDCIssuedAt,
    OIDCIssuer,
    OIDCLogoutEvent,
    OIDCLogoutId,
    OIDCLogoutNonce,
    OIDCLogoutTarget,
    OIDCNotBefore,
    OIDCTyp,
)
from bridge.identity.ended import EndedAtProvider
from bridge.identity.oidc.id_token import (
    MAX_NAME_CHARACTERS,
    KeyLookup,
    check_algorithm,
    check_audience,
    check_header,
    check_issuer,
    check_key_fits,
    check_signature,
    check_subject,
    decode_token,
    find_issuer,
    find_signing_key,
    read_seconds,
)
from bridge.identity.oidc.key_set import ProviderKey
from bridge.identity.oidc.strict_json import parse_object
from bridge.identity.providers import TENANT, OIDCProvider

MAX_AGE_SECONDS = 120
"""How long ago a logout token may have been issued: one server sends it straight to the other."""

EVENT = "http://schemas.openid.net/event/backchannel-logout"


@dataclass(frozen=True)
class ExpectedLogoutToken:
    """Whose token it must be, and when."""

    provider: OIDCProvider
    keys: KeyLookup
    algorithms: frozenset[str]
    """What the provider may sign with: its settings, narrowed by its metadata."""
    now: datetime


def verify_logout_token(token: str, expected: ExpectedLogoutToken) -> EndedAtProvider:
    """Return what is over; the token is the expected provider's statement, to us, of the last two minutes.

    Whether it was presented before is for the caller to check, with ``message_id`` and ``accept_until``.

    Raises:
        IdentityError: the leaf of the first check that fails.
        ProviderUnavailable: the provider's keys cannot be had.
    """
    provider = expected.provider
    decoded = decode_token(token)
    header = decoded.unverified_header
    check_header(header)
    check_logout_type(header, provider)
    algorithm = check_algorithm(header, expected.algorithms)
    key = find_signing_key(header, expected.keys)
    check_key_fits(key, algorithm)
    check_signature(decoded, algorithm, key)

    try:
        claims = parse_object(decoded.payload)
    except ValueError as error:
        raise OIDCJSON(f"the payload is {error}") from error
    issuer = find_logout_issuer(claims, provider, key)
    check_audience(claims, provider.client_id)
    accept_until = check_logout_times(claims, provider, expected.now)
    check_logout_event(claims)
    check_no_nonce(claims)
    token_id = read_token_id(claims)
    subject, session_id = read_target(claims)
    return EndedAtProvider(
        issuer=issuer,
        subject=subject,
        session_indexes=() if session_id is None else (session_id,),
        message_id=token_id,
        accept_until=accept_until,
    )


def find_logout_issuer(claims: Mapping[str, Any], provider: OIDCProvider, key: ProviderKey) -> str:
    """Return who makes the statement: the configured issuer, or that of one of the listed tenants.

    A logout token need not name its tenant beside ``iss`` (Back-Channel Logout 2.4), so ``iss`` tells which one it is.

    Raises:
        OIDCIssuer: it is another issuer, or none.
        OIDCTenant: the key signs for another one.
    """
    if TENANT not in provider.issuer:
        check_issuer(claims, provider.issuer)
        return provider.issuer
    of_tenant = {provider.issuer.replace(TENANT, tenant): tenant for tenant in provider.tenants}
    issuer = claims.get("iss")
    if not isinstance(issuer, str) or issuer not in of_tenant:
        raise OIDCIssuer("iss is missing, or of none of tenants")
    return find_issuer({"tid": of_tenant[issuer]}, provider, key)


def check_logout_type(header: Mapping[str, Any], provider: OIDCProvider) -> None:
    """The token says that it is a logout token; ``JWT``, which ID tokens say as well, only where the settings allow it.

    Back-Channel Logout 2.4; RFC 8725 3.11.

    Raises:
        OIDCTyp: it says something else, or nothing.
    """
    allowed = {"logout+jwt", "JWT"} if provider.logout_token_typ_jwt else {"logout+jwt"}
    kind = header.get("typ")
    if not isinstance(kind, str) or kind not in allowed:
        raise OIDCTyp("typ is not logout+jwt; see logout_token_typ_jwt")


def check_logout_times(claims: Mapping[str, Any], provider: OIDCProvider, now: datetime) -> datetime:
    """Return the last moment at which this token would still be accepted.

    ``iat`` is at most two minutes ago, whatever ``exp`` says: one provider grants an hour, another leaves ``exp`` out.

    Raises:
        OIDCIssuedAt: ``iat`` is missing, malformed, in the future or too old.
        OIDCExpiry: ``exp`` is malformed or past.
        OIDCNotBefore: ``nbf`` is malformed or in the future.
    """
    moment, skew = now.timestamp(), provider.clock_skew_seconds
    issued = read_seconds(claims, "iat", OIDCIssuedAt)
    if issued - skew > moment or issued + MAX_AGE_SECONDS + skew < moment:
        raise OIDCIssuedAt(f"issued {moment - issued:.0f} s ago")
    accept_until = issued + MAX_AGE_SECONDS + skew
    if "exp" in claims:
        expires = read_seconds(claims, "exp", OIDCExpiry)
        if expires + skew <= moment:
            raise OIDCExpiry(f"expired {moment - expires:.0f} s ago")
        accept_until = min(accept_until, expires + skew)
    if "nbf" in claims and read_seconds(claims, "nbf", OIDCNotBefore) - skew > moment:
        raise OIDCNotBefore("not valid yet")
    return datetime.fromtimestamp(accept_until, UTC)


def check_logout_event(claims: Mapping[str, Any]) -> None:
    """``events`` has the back-channel logout event, and its value is an object: security event tokens say much else.

    Raises:
        OIDCLogoutEvent: it has not.
    """
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(EVENT), dict):
        raise OIDCLogoutEvent("events is not an object with the back-channel logout event")


def check_no_nonce(claims: Mapping[str, Any]) -> None:
    """There is no ``nonce``, so that no ID token is ever a logout token. Raises OIDCLogoutNonce."""
    if "nonce" in claims:
        raise OIDCLogoutNonce("a nonce in a logout token")


def read_token_id(claims: Mapping[str, Any]) -> str:
    """Return ``jti``. Raises OIDCLogoutId if it is missing or not a text of 1 to 255 characters."""
    token_id = claims.get("jti")
    if not isinstance(token_id, str) or not 0 < len(token_id) <= MAX_NAME_CHARACTERS:
        raise OIDCLogoutId(f"jti is not a string of 1 to {MAX_NAME_CHARACTERS} characters")
    return token_id


def read_target(claims: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return ``sub`` and ``sid``, of which one may be missing. One that is there is well-formed; null is not missing.

    Raises:
        OIDCLogoutTarget: both are missing.
        OIDCSubject: ``sub`` is malformed.
        OIDCClaim: ``sid`` is malformed.
    """
    if "sub" not in claims and "sid" not in claims:
        raise OIDCLogoutTarget("neither sub nor sid")
    if "sub" in claims:
        check_subject(claims)
    session_id = claims.get("sid")
    if "sid" in claims and (not isinstance(session_id, str) or not 0 < len(session_id) <= MAX_NAME_CHARACTERS):
        raise OIDCClaim(f"sid is not a string of 1 to {MAX_NAME_CHARACTERS} characters")
    return claims.get("sub"), session_id
