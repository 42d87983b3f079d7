"""RAM's policy language: how documents are read, when a statement applies, and what several policies decide together.

Patterns come from documents only: what a token or a parameter says is data, never a pattern (threat STS-10).

Reference: RAM, "Policy structure and syntax", "Conditional operators", "How RAM evaluates policies", "Trust policies".
"""

from bridge.sandbox.cloud.policy.conditions import Context
from bridge.sandbox.cloud.policy.documents import (
    MAX_POLICY_BYTES,
    PermissionPolicy,
    TrustPolicy,
    parse_permission_policy,
    parse_session_policy,
    parse_trust_policy,
)
from bridge.sandbox.cloud.policy.evaluation import Decision, Grant, Question, decide

__all__ = [
    "MAX_POLICY_BYTES",
    "Context",
    "Decision",
    "Grant",
    "PermissionPolicy",
    "Question",
    "TrustPolicy",
    "decide",
    "parse_permission_policy",
    "parse_session_policy",
    "parse_trust_policy",
]
