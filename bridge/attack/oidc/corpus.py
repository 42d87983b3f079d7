"""What a row of the hostile-token corpus is: the valid token with one fault, and the exact error that it must get.

``T-OIDC-02[psychic signature]`` is a row's name: the threat's number in the catalogue, and the fault. Every row has a
twin, the same message without the fault, which is accepted: a row cannot pass because something else refused it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bridge.attack.oidc.tokens import forge, payload
from bridge.errors import IdentityError


@dataclass(frozen=True)
class Row:
    """One hostile token."""

    threat: str
    name: str
    error: type[IdentityError]
    token: Callable[[], str]
    twin: Callable[[], str] = forge
    settings: dict[str, Any] = field(default_factory=dict)
    """What we expect, where it is not the usual."""
    twin_settings: dict[str, Any] | None = None
    """The same for the twin, where the fault is in what we expect."""

    def __str__(self) -> str:
        return f"T-{self.threat}[{self.name}]"


def row(threat, name, error, token, twin=forge, *, twin_settings=None, **settings):
    return Row(threat, name, error, token, twin, settings, twin_settings)


def claim_rows(threat, error, name, values, **settings):
    """One row per wrong value of a claim; the twin has the claim's right value."""
    return [
        row(threat, f"{name} {label}", error, lambda value=value: forge({name: value}), **settings)
        for label, value in values.items()
    ]


def header_rows(threat, error, name, values):
    """One row per wrong value of a header member."""
    return [
        row(threat, f"{name} {label}", error, lambda value=value: forge(header={name: value}))
        for label, value in values.items()
    ]


def raw_rows(threat, error, damages):
    """One row per damage to the valid payload's JSON text."""
    return [
        row(threat, label, error, lambda damage=damage: forge(raw_payload=damage(payload())))
        for label, damage in damages.items()
    ]
