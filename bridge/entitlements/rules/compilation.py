"""From files to the rule set: read each, find every problem in all of them, compile the rest once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bridge.entitlements.expressions import ExpressionInvalid, compile_expression
from bridge.entitlements.limits import Hours, Network, find_zone, read_network
from bridge.entitlements.matching import ClaimSchema, fold_case
from bridge.entitlements.policy_templates import PolicyTemplate
from bridge.entitlements.rules.constants import Constants
from bridge.entitlements.rules.language import (
    RULE_ENTRY,
    RULE_FILE,
    AdministratorEntry,
    ConditionsEntry,
    HoursEntry,
    Requirement,
    RoleGrant,
    RuleEntry,
    UserGrant,
)
from bridge.entitlements.rules.rule_files import RuleFiles
from bridge.entitlements.rules.rule_set import Conditions, Grant, Rule, RuleSet, build_rule_set
from bridge.entitlements.rules.session_policies import PolicyFiles, read_inline_policy, read_policy_files
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
    policies, found = read_policy_files(files)
    problems: list[Problem] = [*found]
    constants = Constants()
    rules: list[Rule] = []
    for document in ordered:
        problems += _find_duplicates(document)
        for number, entry in document.entries:
            loc: Loc = ("rules", number)
            rules.append(_compile_rule(entry, document.positions, loc, problems, constants, policies))
    if problems:
        raise SettingsError(sort_problems(problems))
    return build_rule_set(files.version, rules, groups_claims, schemas or {})


def compile_administrators(
    entries: Sequence[AdministratorEntry], positions: Positions
) -> tuple[tuple[Conditions, ...], tuple[Problem, ...]]:
    """Return the compiled conditions on administrators, and their problems; what has problems counts for nothing."""
    problems: list[Problem] = []
    compiled = tuple(
        _compile_conditions(entry, positions, ("administrators", number), problems, Constants())
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
                kind="duplicate",
            )
        seen.add(entry.name)


def _compile_conditions(
    entry: ConditionsEntry, positions: Positions, loc: Loc, problems: list[Problem], constants: Constants
) -> Conditions:
    when = None
    if entry.when is not None:
        try:
            when = compile_expression(entry.when)
        except ExpressionInvalid as error:
            problems.append(_place(error, positions, (*loc, "when"), "`when`"))
    values = _Values(positions, constants, problems, ignore_case=entry.ignore_case is True)
    return Conditions(
        providers=frozenset(entry.provider or ()),
        groups=values.read(entry.groups, (*loc, "groups")),
        claims=tuple(
            (name, values.read(written, (*loc, "claims", name))) for name, written in (entry.claims or {}).items()
        ),
        when=when,
        require=values.read_requirement(entry.require, (*loc, "require")),
        not_groups=values.read(entry.not_groups, (*loc, "not_groups")),
        ignore_case=entry.ignore_case is True,
        networks=values.read_networks(entry.networks, (*loc, "networks")),
        hours=_compile_hours(entry.hours) if entry.hours else None,
        expires=entry.expires,
    )


def _compile_hours(entry: HoursEntry) -> Hours:
    return Hours(frozenset(entry.days), entry.start, entry.end, find_zone(entry.time_zone))


@dataclass(frozen=True)
class _Values:
    """Reads the lists of values of one rule, its constants put in."""

    positions: Positions
    constants: Constants
    problems: list[Problem]
    ignore_case: bool

    def read(self, written: Sequence[str] | None, loc: Loc) -> frozenset[str]:
        seen: dict[str, str] = {}
        for place, value in self.constants.put_in(written or (), self.positions, loc, self.problems):
            folded = fold_case(value) if self.ignore_case else value
            if seen.setdefault(folded, value) != value:
                message = f"with `ignore_case`, `{value}` is the same as `{seen[folded]}`"
                fix = "Remove one of them, or `ignore_case` where they are two different things."
                self.problems.append(self.positions.problem(place, message, fix))
        return frozenset(seen)

    def read_requirement(self, require: Requirement | None, loc: Loc) -> Requirement | None:
        if require is None:
            return None
        lists: dict[str, tuple[str, ...]] = {}
        for name in ("amr", "acr"):
            written = getattr(require, name)
            if written is not None:
                values = self.constants.put_in(written, self.positions, (*loc, name), self.problems)
                lists[name] = tuple(value for _, value in values)
        return require.model_copy(update=lists)

    def read_networks(self, written: Sequence[str] | None, loc: Loc) -> tuple[Network, ...]:
        networks: list[Network] = []
        for place, value in self.constants.put_in(written or (), self.positions, loc, self.problems):
            try:
                networks.append(read_network(value))
            except ValueError as error:
                fix = "Write an address or network, such as 10.0.0.0/8."
                self.problems.append(self.positions.problem(place, str(error), fix))
        return tuple(networks)


def _compile_rule(  # noqa: PLR0917
    entry: RuleEntry,
    positions: Positions,
    loc: Loc,
    problems: list[Problem],
    constants: Constants,
    policies: PolicyFiles,
) -> Rule:
    conditions = _compile_conditions(entry, positions, loc, problems, constants)
    grants: list[Grant] = []
    for number, grant in enumerate(entry.grant or ()):
        policy = None
        if isinstance(grant, RoleGrant):
            policy, found = _find_session_policy(grant, positions, (*loc, "grant", number), policies)
            problems += found
        try:
            grants.append(_compile_grant(grant, policy))
        except ExpressionInvalid as error:
            problems.append(_place(error, positions, (*loc, "grant", number, "user"), "`user`"))
    return Rule(
        **vars(conditions),
        id=f"{positions.file.name}:{entry.name}",
        line=positions.locate(loc).line,
        grants=tuple(grants),
        denials=entry.deny or (),
        owner=entry.owner,
        reason=entry.reason,
    )


def _find_session_policy(
    grant: RoleGrant, positions: Positions, loc: Loc, policies: PolicyFiles
) -> tuple[PolicyTemplate | None, tuple[Problem, ...]]:
    name = grant.session_policy_file
    if name is None:
        if grant.session_policy is None:
            return None, ()
        return read_inline_policy(grant.session_policy, positions, (*loc, "session_policy"))
    if name not in policies:
        fix = f"Write one of: {', '.join(sorted(policies)) or 'none, for there is none'}."
        return None, (positions.problem((*loc, "session_policy_file"), f"there is no file `{name}`", fix),)
    return policies[name], ()


def _compile_grant(grant: RoleGrant | UserGrant, policy: PolicyTemplate | None) -> Grant:
    is_role = isinstance(grant, RoleGrant)
    return Grant(
        kind="role" if is_role else "user",
        account=grant.account,
        name=compile_template(grant.role if isinstance(grant, RoleGrant) else grant.user),
        title=grant.title,
        purpose=grant.purpose,
        duration_seconds=grant.duration_seconds,
        session_policy=policy,
        terminal_role=grant.terminal_role if isinstance(grant, UserGrant) else None,
    )


def _place(error: ExpressionInvalid, positions: Positions, loc: Loc, name: str) -> Problem:
    mark = positions.locate_inside(loc, error.line, error.column)
    fix = "Correct the expression; config/README.md lists what it can read."
    return Problem(positions.file, mark.line, mark.column, f"{name}: {error.message}", fix, kind="expression")
