"""What can be weakened in a module, one thing at a time: a mutant is the module's syntax tree with one change in it.

Left alone is what no check depends on: documentation, annotations, decorators, log lines, which check has begun for the
trace, and the words inside a ``raise`` (but not the ``raise`` itself).
"""

import ast
import contextlib
import copy
import os
import re
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Add,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
_OPPOSITES = {"any": "all", "all": "any", "min": "max", "max": "min"}
_NORMALIZERS = {
    *("casefold", "lower", "upper", "strip", "lstrip", "rstrip", "replace", "translate", "removeprefix"),
    *("removesuffix", "fullmatch", "keys"),
}
_LONGEST, _AROUND = 110, 15
_WITHOUT_CHECKS = (ast.Import, ast.ImportFrom, ast.Global, ast.Pass)


@dataclass(frozen=True)
class Mutant:
    """One change: where it stands, what it is, and how to make and undo it in the tree."""

    path: Path
    lines: range
    """The lines of the statement around it: a test that runs none of them cannot notice."""
    scope: str
    """The function or class that it stands in; an empty string for the module."""
    calls: frozenset[str]
    """The functions that the statement calls, by name."""
    block: frozenset[int]
    """The lines of the function around it; outside of functions, of all that use what the statement defines."""
    names: frozenset[str]
    """What the statement defines outside of functions, or helps to define when the module is loaded; and what that
    defines in turn."""
    used_at: frozenset[int]
    """Where functions of the module use one of these names."""
    change: str
    """``before → after``, as source text."""
    tree: ast.Module
    make: Callable[[], None]
    undo: Callable[[], None]

    @property
    def name(self) -> str:
        """What tells it from every other one, and is the same in the next run of the same source."""
        return f"{self.path}:{self.lines.start} {self.change}"

    def is_named_in(self, names: frozenset[str]) -> bool:
        """Tell whether a run of perhaps another state of the source has named it; lines may have moved since."""
        return f"{self.path} {self.change}" in names

    def compile(self) -> "CodeType":  # noqa: F821
        """Return the code of the module with this change in it."""
        self.make()
        try:
            tree = ast.fix_missing_locations(self.tree)
            return compile(tree, str(self.path.resolve()), "exec", dont_inherit=True)
        finally:
            self.undo()


def find_mutants(path: Path) -> Iterator[Mutant]:
    """Yield every mutant of a module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    uses, dependents = find_uses(tree)
    made_by = _find_makers(tree)
    functions = [_span(node) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    seen = set()
    for statement, scope, block in _statements(tree.body, "", range(0)):
        lines = range(statement.lineno, _end_of_header(statement) + 1)
        made = made_by[scope.partition(".")[0]] if block else _defined(statement, scope)
        names = _reach(made, dependents)
        used_at = frozenset(line for name in names for line in uses[name])
        calls = _calls(statement)
        around = frozenset(block or (line for one in functions if used_at.intersection(one) for line in one))
        for container, key, replacement, change in _changes(statement):
            name = (lines.start, change)
            if name in seen or (isinstance(replacement, ast.AST) and _same(_get(container, key), replacement)):
                continue
            seen.add(name)
            make, undo = _editor(container, key, replacement)
            yield Mutant(path, lines, scope, calls, around, names, used_at, change, tree, make, undo)


def _statements(body: list[ast.stmt], scope: str, block: range) -> Iterator[tuple[ast.stmt, str, range]]:
    for statement in body:
        if isinstance(statement, _WITHOUT_CHECKS) or ast.unparse(statement).startswith(
            ("_LOG.", "__all__", "trace.at", "trace = ", "'", '"', "...")
        ):
            continue
        inner, within = scope, block
        if isinstance(statement, ast.FunctionDef):
            within = _span(statement)
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            inner = f"{scope}.{statement.name}".lstrip(".")
        yield statement, scope, block
        for name in ("body", "orelse", "finalbody"):
            yield from _statements(getattr(statement, name, []), inner, within)
        for handler in getattr(statement, "handlers", []):
            yield from _statements(handler.body, inner, within)


def find_functions(path: Path) -> Iterator[tuple[str, range]]:
    """Yield the name and the lines of every function of a module."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            yield node.name, _span(node)


def _calls(statement: ast.stmt) -> frozenset[str]:
    if getattr(statement, "body", None):
        return frozenset()
    functions = (node.func for node in ast.walk(statement) if isinstance(node, ast.Call))
    return frozenset(
        function.id if isinstance(function, ast.Name) else function.attr
        for function in functions
        if isinstance(function, ast.Name | ast.Attribute)
    )


def _span(function: ast.FunctionDef) -> range:
    return range(function.lineno, (function.end_lineno or function.lineno) + 1)


def _defined(statement: ast.stmt, scope: str) -> set[str]:
    """Return the names that a statement outside of functions defines; in a class, the class's own."""
    if scope:
        return {scope.partition(".")[0]}
    return {
        name.id for name in ast.walk(statement) if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
    } | ({statement.name} if isinstance(statement, ast.FunctionDef | ast.ClassDef) else set())


def find_uses(tree: ast.Module) -> tuple[dict[str, set[int]], dict[str, set[str]]]:
    """Return the lines within functions where each name is used, and what is defined by means of it outside of them."""
    uses: dict[str, set[int]] = defaultdict(set)
    dependents: dict[str, set[str]] = defaultdict(set)
    for statement in tree.body:
        functions = [node for node in ast.walk(statement) if isinstance(node, ast.FunctionDef)]
        lines = {line for node in functions for line in _span(node)}
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                if node.lineno in lines:
                    uses[node.id].add(node.lineno)
                else:
                    dependents[node.id] |= _defined(statement, "")
    return uses, dependents


def _find_makers(tree: ast.Module) -> dict[str, set[str]]:
    """Return, for each function and class that runs when the module is loaded, the names that it helps to define."""
    bodies = {
        node.name: {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    made_by: dict[str, set[str]] = defaultdict(set)
    for statement in tree.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            called = {part.id for part in ast.walk(statement) if isinstance(part, ast.Name)}
            for maker in _reach(called, defaultdict(set, bodies)) & bodies.keys():
                made_by[maker] |= _defined(statement, "")
    return made_by


def _reach(names: set[str], dependents: dict[str, set[str]]) -> frozenset[str]:
    found, new = set(names), set(names)
    while new:
        new = set().union(*(dependents[name] for name in new)) - found
        found |= new
    return frozenset(found)


def _end_of_header(statement: ast.stmt) -> int:
    """Return the last line before the statements inside this one."""
    body = getattr(statement, "body", None)
    end: int = statement.end_lineno or statement.lineno
    return max(statement.lineno, body[0].lineno - 1) if body else end


def _changes(statement: ast.stmt) -> Iterator[tuple[object, object, object, str]]:
    """Yield container, key, replacement and description of every change of one statement, without those inside it."""
    yield from _removals(statement)
    if isinstance(statement, ast.Raise):
        return
    if isinstance(statement, ast.If | ast.While):
        yield from _constant_conditions(statement, "test", type(statement).__name__.lower())
    for name in _expression_fields(statement):
        value = getattr(statement, name)
        if isinstance(value, list):
            for index, item in enumerate(value):
                yield from _expression(value, index, item)
        elif isinstance(value, ast.AST):
            yield from _expression(statement, name, value)
    for handler in getattr(statement, "handlers", []):
        nothing = ast.Tuple(elts=[], ctx=ast.Load())
        yield handler, "type", nothing, f"except {ast.unparse(handler.type)} → except ()"
        if isinstance(handler.type, ast.Tuple):
            yield from _elements(handler.type, "elts", handler.type.elts)


def _expression_fields(statement: ast.stmt) -> tuple[str, ...]:
    match statement:
        case ast.FunctionDef():
            return ()
        case ast.ClassDef():
            return ()
        case ast.AnnAssign() | ast.Assign() | ast.AugAssign() | ast.Return() | ast.Expr():
            return ("value",)
        case ast.If() | ast.While():
            return ("test",)
        case ast.For():
            return ("iter",)
        case _:
            return ()


def _removals(statement: ast.stmt) -> Iterator[tuple[object, object, object, str]]:
    """Leave the statement out, where what comes after it can still run."""
    shown = _shorten(ast.unparse(statement).splitlines()[0])
    match statement:
        case ast.Raise() | ast.AugAssign() | ast.Expr():
            yield statement, "__whole__", ast.Pass(), f"{shown} → pass"
        case ast.Continue():
            yield statement, "__whole__", ast.Break(), "continue → break"
        case ast.Return(value=value) if value is not None and not _is_none(value):
            yield statement, "value", ast.Constant(None), f"{shown} → return None"
        case ast.With():
            yield statement, "__whole__", ast.If(ast.Constant(value=True), statement.body, []), f"{shown} → (without)"
        case ast.FunctionDef():
            defaults = statement.args.defaults
            for index, default in enumerate(defaults):
                yield from _expression(defaults, index, default)


def _constant_conditions(node: object, name: str, word: str) -> Iterator[tuple[object, object, object, str]]:
    shown = _shorten(ast.unparse(getattr(node, name)))
    for value in (False, True) if word != "while" else (False,):
        yield node, name, ast.Constant(value), f"{word} {shown} → {word} {value}"


def _expression(  # noqa: C901, PLR0912  one case for each kind of expression
    container: object, key: object, node: ast.AST
) -> Iterator[tuple[object, object, object, str]]:
    for replacement in _replacements(node):
        yield container, key, replacement, _describe(node, replacement)
    match node:
        case ast.Tuple(elts=elements) | ast.List(elts=elements) | ast.Set(elts=elements):
            yield from _elements(node, "elts", elements)
        case ast.Dict(keys=keys):
            for index in range(len(keys)):
                smaller = ast.Dict(
                    [*keys[:index], *keys[index + 1 :]], [*node.values[:index], *node.values[index + 1 :]]
                )
                key_shown = ast.unparse(keys[index]) if keys[index] else "**"
                yield container, key, smaller, f"a dict without {_shorten(key_shown)}"
        case ast.Compare(ops=operators):
            for index, operator in enumerate(operators):
                for other in _COMPARISONS[type(operator)]:
                    changed = copy.copy(node)
                    changed.ops = [*operators[:index], other(), *operators[index + 1 :]]
                    yield container, key, changed, _describe(node, changed)
    for name, value in ast.iter_fields(node):
        if isinstance(value, ast.expr):
            yield from _expression(node, name, value)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, ast.keyword):
                    yield from _expression(item, "value", item.value)
                elif isinstance(item, ast.comprehension):
                    yield from _comprehension(item)
                elif isinstance(item, ast.expr):
                    yield from _expression(value, index, item)


def _comprehension(part: ast.comprehension) -> Iterator[tuple[object, object, object, str]]:
    yield from _expression(part, "iter", part.iter)
    for index, condition in enumerate(part.ifs):
        shown = _shorten(ast.unparse(condition))
        for value in (False, True):
            yield part.ifs, index, ast.Constant(value), f"for … if {shown} → for … if {value}"
        yield from _expression(part.ifs, index, condition)


def _elements(node: ast.AST, name: str, elements: list[ast.expr]) -> Iterator[tuple[object, object, object, str]]:
    if isinstance(getattr(node, "ctx", None), ast.Store) or (len(elements) == 1 and isinstance(node, ast.Set)):
        return
    shown = _shorten(ast.unparse(node))
    for index, element in enumerate(elements):
        smaller = [*elements[:index], *elements[index + 1 :]]
        yield node, name, smaller, f"{shown} without {_shorten(ast.unparse(element))}"


def _replacements(node: ast.AST) -> Iterator[ast.expr]:  # noqa: C901  one case for each kind of expression
    match node:
        case ast.Constant(value=value):
            yield from map(ast.Constant, _other_constants(value))
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand
        case ast.BoolOp(op=operator, values=values):
            yield ast.BoolOp(ast.Or() if isinstance(operator, ast.And) else ast.And(), values)
            for index in range(len(values)):
                rest = [*values[:index], *values[index + 1 :]]
                yield ast.BoolOp(operator, rest) if len(rest) > 1 else rest[0]
        case ast.BinOp(left=left, op=operator, right=right):
            yield left
            yield right
            if type(operator) in _ARITHMETIC:
                yield ast.BinOp(left, _ARITHMETIC[type(operator)](), right)
        case ast.IfExp(body=body, orelse=orelse):
            yield body
            yield orelse
        case ast.Slice(lower=lower, upper=upper, step=step):
            if lower:
                yield ast.Slice(None, upper, step)
            if upper:
                yield ast.Slice(lower, None, step)
        case ast.Call():
            yield from _other_calls(node)


def _other_constants(value: object) -> Iterator[object]:
    match value:
        case bool():
            yield not value
        case int():
            yield value + 1
            yield value - 1
        case str():
            yield f"{value}X"
        case bytes():
            yield value + b"X"


def _other_calls(call: ast.Call) -> Iterator[ast.expr]:
    function = call.func
    if isinstance(function, ast.Name) and function.id in _OPPOSITES:
        yield ast.Call(ast.Name(_OPPOSITES[function.id], ast.Load()), call.args, call.keywords)
    if isinstance(function, ast.Attribute) and function.attr in _NORMALIZERS:
        yield function.value
    if isinstance(function, ast.Attribute) and function.attr == "fullmatch":
        yield ast.Call(ast.Attribute(function.value, "match", ast.Load()), call.args, call.keywords)
    for index, keyword in enumerate(call.keywords):
        if keyword.arg is not None:
            yield ast.Call(function, call.args, [*call.keywords[:index], *call.keywords[index + 1 :]])
    if ast.unparse(function) == "re.compile" and isinstance(call.args[0], ast.Constant):
        for pattern in _weaker_patterns(call.args[0].value):
            yield ast.Call(function, [ast.Constant(pattern), *call.args[1:]], call.keywords)


def _weaker_patterns(pattern: str | bytes) -> Iterator[str | bytes]:
    """Leave out one character, as long as what is left is a pattern."""
    for index in range(len(pattern)):
        shorter = pattern[:index] + pattern[index + 1 :]
        with warnings.catch_warnings(), contextlib.suppress(re.error):
            warnings.simplefilter("ignore", FutureWarning)  # what is left may look like what Python plans to change
            re.compile(shorter)
            yield shorter


def _get(container: object, key: object) -> object:
    if key == "__whole__":
        return container
    return container[key] if isinstance(container, list) else getattr(container, str(key))


def _same(one: object, other: ast.AST) -> bool:
    return isinstance(one, ast.AST) and ast.unparse(one) == ast.unparse(other)


def _editor(container: object, key: object, replacement: object) -> tuple[Callable[[], None], Callable[[], None]]:
    if key == "__whole__":
        return _whole_editor(container, replacement)
    before = _get(container, key)
    place = before if isinstance(before, ast.AST) else container

    def put(value: object) -> None:
        if isinstance(container, list):
            container[key] = value
        else:
            setattr(container, str(key), value)

    def make() -> None:
        if isinstance(replacement, ast.AST) and isinstance(place, ast.AST) and hasattr(place, "lineno"):
            ast.copy_location(replacement, place)
        put(replacement)

    return make, lambda: put(before)


def _whole_editor(statement: object, replacement: object) -> tuple[Callable[[], None], Callable[[], None]]:
    """Turn a statement into another in its place, whatever list it stands in."""
    kind, fields = statement.__class__, dict(vars(statement))
    new_fields = dict(vars(replacement))
    position = {name: fields[name] for name in ("lineno", "col_offset", "end_lineno", "end_col_offset")}

    def make() -> None:
        statement.__class__ = replacement.__class__
        vars(statement).clear()
        vars(statement).update(new_fields | position)

    def undo() -> None:
        statement.__class__ = kind
        vars(statement).clear()
        vars(statement).update(fields)

    return make, undo


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def _describe(before: ast.AST, after: ast.AST) -> str:
    """Write both as source; of long ones, only what differs and what stands around it."""
    old, new = (" ".join(ast.unparse(node).split()) for node in (before, after))
    if len(old) + len(new) > _LONGEST:
        start = max(0, len(os.path.commonprefix([old, new])) - _AROUND)  # noqa: RUF071  characters are meant
        end = max(0, len(os.path.commonprefix([old[start:][::-1], new[start:][::-1]])) - _AROUND)  # noqa: RUF071  characters are meant
        front, behind = ("… " if start else ""), (" …" if end else "")
        old, new = (f"{front}{text[start : len(text) - end]}{behind}" for text in (old, new))
    return f"{old} → {new}"


def _shorten(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _LONGEST else f"{flat[:70]} … {flat[-35:]}"
