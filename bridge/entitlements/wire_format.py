"""The wire format of protobuf messages, as far as it takes to read what the CEL runtime hands out."""

from collections.abc import Iterator
from typing import TypeAlias

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

Fields: TypeAlias = dict[int, list[bytes]]


def read_text(fields: Fields, number: int) -> str:
    """Return a field that is text; the last one where it comes several times, nothing where it is absent."""
    return fields.get(number, [b""])[-1].decode()


def split(message: bytes) -> Fields:
    """Return the length-delimited fields of a protobuf message by number; numbers are passed over."""
    fields: Fields = {}
    for number, content in iterate_fields(message):
        fields.setdefault(number, []).append(content)
    return fields


def iterate_fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the number and the content of each length-delimited field. Raises ValueError for an unknown wire type."""
    position = 0
    while position < len(message):
        tag, position = read_varint(message, position)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == BYTES:
            length, position = read_varint(message, position)
            yield number, message[position : position + length]
            position += length
        elif wire_type == VARINT:
            _, position = read_varint(message, position)
        elif wire_type in {FIXED64, FIXED32}:
            position += 8 if wire_type == FIXED64 else 4
        else:
            raise ValueError(f"wire type {wire_type} is not part of this message")


def read_varint(message: bytes, position: int) -> tuple[int, int]:
    """Return the number that stands at a position, and the position behind it."""
    value = shift = 0
    while True:
        byte = message[position]
        value |= (byte & 0x7F) << shift
        position += 1
        if byte < 0x80:  # noqa: PLR2004 - the continuation bit
            return value, position
        shift += 7


def read_numbers(message: bytes) -> dict[int, int]:
    """Return the whole numbers among the fields of a message, which :func:`split` passes over."""
    numbers: dict[int, int] = {}
    position = 0
    while position < len(message):
        tag, position = read_varint(message, position)
        number, kind = tag >> 3, tag & 7
        if kind == VARINT:
            numbers[number], position = read_varint(message, position)
        elif kind == BYTES:
            length, position = read_varint(message, position)
            position += length
        else:
            raise ValueError(f"wire type {kind} is not part of this message")
    return numbers


def write_field(number: int, content: bytes) -> bytes:
    """Return a length-delimited field."""
    return _write_varint(number << 3 | BYTES) + _write_varint(len(content)) + content


def _write_varint(value: int) -> bytes:
    written = b""
    while value >= 0x80:  # noqa: PLR2004 - the continuation bit
        written += bytes([value & 0x7F | 0x80])
        value >>= 7
    return written + bytes([value])
