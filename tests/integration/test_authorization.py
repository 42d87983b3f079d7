"""The bridge as authorization server for its own command, over real HTTP, from the browser to API v1."""

import json
from urllib.parse import urlencode, urlsplit

import pytest
import requests
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


def test_the_api_says_whom_to_ask_and_how_sensitive_a_role_is(installation, browser):
    with signed_in(installation, browser) as program:
        said = {
            (each["account"], each["name"]): (each["owner"], each["sensitivity"])
            for each in program.session().json()["entitlements"]
        }
    assert said["acme-production", "ReadOnly"] == ("Platform team", "medium")  # the rule's word goes first
    assert said["acme-production", "PlatformAdmin"] == ("Platform team", "high")


def test_no_code_token_or_proof_is_in_a_log_or_a_record(installation, browser, caplog):
    """T-WEB-13."""
    caplog.set_level("DEBUG", logger="bridge")
    with signed_in(installation, browser) as program:
        first = dict(program.tokens)
        program.session()
        program.refresh()
        program.redeem()
        logged = [entry.getMessage() for entry in caplog.records if entry.name.startswith("bridge")]
        kept = "".join(logged) + json.dumps(installation.records())
        secrets = [first["access_token"], first["refresh_token"], *program.tokens.values(), program.answers[0]["code"]]
        for secret in (*[each for each in secrets if len(str(each)) > 20], program.verifier):
            assert secret not in kept
        assert "oauth_code_reused" in kept


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


def test_a_pushed_request_is_asked_about_by_its_reference_once(installation, program, browser):
    pushed = program.push()
    assert pushed.status_code == 201
    assert set(pushed.json()) == {"request_uri", "expires_in"}
    address = f"{installation.bridge}/oauth/authorize?{urlencode({'client_id': CLIENT} | pushed.json())}"
    browser.open(address)
    assert browser.open(address).status == 200  # looking uses nothing up
    browser.submit("/oauth/allow")
    assert program.redeem().status_code == 200
    assert browser.open(address).status == 400
    assert program.push(code_challenge_method="plain").json()["error"] == "invalid_request"
    assert program.push(redirect_uri="https://evil.example/callback").json()["code"] == "oauth_redirect_uri"


def test_a_program_without_a_browser_shows_a_code(installation, program, browser):
    started = program.start_device()
    assert started.status_code == 200
    assert set(started.json()) == {
        *["device_code", "user_code", "verification_uri", "verification_uri_complete", "expires_in", "interval"]
    }
    assert program.poll().json()["error"] == "authorization_pending"
    assert program.poll().json()["error"] == "slow_down"
    page = browser.open(program.device["verification_uri_complete"])
    assert program.device["user_code"] in page.text()
    browser.submit("/device/allow")
    assert program.poll().status_code == 200
    assert program.session().status_code == 200
    assert program.refresh().status_code == 200
    assert program.poll().json()["error"] == "expired_token"
    assert events(installation)[-2:] == ["device.authorized", "terminal.opened"]


def test_a_program_that_was_refused_is_told_so(program, browser):
    program.start_device()
    browser.open(program.device["verification_uri_complete"])
    browser.submit("This is not mine")
    assert program.poll().json()["error"] == "access_denied"


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_revoking_a_token_ends_its_grant_and_no_other(installation, browser, kind):
    with signed_in(installation, browser) as program, signed_in(installation, browser) as other:
        assert program.revoke("no token at all").status_code == 200
        assert program.session().status_code == 200
        assert program.revoke(program.tokens[kind]).status_code == 200
        assert program.session().status_code == 401
        assert program.refresh().json()["error"] == "invalid_grant"
        assert other.session().status_code == 200
        assert events(installation)[-1] == "session.ended"


def test_credentials_by_token_are_those_of_the_button(installation, browser):
    with signed_in(installation, browser) as program:
        [role] = [each for each in program.session().json()["entitlements"] if each["name"] == "Developer"]
        answer = program.call(
            "POST", "/api/v1/credentials", json={"entitlement": role["id"], "duration_seconds": 900.0}
        )
        assert answer.status_code == 200
        credentials = answer.json()
        assert credentials["access_key_id"].startswith("STS.")
        assert credentials["account_id"] == role["account_id"]
        assert credentials["role"] == "Developer"
        assert credentials["duration"]["seconds"] == 900
        assert credentials["duration"]["decided_by"] == "asked"
        last = installation.records()[-3:]
        assert [record["event"] for record in last] == ["choice.made", "exchange.issued", "delivery.credentials"]
        assert last[0]["purpose"] == "terminal"
        refused = program.call("POST", "/api/v1/credentials", json={"entitlement": "nobody"})
        assert (refused.status_code, refused.json()["code"]) == (403, "not_entitled")
        assert events(installation)[-1] == "choice.refused"
        for body in (
            {},
            {"entitlement": role["id"], "more": 1},
            {"entitlement": role["id"], "duration_seconds": "900"},
            {"entitlement": role["id"], "duration_seconds": 900.5},
            {"entitlement": role["id"], "duration_seconds": 899},
            {"entitlement": role["id"], "duration_seconds": True},
        ):
            assert program.call("POST", "/api/v1/credentials", json=body).status_code == 400


def test_a_person_sees_and_ends_their_own_sessions_and_nobody_elses(installation):
    browser, stranger = installation.sign_in("zhang.min"), installation.sign_in("siobhan.oneill")
    with signed_in(installation, browser) as program, signed_in(installation, stranger) as other:
        listed = program.call("GET", "/api/v1/sessions").json()["sessions"]
        [own] = [each for each in listed if each["current"]]
        assert (own["kind"], own["program"], own["opened_from"]) == ("terminal", CLIENT, "127.0.0.1")
        foreign = other.call("GET", "/api/v1/sessions").json()["sessions"][0]["id"]
        assert foreign not in {each["id"] for each in listed}
        assert program.call("DELETE", f"/api/v1/sessions/{foreign}").status_code == 404
        assert other.session().status_code == 200
        browsers = [each["id"] for each in listed if each["kind"] == "browser"]
        assert program.call("DELETE", f"/api/v1/sessions/{browsers[0]}").status_code == 204
        assert browser.open(installation.bridge).url.startswith(installation.idp)
        assert program.call("POST", "/api/v1/logout").status_code == 204
        assert program.session().status_code == 401
        assert other.session().status_code == 200


def test_a_page_of_ours_calls_with_its_session_and_its_token(installation):
    browser = installation.sign_in("siobhan.oneill")
    forms = browser.open(installation.bridge).forms
    token = next(form.fields["csrf_token"] for form in forms if "csrf_token" in form.fields)
    cookie = {"Cookie": f"__Host-rambridge={browser.cookies.get('__Host-rambridge')}"}
    ours = cookie | {"Origin": installation.bridge, "X-CSRF-Token": token}
    address = f"{installation.bridge}/api/v1/logout"
    for headers in (cookie, cookie | {"Origin": installation.bridge}, ours | {"Sec-Fetch-Site": "cross-site"}):
        assert requests.post(address, headers=headers, timeout=60).status_code == 403
    assert requests.get(f"{installation.bridge}/api/v1/sessions", headers=cookie, timeout=60).status_code == 200
    assert requests.post(address, headers=ours, timeout=60).status_code == 204
    assert requests.get(f"{installation.bridge}/api/v1/session", headers=cookie, timeout=60).status_code == 401
