"""What the hostile cases of OpenID Connect are: tokens, and flows in which something else is wrong.

Each kind says what is changed in an honest sign-in, or sign-out, and nothing else is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.attack.case import Case
from bridge.attack.oidc.tokens import forge, payload
from bridge.attack.scripted_server import Reply
from bridge.errors import IdentityError

Query = list[tuple[str, str]]


@dataclass(frozen=True)
class TokenCase(Case):
    """One hostile ID token."""

    token: Callable[[], str]
    twin: Callable[[], str] = forge
    settings: dict[str, Any] = field(default_factory=dict)
    """What we expect, where it is not the usual."""
    twin_settings: dict[str, Any] | None = None
    """The same for the twin, where the fault is in what we expect."""


@dataclass(frozen=True)
class LogoutTokenCase(Case):
    """One hostile logout token."""

    token: Callable[[], str]
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The settings under which it is hostile."""


@dataclass(frozen=True)
class CallbackCase(Case):
    """Parameters with which a browser should not come back."""

    change: Callable[[Query], Query]


@dataclass(frozen=True)
class AnswerCase(Case):
    """What the provider, or somebody in its name, answers at one of its addresses."""

    path: str
    reply: Reply
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Without these settings nobody would ask there."""


@dataclass(frozen=True)
class MemberCase(Case):
    """Members of a document of the provider, changed or (None) left out."""

    document: str
    """``metadata`` or ``token_response``."""
    changes: Mapping[str, Any]


def row(
    threat: str,
    name: str,
    error: type[IdentityError],
    token: Callable[[], str],
    twin: Callable[[], str] = forge,
    *,
    twin_settings: dict[str, Any] | None = None,
    **settings: Any,
) -> TokenCase:
    """Return a hostile token; ``settings`` are what we expect, where it is not the usual."""
    return TokenCase(threat, name, error, token, twin, settings, twin_settings)


def claim_rows(
    threat: str, error: type[IdentityError], name: str, values: Mapping[str, Any], **settings: Any
) -> list[TokenCase]:
    """One row per wrong value of a claim; the twin has the claim's right value."""
    return [
        row(threat, f"{name} {label}", error, lambda value=value: forge({name: value}), **settings)
        for label, value in values.items()
    ]


def header_rows(threat: str, error: type[IdentityError], name: str, values: Mapping[str, Any]) -> list[TokenCase]:
    """One row per wrong value of a header member."""
    return [
        row(threat, f"{name} {label}", error, lambda value=value: forge(header={name: value}))
        for label, value in values.items()
    ]


def raw_rows(
    threat: str, error: type[IdentityError], damages: Mapping[str, Callable[[bytes], bytes]]
) -> list[TokenCase]:
    """One row per damage to the valid payload's JSON text."""
    return [
        row(threat, label, error, lambda damage=damage: forge(raw_payload=damage(payload())))
        for label, damage in damages.items()
    ]
