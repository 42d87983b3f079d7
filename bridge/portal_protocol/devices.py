"""Terminals that wait for a person to let them in (RFC 8628, in the form that CloudSSO gives it).

========================================  ======================================================================
``rambridge:device:<device code>``        challenge, client and end of a waiting terminal, sealed
``rambridge:user-code:<user code>``       which terminal shows this code, and from where it asked, sealed
``rambridge:device-decision:<device>``    what a person decided, and in which session, sealed
``rambridge:device-poll:<device code>``   nothing; stands while the terminal should not have asked again
========================================  ======================================================================

Each name ends in a digest. Taking the user code is one atomic command, so one person decides, once; taking the device
is another, so one program gets the token, once.
"""

import base64
import hashlib
import hmac
import logging
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from bridge.clock import Clock
from bridge.errors import (
    BadParameter,
    DeviceNotYetAllowed,
    DeviceOver,
    DevicePolledTooOften,
    DeviceRefused,
    Unsealable,
    UserCodeUnknown,
)
from bridge.sealing import Sealer
from bridge.store_connection import RedisClient, build_key, store_errors

LIFETIME_SECONDS = 480
"""Less than the 100 questions at five seconds each after which the CLI gives up."""
INTERVAL_SECONDS = 5

_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
"""No vowels, so no words, and nothing that looks like a digit (RFC 8628 6.1)."""
_HALF = 4
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}", re.ASCII)
_CLIENT = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Started:
    """What a terminal gets for its first question."""

    device_code: str
    """256 random bits, base64url: only the terminal has it."""
    user_code: str
    """What the person compares: ``BCDF-GHJK``."""


@dataclass(frozen=True)
class Waiting:
    """A terminal that nobody has decided about."""

    client: str
    """What the program calls itself. Not believed."""
    requested_from: str
    """The address from which it asked."""
    expires_at: datetime
    device: str
    """The name under which it is kept."""


class Devices:
    """The terminals that wait."""

    def __init__(self, redis: RedisClient, sealer: Sealer, clock: Clock) -> None:
        """Take the store, the sealer and the clock."""
        self._redis = redis
        self._sealer = sealer
        self._clock = clock

    def start(self, challenge: str, client: str, requested_from: str) -> Started:
        """Let a terminal wait; ``challenge`` is the S256 digest of what it will prove itself with (RFC 7636).

        Raises BadParameter for a challenge or a client that is not well-formed.
        """
        if not _CHALLENGE.fullmatch(challenge) or not _CLIENT.fullmatch(client):
            raise BadParameter("the code challenge or the client ID is not well-formed")
        letters = "".join(secrets.choice(_LETTERS) for _ in range(2 * _HALF))
        started = Started(secrets.token_urlsafe(32), f"{letters[:_HALF]}-{letters[_HALF:]}")
        ends_at = (self._clock.now() + timedelta(seconds=LIFETIME_SECONDS)).timestamp()
        device, user_code = build_key("device", started.device_code), build_key("user-code", letters)
        self._put(device, [challenge, client, ends_at], LIFETIME_SECONDS)
        self._put(user_code, [device, client, requested_from, ends_at], LIFETIME_SECONDS)
        return started

    def find(self, user_code: str) -> Waiting:
        """Return the terminal that shows this code, in whatever case and with or without its dash.

        Raises UserCodeUnknown if none does.
        """
        key = _user_code_key(user_code)
        with store_errors():
            sealed = self._redis.get(key)
        return self._read_waiting(key, sealed)

    def take(self, user_code: str) -> Waiting:
        """Return the terminal to the one caller that decides about it. Raises UserCodeUnknown to every other one."""
        key = _user_code_key(user_code)
        with store_errors():
            sealed = self._redis.getdel(key)
        return self._read_waiting(key, sealed)

    def allow(self, waiting: Waiting, session: str) -> None:
        """Let the terminal in, for the person of this session (its key)."""
        self._decide(waiting, session)

    def refuse(self, waiting: Waiting) -> None:
        """Turn the terminal away."""
        self._decide(waiting, "")

    def redeem(self, device_code: str, verifier: str, client: str) -> str:
        """Return the key of the session in which a person let this terminal in, once.

        Raises:
            DeviceNotYetAllowed: nobody has decided; DevicePolledTooOften if it asks more often than it was told.
            DeviceRefused: a person said that it is not theirs.
            DeviceOver: unknown, too old, used, or the proof is not of who started it.
        """
        device = build_key("device", device_code)
        with store_errors():
            sealed = self._redis.get(device)
        challenge, started_by, ends_at = self._open(device, sealed, parts=3)
        if self._clock.now().timestamp() >= ends_at:
            raise DeviceOver("too old")
        if started_by != client:
            raise DeviceOver("another client")
        if not is_proof(verifier, challenge):
            raise DeviceOver("the code verifier is not the challenge's")
        decision = build_key("device-decision", device)
        with store_errors():
            sealed = self._redis.get(decision)
        if sealed is None:
            self._check_pace(device_code)
            raise DeviceNotYetAllowed("nobody has decided yet")
        (session,) = self._open(decision, sealed, parts=1)
        with store_errors():
            is_first = self._redis.delete(device) == 1
        if not is_first:
            raise DeviceOver("used already")
        if not session:
            raise DeviceRefused("the person says that it is not theirs")
        return str(session)

    def _check_pace(self, device_code: str) -> None:
        pause = timedelta(seconds=INTERVAL_SECONDS - 1)  # the way here is not always equally long
        with store_errors():
            is_early = not self._redis.set(build_key("device-poll", device_code), b"", px=pause, nx=True)
        if is_early:
            raise DevicePolledTooOften(f"asked again within {INTERVAL_SECONDS - 1} seconds")

    def _decide(self, waiting: Waiting, session: str) -> None:
        self._put(build_key("device-decision", waiting.device), [session], LIFETIME_SECONDS)

    def _put(self, key: str, value: list[Any], seconds: int) -> None:
        with store_errors():
            self._redis.set(key, self._sealer.seal_json(key, value), px=timedelta(seconds=seconds))

    def _open(self, key: str, sealed: bytes | None, *, parts: int) -> list[Any]:
        if sealed is None:
            raise DeviceOver("no terminal waits under this code")
        try:
            value = self._sealer.open_json(key, sealed)
        except Unsealable as error:
            _LOG.warning("a waiting terminal does not open: %s", error.detail)
            raise DeviceOver("the stored value does not open") from error
        if not isinstance(value, list) or len(value) != parts:
            raise DeviceOver("not a waiting terminal in the form that this version writes")
        return value

    def _read_waiting(self, key: str, sealed: bytes | None) -> Waiting:
        try:
            device, client, requested_from, ends_at = self._open(key, sealed, parts=4)
        except DeviceOver as error:
            raise UserCodeUnknown(error.detail) from error
        waiting = Waiting(client, requested_from, datetime.fromtimestamp(ends_at, UTC), device)
        if self._clock.now() >= waiting.expires_at:
            raise UserCodeUnknown("too old")
        return waiting


def is_proof(verifier: str, challenge: str) -> bool:
    """Return whether a code verifier is well-formed, and the one of this S256 challenge (RFC 7636 4.1, 4.6)."""
    if not _VERIFIER.fullmatch(verifier):
        return False
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return hmac.compare_digest(digest, challenge)


def show_user_code(text: str) -> str:
    """Return a user code as the terminal shows it, or nothing for what cannot be one."""
    letters = "".join(character for character in text.upper() if character not in "- \t")
    if len(letters) != 2 * _HALF or not set(letters) <= set(_LETTERS):
        return ""
    return f"{letters[:_HALF]}-{letters[_HALF:]}"


def _user_code_key(text: str) -> str:
    return build_key("user-code", show_user_code(text).replace("-", ""))
