"""An audit log for tests that have an engine and no installation."""

import base64
import os
from pathlib import Path

from sqlalchemy import Engine

from bridge.audit.secrets import AuditSecrets
from bridge.audit.sequencer import Sequencer
from bridge.audit_log import OpenedLog
from bridge.clock import Clock, SystemClock
from bridge.sealing import Sealer

SEALER = Sealer(bytes(32))


def open_log(engine: Engine, clock: Clock | None = None) -> OpenedLog:
    """Return what the log in this database is written and read with. Checkpoints are not signed."""
    clock = clock or SystemClock()
    return OpenedLog(engine, AuditSecrets(engine, SEALER), Sequencer(engine, None, clock), clock)


def make_records_key(key_folder: Path) -> None:
    """Make the one key without which nothing can be recorded, and none of the service's others."""
    path = key_folder / "audit-records" / "current.key"
    path.parent.mkdir(mode=0o700, parents=True)
    path.touch(0o600)
    path.write_bytes(base64.b64encode(os.urandom(32)))
