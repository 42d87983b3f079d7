"""``rambridge rules`` as transcripts, on a machine on which no service runs."""

import json

import pytest
from click.testing import CliRunner

from bridge.cli.main import main
from tests.audit_log import make_records_key
from tests.unit.configurations import BRIDGE, RULES, write_configuration

PROMOTE = BRIDGE + "rules:\n  rollout: promote\n"


@pytest.fixture
def config(tmp_path):
    make_records_key(tmp_path / "certs")
    return write_configuration(tmp_path / "config", {"bridge.yaml": PROMOTE}, without={"providers/secret"})


@pytest.fixture
def rules(config):
    return lambda *arguments: CliRunner().invoke(main, ["--config", str(config), "rules", *arguments])


def draft(config, role):
    (config / "rules" / "10-platform.yaml").write_text(RULES.replace("role: Admin", f"role: {role}"))


def promote(rules, config, role, *arguments):
    draft(config, role)
    result = rules("promote", *arguments)
    return result.exit_code, result.output


def current(config):
    result = CliRunner().invoke(main, ["--config", str(config), "audit", "tail", "--json"])
    return [json.loads(line)["version"] for line in result.output.splitlines()]


def test_promote_list_diff_and_roll_back(config, rules):
    """A machine that promotes needs none of the providers' secrets."""
    code, output = promote(rules, config, "Admin", "--author", "Ann <ann@acme.example>")
    assert (code, "is in force" in output) == (0, True), output
    draft(config, "Auditor")
    assert "-    role: Admin\n+    role: Auditor\n" in rules("diff").output
    assert promote(rules, config, "Auditor", "-m", "as the auditors want it")[0] == 0
    listed = rules("list").output
    assert ["promoted" in line for line in listed.splitlines()[:1]] == [True]
    assert "by Ann <ann@acme.example>" in listed
    assert "as the auditors want it" in listed
    assert "-    role: Admin\n+    role: Auditor\n" in rules("diff", "previous", "current").output
    assert rules("diff").output == "They are the same.\n"
    assert rules("rollback", "previous").exit_code == 0
    first, second, third = current(config)
    assert first == third != second
    assert "in force already" in rules("rollback", first[:8]).output


def test_show_prints_a_version_and_writes_it_into_an_empty_folder_only(config, rules, tmp_path):
    promote(rules, config, "Admin")
    assert "role: Admin" in rules("show", "current").output
    target = tmp_path / "out"
    assert rules("show", "current", "--into", str(target)).exit_code == 0
    assert (target / "10-platform.yaml").read_bytes() == (config / "rules" / "10-platform.yaml").read_bytes()
    assert rules("show", "current", "--into", str(target)).exit_code == 2


def test_a_held_change_exits_with_3_and_says_what_to_do(config, rules):
    (config / "bridge.yaml").write_text(PROMOTE + "  max_changed_share: 0.2\n")
    assert promote(rules, config, "Admin", "--author", "ann")[0] == 0
    code, output = promote(rules, config, "Auditor", "--author", "ann")
    assert code == 3
    request = output.partition("--confirm ")[2].split()[0]
    assert f"rambridge rules promote --confirm {request}" in rules("list").output
    alone = rules("promote", "--confirm", request, "--author", "Ann")
    assert (alone.exit_code, "rules_same_person" in alone.output) == (1, True)
    assert rules("promote", "--confirm", request, "--author", "bob").exit_code == 0
    assert "confirmed by bob" in rules("list").output


@pytest.mark.parametrize("version", ["0000000", "abc", "../..", "%%%%%%%", "previous", "files"])
def test_a_version_that_is_none_exits_with_1(config, rules, version):
    promote(rules, config, "Admin")
    result = rules("rollback", version)
    assert (result.exit_code, "rules_version_unknown" in result.output) == (1, True)


def test_a_draft_with_errors_names_them_and_changes_nothing(config, rules):
    promote(rules, config, "Admin")
    (config / "rules" / "20-more.yaml").write_text("rules: nonsense\n")
    result = rules("promote")
    assert (result.exit_code, "20-more.yaml:1" in result.output) == (1, True)
    assert rules("list").output.count("promoted") == 1
    assert rules("rollback", "previous").exit_code == 1


def test_what_others_wrote_cannot_colour_the_terminal(config, rules):
    promote(rules, config, "Admin", "--author", "\x1b[31mann", "-m", "a\x1b]0;title\x07b")
    assert "\x1b]" not in rules("list").output
    assert "\x1b[31m" not in rules("list").output
