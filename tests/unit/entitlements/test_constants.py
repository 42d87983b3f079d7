"""Constants: put in whole, where they are named, and nowhere else."""

from pathlib import Path

import pytest

from bridge.entitlements.resolve import resolve
from bridge.entitlements.rules import RuleFiles, compile_rules, read_rules
from bridge.errors import SettingsError
from bridge.settings import check_configuration
from tests.unit.configurations import write_configuration
from tests.unit.entitlements.factories import NOW, make_identity

GRANT = "grant: [{account: production, role: ReadOnly}]"
SHARED = """constants:
  office: [203.0.113.0/24, "2001:db8::/32"]
  platform: [4f1c, 77aa]
  one: Data
  strong: [mfa, hwk]
  dollar: [$$x]
"""


def rule(*lines):
    return "\n".join(["rules:", "- name: a", *(f"  {line}" for line in lines), f"  {GRANT}"]) + "\n"


def problems(call):
    with pytest.raises(SettingsError) as caught:
        call()
    return caught.value.problems


def opens(rule_set, address=None, **changes):
    return bool(resolve(make_identity(**changes), rule_set, NOW, address).entitlements)


@pytest.mark.parametrize("layout", ["one file", "two files", "two files, the other way round"])
def test_a_constant_stands_for_its_values_in_every_list(rules, layout):
    text = rule(
        "groups: [$platform, other]",
        "not_groups: [$one]",
        "claims: {department: $one, team: [x, $one]}",
        "networks: [10.0.0.0/8, $office]",
        "require: {amr: [$strong], acr: [urn:x, $one]}",
    )
    if layout == "one file":
        rule_set = rules.compile(SHARED + text)
    else:
        rule_set = rules.compile(**({"a": SHARED, "b": text} if layout == "two files" else {"a": text, "b": SHARED}))
    (compiled,) = rule_set.rules
    assert compiled.groups == {"4f1c", "77aa", "other"}
    assert compiled.not_groups == {"Data"}
    assert dict(compiled.claims) == {"department": {"Data"}, "team": {"x", "Data"}}
    assert [str(each) for each in compiled.networks] == ["10.0.0.0/8", "203.0.113.0/24", "2001:db8::/32"]
    assert (compiled.require.amr, compiled.require.acr) == (("mfa", "hwk"), ("urn:x", "Data"))
    claims = {"groups": ["77aa"], "department": "Data", "team": "x"}
    assert opens(rule_set, "203.0.113.9", claims=claims, amr=("hwk",))
    assert not opens(rule_set, "198.51.100.9", claims=claims, amr=("hwk",))


@pytest.mark.parametrize(
    ("written", "groups"),
    [
        ("$$platform", {"$platform"}),
        ("$$", {"$"}),
        ("$$$platform", {"$$platform"}),
        ("$dollar", {"$x"}),
        ("a$platform", {"a$platform"}),
        ("a$$b", {"a$$b"}),
        ("x $platform", {"x $platform"}),
    ],
)
def test_two_dollars_in_front_are_one_and_elsewhere_a_dollar_is_a_letter(rules, written, groups):
    (compiled,) = rules.compile(SHARED + rule(f"groups: ['{written}']")).rules
    assert compiled.groups == groups


def test_a_constant_is_put_in_before_case_is_folded(rules):
    assert opens(rules.compile("constants: {p: PLATFORM}\n" + rule("groups: [$p]", "ignore_case: true")))
    text = "constants: {p: [PLATFORM]}\n" + rule("groups: [platform, $p]", "ignore_case: true")
    (problem,) = problems(lambda: rules.compile(text))
    assert (problem.line, problem.column) == (4, 22)


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("groups: [x, $offise]", (9, 15)),
        ("groups: [x]\n  not_groups: [$offise]", (10, 16)),
        ("claims: {department: [$offise]}", (9, 25)),
        ("claims: {department: $offise}", (9, 24)),
        ("groups: [x]\n  networks: [10.0.0.0/8, $offise]", (10, 26)),
        ("groups: [x]\n  require: {amr: [$offise]}", (10, 19)),
        ("groups: [$]", (9, 12)),
        ("groups: ['$office ']", (9, 12)),
        ("groups: [$Office]", (9, 12)),
    ],
)
def test_an_unknown_constant_is_an_error_with_its_place_and_the_names_that_exist(rules, line, place):
    (problem,) = problems(lambda: rules.compile(SHARED + rule(line)))
    assert (problem.line, problem.column) == place
    assert "there is no constant" in problem.message
    assert "`$office`" in problem.fix


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("constants: {office: [$platform], platform: [x]}\n", "cannot be made of another one"),
        ("constants: {office: []}\n", "empty"),
        ("constants: {office: [7]}\n", "text"),
        ("constants: {Office: [x]}\n", "match"),
        ("constants: {office: ['a\\u200b']}\n".replace("'", '"'), "no claim can ever equal"),
        ("constants: {}\n", "empty"),
        ("constants: {office: [x]}\nconstant: {}\n", "not known"),
    ],
)
def test_a_constant_that_is_not_clear_is_refused(rules, text, word):
    found = problems(lambda: rules.compile(text + rule("groups: [x]")))
    assert [problem for problem in found if word in problem.message and problem.line <= 2], found


def test_a_constant_stands_in_one_file(rules):
    files = {"a": "constants: {office: [x]}\n" + rule("groups: [$office]"), "b": "constants:\n  office: [y]\n"}
    (problem,) = problems(lambda: rules.compile(**files))
    assert (problem.file.name, problem.line, problem.column) == ("b.yaml", 2, 3)
    assert "stands in a.yaml already" in problem.message


def test_a_network_in_a_constant_is_refused_once_and_where_it_stands(rules):
    used = rule("groups: [x]", "networks: [$office]")
    constants = "constants: {office: [10.0.0.0/8, 10.0.0.1/8]}\n"
    twice = used + used.replace("rules:\n", "").replace("name: a", "name: b")
    for files in ({"a": constants + twice}, {"a": constants, "b": twice}, {"a": twice, "z": constants}):
        (problem,) = problems(lambda files=files: rules.compile(**files))
        assert (problem.line, problem.column, "10.0.0.1/8" in problem.message) == (1, 34, True)
        assert "10.0.0.0/8" in problem.fix
    assert opens(rules.compile("constants: {office: here}\n" + rule("groups: [platform, $office]")))


def test_a_constant_with_a_mistake_does_not_look_like_an_unknown_one(tmp_path):
    changes = {
        "rules/00-constants.yaml": "constants:\n  office: [7]\n  good: [x]\n",
        "rules/20-b.yaml": rule("groups: [$office, $good, $bad]"),
    }
    found = check_configuration(write_configuration(tmp_path, changes))
    told = [(problem.file.name, problem.line, problem.message) for problem in found]
    assert [each[:2] for each in told] == [("00-constants.yaml", 2), ("20-b.yaml", 3)]
    assert "no constant `$bad`" in told[1][2]


def test_rules_with_a_constant_that_has_a_mistake_are_never_compiled(rules):
    document, found = read_rules(Path("a.yaml"), ("constants: {office: [7]}\n" + rule("groups: [$office]")).encode())
    assert found
    with pytest.raises(SettingsError):
        compile_rules([document], {"acme-saml": "groups"}, RuleFiles(Path("none"), {}))


def test_a_constant_of_a_rule_with_a_mistake_is_not_called_unused(tmp_path):
    text = "constants: {office: [10.0.0.0/8]}\n" + rule("groups: [x]", "networks: [$office]")
    changes = {"rules/20-b.yaml": text.replace("role: ReadOnly", "role: ReadOnly, duration_seconds: 1")}
    (problem,) = check_configuration(write_configuration(tmp_path, changes))
    assert (problem.kind, problem.line) == ("invalid", 6)


def test_a_dollar_means_nothing_where_administrators_are_described(tmp_path):
    bridge = "public_url: https://bridge.example.com\nadministrators:\n- groups: [$admins]\n"
    changes = {"bridge.yaml": bridge, "rules/00-constants.yaml": "constants: {admins: [x]}\n"}
    (problem,) = [
        each for each in check_configuration(write_configuration(tmp_path, changes)) if each.kind != "unused-constant"
    ]
    assert (problem.file.name, problem.line) == ("bridge.yaml", 3)
