"""Files of ActionTrail events, as one stream of JSON objects.

A trail that delivers to OSS writes gzip files of JSON arrays into folders by region and day; exports of Simple Log
Service have one object per line with the event inside; the API answers with ``{"Events": […]}``. All of these, and an
event per line, are read by one rule: at the outermost level, and in arrays there, whatever stands between objects is
white space, commas and brackets.

A file is read in pieces, so that neither a long file nor a gzip bomb needs more memory than one event.
"""

import codecs
import gzip
import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from bridge.errors import TrailUnreadable

PIECE_BYTES = 1 << 20
MAX_VALUE_CHARACTERS = 1 << 24
"""How long one event, or one answer of the API, may be."""
_GZIP = b"\x1f\x8b"
_BETWEEN = " \t\r\n,[]\ufeff"

_decoder = json.JSONDecoder()


@dataclass
class TrailFile:
    """One file."""

    path: Path
    _hash: Any = field(default_factory=hashlib.sha256, repr=False)
    _whole: bool = field(default=False, repr=False)

    @property
    def digest(self) -> str:
        """Return SHA-256 (hex) of the file as it lies there; empty until :meth:`read` has come to its end."""
        return str(self._hash.hexdigest()) if self._whole else ""

    def read(self) -> Iterator[dict[str, Any]]:
        """Yield each event of the file, as it stands there.

        Raises:
            TrailUnreadable: it cannot be read, or something in it is no JSON. What came before was yielded.
        """
        self._hash, self._whole = hashlib.sha256(), False
        try:
            with self.path.open("rb") as raw:
                for value in _decode(_read_pieces(raw, self._hash)):
                    yield from _unfold(value)
            self._whole = True
        except (OSError, EOFError, zlib.error) as error:
            raise TrailUnreadable(f"{self.path}: {type(error).__name__}") from error
        except UnicodeDecodeError as error:
            raise TrailUnreadable(f"{self.path}: it is neither gzip nor text in UTF-8") from error
        except (ValueError, RecursionError) as error:
            raise TrailUnreadable(f"{self.path}: {error}") from error


def find_files(paths: Iterable[Path]) -> Iterator[TrailFile]:
    """Yield the files to read: each path that is a file, and every file in folders, by name and without hidden ones.

    The names of an OSS export begin with date and time, so a folder is read in the order in which it was written.
    """
    for path in paths:
        if not path.is_dir():
            yield TrailFile(path)
            continue
        for inner in sorted(path.rglob("*")):
            if inner.is_file() and not any(part.startswith(".") for part in inner.relative_to(path).parts):
                yield TrailFile(inner)


class _Hashed:
    """A file that is hashed as it is read."""

    def __init__(self, raw: BinaryIO, digest: Any) -> None:
        self._raw = raw
        self._digest = digest

    def read(self, size: int = -1) -> bytes:
        piece = self._raw.read(size)
        self._digest.update(piece)
        return piece


def _read_pieces(raw: BinaryIO, digest: Any) -> Iterator[str]:
    start = raw.read(len(_GZIP))
    raw.seek(0)
    hashed = _Hashed(raw, digest)
    source: Any = gzip.GzipFile(fileobj=hashed) if start == _GZIP else hashed  # type: ignore[call-overload]
    decoder = codecs.getincrementaldecoder("utf-8")()
    while piece := source.read(PIECE_BYTES):
        yield decoder.decode(piece)
    yield decoder.decode(b"", final=True)


def _decode(pieces: Iterator[str]) -> Iterator[Any]:
    """Yield each JSON value of a text that comes in pieces."""
    text, passed = "", 0
    for piece in pieces:
        text += piece
        place = 0
        while True:
            place = _skip(text, place)
            if place == len(text):
                break
            try:
                value, end = _decoder.raw_decode(text, place)
            except json.JSONDecodeError:
                if len(text) - place > MAX_VALUE_CHARACTERS:
                    raise ValueError(f"no event of a sensible length at character {passed + place}") from None
                break  # most likely the rest of it is in the next piece
            yield value
            place = end
        passed += place
        text = text[place:]
    if text:
        raise ValueError(f"no JSON at character {passed}, or its end is missing")


def _skip(text: str, place: int) -> int:
    while place < len(text) and text[place] in _BETWEEN:
        place += 1
    return place


def _unfold(value: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(value, dict):
        raise ValueError("there is something else than events in it")  # noqa: TRY004  the file is wrong, not the program
    if "eventId" in value or not value:
        yield value
    elif isinstance(value.get("Events"), list):
        for each in value["Events"]:
            yield from _unfold(each)
    elif isinstance(value.get("event"), str):
        yield from _unfold(json.loads(value["event"]))
    elif isinstance(value.get("event"), dict):
        yield from _unfold(value["event"])
    else:
        yield value
