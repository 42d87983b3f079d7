"""What rules read decides which statements come to the same."""

import pytest

from bridge.entitlements.reading import READS_ALL, Reading
from tests.factories import make_identity

GROUPS = Reading(frozenset({"groups"}), authentication_time=False)


@pytest.mark.parametrize(
    ("wider", "narrower"),
    [
        (READS_ALL, GROUPS),
        (READS_ALL, Reading(None, authentication_time=False)),
        (Reading(frozenset({"groups", "ref"}), authentication_time=False), GROUPS),
        (Reading(frozenset({"groups"}), authentication_time=True), GROUPS),
    ],
)
def test_a_reading_covers_itself_and_less_never_more(wider, narrower):
    assert wider.covers(wider)
    assert wider.covers(narrower)
    assert not narrower.covers(wider)


def test_values_of_other_types_do_not_look_the_same():
    def digest(value):
        return GROUPS.digest(make_identity(claims={"groups": value}))

    values = ["1", 1, True, 1.5, None, ["1"], [1], {"1": 1}]
    assert len({digest(value) for value in values} | {GROUPS.digest(make_identity(claims={}))}) == len(values) + 1
