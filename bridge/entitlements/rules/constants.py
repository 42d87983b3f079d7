"""Named lists of values, written once and used in any rule of the folder: ``$office``.

A constant stands for its values, and for no more: it is put in when rules are compiled, for a whole text and never for
a part of one, and what it holds is not looked into again. ``$$`` at the beginning of a text is a dollar.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from bridge.entitlements.rules.language import RuleEntry
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
    homes: Mapping[str, Positions] = field(default_factory=dict, compare=False)
    """The file of each constant. Rules stay as they are compiled where a constant only moves."""

    @property
    def are_usable(self) -> bool:
        """Tell whether each of them holds what it should."""
        return None not in self.values.values()

    def locate(self, text: str, number: int) -> tuple[Positions, Loc] | None:
        """Return where a value of the constant that a written text names stands; None if it names none."""
        home = self.homes.get(text[1:]) if text.startswith("$") else None
        return None if home is None else (home, ("constants", text[1:], number))

    def read(self, text: str) -> tuple[str, ...]:
        """Return the values that a written text comes to: those of the constant that it names, or itself.

        Of a constant that holds something wrong that is nothing: what is wrong is said where it stands.

        Raises:
            ConstantUnknown: there is no such constant.
        """
        if not text.startswith("$"):
            return (text,)
        if text.startswith("$$"):
            return (text[1:],)
        if text[1:] in self.values:
            return self.values[text[1:]] or ()
        known = ", ".join(f"`${name}`" for name in sorted(self.values)) or "none"
        fix = f"Add it under `constants`, or write one of: {known}. For a text with a dollar in front write two."
        raise ConstantUnknown(f"there is no constant `{text}`", fix)


def gather_constants(files: Iterable[tuple[Positions, Written]], problems: list[Problem]) -> Constants:
    """Return the constants of all files. Each stands in one of them, so that none can change what another one means."""
    gathered: dict[str, tuple[str, ...] | None] = {}
    homes: dict[str, Positions] = {}
    for positions, written in files:
        for name, values in written.items():
            loc = ("constants", name)
            if name in gathered:
                message = f"the constant `{name}` stands in {homes[name].file.name} already"
                problems.append(positions.problem(loc, message, "Give one of them another name.", at_key=True))
                continue
            homes[name] = positions
            gathered[name] = values and tuple(
                _read_value(value, positions, (*loc, number), problems) for number, value in enumerate(values)
            )
    return Constants(gathered, homes)


def find_unused_constants(
    files: Iterable[tuple[Positions, Written]], entries: Iterable[RuleEntry]
) -> Iterator[Problem]:
    """Yield a warning for each constant that no rule of the folder names."""
    used = {text[1:] for entry in entries for text in _iterate_values(entry) if text.startswith("$")}
    for positions, written in files:
        for name in written:
            if name not in used:
                loc, message = ("constants", name), f"no rule uses the constant `{name}`"
                fix = f"Write `${name}` in a rule, or remove it."
                yield positions.problem(loc, message, fix, severity="warning", at_key=True, kind="unused-constant")


def _iterate_values(entry: RuleEntry) -> Iterator[str]:
    required = (entry.require.amr, entry.require.acr) if entry.require else ()
    for values in (entry.groups, entry.not_groups, entry.networks, *required, *(entry.claims or {}).values()):
        yield from values or ()


def _read_value(value: str, positions: Positions, loc: Loc, problems: list[Problem]) -> str:
    if value.startswith("$") and not value.startswith("$$"):
        fix = "Write its values out. For a text with a dollar in front write two."
        problems.append(positions.problem(loc, f"`{value}`: a constant cannot be made of another one", fix))
    return value.removeprefix("$")
