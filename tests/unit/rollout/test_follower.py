"""A process decides by what is in force from one tick to the next, and keeps what it has where it cannot."""

import gc
import os
import threading
import weakref
from dataclasses import replace

import pytest

from bridge.attack.scripted_server import wait_until
from bridge.audit.events import BACKGROUND
from bridge.errors import RolloutUnavailable
from bridge.rollout.change import Change
from bridge.rollout.nodes import Nodes
from bridge.settings import compile_rule_files, read_rule_files
from tests.unit.rollout.conftest import ALICE, BOB


def roles(rules):
    return {grant.name.text for rule in rules.current.rules for grant in rule.grants if grant.account == "production"}


def settle(follower):
    """Let a change of files rest, and be taken."""
    for number in (1, 2, 3):
        follower.tick(number)


def fail_to_reach_the_database(world, tmp_path):
    world.tables.close()
    (tmp_path / "bridge.db").rename(tmp_path / "away.db")
    (tmp_path / "bridge.db").mkdir()


def reach_it_again(tmp_path):
    (tmp_path / "bridge.db").rmdir()
    (tmp_path / "away.db").rename(tmp_path / "bridge.db")


# ── Rules that are promoted ──────────────────────────────────────────────────────────────────────────────────


def test_the_first_start_has_the_files_and_later_ones_what_was_promoted(world):
    follower, _ = world.follower("promote")
    assert world.events() == ["files_taken"]
    world.roll_out().promote(BACKGROUND, ALICE, world.files("Auditor"))
    follower, rules = world.follower("promote")
    assert roles(rules) == {"Auditor"}
    assert follower.describe() == {"version": world.files("Auditor").version, "state": "in_force"}


def test_what_redis_tells_is_followed_at_the_next_tick_and_what_it_does_not_at_the_tenth(world):
    follower, rules = world.follower("promote")
    world.roll_out().promote(BACKGROUND, ALICE, world.files("Auditor"))
    follower.tick(1)
    assert roles(rules) == {"Auditor"}
    known = world.told.value
    world.roll_out().promote(BACKGROUND, ALICE, world.files("Operator"))
    world.told.value = known  # as if Redis had been down
    follower.tick(9)
    assert roles(rules) == {"Auditor"}
    follower.tick(10)
    assert roles(rules) == {"Operator"}


def test_a_draft_in_the_folder_never_counts(world):
    follower, rules = world.follower("promote")
    world.write("Auditor")
    for number in range(1, 25):
        follower.tick(number)
    assert roles(rules) == {"Admin"}


def test_whatever_stands_in_redis_brings_no_rules_into_force(world):
    follower, rules = world.follower("promote")
    world.told.value = f"99 {'f' * 64}".encode()
    follower.tick(1)
    assert roles(rules) == {"Admin"}
    assert follower.fault is None


def test_a_node_whose_configuration_lacks_an_account_keeps_the_old_version_says_so_once_and_recovers(world, caplog):
    accounts = {name: account for name, account in world.configuration.accounts.items() if name != "sandbox"}
    first = world.files("Admin").texts["10-platform.yaml"].replace(b"  - account: sandbox\n    role: Developer\n", b"")
    (world.folder / "10-platform.yaml").write_bytes(first)
    poor = replace(world.configuration, accounts=accounts, rule_files=read_rule_files(world.folder))
    poor = replace(poor, rules=compile_rule_files(poor, poor.rule_files))
    follower, rules = world.follower("promote", configuration=poor)
    before = follower.version
    world.roll_out().promote(BACKGROUND, ALICE, world.files("Auditor"))
    for number in range(1, 30):
        follower.tick(number)
    assert roles(rules) == {"Admin"}
    assert follower.describe() == {"version": before, "state": "settings_invalid"}
    [node] = Nodes(world.tables).list(world.clock.now())
    assert (node.version, node.wanted) == (before, world.files("Auditor").version)
    assert "no account named `sandbox`" in node.fault
    assert world.events().count("not_loaded") == 1
    assert sum("did not come into force here" in record.message for record in caplog.records) == 1
    world.roll_out().roll_back(BACKGROUND, ALICE, before)
    follower.tick(1)
    assert follower.fault is None
    assert Nodes(world.tables).list(world.clock.now())[0].fault == ""


def test_a_database_that_goes_down_leaves_the_rules_and_comes_back(world, tmp_path):
    follower, rules = world.follower("promote")
    fail_to_reach_the_database(world, tmp_path)
    follower.tick(10)
    assert roles(rules) == {"Admin"}
    assert follower.describe()["state"] == "rules_database_unavailable"
    reach_it_again(tmp_path)
    world.roll_out().promote(BACKGROUND, ALICE, world.files("Auditor"))
    follower.tick(11)
    assert (roles(rules), follower.fault) == ({"Auditor"}, None)


def test_without_the_database_nobody_starts_with_rules_that_may_not_be_in_force(world, tmp_path):
    world.follower("promote")
    fail_to_reach_the_database(world, tmp_path)
    with pytest.raises(RolloutUnavailable):
        world.follower("promote")
    reach_it_again(tmp_path)


# ── Rules that come from files ───────────────────────────────────────────────────────────────────────────────


def test_a_changed_file_counts_once_it_rests_and_is_recorded_by_one_of_several_processes(world):
    (first, one), (second, other) = world.follower(), world.follower()
    world.write("Auditor")
    first.tick(1)
    assert roles(one) == {"Admin"}, "it has not rested yet"
    first.tick(2)
    settle(second)
    assert roles(one) == roles(other) == {"Auditor"}
    assert world.events() == ["files_taken", "files_taken"]


def test_broken_files_change_nothing_and_a_process_that_starts_then_has_the_last_good_ones(world):
    follower, rules = world.follower()
    world.write("Auditor")
    settle(follower)
    (world.folder / "20-more.yaml").write_text("rules: nonsense\n")
    settle(follower)
    assert roles(rules) == {"Auditor"}
    assert follower.describe()["state"] == "settings_invalid"
    started, rules = world.follower()
    assert (roles(rules), started.describe()["state"]) == ({"Auditor"}, "settings_invalid")
    (world.folder / "20-more.yaml").unlink()
    settle(follower)
    assert follower.fault is None


def test_files_that_were_rolled_back_do_not_come_back_before_they_change(world):
    follower, rules = world.follower()
    first = follower.version
    world.write("Auditor")
    settle(follower)
    world.roll_out().roll_back(BACKGROUND, ALICE, first)
    follower.tick(1)
    assert roles(rules) == {"Admin"}
    _, started = world.follower()
    assert roles(started) == {"Admin"}, "a restart is no change"
    world.write("Operator")
    settle(follower)
    assert roles(rules) == {"Operator"}


def test_files_that_were_rolled_back_count_again_when_they_come_anew(world):
    follower, rules = world.follower()
    first = follower.version
    world.write("Auditor")
    settle(follower)
    world.roll_out().roll_back(BACKGROUND, ALICE, first)
    follower.tick(1)
    for role in ("Operator", "Auditor"):
        world.write(role)
        settle(follower)
        assert roles(rules) == {role}
    _, started = world.follower()
    assert roles(started) == {"Auditor"}


def test_an_order_counts_on_a_node_with_other_files_as_well_and_files_of_other_nodes_do_not(world, tmp_path):
    follower, rules = world.follower()
    world.roll_out().take_files(BOB, world.files("Auditor"))  # of another machine
    follower.tick(10)
    assert roles(rules) == {"Admin"}
    world.roll_out().promote(BACKGROUND, ALICE, world.files("Operator"))
    follower.tick(11)
    assert roles(rules) == {"Operator"}


def test_files_that_were_rolled_back_can_be_promoted(world):
    follower, rules = world.follower()
    first = follower.version
    world.write("Auditor")
    settle(follower)
    world.roll_out().roll_back(BACKGROUND, ALICE, first)
    follower.tick(1)
    world.roll_out().promote(BACKGROUND, ALICE, world.files("Auditor"))
    follower.tick(2)
    assert roles(rules) == {"Auditor"}


def test_files_that_change_too_much_wait_for_an_administrator_even_across_a_restart(world):
    follower, rules = world.follower(share=0.1)
    world.change = Change(50, 100)
    world.write("Auditor")
    settle(follower)
    assert roles(rules) == {"Admin"}
    assert follower.describe()["state"] == "rules_held"
    started, rules_of_started = world.follower(share=0.1)
    assert roles(rules_of_started) == {"Admin"}
    latest = world.roll_out().versions.latest()
    [request] = world.roll_out(0.1).requests.waiting(latest.version, world.clock.now())
    world.roll_out(0.1).confirm(BACKGROUND, BOB, request.id)
    follower.tick(1)
    started.tick(1)
    assert roles(rules) == roles(rules_of_started) == {"Auditor"}
    assert follower.fault is started.fault is None


def test_files_that_an_administrator_rejected_stay_out(world):
    follower, rules = world.follower(share=0.1)
    world.change = Change(50, 100)
    world.write("Auditor")
    settle(follower)
    latest = world.roll_out().versions.latest()
    [request] = world.roll_out(0.1).requests.waiting(latest.version, world.clock.now())
    world.roll_out(0.1).reject(BACKGROUND, BOB, request.id)
    for number in range(1, 25):
        follower.tick(number)
    assert roles(rules) == {"Admin"}
    assert world.roll_out(0.1).requests.waiting(latest.version, world.clock.now()) == []


def test_without_the_database_files_count_at_the_start_and_are_recorded_when_it_is_back(world, tmp_path):
    (tmp_path / "bridge.db").mkdir()
    follower, rules = world.follower()
    assert roles(rules) == {"Admin"}
    (tmp_path / "bridge.db").rmdir()
    follower.tick(10)
    assert world.roll_out().versions.latest().version == follower.version
    assert world.events() == ["files_taken"]


def test_the_thread_ends_with_what_it_follows_for(world):
    follower, _ = world.follower()
    follower.start()
    [thread] = [each for each in threading.enumerate() if each.name == "rules-follower" and each.is_alive()][-1:]
    gone = weakref.ref(follower)
    del follower
    assert wait_until(lambda: gc.collect() >= 0 and gone() is None), "but for the thread, which lets go after each tick"
    thread.join(10)
    assert not thread.is_alive()


def test_a_process_that_is_silent_for_a_minute_is_no_node_any_more(world):
    world.follower()
    assert [node.node.endswith(f"/{os.getpid()}") for node in Nodes(world.tables).list(world.clock.now())] == [True]
    world.clock.advance(seconds=61)
    assert Nodes(world.tables).list(world.clock.now()) == []


# ── Files that wait for an administrator, and a start ────────────────────────────────────────────────────────


def restart(world, accounts=None, share=0.1):
    """Start another process, as a service starts: its configuration has the files that stand in the folder."""
    there = replace(world.configuration, accounts=accounts or world.configuration.accounts)
    there = replace(there, rule_files=read_rule_files(world.folder))
    return world.follower(share=share, configuration=replace(there, rules=compile_rule_files(there, there.rule_files)))


def test_at_a_start_without_the_database_files_that_nobody_approved_grant_nothing(world, tmp_path):
    world.follower(share=0.1)
    world.change = Change(100, 100)
    unapproved = world.write("Owner")
    fail_to_reach_the_database(world, tmp_path)
    follower, rules = restart(world)
    assert rules.current.rules == ()
    assert follower.describe() == {"version": "none", "state": "rules_database_unavailable"}
    reach_it_again(tmp_path)
    for number in range(1, 31):
        follower.tick(number)
    assert roles(rules) == {"Admin"}
    assert follower.describe() == {"version": world.files("Admin").version, "state": "rules_held"}
    assert world.events().count("held") == 1
    [request] = world.roll_out(0.1).requests.waiting(follower.version, world.clock.now())
    world.roll_out(0.1).confirm(BACKGROUND, BOB, request.id)
    follower.tick(31)
    assert (roles(rules), follower.version, follower.fault) == ({"Owner"}, unapproved, None)


def test_at_a_start_without_the_database_approved_files_count_as_soon_as_it_is_back(world, tmp_path):
    world.follower(share=0.1)
    fail_to_reach_the_database(world, tmp_path)
    follower, rules = restart(world)
    assert rules.current.rules == ()
    reach_it_again(tmp_path)
    follower.tick(10)
    assert (roles(rules), follower.fault) == ({"Admin"}, None)


@pytest.mark.parametrize("state", ["held", "rejected"])
def test_files_that_are_held_count_at_no_start_even_if_what_is_in_force_cannot_be_loaded(world, state):
    world.follower(share=0.1)
    world.change = Change(100, 100)
    accounts = {name: account for name, account in world.configuration.accounts.items() if name != "sandbox"}
    text = world.files("Owner").texts["10-platform.yaml"].replace(b"  - account: sandbox\n    role: Developer\n", b"")
    (world.folder / "10-platform.yaml").write_bytes(text)
    follower, rules = restart(world, accounts)
    latest = world.roll_out().versions.latest()
    [request] = world.roll_out(0.1).requests.waiting(latest.version, world.clock.now())
    if state == "rejected":
        world.roll_out(0.1).reject(BACKGROUND, BOB, request.id)
        follower, rules = restart(world, accounts)
    for number in range(1, 31):
        follower.tick(number)
    assert rules.current.rules == ()
    assert follower.describe() == {"version": "none", "state": "rules_held"}
    assert world.events().count("not_loaded") == (2 if state == "held" else 4), "each start says both faults, once"
    if state == "held":
        world.roll_out(0.1).confirm(BACKGROUND, BOB, request.id)
        follower.tick(31)
        assert (roles(rules), follower.fault) == ({"Owner"}, None)


def test_files_that_are_held_give_way_to_what_is_in_force_by_now(world):
    follower, rules = world.follower(share=0.1)
    world.roll_out().take_files(BOB, world.files("Auditor"))  # of another machine
    world.change = Change(100, 100)
    world.write("Owner")
    settle(follower)
    assert roles(rules) == {"Auditor"}
    assert follower.describe()["state"] == "rules_held"
