"""Console sign-in: which responses let somebody in, as whom, until when; and what the pages promise."""

import re
from datetime import timedelta

import pytest

from bridge.sandbox.cloud.console import is_console_address
from tests.unit.sandbox.cloud.client import Cloud, role_arn
from tests.unit.sandbox.cloud.parties import (
    ACS,
    METADATA_URL,
    NOW,
    PRODUCTION,
    ROLE,
    SANDBOX,
    SESSION_DURATION,
    SESSION_NAME,
    USER_ACS,
    USER_AUDIENCE,
    Response,
    build_metadata,
    make_key,
    role_value,
    user_response,
)


@pytest.fixture
def cloud():
    return Cloud()


def post(cloud, response, path="/saml-role/sso", **form):
    encoded = response if isinstance(response, str) else response.encode()
    return cloud.http.post(path, data={"SAMLResponse": encoded, **form}, follow_redirects=True)


def as_user(cloud, response, **form):
    return post(cloud, response, "/saml/SSO", **form)


def text_of(page, element_id):
    return re.search(rf'id="{element_id}"[^>]*>\s*(.*?)\s*</', page.text, re.DOTALL)[1]


def roles(*values, **more):
    return {ROLE: list(values), SESSION_NAME: ["alice@example.com"], **more}


def test_role_sign_in_shows_who_one_is(cloud):
    page = post(cloud, Response())

    assert page.status_code == 200
    assert page.request.path == "/console"
    assert text_of(page, "who") == "You are PlatformAdmin in Acme Production"
    assert text_of(page, "account-id") == PRODUCTION
    assert text_of(page, "account-alias") == "acme-production"
    assert text_of(page, "session-name") == "alice@example.com"
    assert text_of(page, "arn") == role_arn("PlatformAdmin")
    assert "The assertion is signed with a registered certificate" in page.text


def test_reloading_the_console_does_not_use_the_response_again(cloud):
    post(cloud, Response())

    assert cloud.http.get("/console").status_code == 200
    assert text_of(cloud.http.get("/console"), "who") == "You are PlatformAdmin in Acme Production"


def test_user_sign_in_shows_who_one_is(cloud):
    page = as_user(cloud, user_response())

    assert text_of(page, "who") == "You are alice in Acme Production"
    assert text_of(page, "arn") == f"acs:ram::{PRODUCTION}:user/alice"


@pytest.mark.parametrize("domain", ["acme-production.onaliyun.com", "acme.example", "ACME.example"])
def test_user_is_found_in_each_domain_of_the_account(cloud, domain):
    assert "You are alice" in as_user(cloud, user_response(subject=f"alice@{domain}")).text


@pytest.mark.parametrize(
    ("response", "status", "message"),
    [
        pytest.param(Response(attributes={}), 401, "Can not find SAML role attribute which is required", id="no role"),
        pytest.param(
            Response(attributes={ROLE: [role_value()]}),
            401,
            "Can not find SAML role session name attribute which is required",
            id="no session name",
        ),
        pytest.param(
            Response(attributes=roles(role_value(provider="other"))),
            404,
            "Can not find SAML provider",
            id="unknown provider",
        ),
        pytest.param(
            Response(
                sign_response=True,
                change_signed=lambda response, _: response.set("IssueInstant", "2026-03-04T05:06:06Z"),
            ),
            401,
            "The response signature is invalid",
            id="response signature",
        ),
        pytest.param(Response(key=make_key("thief")), 401, "The assertion signature is invalid", id="signature"),
        pytest.param(
            Response(attributes=roles(role_value("Nobody"))),
            404,
            "The specified RoleArn does not exist",
            id="no such role",
        ),
        pytest.param(
            Response(attributes=roles(role_value("Automation"))), 403, "The trust policy of", id="role does not trust"
        ),
        pytest.param(
            Response(attributes=roles(role_value("TerminalOnly"))),
            403,
            "may not log on to the console",
            id="no console",
        ),
        pytest.param(
            Response(attributes=roles(role_value(), role_value("Automation"))),
            403,
            "The trust policy of",
            id="one of two roles does not trust",
        ),
        pytest.param(
            Response(attributes=roles(role_value(), **{SESSION_DURATION: ["899"]})), 401, "less than 900", id="short"
        ),
        pytest.param(
            Response(attributes=roles(role_value(), **{SESSION_DURATION: ["1h"]})), 401, "whole number", id="no number"
        ),
        pytest.param(
            Response(attributes=roles(role_value(), **{SESSION_DURATION: ["900", "900"]})), 401, "one whole", id="twice"
        ),
        pytest.param(Response(recipient=USER_ACS), 401, "destination", id="for user sign-in"),
        pytest.param(Response(audience=USER_AUDIENCE), 401, "audience", id="user audience"),
    ],
)
def test_role_response_with_one_fault_signs_nobody_in(cloud, response, status, message):
    page = post(cloud, response)

    assert page.status_code == status
    assert message.lower() in text_of(page, "message").lower()
    assert "You are not signed in" in cloud.http.get("/console").text


@pytest.mark.parametrize(
    ("response", "message"),
    [
        pytest.param(user_response(subject="alice@else.example"), "no RAM user", id="another domain"),
        pytest.param(user_response(subject="alice"), "no RAM user", id="no domain"),
        pytest.param(user_response(subject=f"nobody@{PRODUCTION}.onaliyun.com"), "no RAM user", id="unknown user"),
        pytest.param(user_response(subject=f"bob@{PRODUCTION}.onaliyun.com"), "may not log on", id="no console right"),
        pytest.param(user_response(subject=f"alice@x@{PRODUCTION}.onaliyun.com"), "no RAM user", id="two at signs"),
        pytest.param(user_response(audience=f"{USER_AUDIENCE}/"), "no account", id="audience with a slash"),
        pytest.param(
            user_response(audience=USER_AUDIENCE.replace(PRODUCTION, SANDBOX)), "not enabled", id="account without SSO"
        ),
        pytest.param(user_response(recipient=USER_ACS.lower()), "destination", id="path in another case"),
        pytest.param(user_response(recipient=ACS), "destination", id="for role sign-in"),
        pytest.param(user_response(key=make_key("thief")), "signature is invalid", id="signature"),
    ],
)
def test_user_response_with_one_fault_signs_nobody_in(cloud, response, message):
    page = as_user(cloud, response)

    assert page.status_code in {401, 403}
    assert message.lower() in text_of(page, "message").lower()
    assert "You are not signed in" in cloud.http.get("/console").text


@pytest.mark.parametrize(("path", "response"), [("/saml-role/sso", Response()), ("/saml/SSO", user_response())])
def test_response_signs_in_once(cloud, path, response):
    encoded = response.encode()
    other = Cloud(cloud.clock).http

    assert post(cloud, encoded, path).status_code == 200
    again = post(cloud, encoded, path)

    assert (again.status_code, text_of(again, "message")) == (401, "The SAML assertion was used already.")
    assert "not signed in" in other.get("/console").text


def test_assertion_used_at_sts_does_not_sign_in(cloud):
    encoded = Response().encode()
    cloud.assume_with_saml(encoded)

    assert post(cloud, encoded).status_code == 401


def test_several_roles_are_offered_and_the_pick_signs_in(cloud):
    page = post(cloud, Response(attributes=roles(role_value(), role_value("ReadOnly"))))
    ticket = re.search(r'name="ticket" value="([^"]+)"', page.text)[1]

    assert re.findall(r'name="role" value="(\d)"', page.text) == ["0", "1"]
    signed_in = cloud.http.post("/saml-role/choose", data={"ticket": ticket, "role": "1"}, follow_redirects=True)

    assert text_of(signed_in, "who") == "You are ReadOnly in Acme Production"


def test_same_role_twice_is_no_choice(cloud):
    assert "You are PlatformAdmin" in post(cloud, Response(attributes=roles(role_value(), role_value()))).text


@pytest.mark.parametrize("role", ["2", "-1", "", "x", "\u0661", "99999"])
def test_pick_that_was_not_offered_is_refused(cloud, role):
    page = post(cloud, Response(attributes=roles(role_value(), role_value("ReadOnly"))))
    ticket = re.search(r'name="ticket" value="([^"]+)"', page.text)[1]

    assert cloud.http.post("/saml-role/choose", data={"ticket": ticket, "role": role}).status_code == 403


@pytest.mark.parametrize("later", [{"minutes": 5}, {}])
def test_pick_counts_once_and_for_five_minutes(cloud, later):
    page = post(cloud, Response(attributes=roles(role_value(), role_value("ReadOnly"))))
    form = {"ticket": re.search(r'name="ticket" value="([^"]+)"', page.text)[1], "role": "0"}
    if not later:
        assert cloud.http.post("/saml-role/choose", data=form).status_code == 303

    cloud.clock.advance(**later)

    assert cloud.http.post("/saml-role/choose", data=form).status_code == 401


@pytest.mark.parametrize(
    ("response", "hours", "reason"),
    [
        pytest.param(Response(), 2, "MaxSessionDuration", id="role"),
        pytest.param(
            Response(attributes=roles(role_value(), **{SESSION_DURATION: ["3600"]})), 1, "SessionDuration", id="asked"
        ),
        pytest.param(Response(session_ends_at=NOW + timedelta(minutes=30)), 0.5, "SessionNotOnOrAfter", id="provider"),
    ],
)
def test_shortest_limit_ends_the_session_and_is_named(cloud, response, hours, reason):
    page = post(cloud, response)

    assert text_of(page, "session-end").startswith(f"{NOW + timedelta(hours=hours):%Y-%m-%d %H:%M:%S}")
    assert reason in page.text
    cloud.clock.advance(hours=hours)
    assert "You are not signed in" in cloud.http.get("/console").text


def test_users_session_lasts_six_hours(cloud):
    assert text_of(as_user(cloud, user_response()), "session-end").startswith("2026-03-04 11:06:07")


def test_sign_out_ends_the_session_on_the_server(cloud):
    post(cloud, Response())
    key = cloud.http.get_cookie("sandbox_console").value

    assert cloud.http.post("/console/sign-out", follow_redirects=True).status_code == 200

    cloud.http.set_cookie("sandbox_console", key)
    assert "You are not signed in" in cloud.http.get("/console").text


def test_session_cookie_is_kept_from_scripts_and_other_sites(cloud):
    header = cloud.http.post("/saml-role/sso", data={"SAMLResponse": Response().encode()}).headers["Set-Cookie"]

    assert "HttpOnly" in header
    assert "SameSite=Lax" in header


@pytest.mark.parametrize(
    ("relay_state", "opened"),
    [
        ("https://ecs.console.aliyun.com/#/server", True),
        ("https://alibabacloud.com", True),
        ("https://home.console.alibabacloud.com:443/x?y=z", True),
        ("http://ecs.console.aliyun.com/", False),
        ("https://aliyun.com.evil.example/", False),
        ("https://evilaliyun.com/", False),
        ("https://aliyun.com@evil.example/", False),
        ("https://somebody@aliyun.com/", False),
        ("https://evil.example\\.aliyun.com/", False),
        ("https://evil.example/aliyun.com", False),
        ("https://aliyun.com:8443/", False),
        ("https://aliyun.com:x/", False),
        ("//ecs.console.aliyun.com/", False),
        ("javascript:alert(1)//aliyun.com", False),
        ("https://[aliyun.com/", False),
        ("console", False),
    ],
)
def test_relay_state_is_opened_only_on_the_vendors_domains(cloud, relay_state, opened):
    assert is_console_address(relay_state) is opened

    page = post(cloud, Response(), RelayState=relay_state)

    assert ("would open this now" in page.text) is opened
    assert ("ignored" in page.text) is not opened


@pytest.mark.parametrize("path", ["/saml-role/sso", "/saml/SSO"])
@pytest.mark.parametrize("form", [{}, {"SAMLResponse": ["a", "b"]}, {"SAMLResponse": "a", "RelayState": ["a", "b"]}])
def test_form_without_exactly_one_response_is_refused(cloud, path, form):
    assert cloud.http.post(path, data=form).status_code == 401


def test_values_of_a_response_are_text_on_the_page(cloud):
    page = post(cloud, Response(subject="&lt;script&gt;alert(1)&lt;/script&gt;"), RelayState="<img src=x>")

    assert "<script" not in page.text
    assert "<img src=x" not in page.text


@pytest.mark.parametrize("path", ["/console", "/saml-role/sso", "/nowhere", "/static/console.css"])
def test_every_page_is_protected_and_shows_no_error_of_the_server(cloud, path):
    with cloud.http.get(path) as page:
        text = page.text

    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert not re.search(r"<script|<style|\son\w+=|\sstyle=", text)


def test_pages_say_that_they_are_a_stand_in(cloud):
    for page in (cloud.http.get("/console"), post(cloud, Response()), post(cloud, "x")):
        assert "not Alibaba Cloud" in page.text


def test_start_page_lists_what_can_be_become(cloud):
    page = cloud.http.get("/", headers={"Accept": "text/html"}, follow_redirects=True)

    assert "PlatformAdmin" in page.text
    assert "Developer" in page.text


def test_provider_with_other_metadata_is_not_confused(cloud):
    """The response names the provider; whose certificate counts is decided by what is registered for it."""
    cloud.documents[METADATA_URL] = build_metadata(make_key("other"))

    assert post(cloud, Response()).status_code == 401
