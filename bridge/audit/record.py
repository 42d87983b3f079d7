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
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from types import NoneType
from typing import Any

from bridge.audit.kinds import entitlement_of, kind_of, storable
from bridge.audit.tables import NUMBER_BITS

FORMAT = 1
FIRST_MAC = bytes(32)

PLAIN_INDEX_FIELDS = (
    "event",
    "code",
    "reference",
    "protocol",
    "provider",
    "account",
    "entitlement",
    "rule",
    "access_key_id",
    "sts_request_id",
    "network",
    "mfa",
    "privileged",
)
DIGEST_INDEX_FIELDS = ("subject", "address", "session_name")
_DIGEST_FIELDS = tuple((name, f"{name}_digest") for name in DIGEST_INDEX_FIELDS)
_MOST_CHARACTERS = {"event": 64, "code": 64, "reference": 64, "protocol": 16}

_FOR_INDEX = (*PLAIN_INDEX_FIELDS, *DIGEST_INDEX_FIELDS)
_FLAGS = frozenset({"mfa", "privileged"})
_NEEDED = frozenset({"event", "reference"})
_DIGEST_CHARACTERS = 32

UNREADABLE: Mapping[str, Any] = {"time": "1970-01-01T00:00:00.000000Z", "event": "record.unreadable", "reference": ""}
"""What stands in the index for a record that nobody of us wrote. It must not stop what comes after it."""
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True)


@dataclass(frozen=True)
class Head:
    """Where a writer's chain ends: the last number (0: none yet) and mac."""

    number: int = 0
    mac: bytes = FIRST_MAC


def encode_body(content: Mapping[str, Any]) -> str:
    """Return the one canonical text of a record: JSON, sorted keys, ASCII only, one line."""
    return _ENCODER.encode(content)


def link(key: bytes, before: bytes, body: str) -> bytes:
    """Return the mac of a record that follows the one with the mac ``before``."""
    return hmac.digest(key, before + body.encode("ascii"), "sha256")


def record_id(writer: int, number: int) -> int:
    """Return the ``id`` of a writer's record."""
    return writer << NUMBER_BITS | number


def split_id(identifier: int) -> tuple[int, int]:
    """Return writer and number of an ``id``."""
    return identifier >> NUMBER_BITS, identifier & ((1 << NUMBER_BITS) - 1)


def month_of(time: str) -> int:
    """Return the month of a record's ``time`` as ``year * 100 + month``."""
    return int(time[:4]) * 100 + int(time[5:7])


def format_time(moment: datetime) -> str:
    """Return a moment as records have it: UTC, microseconds, ``Z``."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def to_microseconds(time: str) -> int:
    """Return a record's ``time`` in microseconds since 1970."""
    moment = datetime.fromisoformat(time)
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond


def index_row(position: int, identifier: int, content: Mapping[str, Any], *, plain: bool = False) -> dict[str, Any]:
    """Return the row of ``audit_index`` for a record's content. It depends on nothing but what is recorded.

    ``plain``: no text in it has a character that a column could not hold, so that none is looked for.
    """
    get = content.get
    row = {name: get(name) for name in PLAIN_INDEX_FIELDS}
    row["entitlement"] = entitlement_of(content)
    if not plain:
        row = {name: storable(value) for name, value in row.items()}
    row |= {name: get(field) for name, field in _DIGEST_FIELDS}
    _check_types(tuple(map(type, row.values())))
    for name, _ in _DIGEST_FIELDS:
        if len(row[name] or "") > _DIGEST_CHARACTERS or (not plain and storable(row[name]) != row[name]):
            raise ValueError(name)
    for name, most in _MOST_CHARACTERS.items():
        value = row[name]
        if value and len(value) > most:
            row[name] = value[:most]
    time = content["time"]
    row["position"] = position
    row["month"] = month_of(time)
    row["id"] = identifier
    row["time"] = to_microseconds(time)
    row["refused"] = content["event"].endswith(".refused")
    row["kind"] = kind_of(content)
    return row


@lru_cache(1_024)
def _check_types(types: tuple[type, ...]) -> None:
    """Let nothing reach a column that it does not take: such a row would keep all others from getting their place."""
    for name, kind in zip(_FOR_INDEX, types, strict=True):
        if kind is not (bool if name in _FLAGS else str) and (kind is not NoneType or name in _NEEDED):
            raise TypeError(name)


def read_record(position: int, identifier: int, body: str) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """Return a record's content, and its row in ``audit_index``; ``UNREADABLE`` if nobody of us wrote it."""
    try:
        content = json.loads(body)
        # Everything but ASCII is escaped in a body, and so is NUL.
        return content, index_row(position, identifier, content, plain="\\u" not in body)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        return UNREADABLE, index_row(position, identifier, UNREADABLE)
