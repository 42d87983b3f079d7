"""Every hostile case is refused with exactly its error, in time; every twin is accepted."""

import time

import pytest

from bridge.attack.saml.cases import CASES
from bridge.attack.saml.corpus import ResponseCase
from bridge.errors import IdentityError
from bridge.identity.saml.response import verify_response

SECONDS = 1.0

every_case = pytest.mark.parametrize("case", CASES, ids=str)


@every_case
def test_hostile_message_is_refused(case: ResponseCase):
    draft = case.draft()
    case.spoil(draft)
    encoded = draft.encode()

    started = time.thread_time()
    with pytest.raises(IdentityError) as refusal:
        verify_response(encoded, draft.expected)
    assert time.thread_time() - started < SECONDS

    assert type(refusal.value) is case.error
    assert len(refusal.value.detail) <= 400
    assert refusal.value.detail.isascii()
    assert refusal.value.detail.isprintable()


@every_case
def test_its_twin_is_accepted(case: ResponseCase):
    draft = case.draft()

    assert verify_response(draft.encode(), draft.expected).subject == "alice@example.com"


def test_case_names_are_unique():
    assert len({case.id for case in CASES}) == len(CASES)


def test_corpus_covers_every_threat():
    threats = {case.id.partition("[")[0] for case in CASES}

    assert threats == {f"T-SAML-{number:02}" for number in [*range(1, 27)]}
