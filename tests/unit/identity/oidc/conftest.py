"""What the tests of this folder share."""

from datetime import UTC, datetime

import pytest


class Hands:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)

    def now(self):
        return self.moment

    def forward(self, by):
        self.moment += by


@pytest.fixture
def clock():
    return Hands()
