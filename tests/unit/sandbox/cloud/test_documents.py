"""How long fetched documents are kept, and that a failure is not."""

import pytest

from bridge.sandbox.cloud.documents import Documents
from tests.unit.sandbox.cloud.parties import METADATA_URL, MovableClock
from tests.unit.sandbox.cloud.parties import Documents as Published


@pytest.fixture
def published():
    return Published()


@pytest.mark.parametrize(("seconds", "fresh", "fetches"), [(59, False, 1), (60, False, 2), (4, True, 1), (5, True, 2)])
def test_document_is_kept_for_a_minute_and_a_fresh_one_asked_for_every_five_seconds(published, seconds, fresh, fetches):
    clock = MovableClock()
    documents = Documents(published.fetch, clock)
    documents.load(METADATA_URL)

    clock.advance(seconds=seconds)
    documents.load(METADATA_URL, fresh=fresh)

    assert len(published.fetched) == fetches


def test_failure_is_not_kept(published):
    documents = Documents(published.fetch, MovableClock())
    metadata = published.pop(METADATA_URL)
    with pytest.raises(ConnectionError):
        documents.load(METADATA_URL)

    published[METADATA_URL] = metadata

    assert documents.load(METADATA_URL) == metadata
