"""Somebody is found by what people call them: the latest sign-in of each, and whole names before parts of them."""

from datetime import UTC, datetime, timedelta

import pytest

from bridge.history.find_people import find_people, find_sign_in
from bridge.history.kept_sign_in import KeptSignIn
from tests.factories import make_identity

START = datetime(2026, 11, 24, 9, tzinfo=UTC)


def kept(minute, subject, **claims):
    identity = make_identity(subject=subject, claims=claims)
    return KeptSignIn(START + timedelta(minutes=minute), f"digest-{subject}", identity.name, identity, "192.0.2.1")


SIGN_INS = [
    kept(0, "s-1", name="Ann"),
    kept(1, "s-2", name="Ann Other", email="other@acme.example"),
    kept(2, "s-3"),
    kept(3, "s-1", name="Ann"),
]
NAMES = {("https://idp.example/metadata", "s-3"): "林薇"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ann", [("s-1", 3)]),
        ("ANN", [("s-1", 3)]),
        ("an", [("s-1", 3), ("s-2", 1)]),
        ("other@", [("s-2", 1)]),
        ("s-3", [("s-3", 2)]),
        ("林", [("s-3", 2)]),
        ("s-", [("s-1", 3), ("s-3", 2), ("s-2", 1)]),
        ("nobody", []),
        ("  ", []),
    ],
)
def test_people_are_found_by_what_they_are_called(text, found):
    people = find_people(SIGN_INS, text, NAMES)
    assert [(each.identity.subject, (each.at - START).seconds // 60) for each in people] == found


def test_a_name_from_the_audit_log_is_what_somebody_is_called():
    assert [each.label for each in find_people(SIGN_INS, "s-3", NAMES)] == ["林薇"]


def test_the_last_sign_in_of_a_person_is_that_of_the_same_issuer_and_subject():
    issuer = SIGN_INS[0].identity.issuer
    assert find_sign_in(SIGN_INS, issuer, "s-1") is SIGN_INS[3]
    assert find_sign_in(SIGN_INS, "https://elsewhere.example", "s-1") is None
