"""A sign-in in flight: our memory of the question, so that only its own answer is accepted."""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from bridge.clock import Clock
from bridge.errors import Unsealable
from bridge.identity.ended import EndedAtProvider
from bridge.identity.step_up import StepUp
from bridge.identity.stored import pack_identity, unpack_identity
from bridge.identity.verified import VerifiedIdentity
from bridge.sealing import Sealer
from bridge.store_connection import RedisClient, build_key, store_errors

LIFETIME_SECONDS = 600
"""How long an answer may take."""
CONFIRMATION_SECONDS = 300
"""How long a person may take to confirm a sign-in that was not started here."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class PendingSignIn:
    """What we asked, and for which browser."""

    handle: str
    """RelayState or ``state``: 256 random bits, base64url."""
    provider: str
    protocol: Literal["saml", "oidc"]
    browser: str
    """The SHA-256 (hex) of the browser's sign-in cookie: the answer must come from the same browser."""
    expires_at: datetime
    request_id: str = ""
    """SAML: the ``ID`` of our AuthnRequest."""
    nonce: str = ""
    """OIDC: the nonce of the authorization request."""
    code_verifier: str = ""
    """OIDC: the PKCE verifier."""
    return_to: str = "/"
    """Where the person wanted to go: a local path."""
    replaces_session: str | None = None
    """The key of the session that the browser had when it asked, if any."""
    asked_at: datetime | None = None
    """When we asked. None: by a version of us that did not remember it."""
    step_up: StepUp | None = None
    """Whom we asked for a stronger or more recent sign-in, if that was the question."""


class PendingSignIns:
    """Keeps sign-ins in flight in Redis, each until it is used or too old."""

    def __init__(self, redis: RedisClient, sealer: Sealer, clock: Clock) -> None:
        """Take the store, the sealer (a nonce and a PKCE verifier are secrets) and the clock."""
        self._redis = redis
        self._sealer = sealer
        self._clock = clock

    def save(self, pending: PendingSignIn) -> None:
        """Remember the question until its ``expires_at``."""
        key = build_key("pending", pending.handle)
        asked_at = pending.asked_at.timestamp() if pending.asked_at else None
        fields = asdict(pending) | {"expires_at": pending.expires_at.timestamp(), "asked_at": asked_at}
        lifetime = max(pending.expires_at - self._clock.now(), timedelta(seconds=1))
        with store_errors():
            self._redis.set(key, self._sealer.seal_json(key, fields), px=lifetime)

    def find(self, handle: str) -> PendingSignIn | None:
        """Return the question with this handle, unless it is too old or used. It stays usable.

        A wrong answer must not use up the question: whoever learns a handle could then stop its sign-in.
        """
        key = build_key("pending", handle)
        try:
            with store_errors():
                sealed = self._redis.get(key)
            pending = _parse_pending(self._sealer.open_json(key, sealed)) if sealed is not None else None
        except Unsealable as error:
            _LOG.warning("a pending sign-in does not open: %s", error.detail)
            return None
        return pending if pending is not None and pending.expires_at > self._clock.now() else None

    def consume(self, handle: str) -> bool:
        """Return True for the one caller that uses the question up, False for every other one.

        Call it once the answer is verified and before acting on it.
        """
        with store_errors():
            return self._redis.delete(build_key("pending", handle)) == 1


class UnconfirmedSignIns:
    """Keeps a verified identity until the person has confirmed that they mean to sign in here, as this person.

    A response that nobody here asked for could have been posted by somebody else's page, to sign a person in as
    somebody else (login CSRF, RFC 6749 10.12). So it waits for a click in the same browser. It stands in no index;
    what ends it when the provider's session is over is a mark with that session's names, looked for at the click.
    """

    def __init__(self, redis: RedisClient, sealer: Sealer, clock: Clock) -> None:
        """Take the store, the sealer and the clock."""
        self._redis = redis
        self._sealer = sealer
        self._clock = clock

    def save(self, token: str, browser: str, identity: VerifiedIdentity) -> None:
        """Remember the identity for five minutes, for this token in this browser (the digest of its cookie)."""
        key = build_key("unconfirmed", token, browser)
        ends_at = self._clock.now() + timedelta(seconds=CONFIRMATION_SECONDS)
        sealed = self._sealer.seal_json(key, [ends_at.timestamp(), pack_identity(identity)])
        with store_errors():
            self._redis.set(key, sealed, px=timedelta(seconds=CONFIRMATION_SECONDS))

    def take(self, token: str, browser: str) -> VerifiedIdentity | None:
        """Return the identity to the first caller with this token from this browser, None to every other one.

        None as well if its session at the provider has ended meanwhile. The browser is part of the key, so another
        browser finds nothing and uses nothing up.
        """
        key = build_key("unconfirmed", token, browser)
        try:
            with store_errors():
                sealed = self._redis.getdel(key)
            if sealed is None:
                return None
            ends_at, identity = _parse_unconfirmed(self._sealer.open_json(key, sealed))
            is_over = self._has_ended(identity, ends_at - timedelta(seconds=CONFIRMATION_SECONDS))
        except Unsealable as error:
            _LOG.warning("an unconfirmed sign-in does not open: %s", error.detail)
            return None
        return identity if ends_at > self._clock.now() and not is_over else None

    def end(self, over: EndedAtProvider) -> None:
        """Make every identity that waits, and came from what is over, be taken by nobody."""
        pipeline = self._redis.pipeline(transaction=False)
        for index in over.session_indexes or ("",):
            key = build_key("ended", over.issuer, index, over.subject or "")
            sealed = self._sealer.seal_json(key, self._clock.now().timestamp())
            pipeline.set(key, sealed, px=timedelta(seconds=CONFIRMATION_SECONDS))
        with store_errors():
            pipeline.execute()

    def _has_ended(self, identity: VerifiedIdentity, since: datetime) -> bool:
        """Return whether a mark of this moment or later is for this person, this session at the provider, or both."""
        index = identity.session_index
        names = [("", identity.subject), *([(index, ""), (index, identity.subject)] if index else [])]
        keys = [build_key("ended", identity.issuer, *name) for name in names]
        pipeline = self._redis.pipeline(transaction=False)
        for key in keys:
            pipeline.get(key)
        with store_errors():
            found = zip(keys, pipeline.execute(), strict=True)
        return any(self._sealer.open_json(key, mark) >= since.timestamp() for key, mark in found if mark is not None)


def _parse_pending(fields: Mapping[str, Any]) -> PendingSignIn:
    try:
        expires_at = datetime.fromtimestamp(fields["expires_at"], UTC)
        asked = fields.get("asked_at")
        asked_at = None if asked is None else datetime.fromtimestamp(asked, UTC)
        step_up = fields.get("step_up")
        if step_up is not None:
            step_up = StepUp(**{**step_up, "acr": tuple(step_up["acr"])})
        return PendingSignIn(**{**fields, "expires_at": expires_at, "asked_at": asked_at, "step_up": step_up})
    except (KeyError, TypeError, ValueError) as error:
        raise Unsealable("not a pending sign-in in the form that this version writes") from error


def _parse_unconfirmed(value: Any) -> tuple[datetime, VerifiedIdentity]:
    try:
        ends_at, packed = value
        return datetime.fromtimestamp(ends_at, UTC), unpack_identity(packed)
    except (TypeError, ValueError) as error:
        raise Unsealable("not an unconfirmed sign-in in the form that this version writes") from error
