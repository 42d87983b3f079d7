"""No template says anything but by ``_()`` or ``number()``: what stands there as it is cannot be translated."""

import re
from html.parser import HTMLParser
from pathlib import Path

import jinja2
import pytest
from jinja2 import nodes

TEMPLATES = Path(__file__).parents[2] / "bridge" / "web" / "templates"
NAMES = sorted(path.name for path in TEMPLATES.glob("*.html"))

AS_THEY_ARE = {"Rambridge", "rambridge", "check", "Alibaba", "Cloud", "JSON", "UTC", "CSV", "SHA", "ID"}
"""Names of things, the same in every language."""
FOR_PROGRAMS = {"script", "style", "kbd", "code", "pre"}
TYPED = {"mono", "code"}
"""Classes of what is typed or copied as it is."""
SPOKEN_ATTRIBUTES = {"title", "aria-label", "aria-description", "aria-valuetext", "placeholder", "alt", "label"}
_WORD = re.compile(r"[^\W\d_]{2,}")
_SAMPLE = re.compile(
    r"https?://|[\w.-]+@[\w.-]+|^[A-Z]{4}-[A-Z]{4}$|^[\w./-]*/[\w./-]*$|^STS\.|^\{|^[a-z-]+=\"[a-z]*\"$"
)
"""What a field may hold, and attributes that a page adds to one of the layout."""
_PROSE = re.compile(r"[A-Z][a-z]+|[A-Za-z]{2,} [A-Za-z]{2,}|[a-z]{2,}[.,:;?!]")
_FOR_PROGRAMS = re.compile(r"^[a-z0-9_-]+(\.[a-z0-9_]+)+$|^ [a-z-]+=\"[^\"]*\"$|" + _SAMPLE.pattern)
"""Names of files, events and routes, and attributes."""
_EXPRESSION = "\ue000"
_VOID = {"meta", "link", "input", "br", "hr", "img", "col", "use", "path"}


class _Reader(HTMLParser):
    """Collects what a person would see or hear of a page."""

    def __init__(self):
        super().__init__()
        self.said = []
        self._open = []

    def handle_starttag(self, tag, attrs):
        self.said += [text for name, text in attrs if name in SPOKEN_ATTRIBUTES and text]
        if tag not in _VOID:
            classes = set((dict(attrs).get("class") or "").split())
            self._open.append((tag, tag in FOR_PROGRAMS or bool(classes & TYPED)))

    def handle_endtag(self, tag):
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        if not any(for_programs for _, for_programs in self._open):
            self.said.append(data)


def find_words(source):
    """Return the words of a template's HTML, without what Jinja puts in."""
    html, depth = "", 0
    for _, kind, text in jinja2.Environment(autoescape=True).lex(source):
        if kind == "data":
            html += text
        elif kind in {"variable_begin", "block_begin", "raw_begin"}:
            depth += 1
        elif kind in {"variable_end", "block_end", "raw_end"}:
            html += _EXPRESSION
    reader = _Reader()
    reader.feed(html)
    reader.close()
    said = [text for text in map(str.strip, reader.said) if not _SAMPLE.search(text)]
    texts = [part.strip() for text in said for part in text.split(_EXPRESSION)]
    return [text for text in texts if not _SAMPLE.search(text) and set(_WORD.findall(text)) - AS_THEY_ARE]


def find_prose(source):
    """Return the strings in a template's expressions that look like sentences or names, and are not translated."""
    tree = jinja2.Environment(autoescape=True).parse(source)
    parts = [child for node in tree.find_all(nodes.Stmt) for child in node.iter_child_nodes()]
    strings = [text for part in parts if isinstance(part, nodes.Expr) for text in find_untranslated(part)]
    return [
        text
        for text in strings
        if set(_WORD.findall(text)) - AS_THEY_ARE and _PROSE.search(text) and not _FOR_PROGRAMS.search(text)
    ]


def find_untranslated(node):
    """Yield the strings of an expression, but those that are translated or only compared."""
    called = node.node if isinstance(node, nodes.Call) else None
    if isinstance(node, nodes.Compare) or getattr(called, "attr", "") == "startswith":
        return
    if isinstance(node, nodes.Const) and isinstance(node.value, str):
        yield node.value
    translated = getattr(called, "name", "") in {"_", "number"}
    for child in [each.value for each in node.kwargs] if translated else node.iter_child_nodes():
        yield from find_untranslated(child)


@pytest.mark.parametrize("name", NAMES)
def test_every_word_of_a_template_is_a_message(name):
    assert find_words((TEMPLATES / name).read_text()) == []


@pytest.mark.parametrize("name", NAMES)
def test_no_sentence_hides_in_an_expression(name):
    assert find_prose((TEMPLATES / name).read_text()) == []


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_translated_when_a_template_is_imported(name):
    """Jinja keeps what an imported template sets, for everybody who comes after; macros are called each time."""
    for imported in jinja2.Environment().parse((TEMPLATES / name).read_text()).find_all(nodes.Import):
        tree = jinja2.Environment().parse((TEMPLATES / imported.template.value).read_text())
        kept = [node for node in tree.body if isinstance(node, (nodes.Assign, nodes.AssignBlock))]
        calls = [call.node for node in kept for call in node.find_all(nodes.Call)]
        assert not {"_", "number"} & {getattr(called, "name", "") for called in calls}, imported.template.value


@pytest.mark.parametrize(
    "source",
    [
        "<p>Some words</p>",
        "<p>{{ name }} said</p>",
        '<a title="More">{{ x }}</a>',
        '<input placeholder="Type {{ what }}">',
        "<p>{% if a %}Yes{% endif %}</p>",
        '<p>{{ "Nobody" if a else _("Somebody") }}</p>',
        '{{ _("Only %(what)s", what="the first one") }}',
        '{% set title = "Your access" %}',
        '{{ parts.copy_button("x", "Copy", _("it")) }}',
        '{{ rows | join(" and then ") }}',
    ],
)
def test_words_outside_of_a_message_are_found(source):
    assert find_words(source) or find_prose(source)


def test_what_is_translated_or_for_programs_is_no_finding():
    source = """<a class="button main" href="/x" aria-label="{{ _('Go') }}">{# a note #}{{ _("Go on") }}</a>
    {{ number("one", "%(number)s things", n) }} {% if kind == "One role" %}<code>command</code>{% endif %} UTC"""
    assert find_words(source) == find_prose(source) == []
