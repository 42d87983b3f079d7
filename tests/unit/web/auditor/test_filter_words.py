"""What an auditor looked for, in words."""

from dataclasses import fields

import pytest

from bridge.audit.search.query import Search
from bridge.web.auditor.filter_words import TITLES, describe_asked, describe_value


def test_every_filter_has_a_title():
    assert TITLES.keys() == {field.name for field in fields(Search)}


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("person", "a person"),
        ("access_key_id", "an AccessKeyId"),
        ("code saml_expired", "code saml_expired"),
        ("outcome accepted", "not refused"),
        ("mfa no", "with one factor"),
        ("days 1", "the last 24 hours"),
        ("days 30", "the last 30 days"),
        ("since 2026-11-20T00:00", "from 2026-11-20"),
        ("until 2026-11-20T10:30", "before 2026-11-20 10:30"),
        ("later_filter", "later_filter"),
        ("later_filter its value", "later_filter its value"),
    ],
)
def test_what_a_record_says_of_a_filter_is_told_in_words(asked, words):
    assert describe_asked(asked) == words


def test_the_value_of_a_filter_is_that_of_the_form():
    assert describe_value("mfa", "yes") == "more than one"
    assert describe_value("role", "Admin") == "Admin"
