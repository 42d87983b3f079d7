"""People by part of their name. Names are sealed; the label of each person's key is opened in memory."""

import re
import threading
import time
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, select

from bridge.audit.secrets import AuditSecrets, Label
from bridge.audit.tables import keys

BELIEVED_SECONDS = 10.0
"""How long a name that is gone, or new, may be known or unknown here."""
_DIGEST = re.compile(r"[0-9a-f]{32}")
_PREFIX = "subject/"
_LABELS = select(keys.c.name, keys.c.label).where(keys.c.name.like(f"{_PREFIX}%"), keys.c.label.is_not(None))


@dataclass(frozen=True)
class FoundPerson:
    """Somebody whom records speak of."""

    subject_digest: str
    name: str
    """What people call the person, or else the provider's identifier; it identifies nobody."""


@dataclass(frozen=True)
class _Known:
    sealed: bytes
    label: Label
    folded: str
    """The name as it is compared."""


class People:
    """Everybody in the log, by name. Opens a label once, and again only if it is another one."""

    def __init__(self, engine: Engine, secrets: AuditSecrets) -> None:
        """Take the database and the log's keys."""
        self._engine = engine
        self._secrets = secrets
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}
        self._believed_until = 0.0

    def find(self, part: str, count: int) -> Sequence[FoundPerson]:
        """Return people whose name has ``part`` in it, those whose name begins with it first, then by name."""
        folded = _fold(part)
        if not folded:
            return []
        found = [(digest, each) for digest, each in self._everybody().items() if folded in each.folded]
        found.sort(key=lambda each: (not each[1].folded.startswith(folded), each[1].folded, each[0]))
        return [FoundPerson(digest, _name(each.label)) for digest, each in found[:count]]

    def get(self, subject_digest: str) -> FoundPerson | None:
        """Return the person with this digest; None if nobody is known by it."""
        label = self._secrets.read_labels([subject_digest]).get(subject_digest)
        return None if label is None else FoundPerson(subject_digest, _name(label))

    def resolve(self, typed: str, count: int) -> Sequence[str]:
        """Return digests of those who are meant: by digest, by the provider's identifier, or by part of the name."""
        if _DIGEST.fullmatch(typed):
            return [typed]
        exact = [digest for digest, each in self._everybody().items() if each.label["subject"] == typed]
        return exact[:count] or [each.subject_digest for each in self.find(typed, count)]

    def _everybody(self) -> Mapping[str, _Known]:
        with self._lock:
            if time.monotonic() >= self._believed_until:
                self._known = self._read()
                self._believed_until = time.monotonic() + BELIEVED_SECONDS
            return self._known

    def _read(self) -> dict[str, _Known]:
        with self._engine.connect().execution_options(read_only=True) as connection:
            sealed = {row.name.removeprefix(_PREFIX): row.label for row in connection.execute(_LABELS)}
        known = {
            digest: self._known[digest]
            for digest, label in sealed.items()
            if digest in self._known and self._known[digest].sealed == label
        }
        for digest, label in self._secrets.read_labels([each for each in sealed if each not in known]).items():
            known[digest] = _Known(sealed[digest], label, _fold(_name(label)))
        return known


def _name(label: Label) -> str:
    return label.get("person") or label["subject"]


def _fold(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
