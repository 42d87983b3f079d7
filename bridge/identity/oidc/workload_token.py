"""Decides whether a workload's token is acceptable, by the checks of ID tokens as far as they are about one.

Steps 1 to 8, 12 and 13 of :mod:`bridge.identity.oidc.id_token` are made as they stand there. No nonce, hash or ``acr``
is looked for, since nobody was asked anything. In their places:

- the audience: every entry of ``aud`` is one that the settings list, since whoever else a token is for could show it
  here;
- what every token of this issuer must state (``required_claims``), such as the number of the one organization at a
  platform that vouches for everybody;
- the first use, where the settings want it. A token without ``jti`` is known by its digest.

RFC 7519, RFC 8725; threat STS-10.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bridge.clock import Clock
from bridge.errors import OIDCAudience, OIDCClaim, OIDCReplay, WorkloadClaim
from bridge.identity.oidc.id_token import (
    MAX_LIFETIME_SECONDS,
    MAX_NAME_CHARACTERS,
    ExpectedToken,
    KeyLookup,
    check_issuer,
    check_subject,
    check_times,
    digest_of,
)
from bridge.identity.oidc.shown_again import OpenedToken, ShownAgain, open_signed
from bridge.identity.oidc.trace import OIDCTrace
from bridge.identity.oidc.workload_keys import WorkloadKeys
from bridge.identity.providers import OIDCProvider
from bridge.identity.replay import ReplayMemory
from bridge.identity.trace import Row, from_now, recent
from bridge.identity.verified import VerifiedIdentity
from bridge.identity.workloads import Workload
from bridge.language import mark

_SHARED = frozenset(
    {
        "token_form", "token_header", "token_type", "algorithm", "key", "key_fits", "signature", "token_content",
        "issuer", "subject", "times", "expires", "lifetime",
    }
)  # fmt: skip


class WorkloadTrace(OIDCTrace):
    """Where the verification of one workload's token is, and what it has seen."""

    workload: Workload
    rows = (
        *(row for row in OIDCTrace.rows if row.name in _SHARED),
        Row(
            "issued",
            mark("It was issued within the last day"),
            lambda trace: from_now(trace.claims["iat"], trace.expected.now),
            lambda trace: recent(MAX_LIFETIME_SECONDS, trace.skew),
        ),
        *(row for row in OIDCTrace.rows if row.name == "not_before"),
        Row(
            "workload_audience",
            mark("The token is meant for us alone"),
            lambda trace: trace.claims.get("aud"),
            lambda trace: list(trace.workload.audiences),
        ),
        Row(
            "workload_claims",
            mark("It states what every token of this issuer must"),
            lambda trace: [f"{name} {trace.claims.get(name)}" for name in trace.workload.required_claims],
            lambda trace: [f"{name} {' or '.join(each)}" for name, each in trace.workload.required_claims.items()],
        ),
        *(row for row in OIDCTrace.rows if row.name == "first_use"),
    )


@dataclass(frozen=True)
class WorkloadToken:
    """A token that passed every check."""

    identity: VerifiedIdentity
    audiences: tuple[str, ...]
    issued_at: datetime
    expires_at: datetime


class WorkloadVerifier:
    """The checks for the tokens of one issuer; shared by all threads."""

    def __init__(self, workload: Workload, keys: WorkloadKeys, replay: ReplayMemory, clock: Clock) -> None:
        """Take the issuer, its keys, and what remembers the tokens that were used."""
        self.provider = workload.as_provider()
        self._workload = workload
        self._keys = keys
        self._replay = replay
        self._clock = clock
        # A token that counts once is not opened twice: the second time, it is refused.
        self._open = open_signed if workload.single_use else ShownAgain().open

    def warm(self) -> None:
        """Have the issuer's keys ready. Raises a leaf of IdentityError if they cannot be had."""
        self._keys.warm()

    def verify(self, token: str, trace: WorkloadTrace) -> WorkloadToken:
        """Return what the token states; where it may be used once, this was the time.

        Raises:
            IdentityError: the leaf of the first check that fails.
            ProviderUnavailable: the issuer's keys cannot be had.
            StoreUnavailable: replay cannot be ruled out.
        """
        trace.workload = self._workload
        now = self._clock.now()
        verified = verify_workload_token(token, self._workload, self.provider, self._keys, now, trace, self._open)
        identity = verified.identity
        trace.at, trace.message_id = "first_use", identity.message_id
        if self._workload.single_use and not self._replay.claim(
            identity.issuer, identity.message_id, identity.accept_until
        ):
            raise OIDCReplay(f"token {identity.message_id} was accepted before")
        return verified


def verify_workload_token(  # noqa: PLR0917  what, by whose rules, with which keys, when
    token: str,
    workload: Workload,
    provider: OIDCProvider,
    keys: KeyLookup,
    now: datetime,
    trace: WorkloadTrace,
    open_it: Callable[[str, ExpectedToken, OIDCTrace], OpenedToken] = open_signed,
) -> WorkloadToken:
    """Return what the token states: its issuer's statement, to us alone, now.

    ``provider`` is the workload's own; ``open_it`` makes steps 1 to 7, the signature being the last.
    Raises what :meth:`WorkloadVerifier.verify` raises, but OIDCReplay.
    """
    algorithms = frozenset(workload.algorithms)
    expected = ExpectedToken(
        provider, keys, algorithms, nonce="", now=now, code="", access_token="", of_a_sign_in=False
    )
    trace.expected, trace.token, trace.workload = expected, token, workload
    decoded, claims, _ = open_it(token, expected, trace)
    trace.at = "issuer"
    check_issuer(claims, workload.issuer)
    trace.at = "subject"
    check_subject(claims)
    _, accept_until = check_times(claims, provider, now, trace, token_age_seconds=MAX_LIFETIME_SECONDS)
    trace.at = "workload_audience"
    audiences = check_workload_audience(claims, workload)
    trace.at = "workload_claims"
    check_required_claims(claims, workload)
    issued_at, expires_at = (datetime.fromtimestamp(claims[name], UTC) for name in ("iat", "exp"))
    identity = VerifiedIdentity(
        provider=workload.name,
        protocol="oidc",
        issuer=workload.issuer,
        subject=claims["sub"],
        claims=claims,
        authenticated_at=issued_at,
        message_id=_read_id(claims) or digest_of(decoded),
        accept_until=accept_until,
        authentication_time_stated=False,
    )
    return WorkloadToken(identity, audiences, issued_at, expires_at)


def check_workload_audience(claims: Mapping[str, Any], workload: Workload) -> tuple[str, ...]:
    """Return the audiences: at least one, and all of them listed in the settings.

    Raises:
        OIDCAudience: the token is for others, for others as well, or for nobody.
    """
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if not audiences or not all(isinstance(each, str) and each in workload.audiences for each in audiences):
        raise OIDCAudience("aud is missing, or is not made of audiences that the settings list")
    return tuple(audiences)


def check_required_claims(claims: Mapping[str, Any], workload: Workload) -> None:
    """The token states each claim that every token of this issuer must, with one of the values; compared exactly.

    Raises:
        WorkloadClaim: it does not.
    """
    for name, values in workload.required_claims.items():
        if claims.get(name) not in values:
            raise WorkloadClaim(f"{name} is missing, or is none of the values that the settings require")


def _read_id(claims: Mapping[str, Any]) -> str | None:
    token_id = claims.get("jti")
    if token_id is not None and (not isinstance(token_id, str) or not 0 < len(token_id) <= MAX_NAME_CHARACTERS):
        raise OIDCClaim(f"jti is not a string of 1 to {MAX_NAME_CHARACTERS} characters")
    return token_id
