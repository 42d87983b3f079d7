"""From files to the rule set: read each, find every problem in all of them, compile the rest once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bridge.entitlements.expressions import ExpressionInvalid, compile_expression
from bridge.entitlements.matching import ClaimSchema
from bridge.entitlements.rules.index import build_index
from bridge.entitlements.rules.language import (
    RULE_ENTRY,
    RULE_FILE,
    AdministratorEntry,
    ConditionsEntry,
    RoleGrant,
    RuleEntry,
    UserGrant,
)
from bridge.entitlements.rules.rule_files import RuleFiles
from bridge.entitlements.rules.rule_set import Conditions, Grant, Rule, RuleSet
from bridge.entitlements.templates import compile_template
from bridge.errors import Problem, SettingsError
from bridge.yaml_documents import Loc, Positions, read_model, salvage, sort_problems


@dataclass(frozen=True)
class RuleDocument:
    """The rules of one file, each with its number in the file."""

    entries: tuple[tuple[int, RuleEntry], ...]
    positions: Positions


def read_rules(path: Path, content: bytes) -> tuple[RuleDocument, tuple[Problem, ...]]:
    """Return the rules of one file, and its problems; rules with problems are left out as far as they must be."""
    reading = read_model(path, RULE_FILE, content=content)
    positions = reading.document.positions
    if reading.content is not None:
        return RuleDocument(tuple(enumerate(reading.content.rules)), positions), reading.problems
    data = reading.document.data
    written = data.get("rules") if isinstance(data, dict) else None
    usable = [
        (number, entry)
        for number, item in enumerate(written if isinstance(written, list) else ())
        if (entry := salvage(item, RULE_ENTRY)) is not None
    ]
    return RuleDocument(tuple(usable), positions), reading.problems


def compile_rules(
    documents: Iterable[RuleDocument],
    groups_claims: Mapping[str, str],
    files: RuleFiles,
    schemas: Mapping[str, ClaimSchema] | None = None,
) -> RuleSet:
    """Return the rule set of all documents, which stand in ``files``.

    ``groups_claims`` has an entry for each configured provider, ``schemas`` for those of whose claims more is known.

    Raises:
        SettingsError: with every problem of every file.
    """
    ordered = sorted(documents, key=lambda document: document.positions.file.name)
    problems: list[Problem] = []
    rules: list[Rule] = []
    for document in ordered:
        problems += _find_duplicates(document)
        for number, entry in document.entries:
            rules.append(_compile_rule(entry, document.positions, ("rules", number), problems))
    if problems:
        raise SettingsError(sort_problems(problems))
    return RuleSet(files.version, tuple(rules), dict(groups_claims), dict(schemas or {}), build_index(rules))


def compile_administrators(
    entries: Sequence[AdministratorEntry], positions: Positions
) -> tuple[tuple[Conditions, ...], tuple[Problem, ...]]:
    """Return the compiled conditions on administrators, and their problems; what has problems counts for nothing."""
    problems: list[Problem] = []
    compiled = tuple(
        _compile_conditions(entry, positions, ("administrators", number), problems)
        for number, entry in enumerate(entries)
    )
    return (() if problems else compiled), tuple(problems)


def _find_duplicates(document: RuleDocument) -> Iterator[Problem]:
    seen: set[str] = set()
    for number, entry in document.entries:
        if entry.name in seen:
            yield document.positions.problem(
                ("rules", number, "name"),
                f"a rule named `{entry.name}` stands in this file already",
                "Give it a name of its own.",
            )
        seen.add(entry.name)


def _compile_conditions(entry: ConditionsEntry, positions: Positions, loc: Loc, problems: list[Problem]) -> Conditions:
    when = None
    if entry.when is not None:
        try:
            when = compile_expression(entry.when)
        except ExpressionInvalid as error:
            problems.append(_place(error, positions, (*loc, "when"), "`when`"))
    return Conditions(
        providers=frozenset(entry.provider or ()),
        groups=frozenset(entry.groups or ()),
        claims=tuple((name, frozenset(values)) for name, values in (entry.claims or {}).items()),
        when=when,
        require=entry.require,
    )


def _compile_rule(entry: RuleEntry, positions: Positions, loc: Loc, problems: list[Problem]) -> Rule:
    conditions = _compile_conditions(entry, positions, loc, problems)
    grants: list[Grant] = []
    for number, grant in enumerate(entry.grant or ()):
        try:
            grants.append(_compile_grant(grant))
        except ExpressionInvalid as error:
            problems.append(_place(error, positions, (*loc, "grant", number, "user"), "`user`"))
    return Rule(
        **vars(conditions),
        id=f"{positions.file.name}:{entry.name}",
        line=positions.locate(loc).line,
        grants=tuple(grants),
        denials=entry.deny or (),
    )


def _compile_grant(grant: RoleGrant | UserGrant) -> Grant:
    is_role = isinstance(grant, RoleGrant)
    return Grant(
        kind="role" if is_role else "user",
        account=grant.account,
        name=compile_template(grant.role if isinstance(grant, RoleGrant) else grant.user),
        title=grant.title,
        purpose=grant.purpose,
        duration_seconds=grant.duration_seconds,
        session_policy=grant.session_policy if isinstance(grant, RoleGrant) else None,
        terminal_role=grant.terminal_role if isinstance(grant, UserGrant) else None,
    )


def _place(error: ExpressionInvalid, positions: Positions, loc: Loc, name: str) -> Problem:
    mark = positions.locate_inside(loc, error.line, error.column)
    fix = "Correct the expression; config/README.md lists what it can read."
    return Problem(positions.file, mark.line, mark.column, f"{name}: {error.message}", fix)
