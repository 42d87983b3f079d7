import itertools
from datetime import UTC, datetime

import pytest
from sqlalchemy import insert

from bridge.audit import tables
from bridge.audit.record import FORMAT, encode_body, record_id
from bridge.database import open_engine
from tests.audit_records import index_row
from tests.new_database import new_postgresql_database

BEGIN = 1_796_000_000
"""When the first record of a log that a test fills was made, in seconds since 1970; one follows each second."""


@pytest.fixture
def log(tmp_path):
    """An empty audit database, with a method that adds records which have a position already."""
    yield from _log(f"sqlite:///{tmp_path}/audit.db")


@pytest.fixture(params=["sqlite", "postgresql"])
def either_log(request, tmp_path):
    """The same on both databases, for what differs between them: transactions and locks."""
    if request.param == "sqlite":
        yield request.getfixturevalue("log")
        return
    with new_postgresql_database(request.getfixturevalue("postgresql_url")) as url:
        yield from _log(url)


def _log(url):
    engine = open_engine(url)
    tables.metadata.create_all(engine)
    yield Log(engine)
    engine.dispose()


class Log:
    def __init__(self, engine):
        self.engine = engine
        self._positions = itertools.count()

    def add(self, count, **fields):
        """Add sign-ins, one each second."""
        rows, found = [], []
        for position in itertools.islice(self._positions, count):
            content = {
                "format": FORMAT,
                "writer": 1,
                "number": position + 1,
                "time": _time(BEGIN + position),
                "event": "sign_in.refused" if position % 7 == 3 else "sign_in.accepted",
                "reference": f"{position:04X}-0000-0000",
                "subject_digest": f"{position % 5:032x}",
                **fields,
            }
            identifier = record_id(1, position + 1)
            index = index_row(position, identifier, content)
            found.append(index)
            rows.append({"id": identifier, "month": index["month"], "body": encode_body(content), "mac": bytes(32)})
        with self.engine.begin() as connection:
            connection.execute(insert(tables.records), rows)
            connection.execute(insert(tables.index), found)


def _time(seconds):
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
