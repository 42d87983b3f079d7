"""The picture: what is drawn and what is folded, and that nothing lies on anything else. It was looked at as well."""

import itertools
import re
from random import Random
from xml.etree import ElementTree as ET

import pytest

from bridge.preview.compare import compare
from bridge.preview.drawing import describe, draw
from bridge.preview.graph import FEW_RULES, MOST_DRAWN, build_graph
from bridge.preview.layout import NOTE_SIZE, TITLE_SIZE, measure, place
from tests.unit.preview.material import compile_files, edit, make_rules, make_sign_ins

SVG = "{http://www.w3.org/2000/svg}"


def make_graph(count, seed=1, edits=3):
    random = Random(seed)
    files = make_rules(random, count)
    draft = files
    for _ in range(edits):
        draft = edit(random, draft)
    before, after = compile_files(files), compile_files(draft)
    return build_graph(before, after, compare(make_sign_ins(random, 60, 20), before, after))


@pytest.mark.parametrize(("count", "seed"), [(12, 1), (12, 2), (500, 1)])
def test_no_box_lies_on_another_and_every_text_fits_into_its_box(count, seed):
    layout = place(make_graph(count, seed))
    assert len(layout.boxes) == len(layout.graph.boxes)
    for one, other in itertools.combinations(layout.boxes, 2):
        apart = one.x + one.width < other.x or other.x + other.width < one.x
        assert apart or one.y + one.height < other.y or other.y + other.height < one.y, (one, other)
    for box in layout.boxes:
        assert 0 <= box.x <= layout.width - box.width
        assert 0 < box.y <= layout.height - box.height
        for text, size in ((box.title, TITLE_SIZE), (box.note, NOTE_SIZE)):
            assert box.text_x + measure(text, size) <= box.x + box.width


def test_of_few_rules_each_is_drawn():
    graph = make_graph(12)
    drawn = [box for box in graph.boxes if box.column == "rule"]
    assert len(drawn) == sum(graph.rules.values()) <= FEW_RULES
    assert not [box for box in graph.boxes if box.folded]


def test_of_many_rules_exactly_those_that_differ_are_drawn_and_the_others_counted():
    graph = make_graph(500, edits=5)
    drawn = [box for box in graph.boxes if box.column == "rule" and not box.folded]
    assert all(box.mark != "same" for box in drawn)
    assert len(drawn) == sum(number for mark, number in graph.rules.items() if mark != "same") <= MOST_DRAWN
    folded = [int(box.title.split()[0]) for box in graph.boxes if box.column == "rule" and box.folded]
    assert sum(folded) == graph.rules["same"]


def test_when_too_many_rules_differ_the_rest_of_them_is_counted_too():
    random = Random(5)
    before = make_rules(random, 300)
    after = {name: [rule | {"name": f"x-{rule['name']}"} for rule in rules] for name, rules in before.items()}
    graph = build_graph(compile_files(before), compile_files(after))
    assert (graph.rules["added"], graph.rules["removed"], graph.rules["same"]) == (300, 300, 0)
    boxes = [box for box in graph.boxes if box.column == "rule"]
    assert sum(int(box.title.split()[0]) if box.folded else 1 for box in boxes) == 600
    assert len(boxes) <= MOST_DRAWN + 3


def test_the_picture_is_the_same_each_time_and_is_a_picture_that_can_be_heard():
    graph = make_graph(12)
    picture = draw(place(graph))
    assert picture == draw(place(make_graph(12)))
    root = ET.fromstring(picture)
    assert root.find(f"{SVG}title").text
    assert root.find(f"{SVG}desc").text == describe(graph)
    assert len(root.findall(f".//{SVG}g[@class]")) >= len(graph.boxes)


def test_no_name_becomes_markup_and_nothing_is_styled_inline():
    files = {"1.yaml": [{"name": "a", "groups": ["<b>&\"'</b>"], "grant": [{"account": "a", "role": "R"}]}]}
    rules = compile_files(files)
    picture = draw(place(build_graph(rules, rules)))
    assert ET.fromstring(picture) is not None
    assert "<b>" not in picture
    assert not re.search(r"\sstyle=|<style|<script|\son\w+=", picture)


def test_a_difference_is_told_by_sign_word_and_class_and_not_by_colour_alone():
    old = {"1.yaml": [{"name": "a", "groups": ["x"], "grant": [{"account": "a", "role": "R"}]}]}
    new = {"1.yaml": [{"name": "b", "groups": ["x"], "deny": [{"account": "a", "role": "R"}]}]}
    picture = draw(place(build_graph(compile_files(old), compile_files(new))))
    assert "<title>added: b (1.yaml)</title>" in picture
    assert "<title>removed: a (1.yaml)</title>" in picture
    assert "<title>added, denies</title>" in picture
