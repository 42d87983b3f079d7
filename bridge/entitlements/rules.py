"""Mapping rules: their language, and their compilation into one immutable rule set.

The pydantic classes are the language, as an administrator writes it in ``config/rules/*.yaml``: strict, every key
known. :func:`compile_rules` turns all files into a :class:`RuleSet` once, or refuses with every problem; nothing is
ever half-applied. A rule set knows which rules can concern a person at all: those that need none of the groups that
the person is in are never looked at, so that ten thousand rules cost about as much as ten.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    model_validator,
)

from bridge.entitlements.expressions import Expression, ExpressionInvalid, compile_expression
from bridge.entitlements.matching import Texts, find_flaw
from bridge.entitlements.templates import Template, compile_template
from bridge.errors import Problem, SettingsError
from bridge.yaml_documents import Loc, Positions, read_model, refusal, salvage, sort_problems

MAX_POLICY_CHARACTERS = 2048
"""What STS takes as ``Policy``."""


# ── The language ─────────────────────────────────────────────────────────────────────────────────────────────


def _check_comparable(text: str) -> str:
    flaw = find_flaw(text)
    if flaw:
        raise refusal(f"no claim can ever equal this text: {flaw}", "Type it again, without what one cannot see.")
    return text


def _wrap(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


def _write_policy(value: Any) -> Any:
    """Return a session policy as JSON text, whichever way it was written."""
    if isinstance(value, dict):
        value = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    if not isinstance(value, str):
        return value
    try:
        policy = json.loads(value, object_pairs_hook=_refuse_duplicates)
    except ValueError as error:
        raise refusal(f"this session policy is not JSON: {error}", "Correct it, or write it as YAML.") from error
    if not isinstance(policy, dict) or not isinstance(policy.get("Statement"), list) or "Version" not in policy:
        raise refusal("this is not a RAM policy", 'Write "Version": "1" and a list "Statement".')
    return value


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError("a member comes twice")
    return dict(pairs)


Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
RAMName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
Word = Annotated[str, Field(min_length=1), AfterValidator(_check_comparable)]
Words = Annotated[tuple[Word, ...], Field(min_length=1)]
OneOrMoreWords = Annotated[Words, BeforeValidator(_wrap, json_schema_input_type=str | list[str])]
OneOrMoreNames = Annotated[
    tuple[Name, ...], Field(min_length=1), BeforeValidator(_wrap, json_schema_input_type=str | list[str])
]
Policy = Annotated[
    str,
    Field(max_length=MAX_POLICY_CHARACTERS),
    BeforeValidator(_write_policy, json_schema_input_type=str | dict[str, Any]),
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Requirement(_Strict):
    """How strongly and how recently the person must have authenticated."""

    amr: Words | None = None
    """Authentication methods, any of which is enough. OIDC sends them; SAML has ``acr`` only."""
    acr: Words | None = None
    """Authentication contexts, any of which is enough. With ``amr`` beside it, one of the two is enough."""
    max_age_seconds: int | None = Field(default=None, ge=60, le=86_400)
    """How long ago the person may have authenticated at the provider."""

    @model_validator(mode="after")
    def _check_not_empty(self) -> Self:
        if self.amr is None and self.acr is None and self.max_age_seconds is None:
            raise refusal("`require` asks for nothing", "Write `amr`, `acr` or `max_age_seconds`, or remove it.")
        return self


class _Grant(_Strict):
    account: Name
    """The account's name in config/accounts/."""
    title: str = Field(default="", max_length=80)
    """What the card says."""
    purpose: str = Field(default="", max_length=200)
    """What the card explains: one sentence."""
    duration_seconds: int = Field(default=3600, ge=900, le=43_200)
    """This rule's limit on a session; the account's and the role's own limits come on top."""


class RoleGrant(_Grant):
    """The right to assume a RAM role."""

    role: RAMName
    session_policy: Policy | None = None
    """A RAM policy, as JSON text or as YAML, that narrows the role for this session."""


class UserGrant(_Grant):
    """The right to sign in to the console as a RAM user."""

    user: str = Field(min_length=1, max_length=500)
    """The RAM user's name; ``${ claims.uid }`` takes it, or a part of it, from a claim."""
    terminal_role: RAMName | None = None
    """The role that a terminal gets, since STS has no credentials for a RAM user."""


class Target(_Strict):
    """What a rule denies: one role, one user, or with neither everything in the account."""

    account: Name
    role: RAMName | None = None
    user: RAMName | None = None

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        if self.role is not None and self.user is not None:
            raise refusal("this names a role and a user", "Write one target for each.")
        return self


def _tell_kind(value: Any) -> str | None:
    names = value if isinstance(value, dict) else vars(value) if isinstance(value, BaseModel) else {}
    kinds = [kind for kind in ("role", "user") if kind in names]
    return kinds[0] if len(kinds) == 1 else None


GrantEntry = Annotated[
    Annotated[RoleGrant, Tag("role")] | Annotated[UserGrant, Tag("user")],
    Discriminator(
        _tell_kind,
        custom_error_type="refused",
        custom_error_message="a grant names a role or a user, and exactly one of them",
        custom_error_context={"fix": "Write `account: …` and `role: …`, or `account: …` and `user: …`."},
    ),
]


class RuleEntry(_Strict):
    """One rule. All its conditions must hold; then it grants, or denies."""

    name: Name
    """How records and explanations name this rule."""
    provider: OneOrMoreNames | None = None
    """Only for identities of this provider, or of one of these."""
    groups: Words | None = None
    """Only for members of at least one of these groups, as the provider's ``groups_claim`` lists them."""
    claims: dict[str, OneOrMoreWords] | None = Field(default=None, min_length=1)
    """Only where each of these claims has the value, or one of the values. Compared exactly."""
    when: str | None = None
    """Only where this CEL expression is true."""
    everyone: Literal[True] | None = None
    """For everybody whom any provider vouches for. In place of conditions, so that nobody writes it by accident."""
    require: Requirement | None = None
    """Only after a sign-in that was strong or recent enough."""
    grant: tuple[GrantEntry, ...] | None = Field(default=None, min_length=1)
    deny: tuple[Target, ...] | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _check_conditions(self) -> Self:
        conditions = (self.provider, self.groups, self.claims, self.when)
        if self.everyone is None and all(condition is None for condition in conditions):
            raise refusal(
                f"the rule `{self.name}` has no condition, so it would match everybody",
                "Add `groups`, `claims`, `when` or `provider`; if everybody is meant, write `everyone: true`.",
            )
        if self.everyone and any(condition is not None for condition in conditions):
            raise refusal(f"the rule `{self.name}` has conditions and `everyone: true`", "Remove one or the other.")
        return self

    @model_validator(mode="after")
    def _check_effect(self) -> Self:
        if (self.grant is None) == (self.deny is None):
            raise refusal(f"the rule `{self.name}` must either grant or deny", "Write `grant:` or `deny:`, not both.")
        if self.deny is not None and self.require is not None:
            raise refusal(
                f"the rule `{self.name}` denies, and `require` would make it deny the strong sign-ins only",
                "Move `require` to the rules that grant.",
            )
        return self


class RuleFile(_Strict):
    """One file in config/rules/."""

    rules: tuple[RuleEntry, ...] = Field(min_length=1)


RULE_FILE: TypeAdapter[RuleFile] = TypeAdapter(RuleFile)
RULE_ENTRY: TypeAdapter[RuleEntry] = TypeAdapter(RuleEntry)


# ── The rule set ─────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class RuleDocument:
    """The rules of one file, each with its number in the file."""

    entries: tuple[tuple[int, RuleEntry], ...]
    positions: Positions


@dataclass(frozen=True)
class Grant:
    """A compiled grant."""

    kind: Literal["role", "user"]
    account: str
    name: Template
    title: str
    purpose: str
    duration_seconds: int
    session_policy: str | None
    terminal_role: str | None


@dataclass(frozen=True)
class Rule:
    """A compiled rule: it has grants or denials, never both."""

    id: str
    """``file:name``."""
    providers: frozenset[str]
    groups: frozenset[str]
    claims: tuple[tuple[str, frozenset[str]], ...]
    when: Expression | None
    require: Requirement | None
    grants: tuple[Grant, ...]
    denials: tuple[Target, ...]

    @property
    def effect(self) -> Literal["grant", "deny"]:
        """Return what the rule does when it applies."""
        return "deny" if self.denials else "grant"


@dataclass(frozen=True)
class RuleSet:
    """All rules, compiled, in the order of file names and of rules within a file."""

    version: str
    """SHA-256 (hex) of everything that can change a decision: equal versions decide alike."""
    rules: tuple[Rule, ...]
    groups_claims: Mapping[str, str]
    """For each configured provider, the claim that ``groups:`` reads."""
    _by_group: Mapping[str, tuple[int, ...]] = field(repr=False, compare=False)
    _always: tuple[int, ...] = field(repr=False, compare=False)
    _denying_by_group: tuple[int, ...] = field(repr=False, compare=False)

    def find_candidates(self, groups: Texts) -> Iterator[Rule]:
        """Yield the rules that could concern a member of these groups, in order.

        With unreadable groups these include every rule that denies: the person might be in any group.
        """
        numbers = set(self._always)
        for group in groups.values:
            numbers.update(self._by_group.get(group, ()))
        if not groups.readable:
            numbers.update(self._denying_by_group)
        for number in sorted(numbers):
            yield self.rules[number]


def read_rules(path: Path) -> tuple[RuleDocument, tuple[Problem, ...]]:
    """Return the rules of one file, and its problems; rules with problems are left out as far as they must be."""
    reading = read_model(path, RULE_FILE)
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


def compile_rules(documents: Iterable[RuleDocument], groups_claims: Mapping[str, str]) -> RuleSet:
    """Return the rule set of all files; ``groups_claims`` has an entry for each configured provider.

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
    by_group: dict[str, list[int]] = {}
    for number, rule in enumerate(rules):
        for group in rule.groups:
            by_group.setdefault(group, []).append(number)
    return RuleSet(
        version=_digest(ordered, groups_claims),
        rules=tuple(rules),
        groups_claims=dict(groups_claims),
        _by_group={group: tuple(numbers) for group, numbers in by_group.items()},
        _always=tuple(number for number, rule in enumerate(rules) if not rule.groups),
        _denying_by_group=tuple(number for number, rule in enumerate(rules) if rule.groups and rule.denials),
    )


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


def _compile_rule(entry: RuleEntry, positions: Positions, loc: Loc, problems: list[Problem]) -> Rule:
    when = None
    if entry.when is not None:
        try:
            when = compile_expression(entry.when)
        except ExpressionInvalid as error:
            problems.append(_place(error, positions, (*loc, "when"), "`when`"))
    grants: list[Grant] = []
    for number, grant in enumerate(entry.grant or ()):
        try:
            grants.append(_compile_grant(grant))
        except ExpressionInvalid as error:
            problems.append(_place(error, positions, (*loc, "grant", number, "user"), "`user`"))
    return Rule(
        id=f"{positions.file.name}:{entry.name}",
        providers=frozenset(entry.provider or ()),
        groups=frozenset(entry.groups or ()),
        claims=tuple((name, frozenset(values)) for name, values in (entry.claims or {}).items()),
        when=when,
        require=entry.require,
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


def _digest(documents: Sequence[RuleDocument], groups_claims: Mapping[str, str]) -> str:
    files = [
        (document.positions.file.name, [entry.model_dump(mode="json") for _, entry in document.entries])
        for document in documents
    ]
    canonical = json.dumps({"files": files, "groups_claims": dict(groups_claims)}, sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()
