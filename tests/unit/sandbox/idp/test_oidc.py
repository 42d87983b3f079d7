"""What the stand-in provider says by OpenID Connect, as joserfc and authlib read it, and what it refuses."""

import base64
import hashlib
from urllib.parse import urlencode

import pytest
import requests
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.jwk import KeySet

from bridge.sandbox.idp.sessions import MFA_CONTEXT, PASSWORD_CONTEXT
from tests.unit.sandbox.idp.parties import sign_in

VERIFIER = "v" * 43


def challenge(verifier):
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def ask(idp, rp, **changes):
    parameters = {
        "response_type": "code",
        "client_id": "rambridge",
        "redirect_uri": rp.redirect_uri,
        "scope": "openid profile email",
        "state": "state-1",
        "nonce": "nonce-1",
        "code_challenge": challenge(VERIFIER),
        "code_challenge_method": "S256",
    } | changes
    return f"{idp.url}/oidc/authorize?" + urlencode({n: v for n, v in parameters.items() if v is not None})


def get_code(idp, rp, browser, person="lin.wei", method="password", **changes):
    browser.open(ask(idp, rp, **changes))
    sign_in(browser, person, method)
    return rp.received[-1]["code"]


def redeem(idp, rp, code, auth=(), **changes):
    fields = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": rp.redirect_uri,
        "code_verifier": VERIFIER,
    } | changes
    fields = {name: value for name, value in fields.items() if value is not None}
    return requests.post(f"{idp.url}/oidc/token", fields, auth=auth or ("rambridge", idp.secret), timeout=5)


def read_claims(idp, answer):
    keys = KeySet.import_key_set(requests.get(f"{idp.url}/oidc/jwks", timeout=5).json())
    return jwt.decode(answer.json()["id_token"], keys, algorithms=["RS256"])


# ── What it says ─────────────────────────────────────────────────────────────────────────────────────────────


def test_discovery_names_addresses_below_the_issuer_and_promises_iss(idp):
    document = requests.get(f"{idp.url}/.well-known/openid-configuration", timeout=5).json()
    assert document["issuer"] == idp.url
    assert document["authorization_response_iss_parameter_supported"] is True
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert requests.get(document["jwks_uri"], timeout=5).status_code == 200
    assert requests.post(document["token_endpoint"], timeout=5).status_code == 401


def test_key_set_has_no_private_part(idp):
    (key,) = requests.get(f"{idp.url}/oidc/jwks", timeout=5).json()["keys"]
    assert set(key) == {"kty", "n", "e", "kid", "use", "alg"}


def test_code_is_traded_for_an_id_token_that_says_who_signed_in(idp, rp, browser):
    answer = redeem(idp, rp, get_code(idp, rp, browser, method="security-key"))
    assert answer.headers["Cache-Control"] == "no-store"
    token = read_claims(idp, answer)
    now = int(idp.clock.now().timestamp())
    changing = {name: token.claims.pop(name) for name in ("sub", "sid", "jti", "at_hash")}
    assert token.header["typ"] == "JWT"
    assert token.claims == {
        "iss": idp.url,
        "aud": "rambridge",
        "iat": now,
        "exp": now + 300,
        "auth_time": now,
        "nonce": "nonce-1",
        "acr": MFA_CONTEXT,
        "amr": ["pwd", "hwk"],
        "name": "林薇",
        "preferred_username": "lin.wei",
        "department": "Platform",
        "title": "Engineer",
        "groups": ["platform", "平台 <admins> & co"],
        "email": "lin.wei@acme.example",
        "email_verified": True,
    }
    digest = hashlib.sha256(answer.json()["access_token"].encode()).digest()
    assert changing["at_hash"] == base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()
    assert len(changing["sub"]) == 32
    assert changing["sid"].startswith("_")


def test_password_sign_in_is_called_one_factor(idp, rp, browser):
    claims = read_claims(idp, redeem(idp, rp, get_code(idp, rp, browser))).claims
    assert (claims["acr"], claims["amr"]) == (PASSWORD_CONTEXT, ["pwd"])


def test_callback_carries_state_and_issuer(idp, rp, browser):
    get_code(idp, rp, browser)
    arrived = rp.received[-1]
    assert (arrived["state"], arrived["iss"], arrived["path"]) == ("state-1", idp.url, "/callback")
    assert arrived["Sec-Fetch-Site"] == "cross-site"


def test_openid_scope_alone_tells_no_more_than_the_subject(idp, rp, browser):
    claims = read_claims(idp, redeem(idp, rp, get_code(idp, rp, browser, scope="openid", nonce=None))).claims
    assert {"email", "name", "groups", "nonce"}.isdisjoint(claims)
    assert claims["sub"]


def test_authlib_signs_in_with_client_secret_post(idp, rp, browser):
    client = OAuth2Session(
        "rambridge",
        idp.secret,
        token_endpoint_auth_method="client_secret_post",
        scope="openid email",
        redirect_uri=rp.redirect_uri,
        code_challenge_method="S256",
    )
    url, _ = client.create_authorization_url(f"{idp.url}/oidc/authorize", code_verifier=VERIFIER, nonce="n")
    browser.open(url)
    sign_in(browser, "lin.wei")
    token = client.fetch_token(f"{idp.url}/oidc/token", code=rp.received[-1]["code"], code_verifier=VERIFIER)
    client.close()
    assert token["token_type"] == "Bearer"
    assert token["id_token"]


def test_tile_asks_the_client_to_begin(idp, rp, browser):
    browser.open(idp.url)
    sign_in(browser, "lin.wei")
    browser.click("OpenID")
    arrived = rp.received[-1]
    assert arrived["path"] == "/initiate"
    assert (arrived["iss"], arrived["login_hint"]) == (idp.url, "lin.wei@acme.example")


def test_login_hint_fills_the_user_name_in(idp, rp, browser):
    page = browser.open(ask(idp, rp, login_hint="lin.wei@acme.example"))
    assert page.forms[0].fields["user_name"] == "lin.wei@acme.example"
    assert browser.submit("Sign in").title == "Arrived"


def test_post_request_from_another_site_finds_the_session(idp, rp, browser):
    browser.open(idp.url)
    sign_in(browser, "lin.wei")
    address, _, query = ask(idp, rp).partition("?")
    answer = requests.post(
        address, query, headers={"Content-Type": "application/x-www-form-urlencoded"}, allow_redirects=False, timeout=5
    )
    browser.open(idp.url + answer.headers["Location"])
    assert rp.received[-1]["code"]


# ── Prompts and ages ─────────────────────────────────────────────────────────────────────────────────────────


def test_prompt_none_without_session_is_answered_with_login_required(idp, rp, browser):
    browser.open(ask(idp, rp, prompt="none"))
    assert rp.received[-1]["error"] == "login_required"
    assert rp.received[-1]["state"] == "state-1"
    assert rp.received[-1]["iss"] == idp.url


@pytest.mark.parametrize(
    ("parameters", "asked_again"),
    [
        pytest.param({}, False, id="nothing-special"),
        pytest.param({"prompt": "none"}, False, id="none"),
        pytest.param({"prompt": "login"}, True, id="login"),
        pytest.param({"prompt": "select_account"}, True, id="select-account"),
        pytest.param({"max_age": "60"}, False, id="young-enough"),
        pytest.param({"max_age": "59"}, True, id="too-old"),
    ],
)
def test_signed_in_person_is_asked_again_only_on_demand(idp, rp, browser, parameters, asked_again):
    browser.open(idp.url)
    sign_in(browser, "lin.wei")
    idp.clock.advance(seconds=60)
    page = browser.open(ask(idp, rp, **parameters))
    assert page.title.startswith("Sign in") is asked_again
    if asked_again:
        sign_in(browser, "lin.wei")
    claims = read_claims(idp, redeem(idp, rp, rp.received[-1]["code"])).claims
    assert claims["auth_time"] == claims["iat"] - (0 if asked_again else 60)


def test_declining_is_answered_with_access_denied(idp, rp, browser):
    browser.open(ask(idp, rp))
    browser.click("Do not sign in, go back to Relying Party")
    assert rp.received[-1]["error"] == "access_denied"


# ── Authorization requests that it refuses ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "redirect_uri",
    [
        pytest.param("{}/", id="slash"),
        pytest.param("{}x", id="suffix"),
        pytest.param("{}?a=b", id="query"),
        pytest.param("{}#a", id="fragment"),
        pytest.param("{}/../callback", id="dots"),
        pytest.param("{}%2e", id="encoded"),
        pytest.param(" {}", id="blank"),
        pytest.param("https://evil.example/callback", id="foreign"),
        pytest.param("", id="empty"),
        pytest.param(None, id="absent"),
    ],
)
def test_almost_the_redirect_uri_gets_a_page_and_no_redirect(idp, rp, redirect_uri):
    url = ask(idp, rp, redirect_uri=redirect_uri and redirect_uri.format(rp.redirect_uri))
    answer = requests.get(url, allow_redirects=False, timeout=5)
    assert (answer.status_code, "idp_redirect_uri" in answer.text) == (400, True)


def test_upper_case_redirect_uri_is_another_one(idp, rp):
    answer = requests.get(ask(idp, rp, redirect_uri=rp.redirect_uri.upper()), allow_redirects=False, timeout=5)
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("suffix", "code"),
    [
        pytest.param("&client_id=rambridge", "idp_parameter_twice", id="client-twice"),
        pytest.param("&redirect_uri=https://evil.example", "idp_parameter_twice", id="redirect-twice"),
        pytest.param("&state=other", "idp_parameter_twice", id="state-twice"),
    ],
)
def test_repeated_parameter_gets_a_page(idp, rp, suffix, code):
    answer = requests.get(ask(idp, rp) + suffix, allow_redirects=False, timeout=5)
    assert (answer.status_code, code in answer.text) == (400, True)


def test_unknown_client_gets_a_page(idp, rp):
    answer = requests.get(ask(idp, rp, client_id="stranger"), allow_redirects=False, timeout=5)
    assert (answer.status_code, "idp_client" in answer.text) == (400, True)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"response_type": "token"}, "unsupported_response_type", id="implicit"),
        pytest.param({"response_type": "code id_token"}, "unsupported_response_type", id="hybrid"),
        pytest.param({"response_type": None}, "unsupported_response_type", id="no-response-type"),
        pytest.param({"response_mode": "fragment"}, "invalid_request", id="fragment"),
        pytest.param({"scope": "profile"}, "invalid_scope", id="no-openid"),
        pytest.param({"code_challenge": None, "code_challenge_method": None}, "invalid_request", id="no-pkce"),
        pytest.param({"code_challenge_method": None}, "invalid_request", id="pkce-default"),
        pytest.param({"code_challenge_method": "plain"}, "invalid_request", id="pkce-plain"),
        pytest.param({"code_challenge": "short"}, "invalid_request", id="pkce-short"),
        pytest.param({"code_challenge": challenge(VERIFIER) + "\n"}, "invalid_request", id="pkce-newline"),
        pytest.param({"prompt": "none login"}, "invalid_request", id="prompt-none-and-more"),
        pytest.param({"prompt": "maybe"}, "invalid_request", id="prompt-unknown"),
        pytest.param({"max_age": "-1"}, "invalid_request", id="negative-age"),
        pytest.param({"max_age": "٣"}, "invalid_request", id="other-digits"),
        pytest.param({"request": "e30."}, "request_not_supported", id="request-object"),
        pytest.param({"request_uri": "https://x.example"}, "request_uri_not_supported", id="request-uri"),
    ],
)
def test_client_is_told_what_is_wrong_with_its_request(idp, rp, browser, changes, error):
    browser.open(ask(idp, rp, **changes))
    arrived = rp.received[-1]
    assert (arrived["error"], arrived["state"], arrived["iss"]) == (error, "state-1", idp.url)
    assert "code" not in arrived


# ── Token requests that it refuses ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"code_verifier": "w" * 43}, id="other-verifier"),
        pytest.param({"code_verifier": challenge(VERIFIER)}, id="challenge-as-verifier"),
        pytest.param({"code_verifier": None}, id="no-verifier"),
        pytest.param({"code_verifier": ""}, id="empty-verifier"),
        pytest.param({"redirect_uri": "http://localhost/"}, id="other-redirect-uri"),
        pytest.param({"redirect_uri": None}, id="no-redirect-uri"),
    ],
)
def test_code_with_something_wrong_beside_it_is_refused_and_used_up(idp, rp, browser, changes):
    code = get_code(idp, rp, browser)
    answer = redeem(idp, rp, code, **changes)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert redeem(idp, rp, code).json()["error"] == "invalid_grant"


def test_code_works_once(idp, rp, browser):
    code = get_code(idp, rp, browser)
    assert redeem(idp, rp, code).status_code == 200
    assert redeem(idp, rp, code).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(("age", "status"), [(59, 200), (60, 400)], ids=["just-in-time", "too-late"])
def test_code_lives_for_a_minute(idp, rp, browser, age, status):
    code = get_code(idp, rp, browser)
    idp.clock.advance(seconds=age)
    assert redeem(idp, rp, code).status_code == status


def test_code_of_another_client_is_refused(idp, rp, browser, tmp_path):
    code = get_code(idp, rp, browser)
    secret = (tmp_path / "another-secret").read_text()
    answer = redeem(idp, rp, code, auth=("another", secret))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize(
    "auth",
    [("rambridge", "guess"), ("rambridge", ""), ("stranger", ""), ("", "")],
    ids=["wrong", "empty", "unknown", "nobody"],
)
def test_wrong_client_secret_is_refused_and_burns_nothing(idp, rp, browser, auth):
    code = get_code(idp, rp, browser)
    answer = redeem(idp, rp, code, auth=auth)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert answer.headers["WWW-Authenticate"].startswith("Basic")
    assert redeem(idp, rp, code).status_code == 200


@pytest.mark.parametrize("header", ["Basic", "Basic !", "Bearer cmFtYnJpZGdlOng=", "Basic cmFtYnJpZGdl"])
def test_malformed_authorization_header_is_refused(idp, header):
    answer = requests.post(f"{idp.url}/oidc/token", headers={"Authorization": header}, timeout=5)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_two_ways_to_authenticate_at_once_are_refused(idp, rp, browser):
    answer = redeem(idp, rp, get_code(idp, rp, browser), client_secret=idp.secret)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_other_grant_types_are_refused(idp, rp, browser):
    answer = redeem(idp, rp, get_code(idp, rp, browser), grant_type="password")
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


def test_question_of_the_other_protocol_is_not_answered(idp, rp, browser):
    page = browser.open(ask(idp, rp))
    handle = page.url.partition("request=")[2]
    assert requests.get(f"{idp.url}/saml/answer/{handle}", timeout=5).status_code == 400
