"""Grants and denials by alias and by tag: every account that is meant, no other, and never none in silence."""

import pytest

from bridge.entitlements.resolve import resolve
from bridge.errors import SettingsError
from bridge.settings import check_configuration, load_configuration
from tests.unit.configurations import PRODUCTION, SANDBOX, write_configuration
from tests.unit.entitlements.factories import NOW, make_identity

STAGING = 'name: staging\nid: "1000000000000003"\ntitle: Staging\ntags: {env: production, team: web}\n'
ACCOUNTS = {
    "accounts/production.yaml": PRODUCTION + "alias: acme-prod\ntags: {env: production}\n",
    "accounts/sandbox.yaml": SANDBOX + "tags: {env: test}\n",
    "accounts/staging.yaml": STAGING,
}
EVERYTHING = """- name: everything
  everyone: true
  grant:
  - {account: production, role: R}
  - {account: sandbox, role: R}
  - {account: staging, role: R}
"""


def load(folder, rules, changes=None):
    files = ACCOUNTS | {"rules/10-platform.yaml": f"rules:\n{rules}\n"} | (changes or {})
    return load_configuration(write_configuration(folder, files))


def granted(configuration, **changes):
    resolution = resolve(make_identity(**changes), configuration.rules, NOW)
    return [f"{each.account}/{each.name}" for each in resolution.entitlements]


def grant(what):
    return f"- name: a\n  groups: [platform]\n  grant: [{what}]"


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("{account: production, role: R}", ["production/R"]),
        ("{account_alias: acme-prod, role: R}", ["production/R"]),
        ("{account_tags: {env: test}, role: R}", ["sandbox/R"]),
        ("{account_tags: {env: production}, role: R}", ["production/R", "staging/R"]),
        ("{account_tags: {env: production, team: web}, role: R}", ["staging/R"]),
        ("{account_tags: {env: production}, user: u}", ["production/u", "staging/u"]),
        ("{account: production, roles: [A, B]}", ["production/A", "production/B"]),
        (
            "{account_tags: {env: production}, roles: [A, B]}",
            ["production/A", "production/B", "staging/A", "staging/B"],
        ),
    ],
)
def test_a_grant_reaches_every_account_that_it_means(tmp_path, what, expected):
    assert granted(load(tmp_path, grant(what))) == expected


@pytest.mark.parametrize(
    ("target", "left"),
    [
        ("{account_tags: {env: production}}", ["sandbox/R"]),
        ("{account_tags: {env: production}, role: R}", ["sandbox/R"]),
        ("{account_tags: {env: production}, roles: [X, R]}", ["sandbox/R"]),
        ("{account_tags: {env: production}, role: X}", ["production/R", "sandbox/R", "staging/R"]),
        ("{account_tags: {env: production}, user: R}", ["production/R", "sandbox/R", "staging/R"]),
        ("{account_alias: acme-prod}", ["sandbox/R", "staging/R"]),
    ],
)
def test_t_map_08_a_denial_covers_every_account_that_it_means(tmp_path, target, left):
    deny = f"- name: no\n  groups: [contractors]\n  deny: [{target}]"
    configuration = load(tmp_path, EVERYTHING + deny)
    assert granted(configuration, claims={"groups": ["contractors"]}) == left
    assert len(granted(configuration, claims={"groups": ["employees"]})) == 3


@pytest.mark.parametrize(
    ("choice", "column", "word", "fix"),
    [
        ("account_alias: acme-pord", 27, "no account has the alias `acme-pord`", "acme-prod"),
        ("account_alias: production", 27, "no account has the alias `production`", "acme-prod"),
        ("account_tags: {env: prod}", 26, "no account has the tags `env: prod`", "env: production"),
        ("account_tags: {ENV: production}", 26, "no account has the tags", "env: production"),
        ("account_tags: {env: test, team: web}", 26, "no account has the tags `env: test, team: web`", "team: web"),
        ("account: prod", 21, "no account named `prod`", "production"),
    ],
)
def test_a_word_that_means_no_account_is_an_error_with_its_place(tmp_path, choice, column, word, fix):
    for effect in ("grant", "deny"):
        with pytest.raises(SettingsError) as caught:
            load(tmp_path, f"- name: a\n  groups: [platform]\n  {effect}: [{{{choice}, role: R}}]")
        (problem,) = caught.value.problems
        assert (problem.file.name, problem.line) == ("10-platform.yaml", 4)
        assert problem.column == column - (len("grant") - len(effect))
        assert word in problem.message
        assert fix in problem.fix


def test_an_account_file_with_a_mistake_does_not_make_its_tags_look_unknown(tmp_path):
    changes = {"accounts/staging.yaml": STAGING.replace("title: Staging", "title: ''")}
    rules = "- name: a\n  groups: [platform]\n  grant: [{account_tags: {team: web}, role: R}]"
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, rules, changes)
    assert [problem.file.name for problem in caught.value.problems] == ["staging.yaml"]


@pytest.mark.parametrize(
    ("what", "word"),
    [
        ("{role: R}", "`account` is missing"),
        ("{account: production, account_alias: acme-prod, role: R}", "two ways"),
        ("{account_alias: acme-prod, account_tags: {env: production}, role: R}", "two ways"),
        ("{account_tags: {}, role: R}", "empty"),
        ("{account_tags: {env: 7}, role: R}", "text"),
        ("{account: production, role: R, roles: [S]}", "`role` and `roles`"),
        ("{account: production, roles: []}", "empty"),
        ("{account: production, role: R, user: u}", "exactly one"),
        ("{account: production, roles: [R], user: u}", "exactly one"),
        ("{account: production}", "exactly one"),
    ],
)
def test_a_grant_that_is_not_clear_is_refused(tmp_path, what, word):
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, grant(what))
    (problem,) = caught.value.problems
    assert problem.line == 4
    assert word in problem.message


def test_an_alias_belongs_to_one_account(tmp_path):
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, EVERYTHING, {"accounts/staging.yaml": STAGING + "alias: acme-prod\n"})
    assert "the alias `acme-prod` stands in production.yaml already" in caught.value.problems[0].message


# ── Roles that an account lists ──────────────────────────────────────────────────────────────────────────────

LISTED = {"accounts/production.yaml": PRODUCTION + "roles: [app-web, app-data]\n"}


@pytest.mark.parametrize(
    ("team", "expected"),
    [("web", ["production/app-web"]), ("data", ["production/app-data"]), ("admin", []), ("Web", []), ("", [])],
)
def test_t_map_03_a_role_that_the_account_does_not_list_is_not_granted(tmp_path, team, expected):
    configuration = load(tmp_path, grant("{account: production, role: 'app-${ claims.team }'}"), LISTED)
    claims = {"groups": ["platform"], "team": team}
    assert granted(configuration, claims=claims) == expected
    (outcome,) = resolve(make_identity(claims=claims), configuration.rules, NOW).explanations[0].grants
    assert bool(outcome.reason) is not bool(expected)


def test_t_map_03_a_terminal_role_that_the_account_does_not_list_is_left_out(tmp_path):
    what = "{account: production, user: 'u', terminal_role: 'app-${ claims.team }'}"
    configuration = load(tmp_path, grant(what), LISTED)
    for team, role in (("web", "app-web"), ("admin", None), ("*", None)):
        resolution = resolve(make_identity(claims={"groups": ["platform"], "team": team}), configuration.rules, NOW)
        assert [each.terminal_role for each in resolution.entitlements] == [role]
        assert ("terminal role" in resolution.explanations[0].grants[0].reason) is (role is None)


def test_t_map_08_a_terminal_role_made_from_a_claim_can_be_denied(tmp_path):
    what = "{account: production, user: 'u', terminal_role: 'app-${ claims.team }'}"
    deny = "\n- name: no\n  everyone: true\n  deny: [{account: production, role: app-web}]"
    configuration = load(tmp_path, grant(what) + deny, LISTED)
    for team, role in (("web", None), ("data", "app-data")):
        resolution = resolve(make_identity(claims={"groups": ["platform"], "team": team}), configuration.rules, NOW)
        assert [each.terminal_role for each in resolution.entitlements] == [role]


def test_a_role_written_out_that_the_account_does_not_list_is_an_error(tmp_path):
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, grant("{account: production, roles: [app-web, Admin]}"), LISTED)
    (problem,) = caught.value.problems
    assert (problem.line, "does not list the role Admin" in problem.message) == (4, True)
    assert load(tmp_path, grant("{account: production, roles: [app-web, app-data]}"), LISTED)


def test_a_claim_that_decides_which_role_it_is_brings_a_warning_without_a_list(tmp_path):
    files = {"rules/10-platform.yaml": "rules:\n" + grant("{account: production, role: '${ claims.role }'}") + "\n"}
    (problem,) = check_configuration(write_configuration(tmp_path, ACCOUNTS | files))
    assert (problem.severity, problem.line) == ("warning", 4)
    assert check_configuration(write_configuration(tmp_path, ACCOUNTS | files | LISTED)) == []
