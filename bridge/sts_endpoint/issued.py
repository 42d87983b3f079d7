"""Remembers the credentials that were released, so that their holders may call the STS endpoint with them.

Whoever asks a question with them is the session that they were issued for, on behalf of the identity that was verified
at the beginning: rules are asked about that one again. What is kept is sealed, under the key id, until an hour after
the credentials end. Of the token only a digest is kept: it has to be the same, and is never needed again.

Equal requests share credentials, so the same may be released to many. What is remembered of them is written once:
whoever gets them later must come to the same for every rule, or does not get them (threat STS-05). Since it never
changes, a process asks the store about it once a minute, and not at each release.
"""

import hashlib
import hmac
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from bridge.clock import Clock
from bridge.entitlements.choice import Choice
from bridge.entitlements.reading import Reading
from bridge.errors import ExchangeMismatch, Unsealable
from bridge.exchange.credentials import TemporaryCredentials
from bridge.identity.stored import pack_identity, unpack_identity
from bridge.identity.verified import VerifiedIdentity
from bridge.sealing import Sealer
from bridge.store_connection import RedisClient, build_key, store_errors
from bridge.sts_wire.arn import ARN, parse_arn

KEPT_AFTER_END = timedelta(hours=1)
"""So that a caller learns that a session has ended, and not that it never was."""
LOOKED_UP_FOR = timedelta(minutes=1)
"""A store that lost its memory gets it back after that."""
MOST_LOOKED_UP = 10_000


@dataclass(frozen=True)
class IssuedSession:
    """One released set of credentials, and who is behind it."""

    secret: str = field(repr=False)
    token_digest: bytes = field(repr=False)
    expires_at: datetime
    role: ARN
    session_name: str
    role_id: str
    identity: VerifiedIdentity
    """Its ``valid_until`` is no later than the end of the credentials: no chain of roles outlasts its first one."""
    known: Reading
    """What of the identity is the same for all to whom these credentials were released."""
    narrowed: bool
    """Whether a policy of the caller narrows it."""

    def has_token(self, token: str) -> bool:
        """Return whether it is the security token of these credentials; in constant time."""
        return hmac.compare_digest(_digest(token), self.token_digest)


class _Known(NamedTuple):
    """For whom credentials are remembered."""

    reading: Reading
    statement: str
    narrowed: bool
    look_again_at: datetime

    def covers(self, choice: Choice) -> bool:
        """Return whether the choice is on behalf of somebody of whom the same is stated, narrowed alike."""
        same = choice.statement if choice.reading == self.reading else self.reading.digest(choice.identity)
        return same == self.statement and choice.narrowed_by_caller == self.narrowed


class IssuedCredentials:
    """The memory, shared by all machines."""

    def __init__(self, redis: RedisClient, sealer: Sealer, clock: Clock) -> None:
        """Take the store, what seals for it, and the clock."""
        self._redis = redis
        self._sealer = sealer
        self._clock = clock
        self._known: dict[str, _Known] = {}

    def remember(self, choice: Choice, credentials: TemporaryCredentials) -> None:
        """Keep the credentials that are about to be released for a choice.

        Raises:
            ExchangeMismatch: they are remembered already, for somebody of whom something else was stated.
            StoreUnavailable: they cannot be kept.
        """
        now = self._clock.now()
        known = self._known.get(credentials.access_key_id)
        if known is None or known.look_again_at <= now:
            known = self._write_once(choice, credentials, now)
            if len(self._known) >= MOST_LOOKED_UP:
                self._known.clear()
            self._known[credentials.access_key_id] = known
        if not known.covers(choice):
            raise ExchangeMismatch("these credentials were released for another statement, or narrowed otherwise")

    def _write_once(self, choice: Choice, credentials: TemporaryCredentials, now: datetime) -> _Known:
        """Keep the credentials if they are not yet; return for whom they are."""
        identity, reading = choice.identity, choice.reading
        ends = [moment for moment in (identity.valid_until, credentials.expires_at) if moment is not None]
        arn = credentials.assumed_role_arn.removesuffix(f"/{credentials.role_session_name}")
        key = build_key("issued", credentials.access_key_id)
        sealed = self._sealer.seal_json(
            key,
            [
                credentials.access_key_secret,
                _digest(credentials.security_token).hex(),
                credentials.expires_at.timestamp(),
                arn,
                credentials.role_session_name,
                credentials.assumed_role_id.partition(":")[0],
                pack_identity(replace(identity, valid_until=min(ends))),
                [None if reading.claims is None else sorted(reading.claims), reading.authentication_time],
                choice.narrowed_by_caller,
            ],
        )
        lifetime = max(credentials.expires_at - now, timedelta(0)) + KEPT_AFTER_END
        with store_errors():
            first = self._redis.set(key, sealed, nx=True, px=lifetime)
        until = now + LOOKED_UP_FOR
        if first is not None:
            return _Known(reading, choice.statement, choice.narrowed_by_caller, until)
        kept = self.find(credentials.access_key_id)
        if kept is None:
            raise ExchangeMismatch("what is remembered of these credentials cannot be read")
        return _Known(kept.known, kept.known.digest(kept.identity), kept.narrowed, until)

    def find(self, access_key_id: str) -> IssuedSession | None:
        """Return the session of these credentials, None for a key that we do not know. Raises StoreUnavailable."""
        key = build_key("issued", access_key_id)
        with store_errors():
            sealed = self._redis.get(key)
        if sealed is None:
            return None
        try:
            return _unpack(self._sealer.open_json(key, sealed))
        except Unsealable:
            return None


def _unpack(value: Any) -> IssuedSession:
    try:
        secret, token_digest, expires_at, arn, session_name, role_id, identity, (claims, time), narrowed = value
        return IssuedSession(
            secret=secret,
            token_digest=bytes.fromhex(token_digest),
            expires_at=datetime.fromtimestamp(expires_at, UTC),
            role=parse_arn(arn, "role"),
            session_name=session_name,
            role_id=role_id,
            identity=unpack_identity(identity),
            known=Reading(None if claims is None else frozenset(claims), bool(time)),
            narrowed=bool(narrowed),
        )
    except (ValueError, TypeError) as error:
        raise Unsealable("not a session in the form that this version writes") from error


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
