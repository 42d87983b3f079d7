"""Our own keys: made, loaded, rotated, and published before they are used.

::

    <folder>/saml-sp/{current,next,previous}.pem       signs AuthnRequests
    <folder>/saml-issuer/{current,next,previous}.pem   signs responses for the cloud
    <folder>/oidc-issuer/{current,next,previous}.pem   signs tokens for the cloud
    <folder>/oidc-client/{current,next,previous}.pem   signs what proves to OpenID providers who we are
    <folder>/saml-decryption/{current,next,previous}.pem  opens what SAML providers encrypt for us
    <folder>/oidc-decryption/{current,next,previous}.pem  opens what OpenID providers encrypt for us
    <folder>/audit-checkpoints/{current,next,previous}.pem  signs checkpoints of the audit log (Ed25519)
    <folder>/audit-records/{current,next,previous}.key seals the keys of the audit log
    <folder>/store/{current,next,previous}.key         seals what is kept in Redis

A ``.pem`` file holds a private key (PKCS 8) and its certificate, but no certificate where nothing reads any; a
``.key`` file holds 32 random bytes in base64.
``current`` signs. ``next`` is published already, so that whoever caches our metadata knows it before it signs.
``previous`` is published still, so that what it signed stays verifiable. Not so the ``previous`` decryption key: nobody
is to use it any more, but it still opens what arrives. No key serves two purposes.
"""

import base64
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from cryptography.x509.oid import NameOID

from bridge.clock import Clock
from bridge.errors import KeyMissing, KeyUnusable

SigningPurpose = Literal["saml-sp", "saml-issuer", "oidc-issuer", "oidc-client"]
DecryptionPurpose = Literal["saml-decryption", "oidc-decryption"]
CertifiedPurpose = Literal["saml-sp", "saml-issuer", "oidc-issuer", "oidc-client", "saml-decryption", "oidc-decryption"]
SealingPurpose = Literal["store", "audit-records"]
Purpose = Literal[
    "saml-sp",
    "saml-issuer",
    "oidc-issuer",
    "oidc-client",
    "saml-decryption",
    "oidc-decryption",
    "audit-checkpoints",
    "audit-records",
    "store",
]
Slot = Literal["current", "next", "previous"]

SIGNING_PURPOSES: tuple[SigningPurpose, ...] = ("saml-sp", "saml-issuer", "oidc-issuer", "oidc-client")
CERTIFIED_PURPOSES: tuple[CertifiedPurpose, ...] = (*SIGNING_PURPOSES, "saml-decryption", "oidc-decryption")
SEALING_PURPOSES: tuple[SealingPurpose, ...] = ("audit-records", "store")
PURPOSES: tuple[Purpose, ...] = (*CERTIFIED_PURPOSES, "audit-checkpoints", *SEALING_PURPOSES)
SLOTS: tuple[Slot, ...] = ("current", "next", "previous")

RSA_BITS = 2048
CERTIFICATE_LIFETIME = timedelta(days=3 * 365)
SEALING_KEY_BYTES = 32
_LARGEST_FILE_BYTES = 65_536
_READABLE_BY_OTHERS = 0o077


@dataclass(frozen=True)
class SigningKey:
    """A private key with its certificate. It prints as its ``id`` alone."""

    id: str
    """The RFC 7638 thumbprint (SHA-256, base64url) of the public key: the ``kid`` of tokens."""
    private_key: RSAPrivateKey = field(repr=False)
    certificate: x509.Certificate = field(repr=False)


@dataclass(frozen=True)
class DecryptionKeys:
    """The keys that open what others encrypted for us. They have the form of keys that sign, and sign nothing."""

    published: tuple[SigningKey, ...] = ()
    """``current`` and ``next``: whoever encrypts now uses one of them."""
    retired: tuple[SigningKey, ...] = ()
    """``previous``: somebody who read our metadata before the rotation may still use it."""

    @property
    def private_keys(self) -> tuple[RSAPrivateKey, ...]:
        """All of them: what arrives may be for any."""
        return tuple(key.private_key for key in (*self.published, *self.retired))


@dataclass(frozen=True)
class CheckpointKeys:
    """The keys that sign checkpoints of the audit log."""

    current: Ed25519PrivateKey = field(repr=False)
    next: Ed25519PrivateKey | None = field(default=None, repr=False)
    """Signs nothing yet; whoever verifies may know it already."""
    previous: Ed25519PrivateKey | None = field(default=None, repr=False)
    """Signs beside ``current``, for those who know nothing else yet."""


@dataclass(frozen=True)
class KeyDescription:
    """One row of ``rambridge keys list``."""

    purpose: Purpose
    slot: Slot
    algorithm: str
    id: str
    created: datetime
    not_after: datetime | None
    """The certificate's end (UTC). None: a key without a certificate has no end of its own."""


class KeyFolder:
    """The keys in a folder. Each file is read once: a rotation takes effect with a new ``KeyFolder``."""

    def __init__(self, folder: Path) -> None:
        """Take the folder that :func:`create_missing` filled."""
        self.folder = folder
        self._signing: dict[Path, SigningKey] = {}

    def signing(self, purpose: SigningPurpose) -> SigningKey:
        """Return the key that signs now.

        Raises KeyMissing if there is none, and KeyUnusable if others may read it or it is not what it should be.
        """
        return self._load_signing(self._path(purpose, "current"))

    def published(self, purpose: SigningPurpose) -> tuple[SigningKey, ...]:
        """Return the keys that verifiers should know, in the order current, next, previous."""
        current = self.signing(purpose)
        others = (self._path(purpose, slot) for slot in SLOTS[1:])
        return (current, *(self._load_signing(path) for path in others if _is_there(path)))

    def decryption(self, purpose: DecryptionPurpose = "saml-decryption") -> DecryptionKeys:
        """Return the keys that open what providers of one protocol encrypt; none if the folder has no ``current`` one.

        A folder from before this purpose existed stays usable: nothing encrypted is accepted then.
        """
        paths = {slot: self._path(purpose, slot) for slot in SLOTS}
        if not _is_there(paths["current"]):
            return DecryptionKeys()
        found = {slot: self._load_signing(path) for slot, path in paths.items() if _is_there(path)}
        return DecryptionKeys(
            published=tuple(key for slot, key in found.items() if slot != "previous"),
            retired=tuple(key for slot, key in found.items() if slot == "previous"),
        )

    def checkpoint_keys(self) -> CheckpointKeys:
        """Return the keys that sign checkpoints of the audit log.

        Raises KeyMissing if there is no ``current`` one, and KeyUnusable if others may read one or it is not Ed25519.
        """
        others = {slot: self._path("audit-checkpoints", slot) for slot in SLOTS[1:]}
        return CheckpointKeys(
            _load_ed25519(self._path("audit-checkpoints", "current")),
            **{slot: _load_ed25519(path) for slot, path in others.items() if _is_there(path)},
        )

    def sealing_keys(self, purpose: SealingPurpose = "store") -> tuple[bytes, tuple[bytes, ...]]:
        """Return the key that seals now, and the others that may still, or already, have sealed a value.

        ``next`` is among the others: while a rotation travels through several machines, one that has it as
        ``current`` shares its values with one that has not.
        """
        current = _load_sealing(self._path(purpose, "current"))
        others = (self._path(purpose, slot) for slot in SLOTS[1:])
        return current, tuple(_load_sealing(path) for path in others if _is_there(path))

    def describe(self) -> list[KeyDescription]:
        """Return what there is, by purpose and slot, without any secret."""
        rows: list[KeyDescription] = []
        for purpose in CERTIFIED_PURPOSES:
            rows.extend(self._describe_signing(purpose, slot) for slot in self._slots(purpose))
        rows.extend(self._describe_ed25519(slot) for slot in self._slots("audit-checkpoints"))
        for sealing in SEALING_PURPOSES:
            rows.extend(self._describe_sealing(sealing, slot) for slot in self._slots(sealing))
        return rows

    def _slots(self, purpose: Purpose) -> list[Slot]:
        return [slot for slot in SLOTS if _is_there(self._path(purpose, slot))]

    def _path(self, purpose: Purpose, slot: Slot) -> Path:
        return _path(self.folder, purpose, slot)

    def _load_signing(self, path: Path) -> SigningKey:
        if path not in self._signing:
            self._signing[path] = _load_signing(path)
        return self._signing[path]

    def _describe_signing(self, purpose: CertifiedPurpose, slot: Slot) -> KeyDescription:
        key = self._load_signing(self._path(purpose, slot))
        return KeyDescription(
            purpose=purpose,
            slot=slot,
            algorithm=f"RSA-{key.private_key.key_size}",
            id=key.id,
            created=key.certificate.not_valid_before_utc,
            not_after=key.certificate.not_valid_after_utc,
        )

    def _describe_ed25519(self, slot: Slot) -> KeyDescription:
        path = self._path("audit-checkpoints", slot)
        public = _load_ed25519(path).public_key().public_bytes_raw()
        return _describe_file("audit-checkpoints", slot, "Ed25519", public, path)

    def _describe_sealing(self, purpose: SealingPurpose, slot: Slot) -> KeyDescription:
        path = self._path(purpose, slot)
        return _describe_file(purpose, slot, "AES-256-GCM", _load_sealing(path), path)


def _describe_file(purpose: Purpose, slot: Slot, algorithm: str, key: bytes, path: Path) -> KeyDescription:
    """Describe a key without a certificate: it is as old as its file."""
    created = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return KeyDescription(purpose, slot, algorithm, hashlib.sha256(key).hexdigest()[:16], created, None)


def create_missing(folder: Path, clock: Clock) -> list[Path]:
    """Make every ``current`` and ``next`` key that is not there yet; return the files that were made.

    What exists is never touched. Folders are 0700 and files 0600; a file appears whole or not at all.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    made: list[Path] = []
    with _locked(folder):
        for purpose in PURPOSES:
            (folder / purpose).mkdir(mode=0o700, exist_ok=True)
            for slot in SLOTS[:2]:
                path = _path(folder, purpose, slot)
                if not path.exists():
                    _write(path, _new_key(purpose, clock))
                    made.append(path)
    return made


def rotate(folder: Path, purpose: Purpose, clock: Clock) -> None:
    """Make ``next`` the current key: previous ← current ← next ← a new key.

    There is a usable ``current`` at every moment in between, and rotating again after a crash is safe. The key
    that was ``previous`` is gone: rotate only when nothing that it signed or sealed is needed any more.
    """
    current, following, previous = (_path(folder, purpose, slot) for slot in SLOTS)
    with _locked(folder):
        retired = _read_private(current)
        if not following.exists():
            _write(following, _new_key(purpose, clock))
        _write(previous, retired)
        shutil.copystat(current, previous)
        following.replace(current)
        _write(following, _new_key(purpose, clock))


def replace_next(folder: Path, purpose: Purpose, clock: Clock) -> None:
    """Make a new ``next`` key: the old one ends too soon to be worth announcing, or somebody else has it.

    Nobody signs with it, so nothing breaks; whoever was given the old one must be given this one before a rotation.
    """
    with _locked(folder):
        _read_private(_path(folder, purpose, "current"))
        _write(_path(folder, purpose, "next"), _new_key(purpose, clock))


def _path(folder: Path, purpose: Purpose, slot: Slot) -> Path:
    return folder / purpose / f"{slot}.{'key' if purpose in SEALING_PURPOSES else 'pem'}"


def _new_key(purpose: Purpose, clock: Clock) -> bytes:
    if purpose == "store" or purpose == "audit-records":  # noqa: PLR1714  mypy narrows this form
        return base64.b64encode(secrets.token_bytes(SEALING_KEY_BYTES)) + b"\n"
    if purpose == "audit-checkpoints":
        return _to_pem(Ed25519PrivateKey.generate())
    return _new_signing_key(purpose, clock.now())


def _new_signing_key(purpose: CertifiedPurpose, now: datetime) -> bytes:
    private_key = generate_private_key(public_exponent=65_537, key_size=RSA_BITS)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"rambridge {purpose}")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + CERTIFICATE_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(private_key.public_key()), critical=False)
        .sign(private_key, hashes.SHA256())
    )
    return _to_pem(private_key) + certificate.public_bytes(serialization.Encoding.PEM)


def _to_pem(private_key: RSAPrivateKey | Ed25519PrivateKey) -> bytes:
    return private_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _load_signing(path: Path) -> SigningKey:
    content = _read_private(path)
    try:
        private_key = serialization.load_pem_private_key(content, password=None)
        certificate = x509.load_pem_x509_certificate(content)
        certified_key = certificate.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyUnusable(f"{path}: not an unencrypted private key and a certificate in PEM") from error
    if not isinstance(private_key, RSAPrivateKey) or private_key.key_size < RSA_BITS:
        raise KeyUnusable(f"{path}: not an RSA key of at least {RSA_BITS} bits")
    public_key = private_key.public_key()
    if certified_key != public_key:
        raise KeyUnusable(f"{path}: the certificate belongs to another private key")
    return SigningKey(_thumbprint(public_key), private_key, certificate)


def _load_ed25519(path: Path) -> Ed25519PrivateKey:
    try:
        private_key = serialization.load_pem_private_key(_read_private(path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyUnusable(f"{path}: not an unencrypted private key in PEM") from error
    if not isinstance(private_key, Ed25519PrivateKey):
        raise KeyUnusable(f"{path}: not an Ed25519 key")
    return private_key


def _thumbprint(key: RSAPublicKey) -> str:
    numbers = key.public_numbers()
    members = {"e": _base64url_number(numbers.e), "kty": "RSA", "n": _base64url_number(numbers.n)}
    return _base64url(hashlib.sha256(json.dumps(members, separators=(",", ":")).encode()).digest())


def _base64url_number(number: int) -> str:
    return _base64url(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _load_sealing(path: Path) -> bytes:
    try:
        key = base64.b64decode(_read_private(path).strip(), validate=True)
    except ValueError as error:
        raise KeyUnusable(f"{path}: not base64") from error
    if len(key) != SEALING_KEY_BYTES:
        raise KeyUnusable(f"{path}: not {SEALING_KEY_BYTES} bytes")
    return key


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise KeyUnusable(f"{path}: cannot be reached: {error.strerror}") from error


def _read_private(path: Path) -> bytes:
    """Return the file's content, refusing one that anybody but its owner may read or write."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode & 0o777
            if mode & _READABLE_BY_OTHERS:
                raise KeyUnusable(f"{path}: mode is {mode:04o}, so others may use it; run: chmod 600 {path}")
            return file.read(_LARGEST_FILE_BYTES)
    except FileNotFoundError as error:
        raise KeyMissing(f"{path}: no such file") from error
    except OSError as error:
        raise KeyUnusable(f"{path}: cannot be read: {error.strerror}") from error


def _write(path: Path, content: bytes) -> None:
    """Put the content at the path, mode 0600, durably and at once: a reader sees the old file or the new one."""
    descriptor, temporary = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one process at a time change the folder."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError as error:
        raise KeyMissing(f"{folder}: no such folder") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
