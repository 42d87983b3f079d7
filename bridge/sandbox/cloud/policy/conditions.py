"""When a ``Condition`` is met: RAM's operators, and what they make of several values or none.

Several values of one key in the document are alternatives; several keys must all be met, under one operator or many. A
condition whose key the request does not have is not met, whatever the operator. ``…IfExists``, ``Null``,
``ForAnyValue:`` and ``ForAllValues:`` are AWS's; RAM refuses them.
"""

import operator
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from ipaddress import ip_address, ip_network
from typing import Any, TypeAlias

from bridge.sandbox.cloud.policy.patterns import matches

Context: TypeAlias = Mapping[str, tuple[str, ...]]
"""What is known about a request, by condition key; several values where the key has several."""

Test: TypeAlias = Callable[[tuple[str, ...], tuple[str, ...]], bool]
"""Takes the request's values and the document's; a condition is met when it returns true."""

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})?)?")


def is_met(condition: Mapping[str, Mapping[str, tuple[str, ...]]], context: Context) -> bool:
    """Whether every key under every operator is met."""
    return all(
        bool(context.get(key)) and OPERATORS[name](context[key], wanted)
        for name, keys in condition.items()
        for key, wanted in keys.items()
    )


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


def _read_number(text: str) -> Decimal:
    """Read a plain number; ``Decimal`` itself takes ``NaN``, ``1_0`` and digits of other scripts."""
    if not _NUMBER.fullmatch(text):
        raise ValueError("not a number")
    return Decimal(text)


def _read_moment(text: str) -> datetime:
    """Read a date or time of ISO 8601 as RAM's documentation writes it."""
    if not _MOMENT.fullmatch(text):
        raise ValueError("not a time")
    return datetime.fromisoformat(text)


def _in_network(actual: str, wanted: str) -> bool:
    try:
        return ip_address(actual) in ip_network(wanted, strict=False)
    except ValueError:
        return False


def _equal_folded(actual: str, wanted: str) -> bool:
    return actual.casefold() == wanted.casefold()


def _like(actual: str, wanted: str) -> bool:
    return matches(wanted, actual)


OPERATORS: dict[str, Test] = {
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
for _family, _convert in (("Numeric", _read_number), ("Date", _read_moment)):
    OPERATORS |= {
        f"{_family}Equals": _any(_converted(_convert, operator.eq)),
        f"{_family}NotEquals": _none(_converted(_convert, operator.eq)),
        f"{_family}LessThan": _any(_converted(_convert, operator.lt)),
        f"{_family}LessThanEquals": _any(_converted(_convert, operator.le)),
        f"{_family}GreaterThan": _any(_converted(_convert, operator.gt)),
        f"{_family}GreaterThanEquals": _any(_converted(_convert, operator.ge)),
    }
