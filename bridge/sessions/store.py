"""Sessions in Redis: create, load, end one or many. A browser has one by its cookie, a terminal by its token.

=====================================================  =============================================================
``rambridge:session:<digest of the cookie>``           the session, sealed under this name; lives to its end
``rambridge:terminal:<digest of the token>``           the same for a terminal; it has no idle end
``rambridge:sessions-of:<digest of the person>``       sorted set of the digests above by their absolute end
``rambridge:sessions-at:<digest of SessionIndex>``     the same, by the provider's own session
=====================================================  =============================================================

Each command names one key, and no step depends on two keys changing together, so the same code runs on Cluster. An
index may name sessions that are over; a session that is not over is always in its indexes.
"""

import logging
import re
import secrets
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal

from bridge.clock import Clock
from bridge.errors import SessionError, SessionExpired, SessionMissing, Unsealable
from bridge.identity.verified import VerifiedIdentity
from bridge.sealing import Sealer
from bridge.sessions.session import Session, pack_session, unpack_session
from bridge.store_connection import RedisClient, build_key, store_errors

COOKIE_BYTES = 32
LARGEST_TOUCH_SECONDS = 60

_COOKIE_VALUE = re.compile(r"[A-Za-z0-9_-]{43}")
_LOG = logging.getLogger(__name__)


Kind = Literal["session", "terminal"]
"""Part of the name under which a session is kept, so a terminal's token is no cookie, and the reverse."""


def session_key(cookie_value: str, kind: Kind = "session") -> str:
    """Return the name under which the session of this cookie is kept. It does not lead back to the cookie."""
    return build_key(kind, cookie_value)


def new_value() -> str:
    """Return 256 fresh random bits, base64url: what will name a session."""
    return secrets.token_urlsafe(COOKIE_BYTES)


class SessionStore:
    """The sessions of everybody who is signed in, of one kind. The indexes of a person know those of every kind."""

    def __init__(
        self,
        redis: RedisClient,
        sealer: Sealer,
        clock: Clock,
        idle_seconds: int,
        absolute_seconds: int,
        *,
        kind: Kind = "session",
    ) -> None:
        """Take how long a session lives unused, and how long it lives at most."""
        self._kind = kind
        self._redis = redis
        self._sealer = sealer
        self._clock = clock
        self._idle = timedelta(seconds=idle_seconds)
        self._absolute = timedelta(seconds=absolute_seconds)
        self._touch_after = min(timedelta(seconds=LARGEST_TOUCH_SECONDS), self._idle / 10)

    def create(
        self,
        identity: VerifiedIdentity,
        replaces: str | None = None,
        ends_by: datetime | None = None,
        value: str | None = None,
        *,
        program: str = "",
        opened_from: str = "",
    ) -> tuple[str, Session]:
        """Start a session; return the value of its cookie, which exists nowhere else, and the session.

        The identifier is always new and the session that it ``replaces`` (a :func:`session_key`) is over: whoever
        planted or saw an identifier before sign-in has nothing after it (session fixation, CWE-384). One round trip.
        It is over at ``ends_by`` (UTC) at the latest. ``value`` is a fresh one that the caller made beforehand, by
        :func:`new_value`. Which program opens it, and from which address, is kept for the person to see.

        Raises SessionExpired if the provider's own session is over already.
        """
        now = self._clock.now()
        limits = (now + self._absolute, identity.valid_until, ends_by)
        ends_at = min(limit for limit in limits if limit is not None)
        if ends_at <= now:
            raise SessionExpired("the provider's session was over before ours began")
        session = Session(identity, now, now, ends_at, secrets.token_urlsafe(24), program, opened_from)
        cookie_value = value or new_value()
        key = session_key(cookie_value, self._kind)
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.set(key, self._seal(key, session), px=self._lifetime(session))
        for index in _index_keys(identity):
            pipeline.zadd(index, {key: ends_at.timestamp()})
            pipeline.zremrangebyscore(index, "-inf", now.timestamp())
            pipeline.pexpire(index, self._absolute)
        if replaces is not None:
            pipeline.delete(replaces)
        with store_errors():
            pipeline.execute()
        return cookie_value, session

    def load(self, cookie_value: str) -> Session:
        """Return the session of this cookie, and postpone its idle end.

        One round trip; a second one at most once a minute, to write the time down (with the current sealing key).

        Raises SessionMissing if there is none, SessionExpired if it is over or its value is not what we stored.
        """
        if not _COOKIE_VALUE.fullmatch(cookie_value):
            raise SessionMissing("the cookie is not one of ours")
        key = session_key(cookie_value, self._kind)
        return self._touch(key, self._read(key))

    def find(self, key: str) -> Session | None:
        """Return the session of this :func:`session_key`, or None if there is none; its idle end stays."""
        try:
            return self._read(key)
        except SessionError:
            return None

    def end(self, cookie_value: str) -> bool:
        """Make the session of this cookie be over; return whether there was one."""
        with store_errors():
            return self._redis.delete(session_key(cookie_value, self._kind)) == 1

    def end_all(self, issuer: str, subject: str) -> tuple[VerifiedIdentity, ...]:
        """Make every session of this person be over; return whose they were, one entry for each."""
        return self._end_with_newborn_terminals(_person_key(issuer, subject))

    def end_by_session_index(
        self, issuer: str, session_index: str, subject: str | None = None
    ) -> tuple[VerifiedIdentity, ...]:
        """Make every session that came from this session at the provider be over; return whose they were.

        With a ``subject``, only this person's: whoever guesses or learns a SessionIndex must not end others' sessions.
        """
        indexes = [_provider_session_key(issuer, session_index)]
        if subject is not None:
            indexes.append(_person_key(issuer, subject))
        return self._end_with_newborn_terminals(*indexes)

    def end_own(self, issuer: str, subject: str) -> tuple[VerifiedIdentity, ...]:
        """Make every session of this person be over that is of this store's kind; return whose they were."""
        return self._end_indexed(_person_key(issuer, subject), kind=self._kind)

    def list_of(self, issuer: str, subject: str) -> list[tuple[str, Session]]:
        """Return every session of this person, of both kinds, by its :func:`session_key`, the newest first."""
        with store_errors():
            keys = self._redis.zrange(_person_key(issuer, subject), 0, -1)
            pipeline = self._redis.pipeline(transaction=False)
            for key in keys:
                pipeline.get(key.decode())
            values = pipeline.execute() if keys else []
        pairs = ((key.decode(), sealed) for key, sealed in zip(keys, values, strict=True) if sealed is not None)
        opened = ((key, self._open(key, sealed)) for key, sealed in pairs)
        now = self._clock.now()
        found = [(key, session) for key, session in opened if session is not None and session.ends_at > now]
        return sorted(found, key=lambda pair: pair[1].created_at, reverse=True)

    def end_key(self, key: str) -> bool:
        """Make the session of this :func:`session_key` be over; return whether there was one."""
        with store_errors():
            return self._redis.delete(key) == 1

    def _read(self, key: str) -> Session:
        try:
            with store_errors():
                sealed = self._redis.get(key)
            if sealed is None:
                raise SessionMissing("no session of that name, or it was idle for too long")
            session = unpack_session(self._sealer.open_json(key, sealed))
        except Unsealable as error:
            _LOG.warning("a session does not open: %s", error.detail)
            raise SessionExpired(f"the stored session does not open: {error.detail}") from error
        if self._clock.now() >= self._end_of(session):
            raise SessionExpired("idle for too long, or at its absolute end")
        return session

    def _touch(self, key: str, session: Session) -> Session:
        now = self._clock.now()
        if now - session.last_seen_at < self._touch_after:
            return session
        seen = replace(session, last_seen_at=now)
        with store_errors():
            still_there = self._redis.set(key, self._seal(key, seen), px=self._lifetime(seen), xx=True)
        if not still_there:
            raise SessionMissing("the session was ended a moment ago")
        return seen

    def _end_with_newborn_terminals(self, *indexes: str) -> tuple[VerifiedIdentity, ...]:
        """End all, and then the terminals that were opened from one of these between the look and its end.

        From here on, whoever opens one sees that the session that let it in is gone.
        """
        return self._end_indexed(*indexes) + self._end_indexed(*indexes, kind="terminal")

    def _end_indexed(self, *indexes: str, kind: Kind | None = None) -> tuple[VerifiedIdentity, ...]:
        """End the sessions that stand in each of these indexes. Taking a session and ending it is one command."""
        prefix = session_key("", kind).rpartition(":")[0] if kind else ""
        with store_errors():
            found = set.intersection(*(set(self._redis.zrange(index, 0, -1)) for index in indexes))
            keys = {key for key in found if key.startswith(prefix.encode())}
            if not keys:
                return ()
            pipeline = self._redis.pipeline(transaction=False)
            for key in keys:
                pipeline.getdel(key)
            # Not the whole index: a session that began meanwhile must stay findable.
            for index in indexes:
                pipeline.zrem(index, *keys)
            values = pipeline.execute()[: len(keys)]
        pairs = zip(keys, values, strict=True)
        sessions = (self._open(key.decode(), sealed) for key, sealed in pairs if sealed is not None)
        return tuple(session.identity for session in sessions if session is not None)

    def _open(self, key: str, sealed: bytes) -> Session | None:
        try:
            return unpack_session(self._sealer.open_json(key, sealed))
        except Unsealable as error:
            _LOG.warning("a session that was ended does not open: %s", error.detail)
            return None

    def _seal(self, key: str, session: Session) -> bytes:
        return self._sealer.seal_json(key, pack_session(session))

    def _end_of(self, session: Session) -> datetime:
        return min(session.ends_at, session.last_seen_at + self._idle)

    def _lifetime(self, session: Session) -> timedelta:
        return max(self._end_of(session) - session.last_seen_at, timedelta(milliseconds=1))


def _index_keys(identity: VerifiedIdentity) -> list[str]:
    keys = [_person_key(identity.issuer, identity.subject)]
    if identity.session_index:
        keys.append(_provider_session_key(identity.issuer, identity.session_index))
    return keys


def _person_key(issuer: str, subject: str) -> str:
    return build_key("sessions-of", issuer, subject)


def _provider_session_key(issuer: str, session_index: str) -> str:
    return build_key("sessions-at", issuer, session_index)
