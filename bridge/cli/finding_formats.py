"""Findings for programs: JSON, SARIF 2.1.0 (OASIS) and the workflow commands of GitHub Actions."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bridge import __version__
from bridge.cli.output import short_path
from bridge.errors import Problem
from bridge.settings import FINDING_KINDS

_SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def write_json(problems: Sequence[Problem]) -> str:
    """Return one JSON object with the list ``findings``."""
    findings = [
        {
            "file": short_path(problem.file),
            "line": problem.line,
            "column": problem.column,
            "severity": problem.severity,
            "kind": problem.kind,
            "message": problem.message,
            "fix": problem.fix,
        }
        for problem in problems
    ]
    return _dump({"findings": findings})


def write_sarif(problems: Sequence[Problem]) -> str:
    """Return a SARIF log with one run; a finding's kind is its ``ruleId``."""
    kinds = sorted({problem.kind for problem in problems})
    driver = {
        "name": "rambridge check",
        "version": __version__,
        "rules": [
            {
                "id": kind,
                "shortDescription": {"text": FINDING_KINDS[kind]},
                "fullDescription": {"text": FINDING_KINDS[kind]},
                "help": {"text": f"{FINDING_KINDS[kind]} Each finding says what to write instead."},
            }
            for kind in kinds
        ],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_write_result(problem, kinds.index(problem.kind)) for problem in problems],
    }
    return _dump({"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]})


def write_github(problems: Sequence[Problem]) -> str:
    """Return one annotation a line, as the runner of GitHub Actions reads them from a step's output.

    The runner takes line ends, and in properties ``:`` and ``,``, for syntax: a name in a rule must not begin another
    command.
    """
    return "".join(
        f"::{problem.severity} file={_escape_property(short_path(problem.file))},line={problem.line},"
        f"col={problem.column},title={_escape_property(problem.kind)}::"
        f"{_escape(f'{problem.message}. {problem.fix}')}\n"
        for problem in problems
    )


def _write_result(problem: Problem, kind: int) -> dict[str, Any]:
    return {
        "ruleId": problem.kind,
        "ruleIndex": kind,
        "level": problem.severity,
        "message": {"text": f"{problem.message}. {problem.fix}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": _write_location(problem.file),
                    "region": {"startLine": problem.line, "startColumn": problem.column},
                }
            }
        ],
    }


def _write_location(path: Path) -> dict[str, str]:
    """Return the file's place: relative to the folder that the command runs in, or absolute if it lies elsewhere."""
    short = short_path(path)
    if Path(short).is_absolute():
        return {"uri": Path(short).as_uri()}
    return {"uri": quote(Path(short).as_posix()), "uriBaseId": "%SRCROOT%"}


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape(text).replace(":", "%3A").replace(",", "%2C")


def _dump(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
