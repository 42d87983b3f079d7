"""How long a session lasts, and which limit decided."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from bridge.entitlements.entitlement import Entitlement
from bridge.errors import SessionEndsTooSoon
from bridge.exchange.accounts import Account

DEFAULT_SECONDS = 3_600
MINIMUM_SECONDS = 900
"""The API's lower bound (AssumeRole, ``DurationSeconds``)."""
MAXIMUM_SECONDS = 43_200
"""The API's upper bound: the largest ``MaxSessionDuration`` of a role."""


@dataclass(frozen=True)
class Duration:
    """A session's length in seconds and the name of the limit that set it."""

    seconds: int
    decided_by: str
    limits: tuple[tuple[str, int], ...] = field(default=(), compare=False)
    """Every limit by name, in seconds, for whoever wonders why it is not longer."""


def decide_duration(
    entitlement: Entitlement,
    account: Account,
    role: str,
    *,
    asked_seconds: int | None,
    valid_until: datetime | None,
    now: datetime,
) -> Duration:
    """Return the shortest of all limits on a session, and its name.

    Args:
        entitlement: its rule's limit.
        account: the account's limit, and ``MaxSessionDuration`` of its roles (3600 s where none is configured).
        role: the RAM role that the session will have.
        asked_seconds: what the person asked for; the default is 3600 s.
        valid_until: the end that the provider set (``SessionNotOnOrAfter``), if any; UTC.
        now: UTC.

    Raises:
        SessionEndsTooSoon: the provider's session ends before the shortest session that STS issues (900 s).
    """
    limits = [
        Duration(asked_seconds or DEFAULT_SECONDS, "asked" if asked_seconds else "default"),
        Duration(entitlement.duration_seconds, "rule"),
        Duration(account.max_duration_seconds, "account"),
        Duration(account.role_max_duration_seconds.get(role, DEFAULT_SECONDS), "role"),
        Duration(MAXIMUM_SECONDS, "api"),
    ]
    if valid_until is not None:
        limits.append(Duration(int((valid_until - now).total_seconds()), "identity provider"))
    shortest = min(limits, key=lambda limit: limit.seconds)
    described = tuple((limit.decided_by, limit.seconds) for limit in limits)
    if shortest.seconds >= MINIMUM_SECONDS:
        return replace(shortest, limits=described)
    if shortest.decided_by == "identity provider":
        raise SessionEndsTooSoon(f"the provider's session ends in {shortest.seconds} s")
    return Duration(MINIMUM_SECONDS, "api", described)
