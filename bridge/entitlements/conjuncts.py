"""An expression taken apart where it joins conditions by ``&&``, for explanations.

``a && b`` is false as soon as one of the two is; whoever asks why wants to know which. The parts are cut out of the
checked syntax tree, never out of the text: each is a whole expression of its own that the runtime evaluates as it would
have within the whole. Where it stands in the text is read from the positions that the parser left.
"""

from typing import NamedTuple

from bridge.entitlements.checked_ast import ANY_VALUE, CALL, CHECKED_EXPR
from bridge.entitlements.wire_format import Fields, read_numbers, read_text, split, write_field

# Field numbers of google/protobuf/any.proto and cel/expr/syntax.proto.
_ANY_TYPE, _SOURCE_INFO, _POSITIONS, _EXPRESSION_ID = 1, 5, 4, 2
_ENTRY_KEY, _ENTRY_VALUE = 1, 2


class Part(NamedTuple):
    """One of the conditions that are joined."""

    serialized: bytes
    """The checked expression, as the runtime reads it."""
    start: int
    end: int
    """Where it stands in the text, counted in characters; the end is not part of it."""


def split_conjunction(serialized: bytes, length: int) -> tuple[Part, ...]:
    """Return the conditions that a serialized, checked expression joins, in order; one if it joins none.

    ``length`` is that of its text, in characters.
    """
    envelope = split(serialized)
    checked = split(envelope[ANY_VALUE][0])
    positions = _read_positions(checked)
    leaves, operators = [], []
    pending = [checked[CHECKED_EXPR][0]]
    while pending:
        expression = pending.pop()
        joined = _find_joined(expression)
        if not joined:
            leaves.append(expression)
        else:
            operators.append(positions.get(read_numbers(expression).get(_EXPRESSION_ID, 0), 0))
            pending += reversed(joined)
    if len(leaves) == 1:
        return (Part(serialized, 0, length),)
    ends = sorted(operators)
    starts = [0, *(end + len("&&") for end in ends)]
    return tuple(
        Part(_wrap(envelope, checked, leaf), start, end)
        for leaf, start, end in zip(leaves, starts, [*ends, length], strict=True)
    )


def _find_joined(expression: bytes) -> list[bytes]:
    """Return the two sides of ``&&``; nothing for any other expression."""
    fields = split(expression)
    call = split(fields[CALL][0]) if CALL in fields else {}
    return call[3] if read_text(call, 2) == "_&&_" else []


def _read_positions(checked: Fields) -> dict[int, int]:
    """Return where in the text each expression begins, or its operator stands, by the expression's number."""
    entries = [read_numbers(entry) for entry in split(checked[_SOURCE_INFO][0]).get(_POSITIONS, [])]
    return {entry.get(_ENTRY_KEY, 0): entry.get(_ENTRY_VALUE, 0) for entry in entries}


def _wrap(envelope: Fields, checked: Fields, expression: bytes) -> bytes:
    """Return a checked expression with another root; types and references of all its parts stay where they were."""
    body = b"".join(
        write_field(number, expression if number == CHECKED_EXPR else content)
        for number, contents in checked.items()
        for content in contents
    )
    return write_field(_ANY_TYPE, envelope[_ANY_TYPE][0]) + write_field(ANY_VALUE, body)
