"""What is called needless really is: without it, everybody has the same as before.

Small random rule sets over few groups, claims and networks, so that rules cover one another often, and everybody who
could be made of these.
"""

import itertools
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bridge.entitlements.resolve import resolve
from bridge.entitlements.rules import RuleFiles, compile_rules, read_rules
from bridge.identity.providers import OIDCProvider, SAMLProvider
from bridge.settings.review import place_rules, review_rules
from tests.factories import make_identity

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
PROVIDERS = {
    "p": SAMLProvider(name="p", title="P", protocol="saml", entity_id="e", metadata="m"),
    "q": OIDCProvider(name="q", title="Q", protocol="oidc", issuer="https://q.example", client_id="c"),
}
CONDITIONS = {
    "provider": ["p", "q", "[p, q]"],
    "groups": ["[a]", "[b]", "[a, b]", "[A]"],
    "not_groups": ["[b]", "[b, c]"],
    "claims": ["{d: x}", "{d: [x, y]}", "{d: x, e: z}"],
    "when": ["claims.d == 'x'", "has(claims.e)", "1 == 1", "1 == 2"],
    "networks": ["[10.0.0.0/8]", "[10.1.0.0/16]", "[192.0.2.0/24]"],
    "expires": ["2026-11-23", "2026-11-25", "2027-11-25"],
    "ignore_case": ["true", "true"],
}
REQUIRED = ["{amr: [mfa]}", "{amr: [mfa, pwd]}", "{acr: [s]}", "{amr: [mfa], acr: [s]}", "{max_age_seconds: 600}"]
GRANTS = ["{account: x, role: R}", "{account: x, role: R, duration_seconds: 1800}", "{account: x, user: u}"]
DENIALS = ["{account: x, role: R}", "{account: x}", "{account: x, user: u}"]


def write_rules(choose):
    lines = ["rules:"]
    conditions = {}
    for number in range(choose.randint(2, 5)):
        if choose.random() < 0.3:
            conditions = {}
        for name in choose.sample([*CONDITIONS, "require"], choose.randint(1, 2)):  # else much like the rule before
            conditions[name] = choose.choice([None, None, *(REQUIRED if name == "require" else CONDITIONS[name])])
        chosen = {name: text for name, text in conditions.items() if text is not None}
        if not {"groups", "not_groups", "claims"} & chosen.keys():
            chosen.pop("ignore_case", None)
        if not {"provider", "groups", "claims", "when"} & chosen.keys():
            chosen["everyone"] = "true"
        if choose.random() < 0.25:
            chosen.pop("require", None)
            chosen["deny"] = f"[{choose.choice(DENIALS)}]"
        else:
            chosen["grant"] = f"[{choose.choice(GRANTS)}]"
        written = ", ".join(f"{name}: {_quote(name, text)}" for name, text in chosen.items())
        lines.append(f"- {{name: r{number}, {written}}}")
    return "\n".join(lines)


def _quote(name, text):
    return f'"{text}"' if name == "when" else text


PEOPLE = [
    (
        make_identity(
            provider=provider,
            claims={name: value for name, value in (("groups", groups), *claims) if value is not None},
            amr=() if provider == "p" else ("mfa",) if strong else ("pwd",),  # SAML has none
            acr="s" if strong else None,
            authenticated_at=NOW - timedelta(seconds=60 if strong else 900),
        ),
        address,
    )
    for provider, groups, claims, strong, address in itertools.product(
        ["p", "q"],
        [["a"], ["b"], ["a", "b"], ["A"], [], None, {"no": "list"}],
        [[], [("d", "x")], [("d", ["x", "y"]), ("e", "z")], [("d", "y")]],
        [True, False],
        ["10.1.0.1", "192.0.2.1", None],
    )
]


def decide(rules):
    """Return what everybody has, a half of them now and a half later, when some rules have ended."""
    return [
        [
            (each.id, each.duration_seconds, each.rule)
            for each in resolve(person, rules, NOW + timedelta(days=30 * (place % 2)), address).entitlements
        ]
        for place, (person, address) in enumerate(PEOPLE[::2] + PEOPLE[1::2])
    ]


def without(rules, number, *, grant):
    """Return the rules with one rule's only grant, or only denial, taken out."""
    rule = rules.rules[number]
    emptied = replace(rule, grants=()) if grant else replace(rule, grants=(), denials=())
    changed = (*rules.rules[:number], emptied, *rules.rules[number + 1 :])
    return replace(rules, rules=changed)


@pytest.mark.parametrize("seed", range(6))
def test_without_what_is_needless_everybody_has_the_same(tmp_path, seed):
    choose = random.Random(seed)
    found = 0
    for _ in range(20):
        content = write_rules(choose).encode()
        path = tmp_path / "r.yaml"
        document, problems = read_rules(path, content)
        assert not problems, (content.decode(), problems)
        rules = compile_rules([document], {"p": "groups", "q": "groups"}, RuleFiles(tmp_path, {"r.yaml": content}))
        placed = place_rules([document], rules)
        for problem in review_rules(placed, PROVIDERS, NOW):
            needless = problem.kind in {"shadowed", "always-denied", "never-matches", "expired"}
            if not needless or "cannot be read" in problem.message:
                continue
            found += 1
            number = next(place for place, rule in enumerate(rules.rules) if rule.line == problem.line)
            fewer = without(rules, number, grant=bool(rules.rules[number].grants))
            assert decide(fewer) == decide(rules), f"{problem}\n{content.decode()}"
    assert found > 5
