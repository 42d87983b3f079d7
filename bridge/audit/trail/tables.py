"""The tables of imported events, the same on SQLite and PostgreSQL. All of it can be imported again.

What says something of a person is sealed under ``session/DIGEST`` in ``audit_keys``: a key for each role session name.
Times are in microseconds since 1970, UTC, by the cloud's clock.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    insert,
    select,
)

metadata = MetaData()

_Key = BigInteger().with_variant(Integer, "sqlite")

credentials = Table(
    "audit_trail_credentials",
    metadata,
    Column("number", _Key, primary_key=True, autoincrement=False),
    Column("name", String(160), nullable=False, unique=True),
    Column("account", String(128), nullable=False),
    Column("role", String(128), nullable=False),
    Column("session", String(32), nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("created", BigInteger),
    Column("action", String(128), nullable=False),
    Column("provider", String(128), nullable=False),
    Column("caller", String(128), nullable=False),
    Column("parent", String(160), nullable=False),
    Column("request_id", String(128), nullable=False),
    Column("way", String(16), nullable=False),
    Column("position", BigInteger),
    Column("subject", String(32)),
    Column("calls", Integer, nullable=False),
    Column("sealed", Text),
    Index("audit_trail_credentials_parent", "parent"),
    Index("audit_trail_credentials_subject", "subject", "last"),
    Index("audit_trail_credentials_way", "way", "last"),
    Index("audit_trail_credentials_position", "position"),
)
"""One row for each :class:`bridge.audit.trail.join.Credentials`, with the same names.

``sealed`` has the session name, and what the caller who asked STS is called.
"""

calls = Table(
    "audit_trail_calls",
    metadata,
    Column("event_id", String(128), primary_key=True),
    Column("credentials", BigInteger, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("service", String(128), nullable=False),
    Column("name", String(128), nullable=False),
    Column("region", String(128), nullable=False),
    Column("write", Boolean, nullable=False),
    Column("error_code", String(128), nullable=False),
    Column("request_id", String(128), nullable=False),
    Column("address", BigInteger),
    Index("audit_trail_calls_credentials", "credentials", "time"),
    Index("audit_trail_calls_address", "address"),
    sqlite_with_rowid=False,
)
"""One row for each event that is kept, under the credentials that called, or those that STS gave out in it."""

addresses = Table(
    "audit_trail_addresses",
    metadata,
    Column("number", _Key, primary_key=True, autoincrement=False),
    Column("place", String(65), nullable=False, unique=True),
    Column("network", String(64), nullable=False),
    Column("sealed", Text, nullable=False),
)
"""From where the sessions of one name were used. ``place`` has the digests of session name and address."""

progress = Table(
    "audit_trail_progress",
    metadata,
    Column("name", String(16), primary_key=True),
    Column("value", BigInteger, nullable=False),
)
"""``newest``: the time of the newest event that was read. ``turn``: a number that each transaction of an import moves
on, so that two imports at once do not work from the same state."""


def create(connection: Connection) -> None:
    """Make the tables where they are not there."""
    metadata.create_all(connection)
    there = set(connection.execute(select(progress.c.name)).scalars())
    missing = [{"name": name, "value": 0} for name in ("newest", "turn") if name not in there]
    if missing:
        connection.execute(insert(progress), missing)
