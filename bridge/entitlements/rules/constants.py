"""Named lists of values, written once and used in any rule of the folder: ``$office``.

A constant stands for its values, and for no more: it is put in when rules are compiled, for a whole text and never for
a part of one, and what it holds is not looked into again. ``$$`` at the beginning of a text is a dollar.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from bridge.errors import Problem
from bridge.yaml_documents import Loc, Positions

Written: TypeAlias = Mapping[str, tuple[str, ...] | None]
"""The constants of one file; None for one that cannot be used."""


class ConstantUnknown(Exception):
    """A text names a constant that cannot be put in."""

    def __init__(self, message: str, fix: str) -> None:
        """Take what is wrong and what to write."""
        super().__init__(message)
        self.fix = fix


@dataclass(frozen=True)
class Constants:
    """The constants of all files of a folder."""

    values: Written = field(default_factory=dict)
    """None: it exists, and what it holds is wrong, which is said where it stands."""

    def read(self, text: str) -> tuple[str, ...]:
        """Return the values that a written text comes to: those of the constant that it names, or itself.

        Raises:
            ConstantUnknown: there is no such constant, or what it holds is wrong.
        """
        if not text.startswith("$"):
            return (text,)
        if text.startswith("$$"):
            return (text[1:],)
        values = self.values.get(text[1:])
        if values is not None:
            return values
        if text[1:] in self.values:
            raise ConstantUnknown(f"what stands under `constants` for `{text}` is wrong", "Correct it there.")
        known = ", ".join(f"`${name}`" for name in sorted(self.values)) or "none"
        fix = f"Add it under `constants`, or write one of: {known}. For a text with a dollar in front write two."
        raise ConstantUnknown(f"there is no constant `{text}`", fix)


def gather_constants(files: Iterable[tuple[Positions, Written]], problems: list[Problem]) -> Constants:
    """Return the constants of all files. Each stands in one of them, so that none can change what another one means."""
    gathered: dict[str, tuple[str, ...] | None] = {}
    homes: dict[str, str] = {}
    for positions, written in files:
        for name, values in written.items():
            loc = ("constants", name)
            if name in gathered:
                message = f"the constant `{name}` stands in {homes[name]} already"
                problems.append(positions.problem(loc, message, "Give one of them another name.", at_key=True))
                continue
            homes[name] = positions.file.name
            gathered[name] = values and tuple(_read_value(value, positions, loc, problems) for value in values)
    return Constants(gathered)


def _read_value(value: str, positions: Positions, loc: Loc, problems: list[Problem]) -> str:
    if value.startswith("$") and not value.startswith("$$"):
        fix = "Write its values out. For a text with a dollar in front write two."
        problems.append(positions.problem(loc, f"`{value}`: a constant cannot be made of another one", fix))
    return value.removeprefix("$")
