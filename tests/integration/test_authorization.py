"""The bridge as authorization server for its own command, over real HTTP, from the browser to API v1."""

from urllib.parse import urlsplit

import pytest
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata

from tests.integration.program import CLIENT, listening, signed_in


def events(installation):
    return [record["event"] for record in installation.records()]


@pytest.fixture
def program(installation):
    with listening(installation.bridge) as program:
        yield program


@pytest.fixture(scope="module")
def browser(running):
    return running[0].sign_in()


def test_from_the_browser_to_api_v1(installation, program, browser):
    page = browser.open(program.question())
    assert "Did you start the rambridge command?" in page.text()
    assert urlsplit(program.redirect_uri).netloc in page.text()
    assert program.answers == []  # looking is not allowing
    assert browser.submit("/oauth/allow").title == "Back in the terminal"
    [answer] = program.answers
    assert set(answer) == {"code", "state", "iss"}
    assert answer["state"] == program.state
    assert answer["iss"] == installation.bridge
    tokens = program.redeem()
    assert tokens.status_code == 200
    assert tokens.headers["Cache-Control"] == "no-store"
    assert set(tokens.json()) == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert tokens.json()["token_type"] == "Bearer"
    assert tokens.json()["expires_in"] == 900
    session = program.session()
    assert session.status_code == 200
    assert session.json()["entitlements"]
    assert session.json() == program.call("GET", "/api/v1/session").json()
    assert events(installation)[-2:] == ["authorization.granted", "terminal.opened"]


def test_without_a_session_one_signs_in_first_and_comes_back(installation, program):
    browser = installation.browser_at_idp()
    program.state = "s" * 128
    assert "/sign-in" in browser.open(program.question()).url
    browser.click("A Acme")
    installation.go_on(browser)
    assert browser.page.url == program.question()
    browser.submit("/oauth/allow")
    assert program.answers[0]["state"] == program.state


def test_what_is_refused_in_the_browser_is_told_to_the_program(installation, program, browser):
    browser.open(program.question())
    browser.submit("This is not mine")
    assert program.answers == [{"error": "access_denied", "state": program.state, "iss": installation.bridge}]
    assert events(installation)[-1] == "authorization.refused"


def test_the_metadata_are_valid_and_authlibs_client_signs_in_by_them(installation, program, browser):
    session = OAuth2Session(
        CLIENT,
        redirect_uri=program.redirect_uri,
        code_challenge_method="S256",
        token_endpoint_auth_method="none",
    )
    metadata = session.get(f"{installation.bridge}/.well-known/oauth-authorization-server", withhold_token=True).json()
    assert metadata["issuer"] == installation.bridge
    checked = AuthorizationServerMetadata(metadata)
    for name in ("response_types_supported", "grant_types_supported", "code_challenge_methods_supported"):
        getattr(checked, f"validate_{name}")()
    url, _ = session.create_authorization_url(metadata["authorization_endpoint"], code_verifier=program.verifier)
    browser.open(url)
    browser.submit("/oauth/allow")
    came_back = f"{program.redirect_uri}?" + "&".join(f"{name}={value}" for name, value in program.answers[0].items())
    session.fetch_token(metadata["token_endpoint"], authorization_response=came_back, code_verifier=program.verifier)
    assert session.get(f"{installation.bridge}/api/v1/session").json()["subject"]
    session.refresh_token(metadata["token_endpoint"])
    assert session.get(f"{installation.bridge}/api/v1/session").status_code == 200


def test_a_refresh_token_gets_the_next_pair(installation, browser):
    with signed_in(installation, browser) as program:
        first = dict(program.tokens)
        assert program.refresh().status_code == 200
        assert program.tokens["refresh_token"] != first["refresh_token"]
        assert program.session().status_code == 200
        assert program.refresh().status_code == 200


def test_signing_out_in_the_browser_ends_the_grant(installation):
    browser = installation.sign_in("zhang.min")
    with signed_in(installation, browser) as program:
        browser.open(installation.bridge)
        browser.submit("/sign-out")
        answer = program.session()
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
        assert answer.json()["code"] == "access_token_unknown"
        assert program.refresh().json()["error"] == "invalid_grant"


def test_an_answer_goes_to_ipv6_loopback_as_well(installation, browser):
    with listening(installation.bridge) as program:
        program.redirect_uri = "http://[::1]:54321/callback"
        page = browser.open(program.question())
        assert page.status == 200
        assert "form-action 'self' http:;" in page.headers["Content-Security-Policy"]


def test_a_request_that_may_not_be_put_goes_back_to_the_program(installation, program, browser):
    for changes, error in (
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"resource": "https://other.example.com/api"}, "invalid_target"),
        ({"request": "eyJhbGciOiJub25lIn0.e30."}, "invalid_request"),
    ):
        browser.open(program.question(**changes))
        assert program.answers.pop()["error"] == error
