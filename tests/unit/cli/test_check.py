"""`rambridge check` for programs: exit codes, JSON, SARIF and annotations."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from bridge.cli.finding_formats import write_github, write_sarif
from bridge.cli.main import main
from bridge.clock import SystemClock
from bridge.database import open_engine
from bridge.entitlements.resolve import resolve
from bridge.entitlements.rules import RulesInForce
from bridge.errors import Problem
from bridge.history.history import open_history
from bridge.keys import KeyFolder
from bridge.sealing import Sealer
from bridge.settings import load_configuration, load_settings
from tests.factories import make_identity
from tests.unit.configurations import RULES, write_configuration

WARNING = RULES.replace("duration_seconds: 7200", "duration_seconds: 900")
ERROR = RULES.replace("account: sandbox", "account: sandpit")


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*arguments, rules=RULES, without=()):
        write_configuration(tmp_path / "config", {"rules/10-platform.yaml": rules}, without=without)
        return CliRunner().invoke(main, ["check", *arguments])

    return run


@pytest.mark.parametrize(
    ("rules", "arguments", "code"),
    [
        (RULES, [], 0),
        (RULES, ["--strict"], 0),
        (WARNING, [], 0),
        (WARNING, ["--strict"], 1),
        (WARNING, ["--strict", "--format", "github"], 1),
        (ERROR, [], 1),
        (ERROR, ["--format", "sarif"], 1),
        (RULES, ["--format", "xml"], 2),
        (RULES, ["--rules", "nowhere"], 2),
    ],
)
def test_the_exit_code_tells_fine_found_and_wrong_usage_apart(run, rules, arguments, code):
    assert run(*arguments, rules=rules).exit_code == code


def test_people_read_place_severity_message_kind_and_fix(run):
    output = run(rules=ERROR).output
    assert (
        "config/rules/10-platform.yaml:9:14: error: there is no account named `sandpit` [unknown-account]\n" in output
    )
    assert "    Write one of: production, sandbox.\n" in output
    assert output.endswith("1 error, 0 warnings.\n")


def test_json_has_every_part_of_a_finding(run):
    assert json.loads(run("--format", "json", rules=ERROR).stdout) == {
        "findings": [
            {
                "file": "config/rules/10-platform.yaml",
                "line": 9,
                "column": 14,
                "severity": "error",
                "kind": "unknown-account",
                "message": "there is no account named `sandpit`",
                "fix": "Write one of: production, sandbox.",
            }
        ]
    }


def test_sarif_has_what_the_standard_requires(run):
    log = json.loads(run("--format", "sarif", rules=ERROR).stdout)
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-schema-2.1.0.json")
    (found,) = log["runs"]
    driver = found["tool"]["driver"]
    assert driver["name"] == "rambridge check"
    assert [rule["id"] for rule in driver["rules"]] == ["unknown-account"]
    assert all(
        rule[part]["text"] for rule in driver["rules"] for part in ("shortDescription", "fullDescription", "help")
    )
    (result,) = found["results"]
    assert (result["ruleId"], result["ruleIndex"], result["level"]) == ("unknown-account", 0, "error")
    assert result["message"]["text"] == "there is no account named `sandpit`. Write one of: production, sandbox."
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "config/rules/10-platform.yaml", "uriBaseId": "%SRCROOT%"}
    assert place["region"] == {"startLine": 9, "startColumn": 14}


def test_sarif_of_nothing_has_an_empty_list(run):
    log = json.loads(run("--format", "sarif").stdout)
    assert log["runs"][0]["results"] == []
    assert log["runs"][0]["tool"]["driver"]["rules"] == []


def test_a_file_name_becomes_a_relative_uri_or_an_absolute_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    inside = Problem(tmp_path / "ein Ordner" / "ä#.yaml", 1, 1, "m", "f")
    outside = Problem(Path("/elsewhere/a b.yaml"), 1, 1, "m", "f")
    results = json.loads(write_sarif([inside, outside]))["runs"][0]["results"]
    places = [result["locations"][0]["physicalLocation"]["artifactLocation"] for result in results]
    assert places == [
        {"uri": "ein%20Ordner/%C3%A4%23.yaml", "uriBaseId": "%SRCROOT%"},
        {"uri": "file:///elsewhere/a%20b.yaml"},
    ]


def test_an_annotation_names_file_line_and_column(run):
    output = run("--format", "github", rules=WARNING).stdout
    start = "::warning file=config/rules/10-platform.yaml,line=8,col=23,title=short-session::sessions of 900 s are"
    assert output.startswith(start)
    assert output.count("\n") == 1


def test_a_name_in_a_rule_begins_no_command_of_the_runner(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    problem = Problem(tmp_path / "a,line=9::b%.yaml", 3, 4, "x\r\n::stop-commands::t, 100%", "fix: it")
    assert write_github([problem]) == (
        "::error file=a%2Cline=9%3A%3Ab%25.yaml,line=3,col=4,title=invalid::"
        "x%0D%0A::stop-commands::t, 100%25. fix: it\n"
    )


def test_secrets_are_not_looked_for_where_there_are_none(run):
    failed = run(without=("providers/secret",))
    assert failed.exit_code == 1
    assert re.search(r"providers/acme-oidc.yaml:6:16: error: .* \[secret\]", failed.output)
    assert run("--no-secrets", without=("providers/secret",)).exit_code == 0


def test_the_rules_of_a_draft_are_checked_in_place_of_those_in_force(run, tmp_path):
    draft = tmp_path / "draft"
    draft.mkdir()
    (draft / "10.yaml").write_text(ERROR)
    assert "draft/10.yaml:9:14" in run("--rules", str(draft)).output


def test_claims_are_compared_with_those_of_kept_sign_ins(run, tmp_path):
    rules = RULES.replace("groups: [platform]", "claims: {departmnt: Platform}")
    arguments = ["--config", str(tmp_path / "config")]
    assert run(rules=rules).exit_code == 0  # nothing is kept, so nothing is known
    assert not (tmp_path / "var" / "bridge.db").exists()
    assert CliRunner().invoke(main, [*arguments, "keys", "create"]).exit_code == 0
    keep_sign_in(load_settings(tmp_path / "config"), {"department": "Platform", "groups": ["platform"]})
    output = run(rules=rules).output
    assert "10-platform.yaml:4:12: warning: no sign-in that is kept has a claim `departmnt` (acme-saml)" in output
    assert "Write one of: department, groups." in output
    assert "departmnt" not in run("--no-history", rules=rules).output


def keep_sign_in(settings, claims):
    clock = SystemClock()
    settings.data_folder.mkdir(parents=True, exist_ok=True)
    engine = open_engine(settings.database_url())
    history = open_history(engine, Sealer(*KeyFolder(settings.key_folder).sealing_keys()), clock, keep_days=30)
    rules = load_configuration(settings.key_folder.parent / "config", secrets=False).rules
    history.start(RulesInForce(rules), claims)
    history.note(make_identity(claims=claims), "192.0.2.1", clock.now(), resolve(make_identity(), rules, clock.now()))
    assert history.flush()
    engine.dispose()
