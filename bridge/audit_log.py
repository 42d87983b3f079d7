"""Open the audit log of an installation: its database, its keys, and what puts records in their order."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from bridge.audit.database import open_database
from bridge.audit.log import AuditLog
from bridge.audit.proof.checkpoints import Signer, name_log
from bridge.audit.proof.notes import VerifierKey
from bridge.audit.reader import AuditReader
from bridge.audit.search.saved import SavedSearches
from bridge.audit.search.search import AuditSearch
from bridge.audit.search.upkeep import index_rows
from bridge.audit.secrets import AuditSecrets
from bridge.audit.sequencer import Sequencer
from bridge.clock import Clock
from bridge.errors import AuditUnavailable, KeyMissing
from bridge.keys import KeyFolder
from bridge.sealing import Sealer
from bridge.settings import Settings
from bridge.settings.audit import AuditSettings


@dataclass(frozen=True)
class OpenedLog:
    """What an installation's audit log is written and read with."""

    engine: Engine
    secrets: AuditSecrets = field(repr=False)
    sequencer: Sequencer
    clock: Clock
    signer: Signer | None = field(default=None, repr=False)
    """None: the keys that sign checkpoints are not on this machine."""

    @property
    def verifier_keys(self) -> tuple[VerifierKey, ...]:
        """The public keys that sign its checkpoints on this machine; none where it does not sign."""
        return self.signer.verifier_keys if self.signer else ()

    @property
    def reader(self) -> AuditReader:
        """What reads it."""
        return AuditReader(self.engine, self.secrets, self.sequencer)

    @property
    def search(self) -> AuditSearch:
        """What finds records in it; keep it, since it remembers names."""
        return AuditSearch(self.engine, self.secrets, self.clock, self.reader, self.sequencer)

    @property
    def saved_searches(self) -> SavedSearches:
        """What auditors keep."""
        return SavedSearches(self.engine, self.secrets)

    def build_log(self, settings: AuditSettings | None = None) -> AuditLog:
        """Return what appends to it; the defaults of ``audit.yaml`` count where there are no settings."""
        settings = settings or AuditSettings()
        return AuditLog(
            self.engine,
            self.secrets,
            self.clock,
            node=socket.gethostname(),
            privileged=settings.privileged,
            max_clock_step_seconds=settings.max_clock_step_seconds,
            refusals_per_minute=settings.refusals_per_minute,
        )


def open_audit_log(settings: Settings, clock: Clock) -> OpenedLog:
    """Open the log. A machine without the keys that sign checkpoints leaves signing to the others.

    Raises:
        AuditLayout: the database is not of this version.
        AuditUnavailable: the database cannot be opened.
        KeyMissing: there is no ``audit-records`` key.
        KeyUnusable: a key is not what it should be, or not that of this log.
    """
    keys = KeyFolder(settings.key_folder)
    sealer = Sealer(*keys.sealing_keys("audit-records"))
    signer = _build_signer(keys, settings.public_url)
    try:
        engine = open_database(settings.audit_url())
        try:
            secrets = AuditSecrets(engine, sealer)
        except BaseException:
            engine.dispose()
            raise
    except SQLAlchemyError as error:
        raise AuditUnavailable(f"the audit database cannot be opened: {type(error).__name__}") from error
    sequencer = Sequencer(engine, signer, clock, mac_key=secrets.mac_key, index_rows=index_rows)
    return OpenedLog(engine, secrets, sequencer, clock, signer)


@contextmanager
def opened_audit_log(settings: Settings, clock: Clock) -> Iterator[OpenedLog]:
    """Open the log for the time of a block. Raises as :func:`open_audit_log` does."""
    opened = open_audit_log(settings, clock)
    try:
        yield opened
    finally:
        opened.engine.dispose()


def _build_signer(keys: KeyFolder, public_url: str) -> Signer | None:
    try:
        found = keys.checkpoint_keys()
    except KeyMissing:
        return None
    return Signer(name_log(public_url), found.current, found.previous)
