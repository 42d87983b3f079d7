"""A sign-in that waits for its confirmation ends with its session at the provider, by every way of signing out."""

from datetime import timedelta

import pytest

from tests.attacks.door import Visitor, begin, call_back, draft_response, find_code, post_response
from tests.attacks.test_logout import frame, logout_of, logout_token, send, sign_in_at

pytestmark = pytest.mark.usefixtures("no_failures")


@pytest.fixture
def waiting(service, app):
    """Return a browser of ``eve`` in which ``ada`` has signed in at the provider, and the page that asks her."""
    visitor = sign_in_at(service, Visitor(app), subject="eve", sid="sid-3")
    service.staff.claims = {"sid": "sid-1"}
    page = call_back(visitor, "staff", service.staff.authorize(begin(visitor, "staff").url, "ada"))
    return visitor, page


def confirm(visitor, page):
    return visitor.submit(page, "/sign-in/confirm")


@pytest.mark.parametrize("claims", [{}, {"sub": None}, {"sid": None}], ids=["both", "session", "person"])
def test_t_oidc_15_a_waiting_sign_in_ends_with_its_session_at_the_provider(service, app, waiting, claims):
    assert send(app, {"logout_token": logout_token(service, **claims)}).status_code == 200
    response = confirm(*waiting)
    assert (response.status_code, find_code(response)) == (400, "confirmation_unknown")
    assert waiting[0].is_signed_in_as("eve")


@pytest.mark.parametrize(
    "claims",
    [{"sid": "sid-9"}, {"sid": "sid-9", "sub": None}, {"sub": "bob"}, {"sub": "bob", "sid": None}],
    ids=["another session", "another session of anybody", "another person", "another person altogether"],
)
def test_t_oidc_15_a_waiting_sign_in_survives_the_end_of_something_else(service, app, waiting, claims):
    assert send(app, {"logout_token": logout_token(service, **claims)}).status_code == 200
    assert confirm(*waiting).status_code == 303
    assert waiting[0].is_signed_in_as("ada")


def test_t_oidc_15_a_waiting_sign_in_survives_another_provider(service, app, waiting):
    assert send(app, {"logout_token": logout_token(service, "guests")}, "guests").status_code == 200
    assert confirm(*waiting).status_code == 303


def test_t_oidc_15_a_sign_in_after_the_end_is_not_ended(service, app):
    assert send(app, {"logout_token": logout_token(service, sid=None)}).status_code == 200
    service.clock.moment += timedelta(seconds=1)
    visitor = sign_in_at(service, Visitor(app), subject="eve", sid="sid-3")
    service.staff.claims = {"sid": "sid-1"}
    page = call_back(visitor, "staff", service.staff.authorize(begin(visitor, "staff").url, "ada"))
    assert confirm(visitor, page).status_code == 303
    assert visitor.is_signed_in_as("ada")


def test_a_refused_logout_ends_no_waiting_sign_in(service, app, waiting):
    assert send(app, {"logout_token": logout_token(service, aud="another")}).status_code == 400
    assert confirm(*waiting).status_code == 303


def arrive_by_tile(visitor, index="_session1"):
    draft = draft_response("tiles", None)
    draft.find("//saml:AuthnStatement").set("SessionIndex", index)
    return post_response(visitor, "tiles", draft.encode())


def test_t_saml_30_a_tile_that_waits_ends_with_its_session_at_the_provider(service, app, visitor):
    page = arrive_by_tile(visitor)
    frame(app, logout_of("tiles").query("r"), "tiles")
    response = confirm(visitor, page)
    assert (response.status_code, find_code(response)) == (400, "confirmation_unknown")
    assert visitor.session is None


def test_t_saml_30_a_tile_of_another_session_still_waits(service, app, visitor):
    page = arrive_by_tile(visitor, "_session2")
    frame(app, logout_of("tiles").query("r"), "tiles")
    assert confirm(visitor, page).status_code == 303
    assert visitor.is_signed_in_as("alice@example.com")
