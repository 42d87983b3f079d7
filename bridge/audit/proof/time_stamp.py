"""Time stamps (RFC 3161): somebody else says that a checkpoint was there at a moment.

Only what goes over the wire is built and read here, and whether the answer is about what was asked. Whose signature a
time stamp has is for the auditor to verify, with any program that does: ``openssl ts -verify``.
"""

import hashlib
import secrets
from dataclasses import dataclass

from bridge.errors import WitnessFailed

CONTENT_TYPE = "application/timestamp-query"
_INTEGER, _OCTETS, _NULL, _OBJECT, _SEQUENCE, _BOOLEAN = 0x02, 0x04, 0x05, 0x06, 0x30, 0x01
_SHA256 = bytes.fromhex("608648016503040201")
_SIGNED_DATA = bytes.fromhex("2a864886f70d010702")
_GRANTED = {0, 1}
_NONCE_BYTES = 8
_LONG_FORM = 0x80


@dataclass(frozen=True)
class Query:
    """A question for a time stamp."""

    content: bytes
    """DER, as it is sent."""
    imprint: bytes
    """SHA-256 of what is to be stamped."""
    nonce: bytes
    """The number, in DER, that the answer has to repeat."""


def build_query(message: bytes) -> Query:
    """Return the question for a time stamp over a message; the authority learns its SHA-256 alone."""
    imprint = hashlib.sha256(message).digest()
    nonce = _encode(_INTEGER, b"\x01" + secrets.token_bytes(_NONCE_BYTES))
    algorithm = _encode(_SEQUENCE, _encode(_OBJECT, _SHA256) + _encode(_NULL, b""))
    content = _encode(
        _SEQUENCE,
        _encode(_INTEGER, b"\x01")
        + _encode(_SEQUENCE, algorithm + _encode(_OCTETS, imprint))
        + nonce
        + _encode(_BOOLEAN, b"\xff"),
    )
    return Query(content, imprint, nonce)


def check_answer(query: Query, answer: bytes) -> None:
    """Return only if an answer grants a time stamp over what was asked.

    Raises:
        WitnessFailed: it does not, or it is no answer.
    """
    try:
        status, token = _split(_split(answer)[0][1])[:2]
        granted = _split(status[1])[0][1]
        kind, content = _split(token[1])[:2]
        signed = _split(_split(content[1])[0][1])
        wrapped = next(value for tag, value in signed if tag == _SEQUENCE)
        info = _split(_split(_split(_split(wrapped)[1][1])[0][1])[0][1])
        last_parts = [_split(value)[-1] for tag, value in info if tag == _SEQUENCE]
    except (IndexError, ValueError, StopIteration) as error:
        raise WitnessFailed("the authority's answer is no time stamp") from error
    if int.from_bytes(granted, "big") not in _GRANTED or kind[1] != _SIGNED_DATA:
        raise WitnessFailed("the authority did not grant a time stamp")
    numbers = [_encode(tag, value) for tag, value in info if tag == _INTEGER]
    if (_OCTETS, query.imprint) not in last_parts or query.nonce not in numbers:
        raise WitnessFailed("the time stamp is about something else than what was asked")


def _encode(tag: int, content: bytes) -> bytes:
    if len(content) < _LONG_FORM:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, _LONG_FORM | len(length)]) + length + content


def _split(content: bytes) -> list[tuple[int, bytes]]:
    """Return tag and content of each element of DER."""
    elements = []
    at = 0
    while at < len(content):
        tag, length, start = content[at], content[at + 1], at + 2
        if length & _LONG_FORM:
            size = length & ~_LONG_FORM
            length, start = int.from_bytes(content[start : start + size], "big"), start + size
        if start + length > len(content):
            raise ValueError("it is cut off")
        elements.append((tag, content[start : start + length]))
        at = start + length
    return elements
