"""PostgreSQL keeps the records of each month in a partition of its own, which is made before the month begins.

Only the owner of the tables can make one. A record of a month without a partition goes to the default one, so that
people can sign in; the next ``rambridge audit migrate`` gives it its place.
"""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection, text

from bridge.audit.keeping.append_only import guard_partition
from bridge.audit.tables import records

AHEAD = 3
"""How many months after the present one have their partition before they begin, where the service may make it."""

_LAYOUT_LOCK = 0x52616D62
"""The advisory lock of whoever changes tables and partitions."""

_PARENT = records.name
DEFAULT = f"{_PARENT}_default"
_MOVING = f"{_PARENT}_moving"

_MONTHS = text(
    "SELECT substring(child.relname FROM '[0-9]{6}$')::int FROM pg_inherits "
    "JOIN pg_class child ON child.oid = inhrelid "
    f"WHERE inhparent = to_regclass('{_PARENT}') AND child.relname ~ '_[0-9]{{6}}$' ORDER BY 1"
)
_STRAYS = text(f"SELECT DISTINCT month FROM {DEFAULT}")
_OWNS = text(f"SELECT pg_has_role(current_user, relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass('{_PARENT}')")


def lock_layout(connection: Connection) -> None:
    """Wait until nobody else changes tables or partitions; to the end of the transaction."""
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LAYOUT_LOCK})")


def create_partitioned(connection: Connection) -> None:
    """Make the table of records, without any partition yet."""
    connection.exec_driver_sql(
        f"CREATE TABLE {_PARENT} (id bigint NOT NULL, month integer NOT NULL, body text NOT NULL, mac bytea NOT NULL, "
        "PRIMARY KEY (id, month)) PARTITION BY LIST (month)"
    )


def list_months(connection: Connection) -> list[int]:
    """Return the months (``year * 100 + month``) that have a partition, ascending."""
    return list(connection.execute(_MONTHS).scalars())


def owns_tables(connection: Connection) -> bool:
    """Return whether this role may make partitions."""
    return bool(connection.execute(_OWNS).scalar())


def create_default(connection: Connection) -> None:
    """Make the default partition. The guards of the table are there."""
    connection.exec_driver_sql(f"CREATE TABLE {DEFAULT} PARTITION OF {_PARENT} DEFAULT")
    guard_partition(connection, DEFAULT)


def list_strays(connection: Connection) -> set[int]:
    """Return the months of the records in the default partition."""
    return set(connection.execute(_STRAYS).scalars())


def create_ahead(connection: Connection, now: datetime, months_ahead: int = AHEAD) -> list[int]:
    """Make the partitions of this month and the next ones that are missing; return their months.

    What is in the default partition gets its place. Appends wait for that.
    """
    lock_layout(connection)
    strays = list_strays(connection)
    if strays:
        connection.exec_driver_sql(f"LOCK TABLE {_PARENT} IN ACCESS EXCLUSIVE MODE")
        strays = list_strays(connection)
        connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {_MOVING} ON COMMIT DROP AS SELECT * FROM {DEFAULT}")
        connection.exec_driver_sql(f"ALTER TABLE {DEFAULT} DISABLE TRIGGER USER")
        connection.exec_driver_sql(f"TRUNCATE {DEFAULT}")
        connection.exec_driver_sql(f"ALTER TABLE {DEFAULT} ENABLE TRIGGER USER")
    missing = (strays | set(coming_months(now, months_ahead))) - set(list_months(connection))
    for month in sorted(missing):
        name = partition_name(month)
        connection.exec_driver_sql(f"CREATE TABLE {name} PARTITION OF {_PARENT} FOR VALUES IN ({month})")
        guard_partition(connection, name)
    if strays:
        connection.exec_driver_sql(f"INSERT INTO {_PARENT} SELECT * FROM {_MOVING}")
    return sorted(missing)


def drop_month(connection: Connection, month: int) -> None:
    """Drop the partition of a month with everything in it, if it is there."""
    connection.exec_driver_sql(f"DROP TABLE IF EXISTS {partition_name(month)}")


def coming_months(now: datetime, ahead: int) -> Iterator[int]:
    """Yield the month of ``now`` (UTC) and as many after it."""
    first = now.year * 12 + now.month - 1
    for month in range(first, first + ahead + 1):
        yield month // 12 * 100 + month % 12 + 1


def partition_name(month: int) -> str:
    """Return the name of a month's partition."""
    return f"{_PARENT}_{month:06d}"
