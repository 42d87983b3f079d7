"""The audit database has the newest layout, whoever made it and whoever opens it at the same time."""

import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import DBAPIError

from bridge.audit.database import open_database
from bridge.audit.keeping import layout
from bridge.audit.keeping.append_only import APPEND_ONLY
from bridge.audit.keeping.migrations.upgrade import upgrade
from bridge.audit.keeping.partitions import coming_months, create_ahead, list_months, list_strays
from bridge.audit.tables import records
from bridge.database import open_engine
from bridge.errors import AuditLayout

BODY = '{"event":"session.ended"}'


def describe(engine):
    """Return everything of a database's layout, in the words of the database itself."""
    if engine.dialect.name == "sqlite":
        query = "SELECT type, name, sql FROM sqlite_master ORDER BY 1, 2"
    else:
        query = """
            SELECT table_name, column_name, data_type, is_nullable, '' FROM information_schema.columns
             WHERE table_schema = 'public'
            UNION ALL SELECT tablename, indexname, indexdef, '', '' FROM pg_indexes WHERE schemaname = 'public'
            UNION ALL SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid), '', '' FROM pg_trigger
            UNION ALL SELECT oid::regclass::text, pg_get_expr(relpartbound, oid), '', '', '' FROM pg_class
             WHERE relpartbound IS NOT NULL
            ORDER BY 1, 2"""
    with engine.connect() as connection:
        return [tuple(" ".join(str(each).split()) for each in row) for row in connection.execute(text(query))]


def insert_record(connection, number, month=202611):
    row = {"id": (1 << 40) | number, "month": month, "body": BODY, "mac": bytes(32)}
    connection.execute(records.insert(), row)


def one_row(table):
    """Return a row for a table of the log."""
    values = {"BIGINT": 1, "INTEGER": 202611, "BLOB": bytes(32), "BYTEA": bytes(32)}
    return {column.name: values.get(str(column.type), "x") for column in table.columns}


def test_a_new_database_is_what_the_migrations_make(new_database):
    made, moved = open_database(new_database()), open_engine(new_database())
    with moved.begin() as connection:
        upgrade(connection)
        assert layout.read_version(connection) == layout.NEWEST
    assert describe(made) == describe(moved)
    made.dispose()
    moved.dispose()


def test_an_older_database_is_moved_with_its_records_and_only_once(new_database, tmp_path):
    engine = open_database(new_database())
    with engine.begin() as connection:
        insert_record(connection, 1)
    versions = shutil.copytree(Path(layout.__file__).parent / "migrations" / "versions", tmp_path / "versions")
    (versions / "v9999_colour.py").write_text(
        "from alembic import op\nimport sqlalchemy as sa\n"
        f"revision = '9999'\ndown_revision = '{layout.NEWEST}'\n"
        "def upgrade():\n    op.add_column('audit_writers', sa.Column('colour', sa.Text))\n"
    )
    for _ in range(2):
        with engine.begin() as connection:
            upgrade(connection, versions)
    with engine.connect() as connection:
        assert layout.read_version(connection) == "9999"
        assert connection.execute(text("SELECT count(*) FROM audit_records")).scalar_one() == 1
        assert "colour" in {column["name"] for column in inspect(connection).get_columns("audit_writers")}
    engine.dispose()


def test_a_move_that_fails_changes_nothing(new_database, tmp_path):
    engine = open_database(new_database())
    before = describe(engine)
    versions = shutil.copytree(Path(layout.__file__).parent / "migrations" / "versions", tmp_path / "versions")
    (versions / "v9999_broken.py").write_text(
        "from alembic import op\nimport sqlalchemy as sa\n"
        f"revision = '9999'\ndown_revision = '{layout.NEWEST}'\n"
        "def upgrade():\n    op.add_column('audit_writers', sa.Column('colour', sa.Text))\n    op.execute('nonsense')\n"
    )
    with pytest.raises(DBAPIError), engine.begin() as connection:
        upgrade(connection, versions)
    assert describe(engine) == before
    engine.dispose()


def test_eight_that_open_a_new_database_at_once_make_one_log(new_database):
    url = new_database()
    with ThreadPoolExecutor(8) as pool:
        engines = list(pool.map(lambda _: open_database(url), range(8)))
    for engine in engines:
        engine.dispose()


@pytest.mark.parametrize("table", APPEND_ONLY, ids=lambda table: table.name)
def test_the_database_itself_refuses_to_change_what_was_recorded(new_database, table):
    engine = open_database(new_database())
    key = table.primary_key.columns.values()[0].name
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            create_ahead(connection, datetime(2026, 11, 1, tzinfo=UTC), 0)  # the row's month, whatever month it is now
        connection.execute(table.insert(), one_row(table))
    attempts = [f"UPDATE {table.name} SET {key} = 2", f"DELETE FROM {table.name}"]
    if engine.dialect.name == "postgresql":
        attempts.append(f"TRUNCATE {table.name}")
        if table is records:
            attempts += [f"TRUNCATE {table.name}_202611", f"DELETE FROM {table.name}_202611"]
    else:
        columns = ", ".join(table.columns.keys())
        attempts.append(f"INSERT OR REPLACE INTO {table.name} ({columns}) SELECT {columns} FROM {table.name}")
    for attempt in attempts:
        with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
            connection.execute(text(attempt))
    with engine.connect() as connection:
        assert [dict(row) for row in connection.execute(table.select()).mappings()] == [one_row(table)]
    engine.dispose()


LITERALS = {int: "1", str: "'x'", bytes: "x'00'"}
OTHERS = {
    int: ("x'00'", "1.5", "'one'"),
    str: ("x'00'", "CAST('x' AS BLOB)"),
    bytes: ("'x'", "CAST(x'00' AS TEXT)", "1"),
}


@pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("table", APPEND_ONLY, ids=lambda table: table.name)
def test_a_value_of_a_type_that_only_sqlite_lets_into_a_column_is_refused(new_database, table):
    engine = open_database(new_database())
    right = {column.name: LITERALS[column.type.python_type] for column in table.columns}
    (key,) = table.primary_key.columns
    with engine.begin() as connection:
        for column in table.columns:
            for other in OTHERS[column.type.python_type]:
                for verb in ("INSERT", "INSERT OR IGNORE", "INSERT OR REPLACE"):
                    values = ", ".join((right | {column.name: other}).values())
                    # A key that is the row's number is SQLite's own matter.
                    with pytest.raises(DBAPIError, match="mismatch" if column is key else "another type"):
                        connection.exec_driver_sql(f"{verb} INTO {table.name} VALUES ({values})")
        connection.exec_driver_sql(f"INSERT INTO {table.name} VALUES ({', '.join(right.values())})")
    engine.dispose()


def test_the_log_of_another_version_is_left_alone(new_database):
    later = new_database()
    engine = open_database(later)
    with engine.begin() as connection:
        connection.execute(text("UPDATE audit_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(AuditLayout, match="later"):
        open_database(later)

    earlier = new_database()
    engine = create_engine(earlier)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE audit_records (sequence BIGINT PRIMARY KEY, body TEXT)"))
    with pytest.raises(AuditLayout, match=r"before 0\.2"):
        open_database(earlier)
    assert [column["name"] for column in inspect(engine).get_columns("audit_records")] == ["sequence", "body"]
    engine.dispose()


def test_a_new_sqlite_file_opens_in_milliseconds_and_without_alembic(tmp_path):
    open_database(f"sqlite:///{tmp_path}/warm.db").dispose()
    started = time.process_time()
    open_database(f"sqlite:///{tmp_path}/new.db").dispose()
    assert time.process_time() - started < 0.15  # of 20 ms
    code = (
        "import sys\nfrom bridge.audit.database import open_database\n"
        f"open_database('sqlite:///{tmp_path}/another.db')\nopen_database('sqlite:///{tmp_path}/new.db')\n"
        "assert 'alembic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("new_database", ["postgresql"], indirect=True)
def test_a_month_without_a_partition_stops_nobody_and_gets_its_place_later(new_database):
    engine = open_database(new_database())
    now = datetime(2031, 11, 30, tzinfo=UTC)
    with engine.begin() as connection:
        insert_record(connection, 1, 203111)
        insert_record(connection, 2, 203112)
    with engine.begin() as connection:
        assert list_strays(connection) == {203111, 203112}
        assert create_ahead(connection, now, 2) == [203111, 203112, 203201]
        assert create_ahead(connection, now, 2) == []
        assert list_strays(connection) == set()
        assert {203111, 203112, 203201} <= set(list_months(connection))
        assert connection.execute(text("SELECT count(*) FROM audit_records_203112")).scalar_one() == 1
        assert connection.execute(text("SELECT count(*) FROM audit_records")).scalar_one() == 2
    for table in ("audit_records_default", "audit_records_203112"):
        with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
            connection.execute(text(f"TRUNCATE {table}"))
    engine.dispose()


def test_months_go_on_after_december():
    assert list(coming_months(datetime(2026, 11, 29, tzinfo=UTC), 3)) == [202611, 202612, 202701, 202702]
