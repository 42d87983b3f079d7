"""Reads the parameters that management actions share, each by full match over ASCII, and pages what they list."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from bridge.sandbox.cloud.entities import Named
from bridge.sandbox.cloud.management.faults import invalid_characters, invalid_length
from bridge.sts_wire.reply import Fields, Value, build_malformed, build_missing_common

MAX_ITEMS = 1000
DEFAULT_ITEMS = 100

Parameters = Mapping[str, str]
Entity = TypeVar("Entity", bound=Named)

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_POLICY_NAME = re.compile(r"[A-Za-z0-9-]+")


def read_required(parameters: Parameters, name: str) -> str:
    """Return a parameter that must be there and not be empty."""
    value = parameters.get(name)
    if not value:
        raise build_missing_common(name)
    return value


def read_name(parameters: Parameters, name: str, longest: int = 64) -> str:
    """Return the name of a user, group, role or provider."""
    return _read_matching(parameters, name, _NAME, longest)


def read_policy_name(parameters: Parameters) -> str:
    """Return ``PolicyName``: letters, digits and hyphens."""
    return _read_matching(parameters, "PolicyName", _POLICY_NAME, 128)


def read_text(parameters: Parameters, name: str, longest: int, default: str = "") -> str:
    """Return a free text, such as a description, or the default where it was not sent."""
    value = parameters.get(name, default)
    if len(value) > longest:
        raise invalid_length(name)
    return value


def read_number(parameters: Parameters, name: str, least: int, most: int, default: int) -> int:
    """Return a whole number within bounds, or the default where it was not sent."""
    value = parameters.get(name, str(default))
    if not re.fullmatch(r"[0-9]{1,9}", value) or not least <= int(value) <= most:
        raise build_malformed(name, f"The parameter {name} must be a number from {least} to {most}.")
    return int(value)


def read_flag(parameters: Parameters, name: str, *, default: bool) -> bool:
    """Return true or false, or the default where it was not sent."""
    value = parameters.get(name, str(default)).lower()
    if value not in {"true", "false"}:
        raise build_malformed(name)
    return value == "true"


def list_page(
    parameters: Parameters, entities: Sequence[Entity], kind: str, show: Callable[[Entity], Fields]
) -> Fields:
    """Return one page of entities by name: ``MaxItems`` of them after the ``Marker`` of the page before.

    ``kind`` is RAM's word for one of them, such as ``User``; the list stands under ``Users``, as in all its answers.
    """
    most = read_number(parameters, "MaxItems", 1, MAX_ITEMS, DEFAULT_ITEMS)
    marker = parameters.get("Marker", "")
    rest = sorted((each for each in entities if each.name > marker), key=lambda each: each.name)
    page, truncated = rest[:most], len(rest) > most
    plural = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"
    fields: dict[str, Value] = {plural: {kind: [show(each) for each in page]}, "IsTruncated": truncated}
    if truncated:
        fields["Marker"] = page[-1].name
    return fields


def find_named(entities: Sequence[Entity], name: str) -> Entity | None:
    """Return the entity with this name, compared exactly."""
    return next((each for each in entities if each.name == name), None)


def is_taken(entities: Sequence[Named], name: str) -> bool:
    """Whether a new entity may not have this name; case does not make a difference."""
    return any(each.name.lower() == name.lower() for each in entities)


def replace_named(entities: Sequence[Entity], name: str, *instead: Entity) -> tuple[Entity, ...]:
    """Return the entities with others, or nothing, in the place of the one with this name."""
    return tuple(new for each in entities for new in (instead if each.name == name else (each,)))


def _read_matching(parameters: Parameters, name: str, pattern: re.Pattern[str], longest: int) -> str:
    value = read_required(parameters, name)
    if len(value) > longest:
        raise invalid_length(name)
    if not pattern.fullmatch(value):
        raise invalid_characters(name)
    return value
