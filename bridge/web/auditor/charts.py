"""Pictures of figures, as numbers for an SVG that the server writes: ``chart_parts.html`` draws them.

What lies across is in percent and what lies up is in pixels, so that a picture becomes as wide as its place and its
letters keep their size. No style, no script: colours are classes of ``audit.css``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

PLOT_HEIGHT = 140
"""Pixels from the ground line to the upper edge of a picture's columns."""
_GAP = 0.22
"""The share of a column's place that stays empty beside it."""
_SMALL_AXES = ((1, 1), (2, 2), (3, 3), (4, 2), (6, 2), (8, 2))
_AXES = ((10, 2), (12, 2), (15, 3), (20, 2), (30, 3), (40, 2), (60, 3), (80, 2))
_NARROW_LABELS = 3
_WIDE_LABELS = 6


@dataclass(frozen=True)
class Count:
    """One figure of a row: what it is of, in words, and where more of it is found."""

    label: str
    count: int
    href: str = ""
    short: str = ""
    """The label in a few characters, for below a column; a remark, beside a lying bar."""


@dataclass(frozen=True)
class Column:
    """One upright bar."""

    label: str
    count: int
    href: str
    place: float
    """Where its place begins (percent); the place is as wide as those of the others, and can be pointed at."""
    x: float
    y: float
    height: float


@dataclass(frozen=True)
class Mark:
    """A line across with its figure, or a label below."""

    text: str
    at: float
    """Pixels from the top, or percent from the left."""
    anchor: str = "middle"
    wide_only: bool = False


@dataclass(frozen=True)
class Columns:
    """A picture of figures in their order in time."""

    columns: tuple[Column, ...]
    place_width: float
    width: float
    lines: tuple[Mark, ...]
    labels: tuple[Mark, ...]
    height: int
    total: int
    highest: Count | None
    """The first of the greatest figures; None where all are 0."""


@dataclass(frozen=True)
class Bar:
    """One lying bar, as long as its part of the longest, in percent; and a second figure of the same thing."""

    label: str
    count: int
    href: str
    width: float
    note: str = ""
    part_count: int = 0


def draw_columns(counts: Sequence[Count], height: int = PLOT_HEIGHT) -> Columns:
    """Return the picture of figures, the earliest first; ``height`` in pixels."""
    highest = max(counts, key=lambda each: each.count, default=None)
    top, parts = find_axis(highest.count if highest else 0)
    values = [top * part // parts for part in range(1, parts + 1)]
    place = 100 / max(1, len(counts))
    columns = []
    for number, each in enumerate(counts):
        tall = height * each.count / top
        if each.count:
            tall = max(tall, 1.5)  # one of a million is still something
        columns.append(
            Column(
                each.label,
                each.count,
                each.href,
                place=round(number * place, 3),
                x=round(number * place + place * _GAP / 2, 3),
                y=round(height - tall, 2),
                height=round(tall, 2),
            )
        )
    return Columns(
        columns=tuple(columns),
        place_width=round(place, 3),
        width=round(place * (1 - _GAP), 3),
        lines=tuple(Mark(shorten(value), round(height - height * value / top, 2)) for value in values),
        labels=_label(counts, place),
        height=height,
        total=sum(each.count for each in counts),
        highest=highest if highest and highest.count else None,
    )


def draw_bars(counts: Sequence[Count], parts: Sequence[int] = ()) -> tuple[Bar, ...]:
    """Return lying bars; ``parts`` are the second figures."""
    longest = max((each.count for each in counts), default=0) or 1
    return tuple(
        Bar(each.label, each.count, each.href, round(100 * each.count / longest, 2), each.short, part)
        for each, part in zip(counts, parts or [0] * len(counts), strict=True)
    )


def find_axis(count: int) -> tuple[int, int]:
    """Return the round figure at which an axis for ``count`` ends, and into how many parts lines divide it."""
    for top, parts in _SMALL_AXES:
        if count <= top:
            return top, parts
    unit = 1
    while True:
        for top, parts in _AXES:
            if count <= top * unit:
                return top * unit, parts
        unit *= 10


def shorten(count: int) -> str:
    """Return a figure in at most five characters: ``950``, ``1.5k``, ``20k``, ``3M``."""
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if count >= size:
            return f"{count / size:.1f}".removesuffix(".0") + unit
    return str(count)


def _label(counts: Sequence[Count], place: float) -> tuple[Mark, ...]:
    """Return labels for a few columns, evenly apart; on a narrow screen there is room for fewer."""
    if not counts:
        return ()
    wide = _pick(len(counts), _WIDE_LABELS)
    narrow = set(_pick(len(wide), _NARROW_LABELS))
    marks = []
    for order, number in enumerate(wide):
        anchor, at = "middle", (number + 0.5) * place
        if len(counts) > _WIDE_LABELS and number in {0, len(counts) - 1}:
            anchor, at = ("start", 0.0) if number == 0 else ("end", 100.0)
        marks.append(Mark(counts[number].short or counts[number].label, round(at, 3), anchor, order not in narrow))
    return tuple(marks)


def _pick(count: int, most: int) -> list[int]:
    """Return at most ``most`` of ``count`` places, evenly apart, with the first and the last."""
    if count <= most:
        return list(range(count))
    return sorted({round(step * (count - 1) / (most - 1)) for step in range(most)})
