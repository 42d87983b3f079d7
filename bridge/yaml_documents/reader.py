"""From the bytes of one file to data with positions."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import yaml

from bridge.errors import Problem, SettingsError
from bridge.yaml_documents.positions import Loc, Mark, Positions

MAX_BYTES = 8 * 1024 * 1024
"""Room for ten thousand rules, and not for a file that somebody put here by mistake."""
MAX_DEPTH = 24

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"

_CONSTANTS: dict[str, Value] = {"": None, "~": None, "null": None, "true": True, "false": False}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})", re.ASCII)
_DECIMAL = re.compile(r"[-+]?[0-9]{1,18}\.[0-9]{1,18}", re.ASCII)
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Document:
    """One file as data. ``problems`` are those that did not keep us from reading the rest of it."""

    data: Value
    positions: Positions
    problems: tuple[Problem, ...]


def read_document(path: Path, content: bytes | None = None) -> Document:
    """Read one file as data with positions; ``content`` is what it holds, where that was read already.

    Raises:
        SettingsError: the file cannot be read at all, or is not one YAML document within our bounds.
    """
    return _Reader(path).read(content)


class _Reader:
    """Builds the data of one file from the parser's events; nothing is expanded, so size in bounds size out."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._values: dict[Loc, Mark] = {}
        self._keys: dict[Loc, Mark] = {}
        self._problems: list[Problem] = []

    def read(self, content: bytes | None) -> Document:
        events = self._parse_events(self._decode(self._read_bytes() if content is None else content))
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

    def _read_bytes(self) -> bytes:
        try:
            with self._path.open("rb") as file:
                return file.read(MAX_BYTES + 1)
        except OSError as error:
            raise self._refuse(1, 1, f"this file cannot be read: {error.strerror}", "Check its path.") from error

    def _decode(self, raw: bytes) -> str:
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
