"""Versions come into force one after the other, recorded before, and large changes only by two people."""

import itertools
import threading

import pytest
from sqlalchemy import select, text, update

from bridge.audit.events import BACKGROUND
from bridge.errors import (
    AuditUnavailable,
    RequestStale,
    RequestUnknown,
    RolloutUnavailable,
    RulesUnchanged,
    SamePerson,
    SettingsError,
    VersionUnknown,
)
from bridge.rollout.author import Author
from bridge.rollout.change import Change
from bridge.rollout.forgetting import GONE, NAMING, forget_author
from bridge.rollout.tables import versions as versions_table
from tests.live_store import make_identity
from tests.unit.rollout.conftest import ALICE, BOB, on_both_databases


def promote(world, role, share=None, author=ALICE, **more):
    return world.roll_out(share).promote(BACKGROUND, author, world.files(role, **more), f"now {role}")


@on_both_databases
def test_a_promoted_version_is_in_force_kept_told_and_recorded_with_its_difference(world):
    first = promote(world, "Admin").in_force
    second = promote(world, "Auditor").in_force
    latest = world.roll_out().versions.latest()
    assert latest == second
    assert (latest.number, latest.previous, latest.reason, latest.author) == (2, first.version, "promote", ALICE.name)
    assert (latest.added, latest.removed, latest.message) == (1, 1, "now Auditor")
    assert world.told.value == b"2"
    for role in ("Admin", "Auditor"):
        files = world.files(role)
        assert world.roll_out().versions.read(files.version).texts == files.texts
    record = world.records()[-1]
    assert (record["event"], record["author"], record["version"]) == ("rules.promoted", ALICE.name, second.version)
    assert "-    role: Admin" in record["diff"]
    assert "+    role: Auditor" in record["diff"]
    assert len(record["diff_digest"]) == 64


@on_both_databases
def test_a_version_that_was_in_force_comes_back_by_its_first_digits(world):
    first = promote(world, "Admin").in_force
    promote(world, "Auditor")
    roll_out = world.roll_out()
    outcome = roll_out.roll_back(BACKGROUND, BOB, roll_out.versions.find(first.version[:7]).version)
    assert outcome.in_force.version == first.version
    assert [change.reason for change in roll_out.versions.changes(9)] == ["rollback", "promote", "promote"]
    assert world.events() == ["promoted", "promoted", "rolled_back"]


@on_both_databases
def test_of_two_changes_at_once_one_is_refused_as_stale_and_the_list_has_no_gap(world):
    promote(world, "Admin")
    outcomes = []

    def change(role):
        try:
            outcomes.append(promote(world, role).in_force.version)
        except RequestStale as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=change, args=(f"Role{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    changes = world.roll_out().versions.changes(20)
    assert [change.number for change in changes] == list(range(len(changes), 0, -1))
    for newer, older in itertools.pairwise(changes):
        assert newer.previous == older.version
    assert len(changes) - 1 + outcomes.count("rules_request_stale") == 6


def test_what_is_in_force_already_and_what_has_errors_change_nothing(world):
    promote(world, "Admin")
    with pytest.raises(RulesUnchanged):
        promote(world, "Admin")
    with pytest.raises(SettingsError):
        promote(world, "Admin", **{"20-broken.yaml": b"rules: nonsense\n"})
    assert len(world.roll_out().versions.changes(9)) == 1
    assert world.events() == ["promoted", "refused"]


def test_nothing_takes_effect_that_cannot_be_recorded(world):
    promote(world, "Admin")
    with world.audit_engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE audit_records")
    with pytest.raises(AuditUnavailable):
        promote(world, "Auditor")
    assert len(world.roll_out().versions.changes(9)) == 1


def test_files_that_were_exchanged_in_the_database_are_not_taken_for_the_version(world):
    first = promote(world, "Admin").in_force
    promote(world, "Auditor")
    with world.tables.reading() as connection:
        other = connection.execute(text("SELECT archive FROM rule_versions WHERE version != :v"), {"v": first.version})
        archive = other.scalar_one()
    with world.tables.writing() as connection:
        connection.execute(
            update(versions_table).where(versions_table.c.version == first.version).values(archive=archive)
        )
    with pytest.raises(RolloutUnavailable, match="another digest"):
        world.roll_out().roll_back(BACKGROUND, BOB, first.version)
    with world.tables.writing() as connection:
        connection.execute(update(versions_table).values(archive=b"no archive"))
    with pytest.raises(RolloutUnavailable, match="cannot be read"):
        world.roll_out().versions.read(first.version)


@pytest.mark.parametrize("argument", ["", "abcdef", "A" * 64, "%" * 7, "_______", "0" * 65, "../../etc", "1234567\n"])
def test_what_is_no_version_is_refused_and_never_a_pattern(world, argument):
    promote(world, "Admin")
    with pytest.raises(VersionUnknown):
        world.roll_out().versions.find(argument)


def test_digits_with_which_two_versions_begin_name_neither(world):
    promote(world, "Admin")
    rows = [{"version": f"{'a' * 20}{end * 44}", "kept_at": "2026-01-01", "author": "", "message": ""} for end in "01"]
    with world.tables.writing() as connection:
        connection.execute(versions_table.insert().values(archive=b""), rows)
    with pytest.raises(VersionUnknown, match="several"):
        world.roll_out().versions.find("a" * 20)


# ── The second administrator ─────────────────────────────────────────────────────────────────────────────────


def hold(world, role="Auditor", author=ALICE):
    """Return a request that waits."""
    if world.roll_out().versions.latest() is None:
        promote(world, "Admin")
    world.change = Change(11, 100)
    outcome = promote(world, role, share=0.1, author=author)
    assert outcome.in_force is None
    return outcome.request


@pytest.mark.parametrize(("changed", "held"), [(0, False), (10, False), (11, True), (100, True)])
def test_a_change_is_held_when_more_than_the_share_would_change(world, changed, held):
    promote(world, "Admin", share=0.1)
    world.change = Change(changed, 100)
    outcome = promote(world, "Auditor", share=0.1)
    assert (outcome.request is not None, outcome.in_force is None) == (held, held)
    assert world.events()[-1] == ("held" if held else "promoted")


def test_where_nobody_is_known_only_the_first_version_comes_into_force_alone(world):
    world.change = Change(0, 0)
    assert promote(world, "Admin", share=0.5).in_force
    held = promote(world, "Auditor", share=0.5)
    assert held.in_force is None
    assert held.request.describe_share() == "how many people it changes could not be found out"
    world.change = Change(0, 1)
    assert promote(world, "Operator", share=0.5).in_force


def test_a_change_of_which_nobody_knows_how_much_it_changes_is_held(world):
    promote(world, "Admin", share=0.5)
    world.change = None
    request = promote(world, "Auditor", share=0.5).request
    assert (request.changed, request.people) == (None, None)


@on_both_databases
def test_another_person_confirms_and_only_then_it_is_in_force(world):
    request = hold(world)
    assert [each.id for each in world.roll_out(0.1).requests.waiting(request.previous, world.clock.now())] == [
        request.id
    ]
    outcome = world.roll_out(0.1).confirm(BACKGROUND, BOB, request.id)
    assert outcome.in_force.version == request.version
    assert (outcome.in_force.author, outcome.in_force.confirmed_by) == (ALICE.name, "bob")
    record = world.records()[-1]
    assert (record["changed"], record["people"], record["request"]) == (11, 100, request.id)
    assert record["confirmed_by"] == "bob"
    with pytest.raises(RequestUnknown):
        world.roll_out(0.1).confirm(BACKGROUND, Author.of_command("carol"), request.id)


@on_both_databases
def test_whoever_is_erased_is_named_nowhere_in_the_list_and_what_they_decided_stays(world):
    identity = make_identity(subject="a-1", claims={"name": "Alice", "email": "alice@acme.example"})
    alice, bob = Author.signed_in(identity), BOB
    first = promote(world, "Admin", author=alice).in_force
    held = hold(world, author=bob)
    world.roll_out(0.1).confirm(BACKGROUND, alice, held.id)
    waiting = hold(world, "Admin", alice)
    forget_author(world.tables, identity.issuer, "a-1", "ALICE")
    second, before = world.roll_out().versions.changes(9)
    assert (before.version, before.author, second.author, second.confirmed_by) == (first.version, GONE, "bob", GONE)
    with world.engine.connect() as connection:
        rows = [repr(row) for table in NAMING for row in connection.execute(select(table))]
    assert "alice" not in "".join(rows).casefold()
    with pytest.raises(RequestUnknown, match="rejected"):
        world.roll_out(0.1).confirm(BACKGROUND, bob, waiting.id)


ALICE_ON_THE_WEB = Author.signed_in(make_identity(subject="a-1", claims={"email": "Alice@Acme.Example"}))


def sign_in_at_another(**changes):
    return Author.signed_in(make_identity(issuer="https://other.example", **changes))


@pytest.mark.parametrize(
    ("asks", "confirms"),
    [
        (ALICE, ALICE),
        (ALICE, Author.of_command("ALICE@acme.example")),
        (ALICE, ALICE_ON_THE_WEB),
        (ALICE_ON_THE_WEB, Author.of_command("alice@acme.example")),
        (ALICE_ON_THE_WEB, Author.signed_in(make_identity(subject="a-1", claims={"email": "other@acme.example"}))),
        (ALICE_ON_THE_WEB, sign_in_at_another(subject="2", claims={"email": "alice@acme.example"})),
        (ALICE_ON_THE_WEB, sign_in_at_another(subject="alice@acme.example", claims={"name": "Somebody"})),
    ],
)
def test_nobody_confirms_their_own_change_under_whatever_name(world, asks, confirms):
    request = hold(world, author=asks)
    with pytest.raises(SamePerson):
        world.roll_out(0.1).confirm(BACKGROUND, confirms, request.id)
    assert world.roll_out().versions.latest().version == request.previous
    assert world.records()[-1]["code"] == "rules_same_person"


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(sign_in_at_another(subject="b-1", claims={"email": "bob@acme.example"}), id="another issuer"),
        pytest.param(
            Author.signed_in(make_identity(subject="b-1", claims={"email": "Alice@Acme.Example"})),
            id="two subjects of one issuer, which may share a mailbox",
        ),
    ],
)
def test_two_people_who_signed_in_are_two(world, other):
    request = hold(world, author=ALICE_ON_THE_WEB)
    assert world.roll_out(0.1).confirm(BACKGROUND, other, request.id).in_force


def test_a_request_ends_after_a_day(world):
    request = hold(world)
    world.clock.advance(hours=24)
    with pytest.raises(RequestUnknown, match="older"):
        world.roll_out(0.1).confirm(BACKGROUND, BOB, request.id)
    assert world.roll_out(0.1).requests.waiting(request.previous, world.clock.now()) == []


def test_a_request_is_stale_once_anything_else_came_into_force(world):
    request = hold(world)
    world.change = Change(0, 100)
    promote(world, "Operator", share=0.1)
    assert world.roll_out(0.1).requests.waiting(world.files("Operator").version, world.clock.now()) == []
    with pytest.raises(RequestStale):
        world.roll_out(0.1).confirm(BACKGROUND, BOB, request.id)
    assert world.roll_out().versions.latest().version == world.files("Operator").version
    assert world.records()[-1]["code"] == "rules_request_stale"


def test_a_rejected_request_cannot_be_confirmed(world):
    request = hold(world)
    world.roll_out(0.1).reject(BACKGROUND, BOB, request.id)
    with pytest.raises(RequestUnknown, match="rejected"):
        world.roll_out(0.1).confirm(BACKGROUND, Author.of_command("carol"), request.id)
    assert world.records()[-1]["code"] == "rejected"


@pytest.mark.parametrize("name", ["", "x", "0" * 12, "' OR 1=1 --", "0" * 13])
def test_a_request_that_is_none_is_unknown(world, name):
    hold(world)
    with pytest.raises(RequestUnknown):
        world.roll_out(0.1).confirm(BACKGROUND, BOB, name)


def test_the_last_change_can_be_undone_at_once_and_an_older_version_only_by_two(world):
    first = promote(world, "Admin").in_force
    second = promote(world, "Auditor").in_force
    world.change = Change(100, 100)
    assert world.roll_out(0.1).roll_back(BACKGROUND, BOB, first.version).in_force
    world.change = Change(0, 100)
    promote(world, "Operator", share=0.1)
    world.change = Change(100, 100)
    assert world.roll_out(0.1).roll_back(BACKGROUND, BOB, second.version).request


# ── The database ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_database_that_is_down_changes_nothing_and_comes_back(world, tmp_path):
    promote(world, "Admin")
    world.tables.close()
    path = tmp_path / "bridge.db"
    path.rename(tmp_path / "away.db")
    path.mkdir()
    with pytest.raises(RolloutUnavailable):
        promote(world, "Auditor")
    path.rmdir()
    (tmp_path / "away.db").rename(path)
    assert promote(world, "Auditor").in_force
