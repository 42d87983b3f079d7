"""What is suggested to somebody who was refused: carried out, it makes the real decision allow, and no part of it does.

``RAMBRIDGE_TEST_EXAMPLES=10000`` tries more rule sets, and different ones each time. A failure names its seed.
"""

import os
import random
import sys
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain, combinations
from zoneinfo import ZoneInfo

import pytest

from bridge.entitlements.entitlement import identify
from bridge.entitlements.limits import DAYS, Hours
from bridge.entitlements.matching import ClaimSchema
from bridge.entitlements.resolve import resolve
from bridge.entitlements.smallest_change import find_smallest_change, list_own_changes
from bridge.entitlements.steps import OtherNetwork, Situation, StrongerSignIn
from tests.unit.entitlements.factories import NOW, make_identity
from tests.unit.entitlements.naive import write

EXAMPLES = int(os.environ.get("RAMBRIDGE_TEST_EXAMPLES", "0"))
RULE_SETS, PEOPLE = EXAMPLES or 160, 3
FIRST_SEED = random.SystemRandom().randrange(2**40) if EXAMPLES else 0
OWN = {"other_time", "other_network", "stronger_sign_in", "fresh_sign_in"}
KINDS = OWN | {"group", "fewer_groups", "mapping", "longer_rule"}

WORDS = ("platform", "finance", "Platform", "data")
TARGETS = [("role", account, name) for account in "xy" for name in "RST"] + [("user", "x", "uid-lin")]
HIDDEN = ("role", "y", "Hidden")
OFFICE, GUESTS, HOME = "10.0.0.0/8", "10.9.0.0/16", "192.0.2.7"
HOURS = (
    {"days": ["tue"], "from": "08:00", "to": "18:00", "time_zone": "UTC"},
    {"days": ["mon", "thu"], "from": "08:00", "to": "18:00", "time_zone": "Asia/Shanghai"},
    {"days": ["wed"], "from": "22:00", "to": "05:00", "time_zone": "Europe/Berlin"},
)
REQUIRE = (
    {"amr": ["mfa", "hwk"]},
    {"acr": ["gold", "platinum"], "amr": ["hwk"]},
    {"max_age_seconds": 300},
    {"acr": ["gold"], "max_age_seconds": 900},
)


def make_rule(source, number):
    """Return a rule that is near to granting something, or denies some of it."""
    rule = {"name": f"r{number}"}
    conditions = {
        "groups": lambda: source.sample(WORDS, source.randint(1, 2)),
        "not_groups": lambda: [source.choice(WORDS)],
        "claims": lambda: {"team": source.choice(["a", ["a", "b"]])},
        "when": lambda: source.choice([("eq", "team", "a"), ("holds", "groups", "data"), ("has", "team")]),
        "networks": lambda: source.choice([[OFFICE], [GUESTS, "2001:db8::/32"], ["10.9.8.7"]]),
        "hours": lambda: source.choice(HOURS),
        "expires": lambda: source.choice(["2026-11-23", "2026-11-26", "2027-01-01"]),
    }
    for name, make in conditions.items():
        if source.random() < (0.5 if name == "groups" else 0.25):
            rule[name] = make()
    if not rule.keys() & {"groups", "claims", "when"}:
        rule["everyone"] = True
    if "groups" in rule and len({group.lower() for group in rule["groups"]}) == len(rule["groups"]):
        rule |= {"ignore_case": True} if source.random() < 0.1 else {}
    if source.random() < 0.12:
        target = source.choice([{}, {"role": source.choice("RST")}])
        return rule | {"deny": [{"account": source.choice("xy"), **target}]}
    if source.random() < 0.5:
        rule["require"] = source.choice(REQUIRE)
    given = source.choice(
        [
            {"account": source.choice("xy"), "role": source.choice("RST")},
            {"account": "x", "user": "uid-${ claims.uid }"},
        ]
    )
    return rule | {"grant": [given]}


def make_situation(source, rule_set):
    protocol = source.choice(["saml", "oidc"])
    claims = {
        "groups": source.choice([["platform"], ["finance", "data"], ["PLATFORM"], "platform", [], {"a": 1}, ["a", 3]]),
        "team": source.choice(["a", "b", ["c"], 7]),
        "uid": "lin",
    }
    for name in list(claims):
        if source.random() < 0.1:
            del claims[name]
    identity = make_identity(
        provider="acme-saml",
        protocol=protocol,
        claims=claims,
        acr=source.choice([None, "gold", "silver"]),
        amr=() if protocol == "saml" else source.choice([(), ("pwd",), ("hwk",)]),
        authenticated_at=NOW - timedelta(seconds=source.choice([1, 300, 301, 5_000])),
        authentication_time_stated=source.random() < 0.9,
    )
    return Situation(identity, rule_set, NOW, source.choice([None, "10.1.2.3", "10.9.8.7", HOME, "somewhere"]))


def carry_out(source, situation, steps):
    """Carry the steps out as people do: at any address of a network, by any of the methods that were named."""
    for step in steps:
        if isinstance(step, OtherNetwork):
            network = source.choice(step.networks)
            situation = replace(
                situation, source_address=str(network[source.randrange(min(network.num_addresses, 2**24))])
            )
        elif isinstance(step, StrongerSignIn):
            identity = situation.identity
            ways = [{"acr": acr} for acr in step.acr] + [{"amr": (*identity.amr, amr)} for amr in step.amr]
            situation = replace(situation, identity=replace(identity, **source.choice(ways)))
        else:
            situation = step.carry_out(situation)
    return situation


def list_granted(situation):
    found = resolve(situation.identity, situation.rules, situation.now, situation.source_address)
    return {each.id for each in found.entitlements}


def iterate_situations(rules):
    for seed in range(FIRST_SEED, FIRST_SEED + RULE_SETS):
        source = random.Random(seed)
        written = [make_rule(source, number) for number in range(source.randint(1, 6))]
        schemas = {"acme-saml": ClaimSchema(types={"team": "string"})} if seed % 3 == 0 else None
        rule_set = rules.compile(write(written), schemas=schemas)
        for _ in range(PEOPLE):
            yield seed, source, make_situation(source, rule_set)


def check(seed, source, situation, change):
    """The change gives what it says, and none of its parts does."""
    wanted = change.entitlement.id
    for _ in range(3):
        assert wanted in list_granted(carry_out(source, situation, change.steps)), (seed, change)
    parts = chain.from_iterable(combinations(change.steps, size) for size in range(len(change.steps)))
    for part in parts:
        assert wanted not in list_granted(replace(change, steps=part).carry_out(situation)), (seed, change, part)


def test_carried_out_it_makes_the_decision_allow_and_no_part_of_it_does(rules):
    """Done-when 4 of issue 7, for whatever is refused, for every kind of step, and for what one can do alone."""
    kinds, own, sizes = Counter(), Counter(), Counter()
    for seed, source, situation in iterate_situations(rules):
        granted = list_granted(situation)
        for wanted in (identify(*target) for target in TARGETS):
            change = find_smallest_change(situation, wanted)
            if wanted in granted:
                assert change is None, seed
            elif change:
                assert change.entitlement.id == wanted
                check(seed, source, situation, change)
                sizes[len(change.steps)] += 1
                kinds.update(step.kind for step in change.steps)
        for change in list_own_changes(situation):
            assert change.own
            assert change.entitlement.id not in granted
            check(seed, source, situation, change)
            own.update(step.kind for step in change.steps)
    assert sizes.total() >= 500, sizes
    assert set(kinds) == KINDS
    assert min(kinds.values()) >= 15, kinds
    assert sizes[2] > 50
    assert sizes[3] > 5
    assert set(own) == OWN
    assert min(own.values()) >= 15, own


def test_t_web_15_what_one_is_told_depends_on_nothing_that_does_not_name_the_person(rules):
    """The twin has the same rules but those that other groups, claims or providers keep from the person."""
    removed = 0
    for seed, source, situation in iterate_situations(rules):
        own = list_own_changes(situation)
        hidden = [
            rule.id
            for rule in situation.rules.rules
            if not rule.denials
            and any(
                finding.holds is not True and finding.condition not in {"hours", "networks", "strength", "age"}
                for finding in situation.look_at(rule)
            )
        ]
        removed += len(hidden)
        # Renamed and given to a group that nobody has: the place of the others stays the same.
        kept = tuple(
            replace(rule, id=f"other:{source.random()}", groups=frozenset({"nobody"})) if rule.id in hidden else rule
            for rule in situation.rules.rules
        )
        twin = replace(situation, rules=replace(situation.rules, rules=kept))
        assert list_own_changes(twin) == own, seed
    assert removed > RULE_SETS, removed


def test_t_web_15_the_work_for_a_role_that_exists_is_not_repeated_for_all_that_one_holds(rules):
    """Or the time of a refusal would tell somebody who holds much whether there is such a role."""
    few, many = (count_calls(refuse_beside(rules, held)) for held in (10, 210))
    assert many - few < 200 * 10, (few, many)  # each further rule is looked at once, and not in each of the decisions


def test_what_one_can_do_alone_is_not_decided_again_with_all_that_one_holds(rules):
    """A refusal had cost somebody with 400 roles two thirds of a second (benchmark ``refusal``)."""
    few, many = (count_calls(look_beyond(rules, held)) for held in (10, 210))
    assert many - few < 200 * 100, (few, many)  # each further role is decided about once


def look_beyond(rules, held):
    """Return the search for what a person who holds some roles can get alone."""
    near = [
        give("office", networks=[OFFICE]),
        give("strong", require={"acr": ["gold"], "max_age_seconds": 60}),
        give("all", hours=HOURS[0] | {"days": ["sat"]}, networks=[OFFICE], require={"max_age_seconds": 60}),
    ]
    identity = make_identity(claims={"groups": ["platform"]})
    written = [*(give(f"r{number}") for number in range(held)), *near]
    situation = Situation(identity, rules.compile(write(written)), NOW, HOME)
    assert {change.entitlement.name for change in list_own_changes(situation)} == {"office", "strong", "all"}
    return lambda: list_own_changes(situation)


def give(name, **conditions):
    """Return a rule that gives the role of its name."""
    return {"name": name, "groups": ["platform"], "grant": [{"account": "x", "role": name}]} | conditions


def refuse_beside(rules, held):
    """Return the search for a role that is kept from a person who holds some others."""
    given = [give(f"r{number}") for number in range(held)]
    hidden = {
        "name": "hidden",
        "groups": ["finance"],
        "networks": [OFFICE],
        "require": {"max_age_seconds": 60},
        "grant": [dict(zip(("account", "role"), HIDDEN[1:], strict=True))],
    }
    identity = make_identity(claims={"groups": ["platform"]})
    situation, wanted = Situation(identity, rules.compile(write([*given, hidden])), NOW, HOME), identify(*HIDDEN)
    assert find_smallest_change(situation, wanted) is not None
    return lambda: find_smallest_change(situation, wanted)


def count_calls(work):
    """Return how many functions are called: unlike time, the same on each machine."""
    calls = 0

    def note(_, event, __):
        nonlocal calls
        calls += event == "call"

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize(
    ("at", "span", "expected"),
    [
        ("2026-11-27T20:00", {"days": DAYS[:5], "start": "08:00", "end": "18:00"}, "2026-11-30T00:00"),
        ("2026-11-24T07:59", {"days": ("tue",), "start": "16:00", "end": "18:00"}, "2026-11-24T08:00"),
        ("2026-11-24T10:00", {"days": ("tue",), "start": "16:00", "end": "18:00"}, "2026-12-01T08:00"),
    ],
)
def test_the_next_span_begins_by_the_clock_on_the_wall(at, span, expected):
    hours = Hours(frozenset(span["days"]), span["start"], span["end"], ZoneInfo("Asia/Shanghai"))
    now = datetime.fromisoformat(at).replace(tzinfo=UTC)
    assert hours.find_next(now) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_a_time_that_summer_time_skips_is_the_one_an_hour_later():
    hours = Hours(frozenset({"sun"}), "02:30", "05:00", ZoneInfo("Europe/Berlin"))
    found = hours.find_next(datetime(2027, 3, 27, 12, tzinfo=UTC))
    assert found == datetime(2027, 3, 28, 1, 30, tzinfo=UTC)
    skipped = Hours(frozenset({"sun"}), "02:10", "02:50", ZoneInfo("Europe/Berlin"))
    assert skipped.find_next(datetime(2027, 3, 27, 12, tzinfo=UTC)) is None
