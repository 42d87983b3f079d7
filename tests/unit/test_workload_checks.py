"""Workload issuers and rules for them: what leaves open whose workloads are meant does not load (threat STS-10)."""

import pytest

from bridge.entitlements.choice import find_role
from bridge.entitlements.explanation import explain
from bridge.entitlements.resolve import resolve
from bridge.errors import NotEntitled
from bridge.settings import check_configuration, load_configuration
from tests.factories import NOW, make_identity
from tests.unit.configurations import write_configuration

GITHUB = """name: github
preset: github-actions
audiences: [https://bridge.example.com]
"""
PODS = """name: pods
preset: kubernetes
issuer: https://10.0.0.1:6443
audiences: [bridge]
keys_file: keys.json
"""
MAIN = "repo:acme/app:ref:refs/heads/main"


def rule(conditions, provider="github", name="deploy"):
    return f"""rules:
- name: {name}
  provider: {provider}
  {conditions}
  grant:
  - account: sandbox
    role: Developer
"""


def check(folder, conditions, provider="github", **files):
    changes = {
        "workloads/github.yaml": GITHUB,
        "workloads/pods.yaml": PODS,
        "workloads/keys.json": "{}",
        "rules/30.yaml": rule(conditions, provider),
    }
    write_configuration(folder, changes | files)
    return [each for each in check_configuration(folder) if each.severity == "error"]


def load(folder, conditions, provider="github"):
    assert check(folder, conditions, provider) == []
    return load_configuration(folder)


def workload(sub=MAIN, **changes):
    given = {"provider": "github", "protocol": "oidc", "subject": sub, "claims": {"sub": sub}}
    return make_identity(**given | changes)


@pytest.mark.parametrize(
    ("conditions", "provider"),
    [
        (f'claims: {{sub: "{MAIN}"}}', "github"),
        (f'claims: {{sub: ["{MAIN}", "repo:acme/app:environment:prod"]}}', "github"),
        ('claims_like: {sub: "repo:acme/app:ref:refs/heads/*"}', "github"),
        ('claims_like: {sub: "repo:acme/app:ref:refs/heads/release-*"}', "github"),
        ('claims_like: {sub: "repo:acme/*"}', "github"),
        ('claims_like: {sub: "system:serviceaccount:shop:*"}', "pods"),
    ],
)
def test_a_rule_that_says_whose_workloads_it_means_loads(tmp_path, conditions, provider):
    assert check(tmp_path, conditions, provider) == []


@pytest.mark.parametrize(
    ("conditions", "provider", "kind"),
    [
        ("claims: {repository: acme/app}", "github", "workload-unbound"),
        ("when: 'claims.sub == \"repo:acme/app\"'", "github", "workload-unbound"),
        ('claims: {sub: "*"}', "github", "workload-unbound"),
        ('claims: {sub: "repo:acme/app:*"}', "github", "workload-unbound"),
        ('claims_like: {sub: "repo:*"}', "github", "workload-unbound"),
        ('claims_like: {sub: "repo:acme*"}', "github", "workload-unbound"),
        ('claims_like: {sub: "project_path:acme/*"}', "github", "workload-unbound"),
        ('claims_like: {sub: "system:serviceaccount:*"}', "pods", "workload-unbound"),
        ('claims_like: {sub: "*"}', "github", "invalid"),
        ('claims_like: {sub: "re*"}', "github", "invalid"),
        ('claims_like: {sub: "repo:*/app:ref:refs/heads/main"}', "github", "invalid"),
        ('claims_like: {sub: "repo:acme/*:ref:*"}', "github", "invalid"),
        (f'claims_like: {{sub: "{MAIN}"}}', "github", "invalid"),
        ('claims_like: {sub: "repo:acme/app:*"}', "[github, acme-oidc]", "invalid"),
        ('claims_like: {sub: "repo:acme/app:*"}', "acme-oidc", "invalid"),
    ],
)
def test_t_sts_10_a_rule_that_leaves_open_whose_workloads_it_means_is_refused(tmp_path, conditions, provider, kind):
    problems = check(tmp_path, conditions, provider)

    assert [each.kind for each in problems] == [kind]
    assert problems[0].file.name == "30.yaml"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: github\naudiences: [x]\n", "`issuer` is missing"),
        (GITHUB + "issuer: http://issuer.example\n", "plain http"),
        (GITHUB + "issuer: https://issuer.example/?x=1\n", "no query"),
        (GITHUB + "keys_file: nowhere.json\n", "does not exist"),
        ("name: github\npreset: github-actions\n", "audiences"),
        (GITHUB + "wildcards: true\n", "wildcards"),
        (GITHUB.replace("name: github", "name: acme-oidc"), "stands in"),
    ],
)
def test_an_issuer_with_a_mistake_is_refused(tmp_path, text, words):
    problems = check(tmp_path, f'claims: {{sub: "{MAIN}"}}', **{"workloads/github.yaml": text})

    assert any(words in each.message for each in problems), problems


def test_presets_fill_in_what_is_not_written(tmp_path):
    workloads = load(tmp_path, f'claims: {{sub: "{MAIN}"}}').workloads

    assert workloads["github"].issuer == "https://token.actions.githubusercontent.com"
    assert workloads["github"].single_use
    assert not workloads["pods"].single_use
    assert workloads["pods"].keys_file.is_absolute()


def test_t_sts_10_only_rules_that_name_the_issuer_grant_to_its_workloads(tmp_path):
    everyone = rule("everyone: true").replace("  provider: github\n", "").replace("deploy", "everyone")
    groups = everyone.replace("everyone: true", "groups: [platform]").replace("name: everyone", "name: grouped")
    write_configuration(
        tmp_path,
        {"workloads/github.yaml": GITHUB, "rules/30.yaml": everyone, "rules/40.yaml": groups},
    )
    rules = load_configuration(tmp_path).rules
    claims = {"sub": MAIN, "groups": ["platform"]}

    person = make_identity(provider="acme-oidc", claims=claims)
    assert resolve(person, rules, NOW).entitlements, "people have it"
    assert resolve(workload(claims=claims), rules, NOW).entitlements == ()
    denied = everyone.replace("grant:", "deny:")
    write_configuration(tmp_path, {"rules/30.yaml": denied, "rules/40.yaml": rule(f'claims: {{sub: "{MAIN}"}}')})
    rules = load_configuration(tmp_path).rules
    assert resolve(workload(), rules, NOW).entitlements == (), "what is denied to everybody is denied to workloads"


@pytest.mark.parametrize(
    ("sub", "granted"),
    [
        ("repo:acme/app:ref:refs/heads/main", True),
        ("repo:acme/app:ref:refs/heads/feature/x", True),
        ("repo:acme/app:ref:refs/heads/*", True),
        ("repo:acme/app:ref:refs/heads/", False),
        ("repo:acme/app:ref:refs/heads", False),
        ("repo:acme/app:ref:refs/tags/v1", False),
        ("Repo:acme/app:ref:refs/heads/main", False),
        ("x repo:acme/app:ref:refs/heads/main", False),
    ],
)
def test_a_pattern_is_a_beginning_that_goes_on(tmp_path, sub, granted):
    rules = load(tmp_path, 'claims_like: {sub: "repo:acme/app:ref:refs/heads/*"}').rules

    resolution = resolve(workload(sub), rules, NOW, every_rule=True)

    assert bool(resolution.entitlements) is granted
    explanation = explain(workload(sub), rules, NOW)
    assert explanation is not None, "it can be put into words either way"


def test_a_refusal_says_of_each_rule_with_the_role_why_it_does_not_apply(tmp_path):
    rules = load(tmp_path, f'claims: {{sub: "{MAIN}"}}').rules

    def find(identity, account):
        resolution = resolve(identity, rules, NOW)
        return find_role(resolution, identity, account, "Developer", rules, NOW, None)

    assert find(workload(), "sandbox").rule == "30.yaml:deploy"
    with pytest.raises(NotEntitled) as refused:
        find(workload("repo:mallory/app:x"), "sandbox")
    assert "30.yaml:deploy: " in refused.value.detail
    assert f"`sub` has none of: {MAIN}" in refused.value.detail
    with pytest.raises(NotEntitled) as refused:
        find(workload(), None)
    assert "no rule grants this role" in refused.value.detail


def test_rules_for_people_and_for_workloads_are_not_compared_with_one_another(tmp_path):
    def warnings(first, second):
        write_configuration(
            tmp_path,
            {
                "workloads/github.yaml": GITHUB,
                "rules/10-platform.yaml": first.replace("provider: github", "when: 'true'", 1),
                "rules/30.yaml": second,
            },
        )
        return [each.kind for each in check_configuration(tmp_path, now=NOW) if each.severity == "warning"]

    people = "rules:\n- name: people\n  everyone: true\n  grant:\n  - {account: sandbox, role: Developer}\n"
    deploy = rule(f'claims: {{sub: "{MAIN}"}}')
    longer = deploy.replace("role: Developer", "role: Developer\n    duration_seconds: 1800")
    wide = rule('claims_like: {sub: "repo:acme/*"}', name="wide")

    assert warnings(people, longer) == []
    assert "always-denied" in warnings(people.replace("grant", "deny"), deploy)
    both = f"{wide}{deploy.removeprefix('rules:')}"
    assert warnings(people, both) == ["shadowed"]
