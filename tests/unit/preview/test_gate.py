"""What a roll-out asks: how many of the people who signed in of late a change of the rules concerns."""

import os
from datetime import timedelta

import pytest

from bridge.database import open_engine
from bridge.entitlements.matching import ClaimSchema
from bridge.entitlements.resolve import resolve
from bridge.entitlements.rules import RulesInForce
from bridge.errors import ChangeUnmeasured
from bridge.history.history import History
from bridge.preview.gate import measure_change
from bridge.rollout.change import Change
from bridge.sealing import Sealer
from tests.live_store import MovableClock
from tests.unit.entitlements.factories import Rules, make_identity

PLATFORM = "rules: [{name: platform, groups: [platform], grant: [{account: production, role: Admin}]}]"
FINANCE = "rules: [{name: finance, groups: [finance], grant: [{account: production, role: Admin}]}]"
COUNTRY = "{name: more, claims: {country: [CN]}, grant: [{account: %s, role: %s}]}"


class Kept:
    """Kept sign-ins, and rules to try on them."""

    def __init__(self, folder):
        self.clock = MovableClock()
        self.engine = open_engine(f"sqlite:///{folder}/bridge.db")
        self.history = self.open(os.urandom(32))
        self.rules = Rules(folder)

    def open(self, key):
        return History(self.engine, Sealer(key), self.clock, keep_days=30)

    def compile(self, text, **more):
        return self.rules.compile(text, **more)

    def keep(self, rules, sign_ins, kept_claims=None):
        """Keep sign-ins, each given by days ago and what is peculiar to the identity."""
        self.history.start(RulesInForce(rules), kept_claims)
        for days, changes in sign_ins:
            identity = make_identity(**changes)
            at = self.clock.now() - timedelta(days=days)
            self.history.note(identity, "10.1.2.3", at, resolve(identity, rules, at, "10.1.2.3"))
        assert self.history.flush()

    def measure(self, before, after, history=None, kept_claims=None):
        return measure_change(history or self.history, 7, self.clock, kept_claims)(before, after)


@pytest.fixture
def kept(tmp_path):
    kept = Kept(tmp_path)
    yield kept
    kept.engine.dispose()


def person(subject, group="y", **claims):
    return {"subject": subject, "claims": {"groups": [group], **claims}}


def test_it_counts_the_people_of_the_last_days(kept):
    before, after = kept.compile(PLATFORM), kept.compile(FINANCE)
    sign_ins = [(9, person("old", "platform")), (2, person("lin", "platform")), (1, person("lin", "platform"))]
    kept.keep(before, [*sign_ins, (1, person("x"))])
    change = kept.measure(before, after)
    assert (change.changed, change.people, change.share) == (1, 2, 0.5)
    assert kept.measure(before, before).changed == 0


def test_a_new_rule_that_reads_what_was_not_kept_is_not_measured_as_a_change_of_nobody(kept):
    before = kept.compile(PLATFORM)
    after = kept.compile(PLATFORM[:-1] + f", {COUNTRY % ('production', 'Admin')}]")
    kept.keep(before, [(1, person(f"p{number}", country="CN")) for number in range(5)])
    with pytest.raises(ChangeUnmeasured, match="more"):
        kept.measure(before, after)
    with pytest.raises(ChangeUnmeasured, match="platform"):
        kept.measure(before, kept.compile(FINANCE), kept_claims=("country",))


def test_a_new_rule_that_reads_what_was_kept_is_measured(kept):
    before = kept.compile(PLATFORM[:-1] + f", {COUNTRY % ('staging', 'Auditor')}]")
    after = kept.compile(PLATFORM[:-1] + f", {COUNTRY % ('staging', 'Admin')}]")
    kept.keep(before, [(1, person(f"p{number}", country="CN" if number else "DE")) for number in range(5)])
    assert kept.measure(before, after) == Change(4, 5)


def test_a_rule_that_nothing_was_kept_for_and_that_the_change_does_not_touch_is_no_hindrance(kept):
    before = kept.compile(PLATFORM[:-1] + f", {COUNTRY % ('staging', 'Auditor')}]")
    after = kept.compile(FINANCE[:-1] + f", {COUNTRY % ('staging', 'Auditor')}]")
    only = ("groups", "roles")
    kept.keep(before, [(1, person("lin", "platform")), (1, person("x"))], only)
    assert kept.measure(before, after, kept_claims=only) == Change(1, 2)


def test_with_sign_ins_that_cannot_be_opened_nobody_knows_how_many_change(kept):
    before, after = kept.compile(PLATFORM), kept.compile(FINANCE)
    kept.keep(before, [(1, person("lin", "platform"))])
    with pytest.raises(ChangeUnmeasured, match="1 kept sign-ins cannot be opened"):
        kept.measure(before, after, kept.open(os.urandom(32)))


def test_without_any_sign_in_nobody_knows_how_many_change(kept):
    before, after = kept.compile(PLATFORM), kept.compile(FINANCE)
    kept.keep(before, [(9, person("old", "platform"))])
    with pytest.raises(ChangeUnmeasured, match="no sign-in is kept"):
        kept.measure(before, after)


def test_workloads_are_no_people(kept):
    schemas = {"acme-oidc": ClaimSchema(workload=True)}
    before, after = kept.compile(PLATFORM, schemas=schemas), kept.compile(FINANCE, schemas=schemas)
    jobs = [(1, {**person(f"repo:{number}"), "provider": "acme-oidc"}) for number in range(20)]
    kept.keep(before, [(1, person("lin", "platform")), (1, person("x")), *jobs])
    assert kept.measure(before, after) == Change(1, 2)
