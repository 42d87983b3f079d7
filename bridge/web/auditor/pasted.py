"""What somebody pasted into the one box: which kind of thing it is, by its form alone."""

import ipaddress
import re
from datetime import date
from typing import NamedTuple

from bridge.advice import find_advice
from bridge.audit.reader import parse_reference

_ACCESS_KEY_ID = re.compile(r"(STS\.|LTAI|TMP\.)[A-Za-z0-9]{8,124}", re.ASCII)
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", re.ASCII)
_PERSON = re.compile(r"[0-9a-f]{32}", re.ASCII)
_ROLE_ARN = re.compile(r"acs:ram::\d{6,20}:(?:assumed-)?role/([A-Za-z0-9._-]{1,128})(?:/.*)?", re.ASCII)
_EVENT = re.compile(r"[a-z_]+\.[a-z_]+", re.ASCII)


class Pasted(NamedTuple):
    """The field of :class:`bridge.audit.search.query.Search` that is meant, and its value."""

    field: str
    """``name``: somebody's, or just words; only looking tells."""
    value: str


def understand(text: str, events: frozenset[str] = frozenset()) -> Pasted:
    """Return what is meant. ``events`` are the names of events that there are."""
    text = text.strip()
    arn = _ROLE_ARN.fullmatch(text)
    if arn is not None:
        return Pasted("role", arn[1])
    for field, matches in (
        ("request_id", _UUID.fullmatch(text)),
        ("person", _PERSON.fullmatch(text)),
        ("access_key_id", _ACCESS_KEY_ID.fullmatch(text)),
        ("reference", parse_reference(text)),
        ("address", _is_address(text)),
        ("day", _is_day(text)),
        ("event", _EVENT.fullmatch(text) and text in events),
        ("code", find_advice(text)),
    ):
        if matches:
            return Pasted(field, text)
    return Pasted("name", text)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return not text.isdigit()  # a number is an address to Python, and an account's number to people


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return "-" in text
