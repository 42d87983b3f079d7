"""Front-channel logout (OIDC-15): what a frame on a provider's page may end, and what it may not.

Nothing proves such a request, so the cases are about what it could ask for and who could frame it.
"""

from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlencode

import pytest

from bridge.errors import OIDCFrontChannel, OIDCIssuer, TooManyRequests, UnknownProvider
from bridge.identity.guesses import REQUESTS_PER_MINUTE, GuessLimit
from tests.attacks.door import PUBLIC_URL, Visitor, begin, call_back, find_code, read_reference, sha256
from tests.attacks.test_logout import sign_in_at

pytestmark = pytest.mark.usefixtures("no_failures")


@pytest.fixture(scope="session")
def allowing_node(running_service):
    """Return a node at which ``staff`` may use the front channel, and ``guests`` may not."""
    providers = dict(running_service.configuration.providers)
    providers["staff"] = providers["staff"].model_copy(update={"frontchannel_logout": True})
    return running_service.start(providers=providers)


@pytest.fixture
def node(service, allowing_node):
    return allowing_node


def honest(service, sid="sid-1"):
    return [("iss", service.staff.issuer), ("sid", sid)]


def frame(node, query, provider="staff", method="GET", **options):
    """Load the address as the provider's page does: in a frame, without any cookie."""
    url = f"/oidc/{provider}/frontchannel-logout?{urlencode(query)}"
    return Visitor(node).request(method, url, site="cross-site", **options)


def check_refused(service, response, error, after, *, query, provider="staff"):
    assert (response.status_code, find_code(response)) == (400, error.code)
    assert response.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in response.headers
    [record] = service.records(after)
    assert (record["event"], record["code"], record["provider"]) == ("logout.refused", error.code, provider)
    assert (record["reference"], record["message_digest"]) == (read_reference(response), sha256(urlencode(query)))


def test_t_oidc_15_a_frame_ends_the_session_that_it_names_and_no_other(service, node):
    laptop = sign_in_at(service, Visitor(node))
    phone = sign_in_at(service, Visitor(node), sid="sid-2")
    colleague = sign_in_at(service, Visitor(node), subject="eve", sid="sid-3")
    after = service.last()
    query = honest(service)
    response = frame(node, query)
    assert (response.status_code, response.mimetype) == (200, "text/html")
    assert not {"Set-Cookie", "Location"} & {*response.headers.keys()}
    assert not laptop.is_signed_in_as("ada")
    assert phone.is_signed_in_as("ada")
    assert colleague.is_signed_in_as("eve")
    accepted, ended = service.records(after)
    assert accepted["event"] == "logout.accepted"
    assert not {"subject", "message_id"} & accepted.keys()
    assert (accepted["session_indexes"], accepted["ended"]) == (["sid-1"], 1)
    assert ended["reason"] == "signed_out_at_provider"


def test_t_oidc_15_only_the_providers_own_page_may_frame_it_and_nobody_keeps_it(service, node):
    for query in (honest(service), [("iss", "https://evil.example"), ("sid", "sid-1")]):
        headers = frame(node, query).headers
        assert f"frame-ancestors {service.staff.url};" in headers["Content-Security-Policy"]
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "X-Frame-Options" not in headers
        assert headers["Cache-Control"] == "no-store"
    elsewhere = Visitor(node).get("/signed-out").headers
    assert "frame-ancestors 'none'" in elsewhere["Content-Security-Policy"]
    assert elsewhere["X-Frame-Options"] == "DENY"
    for provider in ("nobody", "corp"):
        headers = frame(node, honest(service), provider).headers
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_t_oidc_15_a_guess_is_answered_like_a_hit(service, node):
    sign_in_at(service, Visitor(node))
    hit, guess = frame(node, honest(service)), frame(node, honest(service, "sid-x"))
    assert (hit.status_code, hit.data) == (guess.status_code, guess.data)
    assert [*hit.headers] == [*guess.headers]


QUERIES = {
    "no sid": (OIDCFrontChannel, lambda query: query[:1]),
    "no iss": (OIDCFrontChannel, lambda query: query[1:]),
    "nothing": (OIDCFrontChannel, lambda _: []),
    "sid empty": (OIDCFrontChannel, lambda query: [query[0], ("sid", "")]),
    "sid of 256 characters": (OIDCFrontChannel, lambda query: [query[0], ("sid", "s" * 256)]),
    "sid twice": (OIDCFrontChannel, lambda query: [*query, ("sid", "other")]),
    "sid twice, equal": (OIDCFrontChannel, lambda query: [*query, query[1]]),
    "iss twice": (OIDCFrontChannel, lambda query: [("iss", "https://evil.example"), *query]),
    "sub instead of sid": (OIDCFrontChannel, lambda query: [query[0], ("sub", "ada")]),
    "iss of another": (OIDCIssuer, lambda query: [("iss", "https://evil.example"), query[1]]),
    "iss with a slash": (OIDCIssuer, lambda query: [("iss", query[0][1] + "/"), query[1]]),
    "iss empty": (OIDCIssuer, lambda query: [("iss", ""), query[1]]),
    "iss in capitals": (OIDCIssuer, lambda query: [("iss", query[0][1].upper()), query[1]]),
}


@pytest.mark.parametrize(("error", "change"), QUERIES.values(), ids=[f"T-OIDC-15[{name}]" for name in QUERIES])
def test_hostile_front_channel_request_is_refused_and_its_twin_accepted(service, node, error, change):
    visitor = sign_in_at(service, Visitor(node))
    query, after, before = change(honest(service)), service.last(), sessions(service)
    check_refused(service, frame(node, query), error, after, query=query)
    assert sessions(service) == before
    assert visitor.is_signed_in_as("ada")
    assert frame(node, [*honest(service), ("x", "1"), ("x", "2")]).status_code == 200
    assert not visitor.is_signed_in_as("ada")


def sessions(service):
    return {key: value for key, value in service.memory().items() if b":guesses:" not in key}


def test_t_oidc_15_one_provider_cannot_end_the_sessions_of_another(service, running_service):
    providers = {
        name: each.model_copy(update={"frontchannel_logout": True}) if name in ("staff", "guests") else each
        for name, each in running_service.configuration.providers.items()
    }
    node = service.start(providers=providers)
    visitor = sign_in_at(service, Visitor(node))
    query, after = honest(service), service.last()
    check_refused(service, frame(node, query, "guests"), OIDCIssuer, after, query=query, provider="guests")
    assert frame(node, [("iss", service.guests.issuer), ("sid", "sid-1")], "guests").status_code == 200
    assert visitor.is_signed_in_as("ada")
    assert frame(node, query).status_code == 200
    assert not visitor.is_signed_in_as("ada")


def test_t_oidc_15_it_is_off_unless_the_settings_allow_it(service, app, node):
    visitor = sign_in_at(service, Visitor(app))
    query, after = honest(service), service.last()
    check_refused(service, frame(app, query), OIDCFrontChannel, after, query=query)
    for provider in ("nobody", "corp"):
        after = service.last()
        check_refused(service, frame(app, query, provider), UnknownProvider, after, query=query, provider=provider)
    assert visitor.is_signed_in_as("ada")
    assert sessions(service) == service.memory(), "names that a stranger chose are not even counted"
    assert frame(node, query).status_code == 200
    assert not visitor.is_signed_in_as("ada")


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE"])
def test_t_oidc_15_nothing_but_a_get_ends_anything(service, node, method):
    visitor = sign_in_at(service, Visitor(node))
    after = service.last()
    assert frame(node, honest(service), method=method).status_code == 405
    assert visitor.is_signed_in_as("ada")
    assert service.last() == after
    assert frame(node, honest(service)).status_code == 200
    assert not visitor.is_signed_in_as("ada")


def test_t_oidc_15_the_browsers_own_session_does_not_count(service, node):
    visitor = sign_in_at(service, Visitor(node))
    url = f"/oidc/staff/frontchannel-logout?{urlencode(honest(service, 'sid-of-another'))}"
    assert visitor.get(url).status_code == 200
    assert visitor.is_signed_in_as("ada")


def test_t_oidc_15_an_address_may_guess_only_so_often(service, node):
    visitor = sign_in_at(service, Visitor(node))
    service.clock.moment = service.clock.moment.replace(second=10)
    limit = GuessLimit(service.redis, service.clock)
    for _ in range(REQUESTS_PER_MINUTE - 1):
        limit.count("staff", "192.0.2.7")
    assert frame(node, honest(service, "guess")).status_code == 200, "the 300th"
    after = service.last()
    refused = frame(node, honest(service))
    assert (refused.status_code, find_code(refused)) == (429, TooManyRequests.code)
    assert service.last() == after, "a flood fills no log"
    assert visitor.is_signed_in_as("ada")
    elsewhere = frame(node, honest(service, "x"), environ_overrides={"REMOTE_ADDR": "192.0.2.8"})
    assert elsewhere.status_code == 200
    service.clock.moment += timedelta(seconds=50)
    assert frame(node, honest(service)).status_code == 200
    assert not visitor.is_signed_in_as("ada")


def test_the_count_of_an_address_names_no_address_and_ends(service, node):
    frame(node, honest(service))
    [key] = [key for key in service.memory() if b":guesses:" in key]
    assert b"192.0.2" not in key
    assert 0 < service.redis.pttl(key) <= 120_000


def test_t_oidc_15_a_session_of_the_next_sign_in_is_not_ended_by_the_last_ones_name(service, node):
    visitor = sign_in_at(service, Visitor(node), sid="old")
    sign_in_at(service, visitor, sid="new")
    assert frame(node, honest(service, "old")).status_code == 200
    assert visitor.is_signed_in_as("ada")


def test_with_several_tenants_each_issuer_counts_for_itself(service):
    tenants = ("11111111-2222-3333-4444-555566667777", "99999999-2222-3333-4444-555566667777")
    provider = service.configuration.providers["staff"].model_copy(
        update={"issuer": "https://login.example/{tenantid}/v2.0", "tenants": tenants, "frontchannel_logout": True}
    )
    configuration = replace(service.configuration, providers={"staff": provider})
    node = service.start(providers=configuration.providers)
    for tenant in tenants:
        response = frame(node, [("iss", f"https://login.example/{tenant}/v2.0"), ("sid", "s")])
        assert response.status_code == 200
        assert "frame-ancestors https://login.example;" in response.headers["Content-Security-Policy"]
    assert frame(node, [("iss", provider.issuer), ("sid", "s")]).status_code == 400


def test_a_person_who_waits_at_the_confirmation_is_meant_as_well(service, node):
    victim = sign_in_at(service, Visitor(node), subject="eve", sid="sid-3")
    service.staff.claims = {"sid": "sid-1"}
    question = begin(victim, "staff")
    page = call_back(victim, "staff", service.staff.authorize(question.url, "ada"))
    assert frame(node, honest(service)).status_code == 200
    assert find_code(victim.submit(page, "/sign-in/confirm")) == "confirmation_unknown"
    assert victim.is_signed_in_as("eve")
    assert PUBLIC_URL in page.request.url
