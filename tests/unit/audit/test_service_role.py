"""In PostgreSQL the service's own role adds records, and can change none, nor the tables."""

import uuid
from datetime import UTC, datetime

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import ProgrammingError

from bridge.audit.database import open_database
from bridge.audit.keeping.append_only import APPEND_ONLY
from bridge.audit.keeping.durability import Durability
from bridge.audit.keeping.grants import find_weakness, grants_for, is_role, list_services, may_change_records
from bridge.audit.keeping.partition_keeper import PartitionKeeper
from bridge.audit.keeping.partitions import create_ahead
from bridge.audit.keeping.standing import Standing, examine
from bridge.audit.tables import keys, records, retired, sequenced
from bridge.errors import AuditLayout
from bridge.setup.doctor.records import check_records
from tests.live_store import MovableClock
from tests.unit.audit.test_database import insert_record, one_row


class Database:
    """A database with an owner and a role for the service."""

    def __init__(self, server):
        name = uuid.uuid4().hex[:12]
        self.owner, self.service = f"owner-{name}", f"service {name}"
        self.administration = create_engine(server, isolation_level="AUTOCOMMIT")
        self.execute(f'CREATE ROLE "{self.owner}" LOGIN', f'CREATE ROLE "{self.service}" LOGIN')
        self.execute(f'CREATE DATABASE "audit_{name}" OWNER "{self.owner}"')
        self.owner_url = server.set(username=self.owner, database=f"audit_{name}")
        self.service_url = self.owner_url.set(username=self.service)
        self.engines = []

    def execute(self, *statements):
        with self.administration.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))

    def open(self, url):
        self.engines.append(open_database(url))
        return self.engines[-1]

    def grant(self):
        with self.open(self.owner_url).begin() as connection:
            for statement in grants_for(connection, self.service):
                connection.exec_driver_sql(statement)

    def close(self):
        for engine in self.engines:
            engine.dispose()
        self.execute(f'DROP DATABASE "{self.owner_url.database}" WITH (FORCE)')
        self.execute(f'DROP ROLE "{self.service}"', f'DROP ROLE "{self.owner}"')
        self.administration.dispose()


def in_may_2041():
    clock = MovableClock()
    clock.moment = datetime(2041, 5, 3, tzinfo=UTC)
    return clock


@pytest.fixture
def database(superuser_url):
    database = Database(superuser_url)
    yield database
    database.close()


@pytest.fixture
def service(database):
    """Return the service's engine; the owner has made the tables and granted what it needs."""
    database.grant()
    return database.open(database.service_url)


def test_the_services_role_adds_records_and_may_change_none(database, service):
    with service.begin() as connection:
        for table in (*APPEND_ONLY, keys, sequenced):
            if table is not retired:
                connection.execute(table.insert(), one_row(table))
                assert connection.execute(table.select()).all()
    for table in APPEND_ONLY:
        key = table.primary_key.columns.values()[0].name
        for attempt in (f"UPDATE {table.name} SET {key} = 2", f"DELETE FROM {table.name}", f"TRUNCATE {table.name}"):
            with pytest.raises(ProgrammingError, match="permission denied"), service.begin() as connection:
                connection.execute(text(attempt))
    for attempt in (
        "INSERT INTO audit_retired VALUES (1, 202601)",
        "DELETE FROM audit_keys",
        "ALTER TABLE audit_records DISABLE TRIGGER ALL",
        "DROP TABLE audit_records_default",
        "DELETE FROM audit_records_default",
        "CREATE TABLE another (a int)",
        "UPDATE audit_version SET version_num = '1'",
    ):
        with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"), service.begin() as connection:
            connection.execute(text(attempt))
    with service.begin() as connection:
        connection.execute(text("UPDATE audit_sequenced SET number = 2"))
        assert not may_change_records(connection)
    with database.open(database.owner_url).connect() as connection:
        assert may_change_records(connection)
        assert list_services(connection) == [database.service]
        assert find_weakness(connection, database.service) is None
        assert "owns the tables" in find_weakness(connection, database.owner)
        assert find_weakness(connection, "nobody") is None
        assert is_role(connection, database.service)
        assert not is_role(connection, "nobody")


def test_a_role_that_may_not_make_the_tables_says_who_has_to(database):
    with pytest.raises(AuditLayout, match="let the owner run"):
        database.open(database.service_url)


def test_a_missing_partition_is_told_a_month_ahead_and_stops_nobody(database, service):
    keeper = PartitionKeeper(service, MovableClock())
    assert (keeper.keep(), keeper.describe()) == ("", {})
    later = in_may_2041()
    keeper = PartitionKeeper(service, later)
    assert keeper.keep() == "there is no partition for 2041-05, 2041-06"
    assert keeper.describe() == {"partitions": "there is no partition for 2041-05, 2041-06"}
    with service.begin() as connection:
        insert_record(connection, 1, 204105)
    assert keeper.keep().endswith("records of 2041-05 are in the default partition")
    with database.open(database.owner_url).begin() as connection:
        create_ahead(connection, later.now())
    assert (keeper.keep(), keeper.describe()) == ("", {})
    later.advance(75 * 86_400)  # July: of the three months made ahead, one is left
    assert keeper.keep() == ""
    with service.connect() as connection:
        assert connection.execute(records.select()).one().month == 204105


def test_whoever_owns_the_tables_makes_the_partitions_itself(database):
    engine = database.open(database.owner_url)
    keeper = PartitionKeeper(engine, in_may_2041())
    with engine.begin() as connection:
        insert_record(connection, 1, 204105)
    assert keeper.keep() == ""
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM audit_records_204105")).scalar_one() == 1


def find_about_tables(engine, clock):
    return [each for each in check_records(lambda: examine(engine, clock)) if each.check != "audit-durability"]


def test_the_doctor_tells_what_the_role_may_do_and_which_month_has_no_partition(database, service):
    later = in_may_2041()
    found = find_about_tables(service, later)
    assert [(each.check, each.subject, each.result) for each in found] == [
        ("audit-role", database.service, "ok"),
        ("audit-partitions", "coming months", "warning"),
    ]
    assert "2041-06" in found[1].found
    owner = database.open(database.owner_url)
    assert [each.result for each in find_about_tables(owner, later)] == ["warning", "ok"]
    assert [each.result for each in find_about_tables(service, later)] == ["ok", "ok"]
    service.dispose()
    database.execute(f'ALTER ROLE "{database.service}" NOLOGIN')
    assert [each.result for each in find_about_tables(service, later)] == ["failed"]


@pytest.mark.parametrize(
    ("durability", "result", "found"),
    [
        (Durability((), waits_for_standby=False), "ok", "what is committed is on its disk, and at no standby for sure"),
        (Durability((), waits_for_standby=True), "ok", "what is committed is on its disk, and at a standby too"),
        (Durability(("fsync",), waits_for_standby=True), "failed", "fsync off: a crash can lose records"),
    ],
)
def test_the_doctor_tells_what_a_crash_would_leave(durability, result, found):
    *_, finding = check_records(lambda: Standing("rambridge", may_change=False, missing="", durability=durability))
    assert (finding.check, finding.result) == ("audit-durability", result)
    assert finding.found.startswith(found)
