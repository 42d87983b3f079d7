"""Session policies in rules: where they may stand, and what becomes of the role when one cannot be filled."""

import json

import pytest

from bridge.entitlements.resolve import resolve
from bridge.entitlements.rules import find_unused_policies, read_rules
from bridge.entitlements.rules.rule_files import RuleFiles
from bridge.errors import SettingsError
from tests.unit.entitlements.factories import NOW, make_identity

POLICY = '{"Version":"1","Statement":[{"Effect":"Allow","Action":"oss:Get*","Resource":"acs:oss:*:*:b/*"}]}'
OWN = POLICY.replace("b/*", "b/${ claims.uid }/*")
BAD = POLICY.replace("Allow", "allow")


def rule(grant, name="a", *, conditions="groups: [platform]"):
    return f"rules:\n- name: {name}\n  {conditions}\n  grant:\n  - account: production\n    role: Data\n{grant}"


WHOLE, INLINE, FILE = "", f"    session_policy: {OWN}\n", "    session_policy_file: policies/own.json\n"


def decide(rules, *texts, policies=None, **claims):
    identity = make_identity(claims={"groups": ["platform"]} | claims)
    return resolve(identity, rules.compile(*texts, policies=policies), NOW)


def faults(call):
    with pytest.raises(SettingsError) as caught:
        call()
    return [(each.file.name, each.line, each.column, each.message, each.fix) for each in caught.value.problems]


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(f"    session_policy: {POLICY}\n", id="YAML, which JSON is"),
        pytest.param(f"    session_policy: '{POLICY}'\n", id="JSON as a text"),
        pytest.param(f"    session_policy: |\n      {POLICY}\n", id="JSON as a block"),
        pytest.param("    session_policy_file: policies/p.json\n", id="a JSON file"),
        pytest.param("    session_policy_file: policies/p.yaml\n", id="a YAML file"),
    ],
)
def test_a_policy_may_stand_in_the_rule_or_in_a_file_and_is_the_same(rules, written):
    policies = {"p.json": json.dumps(json.loads(POLICY), indent=2), "p.yaml": POLICY}
    (entitlement,) = decide(rules, rule(written), policies=policies).entitlements
    assert entitlement.session_policy == POLICY
    assert entitlement.opens_terminal


def test_a_role_without_a_policy_is_whole(rules):
    (entitlement,) = decide(rules, rule(WHOLE)).entitlements
    assert entitlement.session_policy is None


@pytest.mark.parametrize(
    ("written", "place", "message", "fix"),
    [
        pytest.param(INLINE + FILE, (5, 5), "and the file of one", "one or the other", id="both"),
        pytest.param("    session_policy:\n", (5, 5), "narrows nothing", "remove the key", id="left empty"),
        pytest.param("    session_policy_file:\n", (5, 5), "narrows nothing", "remove the key", id="file left empty"),
        pytest.param("    session_policy: 5\n", (7, 21), "not a RAM policy", "an object", id="a number"),
        pytest.param(
            "    session_policy_file: policies/other.yaml\n", (7, 26), "no file", "policies/own.json", id="unknown file"
        ),
        pytest.param("    session_policy_file: own.json\n", (7, 26), "match", "policies/", id="not in the folder"),
        pytest.param("    session_policy_file: policies/../own.json\n", (7, 26), "match", "", id="out of the folder"),
        pytest.param("    session_policy_file: policies/a/own.json\n", (7, 26), "match", "", id="deeper folder"),
        pytest.param("    session_policy_file: policies/own.txt\n", (7, 26), "match", "", id="other kind of file"),
        pytest.param(f"    session_policy: {BAD}\n", (7, 59), "`Effect`", "exactly", id="member of YAML"),
        pytest.param(f"    session_policy: '{BAD}'\n", (7, 60), "`Effect`", "exactly", id="member of JSON"),
        pytest.param(f"    session_policy: |\n      {BAD}\n", (8, 39), "`Effect`", "", id="member of a block"),
        pytest.param("    session_policy: '{'\n", (7, 23), "not JSON", "as YAML", id="no JSON"),
        pytest.param(
            "    session_policy: '" + POLICY.replace("b/*", "b/${ nothing }/*") + "'\n", (7, 117), "nothing", "",
            id="expression in JSON",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_policy_in_a_rule_has_its_place(rules, written, place, message, fix):
    found = faults(lambda: rules.compile(rule(written), policies={"own.json": OWN}))
    assert [each for each in found if each[1:3] == place and message in each[3] and fix in each[4]], found


def test_what_is_wrong_with_a_policy_file_is_said_of_that_file_once_though_two_rules_name_it(rules):
    text = rule(FILE) + rule(FILE, "b").removeprefix("rules:\n")
    found = faults(lambda: rules.compile(text, policies={"own.json": BAD}))
    assert [each[:3] for each in found] == [("own.json", 1, 39)]


def test_a_policy_file_that_no_rule_names_is_a_warning(tmp_path):
    texts = {"10.yaml": rule(FILE), "policies/own.json": OWN, "policies/other.yaml": POLICY}
    files = RuleFiles(tmp_path, {name: text.encode() for name, text in texts.items()})
    entries = [entry for path, content in files.iterate_rules() for _, entry in read_rules(path, content)[0].entries]
    (problem,) = find_unused_policies(entries, files)
    assert (problem.file.name, problem.severity) == ("other.yaml", "warning")
    assert "session_policy_file: policies/other.yaml" in problem.fix


def test_a_user_has_no_session_policy(rules):
    text = rule(FILE).replace("role: Data", "user: data")
    assert "not known" in faults(lambda: rules.compile(text, policies={"own.json": OWN}))[0][3]


# ── The decision ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("written", [INLINE, FILE], ids=["inline", "file"])
def test_a_policy_is_filled_for_the_person(rules, written):
    (entitlement,) = decide(rules, rule(written), policies={"own.json": OWN}, uid="lin.wei").entitlements
    assert json.loads(entitlement.session_policy)["Statement"][0]["Resource"] == "acs:oss:*:*:b/lin.wei/*"


@pytest.mark.parametrize("uid", ["*", "a/b", "", None, ["lin.wei"], 'x","acs:oss:*:*:*'])
def test_t_map_03_whoever_has_no_plain_value_gets_no_role_and_the_reason_says_so(rules, uid):
    resolution = decide(rules, rule(INLINE), uid=uid)
    assert resolution.entitlements == ()
    (explanation,) = resolution.explanations
    assert explanation.applied
    assert explanation.grants[0].entitlement is None
    assert "claims.uid" in explanation.grants[0].reason


@pytest.mark.parametrize("other", [WHOLE, "    duration_seconds: 1800\n"])
def test_t_map_03_no_later_rule_gives_the_whole_role_to_whom_an_earlier_one_could_not_narrow_it(rules, other):
    texts = rule(INLINE), rule(other, conditions="everyone: true")
    assert [each.session_policy for each in decide(rules, *texts, uid="a").entitlements] == [
        OWN.replace("${ claims.uid }", "a")
    ]
    resolution = decide(rules, *texts, uid="*")
    assert resolution.entitlements == ()
    assert "held by 0.yaml:a" in resolution.explanations[1].grants[0].reason
    # Who is not meant by the first rule is not held back by it.
    assert len(decide(rules, *texts, groups=["others"], uid="*").entitlements) == 1


def test_the_first_rule_decides_whether_a_role_is_narrowed(rules):
    first_whole = decide(rules, rule(WHOLE), rule(INLINE), uid="a").entitlements
    first_narrow = decide(rules, rule(INLINE), rule(WHOLE), uid="a").entitlements
    assert [each.session_policy is None for each in (*first_whole, *first_narrow)] == [True, False]


def test_a_denied_role_is_denied_whatever_its_policy(rules):
    deny = "rules:\n- name: no\n  everyone: true\n  deny: [{account: production, role: Data}]\n"
    assert decide(rules, rule(INLINE), deny, uid="a").entitlements == ()


def test_the_claims_that_a_policy_reads_are_among_those_that_the_rules_read(rules):
    assert "uid" in rules.compile(rule(FILE), policies={"own.json": OWN}).claims_read
    assert "uid" not in rules.compile(rule(WHOLE)).claims_read


def test_a_changed_policy_file_is_another_version(rules):
    first = rules.compile(rule(FILE), policies={"own.json": OWN})
    assert rules.compile(rule(FILE), policies={"own.json": OWN + " "}).version != first.version
