"""Signed notes (https://c2sp.org/signed-note), as Go's checksum database and witnesses of transparency logs read them.

A note is a text, an empty line, and a line for each signature: ``— NAME base64(key ID ‖ signature)``. Two kinds of
signature are made and read here, both Ed25519: over the text (type 1), and over the text and a time (type 4, see
https://c2sp.org/tlog-cosignature), which says when it was signed.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

OVER_TEXT: Final = 1
OVER_TEXT_AND_TIME: Final = 4

_KEY_ID_BYTES = 4
_TIME_BYTES = 8
_PUBLIC_KEY_BYTES = 32
_SIGNATURE_PREFIX = "— "
_MAX_SIGNATURES = 100
_MAX_TIME = 2**63 - 1
_VERIFIER_KEY_PARTS = 3


class NoteRefused(ValueError):
    """A text is no signed note, or not one that a known key signed."""


class UnknownSigner(NoteRefused):
    """It is a signed note, and none of the known keys signed it."""


@dataclass(frozen=True)
class VerifierKey:
    """Who signs, and with what public key; in text ``NAME+KEY ID+base64(type ‖ key)``."""

    name: str
    public_bytes: bytes

    def __post_init__(self) -> None:
        """Refuse a name that no signature line could have."""
        if not _is_name(self.name):
            raise NoteRefused("the name of a key is empty, or has a space or a plus")

    @cached_property
    def public_key(self) -> Ed25519PublicKey:
        """The key as the library has it."""
        return Ed25519PublicKey.from_public_bytes(self.public_bytes)

    def id(self, kind: int = OVER_TEXT) -> bytes:
        """Return the four bytes that stand for the key and the kind of signature in a signature line."""
        content = self.name.encode() + b"\n" + bytes([kind]) + self.public_bytes
        return hashlib.sha256(content).digest()[:_KEY_ID_BYTES]

    def __str__(self) -> str:
        content = bytes([OVER_TEXT]) + self.public_bytes
        return f"{self.name}+{self.id().hex()}+{base64.b64encode(content).decode()}"

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """Return the key that was written as text.

        Raises:
            NoteRefused: it is none, of another type, or was changed.
        """
        parts = text.split("+", _VERIFIER_KEY_PARTS - 1)
        if len(parts) != _VERIFIER_KEY_PARTS:
            raise NoteRefused("a verifier key is NAME+KEY ID+KEY")
        name, identifier, encoded = parts
        content = _decode(encoded)
        if len(content) != 1 + _PUBLIC_KEY_BYTES or content[0] not in {OVER_TEXT, OVER_TEXT_AND_TIME}:
            raise NoteRefused("the verifier key is not of type Ed25519")
        key = cls(name, content[1:])
        if identifier != key.id(content[0]).hex():
            raise NoteRefused("the verifier key's ID belongs to another key or name")
        return key


@dataclass(frozen=True)
class OpenedNote:
    """A note that at least one known key signed."""

    text: str
    signed_by: tuple[VerifierKey, ...]
    timed_by: tuple[VerifierKey, ...]
    """Those whose signature says when it was made."""
    time: int | None
    """When that was: seconds since 1970, the earliest of several. None: nobody says so."""


class NoteKey:
    """A private key under a name."""

    def __init__(self, name: str, private_key: Ed25519PrivateKey) -> None:
        """Take the name that signature lines have."""
        self.verifier = VerifierKey(name, private_key.public_key().public_bytes_raw())
        self._private_key = private_key

    def sign_line(self, text: str) -> str:
        """Return the signature line over a text that ends with a newline."""
        return self._line(OVER_TEXT, self._private_key.sign(text.encode()))

    def sign_time_line(self, text: str, time: int) -> str:
        """Return the signature line over a text and a time in seconds since 1970."""
        signature = self._private_key.sign(_timed(text, time))
        return self._line(OVER_TEXT_AND_TIME, time.to_bytes(_TIME_BYTES, "big") + signature)

    def _line(self, kind: int, signature: bytes) -> str:
        encoded = base64.b64encode(self.verifier.id(kind) + signature).decode()
        return f"{_SIGNATURE_PREFIX}{self.verifier.name} {encoded}\n"


def sign_note(text: str, keys: Iterable[NoteKey], time: int | None = None) -> str:
    """Return the note: the text with a signature of each key, and with a time, one more of each over text and time.

    Raises:
        NoteRefused: the text does not end with a newline, or has control characters.
    """
    if not text.endswith("\n") or _has_control_characters(text):
        raise NoteRefused("the text of a note ends with a newline and has no other control character")
    lines = []
    for key in keys:
        lines.append(key.sign_line(text))
        if time is not None:
            lines.append(key.sign_time_line(text, time))
    return text + "\n" + "".join(lines)


def open_note(note: str, keys: Sequence[VerifierKey]) -> OpenedNote:
    """Return what a note says, if one of the keys signed it. Signatures of unknown keys are passed over.

    Raises:
        NoteRefused: it is no note, a signature of a known key is wrong, or no known key signed it.
    """
    text, lines = _split(note)
    known = {(key.name, key.id(kind)): (key, kind) for key in keys for kind in (OVER_TEXT, OVER_TEXT_AND_TIME)}
    signed_by: dict[VerifierKey, None] = {}
    timed_by: dict[VerifierKey, int] = {}
    for name, content in lines:
        found = known.get((name, content[:_KEY_ID_BYTES]))
        if found is None:
            continue
        key, kind = found
        signature, message = content[_KEY_ID_BYTES:], text.encode()
        if kind == OVER_TEXT_AND_TIME:
            time = int.from_bytes(signature[:_TIME_BYTES], "big")
            signature, message = signature[_TIME_BYTES:], _timed(text, time)
        try:
            key.public_key.verify(signature, message)
        except InvalidSignature as error:
            raise NoteRefused(f"the signature of {key.name}+{key.id(kind).hex()} is wrong") from error
        if kind == OVER_TEXT_AND_TIME:
            timed_by[key] = time
        else:
            signed_by[key] = None
    if not signed_by:
        raise UnknownSigner("no known key signed the note")
    return OpenedNote(text, tuple(signed_by), tuple(timed_by), min(timed_by.values(), default=None))


def _split(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    """Return the text, with its last newline, and name and content of each signature line."""
    end = note.rfind("\n\n")
    if end < 0 or not note.endswith("\n") or _has_control_characters(note):
        raise NoteRefused("this is not a signed note")
    text, rest = note[: end + 1], note[end + 2 :]
    lines = []
    for line in rest.split("\n")[:-1]:
        name, space, encoded = line.removeprefix(_SIGNATURE_PREFIX).partition(" ")
        if not line.startswith(_SIGNATURE_PREFIX) or not space or not _is_name(name):
            raise NoteRefused("this is not a signed note: a line after the text is no signature")
        content = _decode(encoded)
        if len(content) <= _KEY_ID_BYTES:
            raise NoteRefused("this is not a signed note: a signature is too short")
        lines.append((name, content))
    if not 0 < len(lines) <= _MAX_SIGNATURES:
        raise NoteRefused("this is not a signed note: it has no signature, or too many")
    return text, lines


def _timed(text: str, time: int) -> bytes:
    if not 0 <= time <= _MAX_TIME:
        raise NoteRefused("the time of a signature is out of range")
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def _decode(encoded: str) -> bytes:
    try:
        content = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteRefused("this is not base64") from error
    if base64.b64encode(content).decode() != encoded:  # bits that nobody reads would let a note be changed unseen
        raise NoteRefused("this is not the one way to write it in base64")
    return content


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(character.isspace() for character in name)


def _has_control_characters(text: str) -> bool:
    return any(character < " " and character != "\n" for character in text)
