"""How the log stands in PostgreSQL, for whoever examines an installation."""

from dataclasses import dataclass

from sqlalchemy import Engine

from bridge.audit.keeping.durability import Durability, read_durability
from bridge.audit.keeping.grants import may_change_records
from bridge.audit.keeping.partition_keeper import PartitionKeeper
from bridge.audit.reader import database_errors
from bridge.clock import Clock


@dataclass(frozen=True)
class Standing:
    """What the role that connects may do, and what is missing."""

    role: str
    may_change: bool
    """Whether only triggers keep the role from changing records."""
    missing: str
    """Which partitions are missing, in words; empty: none."""
    durability: Durability


def examine(engine: Engine, clock: Clock) -> Standing | None:
    """Return how the log stands; None in SQLite. Partitions are made where this role may. Raises AuditUnavailable."""
    if engine.dialect.name != "postgresql":
        return None
    with database_errors():
        missing = PartitionKeeper(engine, clock).keep()
        with engine.connect().execution_options(read_only=True) as connection:
            may_change, durability = may_change_records(connection), read_durability(connection)
    return Standing(str(engine.url.username), may_change, missing, durability)
