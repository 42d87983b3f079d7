"""RSA keys of the stand-ins, each in a file that only its owner can read."""

import os
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc.jwk import RSAKey


def load_or_create_token_key(file: Path) -> RSAKey:
    """Return the key that signs tokens (RS256), made where it is missing; its ``kid`` is its RFC 7638 thumbprint."""
    if not file.exists():
        write_private(file, encode_private_key(rsa.generate_private_key(public_exponent=65537, key_size=2048)))
    key = RSAKey.import_key(file.read_bytes(), {"use": "sig", "alg": "RS256"})
    key.ensure_kid()
    return key


def encode_private_key(key: rsa.RSAPrivateKey) -> bytes:
    """Return the key as PEM, PKCS#8, not encrypted."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def write_private(file: Path, content: bytes) -> None:
    """Write a file with mode 0600; its folder is made where it is missing."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Opened with its final mode: at no moment can another user of this machine read it.
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
        stream.write(content)
