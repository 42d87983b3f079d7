"""How much a change of the rules changes, for the roll-out: measured on the sign-ins that are kept."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from bridge.clock import Clock
from bridge.entitlements.rules import RuleSet
from bridge.errors import ChangeUnmeasured
from bridge.history.history import History
from bridge.history.kept_sign_in import KeptSignIn
from bridge.preview.compare import compare
from bridge.preview.narrowing import narrow
from bridge.preview.unjudged import find_unjudged
from bridge.rollout.change import Change, MeasureChange


def measure_change(
    history: History, keep_days: int, clock: Clock, kept_claims: tuple[str, ...] | None = None
) -> MeasureChange:
    """Return what counts the people of the last ``keep_days`` days for whom other rules would decide otherwise.

    ``kept_claims`` are those that the settings let be kept; None: what the rules in force read. It takes some seconds
    for ten thousand sign-ins, and raises:

    - ChangeUnmeasured: a rule that matters reads what was not kept, a sign-in could not be opened, or nobody signed in.
      Then a change of nobody is no finding, and whoever may write rules must not be able to bring that about.
    - HistoryUnavailable: the database does not answer.
    """

    def measure(before: RuleSet, after: RuleSet) -> Change:
        kept = before.claims_read if kept_claims is None else frozenset(kept_claims)
        unjudged = find_unjudged(*narrow(before, after), kept)
        if unjudged:
            names = ", ".join(each.rule for each in unjudged)
            raise ChangeUnmeasured(f"what these rules read of a sign-in was not kept: {names}")
        now = clock.now()
        comparison = compare(_read_people(history, before, now - timedelta(days=keep_days), now), before, after)
        if history.unreadable:
            raise ChangeUnmeasured(f"{history.unreadable} kept sign-ins cannot be opened")
        if not comparison.people:
            raise ChangeUnmeasured("no sign-in is kept")
        return Change(comparison.changed_people, comparison.people)

    return measure


def _read_people(history: History, rules: RuleSet, since: datetime, until: datetime) -> Iterator[KeptSignIn]:
    """Leave out workloads: whoever can have tokens for thousands of them must not make a change look small."""
    workloads = {provider for provider, schema in rules.schemas.items() if schema.workload}
    return (kept for kept in history.read(since, until) if kept.identity.provider not in workloads)
