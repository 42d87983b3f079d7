"""Named lists of values, written once and used in any rule of the folder: ``$office``.

A constant stands for its values, and for no more: it is put in when rules are compiled, for a whole text and never for
a part of one, and what it holds is not looked into again. ``$$`` at the beginning of a text is a dollar.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bridge.errors import Problem
from bridge.yaml_documents import Loc, Positions


@dataclass(frozen=True)
class Constants:
    """The constants of all files of a folder."""

    values: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict)
    """None: it exists, and what it holds is wrong, which is said where it stands."""

    def put_in(
        self, written: Sequence[str], positions: Positions, loc: Loc, problems: list[Problem]
    ) -> Iterator[tuple[Loc, str]]:
        """Yield each value that the list at ``loc`` comes to, with the place where it, or its constant, is written."""
        for number, text in enumerate(written):
            place = (*loc, number)
            if not text.startswith("$"):
                yield place, text
            elif text.startswith("$$"):
                yield place, text[1:]
            elif (values := self.values.get(text[1:])) is not None:
                yield from ((place, value) for value in values)
            elif text[1:] in self.values:
                fix = "Correct it there."
                problems.append(positions.problem(place, f"what stands under `constants` for `{text}` is wrong", fix))
            else:
                known = ", ".join(f"`${name}`" for name in sorted(self.values)) or "none"
                fix = (
                    f"Add it under `constants`, or write one of: {known}. For a text with a dollar in front write two."
                )
                problems.append(positions.problem(place, f"there is no constant `{text}`", fix))
