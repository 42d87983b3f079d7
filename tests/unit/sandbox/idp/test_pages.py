"""What a person can do at the stand-in provider, and what another site cannot do for them."""

import pytest
import requests

from tests.unit.sandbox.idp.parties import sign_in


def test_portal_shows_every_tile_and_what_applications_are_told(idp, browser):
    browser.open(idp.url)
    page = sign_in(browser, "lin.wei", "security-key")
    assert page.url == f"{idp.url}/"
    assert {"Cloud", "Absent"} <= {button.text for form in page.forms for button in form.buttons}
    assert {"There", "OpenID"} <= {link.text for link in page.links}
    assert "平台 <admins> & co" in page.text()
    assert "password + security key" in page.text()


def test_picking_somebody_from_the_list_signs_in_at_once(idp, browser):
    browser.open(idp.url)
    page = browser.submit("林薇, Engineer, Platform, has a security key", method="security-key")
    assert "lin.wei@acme.example" in page.text()


def test_mail_address_is_a_user_name(idp, browser):
    browser.open(idp.url)
    assert "Jonas Lindqvist" in sign_in(browser, "jonas@acme.example").text()


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"user_name": "nobody"}, "There is nobody of this name here."),
        ({"user_name": ""}, "There is nobody of this name here."),
        ({"user_name": "jonas", "password": ""}, "Type a password; any will do."),
        (
            {"user_name": "jonas", "method": "security-key"},
            "Jonas Lindqvist has no security key. Choose “Password only”.",
        ),
    ],
    ids=["unknown", "empty", "no-password", "no-key"],
)
def test_sign_in_that_cannot_be_says_why(idp, browser, fields, sentence):
    browser.open(idp.url)
    page = browser.submit("Sign in", **fields)
    assert (page.status, sentence in page.text()) == (422, True)
    assert "acme_idp" not in browser.cookies


def test_sign_out_ends_the_session_and_not_only_the_cookie(idp, browser):
    browser.open(idp.url)
    sign_in(browser, "jonas")
    stolen = {"acme_idp": browser.cookies["acme_idp"]}
    assert "Jonas" in requests.get(idp.url, cookies=stolen, timeout=5).text
    assert browser.click("Sign out").title.startswith("Signed out")
    assert requests.get(idp.url, cookies=stolen, allow_redirects=False, timeout=5).status_code == 302


def test_new_sign_in_gets_a_new_cookie_and_ends_the_old_session(idp, browser):
    browser.open(idp.url)
    sign_in(browser, "jonas")
    old = browser.cookies["acme_idp"]
    browser.open(f"{idp.url}/sign-in")
    sign_in(browser, "lin.wei")
    assert browser.cookies["acme_idp"] != old
    answer = requests.get(idp.url, cookies={"acme_idp": old}, allow_redirects=False, timeout=5)
    assert answer.status_code == 302


def test_session_ends_after_eight_hours(idp, browser):
    browser.open(idp.url)
    sign_in(browser, "jonas")
    idp.clock.advance(hours=8)
    assert browser.open(idp.url).title.startswith("Sign in")


def test_cookie_is_not_for_scripts_or_other_sites(idp):
    fields = {"person": "jonas", "method": "password"}
    answer = requests.post(f"{idp.url}/sign-in", fields, headers={"Origin": idp.url}, allow_redirects=False, timeout=5)
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(answer.headers["Set-Cookie"].split("; "))


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out"])
@pytest.mark.parametrize(
    "headers",
    [{}, {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}],
    ids=["neither", "other-origin", "no-origin", "cross-site"],
)
def test_other_site_cannot_submit_our_forms(idp, path, headers):
    fields = {"person": "jonas", "method": "password"}
    answer = requests.post(idp.url + path, fields, headers=headers, timeout=5)
    assert (answer.status_code, "Set-Cookie" in answer.headers) == (403, False)


@pytest.mark.parametrize("path", ["/sign-in", "/nowhere", "/saml/sso", "/oidc/authorize"])
def test_every_page_forbids_inline_script_framing_and_caching(idp, path):
    headers = requests.get(idp.url + path, timeout=5).headers
    policy = dict(part.partition(" ")[::2] for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert headers["Cache-Control"] == "no-store"


def test_sign_in_page_may_lead_to_the_clients_it_redirects_to(idp, rp):
    policy = requests.get(f"{idp.url}/sign-in", timeout=5).headers["Content-Security-Policy"]
    assert f"form-action 'self' {rp.url};" in policy


def test_page_of_a_forgotten_question_says_so(idp):
    answer = requests.get(f"{idp.url}/sign-in?request=unknown", timeout=5)
    assert (answer.status_code, "idp_question_over" in answer.text) == (400, True)


def test_other_host_name_is_led_to_the_right_one_or_refused(idp):
    other = idp.url.replace("127.0.0.1", "localhost")
    answer = requests.get(other + "/", allow_redirects=False, timeout=5)
    assert (answer.status_code, answer.headers["Location"]) == (302, idp.url + "/")
    assert requests.get(other + "/sign-in", timeout=5).status_code == 421


def test_request_that_is_too_large_is_refused(idp):
    answer = requests.post(f"{idp.url}/saml/sso", {"SAMLRequest": "A" * 600_000}, timeout=5)
    assert (answer.status_code, "http_413" in answer.text) == (413, True)
