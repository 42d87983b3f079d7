"""What was recorded cannot be changed: the database itself refuses it, for every program that opens it.

Triggers hold whoever makes a mistake, and every role that does not own the tables. In PostgreSQL the service's role may
not even try (see ``grants.py``). The owner of a database can always take a trigger away: that is what proofs are for.
"""

from collections.abc import Iterator, Mapping

from sqlalchemy import Connection, Table

from bridge.audit.tables import blocks, checkpoints, records, retired, writers

APPEND_ONLY = (writers, records, checkpoints, blocks, retired)
"""What was recorded, and what proves it."""

_TYPES: Mapping[type, str] = {int: "integer", str: "text", bytes: "blob"}
"""What SQLite calls the types of values."""

_FUNCTION = """CREATE OR REPLACE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '%% is append-only', TG_TABLE_NAME; END $$"""


def create_guards(connection: Connection) -> None:
    """Let the tables of ``APPEND_ONLY`` take new rows, of the types that the columns have, and nothing else.

    The tables exist; their guards do not.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_FUNCTION)
    for table in APPEND_ONLY:
        for statement in _guards(connection.dialect.name, table):
            connection.exec_driver_sql(statement)


def guard_partition(connection: Connection, name: str) -> None:
    """Let nobody truncate a partition: row triggers are passed on to it, those of statements are not."""
    connection.exec_driver_sql(_no_truncate(name))


def lift_delete_guard(connection: Connection, table: Table) -> None:
    """Allow rows of a SQLite table to be deleted, until :func:`restore_delete_guard` in the same transaction."""
    connection.exec_driver_sql(f"DROP TRIGGER {table.name}_no_delete")


def restore_delete_guard(connection: Connection, table: Table) -> None:
    """Forbid it again."""
    connection.exec_driver_sql(_no_delete(table))


def _guards(dialect: str, table: Table) -> Iterator[str]:
    if dialect == "postgresql":
        yield (
            f"CREATE TRIGGER {table.name}_no_change BEFORE UPDATE OR DELETE ON {table.name} "
            "FOR EACH ROW EXECUTE FUNCTION audit_append_only()"
        )
        yield _no_truncate(table.name)
        return
    yield f"CREATE TRIGGER {table.name}_no_update BEFORE UPDATE ON {table.name} {_refuse(table)}"
    yield _no_delete(table)
    # INSERT OR REPLACE deletes the row that is in its way without telling the trigger above.
    (key,) = table.primary_key.columns
    yield (
        f"CREATE TRIGGER {table.name}_no_replace BEFORE INSERT ON {table.name} "
        f"WHEN EXISTS (SELECT 1 FROM {table.name} WHERE {key.name} = NEW.{key.name}) {_refuse(table)}"
    )
    # Any column of SQLite takes values of any type, and whoever reads them would fail over one that it cannot have.
    typed = " AND ".join(f"typeof(NEW.{each.name}) = '{_TYPES[each.type.python_type]}'" for each in table.columns)
    yield (
        f"CREATE TRIGGER {table.name}_no_other_type BEFORE INSERT ON {table.name} WHEN NOT ({typed}) "
        f"BEGIN SELECT RAISE(ABORT, '{table.name} takes no value of another type'); END"
    )


def _no_delete(table: Table) -> str:
    return f"CREATE TRIGGER {table.name}_no_delete BEFORE DELETE ON {table.name} {_refuse(table)}"


def _no_truncate(name: str) -> str:
    return (
        f"CREATE TRIGGER {name}_no_truncate BEFORE TRUNCATE ON {name} "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()"
    )


def _refuse(table: Table) -> str:
    return f"BEGIN SELECT RAISE(ABORT, '{table.name} is append-only'); END"
