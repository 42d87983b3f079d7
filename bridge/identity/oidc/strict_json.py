"""JSON that can be read in one way only.

``json.loads`` takes the last of two equal members, knows ``NaN``, reads UTF-16 and numbers of any length, and makes
strings that cannot be encoded. Whoever checked the first ``sub`` and whoever used the last would see two people.
RFC 7519 section 4; RFC 8725 sections 2.4 and 3.7; RFC 8259 section 4.
"""

import json
import math
from typing import Any, NoReturn

MAX_DEPTH = 20
"""How deep objects and arrays may be nested."""
MAX_NUMBER_CHARACTERS = 32
"""How long a number may be written; every 64-bit number is shorter."""


def parse_object(document: bytes) -> dict[str, Any]:
    """Return the one JSON object that ``document`` is, in UTF-8.

    Raises:
        ValueError: it is not, or two programs could read it differently. The message never quotes the document.
    """
    value = parse_value(document)
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004  # one error for every fault of the text
    return value


def parse_value(document: bytes) -> Any:
    """Return the one JSON value that ``document`` is, in UTF-8.

    Raises:
        ValueError: it is not, or two programs could read it differently. The message never quotes the document.
    """
    try:
        text = document.decode("utf-8")
        value = _DECODER.decode(text)
    except UnicodeDecodeError as error:
        raise ValueError("not UTF-8") from error
    except json.JSONDecodeError as error:
        raise ValueError("not JSON") from error
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _check_depth(value)
    if "\\ud" in text or "\\uD" in text:
        _check_encodable(value)
    return value


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member comes twice")
    return members


def _parse_integer(literal: str) -> int:
    if len(literal) > MAX_NUMBER_CHARACTERS:
        raise ValueError("a number is too long")
    return int(literal)


def _parse_float(literal: str) -> float:
    number = float(literal)
    if len(literal) > MAX_NUMBER_CHARACTERS or not math.isfinite(number):
        raise ValueError("a number is too long or too large")
    return number


def _refuse_constant(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


def _check_encodable(value: object) -> None:
    """Every string can be written as UTF-8: no half of a surrogate pair is left alone."""
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError("a string cannot be encoded") from error


def _check_depth(value: Any) -> None:
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise ValueError("nested too deeply")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique_members,
    parse_int=_parse_integer,
    parse_float=_parse_float,
    parse_constant=_refuse_constant,
)
