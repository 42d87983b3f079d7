"""Checkpoints: how many records there are and the root over all of them, signed (https://c2sp.org/tlog-checkpoint).

Whoever noted one can tell for ever whether the log still begins with exactly those records. Each key signs twice: the
text, and the text with the time, so that nobody can say later that it was made at another moment.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bridge.audit.proof.merkle import HASH_BYTES
from bridge.audit.proof.notes import NoteKey, NoteRefused, VerifierKey, open_note, sign_note

CLOCKS_SECONDS = 60
"""Nodes sign in turn, and their clocks differ: so much earlier than the one before may a checkpoint be."""
STEPPED_BACK = "clock.stepped_back"
"""The record that says that a clock was set back (AUD-04). After it, times begin anew."""

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_LEAST_LINES = 3


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint says."""

    origin: str
    """Which log: see :func:`name_log`."""
    size: int
    """How many records: those at the positions from 0 up to, and without, this."""
    root: bytes
    time: int | None = None
    """When it was signed: seconds since 1970."""
    signed_by: tuple[VerifierKey, ...] = field(default=(), compare=False)

    @property
    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


class Signer:
    """Signs checkpoints with the key of now, and beside it with the one before, while that is kept."""

    def __init__(self, origin: str, current: Ed25519PrivateKey, previous: Ed25519PrivateKey | None = None) -> None:
        """Take the log's name (see :func:`name_log`), under which the keys sign, and the keys."""
        self.origin = origin
        self._keys = [NoteKey(origin, key) for key in (current, previous) if key is not None]

    @property
    def verifier_keys(self) -> tuple[VerifierKey, ...]:
        """The public keys, that of now first."""
        return tuple(key.verifier for key in self._keys)

    def sign(self, size: int, root: bytes, time: int) -> str:
        """Return the note of the checkpoint over ``size`` records; ``time``: seconds since 1970."""
        return sign_note(Checkpoint(self.origin, size, root).text, self._keys, time)

    def sign_text(self, text: str) -> str:
        """Return a note with this text, signed by all keys."""
        return sign_note(text, self._keys)


def name_log(public_url: str) -> str:
    """Return the name of an installation's log: the host of ``public_url``, its port where it has one, and /audit."""
    return f"{urlsplit(public_url).netloc}/audit"


def open_checkpoint(note: str, keys: Sequence[VerifierKey]) -> Checkpoint:
    """Return the checkpoint of a note that one of the keys signed.

    Raises:
        NoteRefused: it is none, or none of the keys signed it.
    """
    opened = open_note(note, keys)
    origin, size, root = split_text(opened.text)
    return Checkpoint(origin, size, root, opened.time, opened.signed_by)


def split_text(text: str) -> tuple[str, int, bytes]:
    """Return origin, size and root of a checkpoint's text. Nothing of it is believed unless somebody signed it.

    Raises:
        NoteRefused: it is no checkpoint.
    """
    lines = text.split("\n")[:-1]
    if len(lines) < _LEAST_LINES or not all(lines) or not _SIZE.fullmatch(lines[1]):
        raise NoteRefused("the note is not a checkpoint")
    try:
        root = base64.b64decode(lines[2], validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteRefused("the note is not a checkpoint") from error
    if len(root) != HASH_BYTES:
        raise NoteRefused("the note is not a checkpoint: its root is no SHA-256")
    return lines[0], int(lines[1]), root
