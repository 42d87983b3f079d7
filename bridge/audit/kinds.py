"""What many records have in common: their *kind*. Search looks through the kinds, of which there are few.

A kind is the event together with every plain field that takes few values: provider, account, role, code, rule, what the
provider said of the sign-in, and so on. Ten million records have some ten thousand kinds. What is looked for by such
fields, or by a word in them, is first looked for among the kinds, and one index over (kind, position) leads from there
to the records, whatever the combination.

A kind's number is a hash of its fields, so that it follows from the record alone and the index can be verified. Nothing
here is personal.
"""

import hashlib
import json
import marshal
from collections.abc import Mapping
from functools import lru_cache
from types import NoneType
from typing import Any

COLUMNS = (
    "event",
    "code",
    "protocol",
    "provider",
    "issuer",
    "account",
    "entitlement",
    "rule",
    "mfa",
    "privileged",
)
"""What a kind is looked for by, each in a column of ``audit_kinds``."""

WORDS = (
    "acr",
    "amr",
    "decided_by",
    "granted",
    "node",
    "purpose",
    "reason",
    "role",
    "rules",
    "source",
    "sts_code",
    "trust",
    "way",
)
"""Further fields whose words can be looked for. Never one that somebody who has not signed in can fill as they like:
they could make a kind of each record. Such fields are found by their whole value (``terms``)."""

_FIELDS = (*COLUMNS, *WORDS)
_ASKED_IN_VAIN = "choice.refused"
"""Its ``entitlement`` is what somebody wrote, whether there is such a role or not. It makes no kind, and is found by
its whole value and by the role's name in it."""

_encode = json.JSONEncoder(separators=(",", ":")).encode

MAX_WORDS = 2_000
"""Characters kept of a kind's words."""

_ENTITLEMENT = COLUMNS.index("entitlement")

_NOT_TERMS = {
    *COLUMNS,
    *WORDS,
    # where the record stands; what has an index of its own
    *("format", "writer", "number", "time", "monotonic", "reference", "access_key_id", "sts_request_id", "network"),
    *("subject_digest", "name_digests", "address_digest", "session_name_digest", "sealed", "sealed_for"),
    # moments, which nobody looks for one by one
    *("authenticated_at", "expires_at", "ends_at", "of_time"),
    # in each record of a decision; found in the record of the change (``version``)
    *("rules_version", "previous", "kept"),
}
_MAX_TERMS = 16

INDEX_COLUMNS = (
    "event",
    "refused",
    "code",
    "protocol",
    "provider",
    "account",
    "entitlement",
    "rule",
    "mfa",
    "privileged",
    "kind",
)
"""Columns of ``audit_index`` that all records of a kind have in common."""
_MOST_CHARACTERS = {"event": 64, "code": 64, "protocol": 16}
_FLAGS = frozenset({"mfa", "privileged"})
_NEEDED = frozenset({"event", "reference"})

_MARSHAL_VERSION = 2
"""The last one that does not depend on which values are one object. Unlike a tuple, it tells ``true`` from 1."""


def kind_of(content: Mapping[str, Any]) -> int:
    """Return the number of a record's kind: 64 bits, signed. It depends on nothing but the record's plain fields."""
    return _number(_encode(_fields_of(content)))


def values_of_kind(content: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the values of ``INDEX_COLUMNS``, the kind's number last, of a record that was read from JSON.

    Raises TypeError or ValueError: one is of a type that no record has.
    """
    return _values(marshal.dumps(_fields_of(content), _MARSHAL_VERSION))


def check_type(name: str, kind: type) -> None:
    """Let nothing reach a column that it does not take: such a row would keep all others from getting their place.

    Raises TypeError.
    """
    if kind is not (bool if name in _FLAGS else str) and (kind is not NoneType or name in _NEEDED):
        raise TypeError(name)


def _fields_of(content: Mapping[str, Any]) -> list[Any]:
    fields = list(map(content.get, _FIELDS))
    if content.get("event") == _ASKED_IN_VAIN:
        fields[_ENTITLEMENT] = None
    return fields


@lru_cache(65_536)
def _values(marshalled: bytes) -> tuple[Any, ...]:
    fields = marshal.loads(marshalled)  # noqa: S302 just marshalled by ourselves
    content = dict(zip(_FIELDS, fields, strict=True))
    row = {name: storable(content[name]) for name in COLUMNS if name in INDEX_COLUMNS}
    for name, value in row.items():
        check_type(name, type(value))
    for name, most in _MOST_CHARACTERS.items():
        row[name] = row[name] and row[name][:most]
    row["refused"] = content["event"].endswith(".refused")
    row["kind"] = _number(_encode(fields))
    return tuple(row[name] for name in INDEX_COLUMNS)


def entitlement_of(content: Mapping[str, Any]) -> Any:
    """Return the role or user that a record is found by; None where somebody asked for it in vain."""
    return None if content["event"] == _ASKED_IN_VAIN else content.get("entitlement")


def kind_row(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of ``audit_kinds`` of a record's kind, without what is counted there."""
    content = {**content, "entitlement": entitlement_of(content)}
    texts = [_text(content.get(name)) for name in (*COLUMNS[:8], *WORDS)]
    return {
        "kind": kind_of(content),
        "refused": content["event"].endswith(".refused"),
        **{name: storable(content.get(name)) for name in COLUMNS},
        "words": storable(" ".join(filter(None, texts)).lower()[:MAX_WORDS]),
    }


def terms(content: Mapping[str, Any]) -> set[int]:
    """Return hashes of the values that the record can be found by, besides its kind: message ids, digests, and such.

    Of a text of several words each word is a term as well. At most 16.
    """
    found: dict[int, None] = {}
    if content.get("event") == _ASKED_IN_VAIN:
        asked = str(content.get("entitlement", ""))
        found = dict.fromkeys(map(term_of, filter(None, (asked, asked.rpartition("/")[2]))))
    for name, value in sorted(content.items()):
        if name in _NOT_TERMS:
            continue
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and text:
                for word in dict.fromkeys((text, *text.split())):
                    found[term_of(word)] = None
    return set(list(found)[:_MAX_TERMS])


def term_of(text: str) -> int:
    """Return the hash by which a value is found: 64 bits, signed; upper and lower case are the same."""
    return _number(text.strip().lower())


def storable(value: Any) -> Any:
    """Return the value as a column can hold it: neither NUL nor half a surrogate pair, which the databases refuse.

    Whoever could send either would otherwise keep the record, and all after it, from getting a place in the log.
    """
    if isinstance(value, str) and not (value.isascii() and "\0" not in value):
        return value.replace("\0", "\ufffd").encode(errors="replace").decode()
    return value


@lru_cache(65_536)
def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode(errors="surrogatepass")).digest()[:8], "big", signed=True)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(_text, value))
    return value if isinstance(value, str) else ""
