"""The logs that other tests are made on are what the service itself would have written."""

import json

import pytest
from sqlalchemy import create_engine, select, text

from bridge.audit import tables
from bridge.audit.database import open_database
from bridge.audit.proof.merkle import leaf_hash, split_hashes
from bridge.audit.record import FIRST_MAC, encode_body, link, split_id
from bridge.audit.search import tables as computed
from bridge.audit.search.upkeep import Tally
from bridge.audit.secrets import AuditSecrets
from bridge.sealing import Sealer
from tests.audit_records import index_row
from tests.synthetic_log import write_log

SIZE = 3_000


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('log')}/audit.db")
    secrets = AuditSecrets(engine, Sealer(bytes(32)))
    assert write_log(engine, secrets, SIZE, seed=3).size == SIZE
    yield engine, secrets
    engine.dispose()


@pytest.fixture(scope="module")
def rows(written):
    engine, _ = written
    query = (
        select(tables.index, tables.records.c.body, tables.records.c.mac, tables.records.c.month.label("record_month"))
        .join(tables.records, tables.records.c.id == tables.index.c.id)
        .order_by(tables.index.c.position)
    )
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def test_each_text_is_canonical_and_its_index_row_follows_from_it(rows):
    assert [row["position"] for row in rows] == list(range(SIZE))
    for row in rows:
        content = json.loads(row["body"])
        assert encode_body(content) == row["body"]
        assert index_row(row["position"], row["id"], content) == {
            column.name: row[column.name] for column in tables.index.columns
        }
        assert (content["writer"], content["number"]) == split_id(row["id"])
        assert row["record_month"] == row["month"]


def test_each_writer_has_its_chain_without_a_gap(written, rows):
    engine, secrets = written
    ends = {}
    for row in rows:
        writer, number = split_id(row["id"])
        before, mac = ends.get(writer, (0, FIRST_MAC))
        assert number == before + 1
        assert row["mac"] == link(secrets.mac_key, mac, row["body"])
        ends[writer] = (number, row["mac"])
    with engine.connect() as connection:
        assert dict(connection.execute(select(tables.sequenced)).all()) == {w: n for w, (n, _) in ends.items()}
        assert set(connection.execute(select(tables.writers.c.writer)).scalars()) == set(ends)


def test_the_tree_has_every_record(written, rows):
    engine, _ = written
    with engine.connect() as connection:
        query = select(tables.blocks.c.leaves).order_by(tables.blocks.c.block)
        kept = [leaf for leaves in connection.execute(query).scalars() for leaf in split_hashes(leaves)]
        kept += split_hashes(connection.execute(select(tables.open_block.c.leaves)).scalar_one())
    assert kept == [leaf_hash(row["body"].encode()) for row in rows]


def test_what_is_sealed_opens_and_says_who_it_was(written, rows):
    _, secrets = written
    opened = secrets.open_all([json.loads(row["body"]) for row in rows])
    assert not [each for each in opened if "erased" in each]
    assert all("person" in each for each in opened if each["event"] == "sign_in.accepted")
    refused = [each for each in opened if each["event"].endswith(".refused")]
    assert len({each["code"] for each in refused}) > 5
    assert {each.get("mfa") for each in opened} == {True, False, None}
    assert [each for each in opened if each.get("privileged") and each.get("mfa") is False]


def test_what_search_needs_is_what_the_sequencer_would_have_kept(written, rows):
    engine, _ = written
    tally = Tally()
    for row in rows:
        tally.add(row, json.loads(row["body"]))
    again = create_engine("sqlite://")
    with again.begin() as fresh, engine.connect() as connection:
        computed.metadata.create_all(fresh)
        tally.write(fresh)
        for table in set(computed.metadata.sorted_tables) - {computed.saved_searches}:
            order = text(", ".join(column.name for column in table.primary_key))
            expected = fresh.execute(select(table).order_by(order)).all()
            assert connection.execute(select(table).order_by(order)).all() == expected
            assert expected
    again.dispose()
