"""What a compiled CEL expression reads and calls.

The runtime hands out its checked syntax tree as a ``google.api.expr`` ``CheckedExpr`` protobuf message. This module
reads just enough of that message to name each path (``claims.groups``, ``claims.address.city``) and each regular
expression, and to tell how long the longest value can become. A name that a macro binds (the ``g`` of
``exists(g, …)``) is not a path.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from bridge.entitlements.wire_format import Fields, read_text, split

# Field numbers of cel/expr/checked.proto and cel/expr/syntax.proto.
ANY_VALUE, CHECKED_EXPR = 2, 4
_CONST, _IDENT, _SELECT, CALL, _LIST, _STRUCT, _COMPREHENSION = 3, 4, 5, 6, 7, 8, 9
_CONST_STRING = 6
_INDEX_FUNCTIONS = frozenset({"_[_]", "_[?_]", "_?._"})
_PARTS = {_SELECT: (1,), CALL: (1, 3), _LIST: (1,), _COMPREHENSION: (2, 4, 5, 6, 7)}
_CLAIM_PATH = 2
"""The length of the path of a claim itself; that of a part of one is longer."""

ANY_LENGTH = 1_000
"""The growth by a text whose length is known only when it is read: more than is ever allowed."""
_RESULT = "@result"
"""How the runtime names what a macro gathers. Nobody can write such a name."""
MANY_ITEMS = 30
"""The growth by a macro within a macro. The runtime stops one that goes on and on, but not one behind the other."""


@dataclass
class Reads:
    """What was found in one expression."""

    paths: set[tuple[str, ...]] = field(default_factory=set)
    patterns: list[str | None] = field(default_factory=list)
    """The pattern of each call of ``matches``; None for one that is not written as a literal."""
    repeated: set[str] = field(default_factory=set)
    """The functions that are called within a macro, so once for each item of a list."""
    growth: int = 1
    """How many times longer than what goes in something can become, at most, if every step makes the next one longer.

    A step is a call that makes a longer text, or a macro that makes a list or an optional value, or that binds a name
    to something put together for another macro.
    """
    makes_lists: bool = False
    """Whether a macro makes a list. The runtime copies it for each item: it costs the square of its length."""
    called: set[str] = field(default_factory=set)
    """The functions that are called."""
    called_for_macros: set[str] = field(default_factory=set)
    """The functions that are called for what a macro goes through."""


def find_reads(serialized: bytes) -> Reads:
    """Return what a serialized, checked expression reads."""
    reads = Reads()
    checked = split(split(serialized)[ANY_VALUE][0])
    _walk(checked[CHECKED_EXPR][0], frozenset(), reads)
    return reads


def find_required(serialized: bytes) -> tuple[tuple[str, frozenset[str]], ...]:
    """Return the claims that must be, or hold, one of these texts for a serialized condition to be true.

    Found are ``claims.x == "a"``, ``claims.x in ["a", "b"]`` and ``"a" in claims.x``, alone or joined by ``&&``, which
    is true only if all its parts are.
    """
    checked = split(split(serialized)[ANY_VALUE][0])
    return tuple(_iterate_required(split(checked[CHECKED_EXPR][0])))


def _iterate_required(fields: Fields) -> Iterator[tuple[str, frozenset[str]]]:
    if CALL not in fields:
        return
    call = split(fields[CALL][0])
    function, operands = read_text(call, 2), [split(operand) for operand in call.get(3, [])]
    if function == "_&&_":
        for operand in operands:
            yield from _iterate_required(operand)
    elif function in {"_==_", "@in"}:
        left, right = operands
        for claim, alternatives in ((left, _find_items(right) if function == "@in" else [right]), (right, [left])):
            path, texts = _find_path(claim, frozenset()), [_find_string(each) for each in alternatives]
            known = frozenset(text for text in texts if text is not None)
            if path and path[0] == "claims" and len(path) == _CLAIM_PATH and known and None not in texts:
                yield path[1], known


def _find_items(fields: Fields) -> list[Fields]:
    """Return the items of a list that is written out."""
    return [split(item) for item in split(fields[_LIST][0]).get(1, [])] if _LIST in fields else []


def _walk(expression: bytes, bound: frozenset[str], reads: Reads) -> None:
    fields = split(expression)
    path = _find_path(fields, bound)
    if path:
        reads.paths.add(path)
        return
    if _COMPREHENSION in fields:
        _walk_comprehension(split(fields[_COMPREHENSION][0]), bound, reads)
        return
    if CALL in fields:
        _note_call(split(fields[CALL][0]), bound, reads)
    for part in _iterate_parts(fields):
        _walk(part, bound, reads)


def _note_call(call: Fields, bound: frozenset[str], reads: Reads) -> None:
    function = read_text(call, 2)
    reads.called.add(function)
    if bound:
        reads.repeated.add(function)
    if function == "matches":
        reads.patterns.append(_find_string(split(call[3][-1])))
    reads.growth *= _measure_call(function, call.get(3, []))


def _walk_comprehension(parts: Fields, bound: frozenset[str], reads: Reads) -> None:
    names = {read_text(parts, number) for number in (1, 3, 8)}
    reads.makes_lists |= _LIST in split(parts[4][0])
    reads.growth *= _measure_macro(parts) * _measure_range(parts, nested=bool(bound))
    for number in (2, 4):  # the range and the start value are outside of what the macro binds
        for part in parts.get(number, []):
            reads.called_for_macros |= set(_iterate_functions(part))
            _walk(part, bound, reads)
    for number in (5, 6, 7):
        for part in parts.get(number, []):
            _walk(part, bound | names, reads)


def _measure_call(function: str, arguments: list[bytes]) -> int:
    """Return how many times longer a call makes a text, at most; what makes one text of a list counts as two."""
    texts = [_find_string(split(argument)) for argument in arguments]
    lengths = [ANY_LENGTH if text is None else len(text) for text in texts]
    match function:
        case "replace" if texts[0]:
            return max(1, -(-lengths[1] // len(texts[0])))
        case "replace":  # of nothing, it inserts between all letters
            return lengths[1] + 1
        case "join":
            return max(2, 1 + sum(lengths))
        case "format" | "strings.quote":
            return 2
    return 1


def _measure_macro(parts: Fields) -> int:
    """Return how often a macro that makes a list, or an optional value, can put one item into what it makes.

    ``[text].map(t, t + t)`` doubles, and so does each further ``map`` behind it. What ``exists`` and its like make is
    true, false or a number.
    """
    if _CONST in split(parts[4][0]):
        return 1
    in_step = sum(_count_uses(step, {read_text(parts, 1), read_text(parts, 8)}) for step in parts[6])
    in_result = sum(_count_uses(result, {read_text(parts, 3)}) for result in parts[7])
    return max(1, in_step) * max(1, in_result)


def _measure_range(parts: Fields, *, nested: bool) -> int:
    """Return from how many values a macro puts together what it goes through, where that can go on from macro to macro.

    ``[x + x].exists(y, [y + y].exists(z, …))`` doubles at each level.
    """
    goes_on = nested or any(_COMPREHENSION in split(inner) for step in parts[6] for inner in _iterate_all(step))
    return max(1, sum(_count_names(part) for part in parts[2])) if goes_on else 1


def _iterate_all(expression: bytes) -> Iterator[bytes]:
    """Yield an expression and all within it."""
    yield expression
    for part in _iterate_parts(split(expression)):
        yield from _iterate_all(part)


def _count_names(expression: bytes) -> int:
    return sum(_IDENT in split(inner) for inner in _iterate_all(expression))


def _iterate_functions(expression: bytes) -> Iterator[str]:
    """Yield each function that is called in an expression.

    Left out is ``+`` where it makes no list longer: by text that is written out, or by the one item of a macro.
    """
    for inner in _iterate_all(expression):
        for node in split(inner).get(CALL, []):
            call = split(node)
            operands = [split(operand) for operand in call.get(3, [])]
            if not any(_is_item_or_text(operand) for operand in operands) or read_text(call, 2) != "_+_":
                yield read_text(call, 2)


def _is_item_or_text(operand: Fields) -> bool:
    gathers = _IDENT in operand and read_text(split(operand[_IDENT][0]), 1).startswith(_RESULT)
    return gathers or _find_string(operand) is not None


def _count_uses(expression: bytes, names: set[str]) -> int:
    """Return how often an expression mentions the names; what a macro within it does counts once for each item."""
    fields = split(expression)
    if _IDENT in fields:
        return int(read_text(split(fields[_IDENT][0]), 1) in names)
    uses = sum(_count_uses(part, names) for part in _iterate_parts(fields))
    return uses * MANY_ITEMS if _COMPREHENSION in fields else uses


def _iterate_parts(fields: Fields) -> Iterator[bytes]:
    """Yield the expressions directly within one."""
    for kind, numbers in _PARTS.items():
        for node in fields.get(kind, []):
            inside = split(node)
            for number in numbers:
                yield from inside.get(number, [])
    for struct in fields.get(_STRUCT, []):
        for entry in split(struct).get(2, []):
            inside = split(entry)
            yield from (*inside.get(3, []), *inside.get(4, []))


def _find_path(fields: Fields, bound: frozenset[str]) -> tuple[str, ...] | None:
    """Return the path that an expression is, or None where it is something else than names and literal keys."""
    if _IDENT in fields:
        name = read_text(split(fields[_IDENT][0]), 1)
        return None if name in bound else (name,)
    if _SELECT in fields:
        select = split(fields[_SELECT][0])
        return _join(_find_path(split(select[1][0]), bound), read_text(select, 2))
    if CALL in fields:
        call = split(fields[CALL][0])
        if read_text(call, 2) in _INDEX_FUNCTIONS:
            container, key = call[3]
            return _join(_find_path(split(container), bound), _find_string(split(key)))
    return None


def _join(path: tuple[str, ...] | None, key: str | None) -> tuple[str, ...] | None:
    return (*path, key) if path and key is not None else None


def _find_string(fields: Fields) -> str | None:
    if _CONST not in fields:
        return None
    constant = split(fields[_CONST][0])
    return read_text(constant, _CONST_STRING) if _CONST_STRING in constant else None
