"""What a compiled CEL expression reads and calls.

The runtime hands out its checked syntax tree as a ``google.api.expr`` ``CheckedExpr`` protobuf message. This module
reads just enough of that message to name each path (``claims.groups``, ``claims.address.city``) and each regular
expression; a name that a macro binds (the ``g`` of ``exists(g, …)``) is not a path.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

# Field numbers of cel/expr/checked.proto and cel/expr/syntax.proto.
_ANY_VALUE, _CHECKED_EXPR = 2, 4
_CONST, _IDENT, _SELECT, _CALL, _LIST, _STRUCT, _COMPREHENSION = 3, 4, 5, 6, 7, 8, 9
_CONST_STRING = 6
_INDEX_FUNCTIONS = frozenset({"_[_]", "_[?_]", "_?._"})
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

Fields: TypeAlias = dict[int, list[bytes]]


@dataclass
class Reads:
    """What was found in one expression."""

    paths: set[str] = field(default_factory=set)
    patterns: list[str | None] = field(default_factory=list)
    """The pattern of each call of ``matches``; None for one that is not written as a literal."""
    repeated: set[str] = field(default_factory=set)
    """The functions that are called within a macro, so once for each item of a list."""


def find_reads(serialized: bytes) -> Reads:
    """Return what a serialized, checked expression reads."""
    reads = Reads()
    checked = _split(_split(serialized)[_ANY_VALUE][0])
    _walk(checked[_CHECKED_EXPR][0], frozenset(), reads)
    return reads


def _walk(expression: bytes, bound: frozenset[str], reads: Reads) -> None:
    fields = _split(expression)
    path = _find_path(fields, bound)
    if path:
        reads.paths.add(path)
        return
    if _COMPREHENSION in fields:
        _walk_comprehension(_split(fields[_COMPREHENSION][0]), bound, reads)
    elif _CALL in fields:
        call = _split(fields[_CALL][0])
        if bound:
            reads.repeated.add(_text(call, 2))
        if _text(call, 2) == "matches":
            reads.patterns.append(_find_string(_split(call[3][-1])))
        _walk_each(call, 1, bound, reads)
        _walk_each(call, 3, bound, reads)
    elif _STRUCT in fields:
        for entry in _split(fields[_STRUCT][0]).get(2, []):
            _walk_each(_split(entry), 3, bound, reads)
            _walk_each(_split(entry), 4, bound, reads)
    for number in (_SELECT, _LIST):
        for part in fields.get(number, []):
            _walk_each(_split(part), 1, bound, reads)


def _walk_comprehension(parts: Fields, bound: frozenset[str], reads: Reads) -> None:
    names = {_text(parts, number) for number in (1, 3, 8)}
    for number in (2, 4):  # the range and the start value are outside of what the macro binds
        _walk_each(parts, number, bound, reads)
    for number in (5, 6, 7):
        _walk_each(parts, number, bound | names, reads)


def _walk_each(fields: Fields, number: int, bound: frozenset[str], reads: Reads) -> None:
    for expression in fields.get(number, []):
        _walk(expression, bound, reads)


def _find_path(fields: Fields, bound: frozenset[str]) -> str | None:
    """Return the path that an expression is, or None where it is something else than names and literal keys."""
    if _IDENT in fields:
        name = _text(_split(fields[_IDENT][0]), 1)
        return None if name in bound else name
    if _SELECT in fields:
        select = _split(fields[_SELECT][0])
        return _join(_find_path(_split(select[1][0]), bound), _text(select, 2))
    if _CALL in fields:
        call = _split(fields[_CALL][0])
        if _text(call, 2) in _INDEX_FUNCTIONS:
            container, key = call[3]
            return _join(_find_path(_split(container), bound), _find_string(_split(key)))
    return None


def _join(path: str | None, key: str | None) -> str | None:
    return f"{path}.{key}" if path and key is not None else None


def _find_string(fields: Fields) -> str | None:
    if _CONST not in fields:
        return None
    constant = _split(fields[_CONST][0])
    return _text(constant, _CONST_STRING) if _CONST_STRING in constant else None


def _text(fields: Fields, number: int) -> str:
    return fields.get(number, [b""])[-1].decode()


def _split(message: bytes) -> Fields:
    """Return the length-delimited fields of a protobuf message by number; numbers are passed over."""
    fields: Fields = {}
    for number, content in _iterate(message):
        fields.setdefault(number, []).append(content)
    return fields


def _iterate(message: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == _BYTES:
            length, position = _varint(message, position)
            yield number, message[position : position + length]
            position += length
        elif wire_type == _VARINT:
            _, position = _varint(message, position)
        elif wire_type in {_FIXED64, _FIXED32}:
            position += 8 if wire_type == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {wire_type} is not part of this message")


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        value |= (byte & 0x7F) << shift
        position += 1
        if byte < 0x80:  # noqa: PLR2004 - the continuation bit
            return value, position
        shift += 7
