"""What leaves for Redis leaves sealed: a stolen dump, or somebody who can write there, gains nothing.

An envelope is ``version (1) · key id (8) · nonce (12) · ciphertext and tag``, AES-256-GCM. The additional data hold
the version, the key id and the name under which the value is stored, and a name begins with its purpose: a value
that is moved to another name, or from one purpose to another, does not open.
"""

import hashlib
import json
import os
import zlib
from collections.abc import Iterable
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bridge.errors import Unsealable

_VERSION = b"\x01"
_KEY_ID_BYTES = 8
_NONCE_BYTES = 12
_HEADER_BYTES = len(_VERSION) + _KEY_ID_BYTES
_WORTH_COMPRESSING_BYTES = 400
_PLAIN, _COMPRESSED = b"j", b"z"


class Sealer:
    """Seals with the current key; opens with any key of the ring.

    Nonces are random, so one key may seal 2³² values before a repetition becomes thinkable (NIST SP 800-38D 8.3):
    a rotation each quarter is far below that at a thousand sign-ins a second.
    """

    def __init__(self, current: bytes, others: Iterable[bytes] = ()) -> None:
        """Take the 32-byte keys; the ciphers are built once, here."""
        self._header = _VERSION + _key_id(current)
        self._ring = {_VERSION + _key_id(key): AESGCM(key) for key in (*others, current)}

    def seal(self, name: str, value: bytes) -> bytes:
        """Return the envelope that opens under this name alone."""
        nonce = os.urandom(_NONCE_BYTES)
        cipher = self._ring[self._header]
        return self._header + nonce + cipher.encrypt(nonce, value, self._header + name.encode())

    def is_current(self, sealed: bytes) -> bool:
        """Return whether the current key says to have sealed this; only :meth:`open` tells whether it did."""
        return sealed.startswith(self._header)

    def open(self, name: str, sealed: bytes) -> bytes:
        """Return the value that was sealed under this name.

        Raises Unsealable if it was sealed under another name, by a key that is gone, by somebody else, or if
        anything was changed: callers treat what it held as over.
        """
        header, rest = sealed[:_HEADER_BYTES], sealed[_HEADER_BYTES:]
        cipher = self._ring.get(header)
        if cipher is None:
            raise Unsealable(f"{name}: sealed by a key that we do not have")
        try:
            return cipher.decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], header + name.encode())
        except (InvalidTag, ValueError) as error:
            raise Unsealable(f"{name}: not what was sealed under this name") from error

    def seal_json(self, name: str, value: Any) -> bytes:
        """Seal a JSON value, compressed where that pays."""
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        if len(text) > _WORTH_COMPRESSING_BYTES:
            return self.seal(name, _COMPRESSED + zlib.compress(text))
        return self.seal(name, _PLAIN + text)

    def open_json(self, name: str, sealed: bytes) -> Any:
        """Return the JSON value that was sealed under this name; its shape is the caller's to check."""
        content = self.open(name, sealed)
        kind, text = content[:1], content[1:]
        try:
            return json.loads(zlib.decompress(text) if kind == _COMPRESSED else text)
        except (ValueError, zlib.error) as error:
            raise Unsealable(f"{name}: sealed by us, but not JSON") from error


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()[:_KEY_ID_BYTES]
