"""Forget a person: what the log says of them becomes unreadable for good, and the log verifies as before.

What destroys it is that a key is gone, so the key has to be gone from the disk and not only from a table: that is
``overwriting.py``. What no command reaches: backups of the database, standbys that lag behind, and PostgreSQL's
write-ahead log, whose files are used again without being emptied. Keys in them open nothing once the ``audit-records``
key that sealed them is gone (``rambridge keys rotate``).
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, func, select

from bridge.audit.events import BACKGROUND, AuditErased, AuditExported
from bridge.audit.keeping.overwriting import overwrite_deleted
from bridge.audit.log import AuditLog
from bridge.audit.search.saved import SavedSearches
from bridge.audit.secrets import AuditSecrets, Label
from bridge.audit.sequencer import Sequencer
from bridge.audit.tables import SAME_RECORD, index, records
from bridge.audit.trail.forgetting import find_session_keys


@dataclass(frozen=True)
class Known:
    """Somebody whom the log can tell of."""

    subject_digest: str
    label: Label
    """``issuer``, ``subject``, and ``person`` where it is known."""
    records: int
    """How many records are about them."""
    addresses: tuple[str, ...]
    """Digests of the addresses that they came from, and nobody else but who is the same person."""


class Erasure:
    """Erases people from one log."""

    def __init__(self, engine: Engine, secrets: AuditSecrets, audit: AuditLog, sequencer: Sequencer) -> None:
        """Take the database, as whoever may delete keys, the log's keys, the log, and what sequences it."""
        self._engine = engine
        self._secrets = secrets
        self._audit = audit
        self._sequencer = sequencer
        self._searches = SavedSearches(engine, secrets)

    def find(self, called: str) -> list[Known]:
        """Return everybody who is called this (case does not matter), or whose identifier it is exactly.

        If they are one person, an address that only they came from is that person's own.
        """
        wanted = self._secrets.digest("name", called)
        found = {
            digest: label
            for digest, label in self._secrets.read_labels().items()
            if called == label.get("subject") or wanted in self._digest_names(label.get("person", ""))
        }
        return [self._describe(digest, label, found) for digest, label in found.items()]

    def find_subject(self, issuer: str, subject: str) -> Known | None:
        """Return the person whom an issuer calls this; None: nothing is about anybody like that.

        Also somebody who was erased: if that was stopped half-way, it can be said again.
        """
        digest = self._secrets.subject_digest(issuer, subject)
        label = self._secrets.read_labels([digest]).get(digest)
        known = self._describe(digest, label or {"issuer": issuer, "subject": subject}, (digest,))
        return known if label or known.records else None

    def erase(self, known: Known, author: str) -> None:
        """Destroy the keys of a person, after it was recorded; ``author`` is who wants it.

        Other processes forget the person within ``secrets.KEY_SECONDS``. Say :meth:`overwrite` afterwards. It can be
        said again for somebody of whom it was stopped half-way.

        Raises:
            AuditUnavailable: it cannot be recorded; nothing was destroyed.
            sqlalchemy.exc.SQLAlchemyError: the database does not answer, or this role may not.
        """
        event = AuditErased(of_subject_digest=known.subject_digest, addresses=len(known.addresses), author=author)
        self._audit.append(BACKGROUND, event)
        self._sequencer.sign_now()
        with self._engine.connect().execution_options(read_only=True) as connection:
            sessions = find_session_keys(connection, known.subject_digest)
        # Before the keys: what people call the person stands under them, and is needed to find what names them.
        self._searches.forget_person(known.subject_digest, known.label, known.addresses)
        self._secrets.erase(known.subject_digest, [*sessions, *(f"address/{digest}" for digest in known.addresses)])

    def find_opened_exports(self, known: Collection[Known]) -> list[dict[str, Any]]:
        """Return the opened ``audit.exported`` of files that may name one of these people, oldest first.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database does not answer.
        """
        digests = [each.subject_digest for each in known]
        own = select(func.min(index.c.position), func.max(index.c.position)).where(index.c.subject.in_(digests))
        exports = select(records.c.body).join(index, SAME_RECORD).where(index.c.event == AuditExported.name)
        with self._engine.connect().execution_options(read_only=True) as connection:
            first, last = connection.execute(own).one()
            bodies = connection.execute(exports.order_by(index.c.position)).scalars().all()
        if first is None:
            return []
        found = [content for content in map(json.loads, bodies) if content["contents"] == "opened"]
        return self._secrets.open_all([each for each in found if each["first"] <= last and each["end"] > first])

    def overwrite(self) -> list[str]:
        """Leave nothing of destroyed keys in the files of the database; return what is in the way, in words.

        Empty: nothing is left. Else saying it again later is all that can be done; see :mod:`.overwriting`.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database does not answer, or this role may not.
        """
        return overwrite_deleted(self._engine)

    def _digest_names(self, person: str) -> set[str]:
        """Return by what somebody is found: as whoever changes rules people are called ``NAME <MAILBOX>``."""
        return {self._secrets.digest("name", each) for each in (person, person.partition(" <")[0])}

    def _describe(self, digest: str, label: Label, one_person: Collection[str]) -> Known:
        self._sequencer.catch_up()
        with self._engine.connect().execution_options(read_only=True) as connection:
            count = connection.execute(select(func.count()).where(index.c.subject == digest)).scalar_one()
            addresses = _find_own_addresses(connection, digest, one_person)
        return Known(digest, label, count, addresses)


def _find_own_addresses(connection: Connection, digest: str, one_person: Collection[str]) -> tuple[str, ...]:
    """Return the addresses in records about somebody that are in none about others than ``one_person``."""
    others = index.alias()
    shared = select(others.c.position).where(others.c.address == index.c.address, others.c.subject.not_in(one_person))
    own = select(index.c.address).distinct()
    own = own.where(index.c.subject == digest, index.c.address.is_not(None), ~shared.exists())
    return tuple(connection.execute(own).scalars())
