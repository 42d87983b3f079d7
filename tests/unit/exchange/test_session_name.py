"""A role session name is valid everywhere, readable, and nobody else's."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.exchange.session_name import derive_session_name
from tests.factories import make_identity

VALID = re.compile(r"[A-Za-z0-9.@_-]{2,32}", re.ASCII)


def name_of(email, **changes):
    return derive_session_name(make_identity(claims={"email": email}, **changes), "email")


def test_a_name_that_fits_is_used_as_it_is():
    assert name_of("lin.wei@acme.example") == "lin.wei@acme.example"


@pytest.mark.parametrize(
    "email",
    ["a+tag@acme.example", "x", "林薇@acme.example", "a b", "a/b:c", "lin@acme\n", "e" * 40 + "@acme.example", "１２"],
)
def test_t_sts_06_a_name_that_does_not_fit_is_made_to_and_keeps_its_difference(email):
    name = name_of(email)
    assert VALID.fullmatch(name)
    assert name != name_of(email, subject="another")


@pytest.mark.parametrize("claims", [{}, {"email": ""}, {"email": None}, {"email": ["a@x.example", "b@x.example"]}])
def test_the_subject_stands_in_for_a_claim_that_names_nobody(claims):
    assert derive_session_name(make_identity(claims=claims, subject="s-1"), "email") == "s-1"


def test_a_list_with_one_value_is_that_value():
    assert name_of(["lin.wei@acme.example"]) == "lin.wei@acme.example"


@given(st.text(max_size=100), st.text(max_size=100))
def test_two_people_never_share_a_name(first, second):
    one, other = name_of(first, subject="1"), name_of(second, subject="2")
    assert VALID.fullmatch(one)
    assert one != other or first == second or (VALID.fullmatch(first) is None) == (VALID.fullmatch(second) is None)
