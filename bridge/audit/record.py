"""One record as it is stored: its text, its place in its writer's chain, and what of it can be searched.

``body`` is canonical JSON (sorted keys, ASCII, one line) and everything else follows from it. It holds

- where it stands: ``format``, ``writer``, ``number``, ``time`` (UTC, microseconds), ``monotonic`` (milliseconds of a
  clock that nobody sets back, since the machine's start), ``event``, ``reference``;
- the event's fields that say nothing of a person, as they are;
- keyed digests of those that do, to find them by: ``subject_digest``, ``name_digests``, ``address_digest``,
  ``session_name_digest``;
- ``network``, a coarse form of the address; ``mfa`` and ``privileged``, where they are known;
- ``sealed`` and ``sealed_for``: all fields that say something of a person, under the key of that name in
  ``audit_keys`` (base64). Without the key they are gone, and the record verifies as before.

The leaf of the log's tree is the body (RFC 6962, 2.1). The ``mac`` ties a record to the one that the same writer wrote
before: ``HMAC-SHA256(key, mac before ‖ body)``, from 32 zero bytes, so that nobody without the key can replace what has
no position in the tree yet.
"""

import hmac
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, cast

import orjson

from bridge.audit import kinds
from bridge.audit.tables import NUMBER_BITS

FORMAT = 1
FIRST_MAC = bytes(32)

_TEXTS = ("reference", "access_key_id", "sts_request_id", "network")
_DIGESTS = ("subject_digest", "address_digest", "session_name_digest")
INDEX_COLUMNS = (
    *("position", "month", "id", "time"),
    *_TEXTS,
    *(name.removesuffix("_digest") for name in _DIGESTS),
    *kinds.INDEX_COLUMNS,
)
"""All columns of ``audit_index``, in the order of :func:`index_values`."""
_REFERENCE_CHARACTERS = 64
_DIGEST_CHARACTERS = 32

UNREADABLE: Mapping[str, Any] = {"time": "1970-01-01T00:00:00.000000Z", "event": "record.unreadable", "reference": ""}
"""What stands in the index for a record that nobody of us wrote. It must not stop what comes after it."""
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True)
_DELETE = b"\x7f"
_decode_exactly = json.JSONDecoder().raw_decode


@dataclass(frozen=True)
class Head:
    """Where a writer's chain ends: the last number (0: none yet) and mac."""

    number: int = 0
    mac: bytes = FIRST_MAC


def encode_body(content: Mapping[str, Any]) -> str:
    """Return the one canonical text of a record: JSON, sorted keys, ASCII only, one line."""
    try:
        encoded = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # half of a surrogate pair, a number of more than 64 bits
        return _ENCODER.encode(content)
    # orjson escapes nothing beyond what JSON has to.
    return encoded.decode("ascii") if encoded.isascii() and _DELETE not in encoded else _ENCODER.encode(content)


def link(key: bytes, before: bytes, body: str) -> bytes:
    """Return the mac of a record that follows the one with the mac ``before``."""
    mac = _begin_mac(key).copy()
    mac.update(before + body.encode("ascii"))
    return mac.digest()


@lru_cache(16)
def _begin_mac(key: bytes) -> hmac.HMAC:
    return hmac.new(key, digestmod="sha256")


def record_id(writer: int, number: int) -> int:
    """Return the ``id`` of a writer's record."""
    return writer << NUMBER_BITS | number


def split_id(identifier: int) -> tuple[int, int]:
    """Return writer and number of an ``id``."""
    return identifier >> NUMBER_BITS, identifier & ((1 << NUMBER_BITS) - 1)


def month_of(time: str) -> int:
    """Return the month of a record's ``time`` as ``year * 100 + month``."""
    return _read_month(time[:7])


@lru_cache(1_024)
def _read_month(text: str) -> int:
    return int(text[:4]) * 100 + int(text[5:])


def format_time(moment: datetime) -> str:
    """Return a moment as records have it: UTC, microseconds, ``Z``."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def to_microseconds(time: str) -> int:
    """Return a record's ``time`` in microseconds since 1970."""
    moment = datetime.fromisoformat(time)
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond


def index_values(position: int, identifier: int, content: Mapping[str, Any], *, plain: bool = False) -> tuple[Any, ...]:
    """Return what ``audit_index`` has of a record, in the order of ``INDEX_COLUMNS``.

    It depends on nothing but what is recorded.

    Args:
        position: the record's place in the log.
        identifier: its ``id``.
        content: its body, read.
        plain: no text in it has a character that a column could not hold, so that none is looked for.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: nobody of us wrote it.
    """
    get, time = content.get, content["time"]
    texts: tuple[Any, ...] = tuple(map(get, _TEXTS))
    digests = tuple(map(get, _DIGESTS))
    _check_types(tuple(map(type, texts + digests)))
    for digest in digests:
        if digest and len(digest) > _DIGEST_CHARACTERS:
            raise ValueError(digest)
    if not plain:
        texts = tuple(map(kinds.storable, texts))
        if tuple(map(kinds.storable, digests)) != digests:
            raise ValueError(digests)
    place = position, month_of(time), identifier, to_microseconds(time), texts[0][:_REFERENCE_CHARACTERS]
    return place + texts[1:] + digests + kinds.values_of_kind(content)


@lru_cache(1_024)
def _check_types(types: tuple[type, ...]) -> None:
    for name, kind in zip((*_TEXTS, *_DIGESTS), types, strict=True):
        kinds.check_type(name, kind)


def read_record(position: int, identifier: int, body: str) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """Return a record's content, and its row in ``audit_index``; ``UNREADABLE`` if nobody of us wrote it."""
    content, values = read_values(position, identifier, body)
    return content, dict(zip(INDEX_COLUMNS, values, strict=True))


def read_values(position: int, identifier: int, body: str) -> tuple[Mapping[str, Any], tuple[Any, ...]]:
    """Do the same, with the row as :func:`index_values` returns it."""
    try:
        content = _decode(body)
        # Everything but ASCII is escaped in a body, and so is NUL.
        return content, index_values(position, identifier, content, plain="\\" not in body)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        pass
    return UNREADABLE, index_values(position, identifier, UNREADABLE)


def _decode(body: str) -> Mapping[str, Any]:
    if body[:1] == "{" and body[-1:] == "}":
        with suppress(orjson.JSONDecodeError):
            return cast("Mapping[str, Any]", orjson.loads(body))
    content, end = _decode_exactly(body)  # what orjson refuses may be JSON: half of a surrogate pair
    if end != len(body):
        raise ValueError(body[end : end + 1])
    return cast("Mapping[str, Any]", content)
