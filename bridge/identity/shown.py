"""A provider's message that an administrator shows us to have it explained, and how far it can be believed.

Nobody is signed in by it. It answers no question that is open, it may have been used before, and it is mostly too old
by now; so what is said of it is how far it passes our own checks, and everything else about it is only supposed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from bridge.errors import IdentityError, OutsideValidity
from bridge.identity.verified import VerifiedIdentity

Standing: TypeAlias = Literal["verified", "verified but for its age", "UNVERIFIED"]


@dataclass(frozen=True)
class Shown:
    """Who a message is about, for an explanation alone."""

    identity: VerifiedIdentity
    """Only as true as ``standing`` says: never let anything but an explanation use it."""
    standing: Standing
    reason: str
    """Why it is not verified; empty where it is."""
    at: datetime
    """The moment to explain it for: now, or when it was issued where only its age keeps it from being accepted."""


def judge_shown(
    verify: Callable[[datetime], VerifiedIdentity],
    find_issued: Callable[[], datetime | None],
    suppose: Callable[[IdentityError], Shown],
    now: datetime,
) -> Shown:
    """Return who a message is about, and whether it passes every check now, or else at the moment of its issue.

    Args:
        verify: checks the message as of a moment, and raises a leaf of IdentityError.
        find_issued: returns when it says that it was issued, None where it does not.
        suppose: reads it without believing it, after a refusal.
        now: the moment, UTC.
    """
    try:
        return Shown(verify(now), "verified", "", now)
    except OutsideValidity as error:
        refusal: IdentityError = error
        issued = find_issued()
        if issued is not None:
            try:
                identity = verify(issued)
            except IdentityError as other:
                refusal = other
            else:
                return Shown(identity, "verified but for its age", f"{error.code}: {error.detail}", issued)
    except IdentityError as error:
        refusal = error
    return suppose(refusal)
