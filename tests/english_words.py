"""English that is left on a page in another language: runs of words that are no code, name or recorded text."""

import re
from html.parser import HTMLParser

_READ = {"aria-label", "title", "placeholder", "alt", "value", "data-label", "data-done", "data-failed"}
"""Attributes that people read or hear."""
_CODE = {"code", "pre", "script", "style"}
_EMPTY = {"meta", "link", "input", "br", "img", "use", "rect", "line", "hr"}
_RUN = re.compile(r"[A-Za-z][A-Za-z'’-]*(?:[,;:.]? +[A-Za-z][A-Za-z'’-]*){2,}")


class _Texts(HTMLParser):
    def __init__(self):
        super().__init__()
        self.texts = []
        self._open = []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        is_code = tag in _CODE or "mono" in (given.get("class") or "").split()
        self.texts += [text for name, text in attrs if name in _READ and text and given.get("type") != "hidden"]
        if tag not in _EMPTY:
            self._open.append((tag, is_code))

    def handle_endtag(self, tag):
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        if data.strip() and not any(is_code for _, is_code in self._open):
            self.texts.append(" ".join(data.split()))


def find_english(page, *known):
    """Return the runs of three or more English words in a page's HTML, but those that a ``known`` text has.

    A command that one types has the words that it has.
    """
    parser = _Texts()
    parser.feed(page)
    runs = [run for text in parser.texts for run in _RUN.findall(text)]
    return [run for run in runs if not run.startswith("rambridge ") and not any(run in text for text in known)]
