"""The trail's pages say when credentials were used in as few words as there are differences."""

import pytest

from bridge.web.auditor.trail_pages import show_span


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        ("2026-11-29 17:30", "2026-11-29 17:30", "2026-11-29 17:30"),
        ("2026-11-29 17:30", "2026-11-29 18:02", "2026-11-29 17:30 to 18:02"),
        ("2026-11-29 23:30", "2026-11-30 00:10", "2026-11-29 23:30 to 2026-11-30 00:10"),
    ],
)
def test_what_two_moments_have_in_common_is_said_once(first, last, words):
    assert show_span(first, last) == words
