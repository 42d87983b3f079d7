"""Policy documents as RAM gives them out, read so far as to judge them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bridge.ram_policies.patterns import compile_patterns

_KNOWN = frozenset({"Effect", "Action", "NotAction", "Resource", "NotResource", "Condition", "Sid"})


class PolicyUnreadable(ValueError):
    """A policy that this version does not understand as a whole; what it allows is unknown then."""


@dataclass(frozen=True)
class Statement:
    """One statement. ``actions`` and ``resources`` are patterns."""

    allows: bool
    actions: tuple[str, ...]
    all_but_actions: bool
    """Whether it is about every action but these (``NotAction``)."""
    resources: tuple[str, ...]
    all_but_resources: bool
    condition_keys: tuple[str, ...] = ()
    """The keys of its conditions, such as ``acs:SourceIp``. What they will be is unknown until the call is made."""

    @cached_property
    def action_pattern(self) -> re.Pattern[str]:
        """Return what matches its actions, without case."""
        return compile_patterns(self.actions, fold_case=True)

    @cached_property
    def resource_pattern(self) -> re.Pattern[str]:
        """Return what matches its resources."""
        return compile_patterns(self.resources)


@dataclass(frozen=True)
class Policy:
    """One document."""

    statements: tuple[Statement, ...]


def read_policy(document: Mapping[str, Any]) -> Policy:
    """Return a document's statements.

    Raises:
        PolicyUnreadable: it says something that RAM's grammar does not know.
    """
    if document.get("Version") != "1" or document.keys() - {"Version", "Statement"}:
        raise PolicyUnreadable("not a policy of version 1")
    statements = document.get("Statement")
    found = [statements] if isinstance(statements, dict) else statements
    if not isinstance(found, list) or not found:
        raise PolicyUnreadable("no list of statements")
    return Policy(tuple(_read_statement(each) for each in found))


def _read_statement(statement: object) -> Statement:
    if not isinstance(statement, dict) or statement.keys() - _KNOWN:
        raise PolicyUnreadable("a statement with a member that RAM does not have")
    effect = statement.get("Effect")
    if effect not in {"Allow", "Deny"}:
        raise PolicyUnreadable("a statement whose effect is neither Allow nor Deny")
    actions, all_but_actions = _read_pair(statement, "Action", "NotAction")
    resources, all_but_resources = _read_pair(statement, "Resource", "NotResource")
    keys = _read_condition_keys(statement.get("Condition", {}))
    return Statement(effect == "Allow", actions, all_but_actions, resources, all_but_resources, keys)


def _read_pair(statement: Mapping[str, Any], name: str, other: str) -> tuple[tuple[str, ...], bool]:
    if (name in statement) == (other in statement):
        raise PolicyUnreadable(f"a statement with both or none of {name} and {other}")
    value = statement[name] if name in statement else statement[other]
    values: Sequence[object] = value if isinstance(value, list) else [value]
    texts = tuple(each for each in values if isinstance(each, str) and each)
    if not texts or len(texts) != len(values):
        raise PolicyUnreadable(f"{name} is not a list of texts")
    return texts, other in statement


def _read_condition_keys(condition: object) -> tuple[str, ...]:
    """Operators are not looked at: whatever they compare, what with is not known here."""
    if not isinstance(condition, dict) or not all(isinstance(each, dict) for each in condition.values()):
        raise PolicyUnreadable("a condition that is no object of operators")
    return tuple(dict.fromkeys(key for keys in condition.values() for key in keys))
