"""What of a sign-in is kept: what the rules decided on, and nothing else.

No message, no session, no claim that is not on the list. What :func:`~bridge.entitlements.resolve.resolve` reads of
an identity is either copied here or has no influence on the decision.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from bridge.entitlements.resolve import Resolution
from bridge.errors import Unsealable
from bridge.history.kept_sign_in import KeptSignIn
from bridge.identity.stored import pack_identity, unpack_identity
from bridge.identity.verified import Claim, VerifiedIdentity

_FORMAT = 1


def reduce_identity(identity: VerifiedIdentity, allowed: frozenset[str] | None) -> VerifiedIdentity:
    """Return the identity with the ``allowed`` claims only (None: all), and without what names messages or sessions."""
    return replace(
        identity,
        claims=_reduce_claims(identity.claims, allowed),
        message_id="",
        accept_until=identity.authenticated_at,
        valid_until=None,
        session_index=None,
        name_format=None,
        proxy_count=None,
    )


def pack_inputs(identity: VerifiedIdentity, source_address: str, resolution: Resolution) -> list[Any]:
    """Return a reduced identity, and what was decided, as a JSON value."""
    applied = [outcome.rule for outcome in resolution.explanations if outcome.applied]
    return [_FORMAT, pack_identity(identity), source_address, resolution.rules_version, applied]


def unpack_inputs(value: Any, at: datetime, person: str) -> KeptSignIn:
    """Return the sign-in that :func:`pack_inputs` packed.

    Raises Unsealable for another shape, such as one written by another version of Rambridge.
    """
    match value:
        case [int(packed_format), packed, str(source_address), str(version), list(applied)] if packed_format == _FORMAT:
            identity = unpack_identity(packed)
            return KeptSignIn(at, person, identity.name, identity, source_address, version, tuple(applied))
    raise Unsealable("not a kept sign-in in the form that this version writes")


def _reduce_claims(claims: Mapping[str, Claim], allowed: frozenset[str] | None) -> dict[str, Claim]:
    if allowed is None:
        return dict(claims)
    kept = {name: value for name, value in claims.items() if name in allowed}
    # That the provider withheld a claim is an input as well: such a claim is unreadable, not absent (threat MAP-06).
    elsewhere = claims.get("_claim_names")
    if isinstance(elsewhere, dict):
        kept.setdefault("_claim_names", {name: None for name in elsewhere if name in allowed})
    if "groups" in allowed and claims.get("hasgroups", False) is not False:
        kept.setdefault("hasgroups", True)
    return kept
