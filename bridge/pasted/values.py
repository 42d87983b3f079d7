r"""Where a value in a pasted text ends, and what it is without the escapes of its form.

What names an object may hold blanks, brackets and commas. A value that was cut and taken for the whole would be asked
about in place of what was refused, and a policy that forbids the latter would not be noticed. So a value is whole only
where its form surely ends it: by the quote that opened it, by its tag, or by what follows in the messages that we know.

Reference: RFC 8259 §7 (escapes of strings); a text within another (``\"``) is escaped once more.
"""

# ruff: noqa: RUF001 - messages in Chinese have punctuation of full width

import html
import json
import re
from dataclasses import dataclass
from itertools import takewhile

LONGEST_VALUE = 1200
"""In characters: an object's name has up to 1023 bytes."""

_QUOTE = re.compile(r"(\\{0,7})([\"'])\Z")
_TAG = re.compile(r"<[A-Za-z]{1,40}>\Z")
_PLAIN = re.compile(r"[A-Za-z0-9_./:*@+-]{0,1200}")
"""What is taken without quotes; whatever else follows may be a part of the value or of the sentence around it."""
_ENTITY = re.compile(r"&[A-Za-z0-9#]{1,8};")
_NAMES = (
    r"(?:Auth(?:Action|Resource|Principal[A-Za-z]{2,12})|NoPermissionType|PolicyType|EncodedDiagnosticMessage|"
    r"RequestId|AccessDeniedDetail|[Aa]ction|[Rr]esource)[\"']?\s?[:：=]"
)
_END = re.compile(
    r"\s*\Z|"
    r"\r?\n(?=\s*(?:\n|[}\])<]|[A-Za-z一-鿿]{2,40}[ \"']{0,2}[:：=]))|"
    r"[\"'](?=\s*(?:}*\s*(?:\n|\Z)|,\s*[\"'][A-Za-z]{2,40}[\"']\s?:))|"
    r"[\]}]\s*(?=\n|\Z)|"
    rf"(?: |，|;|；|, ?(?=[A-Za-z]{{2,40}}=)|。)(?={_NAMES})|"
    r"。(?=请|\s*\Z|\n)"
)
_AFTER_WORD = re.compile(r"\Z|[\s,，;；。、.)）\]}<\"'&]|\\+[\"'nrt]")


@dataclass(frozen=True)
class Value:
    """A value, without escapes."""

    text: str
    whole: bool
    """Whether this is surely all of it, and not just its beginning."""
    end: int
    """Where in the text it ends."""
    ends_as_word: bool
    """Whether it ends where a word may end that holds letters and digits alone."""


def read_value(text: str, start: int) -> Value:
    """Return the value that begins at a place of a text, at most :data:`LONGEST_VALUE` characters of it."""
    before = max(0, start - 42)
    quote = _QUOTE.search(text, before, start)
    if quote:
        return _read_quoted(text, start, quote[1], quote[2])
    if _TAG.search(text, before, start):
        return _read_tagged(text, start)
    return _read_plain(text, start)


def _read_quoted(text: str, start: int, slashes: str, mark: str) -> Value:
    closing = re.compile(rf"(?<!\\){re.escape(slashes + mark)}").search(text, start, start + LONGEST_VALUE)
    if closing is None:
        return _read_plain(text, start)
    raw = text[start : closing.start()]
    # Each text within a text doubles what was there and adds one: 0, 1, 3 and 7 backslashes stand before its quotes.
    value = _undo_json(raw, (len(slashes) + 1).bit_length() if mark == '"' else 0)
    if value is None or not value.isprintable() or _ENTITY.search(value):
        return _cut(raw, closing.start())
    return Value(value, whole=True, end=closing.start(), ends_as_word=True)


def _undo_json(raw: str, depth: int) -> str | None:
    """Return a text without its escapes, which were put there so many times; None: they are not JSON's."""
    if "\\" not in raw:
        return raw
    value = raw
    try:
        for _ in range(depth):
            value = json.loads(f'"{value}"')
    except ValueError:
        return None
    return value if depth else None


def _read_tagged(text: str, start: int) -> Value:
    end = text.find("</", start, start + LONGEST_VALUE)
    if end < 0:
        return _read_plain(text, start)
    raw = text[start:end]
    value = html.unescape(raw)
    if not value.isprintable() or "\\" in raw or "<" in raw:
        return _cut(raw, end)
    return Value(value, whole=True, end=end, ends_as_word=True)


def _cut(raw: str, end: int) -> Value:
    """Return the beginning that stands for itself."""
    start = "".join(takewhile(lambda each: each.isprintable() and each not in "\\&<", raw))
    return Value(start, whole=False, end=end, ends_as_word=False)


def _read_plain(text: str, start: int) -> Value:
    found = _PLAIN.match(text, start)
    value, end = (found[0], found.end()) if found else ("", start)
    short = value.rstrip(".:")
    whole = short == value and len(value) < LONGEST_VALUE and _END.match(text, end) is not None
    return Value(short, whole=whole, end=end, ends_as_word=_AFTER_WORD.match(text, end) is not None)
