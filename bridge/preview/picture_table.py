"""The picture as a table: the same rules and ends of lines, in words."""

from dataclasses import dataclass

from bridge.language import translate
from bridge.preview.drawing import WORDS
from bridge.preview.graph import Box, Graph, Line


@dataclass(frozen=True)
class PictureRow:
    """One rule of the picture."""

    mark: str
    """Added, removed, changed or unchanged, in words."""
    rule: str
    file: str
    who: tuple[str, ...]
    what: tuple[str, ...]


def describe_rows(graph: Graph) -> tuple[PictureRow, ...]:
    """Return each rule that the picture draws or folds, in its order."""
    boxes = {box.key: box for box in graph.boxes}
    return tuple(
        PictureRow(
            translate(WORDS[box.mark]),
            box.title,
            box.note,
            tuple(_describe(boxes[line.start], line) for line in graph.lines if line.end == box.key),
            tuple(_describe(boxes[line.end], line) for line in graph.lines if line.start == box.key),
        )
        for box in graph.boxes
        if box.column == "rule"
    )


def _describe(end: Box, line: Line) -> str:
    text = end.title
    if end.column == "what":
        text = translate("%(name)s %(place)s", name=end.title, place=end.note)
    if line.denies:
        text = translate("denies %(what)s", what=text)
    if line.mark == "same":
        return text
    return translate("%(what)s (%(detail)s)", what=text, detail=translate(WORDS[line.mark]))
