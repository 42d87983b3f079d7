"""The language of rules: strict, and what it refuses has a place and a remedy."""

import time

import pytest

from bridge.entitlements.matching import read_texts
from bridge.errors import SettingsError
from bridge.settings.rule_files import read_rule_files
from tests.unit.entitlements.factories import make_identity

GRANT = "grant: [{account: production, role: ReadOnly}]"


def faults(call):
    with pytest.raises(SettingsError) as caught:
        call()
    return [(problem.line, problem.message) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        pytest.param(f"- name: a\n  {GRANT}", 2, "would match everybody", id="no condition"),
        pytest.param(f"- name: a\n  groups: []\n  {GRANT}", 3, "empty", id="empty groups"),
        pytest.param(f"- name: a\n  groups:\n  {GRANT}", 2, "would match everybody", id="null groups"),
        pytest.param(f"- name: a\n  claims: {{}}\n  {GRANT}", 3, "empty", id="empty claims"),
        pytest.param(f"- name: a\n  claims: {{x: []}}\n  {GRANT}", 3, "empty", id="empty values"),
        pytest.param(f"- name: a\n  groups: ['']\n  {GRANT}", 3, "at least 1", id="empty group name"),
        pytest.param(f"- name: a\n  groups: x\n  {GRANT}", 3, "list", id="text instead of a list"),
        pytest.param(f"- name: a\n  everyone: false\n  {GRANT}", 3, "everyone", id="everyone: false"),
        pytest.param(f"- name: a\n  everyone: true\n  groups: [x]\n  {GRANT}", 2, "everyone", id="everyone in groups"),
        pytest.param(f"- name: a\n  group: [x]\n  {GRANT}", 3, "`group` is not known", id="unknown key"),
        pytest.param(f"- name: A b\n  groups: [x]\n  {GRANT}", 2, "name", id="bad name"),
        pytest.param(f"- groups: [x]\n  {GRANT}", 2, "`name` is missing", id="no name"),
        pytest.param("- name: a\n  groups: [x]", 2, "must grant or deny", id="neither grant nor deny"),
        pytest.param(
            f"- name: a\n  groups: [x]\n  {GRANT}\n  deny: [{{account: b}}]", 2, "grants and denies", id="both"
        ),
        pytest.param(
            f"- name: a\n  groups: [x]\n  {GRANT}".replace("}]", ", duration_seconds: '3600'}]"),
            4,
            "a whole number is expected here",
            id="a number as text",
        ),
        pytest.param(
            "- name: a\n  groups: [x]\n  require: {amr: [mfa]}\n  deny: [{account: b}]", 2, "require", id="deny require"
        ),
        pytest.param(
            f"- name: a\n  groups: [x]\n  require: {{}}\n  {GRANT}", 4, "asks for nothing", id="empty require"
        ),
        pytest.param("- name: a\n  groups: [x]\n  grant: [{account: b}]", 4, "a role or a user", id="no role, no user"),
        pytest.param(
            "- name: a\n  groups: [x]\n  grant: [{account: b, role: r, user: u}]", 4, "exactly one", id="role and user"
        ),
        pytest.param("- name: a\n  groups: [x]\n  grant: [{role: r}]", 4, "`account` is missing", id="no account"),
        pytest.param("- name: a\n  groups: [x]\n  grant: [{account: b, role: a/b}]", 4, "match", id="bad role"),
        pytest.param("- name: a\n  groups: [x]\n  grant: [{account: b, role: 'r*'}]", 4, "match", id="wildcard role"),
        pytest.param(
            '- name: a\n  groups: [x]\n  grant: [{account: b, role: "r\\n"}]', 4, "match", id="newline after a role"
        ),
        pytest.param(
            "- name: a\n  groups: [x]\n  grant: [{account: b, role: r, duration_seconds: 60}]", 4, "900", id="too short"
        ),
        pytest.param(
            "- name: a\n  groups: [x]\n  grant: [{account: b, role: r, duration_seconds: 50000}]", 4, "43200", id="long"
        ),
        pytest.param(
            "- name: a\n  groups: [x]\n  grant: [{account: b, user: u, session_policy: '{}'}]",
            4,
            "not known",
            id="session policy for a user",
        ),
        pytest.param(f"- name: a\n  when: claims.x ==\n  {GRANT}", 3, "Syntax error", id="bad expression"),
        pytest.param(f"- name: a\n  when: |\n    true &&\n    foo\n  {GRANT}", 5, "foo", id="bad second line"),
        pytest.param("- name: a\n  groups: [x]\n  grant: [{account: b, user: '${ 1 }'}]", 4, "text", id="bad template"),
        pytest.param(f"- name: a\n  claims: {{x: true}}\n  {GRANT}", 3, "text is expected", id="claim that is no text"),
        pytest.param(
            f"- name: a\n  groups: [x]\n  {GRANT}\n- name: a\n  groups: [y]\n  {GRANT}", 5, "already", id="name twice"
        ),
    ],
)
def test_a_rule_that_is_not_clear_is_refused(rules, text, line, word):
    found = faults(lambda: rules.compile(f"rules:\n{text}\n"))
    assert [fault for fault in found if fault[0] == line and word in fault[1]], found


def test_the_twin_without_faults_is_accepted(rules):
    text = "- name: a\n  groups: [x]\n  require: {amr: [mfa]}\n  grant: [{account: b, role: r, duration_seconds: 900}]"
    assert [rule.id for rule in rules.compile(f"rules:\n{text}\n").rules] == ["0.yaml:a"]


@pytest.mark.parametrize("text", ["", "rules:", "rules: []", "[]", "rule: []"])
def test_t_map_07_a_file_without_rules_is_refused(rules, text):
    assert faults(lambda: rules.compile(text))


@pytest.mark.parametrize("value", ["plat\u200bform", "\u202eplatform", "Cafe\u0301"])
@pytest.mark.parametrize("place", ["groups: ['{}']", "claims: {{x: '{}'}}", "groups: [x]\n  require: {{acr: ['{}']}}"])
def test_t_map_05_a_condition_that_no_claim_can_meet_is_refused_when_it_is_loaded(rules, place, value):
    # PyYAML itself refuses some of these characters when they stand in a file unescaped.
    assert faults(lambda: rules.compile(f"rules:\n- name: a\n  {place.format(value)}\n  {GRANT}\n"))


def test_every_problem_of_every_file_is_reported_at_once(rules):
    first = f"rules:\n- name: a\n  when: foo\n  {GRANT}\n- name: b\n  when: bar\n  {GRANT}\n"
    second = "rules:\n- name: a\n  groups: [x]\n  grant: [{account: b, user: '${ baz }'}]\n"
    assert [line for line, _ in faults(lambda: rules.compile(first, second))] == [3, 6, 4]


def test_the_version_changes_with_every_change_of_a_file(rules):
    text = f"rules:\n- name: a\n  groups: [x]\n  {GRANT}\n"
    version = rules.compile(text).version
    assert len(version) == 64
    assert rules.compile(text).version == version
    changed = {
        rules.compile(f"# a comment\n{text}").version,
        rules.compile(text.replace("[x]", "[y]")).version,
        rules.compile(text.replace("ReadOnly", "Admin")).version,
        rules.compile(text.replace("ReadOnly", "ReadOnly, duration_seconds: 1800")).version,
        rules.compile(other=text).version,
    }
    assert len(changed | {version}) == 6


def find_candidates(rule_set, claims):
    def read(name):
        return read_texts(claims, name)

    found = rule_set.find_candidates(make_identity(claims=claims), read("groups"), read)
    return [rule.id.partition(":")[2] for rule in found]


def test_only_rules_that_could_concern_a_person_are_looked_at(rules):
    text = "rules:\n" + "".join(f"- name: r{n}\n  groups: [g{n}, shared]\n  {GRANT}\n" for n in range(100))
    text += f"- name: always\n  claims: {{x: y}}\n  {GRANT}\n"
    rule_set = rules.compile(text)

    def candidates(*groups):
        return find_candidates(rule_set, {"groups": list(groups), "x": "y"})

    assert candidates("g7", "g3", "elsewhere") == ["r3", "r7", "always"]
    assert candidates() == ["always"]
    assert len(candidates("shared")) == 101


@pytest.mark.parametrize(
    "condition",
    [
        "groups: [g{n}]",
        "provider: acme-saml\n  groups: [g{n}]",
        "claims: {{team: g{n}}}",
        "provider: [acme-saml, acme-oidc]\n  claims: {{company: acme, team: [g{n}, G{n}]}}",
        "when: claims.company == 'acme' && (claims.team == 'g{n}' && claims.level > 3)",
        "when: claims.team in ['g{n}', 'G{n}']",
        "when: \"'g{n}' in claims.groups && has(claims.team)\"",
        "groups: [g7]\n  claims: {{team: g{n}}}",
    ],
)
def test_a_rule_is_found_by_the_requirement_that_the_fewest_share(rules, condition):
    text = "rules:\n" + "".join(f"- name: r{n}\n  {condition.format(n=n)}\n  {GRANT}\n" for n in range(100))
    rule_set = rules.compile(text)
    claims = {"groups": ["g7"], "team": "g7", "company": "acme", "level": 4}
    assert find_candidates(rule_set, claims) == ["r7"]
    assert find_candidates(rule_set, claims | {"groups": [], "team": "g70"}) in (["r70"], [])


@pytest.mark.parametrize("claim", ["x", ["y", "x"], {"x": 1}])
def test_a_rule_is_found_by_the_text_the_items_and_the_keys_that_its_expression_compares(rules, claim):
    condition = "claims.a == 'x'" if isinstance(claim, str) else "'x' in claims.a"
    rule_set = rules.compile(f'rules:\n- name: r\n  when: "{condition}"\n  {GRANT}\n')
    assert find_candidates(rule_set, {"a": claim}) == ["r"]
    assert find_candidates(rule_set, {"a": "y"}) == []


def test_t_map_06_what_cannot_be_read_leads_to_every_rule_that_denies_by_it(rules):
    deny = "deny: [{account: production}]"
    rule_set = rules.compile(
        "rules:\n"
        + "".join(
            f"- name: {name}\n  {condition}\n  {effect}\n"
            for name, condition, effect in (
                ("grants", "groups: [x]", GRANT),
                ("denies", "groups: [x]", deny),
                ("denies-by-claim", "claims: {team: x}", deny),
                ("denies-by-expression", "when: claims.kind == 'x'", deny),
                ("grants-by-expression", "when: claims.kind == 'x'", GRANT),
            )
        )
    )
    assert find_candidates(rule_set, {"groups": ["x"], "team": "x", "kind": "x"}) == [r.id[7:] for r in rule_set.rules]
    assert find_candidates(rule_set, {"groups": [1], "team": "y"}) == ["denies", "denies-by-expression"]
    assert find_candidates(rule_set, {"team": {}}) == ["denies-by-claim", "denies-by-expression"]
    assert find_candidates(rule_set, {}) == ["denies-by-expression"]


def test_a_rule_set_cannot_be_changed(rules):
    rule_set = rules.compile(f"rules:\n- name: a\n  groups: [x]\n  {GRANT}\n")
    with pytest.raises(AttributeError):
        rule_set.version = "x"
    with pytest.raises(AttributeError):
        rule_set.rules[0].groups = frozenset()


def test_a_thousand_rules_are_compiled_in_a_blink(rules):
    text = "rules:\n" + "".join(
        f"- name: r{n}\n  groups: [g{n}]\n  when: claims.x == 'v{n}'\n  {GRANT}\n" for n in range(1000)
    )
    start = time.process_time()
    rules.compile(text)
    assert time.process_time() - start < 3


def test_a_rule_set_names_the_claims_that_its_rules_read(rules):
    text = "rules:\n" + "".join(
        f"- name: r{number}\n  {line}\n  {grant}\n"
        for number, (line, grant) in enumerate(
            [
                ("claims: {department: Data}", GRANT),
                ("when: claims.address.city == 'x'", GRANT),
                ("everyone: true", "grant: [{account: production, user: '${ claims.uid }'}]"),
            ]
        )
    )
    assert rules.compile(text).claims_read == {"groups", "roles", "department", "address", "uid"}
    assert rules.compile(text, f"rules:\n- name: any\n  when: size(claims) > 3\n  {GRANT}\n").claims_read is None


@pytest.mark.parametrize(
    ("condition", "reads"),
    [
        ("everyone: true", False),
        ("when: identity.acr == 'x'", False),
        ("require: {acr: [x]}", False),
        ("require: {max_age_seconds: 600}", True),
        ("when: request.time - identity.authenticated_at < duration('1h')", True),
        ("when: claims.groups.exists(group, identity.authenticated_at < request.time)", True),
    ],
)
def test_the_rules_say_whether_they_read_when_somebody_authenticated(rules, condition, reads):
    everyone = "everyone: true\n  " if condition.startswith("require") else ""
    text = f"rules:\n- name: one\n  {everyone}{condition}\n  {GRANT}\n"
    assert rules.compile(text).reads_authentication_time is reads


def test_a_version_is_all_files_of_the_folder_and_no_other(tmp_path):
    names = ["10-a.yaml", "20-b.yaml", "policies/p.json", "tests/t.yaml", ".hidden.yaml", "notes.txt", "policies/x.md"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    files = read_rule_files(tmp_path)
    assert set(files.texts) == {"10-a.yaml", "20-b.yaml", "policies/p.json"}
    assert [path.name for path, _ in files.iterate_rules()] == ["10-a.yaml", "20-b.yaml"]
    (tmp_path / "tests" / "t.yaml").write_text("y")
    assert read_rule_files(tmp_path).version == files.version
    (tmp_path / "policies" / "p.json").write_text("y")
    assert read_rule_files(tmp_path).version != files.version


@pytest.mark.parametrize("line", ["groups: [Ops, ops]", "not_groups: [x, Ops, OPS]", "claims: {team: [Ops, oPS]}"])
def test_t_map_05_two_values_that_case_alone_tells_apart_are_refused_where_it_is_ignored(rules, line):
    text = f"rules:\n- name: a\n  when: 'true'\n  {line}\n  {GRANT}\n"
    assert rules.compile(text)
    text += "  ignore_case: true\n"
    (fault,) = faults(lambda: rules.compile(text))
    assert fault[0] == 4
    assert "the same as" in fault[1]
    assert rules.compile(text.replace("Ops", "Sales"))
