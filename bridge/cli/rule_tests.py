"""``rambridge test-rules``: the tests for mappings, and which rules they cover."""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from xml.etree import ElementTree as ET

import click

from bridge.cli.output import FAILED, count, errors_to_exit_code, printable, short_path
from bridge.clock import SystemClock
from bridge.entitlements.rule_tests import CaseResult, RuleTestReport
from bridge.settings import load_configuration, run_rule_tests

_UNCOVERED_SHOWN = 20


@click.command("test-rules", short_help="Run the tests for mappings.")
@click.argument(
    "tests", metavar="[FOLDER]", required=False, type=click.Path(path_type=Path, exists=True, file_okay=False)
)
@click.option(
    "--rules",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Test the rules in this folder, such as a draft.",
)
@click.option(
    "--min-coverage", type=click.IntRange(0, 100), metavar="PERCENT", help="Fail where fewer rules are covered."
)
@click.option("--format", "output", type=click.Choice(["text", "json", "junit"]), default="text", show_default=True)
@click.pass_obj
def test_rules(folder: Path, tests: Path | None, rules: Path | None, min_coverage: int | None, output: str) -> None:
    """Run the tests for mappings in FOLDER, or else in the folder `tests` of the rules.

    A test says who signs in with which claims, and everything that must come of it. Printed are each test that fails,
    with what was expected, what came, and the rule that decided; then the share of the rules that applied in some test.
    No secret is read. The exit code is 1 if a test fails, if there is none, or if too few rules are covered.
    """
    with errors_to_exit_code():
        configuration = load_configuration(folder, secrets=False, rules=rules)
        report = run_rule_tests(configuration, SystemClock().now(), folder=tests)
    click.echo(_FORMATS[output](report), nl=False)
    too_few = min_coverage is not None and report.coverage * 100 < min_coverage
    if too_few:
        click.echo(f"At least {min_coverage} % of the rules must be covered.", err=True)
    if not report.results:
        click.echo(f"There are no tests in {short_path(tests or configuration.rule_files.folder / 'tests')}.", err=True)
    if report.failed or too_few or not report.results:
        sys.exit(FAILED)


def describe_report(report: RuleTestReport) -> str:
    """Return what came of the tests, for a terminal: each that failed, then the coverage."""
    lines: list[str] = []
    for result in report.failed:
        lines.append(click.style(f"FAILED {printable(result.name)}", fg="red", bold=True))
        lines.append(f"  {_write_place(result)}")
        for each in result.differences:
            lines.append(f"  {each.kind}: {printable(each.target)}")
            lines += [
                f"    {label:<9}{printable(text)}" for label, text in _list_parts(each.expected, each.got, each.because)
            ]
        lines.append("")
    passed = len(report.results) - len(report.failed)
    summary = f"{count(len(report.results), 'test')}: {passed} passed, {len(report.failed)} failed."
    lines.append(click.style(summary, fg="red" if report.failed else "green", bold=True))
    covered = len(report.applied) - len(report.uncovered)
    lines.append(
        f"{covered} of {count(len(report.applied), 'rule')} applied in some test ({int(report.coverage * 100)} %)."
    )
    lines += [f"  never: {printable(rule)}" for rule in report.uncovered[:_UNCOVERED_SHOWN]]
    if len(report.uncovered) > _UNCOVERED_SHOWN:
        lines.append(f"  and {len(report.uncovered) - _UNCOVERED_SHOWN} more; --format json lists all")
    return "\n".join(lines) + "\n"


def _write_json(report: RuleTestReport) -> str:
    value = {
        "rules_version": report.rules_version,
        "tests": [
            {
                "name": result.name,
                "file": short_path(result.file),
                "line": result.line,
                "column": result.column,
                "passed": result.passed,
                "differences": [vars(difference) for difference in result.differences],
            }
            for result in report.results
        ],
        "coverage": {"share": round(report.coverage, 4), "applied": report.applied, "uncovered": report.uncovered},
    }
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _write_junit(report: RuleTestReport) -> str:
    """Return the XML that build servers read, such as GitLab: one ``testcase`` for each test, files as classes."""
    counts = {"tests": str(len(report.results)), "failures": str(len(report.failed))}
    top = ET.Element("testsuites", counts)
    suite = ET.SubElement(top, "testsuite", {"name": "rambridge test-rules", **counts, "errors": "0"})
    for result in report.results:
        place = {"classname": short_path(result.file), "file": short_path(result.file), "line": str(result.line)}
        case = ET.SubElement(suite, "testcase", {"name": printable(result.name), **place})
        if not result.passed:
            message = ", ".join(f"{each.kind}: {each.target}" for each in result.differences)
            failure = ET.SubElement(case, "failure", {"message": printable(message), "type": "difference"})
            failure.text = "\n".join(
                f"{label}: {printable(text)}"
                for each in result.differences
                for label, text in [(each.kind, each.target), *_list_parts(each.expected, each.got, each.because)]
            )
    ET.indent(top)
    return ET.tostring(top, encoding="unicode", xml_declaration=True) + "\n"


_FORMATS: Mapping[str, Callable[[RuleTestReport], str]] = {
    "text": describe_report,
    "json": _write_json,
    "junit": _write_junit,
}


def _list_parts(expected: str, got: str, because: str) -> list[tuple[str, str]]:
    return [("expected", expected), ("got", got), ("because", because)]


def _write_place(result: CaseResult) -> str:
    return f"{short_path(result.file)}:{result.line}:{result.column}"
