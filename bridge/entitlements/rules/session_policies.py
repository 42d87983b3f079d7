"""Session policies as they are written: within a rule as YAML or JSON, or in a file of ``policies/``.

Each is read strictly, checked against RAM's grammar, and compiled once; what is wrong with it has a place.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bridge.entitlements.policy_templates import PolicyTemplate, compile_policy
from bridge.entitlements.ram_policy import Flaw, write_policy
from bridge.entitlements.rules.language import RoleGrant, RuleEntry
from bridge.entitlements.rules.rule_files import RuleFiles
from bridge.errors import Problem, SettingsError
from bridge.yaml_documents import Loc, Mark, Positions, read_document

PolicyFiles = Mapping[str, PolicyTemplate | None]
"""The policies of a version by their names in it, such as ``policies/own-data.yaml``; None: it has problems."""


def read_policy_files(files: RuleFiles) -> tuple[PolicyFiles, tuple[Problem, ...]]:
    """Return every policy file of a version, compiled, and all that is wrong with them."""
    policies: dict[str, PolicyTemplate | None] = {}
    problems: list[Problem] = []
    for name in files.list_policies():
        path, content = files.folder / name, files.texts[name]
        try:
            data, positions = _read_file(path, content)
        except SettingsError as error:
            policies[name] = None
            problems += error.problems
            continue
        policies[name], flaws = compile_policy(data)
        problems += (_describe(flaw, _locate(flaw, positions), path) for flaw in flaws)
    return policies, tuple(problems)


def read_inline_policy(
    written: Any, positions: Positions, loc: Loc
) -> tuple[PolicyTemplate | None, tuple[Problem, ...]]:
    """Return the policy that stands in a rule at ``loc``, compiled, and all that is wrong with it."""
    if not isinstance(written, str):
        policy, flaws = compile_policy(written)
        inside = (replace(flaw, loc=(*loc, *flaw.loc)) for flaw in flaws)
        return policy, tuple(_describe(flaw, _locate(flaw, positions), positions.file) for flaw in inside)
    try:
        data, within = _read_json(positions.file, written)
    except SettingsError as error:
        marks = [(problem, positions.locate_inside(loc, problem.line, problem.column)) for problem in error.problems]
        return None, tuple(replace(problem, line=mark.line, column=mark.column) for problem, mark in marks)
    policy, flaws = compile_policy(data)
    found = []
    for flaw in flaws:
        mark = _locate(flaw, within)
        found.append(_describe(flaw, positions.locate_inside(loc, mark.line, mark.column), positions.file))
    return policy, tuple(found)


def find_unused_policies(entries: Iterable[RuleEntry], files: RuleFiles) -> Iterator[Problem]:
    """Yield a warning for each policy file that no rule names."""
    grants = (grant for entry in entries for grant in entry.grant or ())
    used = {grant.session_policy_file for grant in grants if isinstance(grant, RoleGrant)}
    for name in files.list_policies():
        if name not in used:
            message = "no rule uses this policy"
            fix = f"Write `session_policy_file: {name}` in a grant, or remove the file."
            yield Problem(files.folder / name, 1, 1, message, fix, "warning", "unused-policy")


def _read_file(path: Path, content: bytes) -> tuple[Any, Positions]:
    if path.suffix == ".yaml":
        document = read_document(path, content)
        if document.problems:
            raise SettingsError(document.problems)
        return document.data, document.positions
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        problem = Problem(path, 1, 1, "this file is not UTF-8", "Save it in the encoding UTF-8.")
        raise SettingsError([problem]) from error
    return _read_json(path, text)


def _read_json(path: Path, text: str) -> tuple[Any, Positions]:
    """Return strict JSON as data, with the places that our YAML reader finds in it, or none.

    Raises:
        SettingsError: it is not JSON, or a member comes twice.
    """
    fix = "Correct it, or write it as YAML."
    try:
        data = json.loads(text, object_pairs_hook=_refuse_duplicates, parse_constant=_refuse_constant)
        write_policy(data).encode()  # which half of a character, as an escape, would not survive
    except json.JSONDecodeError as error:
        raise SettingsError(
            [Problem(path, error.lineno, error.colno, f"this is not JSON: {error.msg}", fix)]
        ) from error
    except UnicodeEncodeError as error:
        raise SettingsError([Problem(path, 1, 1, "this holds half of a character", fix)]) from error
    except (ValueError, RecursionError) as error:
        fault = str(error) if isinstance(error, ValueError) else "this is nested too deeply"
        raise SettingsError(_find_yaml_problems(path, text) or [Problem(path, 1, 1, fault, fix)]) from error
    nowhere = Positions(path, {}, {})
    try:
        document = read_document(path, text.encode())
    except SettingsError:
        return data, nowhere  # JSON that is not YAML: a character as a pair of escapes
    return data, document.positions if document.data == data else nowhere


def _find_yaml_problems(path: Path, text: str) -> tuple[Problem, ...]:
    """Return the members that come twice with their places: JSON's reader knows none."""
    try:
        return read_document(path, text.encode()).problems
    except SettingsError:
        return ()


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise ValueError(f"the member `{name}` comes twice")
        members[name] = value
    return members


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _locate(flaw: Flaw, positions: Positions) -> Mark:
    if flaw.place is not None:
        return positions.locate_inside(flaw.loc, *flaw.place)
    return positions.locate(flaw.loc, key=flaw.at_key)


def _describe(flaw: Flaw, mark: Mark, file: Path) -> Problem:
    message = f"session policy: {flaw.message}"
    return Problem(file, mark.line, mark.column, message, flaw.fix, kind="policy-refused")
