"""Run the versions that a database lacks, in the caller's transaction."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection

from bridge.errors import AuditLayout

_FOLDER = Path(__file__).parent


def upgrade(connection: Connection, versions: Path = _FOLDER / "versions") -> None:
    """Move the layout to the newest one. Nothing is committed here, so that it is all or nothing.

    Raises:
        AuditLayout: a later version of Rambridge has made it.
    """
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.set_main_option("version_locations", str(versions))
    config.set_main_option("path_separator", "newline")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise AuditLayout("a later version of Rambridge has made it") from error
