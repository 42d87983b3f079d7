"""The audit log of a configuration, for a command."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bridge.audit.reader import database_errors
from bridge.audit_log import OpenedLog, opened_audit_log
from bridge.cli.output import short_path
from bridge.clock import SystemClock
from bridge.errors import AuditUnavailable
from bridge.settings import load_settings


@contextmanager
def open_log(folder: Path) -> Iterator[OpenedLog]:
    """Open the audit log of a configuration for the time of a block.

    Raises:
        AuditUnavailable: there is none, it cannot be opened, or the database does not answer within the block.
        KeyMissing: its key is not here.
    """
    settings = load_settings(folder)
    url = settings.audit_url()
    path = Path(url.removeprefix("sqlite:///"))
    if url.startswith("sqlite:") and not path.exists():
        raise AuditUnavailable(f"there is no audit log at {short_path(path)}")
    with database_errors(), opened_audit_log(settings, SystemClock()) as opened:
        yield opened
