"""Mapping rules: their language, and their compilation into one immutable rule set.

The pydantic classes in ``language.py`` are what an administrator writes in ``config/rules/*.yaml``: strict, every key
known. :func:`compile_rules` turns all files into a :class:`RuleSet` once, or refuses with every problem; nothing is
ever half-applied.
"""

from bridge.entitlements.rules.accounts import AccountLabels, find_accounts
from bridge.entitlements.rules.compilation import RuleDocument, compile_people, compile_rules, read_rules
from bridge.entitlements.rules.constants import find_unused_constants
from bridge.entitlements.rules.in_force import RulesInForce
from bridge.entitlements.rules.language import (
    RULE_FILE,
    SESSION_POLICY,
    AdministratorEntry,
    AuditorEntry,
    Requirement,
    RoleGrant,
    RuleEntry,
    RuleFile,
    TargetEntry,
    UserGrant,
)
from bridge.entitlements.rules.rule_files import RuleFiles
from bridge.entitlements.rules.rule_set import Conditions, Grant, Rule, RuleSet, Target, build_rule_set
from bridge.entitlements.rules.session_policies import find_unused_policies

__all__ = [
    "RULE_FILE",
    "SESSION_POLICY",
    "AccountLabels",
    "AdministratorEntry",
    "AuditorEntry",
    "Conditions",
    "Grant",
    "Requirement",
    "RoleGrant",
    "Rule",
    "RuleDocument",
    "RuleEntry",
    "RuleFile",
    "RuleFiles",
    "RuleSet",
    "RulesInForce",
    "Target",
    "TargetEntry",
    "UserGrant",
    "build_rule_set",
    "compile_people",
    "compile_rules",
    "find_accounts",
    "find_unused_constants",
    "find_unused_policies",
    "read_rules",
]
