"""Equal requests share one exchange: while it is under way, and afterwards while enough of its lifetime is left.

STS answers about 100 calls a second for a whole account, so a build farm or a Monday morning must not become one call
for each person's click. Two requests are equal if the same person, of whom the provider states the same as far as any
rule reads it, asks for the same role with the same policy, length and session name, under the same account file.

- Within a process the first of equal requests asks, and the others wait for it: for what it got, or how it failed.
- Between processes a short lock in Redis says who asks. The lock is for economy alone: whoever holds it for too long
  loses it, and what that costs is a second exchange.
- What came back is sealed in Redis, under a name that only this person's request leads to, with the word of the
  person's last sign-out: after the next one, it is nobody's.

Nothing is shared before it is recorded: ``record`` runs between the exchange and everybody who waits for it. Where
Redis does not answer, each process asks for itself.

========================================================  ==========================================================
``rambridge:credentials:<digest of the request>``         the credentials, sealed; until too little is left of them
``rambridge:credentials-asked:<digest of the request>``   who asks STS at this moment, since the last sign-out; for one
                                                          deadline
``rambridge:credentials-of:<digest of the person>``       sorted set of the first kind of name by its end
``rambridge:credentials-since:<digest of the person>``    a random word, new at each sign-out; known to the first two
========================================================  ==========================================================
"""

import logging
import random
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from bridge.clock import Clock
from bridge.entitlements.choice import Choice
from bridge.errors import ExchangeUnavailable, StoreUnavailable, Unsealable
from bridge.exchange.assume import Exchange, RoleSession
from bridge.exchange.credentials import TemporaryCredentials
from bridge.exchange.deadline import Deadline
from bridge.exchange.waiting_room import WaitingRoom
from bridge.sealing import Sealer
from bridge.store_connection import RedisClient, build_key, store_errors

ENOUGH = timedelta(minutes=20)
"""More than any SDK's stale window (15 minutes), so that nobody gets what has to be renewed at once."""
ENOUGH_OF_SHORT = 2 / 3
"""Of a session that is too short for that."""
POLL_SECONDS = 0.05
LONGEST = timedelta(hours=12)
"""STS issues nothing that lasts longer."""

OPENED = 256
"""How many kept credentials stay open in memory: they are asked for again and again, and opening takes time."""

_TOLERANCE = timedelta(seconds=2)
"""Limits are in whole seconds, and asking takes time."""
_LOG = logging.getLogger(__name__)

Record = Callable[[TemporaryCredentials], None]


def _do_nothing() -> None:
    pass


@dataclass(frozen=True)
class Release:
    """Credentials that may be released, and where they come from."""

    credentials: TemporaryCredentials
    latest_end: datetime
    """The end that the limits of that moment allowed; UTC."""
    reference: str
    """Of the request that led to the exchange: its audit record has it."""


class _Kept(NamedTuple):
    """What is kept under one name."""

    release: Release
    since: str
    """The word of the person's last sign-out at that time; empty without one."""


class _Requester(NamedTuple):
    """What one request brings along."""

    reference: str
    record: Record
    before_asking: Callable[[], None]


@dataclass
class _Flight:
    """One exchange that equal requests of this process wait for."""

    done: threading.Event = field(default_factory=threading.Event)
    release: Release | None = None
    failure: Exception | None = None


class CredentialsCache:
    """Stands in front of the exchange."""

    def __init__(self, exchange: Exchange, redis: RedisClient, sealer: Sealer, clock: Clock, room: WaitingRoom) -> None:
        """Take the exchange, the store with what seals in it, and where releases wait."""
        self._exchange = exchange
        self._redis = redis
        self._sealer = sealer
        self._clock = clock
        self._room = room
        self._open = lru_cache(maxsize=OPENED)(lambda key, sealed: _unpack(sealer.open_json(key, sealed)))
        self._flights: dict[str, _Flight] = {}
        self._lock = threading.Lock()

    def obtain(
        self, choice: Choice, reference: str, record: Record, before_asking: Callable[[], None] = _do_nothing
    ) -> Release:
        """Return credentials for the choice: new ones, or those of an equal request.

        Args:
            choice: checked against the rules of this moment, since nothing here asks them again.
            reference: of this request.
            record: records new credentials; nobody gets them before it has returned. Not called for others.
            before_asking: is called before STS is asked; STS is not asked if it raises.

        Raises:
            ExchangeCrowded: too many of this process wait already.
            ExchangeError: see :meth:`bridge.exchange.assume.Exchange.issue`; of the request that asked, for all.
            Exception: what ``record`` or ``before_asking`` raises; nothing is shared then.
        """
        session = self._exchange.plan(choice)
        deadline = Deadline(session.account.timeout_seconds)
        key = _name(choice, session, self._exchange.settings_of(session.account.name))
        try:
            kept = self._find(key, choice, session)
        except StoreUnavailable as error:
            _LOG.warning("credentials are not shared: %s", error.detail)
        else:
            if kept is not None:
                return kept
        with self._room.place():
            return self._obtain(key, choice, session, deadline, _Requester(reference, record, before_asking))

    def _obtain(
        self, key: str, choice: Choice, session: RoleSession, deadline: Deadline, requester: _Requester
    ) -> Release:
        while True:
            with self._lock:
                flight = self._flights.get(key)
                leads = flight is None
                if flight is None:
                    flight = self._flights[key] = _Flight()
            if leads:
                return self._lead(flight, key, choice, session, deadline, requester)
            if not flight.done.wait(deadline.left()):
                raise ExchangeUnavailable(f"an equal request still waits for STS of {session.account.name}")
            if flight.failure is not None:
                raise flight.failure
            if flight.release is not None and self._fits(flight.release, session):
                return replace(flight.release, credentials=replace(flight.release.credentials, reused=True))

    def forget(self, issuer: str, subject: str) -> None:
        """Drop all that is kept for a person, and what is under way: it is kept under a name that nobody asks for.

        Raises StoreUnavailable.
        """
        index = _index(issuer, subject)
        with store_errors():
            self._redis.set(_since(issuer, subject), secrets.token_hex(16).encode(), px=LONGEST + timedelta(hours=1))
            for key in self._redis.zrange(index, 0, -1):
                self._redis.delete(key)
            self._redis.delete(index)

    def _find_last_sign_out(self, choice: Choice) -> str | None:
        """Return the word of the person's last sign-out, empty without one; None if the store does not answer."""
        try:
            with store_errors():
                return (self._redis.get(_since(choice.identity.issuer, choice.identity.subject)) or b"").decode()
        except StoreUnavailable as error:
            _LOG.warning("credentials are not shared: %s", error.detail)
            return None

    def _lead(  # noqa: PLR0917
        self,
        flight: _Flight,
        key: str,
        choice: Choice,
        session: RoleSession,
        deadline: Deadline,
        requester: _Requester,
    ) -> Release:
        try:
            since = self._find_last_sign_out(choice)
            release = self._find_or_issue(key, since, choice, session, deadline, requester)
            if release.credentials.reused or since is None or since == self._find_last_sign_out(choice):
                flight.release = release  # else those who wait may have come after the sign-out, and ask again
        except Exception as failure:
            flight.failure = failure
            raise
        else:
            return release
        finally:
            with self._lock:
                del self._flights[key]
            flight.done.set()

    def _find_or_issue(  # noqa: PLR0917
        self,
        key: str,
        since: str | None,
        choice: Choice,
        session: RoleSession,
        deadline: Deadline,
        requester: _Requester,
    ) -> Release:
        """Return what is kept, or ask STS; ``since`` is None where the store does not answer."""
        turn, token = build_key("credentials-asked", key, since or ""), secrets.token_bytes(16)
        stored = since is not None
        try:
            kept = self._wait_for_turn(key, turn, token, choice, session, deadline) if stored else None
            if kept is not None:
                return kept
        except StoreUnavailable as error:
            _LOG.warning("credentials are not shared: %s", error.detail)
            stored = False
        try:
            requester.before_asking()
            credentials = self._exchange.issue_planned(session, deadline)
            requester.record(credentials)
            release = Release(credentials, session.latest_end, requester.reference)
            if stored:
                self._keep(key, choice, _Kept(release, since or ""))
        finally:
            if stored:
                self._end_turn(turn, token)
        return release

    def _wait_for_turn(  # noqa: PLR0917
        self, key: str, turn: str, token: bytes, choice: Choice, session: RoleSession, deadline: Deadline
    ) -> Release | None:
        """Return what is kept, or None as soon as nobody else asks."""
        lock_milliseconds = int(session.account.timeout_seconds * 1000)
        while True:
            with store_errors():
                if self._redis.set(turn, token, nx=True, px=lock_milliseconds):
                    break
            kept = self._find(key, choice, session)
            if kept is not None:
                return kept
            pause = POLL_SECONDS * random.uniform(0.5, 1.5)  # noqa: S311  not a secret
            if pause >= deadline.left():
                raise ExchangeUnavailable(f"another process still waits for STS of {session.account.name}")
            time.sleep(pause)
        # Between the look and the turn, whoever had it may have finished.
        kept = self._find(key, choice, session)
        if kept is not None:
            self._end_turn(turn, token)
        return kept

    def _end_turn(self, turn: str, token: bytes) -> None:
        try:
            with store_errors():
                # Two commands: should the lock change hands between them, somebody asks once more.
                if self._redis.get(turn) == token:
                    self._redis.delete(turn)
        except StoreUnavailable as error:
            _LOG.warning("a turn at STS was not given back: %s", error.detail)

    def _find(self, key: str, choice: Choice, session: RoleSession) -> Release | None:
        """Return what is kept and may be released now. Raises StoreUnavailable."""
        pipeline = self._redis.pipeline(transaction=False)
        # In this order: what was kept before a sign-out is not found after it.
        pipeline.get(key)
        pipeline.get(_since(choice.identity.issuer, choice.identity.subject))
        with store_errors():
            sealed, since = pipeline.execute()
        if sealed is None:
            return None
        try:
            kept = self._open(key, sealed)
        except Unsealable as error:
            _LOG.warning("kept credentials do not open: %s", error.detail)
            return None
        if kept.since != (since or b"").decode():
            return None
        return kept.release if self._fits(kept.release, session) and self._has_enough(kept.release) else None

    def _keep(self, key: str, choice: Choice, kept: _Kept) -> None:
        """Keep what was recorded. Whether that succeeds is nothing to the person who waits for it."""
        lifetime = self._left(kept.release) - _enough(kept.release)
        if lifetime <= timedelta(0):
            return
        index, now = _index(choice.identity.issuer, choice.identity.subject), self._clock.now()
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.zadd(index, {key: (now + lifetime).timestamp()})
        pipeline.zremrangebyscore(index, "-inf", now.timestamp())
        pipeline.pexpire(index, LONGEST)
        pipeline.set(key, self._sealer.seal_json(key, _pack(kept)), px=lifetime)
        try:
            with store_errors():
                pipeline.execute()
        except StoreUnavailable as error:
            _LOG.warning("credentials were not kept: %s", error.detail)

    def _left(self, release: Release) -> timedelta:
        """Return how long they last yet, by STS's word or by our own arithmetic, whichever is less."""
        return min(release.credentials.expires_at, release.latest_end) - self._clock.now()

    def _has_enough(self, release: Release) -> bool:
        return self._left(release) >= _enough(release)

    def _fits(self, release: Release, session: RoleSession) -> bool:
        """The limits of this moment allow a session that ends then, for exactly this role and session name."""
        arn = f"{session.account.role_arn(session.role)}/{session.name}"
        return release.credentials.assumed_role_arn == arn and release.latest_end <= session.latest_end + _TOLERANCE


def _enough(release: Release) -> timedelta:
    return min(ENOUGH, timedelta(seconds=release.credentials.duration_seconds * ENOUGH_OF_SHORT))


def _name(choice: Choice, session: RoleSession, account_settings: str) -> str:
    """Return the name under which equal requests meet. Whatever else could change what STS gives is part of it."""
    entitlement = choice.entitlement
    return build_key(
        "credentials",
        choice.statement,
        entitlement.kind,
        entitlement.name,
        account_settings,
        session.role,
        session.name,
        session.source_identity or "",
        session.policy or "",
        str(choice.narrowed_by_caller),
        str(choice.requested_duration_seconds or ""),
        str(entitlement.duration_seconds),
        str(session.proxy_count),
    )


def _index(issuer: str, subject: str) -> str:
    return build_key("credentials-of", issuer, subject)


def _since(issuer: str, subject: str) -> str:
    return build_key("credentials-since", issuer, subject)


def _pack(kept: _Kept) -> dict[str, Any]:
    release, credentials = kept.release, kept.release.credentials
    return {
        "access_key_id": credentials.access_key_id,
        "access_key_secret": credentials.access_key_secret,
        "security_token": credentials.security_token,
        "expires_at": credentials.expires_at.timestamp(),
        "assumed_role_arn": credentials.assumed_role_arn,
        "assumed_role_id": credentials.assumed_role_id,
        "role_session_name": credentials.role_session_name,
        "request_id": credentials.request_id,
        "duration_seconds": credentials.duration_seconds,
        "decided_by": credentials.decided_by,
        "limits": credentials.limits,
        "source_identity": credentials.source_identity,
        "latest_end": release.latest_end.timestamp(),
        "reference": release.reference,
        "since": kept.since,
    }


def _unpack(content: Any) -> _Kept:
    try:
        values = dict(content)
        since = str(values.pop("since"))
        latest_end = datetime.fromtimestamp(values.pop("latest_end"), UTC)
        reference = values.pop("reference")
        values["limits"] = tuple((str(name), int(seconds)) for name, seconds in values["limits"])
        values["expires_at"] = datetime.fromtimestamp(values["expires_at"], UTC)
        return _Kept(Release(TemporaryCredentials(**values, reused=True), latest_end, reference), since)
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError, OSError) as error:
        raise Unsealable("kept credentials are not what this version keeps") from error
