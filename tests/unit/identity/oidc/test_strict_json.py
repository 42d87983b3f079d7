"""JSON that two programs could read differently is not read at all."""

import contextlib
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.identity.oidc.strict_json import MAX_DEPTH, parse_object

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=5), children, max_size=4),
    max_leaves=12,
)  # fmt: skip


@UNHURRIED
@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), VALUES, max_size=4))
def test_every_unambiguous_object_is_read_as_it_was_written(members):
    for ascii_only in (True, False):
        assert parse_object(json.dumps(members, ensure_ascii=ascii_only).encode()) == members


@UNHURRIED
@given(st.binary(max_size=200))
def test_any_bytes_are_an_object_or_a_value_error(document):
    with contextlib.suppress(ValueError):
        assert isinstance(parse_object(document), dict)


@UNHURRIED
@given(st.text(max_size=40).map(lambda text: '{"a":' + text + "}"))
def test_what_is_read_can_always_be_written_again(text):
    try:
        members = parse_object(text.encode("utf-8", "surrogatepass"))
    except ValueError:
        return
    assert parse_object(json.dumps(members, ensure_ascii=False, allow_nan=False).encode()) == members


@pytest.mark.parametrize("document", [b'{"a":1,"a":1}', b'{"a":{"b":1,"b":2}}', b'[{"a":1,"a":2}]', b'{"":1,"":1}'])
def test_a_member_that_comes_twice_is_refused(document):
    with pytest.raises(ValueError, match=r"twice"):
        parse_object(document)


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "1e309", "-1e309", "1" * 33, "0." + "1" * 33])
def test_a_number_that_is_none_or_is_too_long_is_refused(literal):
    with pytest.raises(ValueError, match=r"number|NaN"):
        parse_object(f'{{"a":{literal}}}'.encode())


@pytest.mark.parametrize("literal", ["0", "-1", "1e308", "0.1000000000000000055511151231", "9" * 32, "0." + "1" * 30])
def test_an_ordinary_number_is_read(literal):
    assert parse_object(f'{{"a":{literal}}}'.encode()) == {"a": json.loads(literal)}


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_depth_is_bounded(opening):
    closing = "]" if opening == "[" else "}"

    def nested(depth):
        return f'{{"a":{opening * (depth - 1)}1{closing * (depth - 1)}}}'.encode()

    assert parse_object(nested(MAX_DEPTH))
    for depth in (MAX_DEPTH + 1, 500, 100_000):
        with pytest.raises(ValueError, match=r"deep"):
            parse_object(nested(depth))


def test_width_is_not_depth():
    assert len(parse_object(b'{"a":[' + b"[]," * 1_000 + b"{}]}")["a"]) == 1_001


def test_the_error_does_not_quote_the_document():
    with pytest.raises(ValueError, match=r"^not JSON$"):
        parse_object(b'{"password":"secret"')


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (b'{"password":"\xffsecret"}', "not UTF-8"),
        (b'{"password":"\\ud83dsecret"}', "a string cannot be encoded"),
        (b'{"password":"\\uD83Dsecret"}', "a string cannot be encoded"),
        (b'{"\\udc00secret":1}', "a string cannot be encoded"),
    ],
)
def test_nor_does_that_of_a_string_which_nobody_could_write(document, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        parse_object(document)


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, *range(900, 1_000, 5)])
def test_a_string_that_cannot_be_written_does_not_hide_the_depth(depth):
    with pytest.raises(ValueError, match=r"deep"):
        parse_object(b'{"a":' * depth + b'"\\ud800"' + b"}" * depth)


def test_a_pair_of_surrogates_is_one_character():
    assert parse_object(b'{"a":"\\ud83d\\ude00"}') == {"a": "😀"}
