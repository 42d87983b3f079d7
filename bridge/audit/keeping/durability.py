"""Whether PostgreSQL keeps what it said that it keeps."""

from dataclasses import dataclass

from sqlalchemy import Connection, text

_UNSAFE = text("""
SELECT name FROM pg_settings WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off' ORDER BY name
""")
_STANDBY = text("""
SELECT current_setting('synchronous_standby_names') <> ''
    AND current_setting('synchronous_commit') NOT IN ('off', 'local')
""")


@dataclass(frozen=True)
class Durability:
    """What is left of a commit after a crash. That it is on disk is asked for by :mod:`bridge.database` each time."""

    unsafe: tuple[str, ...]
    """What is off without which a crash of the machine may lose or damage it; no session can turn it on."""
    waits_for_standby: bool
    """Whether it is at a standby too before it is done."""


def read_durability(connection: Connection) -> Durability:
    """Return what the server's settings are worth: see "Write Ahead Log" in PostgreSQL's documentation."""
    unsafe = connection.execute(_UNSAFE).scalars()
    return Durability(tuple(unsafe), connection.execute(_STANDBY).scalar_one())
