"""RAM's policy grammar, as far as a session policy may use it. STS refuses anything else, and only after the sign-in.

A policy is data here: mappings, lists and texts, read from JSON or YAML by code that refuses a member that comes twice.
Where RAM's documents leave a form open (one statement without a list, a part of a service's name as a pattern), it is
refused: what is checked here must not be what fails at somebody's desk.

Reference: RAM, "Policy structure and syntax", "Policy elements"; STS, ``Policy`` of AssumeRole.
"""

import difflib
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_network
from typing import Any

from bridge.entitlements.matching import find_flaw
from bridge.yaml_documents import Loc

MAX_POLICY_BYTES = 2048
"""STS speaks of characters in one place and of bytes in another; bytes are never fewer."""

PLACEHOLDER = re.compile(r"\$\{([^{}]*)\}")

_STRINGS = ("Equals", "NotEquals", "EqualsIgnoreCase", "NotEqualsIgnoreCase", "Like", "NotLike")
_COMPARISONS = ("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals")
OPERATORS: tuple[str, ...] = (
    *(f"String{each}" for each in _STRINGS),
    *(f"Numeric{each}" for each in _COMPARISONS),
    *(f"Date{each}" for each in _COMPARISONS),
    "Bool",
    "IpAddress",
    "NotIpAddress",
)
"""``Null`` and ``…IfExists`` are AWS's."""
EFFECTS = ("Allow", "Deny")
STATEMENT_MEMBERS = ("Effect", "Action", "NotAction", "Resource", "NotResource", "Condition")

_ACTION = re.compile(r"\*|(?:\*|[A-Za-z0-9-]+):[A-Za-z0-9_*?./-]+", re.ASCII)
_RESOURCE = re.compile(r"\*|acs:[A-Za-z0-9*-]+:[a-z0-9*-]*:[0-9*]*:.+", re.ASCII)
_CONDITION_KEY = re.compile(r"[A-Za-z0-9-]+:[A-Za-z][A-Za-z0-9._-]*(?:/.+)?", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,18})?", re.ASCII)

ACTION_FORM = "Write `service:Action`, such as `oss:GetObject`, `ecs:Describe*` or `*:List*`, or `*` for every action."
RESOURCE_FORM = "Write `acs:service:region:account:name`, such as `acs:oss:*:*:bucket/folder/*`, or `*`."


@dataclass(frozen=True)
class Flaw:
    """What is wrong with a policy, and where in it."""

    loc: Loc
    message: str
    fix: str
    at_key: bool = False
    """Whether the name of the member is meant, not its value."""
    place: tuple[int, int] | None = None
    """Line and column within the text at ``loc``, both from 1; None: all of it."""


def find_policy_flaws(policy: object, *, template: bool = False) -> Iterator[Flaw]:
    """Yield everything that keeps STS from taking this session policy, its size excepted.

    With ``template``, resources and the values of conditions on text may hold ``${ … }``.
    """
    if not isinstance(policy, dict):
        yield Flaw((), "this is not a RAM policy", 'Write an object: "Version": "1" and a list "Statement".')
        return
    yield from _find_member_flaws(policy, (), ("Version", "Statement"), "")
    if "Version" not in policy:
        yield Flaw((), "this is not a RAM policy: `Version` is missing", 'Write "Version": "1".')
    elif policy["Version"] != "1":
        yield Flaw(("Version",), "`Version` is not the text `1`", 'Write "1", in quotes; RAM has no other version.')
    statements = policy.get("Statement")
    if "Statement" not in policy:
        yield Flaw((), "this is not a RAM policy: `Statement` is missing", 'Write a list "Statement".')
    elif not isinstance(statements, list):
        yield Flaw(("Statement",), "`Statement` is not a list", "Write a list, even around a single statement.")
    elif not statements:
        yield Flaw(("Statement",), "`Statement` is empty", "Write at least one statement.")
    else:
        for number, statement in enumerate(statements):
            yield from _find_statement_flaws(statement, number, template=template)


def find_size_flaw(written: str) -> Flaw | None:
    """Return what is wrong with the size of a policy, as :func:`write_policy` wrote it."""
    size = len(written.encode())
    if size <= MAX_POLICY_BYTES:
        return None
    message = f"this policy has {size} bytes, and STS takes {MAX_POLICY_BYTES}"
    return Flaw((), message, "Use fewer statements, or patterns in place of lists; blanks do not count.")


def write_policy(policy: object) -> str:
    """Return the policy as STS gets it: JSON without blanks."""
    return json.dumps(policy, separators=(",", ":"), ensure_ascii=False)


def list_texts(value: object, loc: Loc) -> list[tuple[Loc, object]]:
    """Return the values of a member, each with its place: RAM takes one value in place of a list of one."""
    if isinstance(value, list):
        return [((*loc, number), each) for number, each in enumerate(value)]
    return [(loc, value)]


def _find_member_flaws(value: Mapping[str, Any], loc: Loc, known: Collection[str], where: str) -> Iterator[Flaw]:
    for name in value:
        if name in known:
            continue
        if name == "Principal":
            message = f"{where}`Principal` is for trust policies"
            yield Flaw((*loc, name), message, "Remove it: a session policy is about its own session.", at_key=True)
            continue
        close = difflib.get_close_matches(name.lower(), [each.lower() for each in known], n=1)
        meant = next((each for each in known if close and each.lower() == close[0]), None)
        fix = f"Write `{meant}`." if meant else f"Remove it. Known are: {', '.join(known)}."
        yield Flaw((*loc, name), f"{where}`{name}` is not a member that RAM knows here", fix, at_key=True)


def _find_statement_flaws(statement: object, number: int, *, template: bool) -> Iterator[Flaw]:
    loc: Loc = ("Statement", number)
    where = f"statement {number + 1}: "
    if not isinstance(statement, dict):
        yield Flaw(loc, f"{where}this is not an object", "Write `Effect`, `Action` and `Resource`.")
        return
    yield from _find_member_flaws(statement, loc, STATEMENT_MEMBERS, where)
    if "Effect" not in statement:
        yield Flaw(loc, f"{where}`Effect` is missing", "Write `Allow` or `Deny`.")
    elif statement["Effect"] not in EFFECTS:
        yield Flaw(
            (*loc, "Effect"),
            f"{where}`Effect` is neither `Allow` nor `Deny`",
            "Write one of them, in exactly these letters.",
        )
    yield from _find_pair_flaws(statement, loc, where)
    for name in STATEMENT_MEMBERS[1:5]:
        if name not in statement:
            continue
        check = _find_action_flaw if name.endswith("Action") else _find_resource_flaw
        for at, message, fix in _find_text_flaws(statement[name], (*loc, name), check, template=template):
            yield Flaw(at, f"{where}`{name}`: {message}", fix)
    if "Condition" in statement:
        yield from _find_condition_flaws(statement["Condition"], (*loc, "Condition"), where, template=template)


def _find_pair_flaws(statement: Mapping[str, Any], loc: Loc, where: str) -> Iterator[Flaw]:
    for name, other in (("Action", "NotAction"), ("Resource", "NotResource")):
        if name not in statement and other not in statement:
            yield Flaw(loc, f"{where}`{name}` is missing", f"Write `{name}`, or `{other}` for all but these.")
        if name in statement and other in statement:
            yield Flaw((*loc, other), f"{where}`{name}` and `{other}` exclude each other", "Remove one.", at_key=True)


def _find_text_flaws(
    value: object, loc: Loc, check: Callable[[str], tuple[str, str] | None], *, template: bool
) -> Iterator[tuple[Loc, str, str]]:
    """Yield place, message and fix for each value of one text or a list of texts."""
    if value == []:
        yield loc, "this list is empty", "Write at least one value, or remove it."
    for at, text in list_texts(value, loc):
        if not isinstance(text, str):
            yield at, "text is expected here", "Write text; RAM wants numbers, true and false in quotes too."
            continue
        # A placeholder must be able to stand where it stands: `_` is neither a region, an account nor a number.
        shape = PLACEHOLDER.sub("_", text) if template and check is not _find_action_flaw else text
        flaw = find_flaw(shape)
        found = (flaw, "Type it again, without what one cannot see.") if flaw else check(shape)
        if found:
            yield at, found[0].replace("{text}", text), found[1]


def _find_action_flaw(text: str) -> tuple[str, str] | None:
    if "${" in text:
        return "no placeholder can stand in the name of an action", "Write the actions out."
    return None if _ACTION.fullmatch(text) else ("`{text}` is not the name of an action", ACTION_FORM)


def _find_resource_flaw(text: str) -> tuple[str, str] | None:
    return None if _RESOURCE.fullmatch(text) else ("`{text}` is not the name of a resource", RESOURCE_FORM)


def _find_condition_flaws(condition: object, loc: Loc, where: str, *, template: bool) -> Iterator[Flaw]:
    if not isinstance(condition, dict) or not condition:
        fix = "Write operators, each with keys: `IpAddress: {acs:SourceIp: 192.0.2.0/24}`, or remove it."
        yield Flaw(loc, f"{where}`Condition` names no operator", fix)
        return
    for operator, keys in condition.items():
        at: Loc = (*loc, operator)
        if operator not in OPERATORS:
            close = difflib.get_close_matches(operator, OPERATORS, n=1)
            fix = f"Write `{close[0]}`." if close else f"Write one of: {', '.join(OPERATORS)}."
            yield Flaw(at, f"{where}`{operator}` is not an operator that RAM has", fix, at_key=True)
        if not isinstance(keys, dict) or not keys:
            yield Flaw(at, f"{where}`{operator}` names no key", "Write `key: value` below it, or remove it.")
            continue
        for key, value in keys.items():
            if not _CONDITION_KEY.fullmatch(key) or find_flaw(key):
                fix = "Write `service:Key`, such as `acs:SourceIp` or `oss:Prefix`."
                yield Flaw((*at, key), f"{where}`{key}` is not the key of a condition", fix, at_key=True)
            check = _VALUES.get(operator.removeprefix("Not"), _find_no_flaw)
            for place, message, fix in _find_text_flaws(value, (*at, key), check, template=template):
                yield Flaw(place, f"{where}`{operator}` of `{key}`: {message}", fix)


def _find_no_flaw(text: str) -> tuple[str, str] | None:
    return None if text else ("this is empty", "Write a value.")


def _find_number_flaw(text: str) -> tuple[str, str] | None:
    return None if _NUMBER.fullmatch(text) else ("`{text}` is not a number", 'Write a number in quotes: "3600".')


def _find_boolean_flaw(text: str) -> tuple[str, str] | None:
    return None if text in {"true", "false"} else ("`{text}` is neither true nor false", 'Write "true" or "false".')


def _find_date_flaw(text: str) -> tuple[str, str] | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is not None and moment.tzinfo is not None:
        return None
    return "`{text}` is not a time with a time zone", 'Write it as ISO 8601 does: "2026-12-31T23:59:59Z".'


def _find_network_flaw(text: str) -> tuple[str, str] | None:
    try:
        ip_network(text)
    except ValueError:
        return "`{text}` is not a network", "Write an address, or a network from its first address: 192.0.2.0/24."
    return None


_VALUES: Mapping[str, Callable[[str], tuple[str, str] | None]] = {
    **{f"Numeric{each}": _find_number_flaw for each in _COMPARISONS},
    **{f"Date{each}": _find_date_flaw for each in _COMPARISONS},
    "Bool": _find_boolean_flaw,
    "IpAddress": _find_network_flaw,
}
"""What a value of these operators looks like; those on text take any."""


def build_policy_schema() -> dict[str, Any]:
    """Return the JSON Schema of a session policy, for editors; the messages are in :func:`find_policy_flaws`."""

    def texts(form: str, description: str) -> dict[str, Any]:
        text = {"type": "string", "pattern": form, "minLength": 1}
        return {"description": description, "anyOf": [text, {"type": "array", "items": text, "minItems": 1}]}

    def one_of(first: str, second: str) -> dict[str, Any]:
        return {"oneOf": [{"required": [first]}, {"required": [second]}]}

    actions, resources = rf"^(?:{_ACTION.pattern})$", r"^(?:\*|acs:[^:]+:[^:]*:[^:]*:.+)$"
    keys = {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": rf"^{_CONDITION_KEY.pattern}$"},
        "additionalProperties": texts("", "The value, or a list of values, any of which is enough."),
    }
    statement = {
        "type": "object",
        "additionalProperties": False,
        "required": ["Effect"],
        "allOf": [one_of("Action", "NotAction"), one_of("Resource", "NotResource")],
        "properties": {
            "Effect": {"enum": list(EFFECTS), "description": "Deny wins over Allow."},
            "Action": texts(actions, "What may be done: service:Action, with * and ?."),
            "NotAction": texts(actions, "Every action but these."),
            "Resource": texts(resources, "On what: acs:service:region:account:name, or *."),
            "NotResource": texts(resources, "On everything but these."),
            "Condition": {
                "type": "object",
                "additionalProperties": False,
                "minProperties": 1,
                "description": "When: all keys of all operators must be met.",
                "properties": dict.fromkeys(OPERATORS, keys),
            },
        },
    }
    return {
        "title": "SessionPolicy",
        "description": "A RAM policy that narrows a role for one session.",
        "type": "object",
        "additionalProperties": False,
        "required": ["Version", "Statement"],
        "properties": {
            "Version": {"const": "1"},
            "Statement": {"type": "array", "minItems": 1, "items": statement},
        },
    }
