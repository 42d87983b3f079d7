"""``CheckAccess``, an action of the sandbox alone: may whoever signs it do something, and which statement decides?

It is asked about the caller itself, so the credentials of a session are all that it takes. Nothing is done.
"""

import json

from bridge.sandbox.cloud.access import decide_for, list_grants, refuse
from bridge.sandbox.cloud.callers import Caller, UserCaller
from bridge.sandbox.cloud.management.parameters import Parameters, read_required
from bridge.sandbox.cloud.policy import Context, Decision, Question
from bridge.sandbox.cloud.policy.documents import PermissionPolicy, read_document, write_statement
from bridge.sandbox.cloud.state import CloudState
from bridge.sts_wire.reply import Fields, Value, build_malformed

VERSION = "sandbox"
ACTION = "CheckAccess"
PARAMETERS = frozenset({"RequestedAction", "Resource", "ResourceGroupId", "ConditionKeys", "Enforce"})


def check_access(state: CloudState, caller: Caller, parameters: Parameters, context: Context) -> Fields:
    """Answer whether ``RequestedAction`` (such as ``oss:GetObject``) on ``Resource`` is allowed, and by what.

    ``ResourceGroupId`` is the group that the resource is in. ``ConditionKeys`` is a JSON object of what the request
    would bring with it, such as ``{"acs:SourceIp": "10.0.0.1"}``; the rest is as in this call.
    """
    question = Question(
        read_required(parameters, "RequestedAction"),
        read_required(parameters, "Resource"),
        {**context, **_read_condition_keys(parameters)},
        parameters.get("ResourceGroupId"),
    )
    decision = decide_for(state, caller, question)
    if parameters.get("Enforce") == "true" and not decision.allowed:
        raise refuse(caller, question.action, decision.outcome, decision.layer, question.resource)
    answer: dict[str, Value] = {
        "Principal": caller.principal_arn,
        "Allowed": decision.allowed,
        "Decision": decision.outcome,
        "PolicyType": decision.layer,
    }
    if decision.policy is not None and decision.statement is not None:
        policy = _find_policy(state, caller, decision)
        answer |= {
            "PolicyName": decision.policy,
            "StatementIndex": decision.statement,
            "Statement": write_statement(policy.statement[decision.statement]),
        }
    return answer


def _find_policy(state: CloudState, caller: Caller, decision: Decision) -> PermissionPolicy:
    """Return the document that the decision rests on."""
    if decision.layer == "SessionPolicy" and not isinstance(caller, UserCaller) and caller.policy is not None:
        return caller.policy
    return next(grant.policy for grant in list_grants(state, caller) if grant.name == decision.policy)


def _read_condition_keys(parameters: Parameters) -> Context:
    try:
        given = read_document(parameters.get("ConditionKeys", "{}"))
        values = {key: value if isinstance(value, list) else [value] for key, value in given.items()}
    except (ValueError, AttributeError) as error:
        raise build_malformed("ConditionKeys") from error
    if not all(isinstance(each, str) for value in values.values() for each in value):
        raise build_malformed(
            "ConditionKeys", f"Each value must be a text or a list of texts: {json.dumps(values)[:200]}"
        )
    return {key: tuple(value) for key, value in values.items()}
