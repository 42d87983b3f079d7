"""One entitlement picked, checked against the rules of this moment.

A page may be old and a form may be forged: what they send is only an id. To check again before the exchange, choose
again, with the rules that are in force then (threat MAP-08).
"""

from dataclasses import dataclass
from datetime import datetime

from bridge.entitlements.entitlement import Entitlement
from bridge.entitlements.resolve import resolve
from bridge.entitlements.rules import RuleSet
from bridge.errors import NotEntitled
from bridge.identity.verified import VerifiedIdentity


@dataclass(frozen=True)
class Choice:
    """Who wants to become what, for how long."""

    identity: VerifiedIdentity
    entitlement: Entitlement
    requested_duration_seconds: int | None = None
    """None: as long as the limits allow. Only ever shortens."""


def choose(  # noqa: PLR0917 - the order of the sentence: who chooses what, by which rules, when, from where
    identity: VerifiedIdentity,
    entitlement_id: str,
    rules: RuleSet,
    now: datetime,
    source_address: str | None,
    requested_duration_seconds: int | None = None,
) -> Choice:
    """Return the choice of an entitlement that the rules grant to this identity at this moment.

    Raises:
        NotEntitled: they do not grant it, or no longer.
    """
    resolution = resolve(identity, rules, now, source_address)
    for entitlement in resolution.entitlements:
        if entitlement.id == entitlement_id:
            return Choice(identity, entitlement, requested_duration_seconds)
    raise NotEntitled(
        f"the rules {resolution.rules_version[:12]} grant this identity {len(resolution.entitlements)} entitlements, "
        "and the chosen one is not among them"
    )
