"""What was pasted: a message that something is not permitted, an ARN, or the address of a page of the console.

Messages come as JSON, XML, a dictionary that some SDK printed, a line of a log, or a sentence of the console, with
other things around them. So nothing is parsed as a whole: each fact is looked for by its name, whatever quotes and
brackets stand around it. Each pattern is bounded, so the time is linear in the text; of a text that is longer than
:data:`LONGEST`, nothing is read.

Reference: RAM, "Access denied detail"; OSS, "Error responses"; SLS, "Error codes".
"""

# ruff: noqa: RUF001 - messages in Chinese have punctuation of full width

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bridge.pasted.products import BY_SERVICE, ENDPOINTS, REGION, Place, read_console_address
from bridge.pasted.values import LONGEST_VALUE, Value, read_value

LONGEST = 20_000
"""In characters."""

Form = Literal["denial", "arn", "page"]


@dataclass(frozen=True)
class Pasted:
    """What was understood, and no more of the text than that."""

    form: Form
    service: str
    """The product's name in policies."""
    action: str = ""
    """What was refused, such as ``ecs:StopInstance``; empty: the text does not say."""
    unclear_action: bool = False
    """Whether the text says what was refused, but not so that it is understood."""
    resource: str = ""
    """An ARN; empty: the text does not say. It ends in ``*`` where the text may say more than was read."""
    literal: bool = False
    """Whether the resource is what the service asked RAM about, letter by letter."""
    account_id: str = ""
    region: str = ""
    explicit: bool = False
    """Whether a policy forbids it, so that more rights alone do not help (``ExplicitDeny``)."""
    layer: str = ""
    """What kind of policy refused, in Alibaba Cloud's words (``PolicyType``)."""
    role: str = ""
    """The role that was refused, as far as the text says."""
    role_account_id: str = ""
    """The account of that role, as far as the text says."""
    place: Place | None = None
    """What its page in the console shows."""


_SERVICE = r"[a-z][a-z0-9-]{1,30}"
_ACTION = rf"{_SERVICE}:[A-Z][A-Za-z0-9]{{2,80}}"
_STATED_ACTION = re.compile(r"[A-Za-z][A-Za-z0-9-]{1,30}:[A-Za-z][A-Za-z0-9_]{2,80}", re.ASCII)
"""RAM compares actions without case, and people and products write them in either."""
_ARN_START = r"acs:[a-z][a-z0-9-]{1,30}:[a-z0-9*-]{0,30}:[0-9*]{0,20}:(?=[^\s\"'<>\\,;，；。])"
_ARN_ALONE = re.compile(rf"{_ARN_START}[^\s\"'<>\\，；。]{{1,{LONGEST_VALUE}}}")
_BETWEEN = r"[\s\"'\\]{0,9}(?:[:：=>]|</?)[\s\"'\\]{0,9}"
"""What stands between a name and its value: quotes, also escaped ones, colon, equals sign, or the end of a tag."""

_FACT = re.compile(
    r"(?<![A-Za-z])(AuthAction|AuthResource|AuthPrincipalOwnerId|AuthPrincipalDisplayName|NoPermissionType|PolicyType)"
    rf"{_BETWEEN}(?=[^\s\"'<>\\,，}}\]])"
)
_NAMED_ACTION = re.compile(
    r"(?:[Aa]ction|授权操作|鉴权操作|操作|权限|[Pp]ermissions?|perform(?: this operation)?|authorized to(?: perform)?)"
    rf"(?:\s?[（(]?Action[）)]?)?[\s\"'\\:：=]{{1,19}}({_SERVICE}:[A-Za-z])"
)
_NAMED_RESOURCE = re.compile(
    rf"(?:[Rr]esource|授权资源|鉴权资源|资源)(?:\s?[（(]?Resource[）)]?)?[\s\"'\\:：=]{{1,19}}({_ARN_START})"
)
_ANY_ACTION = re.compile(
    rf"(?<![A-Za-z0-9:/.-])({_SERVICE}:(?=[a-z]{{0,40}}[A-Z])[A-Za-z][A-Za-z0-9]{{2,80}})(?![A-Za-z0-9:_-])"
)
_ANY_ARN = re.compile(rf"(?<![A-Za-z0-9:])({_ARN_START})")
_CLOSING = re.compile(r"[}\]]|</")
_URL = re.compile(r"https://[A-Za-z0-9.-]{4,200}[^\s\"'<>\\，。]{0,1000}")
_API_HOST = re.compile(
    rf"(?<![A-Za-z0-9.-])(?:([a-z0-9][a-z0-9-]{{1,62}})\.)?([a-z-]{{2,20}}?)(?:[.-](?:vpc\.|internal\.)?({REGION}))?"
    r"(?:-internal)?\.aliyuncs\.com"
)
_API_NAME = re.compile(r"(?:[?&]|\b)(?:Action=|x-acs-action[\"']?[:=]\s?[\"']?)([A-Z][A-Za-z0-9]{3,80})")
_FAILED_CALL = re.compile(
    r"\b((?:Describe|List|Get|Create|Delete|Modify|Update|Start|Stop|Run|Set|Add|Put|Query)[A-Z][A-Za-z0-9]{2,60})\b"
)
_CODE = re.compile(
    r"Forbidden(?:\.[A-Za-z]{2,40})?|NoPermission|AccessDenied|Unauthorized|NotAuthorized|StatusForbidden|"
    r"[Nn]ot (?:be )?authorized|[Aa]ccess (?:is )?denied|no (?:right|permissions?)|denied by|do(?:es)? not have|"
    r"无权限?|没有.{0,12}权限|权限不足|未授权|拒绝访问|访问被拒绝"
)
_TERRAFORM = re.compile(r"\balicloud_([a-z]{2,20})_")
_TERRAFORM_SERVICES = {
    "instance": "ecs", "security": "ecs", "disk": "ecs", "db": "rds", "vpc": "vpc", "vswitch": "vpc", "eip": "vpc",
    "slb": "slb", "oss": "oss", "log": "log", "kms": "kms", "ram": "ram", "actiontrail": "actiontrail", "cs": "cs",
    "fc": "fc", "cdn": "cdn", "dns": "alidns", "alidns": "alidns", "kvstore": "kvstore", "polardb": "polardb",
    "mongodb": "dds", "nas": "nas", "ess": "ess",
}  # fmt: skip


def read_pasted(text: str) -> Pasted | None:
    """Return what was pasted; None: nothing of it was understood, or it is longer than :data:`LONGEST`."""
    if len(text) > LONGEST:
        return None
    text = text.strip()
    if _ARN_ALONE.fullmatch(text):
        return _read_arn(text)
    if text.startswith("https://") and _URL.fullmatch(text):
        place = read_console_address(text)
        return _read_place(place) if place else None
    return _read_denial(text)


def _read_arn(arn: str) -> Pasted | None:
    _, service, region, account, rest = arn.split(":", 4)
    return Pasted(
        "arn",
        service,
        resource=arn,
        account_id=account if account.isdigit() else "",
        region=region.strip("*"),
        place=find_place(service, region.strip("*"), rest),
    )


def _read_place(place: Place) -> Pasted:
    return Pasted("page", place.product.service, region=place.region, place=place)


def find_place(service: str, region: str, rest: str) -> Place | None:
    """Return what in the console shows a resource, whose ARN ends in ``rest``; None: the product is not known."""
    product = BY_SERVICE.get(service)
    if product is None:
        return None
    kind_name, slash, name = rest.partition("/")
    kind = product.find_kind(kind_name) if slash else None
    own = product.find_kind("")
    if kind is None and own is not None:
        kind, name = own, kind_name
    name = name.partition("/")[0]
    if kind is None or not name or "*" in name or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,127}", name):
        return Place(product, region)
    return Place(product, region, kind, name)


def _read_denial(text: str) -> Pasted | None:
    found, end = _find_first(text)
    facts = {name: value.text for name, value in found.items()}
    action, clear = _find_action(text, end, found)
    resource, whole = _find_resource(text, end, found)
    if not action and clear and not resource and not _CODE.search(text):
        return _read_embedded_page(text)
    label, service, region = _find_api_host(text)
    service = action.partition(":")[0] or (resource.split(":")[1] if resource else "") or service
    service = service or _find_terraform_service(text) or _find_known_service(facts.get("AuthAction", ""))
    if not service:
        return _read_embedded_page(text) if clear else None
    if not action and clear:
        action = _find_api_name(text, service)
    if not resource and service == "oss" and label:
        of_object = "object" in action.lower() and not action.lower().startswith("oss:list")
        resource = f"acs:oss:*:*:{label}/*" if of_object else f"acs:oss:*:*:{label}"
    parts = resource.split(":", 4) if resource else ["", "", "", "", ""]
    owner = _keep(facts.get("AuthPrincipalOwnerId", ""), r"[0-9]{6,20}")
    region = parts[2].strip("*") or region
    place = find_place(service, region, parts[4])
    return Pasted(
        "denial",
        service,
        action=action,
        unclear_action=not clear,
        resource=resource,
        literal=whole and parts[3].isdigit(),
        account_id=parts[3] if parts[3].isdigit() else owner,
        region=region,
        explicit=facts.get("NoPermissionType") == "ExplicitDeny",
        layer=_keep(facts.get("PolicyType", ""), r"[A-Za-z]{1,60}"),
        role=_keep(facts.get("AuthPrincipalDisplayName", "").partition(":")[0], r"[A-Za-z0-9._-]{1,64}"),
        role_account_id=owner,
        place=place,
    )


def _keep(value: str, form: str) -> str:
    return value if re.fullmatch(form, value, re.ASCII) else ""


def _find_first(text: str) -> tuple[dict[str, Value], int]:
    """Return the facts of the first denial in a text by their names, and where another one begins at the latest.

    Where two denials stand in one text, the action of one must not meet the resource of the other.
    """
    found: dict[str, Value] = {}
    starts: list[tuple[str, int]] = []
    closed, last = 0, 0
    for match in _FACT.finditer(text):
        if match.start() < last:
            continue  # it is a part of a value
        name, value = match[1], read_value(text, match.end())
        if starts and not closed and _CLOSING.search(text, last, match.start()):
            closed = match.start()
        last = value.end
        if name in found and found[name].text != value.text:
            end = closed or match.start()
            return {each: found[each] for each, start in starts if start < end}, end
        if name not in found:
            found[name] = value
            starts.append((name, match.start()))
    return found, len(text)


def _find_action(text: str, end: int, facts: Mapping[str, Value]) -> tuple[str, bool]:
    """Return the action that was refused, and whether the text either says it clearly or not at all.

    It is found by its name, else it is the first word that looks like one of a known product.
    """
    stated = facts.get("AuthAction")
    if stated is not None:
        return _read_action(stated.text) if stated.ends_as_word else ("", False)
    for named in _NAMED_ACTION.finditer(text, 0, end):
        value = read_value(text, named.start(1))
        action, clear = _read_action(value.text) if value.ends_as_word else ("", False)
        if clear and (re.fullmatch(_ACTION, action) or action.partition(":")[0] in BY_SERVICE):
            return action, True
        if named[1].partition(":")[0] in BY_SERVICE:
            return "", False
    return next((each for each in _ANY_ACTION.findall(text, 0, end) if each.partition(":")[0] in BY_SERVICE), ""), True


def _find_known_service(action: str) -> str:
    service = action.partition(":")[0].lower()
    return service if service in BY_SERVICE else ""


def _read_action(text: str) -> tuple[str, bool]:
    if not _STATED_ACTION.fullmatch(text):
        return "", False
    service, _, name = text.partition(":")
    return f"{service.lower()}:{name}", True


def _find_resource(text: str, end: int, facts: Mapping[str, Value]) -> tuple[str, bool]:
    """Return the resource, and whether it is all that the text says of it; if not, it is a pattern."""
    stated = facts.get("AuthResource")
    if stated is not None and re.match(_ARN_START, stated.text, re.ASCII):
        return _close(stated)
    named = _NAMED_RESOURCE.search(text, 0, end)
    starts = [named.start(1)] if named else [each.start(1) for each in _ANY_ARN.finditer(text, 0, end)]
    values = (read_value(text, each) for each in starts)
    arns = (each for each in values if re.match(_ARN_START, each.text, re.ASCII))
    found = next((each for each in arns if ":assumed-role/" not in each.text), None)
    return _close(found) if found else ("", False)


def _close(value: Value) -> tuple[str, bool]:
    return (value.text, True) if value.whole else (f"{value.text}*", False)


def _find_api_host(text: str) -> tuple[str, str, str]:
    """Return the label before the service (OSS's bucket), the service and the region of the API that answered."""
    for label, name, region in _API_HOST.findall(text):
        service = ENDPOINTS.get(name)
        if service:
            return label, service, region
    return "", "", ""


def _find_api_name(text: str, service: str) -> str:
    named = _API_NAME.search(text) or _FAILED_CALL.search(text)
    return f"{service}:{named[1]}" if named else ""


def _find_terraform_service(text: str) -> str:
    named = _TERRAFORM.search(text)
    return _TERRAFORM_SERVICES.get(named[1], "") if named else ""


def _read_embedded_page(text: str) -> Pasted | None:
    for url in _URL.findall(text)[:5]:
        place = read_console_address(url)
        if place:
            return _read_place(place)
    return None
