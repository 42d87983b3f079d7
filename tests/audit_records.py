"""Records as a writer process writes them, put into the tables without one."""

import base64
import random
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from sqlalchemy import insert

from bridge.audit import tables
from bridge.audit.keeping.append_only import APPEND_ONLY
from bridge.audit.record import (
    FORMAT,
    INDEX_COLUMNS,
    Head,
    encode_body,
    format_time,
    index_values,
    link,
    month_of,
    record_id,
)
from tests.new_database import new_postgresql_database

START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
MAC_KEY = bytes(range(32))


class Writer:
    """One process's own log: numbers without a gap, each record tied to the one before."""

    def __init__(self, engine, number, *, start=START, key=MAC_KEY):
        self._engine = engine
        self.number = number
        self.moment = start
        self._key = key
        self._head = Head()
        self._began = start
        self._set_back = timedelta()
        self._chance = random.Random(number)
        with engine.begin() as connection:
            row = {"writer": number, "node": f"node-{number}", "started": format_time(start)}
            connection.execute(insert(tables.writers), row)

    def make(self, **fields):
        """Return the row of the next record, and go on from there."""
        self.moment += timedelta(milliseconds=1 + self._chance.randrange(900))
        number = self._head.number + 1
        content = {
            "format": FORMAT,
            "writer": self.number,
            "number": number,
            "time": format_time(self.moment - self._set_back),
            "monotonic": int((self.moment - self._began).total_seconds() * 1000) + 5_000,
            "event": "sign_in.accepted",
            "reference": f"{self.number:04X}-{number:04X}-0000",
            "protocol": "saml",
            "provider": "acme-saml",
            "subject_digest": f"{self._chance.randrange(50):032x}",
            "address_digest": f"{self._chance.randrange(20):032x}",
            "network": "192.0.2.0/24",
            "mfa": self._chance.random() < 0.5,
            "sealed": base64.b64encode(self._chance.randbytes(220)).decode(),
            "sealed_for": "subject/1",
            **fields,
        }
        body = encode_body(content)
        self._head = Head(number, link(self._key, self._head.mac, body))
        identifier = record_id(self.number, number)
        return {"id": identifier, "month": month_of(content["time"]), "body": body, "mac": self._head.mac}

    def set_clock_back(self, seconds):
        """Let what is written from now on have an earlier time; return by how much."""
        self._set_back = timedelta(seconds=seconds)
        return seconds

    def write(self, count=1, **fields):
        """Write records, one millisecond to one second apart."""
        rows = [self.make(**fields) for _ in range(count)]
        with self._engine.begin() as connection:
            connection.execute(insert(tables.records), rows)
        return rows


@contextmanager
def new_log(request, folder):
    """Yield the address of a database of its own, of the kind that the fixture's parameter says."""
    if request.param == "sqlite":
        yield f"sqlite:///{folder}/audit.db"
        return
    with new_postgresql_database(request.getfixturevalue("postgresql_url")) as url:
        yield url


def lift_guards(connection):
    """Take away what makes the tables append-only, as the owner of a database can."""
    if connection.dialect.name == "postgresql":
        for table in APPEND_ONLY:
            connection.exec_driver_sql(f"ALTER TABLE {table.name} DISABLE TRIGGER USER")
        return
    triggers = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").scalars().all()
    for name in triggers:
        connection.exec_driver_sql(f"DROP TRIGGER {name}")


def index_row(position, identifier, content):
    """Return the row of ``audit_index`` for a record's content."""
    return dict(zip(INDEX_COLUMNS, index_values(position, identifier, content), strict=True))
