"""Compiled rules, and which of them could concern a person at all.

Rules that need none of the groups that the person is in are never looked at, so that ten thousand rules cost about as
much as ten.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Literal

from bridge.entitlements.expressions import Expression
from bridge.entitlements.limits import Hours, Network
from bridge.entitlements.matching import Texts
from bridge.entitlements.rules.language import Requirement
from bridge.entitlements.templates import Template, TextTemplate


@dataclass(frozen=True)
class Grant:
    """A compiled grant: one role or user in one account."""

    kind: Literal["role", "user"]
    account: str
    name: Template
    title: TextTemplate
    purpose: TextTemplate
    duration_seconds: int
    session_policy: str | None
    terminal_role: Template | None
    allowed_roles: frozenset[str] | None = None
    """The only roles that the account's settings let rules grant; None: any."""

    def iterate_expressions(self) -> Iterator[Expression]:
        """Yield each expression in its texts."""
        for template in (self.name, self.title, self.purpose, self.terminal_role):
            if template:
                yield from (part for part in template.parts if not isinstance(part, str))


@dataclass(frozen=True)
class Target:
    """What a rule denies in one account: one role, one user, or with neither everything."""

    account: str
    role: str | None = None
    user: str | None = None


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
    _by_group: Mapping[str, tuple[int, ...]] = field(repr=False, compare=False)
    _always: tuple[int, ...] = field(repr=False, compare=False)
    _denying_by_group: tuple[int, ...] = field(repr=False, compare=False)

    @cached_property
    def claims_read(self) -> frozenset[str] | None:
        """Return the name of each claim that some rule, or a name in it, reads; None if one could read any claim."""
        names = set(self.groups_claims.values())
        for rule in self.rules:
            names.update(name for name, _ in rule.claims)
            for expression in rule.iterate_expressions():
                for path in expression.paths:
                    if path == ("claims",):
                        return None
                    if path[0] == "claims":
                        names.add(path[1])
        return frozenset(names)

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
