"""The hash chain: every record's digest covers its text and the digest before it.

``digest = SHA-256(previous digest ‖ body)`` over the body's exact bytes, beginning from a fixed first digest. Whoever
changes, removes, adds or moves a record has to change every digest after it; whoever noted the head once can tell.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bridge.audit.schema import COPIED_FIELDS
from bridge.errors import ChainBroken

FIRST_DIGEST = hashlib.sha256(b"Rambridge audit log, version 1").hexdigest()


@dataclass(frozen=True)
class Head:
    """Where the chain ends: the last record's sequence number (0: none yet) and digest (hex)."""

    sequence: int = 0
    digest: str = FIRST_DIGEST


def encode_body(content: Mapping[str, Any]) -> str:
    """Return the one canonical text of a record: JSON, sorted keys, ASCII only, one line."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def link(previous: str, body: str) -> str:
    """Return the digest (hex) of a record that follows the digest ``previous``."""
    return hashlib.sha256(bytes.fromhex(previous) + body.encode("ascii")).hexdigest()


def verify_chain(rows: Iterable[Mapping[str, Any]], start: Head | None = None) -> Iterator[Head]:
    """Yield the head after each record; every record so far is what was written, in its place.

    Args:
        rows: records by ascending sequence, each with every column of the table.
        start: the head to go on from; the beginning of the log where absent.

    Raises:
        ChainBroken: at the first record that was changed, moved, added, or before which one is missing.
    """
    head = start or Head()
    for row in rows:
        sequence = head.sequence + 1
        if row["sequence"] != sequence:
            raise ChainBroken(f"record {sequence} is missing: the next one is {row['sequence']}", sequence)
        if not row["body"].isascii() or link(head.digest, row["body"]) != row["digest"]:
            raise ChainBroken(f"record {sequence} does not match its digest", sequence)
        content = json.loads(row["body"])
        if content["sequence"] != sequence:
            raise ChainBroken(f"record {sequence} says that it is record {content['sequence']}", sequence)
        for field in COPIED_FIELDS:
            if row[field] != content.get(field):
                raise ChainBroken(f"record {sequence}: column {field} differs from the record's text", sequence)
        head = Head(sequence, row["digest"])
        yield head
