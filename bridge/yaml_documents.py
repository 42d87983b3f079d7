"""YAML files as checked data, in which every key and value still knows its line and column.

YAML 1.1 without its traps. Only mappings, lists, text, whole numbers, decimals, ``true``, ``false`` and ``null``
exist: ``NO``, ``on``, ``012``, ``1_000`` and ``2026-01-01`` are text. A key that comes twice would silently replace
the first one, and an alias would let ten lines stand for a billion values, so both are refused, and with them
anchors, merge keys, tags and second documents.

A secret is never written into a file: a ``SecretStr`` field holds ``env:NAME`` or ``file:PATH`` (relative to the
file that says so), and reading replaces the reference by what it points to.
"""

import copy
import difflib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Generic, TypeAlias, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from bridge.errors import Problem, SettingsError

MAX_BYTES = 8 * 1024 * 1024
"""Room for ten thousand rules, and not for a file that somebody put here by mistake."""
MAX_SECRET_BYTES = 65_536
MAX_DEPTH = 24

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"
Loc: TypeAlias = tuple[int | str, ...]
Model = TypeVar("Model")

_CONSTANTS: dict[str, Value] = {"": None, "~": None, "null": None, "true": True, "false": False}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})", re.ASCII)
_DECIMAL = re.compile(r"[-+]?[0-9]{1,18}\.[0-9]{1,18}", re.ASCII)
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Mark:
    """Where a key or value begins; both numbers count from 1."""

    line: int
    column: int
    style: str = ""
    """How a value is written: plain (empty), ``'``, ``"``, ``|`` or ``>``."""


@dataclass(frozen=True)
class Positions:
    """Where everything in one file stands, by its path from the top: ``("rules", 0, "name")``."""

    file: Path
    values: Mapping[Loc, Mark] = field(repr=False)
    keys: Mapping[Loc, Mark] = field(repr=False)

    def locate(self, loc: Loc, *, key: bool = False) -> Mark:
        """Return where ``loc`` stands, or the nearest thing around it that is in the file.

        Steps that are not in the file are passed over: pydantic puts the names of union members among them.
        """
        known: Loc = ()
        for step in loc:
            if (*known, step) in self.values:
                known = (*known, step)
        if key and known in self.keys:
            return self.keys[known]
        return self.values.get(known, Mark(1, 1))

    def locate_inside(self, loc: Loc, line: int, column: int) -> Mark:
        """Return where a place within the text at ``loc`` stands; ``line`` and ``column`` count from 1 in the text."""
        start = self.locate(loc)
        if start.style == "|":
            return Mark(start.line + line, column)
        if start.style == ">":
            return Mark(start.line + 1, 1)
        if line > 1:
            return Mark(start.line + line - 1, column)
        return Mark(start.line, start.column + column - 1 + len(start.style))

    def problem(self, loc: Loc, message: str, fix: str, *, severity: str = "error", at_key: bool = False) -> Problem:
        """Build a problem that points to ``loc``; ``at_key``: to its key instead of its value."""
        mark = self.locate(loc, key=at_key)
        return Problem(self.file, mark.line, mark.column, message, fix, severity)


@dataclass(frozen=True)
class Document:
    """One file as data. ``problems`` are those that did not keep us from reading the rest of it."""

    data: Value
    positions: Positions
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class Reading(Generic[Model]):
    """One file, read as far as it goes."""

    content: Model | None
    """With problems beside it: a part that is good only for finding more of them. None: nothing is usable."""
    document: Document

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Return every problem of the file; empty if ``content`` is all of it and right."""
        return self.document.problems


def refusal(message: str, fix: str) -> PydanticCustomError:
    """Return what a validator raises: what is wrong, and what to write instead."""
    return PydanticCustomError("refused", "{message}", {"message": message, "fix": fix})


def read_document(path: Path) -> Document:
    """Read one file as data with positions.

    Raises:
        SettingsError: the file cannot be read at all, or is not one YAML document within our bounds.
    """
    return _Reader(path).read()


def read_model(path: Path, model: TypeAdapter[Model]) -> Reading[Model]:
    """Read one file, validate it and resolve its secret references; collect every problem instead of raising."""
    try:
        document = read_document(path)
    except SettingsError as error:
        return Reading(None, Document(None, Positions(path, {}, {}), error.problems))
    problems = list(document.problems)
    try:
        content: Model | None = model.validate_python(document.data)
    except ValidationError as error:
        problems += _explain(error, document.positions, model)
        content = salvage(document.data, model)
    if content is not None:
        content = _resolve_secrets(content, document.positions, (), problems)
    return Reading(content, replace(document, problems=tuple(problems)))


def load_document(path: Path, model: TypeAdapter[Model]) -> tuple[Model, Positions]:
    """Read one file, validate it and resolve its secret references.

    Raises:
        SettingsError: with every problem of the file.
    """
    reading = read_model(path, model)
    if reading.content is None or reading.problems:
        raise SettingsError(reading.problems)
    return reading.content, reading.document.positions


def salvage(data: Value, model: TypeAdapter[Model]) -> Model | None:
    """Return what is left of ``data`` without its faulty optional values, to look for further problems in it.

    None where it cannot be used even so. Never let anything but a search for problems use it.
    """
    data = copy.deepcopy(data)
    for _ in range(2):  # without a faulty value, a fault of the whole may show
        try:
            return model.validate_python(data)
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_input=False):
                _remove(data, detail["loc"])
    return None


def _remove(data: Value, loc: Loc) -> None:
    """Remove the key at ``loc``; steps that are not in the data (names of union members) are passed over."""
    parent: Value = None
    for step in loc:
        if isinstance(data, dict) and step in data:
            parent, key, data = data, str(step), data[str(step)]
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
    if isinstance(parent, dict):
        parent.pop(key, None)


# ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────


class _Reader:
    """Builds the data of one file from the parser's events; nothing is expanded, so size in bounds size out."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._values: dict[Loc, Mark] = {}
        self._keys: dict[Loc, Mark] = {}
        self._problems: list[Problem] = []

    def read(self) -> Document:
        events = self._parse_events(self._read_text())
        data: Value = None
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._stop(event, "this file holds a second document", "Move it to a file of its own.")
            elif isinstance(event, yaml.NodeEvent):
                data = self._build(event, events, ())
        positions = Positions(self._path, self._values, self._keys)
        return Document(data, positions, tuple(self._problems))

    def _read_text(self) -> str:
        try:
            with self._path.open("rb") as file:
                raw = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise self._refuse(1, 1, f"this file cannot be read: {error.strerror}", "Check its path.") from error
        if len(raw) > MAX_BYTES:
            raise self._refuse(1, 1, f"this file is larger than {MAX_BYTES} bytes", "Split it into several files.")
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            line = raw.count(b"\n", 0, error.start) + 1
            raise self._refuse(line, 1, "this file is not UTF-8", "Save it in the encoding UTF-8.") from error

    def _parse_events(self, text: str) -> Iterator[yaml.Event]:
        try:
            yield from yaml.parse(text, Loader=_Loader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            message = f"this is not YAML: {error.problem}"
            fix = "Check the indentation (blanks, no tabs), and put text that holds `: ` or ` #` in quotes."
            raise self._refuse(line, column, message, fix) from error
        except yaml.YAMLError as error:
            raise self._refuse(1, 1, "this file holds a control character", "Remove it.") from error

    def _build(self, event: yaml.NodeEvent, events: Iterator[yaml.Event], loc: Loc) -> Value:
        self._check_plain(event)
        if len(loc) > MAX_DEPTH:
            raise self._stop(event, f"this is nested more than {MAX_DEPTH} levels deep", "Write it flatter.")
        self._values[loc] = _mark(event)
        if isinstance(event, yaml.MappingStartEvent):
            return self._build_mapping(events, loc)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._build_list(events, loc)
        if isinstance(event, yaml.ScalarEvent):
            return _read_scalar(event)
        raise self._stop(event, "an alias (`*name`) is not allowed here", "Write the value out.")

    def _build_mapping(self, events: Iterator[yaml.Event], loc: Loc) -> Value:
        mapping: dict[str, Value] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            if not isinstance(event, yaml.ScalarEvent):
                raise self._stop(event, "a key must be plain text", "Write `name: value`.")
            self._check_plain(event)
            key = event.value
            child = (*loc, key)
            if key == "<<" and event.implicit[0]:
                self._note(event, "a merge key (`<<`) is not allowed here", "Write the values out.")
            if key in mapping:
                first = self._keys[child].line
                self._note(event, f"`{key}` stands here a second time; the first is in line {first}", "Remove one.")
            else:
                self._keys[child] = _mark(event)
            value = self._build(_next_node(events), events, child)
            mapping.setdefault(key, value)
        return mapping

    def _build_list(self, events: Iterator[yaml.Event], loc: Loc) -> Value:
        items: list[Value] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            assert isinstance(event, yaml.NodeEvent)  # noqa: S101 - the parser's grammar
            items.append(self._build(event, events, (*loc, len(items))))
        return items

    def _check_plain(self, event: yaml.NodeEvent) -> None:
        """No anchor and no tag: what one sees is what is read."""
        if event.anchor is not None and not isinstance(event, yaml.AliasEvent):
            self._note(event, f"an anchor (`&{event.anchor}`) is not allowed here", "Remove it.")
        tag = getattr(event, "tag", None)
        if tag is not None:
            self._note(event, f"a tag (`{tag}`) is not allowed here", "Remove it; put text in quotes.")

    def _note(self, event: yaml.Event, message: str, fix: str) -> None:
        mark = _mark(event)
        self._problems.append(Problem(self._path, mark.line, mark.column, message, fix))

    def _stop(self, event: yaml.Event, message: str, fix: str) -> SettingsError:
        self._note(event, message, fix)
        return SettingsError(self._problems)

    def _refuse(self, line: int, column: int, message: str, fix: str) -> SettingsError:
        return SettingsError([*self._problems, Problem(self._path, line, column, message, fix)])


def _next_node(events: Iterator[yaml.Event]) -> yaml.NodeEvent:
    event = next(events)
    assert isinstance(event, yaml.NodeEvent)  # noqa: S101 - the parser's grammar
    return event


def _mark(event: yaml.Event) -> Mark:
    start = event.start_mark
    if start is None:
        return Mark(1, 1)
    return Mark(start.line + 1, start.column + 1, getattr(event, "style", None) or "")


def _read_scalar(event: yaml.ScalarEvent) -> Value:
    text: str = event.value
    if event.style:
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else text


# ── Explaining what pydantic found ───────────────────────────────────────────────────────────────────────────

_MESSAGES = {
    "model_type": "`name: value` lines are expected here",
    "model_attributes_type": "`name: value` lines are expected here",
    "dict_type": "`name: value` lines are expected here",
    "tuple_type": "a list is expected here",
    "list_type": "a list is expected here",
    "string_type": "text is expected here",
    "too_short": "this is empty",
}
_FIXES = {
    "refused": "{fix}",
    "string_type": "Write text; put a number or `true` in quotes.",
    "string_pattern_mismatch": "Write something that matches {pattern} as a whole.",
    "string_too_short": "Write at least {min_length} characters.",
    "string_too_long": "Write at most {max_length} characters.",
    "too_short": "Write at least {min_length}, or remove the key.",
    "too_long": "Write at most {max_length}.",
    "greater_than": "Write a number greater than {gt}.",
    "greater_than_equal": "Write a number of at least {ge}.",
    "less_than": "Write a number smaller than {lt}.",
    "less_than_equal": "Write a number of at most {le}.",
    "literal_error": "Write {expected}.",
    "union_tag_not_found": "Add {discriminator}.",
    "union_tag_invalid": "Write {expected_tags}.",
    "int_parsing": "Write a whole number.",
    "int_type": "Write a whole number.",
    "bool_parsing": "Write true or false.",
    "bool_type": "Write true or false.",
    "dict_type": "Write `name: value` lines below it.",
    "model_type": "Write `name: value` lines below it.",
    "model_attributes_type": "Write `name: value` lines below it.",
    "tuple_type": "Write a list: one `- value` line for each.",
    "list_type": "Write a list: one `- value` line for each.",
}


def _explain(error: ValidationError, positions: Positions, model: TypeAdapter[Any]) -> Iterator[Problem]:
    details = error.errors(include_url=False, include_input=False)
    faulty = {detail["loc"][:length] for detail in details for length in range(len(detail["loc"]))}
    for detail in details:
        loc, kind = detail["loc"], detail["type"]
        if kind == "too_short" and loc in faulty:
            continue  # it is not empty: pydantic does not count items that are wrong by themselves
        if kind == "extra_forbidden":
            message = f"`{loc[-1]}` is not known here"
            yield positions.problem(loc, message, _suggest(str(loc[-1]), model, loc), at_key=True)
        elif kind == "missing":
            yield positions.problem(loc[:-1], f"`{loc[-1]}` is missing", f"Add `{loc[-1]}: …`.")
        else:
            yield positions.problem(loc, _describe(detail), _fix(detail))


def _describe(detail: ErrorDetails) -> str:
    named = [step for step in detail["loc"] if isinstance(step, str) and not step.startswith("[")]
    message = _MESSAGES.get(detail["type"]) or detail["msg"][:1].lower() + detail["msg"][1:]
    if detail["type"] == "refused" or not named:
        return message
    return f"`{named[-1]}`: {message}"


def _fix(detail: ErrorDetails) -> str:
    template = _FIXES.get(detail["type"], "Correct it; config/README.md describes every setting.")
    return template.format_map({name: str(value) for name, value in detail.get("ctx", {}).items()})


def _suggest(unknown: str, model: TypeAdapter[Any], loc: Loc) -> str:
    names = _find_names(model._type, loc[:-1])  # noqa: SLF001 - the adapter has no public name for it
    close = difflib.get_close_matches(unknown, names, n=1)
    if close:
        return f"Did you mean `{close[0]}`?"
    return f"Remove it. Known are: {', '.join(sorted(names))}." if names else "Remove it."


def _find_names(kind: Any, loc: Loc) -> set[str]:
    """Return the field names that are allowed at ``loc`` in a value of type ``kind``."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = kind.model_fields
        if not loc:
            return set(fields)
        if loc[0] in fields:
            return _find_names(fields[str(loc[0])].annotation, loc[1:])
        return _find_names(kind, loc[1:])  # the name of a union member
    if get_origin(kind) is Annotated:
        return _find_names(get_args(kind)[0], loc)
    rest = loc[1:] if loc and isinstance(loc[0], int) else loc
    return set().union(*(_find_names(argument, rest) for argument in get_args(kind)))


# ── Secrets ──────────────────────────────────────────────────────────────────────────────────────────────────


def _resolve_secrets(loaded: Model, positions: Positions, loc: Loc, problems: list[Problem]) -> Model:
    """Return ``loaded`` with every secret reference replaced by the secret."""
    if not isinstance(loaded, BaseModel):
        return loaded
    resolved: dict[str, Any] = {}
    for name in type(loaded).model_fields:
        value = getattr(loaded, name)
        if isinstance(value, SecretStr):
            try:
                resolved[name] = SecretStr(_read_secret(value.get_secret_value(), positions.file.parent))
            except PydanticCustomError as error:
                context = error.context or {}
                problems.append(positions.problem((*loc, name), f"`{name}`: {error}", str(context.get("fix"))))
        elif isinstance(value, BaseModel):
            resolved[name] = _resolve_secrets(value, positions, (*loc, name), problems)
    return loaded.model_copy(update=resolved)


def _read_secret(reference: str, folder: Path) -> str:
    """Return the secret behind ``env:NAME`` or ``file:PATH``, without the newline that ends a file."""
    kind, _, place = reference.partition(":")
    if kind == "env" and place:
        secret = os.environ.get(place, "")
        if not secret:
            raise refusal(f"the environment variable {place} is not set", f"Set {place} before starting.")
        return secret
    if kind != "file" or not place:
        raise refusal(
            "a secret must not stand in this file",
            "Write `env:NAME` or `file:PATH`; whoever could read this file should get a new secret.",
        )
    try:
        with (folder / place).open(encoding="utf-8") as file:
            secret = file.read(MAX_SECRET_BYTES).removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise refusal(
            f"the file {place} cannot be read",
            "Create it, or correct the path, which is relative to the file that names it.",
        ) from error
    if not secret:
        raise refusal(f"the file {place} is empty", "Put the secret into it, and nothing else.")
    return secret


def sort_problems(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return the problems in the order of files and lines, each once."""
    return tuple(sorted(set(problems), key=lambda problem: (problem.file, problem.line, problem.column)))
