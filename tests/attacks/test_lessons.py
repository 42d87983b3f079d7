"""What real identity providers taught us and no other test holds; docs/lessons.md names the test of each lesson."""

import json
import secrets

import pytest

from bridge.keys import KeyFolder
from bridge.sealing import Sealer
from tests.attacks.door import Visitor, begin, call_back, draft_response, find_code, post_response
from tests.attacks.test_logout import logout_token, send

pytestmark = pytest.mark.usefixtures("no_failures")


def answer_saml(service, visitor, offset_seconds):
    """Bring a response by a provider whose clock is so far ahead of ours, asked for by ours."""
    service.clock.advance(-offset_seconds)
    question = begin(visitor, "corp")
    return post_response(visitor, "corp", draft_response("corp", question.request_id).encode(), question.handle)


def answer_oidc(service, visitor, offset_seconds):
    service.staff.now = lambda: service.clock.now().timestamp() + offset_seconds
    return call_back(visitor, "staff", service.staff.authorize(begin(visitor, "staff").url))


@pytest.mark.parametrize(
    ("answer", "behind", "ahead"),
    [(answer_saml, "saml_expired", "saml_not_yet"), (answer_oidc, "oidc_exp", "oidc_iat")],
    ids=["SAML", "OpenID Connect"],
)
def test_a_clock_ten_minutes_off_is_refused_and_one_within_a_minute_is_not(service, app, answer, *, behind, ahead):
    """Lesson 7. Libraries differ in what they allow, and some look at no time at all."""
    for offset in (-59, 0, 59):
        assert answer(service, Visitor(app), offset).status_code == 303
        service.reset()
    for offset, code in ((-600, behind), (61, ahead), (600, ahead)):
        response = answer(service, Visitor(app), offset)
        assert (response.status_code, find_code(response)) == (400, code)
        service.reset()


def test_a_token_with_every_legitimate_oddity_signs_in_and_its_session_is_found_again(service, app, visitor):
    """Lesson 11."""
    sid = "kM/7+Zw=="
    moment = service.clock.now().timestamp()
    service.staff.claims = {
        "aud": [service.staff.client_id],
        "auth_time": moment - 5.25,
        "sid": sid,
        "acr": "https://idp.example.com/loa/2",
    }
    call_back(visitor, "staff", service.staff.authorize(begin(visitor, "staff").url))
    assert visitor.is_signed_in_as("ada")
    assert send(app, {"logout_token": logout_token(service, sid="kM/7 Zw==")}).status_code == 200
    assert visitor.is_signed_in_as("ada"), "another session of hers is not this one"
    assert send(app, {"logout_token": logout_token(service, sid=sid)}).status_code == 200
    assert not visitor.is_signed_in_as("ada")


def test_no_logout_waits_for_a_fetch_once_the_keys_are_known(service, app, visitor):
    """Lesson 13. A provider may call while its only worker waits for us, and then it cannot serve its keys."""
    call_back(visitor, "staff", service.staff.authorize(begin(visitor, "staff").url))
    service.staff.requests.clear()
    assert send(app, {"logout_token": logout_token(service, sid=None)}).status_code == 200
    assert not visitor.is_signed_in_as("ada")
    assert service.staff.paths() == []


def open_memory(service):
    """Return everything in Redis as the service itself reads it."""
    sealer = Sealer(*KeyFolder(service.configuration.settings.key_folder).sealing_keys())
    sealed = {key.decode(): value for key, value in service.memory().items() if value}
    return json.dumps({key: sealer.open_json(key, value) for key, value in sealed.items()})


def test_a_refresh_token_is_forgotten_and_the_access_token_too(service, visitor, caplog):
    """Lessons 14 and 15. What is not kept cannot outlive a session, whatever the provider says about it later."""
    refresh_token, access_token = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    service.staff.token_response = {"refresh_token": refresh_token, "access_token": access_token}
    last = service.last()
    response = call_back(visitor, "staff", service.staff.authorize(begin(visitor, "staff").url))
    assert visitor.is_signed_in_as("ada")
    kept = [response.text, str(response.headers), visitor.get("/").text, visitor.get("/api/v1/session").text]
    opened = open_memory(service)
    assert "ada@corp.example" in opened
    kept += [opened, json.dumps(service.records(last)), caplog.text]
    assert not [text for text in kept if refresh_token in text or access_token in text]
    service.staff.requests.clear()
    for _ in range(3):
        assert visitor.get("/").status_code == 200
    assert service.staff.paths() == [], "nobody asks the provider again while the session lasts"
