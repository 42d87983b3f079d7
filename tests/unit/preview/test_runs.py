"""Runs of the page: seen by every process, one at a time in each, and never without an end."""

import os
import threading
from datetime import timedelta

import pytest

from bridge.database import open_engine
from bridge.entitlements.resolve import resolve
from bridge.entitlements.rules import RulesInForce
from bridge.errors import HistoryUnavailable
from bridge.history.history import History
from bridge.language import phrase, speaking
from bridge.preview.runs import KEPT_SECONDS, SILENT_SECONDS, Run, Runs, Task
from bridge.sealing import Sealer
from tests.live_store import MovableClock, running_store
from tests.unit.entitlements.factories import Rules, make_identity

PLATFORM = "rules: [{name: platform, groups: [platform], grant: [{account: production, role: Admin}]}]"
FINANCE = "rules: [{name: finance, groups: [finance], grant: [{account: production, role: Admin}]}]"


class SlowHistory(History):
    """One whose database answers when it is let."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.let = threading.Event()
        self.fails = False

    def read(self, since, until):
        assert self.let.wait(10)
        if self.fails:
            raise HistoryUnavailable("gone")
        return super().read(since, until)


@pytest.fixture(scope="module")
def redis():
    with running_store() as client:
        yield client


@pytest.fixture
def clock():
    return MovableClock()


@pytest.fixture
def sealer():
    return Sealer(os.urandom(32))


@pytest.fixture
def rules(tmp_path):
    return [Rules(tmp_path).compile(text) for text in (PLATFORM, FINANCE)]


@pytest.fixture
def history(tmp_path, sealer, clock, rules):
    history = SlowHistory(open_engine(f"sqlite:///{tmp_path}/bridge.db"), sealer, clock, keep_days=30)
    history.start(RulesInForce(rules[0]))
    for subject in ("ana", "ben"):
        at = clock.now() - timedelta(days=1)
        identity = make_identity(subject=subject, claims={"groups": ["platform"], "name": f"<{subject}>"})
        history.note(identity, "10.1.2.3", at, resolve(identity, rules[0], at, "10.1.2.3"))
    assert history.flush()
    return history


@pytest.fixture
def task(rules, clock):
    until = clock.now()
    return Task(
        phrase("The files in %(folder)s/", folder="rules"),
        *rules,
        until - timedelta(days=30),
        until,
        frozenset({"groups"}),
    )


@pytest.fixture
def runs(history, redis, sealer, clock):
    return Runs(history, redis, sealer, clock)


@pytest.fixture
def other(history, redis, sealer, clock):
    """Return the runs as another process has them."""
    return Runs(history, redis, sealer, clock)


def wait_for(runs, run_id) -> Run:
    deadline = threading.Event()
    for _ in range(200):
        run = runs.find(run_id)
        if run.state != "running":
            return run
        deadline.wait(0.05)
    raise AssertionError("the run does not end")


def test_another_process_sees_how_far_it_is_and_then_what_was_found(runs, other, history, task):
    run_id = runs.start(task)
    assert (other.find(run_id).state, other.find(run_id).total) == ("running", 2)
    history.let.set()
    run = wait_for(other, run_id)
    assert run.state == "done"
    result = run.results["en"]
    assert (result.report.people, result.report.changed_people) == (2, 2)
    assert result.picture.startswith("<svg")
    assert {row.mark for row in result.table} == {"added", "removed"}


def test_whoever_started_it_others_read_it_in_their_own_language(runs, other, history, task):
    with speaking("zh-CN"):
        run_id = runs.start(task)
    history.let.set()
    run = wait_for(other, run_id)
    assert str(run.title) == "The files in rules/"
    assert "Groups, rules and roles, before and after" in run.results["en"].picture
    with speaking("zh-CN"):
        assert str(run.title) == "rules/ 中的文件"
    assert "变更前后的用户组、规则与角色" in run.results["zh-CN"].picture
    assert {row.mark for row in run.results["zh-CN"].table} == {"新增", "移除"}


def test_there_is_one_at_a_time_in_a_process(runs, history, task):
    first = runs.start(task)
    assert runs.start(task) is None
    history.let.set()
    wait_for(runs, first)
    second = runs.start(task)
    assert second is not None
    wait_for(runs, second)


def test_a_database_that_goes_away_ends_it_with_the_code_and_another_may_begin(runs, history, task):
    history.fails = True
    history.let.set()
    run = wait_for(runs, runs.start(task))
    assert (run.state, run.fault) == ("failed", HistoryUnavailable.code)
    history.fails = False
    assert wait_for(runs, runs.start(task)).state == "done"


def test_one_whose_process_died_is_over_after_a_while(runs, history, clock, task):
    run_id = runs.start(task)
    clock.advance(SILENT_SECONDS + 1)
    assert (runs.find(run_id).state, runs.find(run_id).fault) == ("failed", "stopped")
    history.let.set()
    assert wait_for(runs, run_id)


def test_what_lies_in_redis_is_sealed_and_ends(runs, history, redis, task):
    history.let.set()
    run_id = runs.start(task)
    wait_for(runs, run_id)
    values = {key: redis.get(key) for key in redis.scan_iter("rambridge:preview:*")}
    assert values
    assert all(b"ana" not in value and b"production" not in value for value in values.values())
    assert all(0 < redis.pttl(key) <= KEPT_SECONDS * 1000 for key in values)
    assert runs.find("0" * 32) is None
