"""Files that are written regularly."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from bridge.audit.export.schedule import Plan, Schedule, last_due


@pytest.fixture
def schedule(exports, tmp_path):
    exports.clock.moment = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
    exports.plan = Plan("daily", "jsonl", "day", "02:00", tmp_path, opened=False)
    return lambda *plans: Schedule(plans or (exports.plan,), exports.exporter, exports.log.engine, exports.clock)


def positions(path):
    return [json.loads(line)["position"] for line in path.read_text().splitlines()]


def test_each_file_has_what_was_recorded_since_the_one_before_and_nothing_is_left_out(exports, schedule, tmp_path):
    exports.sign_in("before", "Before")
    schedule().write_due()  # the plan is new here: it begins now
    files = []
    for day in range(3):
        exports.sign_in(f"s-{day}", f"Person {day}", hours=24)
        files += schedule().write_due()  # a new process each time: it goes by what the database says
        assert schedule().write_due() == []
    assert [path.name for path in files] == [
        "daily-20261130T0200Z.jsonl",
        "daily-20261201T0200Z.jsonl",
        "daily-20261202T0200Z.jsonl",
    ]
    found = [position for path in files for position in positions(path)]
    assert found == list(range(2, 2 + len(found)))
    assert exports.records()[-1]["export"] == "daily"
    assert exports.records()[-1]["author"] == "schedule"


def test_a_service_that_was_down_for_days_writes_one_file_with_everything(exports, schedule):
    schedule().write_due()
    exports.sign_in("s", "S")
    exports.clock.advance(5 * 86_400)
    (path,) = schedule().write_due()
    assert path.name == "daily-20261204T0200Z.jsonl"
    assert positions(path) == [0, 1]


def test_an_export_that_fails_is_tried_again_and_does_not_stop_the_others(exports, schedule, tmp_path):
    lost = Plan("lost", "jsonl", "day", "02:00", tmp_path / "not-mounted", opened=False)
    both = schedule(lost, exports.plan)
    both.write_due()
    exports.sign_in("s", "S", hours=24)
    assert [path.name for path in both.write_due()] == ["daily-20261130T0200Z.jsonl"]
    (tmp_path / "not-mounted").mkdir()
    (path,) = both.write_due()
    assert (path.parent.name, positions(path)) == ("not-mounted", [0, 1, 2])


@pytest.mark.parametrize(
    ("every", "at", "now", "due"),
    [
        ("hour", "00:30", "2026-11-29T12:10", "2026-11-29T11:30"),
        ("hour", "00:30", "2026-11-29T12:30", "2026-11-29T12:30"),
        ("day", "02:00", "2026-11-29T01:59", "2026-11-28T02:00"),
        ("day", "02:00", "2026-11-29T02:00", "2026-11-29T02:00"),
        ("week", "02:00", "2026-11-29T12:00", "2026-11-23T02:00"),
        ("week", "02:00", "2026-11-30T01:00", "2026-11-23T02:00"),
        ("week", "02:00", "2026-11-30T02:00", "2026-11-30T02:00"),
        ("month", "02:00", "2026-11-29T12:00", "2026-11-01T02:00"),
        ("month", "02:00", "2026-12-01T01:00", "2026-11-01T02:00"),
        ("month", "02:00", "2026-01-01T01:00", "2025-12-01T02:00"),
    ],
)
def test_an_export_is_due_at_its_hour_day_week_or_month(every, at, now, due):
    moment, expected = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (now, due))
    assert last_due(every, at, moment) == expected
    assert last_due(every, at, moment.astimezone(tz=None) + timedelta(0)) == expected
