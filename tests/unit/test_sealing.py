import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import Unsealable
from bridge.sealing import Sealer

NAME = "rambridge:session:abc"


@pytest.fixture
def sealer():
    return Sealer(os.urandom(32))


def test_a_value_opens_under_its_own_name(sealer):
    assert sealer.open(NAME, sealer.seal(NAME, b"value")) == b"value"


@pytest.mark.parametrize("name", ["rambridge:session:abd", "rambridge:pending:abc", "", "rambridge:session:ab"])
def test_a_value_that_was_moved_to_another_name_does_not_open(sealer, name):
    """T-REDIS-04: one session swapped for another, or one purpose for another."""
    with pytest.raises(Unsealable):
        sealer.open(name, sealer.seal(NAME, b"value"))


def test_a_change_of_any_byte_is_noticed(sealer):
    """T-REDIS-04."""
    sealed = sealer.seal(NAME, b"value")
    for position in range(len(sealed)):
        changed = bytearray(sealed)
        changed[position] ^= 1
        with pytest.raises(Unsealable):
            sealer.open(NAME, bytes(changed))


def test_a_value_that_was_cut_is_noticed(sealer):
    sealed = sealer.seal(NAME, b"value")
    for length in range(len(sealed)):
        with pytest.raises(Unsealable):
            sealer.open(NAME, sealed[:length])


def test_the_same_value_never_looks_the_same_twice(sealer):
    assert len({sealer.seal(NAME, b"value") for _ in range(1000)}) == 1000


def test_an_envelope_costs_37_bytes_and_shows_nothing(sealer):
    sealed = sealer.seal(NAME, b"zhang.wei@example.com")
    assert len(sealed) == 37 + 21
    assert b"zhang" not in sealed


def test_a_value_of_a_retired_key_opens_and_one_of_an_unknown_key_does_not():
    """T-REDIS-03."""
    old, new = os.urandom(32), os.urandom(32)
    sealed = Sealer(old).seal(NAME, b"value")
    assert Sealer(new, [old]).open(NAME, sealed) == b"value"
    with pytest.raises(Unsealable):
        Sealer(new).open(NAME, sealed)


def test_sealing_is_done_with_the_current_key():
    old, new = os.urandom(32), os.urandom(32)
    sealed = Sealer(new, [old]).seal(NAME, b"value")
    assert Sealer(new).open(NAME, sealed) == b"value"


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(codec="utf-8")),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
        max_leaves=20,
    )
)
def test_a_json_value_comes_back_as_it_was(value):
    sealer = Sealer(bytes(32))
    assert sealer.open_json(NAME, sealer.seal_json(NAME, value)) == value


def test_a_large_json_value_is_compressed(sealer):
    groups = [f"cn=team-{number},ou=groups,dc=example,dc=com" for number in range(200)]
    sealed = sealer.seal_json(NAME, groups)
    assert len(sealed) < 1_200
    assert sealer.open_json(NAME, sealed) == groups


@pytest.mark.parametrize("content", [b"", b"j", b"j{", b"z", b"znot zlib", b"x{", b"j\xff", b"\x80\x04N."])
def test_what_is_sealed_but_not_json_is_refused(sealer, content):
    """T-REDIS-04: a pickle, too, is only bytes that are no JSON."""
    with pytest.raises(Unsealable):
        sealer.open_json(NAME, sealer.seal(NAME, content))


def test_a_number_that_json_does_not_have_is_not_stored(sealer):
    with pytest.raises(ValueError, match="not JSON compliant"):
        sealer.seal_json(NAME, float("nan"))
