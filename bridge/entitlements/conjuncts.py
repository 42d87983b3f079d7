"""An expression taken apart where it joins conditions by ``&&``, for explanations.

``a && b`` is false as soon as one of the two is; whoever asks why wants to know which. The parts are cut out of the
checked syntax tree, never out of the text: each is a whole expression of its own that the runtime evaluates as it would
have within the whole. Where it stands in the text is read from the positions that the parser left.
"""

from typing import NamedTuple

from bridge.entitlements.checked_ast import (
    _ANY_VALUE,
    _BYTES,
    _CALL,
    _CHECKED_EXPR,
    _LIST,
    _VARINT,
    Fields,
    _find_path,
    _find_string,
    _split,
    _text,
    _varint,
)

_ANY_TYPE, _SOURCE_INFO, _POSITIONS, _EXPRESSION_ID = 1, 5, 4, 2
_ENTRY_KEY, _ENTRY_VALUE = 1, 2
_NOTHING_BOUND: frozenset[str] = frozenset()


class Part(NamedTuple):
    """One of the conditions that are joined."""

    serialized: bytes
    """The checked expression, as the runtime reads it."""
    start: int
    end: int
    """Where it stands in the text, counted in characters; the end is not part of it."""


class Comparison(NamedTuple):
    """A claim that is compared with texts that are written out."""

    claim: str
    texts: frozenset[str]


def split_conjunction(serialized: bytes, length: int) -> tuple[Part, ...]:
    """Return the conditions that a serialized, checked expression joins, in order; one if it joins none.

    ``length`` is that of its text, in characters.
    """
    envelope = _split(serialized)
    checked = _split(envelope[_ANY_VALUE][0])
    positions = _read_positions(checked)
    leaves, operators = [], []
    pending = [checked[_CHECKED_EXPR][0]]
    while pending:
        expression = pending.pop()
        joined = _find_call(expression, "_&&_")
        if joined is None:
            leaves.append(expression)
        else:
            operators.append(positions.get(_read_numbers(expression).get(_EXPRESSION_ID, 0), 0))
            pending += reversed(joined)
    if len(leaves) == 1:
        return (Part(serialized, 0, length),)
    ends = sorted(operators)
    starts = [0, *(end + len("&&") for end in ends)]
    return tuple(
        Part(_wrap(envelope, checked, leaf), start, end)
        for leaf, start, end in zip(leaves, starts, [*ends, length], strict=True)
    )


def find_comparison(serialized: bytes) -> Comparison | None:
    """Return what an expression compares, if it is no more than ``claims.a == "b"`` or the like with ``in``."""
    checked = _split(_split(serialized)[_ANY_VALUE][0])
    expression = checked[_CHECKED_EXPR][0]
    equal, within = _find_call(expression, "_==_"), _find_call(expression, "@in")
    left, right = equal or within or (b"", b"")
    for claim, constants in ((left, right), (right, left)):
        path, texts = _find_path(_split(claim), _NOTHING_BOUND), _find_texts(constants)
        if path and len(path) == 2 and path[0] == "claims" and texts:  # noqa: PLR2004  claims.NAME
            return Comparison(path[1], texts)
    return None


def _find_texts(expression: bytes) -> frozenset[str]:
    fields = _split(expression)
    items = _split(fields[_LIST][0]).get(1, []) if _LIST in fields else [expression]
    texts = [_find_string(_split(item)) for item in items]
    return frozenset(text for text in texts if text is not None) if None not in texts else frozenset()


def _find_call(expression: bytes, function: str) -> tuple[bytes, bytes] | None:
    fields = _split(expression)
    if _CALL not in fields:
        return None
    call = _split(fields[_CALL][0])
    if _text(call, 2) != function:
        return None
    left, right = call[3]
    return left, right


def _read_positions(checked: Fields) -> dict[int, int]:
    entries = [_read_numbers(entry) for entry in _split(checked[_SOURCE_INFO][0]).get(_POSITIONS, [])]
    return {entry.get(_ENTRY_KEY, 0): entry.get(_ENTRY_VALUE, 0) for entry in entries}


def _read_numbers(message: bytes) -> dict[int, int]:
    """Return the whole numbers among the fields of a message, which ``_split`` passes over."""
    numbers: dict[int, int] = {}
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            numbers[number], position = _varint(message, position)
        elif kind == _BYTES:
            length, position = _varint(message, position)
            position += length
        else:
            raise ValueError(f"wire type {kind} is not part of this message")
    return numbers


def _wrap(envelope: Fields, checked: Fields, expression: bytes) -> bytes:
    """Return a checked expression with another root; types and references of all its parts stay where they were."""
    body = b"".join(
        _field(number, expression if number == _CHECKED_EXPR else content)
        for number, contents in checked.items()
        for content in contents
    )
    return _field(_ANY_TYPE, envelope[_ANY_TYPE][0]) + _field(_ANY_VALUE, body)


def _field(number: int, content: bytes) -> bytes:
    return _write_varint(number << 3 | _BYTES) + _write_varint(len(content)) + content


def _write_varint(value: int) -> bytes:
    written = b""
    while value >= 0x80:  # noqa: PLR2004 - the continuation bit
        written += bytes([value & 0x7F | 0x80])
        value >>= 7
    return written + bytes([value])
