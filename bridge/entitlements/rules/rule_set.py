"""Compiled rules, and which of them could concern a person at all."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Literal

from bridge.addresses import Network
from bridge.entitlements.entitlement import Kind, Sensitivity, identify
from bridge.entitlements.expressions import Expression
from bridge.entitlements.limits import Hours
from bridge.entitlements.matching import ClaimSchema, Texts
from bridge.entitlements.policy_templates import PolicyTemplate
from bridge.entitlements.rules.index import Index, build_index
from bridge.entitlements.rules.language import Requirement
from bridge.entitlements.templates import Template, TextTemplate
from bridge.identity.verified import VerifiedIdentity

_AUTHENTICATED_AT = "identity.authenticated_at"


@dataclass(frozen=True)
class Grant:
    """A compiled grant: one role or user in one account."""

    kind: Kind
    account: str
    name: Template
    title: TextTemplate
    purpose: TextTemplate
    duration_seconds: int
    session_policy: PolicyTemplate | None
    terminal_role: Template | None
    owner: str = ""
    sensitivity: Sensitivity | None = None
    allowed_roles: frozenset[str] | None = None
    """The only roles that the account's settings let rules grant; None: any."""
    entry: int = field(default=0, compare=False)
    """The number of the rule's ``grant`` entry that it comes from."""

    @cached_property
    def id(self) -> str | None:
        """Return the id of what it gives; None where the name depends on the person."""
        return identify(self.kind, self.account, self.name.text) if self.name.is_literal else None

    def iterate_expressions(self) -> Iterator[Expression]:
        """Yield each expression in its texts."""
        for template in (self.name, self.title, self.purpose, self.terminal_role):
            if template:
                yield from (part for part in template.parts if not isinstance(part, str))
        if self.session_policy:
            yield from self.session_policy.iterate_expressions()


@dataclass(frozen=True)
class Target:
    """What a rule denies in one account: one role, one user, or with neither everything."""

    account: str
    role: str | None = None
    user: str | None = None
    entry: int = field(default=0, compare=False)
    """The number of the rule's ``deny`` entry that it comes from."""


@dataclass(frozen=True)
class Conditions:
    """Compiled conditions, which must all hold."""

    providers: frozenset[str]
    groups: frozenset[str]
    claims: tuple[tuple[str, frozenset[str]], ...]
    when: Expression | None
    require: Requirement | None
    not_groups: frozenset[str] = field(default=frozenset(), kw_only=True)
    ignore_case: bool = field(default=False, kw_only=True)
    """The values of groups and claims stand here in lower case, and those of the person are compared so."""
    networks: tuple[Network, ...] = field(default=(), kw_only=True)
    hours: Hours | None = field(default=None, kw_only=True)
    expires: date | None = field(default=None, kw_only=True)
    """The last day (UTC)."""
    claims_like: tuple[tuple[str, tuple[str, ...]], ...] = field(default=(), kw_only=True)
    """For some claims, what they must begin with and go on after: the patterns without their ``*``."""


@dataclass(frozen=True)
class Rule(Conditions):
    """A compiled rule: it has grants or denials, never both."""

    id: str
    """``file:name``."""
    line: int
    """Where it stands in its file; counts from 1."""
    grants: tuple[Grant, ...]
    denials: tuple[Target, ...]
    owner: str = field(default="", kw_only=True)
    """Who answers for the rule."""
    reason: str = field(default="", kw_only=True)
    """Why it is there."""

    @property
    def effect(self) -> Literal["grant", "deny"]:
        """Return what the rule does when it applies."""
        return "deny" if self.denials else "grant"

    def iterate_expressions(self) -> Iterator[Expression]:
        """Yield each expression that it evaluates."""
        if self.when:
            yield self.when
        for grant in self.grants:
            yield from grant.iterate_expressions()


@dataclass(frozen=True)
class RuleSet:
    """All rules, compiled, in the order of file names and of rules within a file."""

    version: str
    """SHA-256 (hex) of the files. Beside them, only the settings of providers and accounts can change a decision."""
    rules: tuple[Rule, ...]
    groups_claims: Mapping[str, str]
    """For each configured provider, the claim that ``groups:`` reads."""
    schemas: Mapping[str, ClaimSchema]
    """For providers of which more is known: what their claims are."""
    _index: Index = field(repr=False, compare=False)
    _sources: tuple[object, ...] = field(repr=False, compare=False)
    """What the rules were compiled from: kept, so that the next version need not read what stays the same."""

    @cached_property
    def claims_read(self) -> frozenset[str] | None:
        """Return the name of each claim that some rule, or a name in it, reads; None if one could read any claim."""
        if self.claims_in_expressions is None:
            return None
        names = {name for rule in self.rules for name, _ in (*rule.claims, *rule.claims_like)}
        return self.claims_in_expressions | names | set(self.groups_claims.values())

    @cached_property
    def claims_in_expressions(self) -> frozenset[str] | None:
        """Return the name of each claim that some expression reads; None if one could read any claim."""
        paths = {path for rule in self.rules for each in rule.iterate_expressions() for path in each.paths}
        if ("claims",) in paths:
            return None
        return frozenset(path[1] for path in paths if path[0] == "claims")

    @cached_property
    def reads_authentication_time(self) -> bool:
        """Return whether some rule reads when the person authenticated."""
        return any(
            (rule.require is not None and rule.require.max_age_seconds is not None)
            or any(
                path[0] in {"identity", _AUTHENTICATED_AT} for each in rule.iterate_expressions() for path in each.paths
            )
            for rule in self.rules
        )

    def find_candidates(
        self, identity: VerifiedIdentity, groups: Texts, read: Callable[[str], Texts]
    ) -> Iterator[Rule]:
        """Yield the rules that could concern an identity, in order; of the others it is known that none applies.

        ``groups`` are those of the identity, and ``read`` returns what can be read of one of its claims.
        """
        for number in self._index.find(identity, groups, read):
            yield self.rules[number]


def build_rule_set(
    version: str,
    rules: Sequence[Rule],
    groups_claims: Mapping[str, str],
    schemas: Mapping[str, ClaimSchema],
    *,
    sources: tuple[object, ...] = (),
) -> RuleSet:
    """Return the rules as one set, indexed by what each requires."""
    return RuleSet(version, tuple(rules), dict(groups_claims), dict(schemas), build_index(rules), sources)
