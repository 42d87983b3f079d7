"""What the service's own role may do in PostgreSQL, where another one owns the tables: add records, and change none."""

from collections.abc import Iterator

from sqlalchemy import Connection, text

from bridge.audit.keeping.append_only import APPEND_ONLY
from bridge.audit.keeping.layout import VERSION_TABLE
from bridge.audit.keeping.partitions import DEFAULT
from bridge.audit.tables import keys, records, retired

_ADD = "SELECT, INSERT"
_ALL = "SELECT, INSERT, UPDATE, DELETE"
_RIGHTS = {
    **{table.name: _ADD for table in APPEND_ONLY},
    retired.name: "SELECT",  # it is the owner who retires months
    # Keys are sealed anew when the key folder's are replaced. Erasing somebody is the owner's.
    keys.name: "SELECT, INSERT, UPDATE",
    VERSION_TABLE: "SELECT",
}

_TABLES = text(
    "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') "
    "AND NOT relispartition AND relname ~ '^(audit|history|rule)_' ORDER BY relname"
)
_SEQUENCES = text(
    "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'S' "
    "AND relname ~ '^(audit|history|rule)_' ORDER BY relname"
)
_SERVICES = text(
    "SELECT rolname FROM pg_class, aclexplode(relacl) JOIN pg_roles ON pg_roles.oid = grantee "
    "WHERE pg_class.oid = to_regclass(:table) AND privilege_type = 'INSERT' AND grantee <> relowner ORDER BY rolname"
)
_WEAKNESS = text(
    "SELECT CASE WHEN rolsuper THEN 'it is a superuser' "
    "WHEN pg_has_role(rolname, relowner, 'USAGE') THEN 'it owns the tables, or is a member of the role that does' END "
    "FROM pg_roles, pg_class WHERE rolname = :role AND pg_class.oid = to_regclass(:table)"
)
_IS_ROLE = text("SELECT 1 FROM pg_roles WHERE rolname = :role")
_MAY_CHANGE = text("SELECT has_table_privilege(current_user, to_regclass(:table), 'UPDATE')")


def grants_for(connection: Connection, role: str) -> Iterator[str]:
    """Yield the statements that give a role exactly what the service needs. The owner of the tables executes them."""
    quote = connection.dialect.identifier_preparer.quote
    schema = quote(connection.execute(text("SELECT current_schema()")).scalar_one())
    service = quote(role)
    by_rights: dict[str, list[str]] = {}
    for table in connection.execute(_TABLES).scalars():
        by_rights.setdefault(_RIGHTS.get(table, _ALL), []).append(f"{schema}.{quote(table)}")
    by_rights["SELECT"].append(f"{schema}.{DEFAULT}")
    yield f"GRANT USAGE ON SCHEMA {schema} TO {service}"
    for rights, tables in by_rights.items():
        yield f"REVOKE ALL ON {', '.join(tables)} FROM {service}"
        yield f"GRANT {rights} ON {', '.join(tables)} TO {service}"
    for sequence in connection.execute(_SEQUENCES).scalars():
        yield f"GRANT USAGE ON SEQUENCE {schema}.{quote(sequence)} TO {service}"


def list_services(connection: Connection) -> list[str]:
    """Return the roles that may add records and do not own the tables."""
    return list(connection.execute(_SERVICES, {"table": records.name}).scalars())


def find_weakness(connection: Connection, role: str) -> str | None:
    """Return why grants do not bind a role, in words; None if they do, or if there is no such role."""
    return connection.execute(_WEAKNESS, {"role": role, "table": records.name}).scalar()


def is_role(connection: Connection, role: str) -> bool:
    """Return whether PostgreSQL has a role of this name."""
    return connection.execute(_IS_ROLE, {"role": role}).first() is not None


def may_change_records(connection: Connection) -> bool:
    """Return whether the role that asks could change records, but for the triggers."""
    return bool(connection.execute(_MAY_CHANGE, {"table": records.name}).scalar())
