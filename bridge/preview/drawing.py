"""A layout as SVG: without script or inline style, with classes that a style sheet colours for light and dark.

What was added or removed is told by colour, by shape (thick, dashed) and by a sign and a word. Somebody who cannot see
the picture hears its title and description; a table beside it has to say the rest.
"""

from collections.abc import Iterator
from xml.sax.saxutils import escape

from bridge.language import list_texts, mark, translate
from bridge.preview.graph import Column, Graph, Line, Mark
from bridge.preview.layout import COLUMNS, NOTE_SIZE, TITLE_SIZE, TOP, Layout, PlacedBox, PlacedLine

SIGNS: dict[Mark, str] = {"added": "+", "removed": "\u2212", "altered": "~", "same": ""}
WORDS: dict[Mark, str] = {
    "added": mark("added"),
    "removed": mark("removed"),
    "altered": mark("changed"),
    "same": mark("unchanged"),
}
"""To be translated when they are shown, as the headings."""
_HEADINGS: dict[Column, str] = {
    "who": mark("Groups and conditions"),
    "rule": mark("Rules"),
    "what": mark("Roles and users"),
}
_SIGN_FROM_END = 22


def draw(layout: Layout, style: str = "") -> str:
    """Return the picture as an ``<svg>`` element; ``style`` is a style sheet for one that stands alone in a file."""
    width, height = f"{layout.width:g}", f"{layout.height:g}"
    title = translate("Groups, rules and roles, before and after")
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="picture" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" role="img" aria-labelledby="picture-title picture-text">'
        ),
        f'<title id="picture-title">{escape(title)}</title>',
        f'<desc id="picture-text">{escape(describe(layout.graph))}</desc>',
        f"<style>{escape(style)}</style>" if style else "",
        '<rect class="paper" width="100%" height="100%"/>' if style else "",
        *_draw_legend(),
        *(
            f'<text class="heading" x="{COLUMNS[column]}" y="{TOP - 14}">{translate(name)}</text>'
            for column, name in _HEADINGS.items()
        ),
        *(_draw_line(line) for line in sorted(layout.lines, key=lambda each: each.line.mark != "same")),
        *(_draw_box(box) for box in layout.boxes),
        *(_draw_sign(line) for line in layout.lines),
        "</svg>",
    ]
    return "\n".join(part for part in parts if part)


def describe(graph: Graph) -> str:
    """Return in one sentence what the picture shows."""
    counts = list_texts(
        translate("%(number)s %(change)s", number=graph.rules[each], change=translate(WORDS[each]))
        for each in ("added", "removed", "altered", "same")
        if graph.rules[each]
    )
    return translate(
        "Rules: %(counts)s. Lines lead from groups and conditions to rules, and from rules to roles.",
        counts=counts or translate("none"),
    )


def _draw_legend() -> Iterator[str]:
    x = COLUMNS["who"]
    marks: tuple[Mark, ...] = ("added", "removed", "altered", "same")
    for each in marks:
        yield f'<g class="box {each}"><rect x="{x}" y="8" width="26" height="22" rx="6"/>'
        if SIGNS[each]:
            yield f'<text class="sign" x="{x + 13}" y="24" text-anchor="middle">{SIGNS[each]}</text>'
        yield f'</g><text class="note" x="{x + 34}" y="23">{translate(WORDS[each])}</text>'
        x += 124
    denies = translate("denies")
    yield f'<g class="line denies"><circle cx="{x + 11}" cy="19" r="8"/>{_draw_bar(x + 11, 19)}</g>'
    yield f'<text class="note" x="{x + 28}" y="23">{denies}</text>'


def _draw_line(placed: PlacedLine) -> str:
    (x1, y1), (x2, y2) = placed.start, placed.end
    bend = (x2 - x1) / 2
    return (
        f'<path class="{_line_class(placed.line)}" '
        f'd="M{x1:g} {y1:g}C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}"/>'
    )


def _draw_sign(placed: PlacedLine) -> str:
    line = placed.line
    if line.mark == "same" and not line.denies:
        return ""
    x, y = placed.end[0] - _SIGN_FROM_END / 2, placed.end[1]
    sign = f'<text class="sign" x="{x:g}" y="{y + 4.5:g}" text-anchor="middle">{SIGNS[line.mark]}</text>'
    bar = _draw_bar(x, y) if line.denies else ""
    word = translate(WORDS[line.mark])
    if line.denies:
        word = translate("%(change)s, denies", change=word)
    inside = bar if line.denies else sign
    return f'<g class="{_line_class(line)}"><title>{word}</title><circle cx="{x:g}" cy="{y:g}" r="8"/>{inside}</g>'


def _draw_bar(x: float, y: float) -> str:
    return f'<path d="M{x - 5:g} {y + 5:g}L{x + 5:g} {y - 5:g}"/>'


def _line_class(line: Line) -> str:
    return f"line {line.mark}{' denies' if line.denies else ''}"


def _draw_box(placed: PlacedBox) -> str:
    box = placed.box
    x, y, width, height = (f"{each:g}" for each in (placed.x, placed.y, placed.width, placed.height))
    middle = placed.middle
    title = translate("%(title)s (%(note)s)", title=box.title, note=box.note)
    if box.mark != "same":
        title = translate("%(change)s: %(what)s", change=translate(WORDS[box.mark]), what=title)
    parts = [
        f'<g class="box {box.mark}{" folded" if box.folded else ""}">',
        f"<title>{escape(title)}</title>",
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8"/>',
        f'<text class="sign" x="{placed.x + 18:g}" y="{middle + 5.5:g}" text-anchor="middle">{SIGNS[box.mark]}</text>'
        if SIGNS[box.mark]
        else "",
        (
            f'<text class="name" x="{placed.text_x:g}" y="{middle - 3:g}" font-size="{TITLE_SIZE}">'
            f"{escape(placed.title)}</text>"
        ),
        (
            f'<text class="note" x="{placed.text_x:g}" y="{middle + 14:g}" font-size="{NOTE_SIZE}">'
            f"{escape(placed.note)}</text>"
        ),
        "</g>",
    ]
    return "".join(parts)
