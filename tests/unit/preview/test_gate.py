"""What a roll-out asks: how many of the people who signed in of late a change of the rules concerns."""

import os
from datetime import timedelta

from bridge.database import open_engine
from bridge.entitlements.resolve import resolve
from bridge.entitlements.rules import RulesInForce
from bridge.history.history import History
from bridge.preview.gate import measure_change
from bridge.sealing import Sealer
from tests.live_store import MovableClock
from tests.unit.entitlements.factories import Rules, make_identity

PLATFORM = "rules: [{name: platform, groups: [platform], grant: [{account: production, role: Admin}]}]"
FINANCE = "rules: [{name: finance, groups: [finance], grant: [{account: production, role: Admin}]}]"


def test_it_counts_the_people_of_the_last_days(tmp_path):
    before, after = (Rules(tmp_path).compile(text) for text in (PLATFORM, FINANCE))
    clock = MovableClock()
    history = History(open_engine(f"sqlite:///{tmp_path}/bridge.db"), Sealer(os.urandom(32)), clock, keep_days=30)
    history.start(RulesInForce(before))
    for days, subject, group in [(9, "old", "platform"), (2, "lin", "platform"), (1, "lin", "platform"), (1, "x", "y")]:
        identity = make_identity(subject=subject, claims={"groups": [group]})
        at = clock.now() - timedelta(days=days)
        history.note(identity, "10.1.2.3", at, resolve(identity, before, at, "10.1.2.3"))
    assert history.flush()
    change = measure_change(history, 7, clock)(before, after)
    assert (change.changed, change.people, change.share) == (1, 2, 0.5)
    assert measure_change(history, 7, clock)(before, before).changed == 0
