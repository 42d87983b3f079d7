"""Places for the boxes and lines of a graph: three columns, nothing on top of anything, every text in its box.

Lengths are pixels at the picture's own size.
"""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bridge.preview.graph import Box, Column, Graph, Line

WIDTH = 1072
BOX_WIDTH = 264
TITLE_SIZE, NOTE_SIZE = 14, 12
COLUMNS: Mapping[Column, int] = {"who": 8, "rule": 404, "what": 800}
TOP = 84
"""Room for the legend and the names of the columns."""
_PADDING = 12
_SIGN = 22
"""Room for the sign of a box that differs."""
_HEIGHT = 46
_GAP = 12
_PORT = 18
"""Room for the end of a line that carries a sign."""
_NARROW, _WIDE = 0.62, 1.05
"""How wide a letter is at most, in units of its size."""


@dataclass(frozen=True)
class PlacedBox:
    """A box with its place, and the texts as they fit in it."""

    box: Box
    x: float
    y: float
    width: float
    height: float
    title: str
    note: str
    text_x: float

    @property
    def middle(self) -> float:
        """Return the height of its middle."""
        return self.y + self.height / 2


@dataclass(frozen=True)
class PlacedLine:
    """A line from the right of one box to the left of another."""

    line: Line
    start: tuple[float, float]
    end: tuple[float, float]


@dataclass(frozen=True)
class Layout:
    """A graph with places."""

    graph: Graph
    width: float
    height: float
    boxes: tuple[PlacedBox, ...]
    lines: tuple[PlacedLine, ...]


def place(graph: Graph) -> Layout:
    """Return the places; the same for the same graph."""
    heights = {box.key: _measure_height(box, graph.lines) for box in graph.boxes}
    tops: dict[str, float] = {}
    y = float(TOP)
    for box in graph.boxes:
        if box.column == "rule":
            tops[box.key] = y
            y += heights[box.key] + _GAP
    middles = {key: top + heights[key] / 2 for key, top in tops.items()}
    for column in ("who", "what"):
        boxes = [box for box in graph.boxes if box.column == column]
        tops |= _stack(boxes, graph.lines, middles, heights)
    placed = {box.key: _place_box(box, tops[box.key], heights[box.key]) for box in graph.boxes}
    height = max((each.y + each.height for each in placed.values()), default=TOP) + _GAP
    return Layout(graph, WIDTH, height, tuple(placed.values()), tuple(_place_lines(graph.lines, placed)))


def measure(text: str, size: float) -> float:
    """Return how wide a text is at most."""
    return size * sum(_WIDE if unicodedata.east_asian_width(letter) in "WF" else _NARROW for letter in text)


def fit(text: str, size: float, width: float) -> str:
    """Return the text, or its beginning with an ellipsis, so that it is not wider than this."""
    if measure(text, size) <= width:
        return text
    while text and measure(text + "…", size) > width:
        text = text[:-1]
    return text.rstrip() + "…"


def _measure_height(box: Box, lines: Iterable[Line]) -> float:
    """Return a height at which the ends of the lines stand apart, as far as they carry signs."""
    arriving = [line for line in lines if line.end == box.key]
    with_sign = any(line.mark != "same" or line.denies for line in arriving)
    return max(_HEIGHT, (len(arriving) + 1) * _PORT) if with_sign else _HEIGHT


def _stack(
    boxes: Iterable[Box], lines: Iterable[Line], middles: Mapping[str, float], heights: Mapping[str, float]
) -> dict[str, float]:
    """Return tops: each box as near to the middle of its rules as the boxes above it allow."""
    wanted: dict[str, float] = {}
    for box in boxes:
        rules = [middles[line.start if line.end == box.key else line.end] for line in lines if box.key in _ends(line)]
        wanted[box.key] = sum(rules) / len(rules) - heights[box.key] / 2
    order = sorted(wanted, key=lambda key: (wanted[key], key))
    tops: dict[str, float] = {}
    y = float(TOP)
    for key in order:
        tops[key] = max(y, wanted[key])
        y = tops[key] + heights[key] + _GAP
    return _pull_up(order, tops, wanted, heights)


def _pull_up(
    order: list[str], tops: dict[str, float], wanted: Mapping[str, float], heights: Mapping[str, float]
) -> dict[str, float]:
    """Move each run of boxes that touch up by the mean of what they were pushed down."""
    floor = float(TOP)
    start = 0
    while start < len(order):
        end = start + 1
        while end < len(order) and tops[order[end]] - tops[order[end - 1]] - heights[order[end - 1]] <= _GAP:
            end += 1
        run = order[start:end]
        pushed = sum(tops[key] - wanted[key] for key in run) / len(run)
        lift = min(max(pushed, 0.0), tops[run[0]] - floor)
        for key in run:
            tops[key] -= lift
        floor = tops[run[-1]] + heights[run[-1]] + _GAP
        start = end
    return tops


def _ends(line: Line) -> tuple[str, str]:
    return line.start, line.end


def _place_box(box: Box, top: float, height: float) -> PlacedBox:
    x = COLUMNS[box.column]
    sign = 0 if box.mark == "same" else _SIGN
    room = BOX_WIDTH - 2 * _PADDING - sign
    title, note = fit(box.title, TITLE_SIZE, room), fit(box.note, NOTE_SIZE, room)
    return PlacedBox(box, x, round(top, 1), BOX_WIDTH, height, title, note, x + _PADDING + sign)


def _place_lines(lines: Iterable[Line], placed: Mapping[str, PlacedBox]) -> Iterable[PlacedLine]:
    lines = list(lines)
    leaving = _spread(lines, placed, "start")
    arriving = _spread(lines, placed, "end")
    for line in lines:
        start, end = placed[line.start], placed[line.end]
        yield PlacedLine(line, (start.x + start.width, leaving[line]), (end.x, arriving[line]))


def _spread(lines: Iterable[Line], placed: Mapping[str, PlacedBox], which: str) -> dict[Line, float]:
    """Return the heights at which lines meet their boxes: in the order of their other ends, so that few cross."""
    at: dict[str, list[Line]] = {}
    for line in lines:
        at.setdefault(line.start if which == "start" else line.end, []).append(line)
    heights: dict[Line, float] = {}
    for key, group in at.items():
        box = placed[key]
        group.sort(key=lambda line: (placed[line.end if which == "start" else line.start].middle, line.end, line.start))
        for number, line in enumerate(group, 1):
            heights[line] = round(box.y + box.height * number / (len(group) + 1), 1)
    return heights
