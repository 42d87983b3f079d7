"""What searches are measured on is in itself right, and has as many different values as records that were written."""

import pytest
from sqlalchemy import func, select, text

from bridge.audit import tables
from bridge.audit.database import open_database
from bridge.audit.reader import AuditReader
from bridge.audit.search.tables import hours, kinds, networks, terms
from bridge.audit.secrets import AuditSecrets
from bridge.sealing import Sealer
from tests.audit_records import new_log
from tests.multiplied_log import multiply_log
from tests.synthetic_log import write_log

SIZE, TIMES = 1_000, 7


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    path = tmp_path_factory.mktemp("base") / "base.db"
    engine = open_database(f"sqlite:///{path}")
    write_log(engine, AuditSecrets(engine, Sealer(bytes(32))), SIZE, seed=4)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def long_log(base, request, tmp_path_factory):
    with new_log(request, tmp_path_factory.mktemp("long")) as url:
        engine = open_database(url)
        assert multiply_log(base.url.database, engine, TIMES) == SIZE * TIMES
        yield engine
        engine.dispose()


def ask(engine, query):
    with engine.connect() as connection:
        return connection.execute(query).all()


def test_each_copy_has_its_own_numbers_and_opens(base, long_log):
    index = tables.index
    numbers = (index.c.reference, index.c.access_key_id, index.c.sts_request_id)
    columns = [func.count(), func.max(index.c.position), *(func.count(each.distinct()) for each in numbers)]
    size, last, *different = ask(long_log, select(*columns))[0]
    _, _, *different_in_base = ask(base, select(*columns))[0]
    assert (size, last + 1) == (SIZE * TIMES, size)
    assert different == [TIMES * each for each in different_in_base]
    assert ask(long_log, select(func.count()).select_from(terms)) == [
        (TIMES * each,) for (each,) in ask(base, select(func.count()).select_from(terms))
    ]
    opened = AuditReader(long_log, AuditSecrets(long_log, Sealer(bytes(32))), NothingNew()).last(SIZE)
    assert not [each for each in opened if "erased" in each]


def test_what_is_counted_is_what_there_is(long_log):
    position, kind = tables.index.c.position, tables.index.c.kind
    spans = select(kind, func.min(position), func.max(position), func.count()).group_by(kind).order_by(kind)
    kept = select(kinds.c.kind, kinds.c.first_position, kinds.c.last_position, kinds.c["count"]).order_by(kinds.c.kind)
    assert ask(long_log, spans) == ask(long_log, kept)
    for table, number in ((hours, "records"), (networks, "count")):
        assert ask(long_log, select(func.sum(table.c[number]))) == [(SIZE * TIMES,)]
    joined = select(func.count()).select_from(tables.index.join(tables.records, tables.SAME_RECORD))
    assert ask(long_log, joined) == [(SIZE * TIMES,)]
    assert ask(long_log, text("SELECT count(*) FROM audit_keys")) > [(1,)]


class NothingNew:
    def catch_up(self):
        pass
