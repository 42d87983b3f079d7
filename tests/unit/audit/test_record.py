"""A record's text: one form for each content, and nothing but that form is read."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.audit.record import UNREADABLE, encode_body, read_record

TEXT = st.text(st.characters(exclude_categories=())) | st.text('a\x00\x1f"\\/\x7f\x80é中\ud800\U0001f600', max_size=8)
RECORD = {"time": "2026-11-29T12:00:00.000000Z", "event": "session.ended", "reference": "ref-1"}


def contents(numbers):
    values = st.recursive(
        st.none() | st.booleans() | numbers | TEXT,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
        max_leaves=8,
    )
    return st.dictionaries(TEXT, values, max_size=6)


@given(contents(st.integers()))
def test_a_content_has_the_one_text_that_the_standard_library_gives_it(content):
    body = encode_body(content)
    assert body == json.dumps(content, sort_keys=True, separators=(",", ":"))
    assert body.isascii()
    assert body.isprintable()


@given(contents(st.integers(-(2**63), 2**64 - 1)))
def test_what_was_written_is_read_as_it_was(content):
    content = RECORD | {f"x{name}": value for name, value in content.items()}
    assert read_record(0, 1, encode_body(content))[0] == content


@pytest.mark.parametrize(
    "around",
    [" {}", "{} ", "{}\n", "{},", "{}{}", "[{}]", "\ufeff{}", "", "null", "1", '"{}"'],
)
def test_a_text_that_is_not_exactly_one_object_is_not_read(around):
    body = encode_body(RECORD)
    assert read_record(0, 1, body)[0] == RECORD
    assert read_record(0, 1, around.replace("{}", body))[0] is UNREADABLE
