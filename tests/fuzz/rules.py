"""Fuzzes what administrators write as rules, and what strangers state as claims.

The first byte of an input says what the rest is:

- 0: a rule file; what is accepted is then asked about several people
- 1: a condition in CEL, evaluated on several people
- 2: a name with placeholders, filled in from several people
- 3: a pattern in a condition
- 4: the claims of a person, as JSON, whom fixed rules are asked about, and what is explained of that

Whatever is written is accepted, or refused with a place in the file. What a person may become is the same whether the
rules are looked up or all tried.
"""

import atheris

with atheris.instrument_imports(include=["bridge.entitlements", "bridge.yaml_documents"]):
    from bridge.entitlements.explanation import explain
    from bridge.entitlements.expressions import ExpressionInvalid, bind_variables, check_types, compile_expression
    from bridge.entitlements.resolve import resolve
    from bridge.entitlements.rules import RuleFiles, RuleSet, compile_rules, read_rules
    from bridge.entitlements.templates import compile_template

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bridge.errors import Problem, SettingsError
from bridge.identity.verified import VerifiedIdentity
from tests.fuzz.harness import Judge, fuzz
from tests.fuzz.json_changes import spoil

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
GROUPS_CLAIMS = {"acme": "groups"}
HOSTILE: tuple[dict[str, Any], ...] = (
    {"groups": ["platform", "on-call"], "department": "Platform", "uid": "lin.wei", "level": 7, "active": True},
    {"groups": [f"group-{number}" for number in range(4_000)], "department": "a" * 1_024, "uid": "../admin"},
    {"groups": {"platform": 1}, "department": ["Platform"], "uid": "*", "level": "7", "kind": 2**63},
    {"groups": ["plat\u200bform", "e\u0301"], "department": "\ud800", "uid": "${ claims.department }", "level": 1e308},
    {"groups": [[[[["deep"]]]]], "department": None, "uid": "", "level": -(2**63), "kind": {"a": {"b": "c"}}},
    {"_claim_names": {"groups": "src1"}, "hasgroups": True},
)
RULES = """constants: {office: [10.0.0.0/8, "2001:db8::/32"], team: Platform}
rules:
- name: platform
  groups: [platform, e]
  when: claims.department == "Platform" && claims.level > 3
  require: {amr: [mfa], max_age_seconds: 900}
  grant: [{account: x, role: Admin, duration_seconds: 3600}]
- name: own-user
  claims: {department: [Platform, Data], kind: [a]}
  ignore_case: true
  networks: [$office]
  grant: [{account: x, user: "u-${ claims.uid }", terminal_role: ReadOnly}]
- name: named
  provider: [acme, other]
  when: '"on-call" in claims.groups || claims.?kind.orValue("") in ["a", "b"]'
  not_groups: [interns]
  hours: {days: [mon, tue], from: "22:00", to: "06:00", time_zone: Asia/Shanghai}
  grant:
  - account: y
    roles: [R, S]
    title: For ${ claims.department }
    session_policy:
      Version: "1"
      Statement:
      - {Effect: Allow, Action: [oss:GetObject], Resource: "acs:oss:*:*:lake/people/${ claims.uid }/*"}
- name: no-externals
  when: has(claims.kind) && claims.kind.matches("^(?:ext|tmp)-[a-z]+$")
  deny: [{account: x}]
- name: no-contractors
  groups: [contractors]
  expires: 2027-03-31
  deny: [{account: y, role: R}]
- name: narrowed
  groups: [$team, b]
  not_groups: [contractors]
  ignore_case: true
  networks: [$office, 192.0.2.1]
  hours: {days: [mon, tue], from: "22:00", to: "10:00", time_zone: Asia/Shanghai}
  expires: 2027-03-31
  owner: me
  reason: because
  grant: [{account: x, roles: [A, "app-${ claims.uid }"], title: "Team ${ claims.department }"}]
- name: everybody
  everyone: true
  grant: [{account: y, role: ReadOnly, title: Read, purpose: To look.}]
"""
CONDITIONS = (
    'claims.department == "Platform" && claims.level >= 7',
    'claims.groups.exists(g, g.startsWith("on-")) || "platform" in claims.groups',
    'claims.groups.map(g, g.upperAscii()).filter(g, g != "X").size() > 1',
    'has(claims.address) && claims.address.city in ["Hangzhou", "Beijing"]',
    'claims.?department.orValue("none").replace("a", "b").split(",").join("-") == "b"',
    'request.time - identity.authenticated_at < duration("10m") && request.time.getHours("Asia/Shanghai") < 18',
    'identity.acr == "silver" ? "hwk" in identity.amr : request.source_address.startsWith("192.0.2.")',
    'claims.groups.all(a, claims.groups.all(b, a != b)) == {"k": [1, 2.5, null, b"x", true]}.k[4]',
    '[claims.department].map(x, x + x).map(y, "%s-%d".format([y, 7])) == []',
    'claims.department.substring(0, 4).indexOf("form") == claims.groups.size() % 3 - 1',
)
WORDS = (
    *("claims", "identity", "request", "groups", "department", "level", "uid", "kind", "provider", "when", "everyone"),
    *(
        "constants",
        "networks",
        "hours",
        "expires",
        "not_groups",
        "ignore_case",
        "account_tags",
        "account_alias",
        "roles",
    ),
    *("require", "amr", "acr", "max_age_seconds", "grant", "deny", "account", "role", "user", "terminal_role", "name"),
    *(".map(x, x + x)", ".exists(x, ", ".all(x, ", ".filter(x, ", ".optMap(x, ", ".?", "[?", ".orValue(", "has("),
    *(".matches(", ".format([", ".join(", ".split(", ".replace(", "strings.quote(", "duration(", "timestamp("),
    *(
        "^(?:",
        ")$",
        "(a+)+",
        "{1000}",
        "[[:alpha:]]",
        "\\\\Q",
        "(?i)",
        "${ ",
        " }",
        "&&",
        "||",
        " in ",
        "&a",
        "*a",
        "<<: ",
    ),
    *(
        "!!python/object",
        "---",
        "- name: x",
        "session_policy",
        "\\ud800",
        "1e400",
        "9223372036854775808",
        "_claim_names",
    ),
)
_judge = Judge(SettingsError, ExpressionInvalid)


def make_person(claims: dict[str, Any]) -> VerifiedIdentity:
    """Return a person of whom the provider states this."""
    return VerifiedIdentity(
        provider="acme",
        protocol="oidc",
        issuer="https://idp.example",
        subject="s-1",
        claims=claims,
        authenticated_at=NOW - timedelta(minutes=5),
        message_id="1",
        accept_until=NOW,
        acr="silver",
        amr=("pwd", "hwk"),
    )


def compile_file(content: bytes) -> RuleSet:
    """Return the rules in one file."""
    files = RuleFiles(Path("rules"), {"a.yaml": content})
    ((document, problems),) = (read_rules(*each) for each in files.iterate_rules())
    if problems:
        raise SettingsError(problems)
    return compile_rules([document], GROUPS_CLAIMS, files)


PEOPLE = [make_person(claims) for claims in HOSTILE]
VARIABLES = [bind_variables(person, NOW, "192.0.2.7") for person in PEOPLE]
FIXED = compile_file(RULES.encode())


def test_one(content: bytes) -> None:
    """Judge one input."""
    if content:
        _judge.judge(lambda: _try(content[0] % 5, content[1:]))


def _try(kind: int, rest: bytes) -> None:
    text = rest.decode("utf-8", "surrogateescape")
    match kind:
        case 0:
            _check_places(rest)
            rules = compile_file(rest)
            for person in PEOPLE:
                _decide(person, rules)
        case 1:
            condition = compile_expression(text)
            for variables in VARIABLES:
                condition.evaluate(variables)
            check_types(text, {"level": "int", "groups": "list", "department": "string", "kind": "map"})
        case 2:
            template = compile_template(text)
            for variables in VARIABLES:
                name, reason = template.expand(variables)
                assert bool(reason) == (name is None)
                assert name is None or (name.isascii() and not set("*/:${} ") & set(name)), "a name with separators"
        case 3:
            condition = compile_expression(f"claims.department.matches({json.dumps(text)})")
            for variables in VARIABLES:
                condition.evaluate(variables)
        case _:
            person = make_person(_load_claims(rest))
            _decide(person, FIXED)
            explain(person, FIXED, NOW, "192.0.2.7")


def _check_places(content: bytes) -> None:
    """Each problem stands in the file."""
    problems: tuple[Problem, ...] = ()
    try:
        compile_file(content)
    except SettingsError as error:
        problems = error.problems
    lines = content.count(b"\n") + content.count(b"\r") + 2
    assert all(1 <= each.line <= lines and each.column >= 1 for each in problems), problems


def _decide(person: VerifiedIdentity, rules: RuleSet) -> None:
    looked_up = resolve(person, rules, NOW, "192.0.2.7")
    tried = resolve(person, rules, NOW, "192.0.2.7", every_rule=True)
    assert looked_up.entitlements == tried.entitlements, "the index left out a rule that applies"
    explained = explain(person, rules, NOW, "192.0.2.7")
    assert all(verdict.sentence.isprintable() for verdict in explained.verdicts)


def _load_claims(content: bytes) -> dict[str, Any]:
    try:
        claims = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def seeds() -> list[bytes]:
    """Return inputs of each kind that are accepted."""
    names = ("ReadOnly", "u-${ claims.uid }", '${ claims.uid.split("@")[0].lowerAscii() }-${identity.subject}')
    patterns = ("^(a+)+$", "^(?:foo|bar)-[0-9]{1,4}$", "^[[:alpha:]|]+$", r"^a\.b$")
    return [
        b"\0" + RULES.encode(),
        *(b"\0rules: [{name: a, groups: [b], grant: [{account: c, role: d}]}]" for _ in range(1)),
        *(b"\1" + condition.encode() for condition in CONDITIONS),
        *(b"\2" + name.encode() for name in names),
        *(b"\3" + pattern.encode() for pattern in patterns),
        *(b"\4" + json.dumps(claims).encode() for claims in HOSTILE),
    ]


def change(content: bytes, source: random.Random) -> bytes:
    """Change one input of another: claims as JSON, text by joining, doubling and wrapping parts of it."""
    kind, rest = content[:1] or b"\0", content[1:]
    if kind[0] % 5 == 4:
        changed = spoil(rest, source)
        return atheris.Mutate(content, len(content) + 64) if changed is None else kind + changed
    if kind[0] % 5 == 0:
        lines = rest.split(b"\n")
        place = source.randrange(len(lines))
        lines[place : place + 1] = source.choice(
            ([], [lines[place]] * 2, [source.choice(lines)], [_grow(lines[place], source)])
        )
        return kind + b"\n".join(lines)
    return kind + _grow(rest, source)


def _grow(text: bytes, source: random.Random) -> bytes:
    start, end = sorted(source.randint(0, len(text)) for _ in range(2))
    part, word = text[start:end], source.choice(WORDS).encode()
    other = source.choice(CONDITIONS).encode()
    middle = source.choice(
        (b"", part * 2, part * 16, word, part + word, b"(" + part + b")", b"!(" + part + b")", other)
    )
    joint = source.choice((b"", b"", b" && ", b" || ", b" == "))
    return text[:start] + middle + joint + text[end:] if source.random() < 0.8 else text + joint + other


if __name__ == "__main__":
    fuzz(test_one, seeds(), [word.encode() for word in WORDS], change)
