"""Signing out, at the running service: what a provider may end, what a stranger may not, and what is recorded."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from bridge.errors import (
    LogoutReplay,
    OIDCAudience,
    OIDCIssuedAt,
    OIDCIssuer,
    OIDCLogoutEvent,
    OIDCLogoutRequest,
    OIDCLogoutTarget,
    OIDCSignature,
    OIDCTyp,
    StoreUnavailable,
    TooLarge,
    UnknownProvider,
)
from bridge.identity.oidc.logout_token import EVENT
from tests.attacks.door import ADDRESS, HOST, PUBLIC_URL, Visitor, begin, call_back, sha256
from tests.attacks.oidc.test_logout_token import HOSTILE
from tests.fakes.openid_provider import make_key

pytestmark = pytest.mark.usefixtures("no_failures")


# ── OpenID Connect back-channel logout ───────────────────────────────────────────────────────────────────────────


def sign_in_at(service, visitor, provider="staff", subject="ada", sid="sid-1"):
    party = getattr(service, provider)
    party.claims = {"sid": sid}
    call_back(visitor, provider, party.authorize(begin(visitor, provider).url, subject))
    assert visitor.is_signed_in_as(subject)
    return visitor


def logout_token(service, provider="staff", *, header=None, **claims):
    """Return a logout token of one of our providers; None leaves a claim out."""
    party = getattr(service, provider)
    now = int(service.clock.now().timestamp())
    honest = {
        "iss": party.issuer,
        "aud": party.client_id,
        "iat": now,
        "exp": now + 120,
        "jti": f"logout-{service.last()}",
        "sub": "ada",
        "sid": "sid-1",
        "events": {EVENT: {}},
    }
    members = {name: value for name, value in (honest | claims).items() if value is not None}
    return party.sign(members, {"typ": "logout+jwt", **(header or {})})


def send(app, form, provider="staff"):
    """Send what the provider's server sends: no cookie, no Origin, no Sec-Fetch-Site."""
    return app.test_client().post(
        f"/oidc/{provider}/backchannel-logout",
        data=form,
        base_url=PUBLIC_URL,
        headers={"Host": HOST},
        environ_overrides={"REMOTE_ADDR": ADDRESS},
    )


def check_refused(service, response, error, *, after, message=None, provider="staff"):
    """It is 400 and never a page, and leaves one record."""
    assert response.status_code == 400
    assert response.mimetype == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in response.headers
    assert response.json.keys() == {"error", "code", "reference"}
    assert (response.json["error"], response.json["code"]) == ("invalid_request", error.code)
    [record] = service.records(after)
    assert (record["event"], record["code"], record["provider"]) == ("logout.refused", error.code, provider)
    assert record["reference"] == response.json["reference"]
    if message is not None:
        assert record["message_digest"] == sha256(message)
        assert message not in json.dumps(record)


def test_t_oidc_15_a_logout_token_ends_the_session_it_names_and_is_recorded(service, app):
    laptop = sign_in_at(service, Visitor(app))
    phone = sign_in_at(service, Visitor(app), sid="sid-2")
    colleague = sign_in_at(service, Visitor(app), subject="eve", sid="sid-3")
    after = service.last()
    response = send(app, {"logout_token": logout_token(service)})
    assert (response.status_code, response.data) == (200, b"")
    assert response.headers["Cache-Control"] == "no-store"
    assert not laptop.is_signed_in_as("ada")
    assert phone.is_signed_in_as("ada")
    assert colleague.is_signed_in_as("eve")
    accepted, ended = service.records(after)
    assert accepted["event"] == "logout.accepted"
    assert (accepted["subject"], accepted["session_indexes"], accepted["ended"]) == ("ada", ["sid-1"], 1)
    assert (ended["event"], ended["subject"], ended["reason"]) == ("session.ended", "ada", "signed_out_at_provider")


def test_t_oidc_15_without_a_session_all_of_the_person_end(service, app):
    ours = [sign_in_at(service, Visitor(app), sid=sid) for sid in ("sid-1", "sid-2")]
    colleague = sign_in_at(service, Visitor(app), subject="eve", sid="sid-3")
    assert send(app, {"logout_token": logout_token(service, sid=None)}).status_code == 200
    assert not any(visitor.is_signed_in_as("ada") for visitor in ours)
    assert colleague.is_signed_in_as("eve")


def test_t_oidc_15_without_a_person_the_session_at_the_provider_counts(service, app):
    visitor = sign_in_at(service, Visitor(app))
    assert send(app, {"logout_token": logout_token(service, sub=None)}).status_code == 200
    assert not visitor.is_signed_in_as("ada")


@pytest.mark.parametrize("claims", [{"sub": "eve"}, {"sid": "sid-2"}, {"sub": None, "sid": "sid-2"}])
def test_t_oidc_15_person_and_session_must_both_fit(service, app, claims):
    visitor = sign_in_at(service, Visitor(app))
    sign_in_at(service, Visitor(app), subject="eve", sid="sid-3")
    after = service.last()
    assert send(app, {"logout_token": logout_token(service, **claims)}).status_code == 200
    [record] = service.records(after)
    assert (record["event"], record["ended"]) == ("logout.accepted", 0)
    assert visitor.is_signed_in_as("ada")


def test_t_oidc_15_one_provider_cannot_end_the_sessions_of_another(service, app):
    visitor = sign_in_at(service, Visitor(app))
    guest = sign_in_at(service, Visitor(app), "guests")
    assert send(app, {"logout_token": logout_token(service, "guests")}, "guests").status_code == 200
    assert visitor.is_signed_in_as("ada")
    assert not guest.is_signed_in_as("ada")
    service.guests.signing_key = make_key("first")
    after = service.last()
    token = logout_token(service, "guests", iss=service.staff.issuer)
    check_refused(service, send(app, {"logout_token": token}), OIDCSignature, after=after, message=token)
    after = service.last()
    own = logout_token(service, "staff", iss=service.guests.issuer)
    check_refused(service, send(app, {"logout_token": own}), OIDCIssuer, after=after, message=own)
    assert visitor.is_signed_in_as("ada")


FAULTS = {
    "another audience": (OIDCAudience, {"aud": "another"}),
    "another event": (OIDCLogoutEvent, {"events": {"https://schemas.example/other": {}}}),
    "old": (OIDCIssuedAt, {"iat": 1_700_000_000}),
    "of nobody": (OIDCLogoutTarget, {"sub": None, "sid": None}),
    "typ JWT": (OIDCTyp, {"header": {"typ": "JWT"}}),
}


@pytest.mark.parametrize("name", FAULTS)
def test_t_oidc_15_a_live_session_survives_a_bad_token(service, app, name):
    error, changes = FAULTS[name]
    visitor = sign_in_at(service, Visitor(app))
    after = service.last()
    token = logout_token(service, **changes)
    check_refused(service, send(app, {"logout_token": token}), error, after=after, message=token)
    assert visitor.is_signed_in_as("ada")
    assert send(app, {"logout_token": logout_token(service)}).status_code == 200
    assert not visitor.is_signed_in_as("ada")


def test_t_oidc_15_a_token_counts_once(service, app):
    token = logout_token(service, jti="the-only-one")
    assert send(app, {"logout_token": token}).status_code == 200
    visitor = sign_in_at(service, Visitor(app))
    after = service.last()
    check_refused(service, send(app, {"logout_token": token}), LogoutReplay, after=after, message=token)
    assert visitor.is_signed_in_as("ada")
    service.clock.moment += timedelta(seconds=179)
    assert send(app, {"logout_token": token}).json["code"] == "logout_replay"
    service.clock.moment += timedelta(seconds=2)
    assert send(app, {"logout_token": token}).json["code"] == "oidc_iat"


def test_t_oidc_15_of_twenty_equal_tokens_at_two_machines_one_wins(service, app):
    nodes = [app, service.start()]
    sign_in_at(service, Visitor(app))
    token = logout_token(service)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda number: send(nodes[number % 2], {"logout_token": token}).status_code, range(20)))
    assert sorted(answers) == [200] + [400] * 19


def test_t_oidc_15_jwt_as_typ_is_an_exception_of_one_provider(service):
    providers = service.configuration.providers
    tolerant = providers["staff"].model_copy(update={"logout_token_typ_jwt": True})
    node = service.start(providers={**providers, "staff": tolerant})
    visitor = sign_in_at(service, Visitor(node))
    after = service.last()
    token = logout_token(service, "guests", header={"typ": "JWT"})
    check_refused(
        service, send(node, {"logout_token": token}, "guests"), OIDCTyp, after=after, provider="guests", message=token
    )
    assert send(node, {"logout_token": logout_token(service, header={"typ": "JWT"})}).status_code == 200
    assert not visitor.is_signed_in_as("ada")


def test_t_oidc_15_the_request_is_a_form_with_one_token(service, app):
    visitor = sign_in_at(service, Visitor(app))
    token = logout_token(service)
    for form in ({}, {"logout_token": [token, token]}, {"id_token": token}, token.encode()):
        after = service.last()
        check_refused(service, send(app, form), OIDCLogoutRequest, after=after)
    after = service.last()
    check_refused(service, send(app, {"logout_token": token, "x": "y" * 64_000}), TooLarge, after=after)
    for provider in ("nobody", "corp"):
        after = service.last()
        answer = send(app, {"logout_token": token}, provider)
        check_refused(service, answer, UnknownProvider, after=after, message=token, provider=provider)
    answer = app.test_client().get(f"/oidc/staff/backchannel-logout?logout_token={token}", base_url=PUBLIC_URL)
    assert (answer.status_code, answer.mimetype) == (405, "application/json")
    assert visitor.is_signed_in_as("ada")
    assert send(app, {"logout_token": token}).status_code == 200


def test_t_oidc_15_tokens_with_unknown_keys_cause_one_fetch(service):
    node = service.start()
    assert send(node, {"logout_token": logout_token(service)}).status_code == 200
    service.staff.requests.clear()
    for number in range(20):
        token = logout_token(service, header={"kid": f"stranger-{number}"})
        assert send(node, {"logout_token": token}).json["code"] == "oidc_kid"
    assert len(service.staff.requests) <= 1


def test_t_oidc_15_a_logout_that_cannot_be_remembered_is_not_confirmed(service, app, monkeypatch):
    visitor = sign_in_at(service, Visitor(app))
    token = logout_token(service)
    after = service.last()

    def refuse(*_, **__):
        raise StoreUnavailable("no answer")

    with monkeypatch.context() as patch:
        patch.setattr("bridge.identity.replay.ReplayMemory.claim", refuse)
        check_refused(service, send(app, {"logout_token": token}), StoreUnavailable, after=after, message=token)
    assert visitor.is_signed_in_as("ada")
    assert send(app, {"logout_token": token}).status_code == 200


def test_t_oidc_15_the_whole_corpus_ends_nothing(service, app):
    """The tokens are another provider's with keys of its own, so the first check of the signature ends them here."""
    visitor = sign_in_at(service, Visitor(app))
    for error, make in HOSTILE.values():
        response = send(app, {"logout_token": make()})
        assert response.status_code == 400, error
        assert response.mimetype == "application/json"
    assert visitor.is_signed_in_as("ada")


def test_t_oidc_15_a_rolled_over_key_is_found(service, app):
    visitor = sign_in_at(service, Visitor(app))
    service.clock.moment += timedelta(minutes=2)
    old = service.staff.keys
    try:
        service.staff.keys = [*old, make_key("rolled")]
        assert send(app, {"logout_token": logout_token(service)}).status_code == 200
    finally:
        service.staff.keys = old
    assert not visitor.is_signed_in_as("ada")
