"""Random rules, edits of them, and sign-ins, for a seed. Nothing here decides anything."""

import copy
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bridge.entitlements.rules import RuleFiles, compile_rules, read_rules
from bridge.history.kept_sign_in import KeptSignIn
from bridge.identity.verified import VerifiedIdentity
from tests.unit.preview.oracle import GROUPS_CLAIMS, WHEN

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
GROUPS = [f"team-{number}" for number in range(12)]
ACCOUNTS = ["production", "sandbox", "data"]
ROLES = ["ReadOnly", "Admin", "Developer", "Operator", "Auditor"]
USERS = ["ext-7", "shared", "ext-${ claims.uid }"]
DEPARTMENTS = ["Platform", "Finance", "Support"]
WHOM = {"groups", "claims", "when", "provider"}
POLICIES = [
    {"Version": "1", "Statement": [{"Effect": "Deny", "Action": action, "Resource": "*"}]}
    for action in ("oss:*", "ecs:*")
]


def make_rules(random, count):
    """Return rules by file, as mappings."""
    files = {"10-teams.yaml": [], "20-rest.yaml": []}
    for number in range(count):
        files[random.choice(list(files))].append(make_rule(random, f"rule-{number}"))
    return {name: rules for name, rules in files.items() if rules}


def make_rule(random, name):
    rule = {"name": name, **_make_conditions(random)}
    if random.random() < 0.2:
        return rule | {"deny": [_make_target(random) for _ in range(random.randint(1, 2))]}
    if random.random() < 0.2:
        rule["require"] = random.choice(
            [{"amr": ["mfa"]}, {"acr": ["strong"], "amr": ["mfa"]}, {"max_age_seconds": 900}]
        )
    return rule | {"grant": [make_grant(random) for _ in range(random.randint(1, 3))]}


def make_grant(random):
    grant = {"account": random.choice(ACCOUNTS), "duration_seconds": random.choice([3600, 7200])}
    if random.random() < 0.2:
        grant["user"] = random.choice(USERS)
        return grant | ({"terminal_role": random.choice(ROLES)} if random.random() < 0.6 else {})
    grant["role"] = random.choice(ROLES)
    return grant | ({"session_policy": random.choice(POLICIES)} if random.random() < 0.2 else {})


def _make_conditions(random):
    conditions = {}
    if random.random() < 0.8:
        conditions["groups"] = random.sample(GROUPS, random.randint(1, 3))
    if random.random() < 0.2:
        conditions["claims"] = {"department": random.sample(DEPARTMENTS, random.randint(1, 2))}
    if random.random() < 0.2:
        conditions["when"] = random.choice(list(WHEN))
    if random.random() < 0.1:
        conditions["provider"] = [random.choice(list(GROUPS_CLAIMS))]
    if random.random() < 0.1:
        conditions["not_groups"] = random.sample(GROUPS, 2)
    if random.random() < 0.1:
        conditions["networks"] = random.sample(["10.0.0.0/8", "203.0.113.7", "192.0.2.0/24"], 2)
    if random.random() < 0.1:
        conditions["hours"] = {"from": random.choice(["06:30", "09:00"]), "to": "17:15", "time_zone": "UTC"}
    if random.random() < 0.1:
        conditions["expires"] = random.choice(["2026-11-10", "2026-11-20"])
    return conditions if conditions.keys() & WHOM else conditions | {"everyone": True}


def _make_target(random):
    target = {"account": random.choice(ACCOUNTS)}
    kind = random.choice(["role", "role", "user", None])
    return target | ({kind: random.choice(ROLES if kind == "role" else ["ext-7", "shared"])} if kind else {})


def edit(random, files):
    """Return the rules with one to four edits: a rule or a part of one is added, removed, altered or moved."""
    files = copy.deepcopy(files)
    for _ in range(random.randint(1, 4)):
        name = random.choice(sorted(files))
        random.choice([_add, _remove, _move, _rename, _alter, _alter, _alter, _alter])(random, files[name])
    return {name: rules for name, rules in files.items() if rules} or {"10-teams.yaml": [make_rule(random, "last")]}


def _add(random, rules):
    rules.insert(random.randint(0, len(rules)), make_rule(random, f"new-{random.getrandbits(40)}"))


def _remove(random, rules):
    if rules:
        rules.pop(random.randrange(len(rules)))


def _move(random, rules):
    if rules:
        rules.insert(random.randint(0, len(rules)), rules.pop(random.randrange(len(rules))))


def _rename(random, rules):
    if rules:
        random.choice(rules)["name"] = f"renamed-{random.getrandbits(40)}"


def _alter(random, rules):
    if not rules:
        return
    number = random.randrange(len(rules))
    rule, other = rules[number], make_rule(random, rules[number]["name"])
    limits = ["not_groups", "networks", "hours", "expires"]
    part = random.choice(["groups", "claims", "when", "provider", "require", "effect", "grant", *limits])
    if part == "effect":
        rules[number] = other
    elif part == "grant" and "grant" in rule:
        grant = random.choice(rule["grant"])
        grant.update(
            random.choice([{"duration_seconds": 900}, {"account": random.choice(ACCOUNTS)}, _other_name(random, grant)])
        )
    elif part in other and part != "grant" and not (part == "require" and "deny" in rule):
        rule[part] = other[part]
    elif part in rule and part != "grant":
        del rule[part]
    rule.pop("everyone", None)
    if not rule.keys() & WHOM:
        rule["everyone"] = True


def _other_name(random, grant):
    return {"role": random.choice(ROLES)} if "role" in grant else {"user": random.choice(USERS)}


def make_sign_ins(random, count, people):
    """Return sign-ins, oldest first; what a person's provider says of them may differ from one to the next."""
    pool = [_make_person(random, number) for number in range(people)]
    start = NOW - timedelta(days=30)
    for number in range(count):
        person, provider, claims = random.choice(pool)
        at = start + timedelta(days=30) * number / count
        yield KeptSignIn(
            at=at,
            person=person,
            label=person.title(),
            identity=VerifiedIdentity(
                provider=provider,
                protocol="saml" if provider == "acme-saml" else "oidc",
                issuer=f"https://{provider}.example",
                subject=person,
                claims=_vary(random, claims, GROUPS_CLAIMS[provider]),
                authenticated_at=at - timedelta(seconds=random.choice([5, 899, 900, 901, 4000])),
                message_id=f"_{number}",
                accept_until=at,
                acr=random.choice([None, "strong", "weak"]),
                amr=random.choice([(), ("pwd",), ("pwd", "mfa")]),
            ),
            source_address=random.choice(["10.1.2.3", "203.0.113.7"]),
        )


def _make_person(random, number):
    provider = random.choice(list(GROUPS_CLAIMS))
    claims = {
        GROUPS_CLAIMS[provider]: random.sample(GROUPS, random.randint(0, 4)),
        "department": random.choice(DEPARTMENTS),
        "email": f"p{number}@{random.choice(['acme', 'partner'])}.example",
        "level": random.randint(1, 5),
        "uid": str(random.randint(5, 9)),
    }
    return f"person-{number:04}", provider, claims


def _vary(random, claims, groups_claim):
    claims = dict(claims)
    chance = random.random()
    if chance < 0.05:
        claims.pop(random.choice(list(claims)))
    elif chance < 0.08:
        claims[groups_claim] = {"not": "a list"}
    elif chance < 0.1:
        claims["department"] = ["Finance", 7]
    elif chance < 0.12:
        claims["level"] = "four"
    elif chance < 0.2:
        claims[groups_claim] = random.sample(GROUPS, 2)
    return claims


def compile_files(files):
    """Return the rule set of rules by file."""
    texts = {name: json.dumps({"rules": rules}).encode() for name, rules in files.items()}
    rule_files = RuleFiles(Path("rules"), texts)
    readings = [read_rules(path, content) for path, content in rule_files.iterate_rules()]
    problems = [problem for _, found in readings for problem in found]
    assert not problems, problems
    return compile_rules([document for document, _ in readings], GROUPS_CLAIMS, rule_files)
