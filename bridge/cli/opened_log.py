"""The audit log of a configuration, for a command."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import make_url

from bridge.audit.reader import database_errors
from bridge.audit_log import OpenedLog, opened_audit_log
from bridge.cli.output import short_path
from bridge.clock import SystemClock
from bridge.errors import AuditUnavailable
from bridge.settings import Settings, load_settings


def find_missing(settings: Settings) -> Path | None:
    """Return where the log's file would be, if it is one and is not there: opening it would make it."""
    url = make_url(settings.audit_url())
    path = Path(url.database or "")
    return path if url.get_backend_name() == "sqlite" and not path.exists() else None


@contextmanager
def open_log(folder: Path) -> Iterator[OpenedLog]:
    """Open the audit log of a configuration for the time of a block.

    Raises:
        AuditUnavailable: there is none, it cannot be opened, or the database does not answer within the block.
        KeyMissing: its key is not here.
    """
    settings = load_settings(folder)
    missing = find_missing(settings)
    if missing is not None:
        raise AuditUnavailable(f"there is no audit log at {short_path(missing)}")
    with database_errors(), opened_audit_log(settings, SystemClock()) as opened:
        yield opened
