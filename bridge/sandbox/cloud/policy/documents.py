"""Policy documents as RAM takes them: read strictly, no member twice, nothing unknown, and known operators only."""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from bridge.sandbox.cloud.policy.conditions import OPERATORS, Context, is_met
from bridge.sandbox.cloud.policy.patterns import matches_any
from bridge.sts_wire.reply import STSFault, build_fault

MAX_POLICY_BYTES = 2048
"""Of a session policy and of a trust policy."""
MAX_CUSTOM_POLICY_CHARACTERS = 6144

Effect = Literal["Allow", "Deny"]
PrincipalKind = Literal["RAM", "Service", "Federated"]

_PRINCIPALS: dict[PrincipalKind, re.Pattern[str]] = {
    "RAM": re.compile(r"acs:ram::[0-9]{5,20}:(root|\*|(user|role)/[A-Za-z0-9._-]{1,64})"),
    "Service": re.compile(r"([0-9]{5,20}@)?[a-z0-9.-]+\.aliyuncs\.com"),
    "Federated": re.compile(r"acs:ram::[0-9]{5,20}:(saml|oidc)-provider/[A-Za-z0-9._-]{1,128}"),
}


def _to_tuple(value: object) -> object:
    """One value stands for a list of one; booleans and numbers are written as text in conditions."""
    values = value if isinstance(value, list | tuple) else (value,)
    return tuple(
        str(each).lower() if isinstance(each, bool) else str(each) if isinstance(each, int) else each for each in values
    )


def _check_operators(condition: dict[str, dict[str, tuple[str, ...]]]) -> dict[str, dict[str, tuple[str, ...]]]:
    """Every operator is one that RAM has, and every key has at least one value."""
    unknown = condition.keys() - OPERATORS.keys()
    if unknown:
        raise ValueError(f"unknown operator {min(unknown)}")
    if not all(values for keys in condition.values() for values in keys.values()):
        raise ValueError("a condition key has no value")
    return condition


Texts = Annotated[tuple[Annotated[str, Field(strict=True, min_length=1)], ...], BeforeValidator(_to_tuple)]
Condition = Annotated[dict[str, dict[str, Texts]], AfterValidator(_check_operators)]


_MEMBERS: dict[str, str] = {
    "ram": "RAM", "service": "Service", "federated": "Federated", "effect": "Effect", "principal": "Principal",
    "action": "Action", "not_action": "NotAction", "resource": "Resource", "not_resource": "NotResource",
    "condition": "Condition", "version": "Version", "statement": "Statement",
}  # fmt: skip


class _Element(BaseModel):
    """A part of a document; its member names are RAM's, exactly."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=_MEMBERS.__getitem__)


class Principal(_Element):
    """Who a trust statement is about."""

    ram: Texts = ()
    service: Texts = ()
    federated: Texts = ()

    @model_validator(mode="after")
    def _check_names(self) -> "Principal":
        """Each name has the form of its kind: no wildcard, and no name of another kind."""
        for kind, pattern in _PRINCIPALS.items():
            for name in self.list_names(kind):
                if not pattern.fullmatch(name):
                    raise ValueError(f"{name[:128]} is not a principal of the kind {kind}")
        if not (self.ram or self.service or self.federated):
            raise ValueError("a principal names nobody")
        return self

    def list_names(self, kind: PrincipalKind) -> tuple[str, ...]:
        """Return the names of one kind."""
        return {"RAM": self.ram, "Service": self.service, "Federated": self.federated}[kind]


class TrustStatement(_Element):
    """One statement about who may assume a role."""

    effect: Effect
    principal: Principal
    action: Texts = Field(min_length=1)
    condition: Condition = {}


class PermissionStatement(_Element):
    """One statement about what an identity may do."""

    effect: Effect
    action: Texts = ()
    not_action: Texts = ()
    resource: Texts = ()
    not_resource: Texts = ()
    condition: Condition = {}

    @model_validator(mode="after")
    def _check_pairs(self) -> "PermissionStatement":
        """Exactly one of each pair is there."""
        if bool(self.action) == bool(self.not_action) or bool(self.resource) == bool(self.not_resource):
            raise ValueError("a statement has one of Action and NotAction, and one of Resource and NotResource")
        return self

    def covers(self, action: str, resource: str, context: Context) -> bool:
        """Whether the statement is about this action on this resource now; actions are compared without case."""
        about_action = matches_any(self.action, action, fold_case=True) or (
            bool(self.not_action) and not matches_any(self.not_action, action, fold_case=True)
        )
        about_resource = matches_any(self.resource, resource) or (
            bool(self.not_resource) and not matches_any(self.not_resource, resource)
        )
        return about_action and about_resource and is_met(self.condition, context)


class TrustPolicy(_Element):
    """Who may assume a role."""

    version: Literal["1"]
    statement: tuple[TrustStatement, ...] = Field(min_length=1)

    def allows(self, kind: PrincipalKind, names: frozenset[str], context: Context) -> bool:
        """Whether a caller with these names (its ARN, and what stands for it) may assume the role now."""
        effects = {
            statement.effect
            for statement in self.statement
            if names & set(statement.principal.list_names(kind))
            and matches_any(statement.action, "sts:AssumeRole", fold_case=True)
            and is_met(statement.condition, context)
        }
        return effects == {"Allow"}


class PermissionPolicy(_Element):
    """What an identity, or one session of it, may do."""

    version: Literal["1"]
    statement: tuple[PermissionStatement, ...] = Field(min_length=1)

    def find_deciding(self, effect: Effect, action: str, resource: str, context: Context) -> int | None:
        """Return the index of the first statement with this effect that covers the action on the resource now."""
        return next(
            (
                index
                for index, statement in enumerate(self.statement)
                if statement.effect == effect and statement.covers(action, resource, context)
            ),
            None,
        )


def parse_session_policy(text: str) -> PermissionPolicy:
    """Read a session policy as STS takes it: at most 2,048 bytes, strict JSON, no principal, known operators.

    Raises ``InvalidParameter.PolicySize`` or ``InvalidParameter.PolicyGrammar``.
    """
    if len(text.encode()) > MAX_POLICY_BYTES:
        raise build_fault("InvalidParameter.PolicySize")
    try:
        return PermissionPolicy.model_validate(read_document(text))
    except ValueError as error:
        message = f"The parameter Policy has not passed grammar check: {_explain(error)}."
        raise build_fault("InvalidParameter.PolicyGrammar", message) from error


def parse_permission_policy(text: str) -> PermissionPolicy:
    """Read a custom policy as RAM takes it: at most 6,144 characters.

    Raises ``InvalidParameter.PolicyDocument.Length`` or ``MalformedPolicyDocument``.
    """
    if len(text) > MAX_CUSTOM_POLICY_CHARACTERS:
        message = 'The parameter - "PolicyDocument" beyond the length limit.'
        raise STSFault("InvalidParameter.PolicyDocument.Length", 400, message)
    try:
        return PermissionPolicy.model_validate(read_document(text))
    except ValueError as error:
        raise _build_malformed_document(error) from error


def parse_trust_policy(text: str) -> TrustPolicy:
    """Read a trust policy as RAM takes it: at most 2,048 characters.

    Raises ``InvalidParameter.AssumeRolePolicyDocument.Length`` or ``MalformedPolicyDocument``.
    """
    if len(text) > MAX_POLICY_BYTES:
        message = 'The parameter - "AssumeRolePolicyDocument" beyond the length limit.'
        raise STSFault("InvalidParameter.AssumeRolePolicyDocument.Length", 400, message)
    try:
        return TrustPolicy.model_validate(read_document(text))
    except ValueError as error:
        raise _build_malformed_document(error) from error


def write_document(policy: _Element) -> str:
    """Return the policy as JSON, in RAM's member names and without what it does not say."""
    document = policy.model_dump(by_alias=True, mode="json", exclude_defaults=True)
    return json.dumps(document, ensure_ascii=False)


def write_statement(statement: PermissionStatement) -> str:
    """Return one statement as JSON."""
    return json.dumps(statement.model_dump(by_alias=True, mode="json", exclude_defaults=True), ensure_ascii=False)


def read_document(text: str) -> Mapping[str, Any]:
    """Read strict JSON: no member twice, no ``NaN``; raises ``ValueError``."""
    try:
        document: Mapping[str, Any] = json.loads(text, object_pairs_hook=_read_object, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return document


def _build_malformed_document(error: ValueError) -> STSFault:
    return STSFault("MalformedPolicyDocument", 400, f"The policy document has a bad format: {_explain(error)}.")


def _explain(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return "not strict JSON"
    fault = error.errors()[0]
    return f"{'.'.join(str(step) for step in fault['loc']) or 'document'}: {fault['msg']}"


def _read_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a member comes twice")
    return dict(pairs)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
