"""How a case is tried at the door: the hostile message first, then its twin, each where it is really delivered."""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from werkzeug.test import TestResponse

from bridge.errors import BridgeError
from bridge.identity.providers import OIDCProvider, SAMLProvider
from bridge.sessions.cookie import SESSION_COOKIE


@dataclass(frozen=True)
class Delivery:
    """What came back for a message, and how long that took."""

    response: TestResponse
    seconds: float
    """The work of the thread that answered: what a busy machine does meanwhile does not count."""
    waited_seconds: float
    """By the clock on the wall."""
    digest: str | None = None
    """SHA-256 of the message as records name it; None where none can be named."""


@dataclass(frozen=True)
class Trial:
    """One case at one node."""

    attack: Callable[[], Delivery]
    """Delivers the hostile message: once and at once, so that it can be timed."""
    honest: Callable[[], Delivery]
    """Delivers the twin."""
    error: type[BridgeError]
    """The refusal at this door, where nothing but what the case spoils is wrong."""
    changed: Mapping[str, Any]
    """Settings that are not the operator's, because the case is about others."""
    event: str | None = "sign_in.refused"
    """The record that the refusal leaves; None where a question was not even asked."""


def deliver(send: Callable[[], TestResponse], message: str | None = None) -> Delivery:
    """Send a message and take the time; ``message`` is what the record has the digest of."""
    begun, work_begun = time.perf_counter(), time.thread_time()
    response = send()
    seconds, waited = time.thread_time() - work_begun, time.perf_counter() - begun
    digest = None if message is None else hashlib.sha256(message.encode("utf-8", "surrogatepass")).hexdigest()
    return Delivery(response, seconds, waited, digest)


def find_changes(
    configured: SAMLProvider | OIDCProvider, used: SAMLProvider | OIDCProvider, names: Mapping[str, Any]
) -> dict[str, Any]:
    """Return which of these settings are not as they are configured, with the value that is used instead."""
    return {name: getattr(used, name) for name in names if getattr(used, name) != getattr(configured, name)}


def is_accepted(response: TestResponse) -> bool:
    """Tell whether a message was accepted: it opened a session, ended one, or led to the page that asks first."""
    if response.mimetype == "application/json" or not response.data:
        return response.status_code == 200
    if response.status_code == 200:
        return "/sign-in/confirm" in response.text
    return response.status_code == 303 and f"{SESSION_COOKIE}=" in response.headers.get("Set-Cookie", "")
