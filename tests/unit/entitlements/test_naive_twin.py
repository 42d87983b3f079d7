"""The engine and its naive twin, which tries every rule, agree on random rule sets and people.

``RAMBRIDGE_TEST_EXAMPLES=10000`` tries more rule sets, and different ones each time. A failure names its seed.
"""

import os
import random
from datetime import timedelta

from bridge.entitlements.matching import ClaimSchema
from bridge.entitlements.resolve import resolve
from tests.unit.entitlements.factories import NOW, make_identity
from tests.unit.entitlements.naive import resolve_naively, write

EXAMPLES = int(os.environ.get("RAMBRIDGE_TEST_EXAMPLES", "0"))
RULE_SETS, PEOPLE = EXAMPLES or 1_000, 5
FIRST_SEED = random.SystemRandom().randrange(2**40) if EXAMPLES else 0
GROUPS_CLAIMS = {"acme-saml": "groups", "acme-oidc": "roles"}

ID = "6f1b9a52-5d0e-4c6e-9d5e-0c8a5c1f7a10"
SCHEMAS = {"acme-oidc": ClaimSchema(group_ids=True, types={"team": "string", "level": "int"})}
PLAIN_SCHEMAS = {name: (schema.group_ids, schema.types) for name, schema in SCHEMAS.items()}
WORDS = ("a", "b", "c", "A", "é", "É", ID, "S-1-5")
CLAIMS = ("groups", "roles", "team", "level", "uid")
ODD = (
    *(None, True, 7, 0.5, 2**70, "a\u200b", "e\u0301", "x" * 2000, ""),
    *(["a", 3], ["a", "b\u200b"], [], [["a"]], {"a": "b"}, {"a\u200b": 1}),
)


ADDRESSES = (None, "10.1.2.3", "::ffff:10.9.9.9", "11.0.0.1", "2001:db8::1", "2001:db9::1", "somewhere")
HOURS = (  # it is Tuesday, nine o'clock
    {"days": ["tue"], "from": "09:00", "to": "10:00", "time_zone": "UTC"},
    {"days": ["tue"], "from": "08:00", "to": "09:00", "time_zone": "UTC"},
    {"days": ["mon"], "from": "22:00", "to": "09:01", "time_zone": "UTC"},
    {"days": ["tue", "wed"], "from": "22:00", "to": "21:00", "time_zone": "UTC"},
)


def make_rule(source, number):
    rule = {"name": f"r{number}"}
    if source.random() < 0.3:
        rule["provider"] = source.choice(["acme-saml", ["acme-oidc", "acme-saml"], ["acme-oidc"], "elsewhere"])
    if source.random() < 0.5:
        rule["groups"] = source.choice([["a"], ["b", ID], ["A"], [ID, "é"], ["S-1-5", "c"]])
    if source.random() < 0.3:
        names = source.sample(CLAIMS, source.randint(1, 2))
        rule["claims"] = {name: source.choice(WORDS) if source.random() < 0.5 else list(WORDS[:2]) for name in names}
    if rule.keys() & {"groups", "claims"} and source.random() < 0.2:
        rule["ignore_case"] = True
    if source.random() < 0.4:
        rule["when"] = make_tree(source, 2)
    if len(rule) == 1:
        rule["everyone"] = True
    return narrow(source, rule)


def narrow(source, rule):
    """Return the rule with some of what is no condition by itself, and with what it grants or denies."""
    if source.random() < 0.15:
        rule["not_groups"] = source.sample(WORDS, 1)
    if source.random() < 0.15:
        rule["expires"] = source.choice(["2026-11-23", "2026-11-24", "2027-01-01"])
    if source.random() < 0.1:
        rule["networks"] = source.choice([["10.0.0.0/8"], ["11.0.0.1", "2001:db8::/32"], ["0.0.0.0/0"]])
    if source.random() < 0.1:
        rule["hours"] = source.choice(HOURS)
    if source.random() < 0.25:
        target = source.choice([{}, {"role": source.choice("RST")}, {"user": source.choice(WORDS[:3])}])
        return rule | {"deny": [{"account": source.choice("xy"), **target}]}
    if source.random() < 0.2:
        rule["require"] = source.choice([{"amr": ["mfa"]}, {"acr": ["gold"], "amr": ["hwk"]}, {"max_age_seconds": 300}])
    role = source.choice(["R", "S", "T", "u-${ claims.uid }"])
    kinds = ({"role": role}, {"user": source.choice(["a", "u-${ claims.uid }"]), "terminal_role": "R"})
    return rule | {"grant": [{"account": source.choice("xy"), **source.choice(kinds)}]}


def make_tree(source, depth):
    kind = source.choice(["eq", "in", "holds", "has", "over", *(["and", "and", "or", "not"] if depth else [])])
    if kind in {"and", "or"}:
        return (kind, make_tree(source, depth - 1), make_tree(source, depth - 1))
    if kind == "not":
        return (kind, make_tree(source, depth - 1))
    claim = source.choice(CLAIMS)
    arguments = {"eq": source.choice(WORDS), "in": WORDS[:2], "holds": source.choice(WORDS), "over": 3}
    return (kind, claim, arguments[kind]) if kind in arguments else (kind, claim)


def make_person(source):
    claims = {}
    for name in CLAIMS:
        if source.random() < 0.7:
            usual = (source.choice(WORDS), source.sample(WORDS, source.randint(1, 3)))
            claims[name] = source.choice(usual if source.random() < 0.7 else ODD)
    if source.random() < 0.05:
        claims["_claim_names"] = {source.choice(CLAIMS): "src1"}
    if source.random() < 0.05:
        claims["hasgroups"] = True
    if source.random() < 0.02:
        claims["team"] = ["a"] * source.choice([5_000, 10_001])
    return make_identity(
        provider=source.choice(["acme-saml", "acme-oidc", "acme-oidc", "removed"]),
        claims=claims,
        amr=source.choice([(), ("mfa",), ("hwk", "pwd")]),
        acr=source.choice([None, "gold"]),
        authenticated_at=NOW - timedelta(seconds=source.choice([1, 300, 301])),
        authentication_time_stated=source.random() < 0.9,
    )


def decide(identity, rules, address=None, **options):
    """Return what the engine grants, and the names of the rules that applied."""
    resolution = resolve(identity, rules, NOW, address, **options)
    granted = [
        (each.account, each.kind, each.name, each.rule.partition(":")[2], each.terminal_role)
        for each in resolution.entitlements
    ]
    return granted, [each.rule.partition(":")[2] for each in resolution.explanations if each.applied]


def iterate_examples():
    """Yield a source of chance, its seed and the rules of each example."""
    for seed in range(FIRST_SEED, FIRST_SEED + RULE_SETS):
        source = random.Random(seed)
        yield source, seed, [make_rule(source, number) for number in range(source.randint(1, 9))]


def test_the_index_decides_as_if_every_rule_were_tried(rules):
    granted = applied = 0
    for source, seed, written in iterate_examples():
        schemas, plain = (SCHEMAS, PLAIN_SCHEMAS) if seed % 2 else ({}, {})
        rule_set = rules.compile(write(written), schemas=schemas)
        for _ in range(PEOPLE):
            identity, address = make_person(source), source.choice(ADDRESSES)
            expected = resolve_naively(identity, written, GROUPS_CLAIMS, NOW, plain, address=address)
            assert decide(identity, rule_set, address) == expected, (seed, identity)
            assert decide(identity, rule_set, address, every_rule=True) == expected, (seed, identity)
            granted += len(expected[0])
            applied += len(expected[1])
    assert granted > RULE_SETS, "hardly anything was granted, so hardly anything was compared"
    assert applied > granted


def test_t_map_08_a_denial_wins_wherever_it_stands(rules):
    for source, seed, written in iterate_examples():
        if seed % 5:
            continue
        denial = {"name": "last-word", "everyone": True, "deny": [{"account": "x"}]}
        written.insert(source.randint(0, len(written)), denial)
        rule_set = rules.compile(write(written))
        for _ in range(PEOPLE):
            granted, _applied = decide(make_person(source), rule_set)
            assert "x" not in {account for account, *_ in granted}, seed


UNRELATED = (*ODD, ["a"] * 30_000, {"groups": ["a"], "roles": ["a"]}, ["a"] * 4_990)


def test_t_map_02_a_claim_that_no_rule_reads_changes_nothing(rules):
    for source, seed, written in iterate_examples():
        if seed % 5:
            continue
        rule_set = rules.compile(write(written))
        for _ in range(PEOPLE):
            identity = make_person(source)
            claims = {source.choice(["nick", "Groups", "team2"]): source.choice(UNRELATED), **identity.claims}
            more = make_identity(**(vars(identity) | {"claims": claims}))
            assert decide(more, rule_set) == decide(identity, rule_set), seed


def test_t_map_02_one_large_claim_does_not_take_another_one_away(rules):
    """Also where both are read: a rule about one is not undone by what another rule reads."""
    condition = {"when": ("eq", "team", "a"), "grant": [{"account": "x", "role": "R"}]}
    other = {"when": ("holds", "roles", "a"), "grant": [{"account": "y", "role": "R"}]}
    rule_set = rules.compile(write([{"name": "r0"} | condition, {"name": "r1"} | other]))
    identity = make_identity(claims={"roles": ["a"] * 6_000, "team": "a"})
    assert decide(identity, rule_set)[1] == ["r0"]
    assert decide(make_identity(claims={"roles": ["a"] * 4_000, "team": "a"}), rule_set)[1] == ["r0", "r1"]
