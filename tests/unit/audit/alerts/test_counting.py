"""What makes an alert, and when it is over."""

import json

import pytest

from bridge.audit.alerts.counting import Alert, Counting, Threshold
from bridge.audit.alerts.rules import Signal

SECOND = 1_000_000
BURST = {"refused_signatures": Threshold(5, 60 * SECOND)}


def signals(*seconds, kind="refused_signatures", about="acme", weight=1):
    return [Signal(kind, about, each * SECOND, number, weight) for number, each in enumerate(seconds)]


def take(*taken):
    counting = Counting(BURST)
    for each in taken:
        counting.take(each)
    return counting


def test_as_many_as_the_threshold_are_an_alert():
    (alert,) = take(signals(0, 10, 20, 30, 40)).open.values()
    assert (alert.first, alert.last, alert.count, alert.position, alert.last_position) == (0, 40 * SECOND, 5, 0, 4)


@pytest.mark.parametrize(
    "seconds",
    [pytest.param((0, 10, 20, 30), id="one too few"), pytest.param((0, 20, 40, 60, 80), id="over too long a time")],
)
def test_fewer_or_slower_ones_are_none(seconds):
    assert take(signals(*seconds)).open == {}


def test_signals_about_different_things_do_not_add_up():
    assert take(signals(0, 1, 2), signals(3, 4, about="other")).open == {}


def test_one_record_can_stand_for_many():
    """The twin of a flood that is summed up (threat AUD-07)."""
    assert len(take(signals(0, weight=5)).open) == 1


def test_a_burst_is_one_alert_with_an_end():
    counting = take(signals(*range(0, 600, 10)))
    counting.close_over(600 * SECOND)
    assert counting.closed == []
    counting.close_over(651 * SECOND)
    assert [(each.count, each.ended) for each in counting.closed] == [(60, 650 * SECOND)]
    assert counting.open == {}


def test_after_its_end_the_next_burst_is_another_alert():
    counting = take(signals(0, 1, 2, 3, 4), signals(100, 101, 102, 103, 104))
    assert [each.ended for each in counting.closed] == [64 * SECOND]
    assert [each.first for each in counting.open.values()] == [100 * SECOND]


@pytest.mark.parametrize("piece", [1, 3, 7])
def test_it_makes_no_difference_where_a_process_stopped_and_another_went_on(piece):
    everything = signals(*range(0, 20, 7), *range(30, 60, 3), *range(200, 230, 4), 400, *range(401, 404))
    whole = take(everything)
    counting = Counting(BURST)
    closed: list[Alert] = []
    for begin in range(0, len(everything), piece):
        follower = Counting(BURST, open=counting.open)
        follower.load(json.loads(json.dumps(counting.dump())))
        follower.take(everything[begin : begin + piece])
        closed += follower.closed
        counting = follower
    assert closed == whole.closed
    assert counting.open == whole.open
    assert counting.dump() == whole.dump()


def test_what_is_no_alert_yet_is_bounded():
    counting = Counting(BURST)
    counting.take(Signal("refused_signatures", str(number), number, number) for number in range(5_000))
    assert len(counting.pending) == 1_000
