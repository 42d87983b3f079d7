"""Figures become pictures whose proportions are those of the figures."""

import pytest

from bridge.web.auditor.charts import Count, draw_bars, draw_columns, find_axis, shorten


def counts(*figures):
    return [Count(f"day {number}", figure) for number, figure in enumerate(figures)]


def test_columns_are_as_tall_as_their_figures_and_stand_side_by_side():
    picture = draw_columns(counts(10, 5, 0, 20), height=100)
    assert [column.height for column in picture.columns] == [50, 25, 0, 100]
    assert [column.place for column in picture.columns] == [0, 25, 50, 75]
    assert all(column.y + column.height == 100 for column in picture.columns)
    assert picture.columns[-1].x + picture.width <= 100


def test_one_of_a_million_can_still_be_seen():
    assert draw_columns(counts(1_000_000, 1, 0)).columns[1].height > 1
    assert draw_columns(counts(1_000_000, 1, 0)).columns[2].height == 0


@pytest.mark.parametrize("figures", [(), (0,), (0, 0, 0)], ids=["no column", "one without", "three without"])
def test_nothing_is_drawn_as_nothing(figures):
    picture = draw_columns(counts(*figures))
    assert picture.total == 0
    assert picture.highest is None
    assert not any(column.height for column in picture.columns)


@pytest.mark.parametrize(
    ("count", "top"),
    [(0, 1), (1, 1), (3, 3), (5, 6), (7, 8), (9, 10), (11, 12), (13, 15), (99, 100), (101, 120), (12_027, 15_000)],
)
def test_an_axis_ends_at_a_round_figure_just_above(count, top):
    found, parts = find_axis(count)
    assert found == top
    assert top % parts == 0


@pytest.mark.parametrize("count", [1, 2, 7, 24, 30, 31, 90, 366])
def test_labels_are_few_and_the_first_and_the_last_are_among_them(count):
    labels = draw_columns(counts(*range(count))).labels
    texts = [label.text for label in labels]
    assert len(labels) <= 6
    assert texts[0] == "day 0"
    assert texts[-1] == f"day {count - 1}"
    assert sum(not label.wide_only for label in labels) <= 3


def test_lying_bars_are_parts_of_the_longest():
    assert [bar.width for bar in draw_bars(counts(200, 50, 0))] == [100, 25, 0]
    assert [bar.part_count for bar in draw_bars(counts(2, 1), [1, 0])] == [1, 0]
    assert draw_bars([]) == ()


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0"), (999, "999"), (1_000, "1k"), (1_500, "1.5k"), (20_000, "20k"), (3_000_000, "3M")]
)
def test_a_figure_is_short_enough_for_an_axis(count, text):
    assert shorten(count) == text
