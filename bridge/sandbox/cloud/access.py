"""What somebody may do in the cloud: the policies that count for a caller, and the question put to them."""

from datetime import datetime

from bridge.clock import format_utc
from bridge.sandbox.cloud.callers import Caller, UserCaller
from bridge.sandbox.cloud.entities import Account, Attached
from bridge.sandbox.cloud.policy import Context, Decision, Grant, Question, decide
from bridge.sandbox.cloud.state import CloudState
from bridge.sandbox.cloud.system_policies import SYSTEM_POLICIES
from bridge.sts_wire.reply import FAULTS, STSFault


def list_grants(state: CloudState, caller: Caller) -> list[Grant]:
    """Return every policy that counts for the caller now: its own, and those of its groups."""
    arn = caller.arn
    account = state.find_account(arn.account)
    if account is None:
        return []
    if isinstance(caller, UserCaller):
        user = state.find_user(arn)
        own = user.policies if user else ()
        from_groups = [attached for group in account.groups if group.has(arn.name) for attached in group.policies]
        return _build_grants(account, (*own, *from_groups))
    role = state.find_role(arn)
    # A role that was deleted and made again under its name is another one, and its sessions have ended.
    return _build_grants(account, role.policies if role and role.id == caller.role_id else ())


def decide_for(state: CloudState, caller: Caller, question: Question) -> Decision:
    """Return whether the caller may do what is asked, session policy included."""
    session_policy = None if isinstance(caller, UserCaller) else caller.policy
    return decide(question, list_grants(state, caller), session_policy)


def check_access(state: CloudState, caller: Caller, question: Question) -> None:
    """The caller may do what is asked; raises ``NoPermission``, whose detail names the layer that did not allow it."""
    decision = decide_for(state, caller, question)
    if not decision.allowed:
        raise refuse(caller, question.action, decision.outcome, decision.layer, question.resource)


def refuse(caller: Caller, action: str, outcome: str, layer: str, resource: str | None = None) -> STSFault:
    """Return ``NoPermission`` with the vendor's detail; ``outcome`` and ``layer`` are its words too."""
    name = caller.arn.name
    detail = {
        "AuthAction": action,
        **({"AuthResource": resource} if resource else {}),
        "AuthPrincipalType": "SubUser" if isinstance(caller, UserCaller) else "AssumedRoleUser",
        "AuthPrincipalDisplayName": name if isinstance(caller, UserCaller) else f"{name}:{caller.name}",
        "AuthPrincipalOwnerId": caller.arn.account,
        "NoPermissionType": outcome,
        "PolicyType": layer,
    }
    status, message = FAULTS["NoPermission"]
    return STSFault("NoPermission", status, message, detail)


def build_context(caller: Caller | None, source_ip: str, now: datetime, *, secure: bool) -> Context:
    """Return the condition keys that every request has; those about the caller only where there is one."""
    context = {
        "acs:SourceIp": (source_ip,),
        "acs:CurrentTime": (format_utc(now),),
        "acs:SecureTransport": ("true" if secure else "false",),
    }
    if caller is not None:
        context |= {"acs:PrincipalARN": (caller.principal_arn,), "acs:MFAPresent": ("false",)}
        if caller.source_identity is not None:
            context["acs:SourceIdentity"] = (caller.source_identity,)
    return context


def _build_grants(account: Account, attached: Attached) -> list[Grant]:
    documents = {policy.name: policy.document for policy in account.policies}
    documents |= {name: document for name, (_, document) in SYSTEM_POLICIES.items()}
    return [Grant(each.policy, documents[each.policy], each.resource_group) for each in attached]
