"""Commands as transcripts: what a person types, what they read, and the exit code."""

import json
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from bridge import __version__
from bridge.audit.events import Origin, SessionEnded
from bridge.audit_log import opened_audit_log
from bridge.cli.main import main
from bridge.clock import SystemClock
from bridge.settings import load_settings
from tests.ready_keys import put_keys

CONFIG = Path(__file__).parents[3] / "config"


@pytest.fixture
def config(tmp_path):
    shutil.copytree(CONFIG, tmp_path / "config")
    secret = tmp_path / "certs" / "sandbox" / "oidc-client-secret"
    secret.parent.mkdir(parents=True, mode=0o700)
    secret.write_text("a secret")
    secret.chmod(0o600)
    return tmp_path / "config"


@pytest.fixture
def run(config):
    return lambda *arguments: CliRunner().invoke(main, ["--config", str(config), *arguments])


def write_records(config, count=3, subject="s"):
    settings, clock = load_settings(config), SystemClock()
    put_keys(settings.key_folder)
    with opened_audit_log(settings, clock) as opened:
        log = opened.build_log()
        for _ in range(count):
            ended = SessionEnded(provider="p", issuer="i", subject=subject, person=subject)
            log.append(Origin("ref", "192.0.2.1"), ended)


def test_version_and_help_say_what_there_is(run):
    assert run("--version").output == f"rambridge, version {__version__}\n"
    assert [name for name in ("serve", "check", "keys", "audit", "demo") if name not in run("--help").output] == []


@pytest.mark.parametrize("group", [(), ("audit",), ("keys",), ("rules",), ("setup",), ("trail",)])
def test_no_command_of_a_list_is_described_by_half_a_sentence(run, group):
    _, _, listed = run(*group, "--help").output.partition("--help")
    assert "..." not in listed


def test_check_accepts_the_configuration_that_we_ship(run):
    result = run("check")
    assert result.exit_code == 0, result.output
    assert "can be used" in result.output


def test_check_names_file_line_and_column_and_exits_with_1(run, config):
    (config / "bridge.yaml").write_text("public_url: http://localhost:8080\ndevelopment: true\nstroe: embedded\n")
    result = run("check")
    assert result.exit_code == 1
    assert f"{config}/bridge.yaml:3:1: error:" in result.output
    assert result.output.rstrip().endswith("warnings.")


def test_check_on_a_folder_that_is_not_there_says_so(tmp_path):
    result = CliRunner().invoke(main, ["--config", str(tmp_path / "nowhere"), "check"])
    assert result.exit_code == 1
    assert "Traceback" not in result.output


def test_keys_are_made_once_listed_and_rotated(run, config):
    assert "There are no keys yet" in run("keys", "list").output
    assert run("keys", "create").output.count("made ") == 18
    assert run("keys", "create").output == "All keys are there already.\n"
    before = run("keys", "list").output.splitlines()
    assert len(before) == 19
    assert "PRIVATE" not in "".join(before)
    slots = [re.search(r"SLOT|current|next", line).start() for line in before]
    assert len(set(slots)) == 1, "the columns are straight"
    result = run("keys", "rotate", "oidc-issuer")
    assert result.exit_code == 0
    after = run("keys", "list").output.splitlines()
    assert [line.split()[-1] for line in before if line.startswith("oidc-issuer       next")] == [
        line.split()[-1] for line in after if line.startswith("oidc-issuer       current")
    ]
    assert [line for line in after if line.startswith("oidc-issuer       previous")]


def test_a_next_key_that_ends_soon_is_replaced_alone(run):
    run("keys", "create")
    before = run("keys", "list").output.splitlines()
    assert run("keys", "replace-next", "oidc-issuer").exit_code == 0
    changed = [line for line in run("keys", "list").output.splitlines() if line not in before]
    assert [line.split()[:2] for line in changed] == [["oidc-issuer", "next"]]


def test_records_stay_readable_after_their_key_was_rotated_twice(run, config):
    write_records(config, 1, "lin")
    for _ in range(2):
        assert run("keys", "rotate", "audit-records").exit_code == 0
        write_records(config, 1, "amara")
    assert [line.split()[3] for line in run("audit", "tail").output.splitlines()] == ["lin", "amara", "amara"]


def test_a_key_of_records_that_cannot_be_reached_is_not_rotated(run, config):
    run("keys", "create")
    (config / "bridge.yaml").write_text("public_url: http://localhost:8080\ndevelopment: true\naudit: sqlite:///.\n")
    before = run("keys", "list").output
    assert run("keys", "rotate", "audit-records").exit_code == 1
    assert run("keys", "list").output == before


def test_an_unknown_purpose_is_a_usage_error(run):
    assert run("keys", "rotate", "nothing").exit_code == 2


def test_a_log_that_is_not_there_is_not_called_empty(run, config):
    result = run("audit", "tail")
    assert result.exit_code == 1
    assert "there is no audit log" in result.output
    assert not (config.parent / "var" / "audit.db").exists()


def test_tail_prints_the_last_records_for_people_and_for_programs(run, config):
    write_records(config, 30)
    assert len(run("audit", "tail").output.splitlines()) == 20
    line = run("audit", "tail", "-n", "1").output
    assert "session.ended" in line
    record = json.loads(run("audit", "tail", "-n", "1", "--json").output)
    assert record["position"] == 29
    assert record["source_address"] == "192.0.2.1"


@pytest.mark.parametrize(("command", "number"), [("tail", "-1"), ("alerts", "-1"), ("alerts", "0")])
def test_a_number_of_lines_that_is_none_is_a_usage_error(run, config, command, number):
    result = run("audit", command, "-n", number)
    assert result.exit_code == 2
    assert "not in the range" in result.output


def test_t_web_12_tail_shows_control_characters_harmlessly(run, config):
    write_records(config, 1, "evil\x1b[2J\n\u202eperson")
    output = run("audit", "tail").output
    assert "\x1b" not in output
    assert "\u202e" not in output
    assert len(output.splitlines()) == 1


def test_an_audit_log_that_cannot_be_opened_is_an_error_not_a_traceback(run, config):
    (config / "bridge.yaml").write_text("public_url: http://localhost:8080\ndevelopment: true\naudit: sqlite:///.\n")
    run("keys", "create")
    result = run("audit", "tail")
    assert result.exit_code == 1
    assert "audit_unavailable" in result.output


@pytest.mark.parametrize("command", ["tail", "verify", "checkpoint", "alerts", "witness"])
def test_an_audit_log_that_breaks_under_a_command_is_an_error_not_a_traceback(run, config, command):
    write_records(config, 1)
    (config / "audit.yaml").write_text("witnesses: [{name: w, to: file, path: w.txt}]\n")
    with opened_audit_log(load_settings(config), SystemClock()) as opened, opened.engine.begin() as connection:
        for table in ("audit_open_block", "audit_alerts", "audit_witnessed"):
            connection.exec_driver_sql(f"DROP TABLE {table}")
    result = run("audit", command)
    assert result.exit_code == 1
    assert "audit_unavailable" in result.output


def test_the_demo_outside_the_project_says_where_to_start_it(tmp_path):
    result = CliRunner().invoke(main, ["--config", str(tmp_path), "demo"])
    assert result.exit_code == 1
    assert "sandbox.yaml" in result.output
