"""The picture as a table: the same rules and ends of lines, in words."""

from dataclasses import dataclass

from bridge.preview.drawing import WORDS
from bridge.preview.graph import Box, Graph, Line


@dataclass(frozen=True)
class PictureRow:
    """One rule of the picture."""

    mark: str
    """``added``, ``removed``, ``changed`` or ``unchanged``."""
    rule: str
    file: str
    who: tuple[str, ...]
    what: tuple[str, ...]


def describe_rows(graph: Graph) -> tuple[PictureRow, ...]:
    """Return each rule that the picture draws or folds, in its order."""
    boxes = {box.key: box for box in graph.boxes}
    return tuple(
        PictureRow(
            WORDS[box.mark],
            box.title,
            box.note,
            tuple(_describe(boxes[line.start], line) for line in graph.lines if line.end == box.key),
            tuple(_describe(boxes[line.end], line) for line in graph.lines if line.start == box.key),
        )
        for box in graph.boxes
        if box.column == "rule"
    )


def _describe(end: Box, line: Line) -> str:
    denies = "denies " if line.denies else ""
    place = f" {end.note}" if end.column == "what" else ""
    return f"{denies}{end.title}{place}" + ("" if line.mark == "same" else f" ({WORDS[line.mark]})")
