"""The keys of the log: what hides a person in it, finds them again, and forgets them.

What a record says of a person is sealed (AES-256-GCM) under a random key of that person's own, ``subject/DIGEST`` in
``audit_keys``; what it says of somebody nobody knows, under a key of the address, ``address/DIGEST``. Whoever destroys
the row destroys what all records say of the person, in every copy of them. These keys lie there sealed under the
``audit-records`` key of the key folder, which is no part of the database or its backups.

A sealed value is ``nonce (12) · ciphertext and tag`` in base64; the additional data are the key's name. What cannot be
opened by the key that has this name now was sealed under one that was destroyed.

To find somebody without opening everything, records hold keyed digests: HMAC-SHA256 under the log's own key
``digest``, cut to 16 bytes, in hex. They tell nothing to somebody who has the database alone, not even by guessing.
"""

import base64
import hmac
import json
import os
import threading
import time
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal, TypeVar

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, Engine, delete, select, text, update

from bridge.addresses import read_address
from bridge.audit.tables import keys
from bridge.errors import KeyUnusable, Unsealable
from bridge.sealing import Sealer

DigestKind = Literal["subject", "name", "address", "session_name"]
_T = TypeVar("_T")
Label = Mapping[str, str]
"""What a subject is called: ``issuer``, ``subject``, and ``person`` where it is known."""

KEY_SECONDS = 30.0
"""For how long a process believes that a key is still there: an erased person is forgotten everywhere after it."""
_MAX_KEPT = 20_000
_KEY_BYTES = 32
_NONCE_BYTES = 12
_AT_ONCE = 500
_ADD = text(
    "INSERT INTO audit_keys (name, sealed, label) VALUES (:name, :sealed, :label) ON CONFLICT (name) DO NOTHING"
)


@dataclass(frozen=True)
class _Key:
    """A key that is in the database, as it was a moment ago."""

    name: str
    cipher: AESGCM
    label: Label | None
    believed_until: float


class AuditSecrets:
    """The log's keys, for one process. Thread-safe."""

    def __init__(self, engine: Engine, sealer: Sealer) -> None:
        """Read the log's own keys, or make them; ``sealer`` has the ``audit-records`` keys of the key folder.

        Raises:
            KeyUnusable: they were sealed by an ``audit-records`` key that this folder does not have.
            sqlalchemy.exc.SQLAlchemyError: the database does not answer.
        """
        self._engine = engine
        self._sealer = sealer
        self._kept: dict[str, _Key] = {}
        self._lock = threading.Lock()
        self._digest_key = self._own("digest")
        self.mac_key = self._own("mac")
        """What ties a record to the one before it."""
        self._cached_digest = lru_cache(_MAX_KEPT)(self._compute_digest)
        self._cached_subject_digest = lru_cache(_MAX_KEPT)(
            lambda issuer, subject: self._compute_digest("subject", json.dumps([issuer, subject]))
        )

    def digest(self, kind: DigestKind, value: str) -> str:
        """Return the keyed digest (32 hex digits) by which a record is found.

        ``subject`` and ``session_name`` are compared exactly; use :meth:`subject_digest` for the former. A ``name`` is
        compared without case and width (NFKC, case folded, each run of white space one space). An ``address`` is
        compared as :func:`bridge.addresses.read_address` reads it.
        """
        return self._cached_digest(kind, value)

    def subject_digest(self, issuer: str, subject: str) -> str:
        """Return the keyed digest of a person: the subject means nothing without its issuer."""
        return self._cached_subject_digest(issuer, subject)

    def _compute_digest(self, kind: DigestKind, value: str) -> str:
        value = _canonical(kind, value)
        message = f"{kind}\0{value}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._digest_key, message, "sha256")[:16].hex()

    def seal(self, key_name: str, fields: Mapping[str, Any], label: Label | None = None) -> str:
        """Return ``fields`` sealed under the key of this name, which is made if it is not there.

        Args:
            key_name: ``subject/DIGEST`` or ``address/DIGEST``.
            fields: JSON values.
            label: what the subject is called.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database does not answer.
        """
        content = encode_personal(fields)
        sealed = self.seal_if_known({key_name: label}, key_name, content)
        if sealed is None:
            with self._engine.begin() as connection:
                found = self.provide(connection, {key_name: label})
            self.keep(found)
            sealed = found.seal(key_name, content)
        return sealed

    def seal_if_known(self, needed: Mapping[str, Label | None], key_name: str, content: bytes) -> str | None:
        """Return ``content`` sealed, if all keys that are ``needed`` are known to be there; else None."""
        now = time.monotonic()
        known: dict[str, _Key] = {}  # others may forget keys meanwhile
        for name, label in needed.items():
            key = self._kept.get(name)
            if key is None or key.believed_until < now or not _says(key.label, label):
                return None
            known[name] = key
        return _seal(known[key_name], content)

    def provide(self, connection: Connection, needed: Mapping[str, Label | None]) -> "FoundKeys":
        """Return the keys of these names, made where they are not there; new labels are written.

        They count once the transaction is committed: :meth:`keep` them then.
        """
        found = self._read(connection, needed)
        missing = sorted(needed.keys() - found.keys())  # in one order, so that two processes do not wait in a circle
        for name in missing:
            key = os.urandom(_KEY_BYTES)
            row = {"name": name, "sealed": self._sealer.seal(_sealed_name(name), key)}
            connection.execute(_ADD, row | {"label": _seal_label(name, key, needed[name])})
        found |= self._read(connection, missing)  # another process may have been faster
        for name in sorted(needed):
            old, label = found[name], needed[name]
            if not _says(old.label, label):
                merged = {**(old.label or {}), **(label or {})}
                sealed = _encrypt(old.cipher, _label_name(name), encode_personal(merged))
                connection.execute(update(keys).where(keys.c.name == name).values(label=sealed))
                found[name] = replace(old, label=merged)
        return FoundKeys(found)

    def keep(self, found: "FoundKeys") -> None:
        """Remember keys whose transaction is committed."""
        with self._lock:
            if len(self._kept) + len(found.keys) > _MAX_KEPT:
                self._kept.clear()
            self._kept.update(found.keys)

    def open(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a record says, as :meth:`open_all` does."""
        return self.open_all([content])[0]

    def open_all(self, contents: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return what records say, personal fields included; where their key was destroyed, ``erased: True`` instead.

        Of somebody else, whom a field ``X_digest`` names, ``X`` is the name, beside ``X_issuer`` and ``X_subject``; of
        somebody who was erased the digest alone is left.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database does not answer.
        """
        names = {content["sealed_for"] for content in contents if "sealed_for" in content}
        names |= {_subject_key(content[f"{field}_digest"]) for content in contents for field in _others(content)}
        found = self._find(names)
        return [_open(content, found) for content in contents]

    def read_labels(self, subject_digests: Sequence[str] | None = None) -> dict[str, Label]:
        """Return what people are called, by subject digest; nobody who was erased. Without digests: everybody.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database does not answer.
        """
        queries = [select(keys).where(keys.c.name.like("subject/%"), keys.c.label.is_not(None))]
        if subject_digests is not None:
            names = [_subject_key(digest) for digest in subject_digests]
            queries = [select(keys).where(keys.c.name.in_(part)) for part in _parts(names)]
        with self._engine.connect().execution_options(read_only=True) as connection:
            found = [key for query in queries for key in self._open_rows(connection.execute(query))]
        return {key.name.removeprefix("subject/"): key.label for key in found if key.label}

    def erase(self, subject_digest: str, also: Sequence[str] = ()) -> bool:
        """Destroy the key of a person, and others by their names; return whether the person had one.

        Other processes forget them in ``KEY_SECONDS``.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database does not answer.
        """
        names = [_subject_key(subject_digest), *also]
        with self._engine.begin() as connection:
            gone = connection.execute(delete(keys).where(keys.c.name == names[0])).rowcount
            for part in _parts(names[1:]):
                connection.execute(delete(keys).where(keys.c.name.in_(part)))
        for name in names:
            self._kept.pop(name, None)
        return bool(gone)

    def renew(self) -> int:
        """Seal under the current ``audit-records`` key what another one sealed; return how many keys that were.

        Before a rotation, so that the key that then is gone has nothing left to open.

        Raises:
            KeyUnusable: one was sealed by a key that this folder does not have.
            sqlalchemy.exc.SQLAlchemyError: the database does not answer.
        """
        renewed = 0
        with self._engine.connect().execution_options(read_only=True) as connection:
            found = connection.execute(select(keys.c.name, keys.c.sealed))
            rows = [row for row in found if not self._sealer.is_current(row.sealed)]
        for part in _parts(rows):
            with self._engine.begin() as connection:
                for row in part:
                    sealed = self._sealer.seal(_sealed_name(row.name), self._unseal(row.name, row.sealed))
                    old = (keys.c.name == row.name) & (keys.c.sealed == row.sealed)
                    renewed += connection.execute(update(keys).where(old).values(sealed=sealed)).rowcount
        return renewed

    def _own(self, name: str) -> bytes:
        query = select(keys.c.sealed).where(keys.c.name == name)
        with self._engine.connect().execution_options(read_only=True) as connection:
            sealed = connection.execute(query).scalar()
        if sealed is None:
            new = self._sealer.seal(_sealed_name(name), os.urandom(_KEY_BYTES))
            with self._engine.begin() as connection:
                connection.execute(_ADD, {"name": name, "sealed": new, "label": None})
                sealed = connection.execute(query).scalar_one()
        return self._unseal(name, sealed)

    def _find(self, names: Iterable[str]) -> dict[str, _Key]:
        now = time.monotonic()
        found = {name: key for name in names if (key := self._kept.get(name)) and key.believed_until >= now}
        missing = [name for name in names if name not in found]
        if missing:
            with self._engine.connect().execution_options(read_only=True) as connection:
                read = self._read(connection, missing)
            self.keep(FoundKeys(read))
            found |= read
        return found

    def _read(self, connection: Connection, names: Iterable[str]) -> dict[str, _Key]:
        found: dict[str, _Key] = {}
        for part in _parts(list(names)):
            rows = connection.execute(select(keys).where(keys.c.name.in_(part)))
            found.update({key.name: key for key in self._open_rows(rows)})
        return found

    def _open_rows(self, rows: Iterable[Any]) -> Iterator[_Key]:
        until = time.monotonic() + KEY_SECONDS
        for row in rows:
            cipher = AESGCM(self._unseal(row.name, row.sealed))
            label = _decrypt(cipher, _label_name(row.name), row.label) if row.label else None
            yield _Key(row.name, cipher, None if label is None else json.loads(label), until)

    def _unseal(self, name: str, sealed: bytes) -> bytes:
        try:
            return self._sealer.open(_sealed_name(name), sealed)
        except Unsealable as error:
            raise KeyUnusable(f"audit-records: {error.detail}: these are not the keys of this audit log") from error


@dataclass(frozen=True)
class FoundKeys:
    """Keys that a transaction read or made."""

    keys: Mapping[str, _Key]

    def seal(self, key_name: str, content: bytes) -> str:
        """Return ``content`` sealed under one of them."""
        return _seal(self.keys[key_name], content)


def encode_personal(fields: Mapping[str, Any]) -> bytes:
    """Return fields as they are sealed: JSON."""
    try:
        return orjson.dumps(fields)
    except TypeError:  # half of a surrogate pair, a number of more than 64 bits
        return json.dumps(fields, separators=(",", ":")).encode("ascii")


def _canonical(kind: DigestKind, value: str) -> str:
    if kind == "name":
        return " ".join(unicodedata.normalize("NFKC", value).casefold().split())
    if kind == "address":
        address = read_address(value.strip())
        return value.strip() if address is None else address.compressed
    return value


def _parts(everything: Sequence[_T]) -> Iterator[Sequence[_T]]:
    return (everything[start : start + _AT_ONCE] for start in range(0, len(everything), _AT_ONCE))


def _open(content: Mapping[str, Any], found: Mapping[str, _Key]) -> dict[str, Any]:
    opened = dict(content)
    sealed, name = opened.pop("sealed", None), opened.pop("sealed_for", None)
    if sealed is not None:
        key = found.get(name)
        personal = key and _decrypt(key.cipher, key.name, base64.b64decode(sealed))
        opened |= json.loads(personal) if personal else {"erased": True}
    for field in _others(content):
        key = found.get(_subject_key(content[f"{field}_digest"]))
        if key and key.label:
            opened[field] = key.label.get("person") or key.label["subject"]
            opened |= {f"{field}_{name}": key.label[name] for name in ("issuer", "subject")}
    return opened


def _others(content: Mapping[str, Any]) -> Iterator[str]:
    return (field for field in ("of", "confirmed_by") if f"{field}_digest" in content)


def _subject_key(digest: str) -> str:
    return f"subject/{digest}"


def _sealed_name(name: str) -> str:
    return f"rambridge:audit-key:{name}"


def _label_name(name: str) -> str:
    return f"label:{name}"


def _says(label: Label | None, wanted: Label | None) -> bool:
    return wanted is None or (label is not None and wanted.items() <= label.items())


def _seal_label(name: str, key: bytes, label: Label | None) -> bytes | None:
    return None if label is None else _encrypt(AESGCM(key), _label_name(name), encode_personal(label))


def _seal(key: _Key, content: bytes) -> str:
    return base64.b64encode(_encrypt(key.cipher, key.name, content)).decode("ascii")


def _encrypt(cipher: AESGCM, name: str, content: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, content, name.encode("ascii"))


def _decrypt(cipher: AESGCM, name: str, sealed: bytes) -> bytes | None:
    try:
        return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], name.encode("ascii"))
    except (InvalidTag, ValueError):
        return None
