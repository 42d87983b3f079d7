"""What somebody who can write to the database does to the tables that searches go by, and that it is named.

RAMBRIDGE_TEST_TAMPERINGS says how often each is tried (1), and RAMBRIDGE_TEST_SEED what is random.
"""

import os
import random

import pytest
from sqlalchemy import Boolean, String, and_, delete, insert, select, update

from bridge.audit.database import open_database
from bridge.audit.search import tables
from bridge.audit.search.checked import check_search
from bridge.audit.search.upkeep import index_rows
from bridge.audit.sequencer import Sequencer
from bridge.clock import SystemClock
from bridge.errors import ChainBroken
from tests.audit_records import Writer, new_log

CASES = range(int(os.environ.get("RAMBRIDGE_TEST_TAMPERINGS", "1")))
SEED = os.environ.get("RAMBRIDGE_TEST_SEED", "")
COMPUTED = [tables.kinds, tables.counts, tables.uses, tables.hours, tables.networks, tables.terms]
SIZE = 120


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def written(request, tmp_path_factory):
    with new_log(request, tmp_path_factory.mktemp("search")) as url:
        engine = open_database(url)
        sequencer = Sequencer(engine, None, SystemClock(), index_rows=index_rows)
        writer, chance = Writer(engine, 1), random.Random(5)
        for _ in range(SIZE // 4):
            writer.write(network=f"192.0.{chance.randrange(9)}.0/24", message_id=f"m{chance.random()}")
            writer.write(event="exchange.issued", account="1", entitlement=f"role/{chance.randrange(5)}")
            writer.write(event="sign_in.refused", code="saml_expired", mfa=None)
            writer.write(event="delivery.console", account="2", entitlement="user/eve", privileged=True)
            sequencer.catch_up()
        yield engine
        engine.dispose()


@pytest.fixture(params=CASES)
def connection(written):
    connection = written.connect()
    transaction = connection.begin()
    yield connection
    transaction.rollback()
    connection.close()


@pytest.fixture
def chance(request):
    return random.Random(SEED + request.node.name)


def pick(connection, table, chance):
    """Return a row, and the condition that means it."""
    row = chance.choice(connection.execute(select(table)).all())._asdict()
    return row, and_(*(column == row[column.name] for column in table.primary_key))


def test_what_was_not_changed_verifies(connection):
    check_search(connection)


@pytest.mark.parametrize("table", COMPUTED, ids=lambda table: table.name)
def test_a_row_that_is_gone_is_named(connection, table, chance):
    _, condition = pick(connection, table, chance)
    connection.execute(delete(table).where(condition))
    with pytest.raises(ChainBroken, match=table.name):
        check_search(connection)


@pytest.mark.parametrize("table", COMPUTED, ids=lambda table: table.name)
def test_a_changed_value_is_named(connection, table, chance):
    row, condition = pick(connection, table, chance)
    # Of a use, whether it is privileged is told by the role's last record, and no search goes by it.
    names = [column for column in table.c if (table, column.name) != (tables.uses, "privileged")]
    column = chance.choice(names)
    before = row[column.name]
    if isinstance(column.type, Boolean):
        after = not before
    elif isinstance(column.type, String):
        after = f"{before or ''}x"
    else:
        after = before + 7 if column.name not in {"term", "position"} else before - 1_000
    connection.execute(update(table).where(condition).values({column.name: after}))
    with pytest.raises(ChainBroken, match=table.name):
        check_search(connection)


@pytest.mark.parametrize("table", COMPUTED, ids=lambda table: table.name)
def test_a_row_of_records_that_there_are_not_is_named(connection, table, chance):
    row, _ = pick(connection, table, chance)
    key = chance.choice([column for column in table.primary_key if column.type.python_type is int] or [None])
    changed = {"network": "198.51.100.0/24"} if key is None else {key.name: row[key.name] + 1_000}
    connection.execute(insert(table).values(row | changed))
    with pytest.raises(ChainBroken, match=table.name):
        check_search(connection)
