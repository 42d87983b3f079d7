"""How much a change of the rules changes, for the roll-out: measured on the sign-ins that are kept."""

from datetime import timedelta

from bridge.clock import Clock
from bridge.entitlements.rules import RuleSet
from bridge.history.history import History
from bridge.preview.compare import compare
from bridge.rollout.change import Change, MeasureChange


def measure_change(history: History, keep_days: int, clock: Clock) -> MeasureChange:
    """Return what counts the people of the last ``keep_days`` days for whom other rules would decide otherwise.

    It takes some seconds for ten thousand sign-ins, and raises HistoryUnavailable if the database does not answer.
    """

    def measure(before: RuleSet, after: RuleSet) -> Change:
        now = clock.now()
        comparison = compare(history.read(now - timedelta(days=keep_days), now), before, after)
        return Change(comparison.changed_people, comparison.people)

    return measure
