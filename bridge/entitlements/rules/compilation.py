"""From files to the rule set: read each, find every problem in all of them, compile the rest once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bridge.addresses import Network
from bridge.entitlements.expressions import ExpressionInvalid, compile_expression
from bridge.entitlements.limits import Hours, NetworkInvalid, find_zone, read_network
from bridge.entitlements.matching import ClaimSchema, fold_case
from bridge.entitlements.policy_templates import PolicyTemplate
from bridge.entitlements.rules.accounts import AccountLabels, find_accounts
from bridge.entitlements.rules.constants import Constants, ConstantUnknown, Written, gather_constants
from bridge.entitlements.rules.language import (
    CONSTANTS,
    RULE_ENTRY,
    RULE_FILE,
    AccountChoice,
    AdministratorEntry,
    ConditionsEntry,
    HoursEntry,
    Requirement,
    RoleGrant,
    RuleEntry,
    TargetEntry,
    UserGrant,
)
from bridge.entitlements.rules.readings import Compiled, find_document, keep_document
from bridge.entitlements.rules.rule_files import RuleFiles
from bridge.entitlements.rules.rule_set import Conditions, Grant, Rule, RuleSet, Target, build_rule_set
from bridge.entitlements.rules.session_policies import PolicyFiles, read_inline_policy, read_policy_files
from bridge.entitlements.templates import (
    MAX_PURPOSE_CHARACTERS,
    MAX_TITLE_CHARACTERS,
    compile_template,
    compile_text_template,
)
from bridge.errors import Problem, SettingsError
from bridge.yaml_documents import Loc, Positions, read_model, salvage, sort_problems


@dataclass(frozen=True)
class RuleDocument:
    """The rules of one file, each with its number in the file."""

    entries: tuple[tuple[int, RuleEntry], ...]
    positions: Positions
    constants: Written = field(default_factory=dict)
    compiled: Compiled = field(default_factory=Compiled, repr=False, compare=False)


def read_rules(path: Path, content: bytes) -> tuple[RuleDocument, tuple[Problem, ...]]:
    """Return the rules of one file, and its problems; rules with problems are left out as far as they must be."""
    known = find_document(path, content)
    if known is not None:
        return known, ()
    reading = read_model(path, RULE_FILE, content=content)
    positions = reading.document.positions
    file = reading.content
    if file is not None and not reading.problems:
        document = RuleDocument(tuple(enumerate(file.rules)), positions, file.constants or {})
        keep_document(path, content, document)
        return document, ()
    data = reading.document.data if isinstance(reading.document.data, dict) else {}
    written, named = data.get("rules"), data.get("constants")
    usable = [
        (number, entry)
        for number, item in enumerate(written if isinstance(written, list) else ())
        if (entry := salvage(item, RULE_ENTRY)) is not None
    ]
    constants: dict[str, tuple[str, ...] | None] = dict.fromkeys(named if isinstance(named, dict) else ())
    return RuleDocument(tuple(usable), positions, constants | (salvage(named, CONSTANTS) or {})), reading.problems


def compile_rules(
    documents: Iterable[RuleDocument],
    groups_claims: Mapping[str, str],
    files: RuleFiles,
    accounts: Mapping[str, AccountLabels | None] | None = None,
    *,
    schemas: Mapping[str, ClaimSchema] | None = None,
) -> RuleSet:
    """Return the rule set of all documents, which stand in ``files``.

    ``groups_claims`` has an entry for each configured provider, ``accounts`` for each account: None for one whose own
    file cannot be used. Whether there is an account of a name, ``settings`` tells. ``schemas`` has the providers of
    whose claims more is known.

    Raises:
        SettingsError: with every problem of every file, but for those of constants that were found when the file
            was read.
    """
    ordered = sorted(documents, key=lambda document: document.positions.file.name)
    policies, found = read_policy_files(files)
    problems: list[Problem] = [*found]
    constants = gather_constants(((each.positions, each.constants) for each in ordered), problems)
    rules: list[Rule] = []
    for document in ordered:
        rules += _compile_document(document, constants, accounts or {}, policies, problems)
    if problems or not constants.are_usable:
        raise SettingsError(sort_problems(problems))
    return build_rule_set(files.version, rules, groups_claims, schemas or {}, sources=tuple(ordered))


def _compile_document(
    document: RuleDocument,
    constants: Constants,
    accounts: Mapping[str, AccountLabels | None],
    policies: PolicyFiles,
    problems: list[Problem],
) -> tuple[Rule, ...]:
    given = (constants, dict(accounts), policies)
    known = document.compiled.find(given)
    if known is not None:
        return known
    found = [*_find_duplicates(document)]
    rules = tuple(
        _compile_rule(entry, _Context(document.positions, ("rules", number), found, constants, accounts, policies))
        for number, entry in document.entries
    )
    problems += found
    if not found:
        document.compiled.keep(given, rules)
    return rules


def compile_people(
    key: str, entries: Sequence[AdministratorEntry], positions: Positions
) -> tuple[tuple[Conditions, ...], tuple[Problem, ...]]:
    """Return the compiled conditions on some people, and their problems; what has problems counts for nothing.

    ``key`` is where they stand in bridge.yaml: ``administrators`` or ``auditors``.
    """
    problems: list[Problem] = []
    compiled = tuple(
        _compile_conditions(entry, _Context(positions, (key, number), problems)) for number, entry in enumerate(entries)
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


@dataclass(frozen=True)
class _Context:
    """One rule's place, what it may refer to, and the list of everything that is wrong."""

    positions: Positions
    loc: Loc
    problems: list[Problem]
    constants: Constants = field(default_factory=Constants)
    accounts: Mapping[str, AccountLabels | None] = field(default_factory=dict)
    policies: PolicyFiles = field(default_factory=dict)

    def report(self, loc: Loc, message: str, fix: str, *, kind: str = "invalid") -> None:
        self.problems.append(self.positions.problem((*self.loc, *loc), message, fix, kind=kind))

    def report_expression(self, error: ExpressionInvalid, loc: Loc) -> None:
        place = (*self.loc, *loc)
        mark = self.positions.locate_inside(place, error.line, error.column)
        name = next(step for step in reversed(loc) if isinstance(step, str))
        fix = "Correct the expression; config/README.md lists what it can read."
        message = f"`{name}`: {error.message}"
        self.problems.append(Problem(self.positions.file, mark.line, mark.column, message, fix, kind="expression"))

    def report_network(self, error: NetworkInvalid, loc: Loc, text: str, number: int) -> None:
        """Report a value where it stands: in the rule, or in the constant of which it is the value of that number."""
        positions, place = self.constants.locate(text, number) or (self.positions, (*self.loc, *loc))
        self.problems.append(positions.problem(place, str(error), error.fix))

    def put_in_constants(self, written: Sequence[str] | None, loc: Loc) -> Iterator[tuple[Loc, str]]:
        for number, text in enumerate(written or ()):
            place = (*loc, number)
            yield from ((place, value) for value in self.put_in_constant(text, place))

    def put_in_constant(self, text: str, place: Loc) -> tuple[str, ...]:
        try:
            return self.constants.read(text)
        except ConstantUnknown as error:
            self.report(place, str(error), error.fix, kind="unknown-constant")
            return ()


def _compile_conditions(entry: ConditionsEntry, context: _Context) -> Conditions:
    when = None
    if entry.when is not None:
        try:
            when = compile_expression(entry.when)
        except ExpressionInvalid as error:
            context.report_expression(error, ("when",))
    values = _Values(context, ignore_case=entry.ignore_case is True)
    return Conditions(
        providers=frozenset(entry.provider or ()),
        groups=values.read(entry.groups, ("groups",)),
        claims=tuple((name, values.read(written, ("claims", name))) for name, written in (entry.claims or {}).items()),
        when=when,
        require=values.read_requirement(entry.require, ("require",)),
        not_groups=values.read(entry.not_groups, ("not_groups",)),
        ignore_case=entry.ignore_case is True,
        networks=values.read_networks(entry.networks, ("networks",)),
        hours=_compile_hours(entry.hours) if entry.hours else None,
        expires=entry.expires,
        claims_like=tuple(
            (name, tuple(pattern.removesuffix("*") for pattern in patterns))
            for name, patterns in (entry.claims_like or {}).items()
        ),
    )


def _compile_hours(entry: HoursEntry) -> Hours:
    return Hours(frozenset(entry.days), entry.start, entry.end, find_zone(entry.time_zone))


@dataclass(frozen=True)
class _Values:
    """Reads the lists of values of one rule, its constants put in."""

    context: _Context
    ignore_case: bool

    def read(self, written: Sequence[str] | None, loc: Loc) -> frozenset[str]:
        seen: dict[str, str] = {}
        for place, value in self.context.put_in_constants(written, loc):
            folded = fold_case(value) if self.ignore_case else value
            if seen.setdefault(folded, value) != value:
                message = f"with `ignore_case`, `{value}` is the same as `{seen[folded]}`"
                fix = "Remove one of them, or `ignore_case` where they are two different things."
                self.context.report(place, message, fix)
        return frozenset(seen)

    def read_requirement(self, require: Requirement | None, loc: Loc) -> Requirement | None:
        if require is None:
            return None
        lists = {
            name: tuple(value for _, value in self.context.put_in_constants(written, (*loc, name)))
            for name, written in (("amr", require.amr), ("acr", require.acr))
            if written is not None
        }
        return require.model_copy(update=lists)

    def read_networks(self, written: Sequence[str] | None, loc: Loc) -> tuple[Network, ...]:
        networks: list[Network] = []
        for place, text in enumerate(written or ()):
            for number, value in enumerate(self.context.put_in_constant(text, (*loc, place))):
                try:
                    networks.append(read_network(value))
                except NetworkInvalid as error:
                    self.context.report_network(error, (*loc, place), text, number)
        return tuple(networks)


def _compile_rule(entry: RuleEntry, context: _Context) -> Rule:
    return Rule(
        **vars(_compile_conditions(entry, context)),
        id=f"{context.positions.file.name}:{entry.name}",
        line=context.positions.locate(context.loc).line,
        grants=tuple(
            compiled
            for number, grant in enumerate(entry.grant or ())
            for compiled in _compile_grant(grant, number, context)
        ),
        denials=tuple(
            target
            for number, denied in enumerate(entry.deny or ())
            for target in _compile_target(denied, number, context)
        ),
        owner=entry.owner,
        reason=entry.reason,
    )


def _find_session_policy(grant: RoleGrant, loc: Loc, context: _Context) -> PolicyTemplate | None:
    name = grant.session_policy_file
    if name is None:
        if grant.session_policy is None:
            return None
        place = (*context.loc, *loc, "session_policy")
        policy, found = read_inline_policy(grant.session_policy, context.positions, place)
        context.problems.extend(found)
        return policy
    if name not in context.policies:
        fix = f"Write one of: {', '.join(sorted(context.policies)) or 'none, for there is none'}."
        context.report((*loc, "session_policy_file"), f"there is no file `{name}`", fix, kind="unknown-policy")
    return context.policies.get(name)


def _compile_grant(grant: RoleGrant | UserGrant, number: int, context: _Context) -> Iterator[Grant]:
    """Yield the grant of each role, or of the user, in each account."""
    loc: Loc = ("grant", number)
    is_role = isinstance(grant, RoleGrant)
    policy = _find_session_policy(grant, loc, context) if isinstance(grant, RoleGrant) else None
    written = grant.role_names if isinstance(grant, RoleGrant) else ((("user",), grant.user),)
    try:
        at: Loc = (*loc, "title")
        title = compile_text_template(grant.title, MAX_TITLE_CHARACTERS)
        at = (*loc, "purpose")
        purpose = compile_text_template(grant.purpose, MAX_PURPOSE_CHARACTERS)
        at = (*loc, "terminal_role")
        terminal = (
            compile_template(grant.terminal_role) if isinstance(grant, UserGrant) and grant.terminal_role else None
        )
        names = []
        for place, text in written:
            at = (*loc, *place)
            names.append(compile_template(text))
    except ExpressionInvalid as error:
        context.report_expression(error, at)
        return
    for account in _find_accounts(grant, loc, context):
        labels = context.accounts.get(account)
        for name in names:
            yield Grant(
                kind="role" if is_role else "user",
                account=account,
                name=name,
                title=title,
                purpose=purpose,
                duration_seconds=grant.duration_seconds,
                session_policy=policy,
                terminal_role=terminal,
                owner=grant.owner,
                sensitivity=grant.sensitivity,
                allowed_roles=None if labels is None or labels.roles is None else frozenset(labels.roles),
                entry=number,
            )


def _compile_target(entry: TargetEntry, number: int, context: _Context) -> Iterator[Target]:
    roles = entry.roles or (entry.role,)
    for account in _find_accounts(entry, ("deny", number), context):
        yield from (Target(account, role, entry.user, number) for role in roles)


def _find_accounts(choice: AccountChoice, loc: Loc, context: _Context) -> tuple[str, ...]:
    """Return the accounts that are meant. Words that mean none are a mistake: a denial would do nothing, in silence."""
    found = find_accounts(choice, context.accounts)
    if found or None in context.accounts.values():
        return found
    if choice.account_alias is not None:
        known = sorted(labels.alias for labels in context.accounts.values() if labels and labels.alias)
        message = f"no account has the alias `{choice.account_alias}`"
        fix = f"Write one of: {', '.join(known) or 'none'}; or add `alias` to the account's file."
        context.report((*loc, "account_alias"), message, fix, kind="unknown-account")
    else:
        tags = ", ".join(f"{key}: {value}" for key, value in (choice.account_tags or {}).items())
        message = f"no account has the tags `{tags}`"
        known = sorted(
            {f"{key}: {value}" for each in context.accounts.values() if each for key, value in each.tags.items()}
        )
        fix = f"Known are: {', '.join(known) or 'none'}. Add them under `tags` to an account's file."
        context.report((*loc, "account_tags"), message, fix, kind="unknown-account")
    return ()
