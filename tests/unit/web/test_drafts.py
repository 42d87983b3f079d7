"""What the page of previews offers to try."""

from bridge.audit.events import BACKGROUND
from bridge.entitlements.rules import RulesInForce
from bridge.rollout.change import Change
from bridge.settings import compile_rule_files
from bridge.web.admin.drafts import FILES, find_drafts
from tests.unit.rollout.conftest import ALICE, world  # noqa: F401  a fixture


def test_waiting_changes_come_first_then_the_files_then_earlier_versions_and_not_what_is_in_force(world):  # noqa: F811
    roll_out = world.roll_out(0.1)
    first, second = world.files("First"), world.files("Admin")
    assert roll_out.promote(BACKGROUND, ALICE, first).in_force
    assert roll_out.promote(BACKGROUND, ALICE, second).in_force
    world.change = Change(90, 100)
    waiting = roll_out.promote(BACKGROUND, ALICE, world.files("Third")).request
    rules = RulesInForce(compile_rule_files(world.configuration, second))
    drafts = find_drafts(world.folder, rules, roll_out, world.clock)
    assert [draft.key for draft in drafts] == [waiting.version, FILES, first.version]
    assert [draft.load().version for draft in drafts] == [waiting.version, second.version, first.version]
