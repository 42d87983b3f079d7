"""`rambridge test-rules` as a transcript: what fails, why, what is covered, and the exit code."""

import json
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from bridge.cli.main import main
from tests.unit.configurations import write_configuration

PASSES = """tests:
- name: platform administers
  given: {provider: acme-saml, claims: {groups: [platform]}}
  expect: [{account: production, role: Admin}, {account: sandbox, role: Developer}]
"""
FAILS = PASSES.replace("role: Admin", "role: Reader").replace("administers", "<reads & writes>")


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*arguments, tests=PASSES):
        changes = {"rules/tests/platform.yaml": tests} if tests else {}
        write_configuration(tmp_path / "config", changes, without=("providers/secret",))
        return CliRunner().invoke(main, ["test-rules", *arguments])

    return run


def test_what_passes_is_counted_with_the_rules_that_it_covers(run):
    result = run()
    assert result.exit_code == 0
    assert result.output == "1 test: 1 passed, 0 failed.\n1 of 1 rule applied in some test (100 %).\n"


def test_what_fails_says_where_what_and_why(run):
    result = run(tests=FAILS)
    assert result.exit_code == 1
    assert result.output.startswith(
        "FAILED platform <reads & writes>\n"
        "  config/rules/tests/platform.yaml:2:9\n"
        "  missing: role production/Reader\n"
        "    expected granted\n"
        "    got      not granted\n"
        "    because  no rule grants it\n"
        "  unexpected: role production/Admin\n"
        "    expected not granted\n"
        "    got      granted\n"
        "    because  granted by `platform`: the provider is acme-saml; `groups` has platform "
        "(10-platform.yaml:platform)\n"
    )


@pytest.mark.parametrize(("percent", "code"), [("100", 1), ("51", 1), ("50", 0), ("101", 2), ("many", 2)])
def test_too_little_coverage_fails(run, tmp_path, percent, code):
    extra = tmp_path / "config" / "rules" / "20.yaml"
    run()
    extra.write_text("rules: [{name: other, groups: [x], grant: [{account: sandbox, role: Reader}]}]")
    result = run("--min-coverage", percent)
    assert result.exit_code == code
    assert ("never: 20.yaml:other" in result.output) == (code != 2)


def test_no_tests_are_no_success(run):
    result = run(tests="")
    assert result.exit_code == 1
    assert "There are no tests in config/rules/tests." in result.output


def test_a_mistake_in_a_test_is_printed_with_its_place(run):
    result = run(tests=PASSES.replace("expect", "expects"))
    assert result.exit_code == 1
    assert "config/rules/tests/platform.yaml:4:3: error: `expects` is not known here" in result.output


def test_the_rules_of_a_draft_are_tested_with_its_own_tests_or_with_others(run, tmp_path):
    run()
    draft = tmp_path / "draft"
    (draft / "tests").mkdir(parents=True)
    (draft / "10-platform.yaml").write_text(
        (tmp_path / "config/rules/10-platform.yaml").read_text().replace("Admin", "Reader")
    )
    (draft / "tests" / "some.yaml").write_text(FAILS)
    assert run("--rules", "draft").exit_code == 0
    assert run("--rules", "draft", "config/rules/tests").exit_code == 1


def test_json_has_every_test_and_the_coverage(run):
    value = json.loads(run("--format", "json", tests=FAILS).stdout)
    assert value["tests"][0]["passed"] is False
    assert [each["kind"] for each in value["tests"][0]["differences"]] == ["missing", "unexpected"]
    assert value["coverage"] == {"share": 1.0, "applied": {"10-platform.yaml:platform": 1}, "uncovered": []}


def test_junit_has_a_case_for_each_test(run):
    top = ET.fromstring(run("--format", "junit", tests=FAILS).stdout)
    (case,) = top.iter("testcase")
    assert (top.get("tests"), top.get("failures")) == ("1", "1")
    assert case.get("name") == "platform <reads & writes>"
    assert case.get("file") == "config/rules/tests/platform.yaml"
    failure = case.find("failure")
    assert failure is not None
    assert "because: no rule grants it" in (failure.text or "")
