"""T-SAML-26: whatever goes wrong with an encrypted assertion, whoever sent it learns one thing only: it was refused."""

import time
from collections import defaultdict

import pytest

from bridge.attack.saml.cases_encryption import flip
from bridge.attack.saml.encryption import RSA_15, EncryptionOptions
from bridge.attack.saml.messages import Draft, make_key
from bridge.errors import SAMLEncrypted
from bridge.identity.saml.response import verify_response
from tests.attacks.door import begin, draft_response, post_response, read_reference

FAILURES = {
    "not encrypted for us": lambda: EncryptionOptions(key=make_key("stranger").public_key()),
    "RSA value changed": lambda: EncryptionOptions(wrapped_key=lambda wrapped: flip(wrapped, 100)),
    "content key too short": lambda: EncryptionOptions(content_key=bytes(16)),
    "content changed": lambda: EncryptionOptions(ciphertext=lambda content: flip(content, 50)),
    "tag changed": lambda: EncryptionOptions(ciphertext=lambda content: flip(content, -1)),
}
"""What an attacker could tell apart to learn something about a key: which step failed."""
FORMS = {
    "RSA 1.5": lambda: EncryptionOptions(transport=RSA_15),
    "not XML inside": lambda: EncryptionOptions(plaintext=lambda _: b"garbage"),
    "no assertion inside": lambda: EncryptionOptions(plaintext=lambda _: b"<x/>"),
    "nothing inside": lambda: EncryptionOptions(plaintext=lambda _: b""),
}
ROUNDS = 25
LARGEST_RATIO = 1.5
ATTEMPTS = 40

pytestmark = pytest.mark.usefixtures("no_failures")


def test_t_saml_26_every_failure_is_answered_with_the_same_page(service, visitor):
    question = begin(visitor, "corp")
    answers, details = set(), set()
    for options in (FAILURES | FORMS).values():
        draft = draft_response("corp", question.request_id, encryption=options())
        last = service.last()
        response = post_response(visitor, "corp", draft.encode(), question.handle)
        [record] = service.records(last)
        assert record["code"] == SAMLEncrypted.code
        details.add(record["detail"])
        headers = {name: value for name, value in response.headers.items() if name != "Date"}
        page = response.text.replace(read_reference(response), "REFERENCE")
        answers.add((response.status_code, page, str(headers)))

    assert len(answers) == 1
    assert len(details) > 1, "the record says more than the page"
    draft = draft_response("corp", question.request_id, encryption=EncryptionOptions())
    assert post_response(visitor, "corp", draft.encode(), question.handle).status_code == 303


def test_t_saml_26_the_record_does_not_say_which_step_failed_either(service, visitor):
    question = begin(visitor, "corp")
    last = service.last()
    for options in FAILURES.values():
        draft = draft_response("corp", question.request_id, encryption=options())
        post_response(visitor, "corp", draft.encode(), question.handle)

    assert len({record["detail"] for record in service.records(last)}) == 1


def test_t_saml_26_every_failure_takes_the_same_time():
    """What always takes longer takes longer in each attempt; what a busy machine delays does not.

    Each attempt has new messages: a wrapped key that happens to be larger than the modulus of another key of ours costs
    no computation with that one, whatever is wrong with the message.
    """
    attempts = []
    while len(attempts) < ATTEMPTS:
        drafts = {name: Draft(encryption=options()) for name, options in FAILURES.items()}
        messages = {name: (draft.encode(), draft.expected) for name, draft in drafts.items()}
        attempts.append(measure_fastest(messages))
        if max(attempts[-1].values()) < LARGEST_RATIO * min(attempts[-1].values()):
            return
    pytest.fail(f"some failures always take longer: {attempts}")


def measure_fastest(messages):
    seconds = defaultdict(list)
    for _ in range(ROUNDS):
        for name, (encoded, expected) in messages.items():
            started = time.thread_time()
            with pytest.raises(SAMLEncrypted):
                verify_response(encoded, expected)
            seconds[name].append(time.thread_time() - started)
    return {name: min(measured) for name, measured in seconds.items()}
