"""Trust policies of RAM roles: written for exactly us, compared by meaning, and asked whom they admit.

RAM takes one text where a list has one entry, and keeps whatever was written; so two policies are compared after both
have been brought into one form. The action is ``sts:AssumeRole`` for every kind of principal.
https://www.alibabacloud.com/help/en/ram/ : "Trust policy", "Condition keys of SAML and OIDC".
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import translate
from functools import cache
from typing import Any

Document = Mapping[str, Any]
"""A trust policy in its one form: each value that may be one text or a list is a sorted list."""

_ACTIONS = ("sts:assumerole", "sts:*", "*")


def admit_saml(provider_arn: str, recipient: str) -> dict[str, Any]:
    """Return the statement that admits a SAML provider's responses for this ACS."""
    return _allow("Federated", provider_arn, {"StringEquals": {"saml:recipient": recipient}})


def admit_oidc(provider_arn: str, issuer: str, audience: str, subjects: Sequence[str]) -> dict[str, Any]:
    """Return the statement that admits an OIDC provider's tokens for these subjects (``*`` and ``?`` are wildcards)."""
    condition = {
        "StringEquals": {"oidc:iss": issuer, "oidc:aud": audience},
        "StringLike": {"oidc:sub": list(subjects)},
    }
    return _allow("Federated", provider_arn, condition)


def admit_ram(arn: str, external_id: str | None = None) -> dict[str, Any]:
    """Return the statement that admits a RAM user or a role, if it says the agreed ``ExternalId``."""
    return _allow("RAM", arn, {"StringEquals": {"sts:ExternalId": external_id}} if external_id else {})


def write_trust(statements: Sequence[Mapping[str, Any]]) -> Document:
    """Return the trust policy of these statements."""
    return normalize({"Version": "1", "Statement": list(statements)})


def parse_trust(text: str) -> Document:
    """Return a trust policy as RAM keeps it, in its one form; one that cannot be read has no statement."""
    try:
        document = json.loads(text)
    except ValueError:
        return {"Version": "", "Statement": []}
    return normalize(document if isinstance(document, dict) else {})


def normalize(document: Mapping[str, Any]) -> Document:
    """Return a trust policy in its one form."""
    statements = [_normalize_statement(each) for each in _as_list(document.get("Statement")) if isinstance(each, dict)]
    return {"Version": str(document.get("Version", "")), "Statement": sorted(statements, key=_key)}


def show(document: Document) -> list[str]:
    """Return the lines of a trust policy for people; a list of one entry stands as that entry."""
    return json.dumps(_shorten(document), indent=2, ensure_ascii=False).splitlines()


def encode(document: Document) -> str:
    """Return a trust policy as RAM takes it: JSON without spaces, since 2,048 characters are all it may have."""
    return json.dumps(_shorten(document), separators=(",", ":"), ensure_ascii=False)


def find_losses(before: Document, after: Document) -> Iterator[str]:
    """Yield what one policy allows and the other no longer does, and what it refused and the other does not.

    Only whole statements are compared: what is kept in the same words loses nothing.
    """
    ours = {principal for each in after["Statement"] for principal in _principals(each)}
    for statement in before["Statement"]:
        if statement in after["Statement"]:
            continue
        if statement.get("Effect") != "Allow":
            yield "a statement that denies goes"
            continue
        for principal in _principals(statement):
            if principal not in ours:
                yield f"{principal[1]} may become the role today, and then no longer"
        keys = {key for each in after["Statement"] for key in _condition_keys(each)}
        for key in sorted(_condition_keys(statement) - keys):
            yield f"the condition on {key} goes"


def find_refusal(document: Document, statement: Mapping[str, Any]) -> str:
    """Return why a policy does not admit what ``statement`` (one of ours) admits; empty if it does.

    A condition on a key that says nothing about us, such as ``oidc:sub`` or a network, is taken to hold.
    """
    wanted = _normalize_statement(statement)
    (principal,) = _principals(wanted)
    known = {key: value for keys in wanted["Condition"].values() for key, (value, *_) in keys.items()}
    known.pop("oidc:sub", None)
    concerned = [
        (each, _find_unmet(each["Condition"], known))
        for each in document["Statement"]
        if principal in _principals(each) and _is_for_assuming(each)
    ]
    if any(each.get("Effect") == "Deny" and not reason for each, reason in concerned):
        return f"it denies {principal[1]}"
    reasons = [reason for each, reason in concerned if each.get("Effect") == "Allow"]
    if reasons:
        return min(reasons, key=len)  # an empty one if some statement admits us
    others = sorted({arn for each in document["Statement"] for _, arn in _principals(each)})
    return f"it does not name {principal[1]}, but {', '.join(others) or 'nobody'}"


def _find_unmet(condition: Mapping[str, Mapping[str, Sequence[str]]], known: Mapping[str, str]) -> str:
    for operator, keys in condition.items():
        for key, values in keys.items():
            if key in known and not _holds(operator, known[key], values):
                return f"its condition on {key} allows {', '.join(values)}, and we send {known[key]}"
    return ""


def _holds(operator: str, value: str, allowed: Sequence[str]) -> bool:
    if operator == "StringEquals":
        return value in allowed
    if operator == "StringEqualsIgnoreCase":
        return value.lower() in {each.lower() for each in allowed}
    if operator == "StringLike":
        return any(_pattern(each).fullmatch(value) for each in allowed)
    if operator == "StringNotEquals":
        return value not in allowed
    return True


@cache
def _pattern(text: str) -> re.Pattern[str]:
    """Return a pattern with ``*`` and ``?`` as RAM has them: brackets are letters like others."""
    return re.compile(translate(text.replace("[", "[[]")))


def _is_for_assuming(statement: Mapping[str, Any]) -> bool:
    return any(action.lower() in _ACTIONS for action in statement["Action"])


def _principals(statement: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {(kind, arn) for kind, arns in statement["Principal"].items() for arn in arns}


def _condition_keys(statement: Mapping[str, Any]) -> set[str]:
    return {key for keys in statement["Condition"].values() for key in keys}


def _allow(kind: str, principal: str, condition: Mapping[str, Any]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {kind: principal}, "Condition": condition}


def _normalize_statement(statement: Mapping[str, Any]) -> dict[str, Any]:
    principal, condition = statement.get("Principal"), statement.get("Condition")
    return {
        **statement,
        "Action": _texts(statement.get("Action")),
        "Principal": {
            kind: _texts(each) for kind, each in sorted((principal if isinstance(principal, dict) else {}).items())
        },
        "Condition": {
            operator: {key: _texts(values) for key, values in sorted(keys.items())}
            for operator, keys in sorted((condition if isinstance(condition, dict) else {}).items())
            if isinstance(keys, dict)
        },
    }


def _texts(value: Any) -> list[str]:
    return sorted({str(each) for each in _as_list(value)})


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _key(statement: Mapping[str, Any]) -> str:
    return json.dumps(statement, sort_keys=True)


def _shorten(document: Document) -> dict[str, Any]:
    def one(value: list[str]) -> str | list[str]:
        return value[0] if len(value) == 1 else value

    statements = []
    for each in document["Statement"]:
        shown = {
            "Effect": each.get("Effect", ""),
            "Action": one(each["Action"]),
            "Principal": {kind: one(arns) for kind, arns in each["Principal"].items()},
            "Condition": {
                operator: {key: one(values) for key, values in keys.items()}
                for operator, keys in each["Condition"].items()
            },
        }
        statements.append({key: value for key, value in shown.items() if value != {}})
    return {"Version": document["Version"], "Statement": statements}
