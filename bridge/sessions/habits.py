"""What a person marked as a favourite, uses most, and wants links to be opened with: what the portal shows first.

``rambridge:habits:<digest of the person>``  sealed under this name; lives half a year from its last change

It names entitlements, and gives none: the rules are asked at each click. What does not open is as if it were not there.
Two changes at the same moment may lose one of the two: a count, or a star, which somebody sees and sets again.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from bridge.clock import Clock
from bridge.errors import StoreUnavailable, Unsealable
from bridge.identity.verified import VerifiedIdentity
from bridge.sealing import Sealer
from bridge.store_connection import RedisClient, build_key, store_errors

LIFETIME = timedelta(days=180)
HALF_LIFE = timedelta(days=14)
"""After this time without use, one use counts half."""
MOST_KEPT = 200
"""Of each kind: whoever marks more loses the oldest."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Habits:
    """One person's, over all browsers."""

    favourites: tuple[str, ...] = ()
    """Ids of entitlements, in the order in which they were marked."""
    uses: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """By id: how often it was used, where old uses count less, as of a moment (POSIX seconds)."""
    chosen: Mapping[str, str] = field(default_factory=dict)
    """By what a link leads to (:func:`bridge.delivery.links.name_place`): the id that always opens it."""

    def weigh(self, entitlement_id: str, now: datetime) -> float:
        """Return how often an entitlement is used, by now."""
        count, moment = self.uses.get(entitlement_id, (0.0, now.timestamp()))
        return float(count * 0.5 ** ((now.timestamp() - moment) / HALF_LIFE.total_seconds()))

    def list_most_used(self, now: datetime, limit: int) -> tuple[str, ...]:
        """Return the ids that are used most, the most used first."""
        return tuple(sorted(self.uses, key=lambda each: -self.weigh(each, now))[:limit])


class HabitStore:
    """The habits of everybody."""

    def __init__(self, redis: RedisClient, sealer: Sealer, clock: Clock) -> None:
        """Take where they are kept, and what seals them."""
        self._redis = redis
        self._sealer = sealer
        self._clock = clock

    def load(self, identity: VerifiedIdentity) -> Habits:
        """Return a person's habits, by one round trip. Raises StoreUnavailable."""
        key = _build_key(identity.issuer, identity.subject)
        with store_errors():
            sealed = self._redis.get(key)
        if sealed is None:
            return Habits()
        try:
            return _unpack(self._sealer.open_json(key, sealed))
        except Unsealable as error:
            _LOG.warning("habits do not open: %s", error.detail)
            return Habits()

    def mark(self, identity: VerifiedIdentity, entitlement_id: str, *, favourite: bool) -> None:
        """Make an entitlement a favourite, or none. Raises StoreUnavailable."""
        habits = self.load(identity)
        others = tuple(each for each in habits.favourites if each != entitlement_id)
        marked = (*others, entitlement_id) if favourite else others
        self._save(identity, replace(habits, favourites=marked[-MOST_KEPT:]))

    def note_use(
        self, identity: VerifiedIdentity, entitlement_id: str, always_for: str = "", *, none_for: str = ""
    ) -> None:
        """Count that an entitlement was used; with ``always_for``, it opens links to that place from now on.

        With ``none_for``, nothing does so for that place any more.

        Never raises StoreUnavailable: what was opened is open, and only the order of a page depends on this.
        """
        try:
            habits, now = self.load(identity), self._clock.now()
            uses = {**habits.uses, entitlement_id: (habits.weigh(entitlement_id, now) + 1, now.timestamp())}
            most_used = Habits(uses=uses).list_most_used(now, MOST_KEPT)
            chosen = {place: each for place, each in habits.chosen.items() if place != none_for}
            if always_for:
                chosen.pop(always_for, None)
                chosen[always_for] = entitlement_id
            kept = dict(list(chosen.items())[-MOST_KEPT:])
            self._save(identity, replace(habits, uses={each: uses[each] for each in most_used}, chosen=kept))
        except StoreUnavailable as error:
            _LOG.warning("a use is not counted: %s", error.detail)

    def forget(self, issuer: str, subject: str) -> None:
        """Leave nothing of a person's habits. Raises StoreUnavailable."""
        with store_errors():
            self._redis.delete(_build_key(issuer, subject))

    def _save(self, identity: VerifiedIdentity, habits: Habits) -> None:
        key = _build_key(identity.issuer, identity.subject)
        packed = [list(habits.favourites), {each: list(use) for each, use in habits.uses.items()}, dict(habits.chosen)]
        with store_errors():
            self._redis.set(key, self._sealer.seal_json(key, packed), px=LIFETIME)


def _build_key(issuer: str, subject: str) -> str:
    return build_key("habits", issuer, subject)


def _unpack(value: Any) -> Habits:
    try:
        favourites, uses, chosen = value
        return Habits(
            tuple(str(each) for each in favourites),
            {str(each): (float(count), float(moment)) for each, (count, moment) in uses.items()},
            {str(place): str(each) for place, each in chosen.items()},
        )
    except (ValueError, TypeError, AttributeError) as error:
        raise Unsealable("not habits in the form that this version writes") from error
