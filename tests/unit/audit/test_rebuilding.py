"""What searches and figures go by is computed again from the records: beside whoever writes, and whatever stops it."""

import random
from datetime import UTC, datetime

import pytest
from sqlalchemy import delete, func, insert, select, update

from bridge.audit.database import open_database
from bridge.audit.exclusive import Turn
from bridge.audit.keeping.retention import Retention
from bridge.audit.search import rebuilding, tables
from bridge.audit.search.checked import check_search
from bridge.audit.search.upkeep import TURN, index_rows
from bridge.audit.secrets import AuditSecrets
from bridge.audit.sequencer import Sequencer
from bridge.audit.tables import index, records
from bridge.audit_log import OpenedLog
from bridge.errors import ChainBroken, SearchBusy
from tests.audit_log import SEALER
from tests.audit_records import Writer, lift_guards, new_log
from tests.live_store import MovableClock

COMPUTED = [tables.kinds, tables.counts, tables.uses, tables.hours, tables.networks, tables.terms]
ALL = [*COMPUTED, index]


class Log:
    """Some months of one process, and what gives its records their places."""

    def __init__(self, engine):
        self.engine, self.clock = engine, MovableClock()
        self.clock.moment = datetime(2026, 11, 28, tzinfo=UTC)
        self.secrets = AuditSecrets(engine, SEALER)
        self.sequencer = Sequencer(engine, None, self.clock, mac_key=self.secrets.mac_key, index_rows=index_rows)
        self.opened = OpenedLog(engine, self.secrets, self.sequencer, self.clock)
        self.writer, self.chance = Writer(engine, 1, key=self.secrets.mac_key), random.Random(5)
        self.write()

    def write(self, count=10):
        for _ in range(count):
            self.writer.write(network=f"192.0.{self.chance.randrange(9)}.0/24", message_id=f"m{self.chance.random()}")
            self.writer.write(event="exchange.issued", account="1", entitlement=f"role/{self.chance.randrange(5)}")
            self.writer.write(event="sign_in.refused", code="saml_expired", mfa=None)
            self.writer.write(event="delivery.console", account="2", entitlement="user/eve", privileged=True)
        self.sequencer.catch_up()

    def run(self, *statements):
        with self.engine.begin() as connection:
            lift_guards(connection)
            for statement in statements:
                connection.execute(statement)

    def rebuild(self, progress=lambda _done, _of: None):
        run = rebuilding.Rebuilding(self.engine, self.secrets.mac_key, progress)
        run.run()
        return run.done

    def dump(self):
        with self.engine.connect() as connection:
            return {each.name: sorted(map(repr, connection.execute(select(each)))) for each in ALL}

    def check(self):
        with self.engine.connect() as connection:
            check_search(connection)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def log(request, tmp_path_factory):
    """Each test leaves it sound."""
    with new_log(request, tmp_path_factory.mktemp("rebuilding")) as url:
        engine = open_database(url)
        yield Log(engine)
        engine.dispose()


def damage(log):
    """Change, add and take away rows of everything that is computed."""
    log.run(
        update(tables.kinds).where(tables.kinds.c.event == "sign_in.accepted").values(words="x", last_position=1),
        delete(tables.kinds).where(tables.kinds.c.event == "exchange.issued"),
        update(tables.counts).values(count=tables.counts.c.count + 1),
        delete(tables.uses),
        insert(tables.uses).values(day=1, account="", entitlement="", mfa=1, count=1, privileged=True),
        update(tables.hours).values(first_position=3, refusals=0),
        update(tables.networks).where(tables.networks.c.first_position > 0).values(first_time=5),
        insert(tables.networks).values(network="n", first_position=9, first_time=1, last_position=9, count=1),
        delete(tables.terms).where(tables.terms.c.position % 3 == 0),
        insert(tables.terms).values(
            [{"term": 1, "position": -4}, {"term": 2, "position": 5}, {"term": 3, "position": 10_000}]
        ),
        update(index).where(index.c.position % 7 == 2).values(account="other", refused=False),
    )


def test_whatever_was_changed_is_as_it_was(log):
    before = log.dump()
    assert not log.rebuild().list_mended()
    damage(log)
    assert all(log.dump()[each.name] != before[each.name] for each in ALL)
    done = log.rebuild()
    assert log.dump() == before
    assert set(done.mended) == {each.name for each in ALL}
    log.check()
    assert not log.rebuild().list_mended()


def test_what_is_lost_comes_again_and_the_next_run_goes_on_after_one_that_was_stopped(log, monkeypatch):
    class Stopped(BaseException):
        pass

    def stop(*_):
        raise Stopped

    before = log.dump()
    monkeypatch.setattr(rebuilding, "_AT_ONCE", 16)
    log.run(*map(delete, COMPUTED))
    stopped = rebuilding.Rebuilding(log.engine, log.secrets.mac_key, stop)
    with pytest.raises(Stopped):
        stopped.run()
    words = len(before["audit_terms"])
    first = stopped.done.mended["audit_terms"]
    assert 0 < first < words
    done = log.rebuild()
    assert done.mended["audit_terms"] == words - first
    assert log.dump() == before


def test_who_writes_meanwhile_is_counted_and_does_not_wait(log, monkeypatch):
    monkeypatch.setattr(rebuilding, "_AT_ONCE", 16)
    monkeypatch.setattr(rebuilding, "ROWS", 8)
    more = iter([lambda: log.write(5), lambda: log.write(1)])
    seen = []

    def progress(done, of):
        seen.append((done, of))
        next(more, lambda: None)()

    damage(log)
    done = log.rebuild(progress)
    log.check()
    assert seen == sorted(seen)
    with log.engine.connect() as connection:
        assert done.positions == connection.scalar(select(func.count()).select_from(index))


def test_one_at_a_time_rebuilds_and_nobody_retires_meanwhile(log):
    other = Turn(log.engine, TURN)
    assert other.take()
    try:
        with pytest.raises(SearchBusy):
            log.rebuild()
        retention = Retention(log.engine, None, log.sequencer, log.clock, mac_key=log.secrets.mac_key)
        with pytest.raises(SearchBusy):
            retention.retire(202611, "root")
    finally:
        other.leave()
    assert not log.rebuild().list_mended()


def test_a_record_that_is_not_the_one_that_got_its_place_is_named_and_nothing_is_counted(log):
    query = select(records.c.id, records.c.body).join(index, index.c.id == records.c.id).where(index.c.position == 21)
    with log.engine.connect() as connection:
        identifier, body = connection.execute(query).one()
    before = log.dump()
    for values in ({"body": body.replace("{", "{ ", 1)}, {"id": identifier + 10_000}):
        log.run(update(records).where(records.c.id == identifier).values(values))
        with pytest.raises(ChainBroken) as caught:
            log.rebuild()
        assert caught.value.position == 21
        log.run(update(records).where(records.c.id == values.get("id", identifier)).values(id=identifier, body=body))
    assert log.dump() == before
