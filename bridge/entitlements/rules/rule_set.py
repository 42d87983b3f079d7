"""Compiled rules, and which of them could concern a person at all.

Rules that need none of the groups that the person is in are never looked at, so that ten thousand rules cost about as
much as ten.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from bridge.entitlements.expressions import Expression
from bridge.entitlements.matching import Texts
from bridge.entitlements.rules.language import Requirement, Target
from bridge.entitlements.templates import Template


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
class Conditions:
    """Compiled conditions, which must all hold."""

    providers: frozenset[str]
    groups: frozenset[str]
    claims: tuple[tuple[str, frozenset[str]], ...]
    when: Expression | None
    require: Requirement | None


@dataclass(frozen=True)
class Rule(Conditions):
    """A compiled rule: it has grants or denials, never both."""

    id: str
    """``file:name``."""
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
