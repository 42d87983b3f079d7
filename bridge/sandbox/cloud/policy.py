"""RAM's policy language, as far as it decides who may assume a role: trust policies and permission policies.

A document is read strictly (no member twice, nothing unknown), an explicit Deny wins, and silence is a refusal. A
condition whose key the request does not have is not met. Patterns come from documents only: what a token or a
parameter says is data, never a pattern (threat STS-10).

Reference: RAM, "Policy structure and syntax", "Trust policies".
"""

import json
import operator
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from ipaddress import ip_address, ip_network
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from bridge.sts_wire.reply import build_fault

MAX_POLICY_BYTES = 2048

Context: TypeAlias = Mapping[str, tuple[str, ...]]
"""What is known about a request, by condition key; several values where the key has several."""


def _to_tuple(value: object) -> object:
    """One value stands for a list of one; booleans and numbers are written as text in conditions."""
    values = value if isinstance(value, list | tuple) else (value,)
    return tuple(
        str(each).lower() if isinstance(each, bool) else str(each) if isinstance(each, int) else each for each in values
    )


def _check_operators(condition: dict[str, dict[str, tuple[str, ...]]]) -> dict[str, dict[str, tuple[str, ...]]]:
    """Every operator is one that RAM has; ``Null`` and ``…IfExists`` are AWS's."""
    unknown = condition.keys() - _OPERATORS.keys()
    if unknown:
        raise ValueError(f"unknown operator {min(unknown)}")
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


class TrustStatement(_Element):
    """One statement about who may assume a role."""

    effect: Literal["Allow", "Deny"]
    principal: Principal
    action: Texts
    condition: Condition = {}


class PermissionStatement(_Element):
    """One statement about what an identity may do."""

    effect: Literal["Allow", "Deny"]
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
        """Whether the statement is about this action on this resource now."""
        about_action = _matches_any(self.action, action, fold_case=True) or (
            bool(self.not_action) and not _matches_any(self.not_action, action, fold_case=True)
        )
        about_resource = _matches_any(self.resource, resource) or (
            bool(self.not_resource) and not _matches_any(self.not_resource, resource)
        )
        return about_action and about_resource and _is_met(self.condition, context)


class TrustPolicy(_Element):
    """Who may assume a role."""

    version: Literal["1"]
    statement: tuple[TrustStatement, ...] = Field(min_length=1)

    def allows(self, kind: Literal["RAM", "Federated"], names: frozenset[str], context: Context) -> bool:
        """Whether a caller with these names (its ARN, and what stands for it) may assume the role now."""
        effects = {
            statement.effect
            for statement in self.statement
            if names & set(statement.principal.ram if kind == "RAM" else statement.principal.federated)
            and _matches_any(statement.action, "sts:AssumeRole", fold_case=True)
            and _is_met(statement.condition, context)
        }
        return effects == {"Allow"}


class PermissionPolicy(_Element):
    """What an identity, or one session of it, may do."""

    version: Literal["1"]
    statement: tuple[PermissionStatement, ...] = Field(min_length=1)

    def allows(self, action: str, resource: str, context: Context) -> bool:
        """Whether the action on the resource is allowed now."""
        covering = [statement for statement in self.statement if statement.covers(action, resource, context)]
        return {statement.effect for statement in covering} == {"Allow"}


def parse_session_policy(text: str) -> PermissionPolicy:
    """Read a session policy as STS takes it: at most 2,048 bytes, strict JSON, no principal, known operators.

    Raises ``InvalidParameter.PolicySize`` or ``InvalidParameter.PolicyGrammar``.
    """
    if len(text.encode()) > MAX_POLICY_BYTES:
        raise build_fault("InvalidParameter.PolicySize")
    try:
        document = json.loads(text, object_pairs_hook=_read_object, parse_constant=_refuse_constant)
        return PermissionPolicy.model_validate(document)
    except (ValueError, RecursionError) as error:
        cause = error.errors()[0]["msg"] if isinstance(error, ValidationError) else "not strict JSON"
        message = f"The parameter Policy has not passed grammar check: {cause}."
        raise build_fault("InvalidParameter.PolicyGrammar", message) from error


def _read_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a member comes twice")
    return dict(pairs)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _matches(pattern: str, text: str, *, fold_case: bool = False) -> bool:
    """Whether the text fits the pattern, in which ``*`` stands for anything and ``?`` for one character.

    Each part between two stars is taken where it first fits and then kept: another place further on could not help,
    and trying them all would let a pattern of many stars run for ever.
    """
    start, *others = (re.escape(part).replace(r"\?", ".") for part in pattern.split("*"))
    middle = "".join(f"(?>.*?{part})" for part in others[:-1])
    expression = f"{start}{middle}.*{others[-1]}" if others else start
    return re.fullmatch(expression, text, re.DOTALL | (re.IGNORECASE if fold_case else 0)) is not None


def _matches_any(patterns: tuple[str, ...], text: str, *, fold_case: bool = False) -> bool:
    return any(_matches(pattern, text, fold_case=fold_case) for pattern in patterns)


def _is_met(condition: Mapping[str, Mapping[str, tuple[str, ...]]], context: Context) -> bool:
    """Whether every key under every operator is met; a key that the request does not have never is."""
    return all(
        _OPERATORS[name](context[key], wanted) if context.get(key) else False
        for name, keys in condition.items()
        for key, wanted in keys.items()
    )


Test: TypeAlias = Callable[[tuple[str, ...], tuple[str, ...]], bool]


def _any(compare: Callable[[str, str], bool]) -> Test:
    """Met when some value of the request compares with some value of the document."""
    return lambda actual, wanted: any(compare(one, other) for one in actual for other in wanted)


def _none(compare: Callable[[str, str], bool]) -> Test:
    """Met when no value of the request compares with any value of the document."""
    return lambda actual, wanted: not _any(compare)(actual, wanted)


def _converted(convert: Callable[[str], Any], compare: Callable[[Any, Any], bool]) -> Callable[[str, str], bool]:
    """Compare after conversion; what cannot be converted does not compare."""

    def compare_converted(actual: str, wanted: str) -> bool:
        try:
            return compare(convert(actual), convert(wanted))
        except (ValueError, ArithmeticError, TypeError):  # TypeError: a time with an offset beside one without
            return False

    return compare_converted


def _in_network(actual: str, wanted: str) -> bool:
    try:
        return ip_address(actual) in ip_network(wanted, strict=False)
    except ValueError:
        return False


def _equal_folded(actual: str, wanted: str) -> bool:
    return actual.casefold() == wanted.casefold()


def _like(actual: str, wanted: str) -> bool:
    return _matches(wanted, actual)


_OPERATORS: dict[str, Test] = {
    "StringEquals": _any(operator.eq),
    "StringNotEquals": _none(operator.eq),
    "StringEqualsIgnoreCase": _any(_equal_folded),
    "StringNotEqualsIgnoreCase": _none(_equal_folded),
    "StringLike": _any(_like),
    "StringNotLike": _none(_like),
    "Bool": _any(_equal_folded),
    "IpAddress": _any(_in_network),
    "NotIpAddress": _none(_in_network),
}
for _family, _convert in (("Numeric", Decimal), ("Date", datetime.fromisoformat)):
    _OPERATORS |= {
        f"{_family}Equals": _any(_converted(_convert, operator.eq)),
        f"{_family}NotEquals": _none(_converted(_convert, operator.eq)),
        f"{_family}LessThan": _any(_converted(_convert, operator.lt)),
        f"{_family}LessThanEquals": _any(_converted(_convert, operator.le)),
        f"{_family}GreaterThan": _any(_converted(_convert, operator.gt)),
        f"{_family}GreaterThanEquals": _any(_converted(_convert, operator.ge)),
    }
