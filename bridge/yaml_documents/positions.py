"""Where keys and values stand in a file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from bridge.errors import Problem

Loc: TypeAlias = tuple[int | str, ...]


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

    def problem(
        self,
        loc: Loc,
        message: str,
        fix: str,
        *,
        severity: str = "error",
        at_key: bool = False,
        kind: str = "invalid",
    ) -> Problem:
        """Build a problem that points to ``loc``; ``at_key``: to its key instead of its value."""
        mark = self.locate(loc, key=at_key)
        return Problem(self.file, mark.line, mark.column, message, fix, severity, kind)
