"""An audit log for tests that have an engine and no installation."""

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
