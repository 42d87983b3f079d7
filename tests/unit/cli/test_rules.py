"""``rambridge rules`` as somebody types it, and the commands that judge by the version in force."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from bridge.cli.kept_sign_ins import open_kept_sign_ins
from bridge.cli.main import main
from bridge.cli.rules import HELD
from bridge.clock import SystemClock
from bridge.entitlements.resolve import resolve
from bridge.entitlements.rules import RulesInForce
from bridge.settings import load_configuration, load_settings, read_rule_files
from tests.audit_log import make_records_key
from tests.ready_keys import put_keys
from tests.unit.entitlements.factories import make_identity

CONFIG = Path(__file__).parents[3] / "config"
RULES = """rules:
- name: {name}
  groups: [finance]
  grant: [{{account: acme-sandbox, role: {role}}}]
"""
TEST = """tests:
- name: a person of finance
  given: {{provider: acme-saml, claims: {{groups: [finance]}}}}
  expect: [{{account: acme-sandbox, role: {role}}}]
"""
PERSON = "provider: acme-saml\nclaims: {groups: [finance]}\n"


@pytest.fixture
def config(tmp_path):
    shutil.copytree(CONFIG, tmp_path / "config")
    folder = tmp_path / "config"
    secret = tmp_path / "certs" / "sandbox" / "oidc-client-secret"
    secret.parent.mkdir(parents=True, mode=0o700)
    secret.write_text("a secret")
    secret.chmod(0o600)
    shutil.rmtree(folder / "rules")
    (folder / "rules" / "tests").mkdir(parents=True)
    with (folder / "bridge.yaml").open("a") as settings:
        settings.write("\nrules: {rollout: promote}\n")
    write(folder, "First")
    make_records_key(tmp_path / "certs")
    return folder


@pytest.fixture
def run(config):
    return lambda *arguments, **more: CliRunner().invoke(main, ["--config", str(config), *arguments], **more)


def write(config, role, *, tested=None):
    (config / "rules" / "finance.yaml").write_text(RULES.format(name="finance", role=role))
    (config / "rules" / "tests" / "finance.yaml").write_text(TEST.format(role=tested or role))
    return read_rule_files(config / "rules").version[:12]


def keep_a_sign_in(config, group):
    rules = load_configuration(config, secrets=False).rules
    identity, at = make_identity(claims={"groups": [group]}), SystemClock().now() - timedelta(minutes=1)
    with open_kept_sign_ins(load_settings(config)) as history:
        history.start(RulesInForce(rules))
        history.note(identity, "10.1.2.3", at, resolve(identity, rules, at, "10.1.2.3"))
        assert history.flush()


def test_what_was_promoted_is_listed_compared_shown_and_rolled_back(run, config):
    first = read_rule_files(config / "rules").version[:12]
    began = run("rules", "promote", "-m", "to begin with")
    assert began.exit_code == 0, began.output
    second = write(config, "Second")
    difference = run("rules", "diff")
    assert "-  grant: [{account: acme-sandbox, role: First}]" in difference.output
    assert "+  grant: [{account: acme-sandbox, role: Second}]" in difference.output
    assert run("rules", "promote", "--author", "lin").exit_code == 0
    listed = run("rules", "list").output
    assert listed.partition(second)[2].splitlines()[1].strip() == "by lin"
    assert "to begin with" in listed
    assert "role: First" in run("rules", "show", first).output
    assert run("rules", "rollback", "previous").exit_code == 0
    assert f"* {first}" in run("rules", "list").output


def test_rules_whose_tests_fail_are_not_promoted_unless_somebody_insists(run, config):
    assert run("rules", "promote").exit_code == 0
    version = write(config, "Second", tested="First")
    refused = run("rules", "promote")
    assert refused.exit_code == 1
    assert "FAILED a person of finance" in refused.output
    assert "Nothing changed" in refused.stderr
    assert f"* {version}" not in run("rules", "list").output
    assert run("rules", "promote", "--without-tests").exit_code == 0
    assert f"* {version}" in run("rules", "list").output


def test_rules_with_an_error_are_refused_with_their_place(run, config):
    assert run("rules", "promote").exit_code == 0
    (config / "rules" / "finance.yaml").write_text("rules:\n- name: finance\n  grant: []\n")
    refused = run("rules", "promote")
    assert refused.exit_code == 1
    assert "finance.yaml:3:10: error" in refused.stderr


def test_without_the_service_s_keys_nobody_knows_how_many_change_so_the_change_waits(run, config):
    with (config / "bridge.yaml").open("a") as settings:
        settings.write("  # the share\n")
    text = (config / "bridge.yaml").read_text().replace("rollout: promote", "rollout: promote, max_changed_share: 0.1")
    (config / "bridge.yaml").write_text(text)
    assert run("rules", "promote").exit_code == 0
    write(config, "Second")
    held = run("rules", "promote", "--author", "lin")
    assert held.exit_code == HELD
    assert "another administrator has to confirm this" in held.output
    put_keys(config.parent / "certs")
    write(config, "Third")
    assert run("rules", "promote", "--author", "lin").exit_code == HELD, "nobody signed in, so nobody knows"
    keep_a_sign_in(config, "engineering")
    write(config, "Fourth")
    assert run("rules", "promote", "--author", "lin").exit_code == 0, "whoever signed in stays what they were"


def test_explain_judges_by_what_is_in_force_and_by_others_when_asked(run, config):
    first = read_rule_files(config / "rules").version
    assert run("rules", "promote").exit_code == 0
    write(config, "Second")
    explain = ("explain", "--claims", "-")
    assert "role acme-sandbox/First" in run(*explain, input=PERSON).output
    draft = run(*explain, "--rules", str(config / "rules"), input=PERSON)
    assert "role acme-sandbox/Second" in draft.output
    assert run("rules", "promote").exit_code == 0
    assert "role acme-sandbox/Second" in run(*explain, input=PERSON).output
    assert "role acme-sandbox/First" in run(*explain, "--rules", first[:7], input=PERSON).output
    unknown = run(*explain, "--rules", "abcdef0", input=PERSON)
    assert unknown.exit_code == 1
    assert "abcdef0 is no folder" in unknown.stderr


def test_a_draft_with_errors_does_not_keep_anybody_from_explaining(run, config):
    assert run("rules", "promote").exit_code == 0
    (config / "rules" / "finance.yaml").write_text("rules: [}")
    assert "role acme-sandbox/First" in run("explain", "--claims", "-", input=PERSON).output
