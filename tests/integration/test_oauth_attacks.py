"""What RFC 9700 says that attackers do to an authorization server, each with the same thing done right."""

import http.client
import json
import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
import requests

from bridge.authorization.client import CLIENT_ID
from bridge.keys import KeyFolder
from bridge.portal_protocol.opening import TerminalOpening
from bridge.sealing import Sealer
from bridge.sessions.store import session_key
from bridge.sessions.tickets import Tickets
from tests.integration.program import challenge_of, listening, signed_in


def events(installation, count):
    return [record["event"] for record in installation.records()[-count:]]


@pytest.fixture(scope="module")
def browser(running):
    return running[0].sign_in()


@pytest.fixture
def program(installation):
    with listening(installation.bridge) as program:
        yield program


@pytest.fixture
def answered(program, browser):
    """Return a program whose browser has brought a code."""
    browser.open(program.question())
    browser.submit("/oauth/allow")
    return program


def refuse(answer, error, code):
    assert answer.status_code == 400
    assert (answer.json()["error"], answer.json()["code"]) == (error, code)
    assert set(answer.json()) == {"error", "error_description", "message", "code", "reference"}


# ── where an answer may go (RFC 9700 4.1, 4.11) ──────────────────────────────────────────────────────────────

NEAR_MISSES = [
    "http://127.0.0.1:54321/callback/",
    "http://127.0.0.1:54321/Callback",
    "http://127.0.0.1:54321/callback?next=1",
    "http://127.0.0.1:54321/callback#fragment",
    "http://127.0.0.1:54321/callback#",
    "http://127.0.0.1:54321/../callback",
    "http://127.0.0.1:54321//callback",
    "http://127.0.0.1:54321/%63allback",
    "http://127.0.0.1:54321\\@evil.example/callback",
    "http://user@127.0.0.1:54321/callback",
    "http://127.0.0.1:54321@evil.example/callback",
    "http://127.0.0.1.evil.example:54321/callback",
    "http://evil.example:54321/callback",
    "http://localhost:54321/callback",
    "http://127.1:54321/callback",
    "http://2130706433:54321/callback",
    "http://0177.0.0.1:54321/callback",
    "http://127.0.0.2:54321/callback",
    "http://[::ffff:127.0.0.1]:54321/callback",
    "http://[0:0:0:0:0:0:0:1]:54321/callback",
    "http://[::1%25lo]:54321/callback",
    "https://127.0.0.1:54321/callback",
    "HTTP://127.0.0.1:54321/callback",
    "http:127.0.0.1:54321/callback",
    "//127.0.0.1:54321/callback",
    "javascript://127.0.0.1:54321/callback",
    "http://127.0.0.1/callback",
    "http://127.0.0.1:/callback",
    "http://127.0.0.1:0/callback",
    "http://127.0.0.1:00080/callback",
    "http://127.0.0.1:65536/callback",
    "http://127.0.0.1:+5432/callback",
    "http://127.0.0.1:٥٤٣٢١/callback",
    " http://127.0.0.1:54321/callback",
    "http://127.0.0.1:54321/callback\n",
    "http://127.0.0.1:54321/callback\x00",
    "http://127.0.0.1%3A54321/callback",
    "",
]


def test_t_out_07_nobody_is_sent_to_an_address_that_only_looks_like_ours(installation, program, browser):
    for address in NEAR_MISSES:
        page = browser.open(program.question(redirect_uri=address))
        assert (address, page.status) == (address, 400)
        assert page.url.startswith(installation.bridge)
        assert "oauth_redirect_uri" in page.text()
        assert program.push(redirect_uri=address).json()["code"] == "oauth_redirect_uri"
    for address in ("http://127.0.0.1:1/callback", "http://127.0.0.1:65535/callback", "http://[::1]:80/callback"):
        assert browser.open(program.question(redirect_uri=address)).status == 200


def test_t_out_07_another_client_is_sent_nowhere_and_told_nothing(program, browser):
    for client in ("another", "RAMBRIDGE-CLI", "rambridge-cli ", "", None):
        assert browser.open(program.question(client_id=client)).status == 400
    assert program.answers == []
    refuse(program.push(client_id="another"), "invalid_client", "oauth_client")
    assert browser.open(program.question()).status == 200


def test_t_out_07_a_parameter_that_comes_twice_is_not_chosen_from(program, browser):
    for name, value in (("redirect_uri", "http://127.0.0.1:1/callback"), ("state", "x"), ("client_id", "x")):
        assert browser.open(f"{program.question()}&{urlencode({name: value})}").status == 400
    twice = f"grant_type=authorization_code&client_id={CLIENT_ID}&code=a&code=b"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    refuse(program.post("/oauth/token", twice, headers=headers), "invalid_request", "bad_parameter")


# ── codes (RFC 9700 2.1.1, 4.5, 4.8; OUT-05) ─────────────────────────────────────────────────────────────────


def test_t_out_05_a_code_is_good_for_one_use_and_a_second_one_ends_what_it_gave(installation, answered):
    assert answered.redeem().status_code == 200
    assert answered.session().status_code == 200
    tokens = dict(answered.tokens)
    refuse(answered.redeem(), "invalid_grant", "oauth_code_reused")
    assert answered.session(tokens["access_token"]).status_code == 401
    refuse(answered.refresh(tokens["refresh_token"]), "invalid_grant", "oauth_refresh_token")
    assert events(installation, 3) == ["terminal.opened", "session.ended", "grant.refused"]


def test_t_out_05_of_many_who_show_one_code_at_once_none_keeps_anything(answered):
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: answered.redeem(), range(6)))
    given = [answer.json()["access_token"] for answer in answers if answer.status_code == 200]
    assert len(given) <= 1
    assert all(answered.session(token).status_code == 401 for token in given)


def test_t_out_05_a_code_that_was_stolen_gives_nothing_without_the_proof_and_is_used_up(installation, answered):
    """Code injection and theft (RFC 9700 4.5)."""
    stolen = answered.answers[0]["code"]
    refuse(answered.redeem(stolen, code_verifier=secrets.token_urlsafe(48)), "invalid_grant", "oauth_code")
    assert events(installation, 1) == ["grant.refused"]
    refuse(answered.redeem(stolen), "invalid_grant", "oauth_code_reused")


def test_t_out_05_a_code_that_is_shown_again_while_it_is_redeemed_gives_nothing(answered, monkeypatch):
    opening, second = TerminalOpening.open, []

    def open_slowly(self, *arguments):
        opened = opening(self, *arguments)
        monkeypatch.undo()
        second.append(answered.redeem())
        return opened

    monkeypatch.setattr(TerminalOpening, "open", open_slowly)
    refuse(answered.redeem(), "invalid_grant", "oauth_code_reused")
    refuse(second[0], "invalid_grant", "oauth_code_reused")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"code_verifier": ""}, "oauth_code"),
        ({"code_verifier": "A" * 42}, "oauth_code"),
        ({"redirect_uri": "http://127.0.0.1:1/callback"}, "oauth_code"),
        ({"redirect_uri": ""}, "oauth_code"),
    ],
)
def test_t_out_05_a_code_is_bound_to_proof_and_address(answered, change, code):
    refuse(answered.redeem(**change), "invalid_grant", code)


def test_t_out_05_the_challenge_itself_is_no_proof(answered):
    refuse(answered.redeem(code_verifier=challenge_of(answered.verifier)), "invalid_grant", "oauth_code")


@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge": None},
        {"code_challenge_method": None},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": "s256"},
        {"code_challenge": "A" * 42},
        {"code_challenge": "A" * 44},
        {"code_challenge": "A" * 42 + "="},
    ],
)
def test_t_out_05_pkce_cannot_be_left_out_or_made_weaker(program, browser, changes):
    """PKCE downgrade (RFC 9700 4.8.2)."""
    browser.open(program.question(**changes))
    assert program.answers[0]["error"] == "invalid_request"
    assert "code" not in program.answers[0]


def test_t_out_05_a_code_of_an_answer_to_an_older_question_is_worth_nothing_to_a_later_one(answered):
    """A replayed state: the code that comes with it belongs to the old proof."""
    with listening(answered.url) as later:
        later.state, later.redirect_uri = answered.state, answered.redirect_uri
        refuse(later.redeem(answered.answers[0]["code"]), "invalid_grant", "oauth_code")


def open_tickets(installation):
    """Return what reads and writes tickets, as only whoever has our keys can."""
    return Tickets(Sealer(*KeyFolder(installation.folder / "certs").sealing_keys()))


def test_t_out_05_a_code_ends_after_a_minute_and_is_of_one_client(installation, program, browser):
    here = session_key(browser.cookies.get("__Host-rambridge"))

    def code(client=CLIENT_ID, seconds=60, session=here):
        values = [secrets.token_urlsafe(8), client, program.redirect_uri, challenge_of(program.verifier), session]
        ends_at = datetime.now(UTC) + timedelta(seconds=seconds)
        return open_tickets(installation).write("authorization-code", values, ends_at)

    refuse(program.redeem(code(seconds=0)), "invalid_grant", "oauth_code")
    refuse(program.redeem(code(client="another")), "invalid_grant", "oauth_code")
    refuse(program.redeem(code(session="gone")), "invalid_grant", "oauth_code")
    assert program.redeem(code()).status_code == 200


def test_t_out_05_codes_last_a_minute_at_most(answered, installation):
    ticket = open_tickets(installation).read("authorization-code", answered.answers[0]["code"], parts=5)
    assert timedelta(seconds=40) < ticket.ends_at - datetime.now(UTC) <= timedelta(seconds=60)


def test_t_out_05_a_token_is_of_one_kind_and_of_no_other_door(installation, answered):
    code = answered.answers[0]["code"]
    answered.redeem()
    access, refresh = answered.tokens["access_token"], answered.tokens["refresh_token"]
    for token in (code, refresh, access[:-4], access[4:], f"{access}AAAA", "", "A" * 5_000, "\u00fc"):
        assert answered.session(token).status_code == 401
    refuse(answered.refresh(access), "invalid_grant", "oauth_refresh_token")
    refuse(answered.redeem(access), "invalid_grant", "oauth_code")
    accounts = f"{installation.bridge}/access-assignments/accounts"
    assert requests.get(accounts, headers={"Authorization": f"Bearer {access}"}, timeout=60).status_code == 401
    cookie = {"Cookie": f"__Host-rambridge={access}"}
    assert requests.get(f"{installation.bridge}/api/v1/session", headers=cookie, timeout=60).status_code == 401
    assert answered.session(access).status_code == 200


def test_t_out_05_codes_and_tokens_cannot_be_found_by_trying(answered):
    code = answered.answers[0]["code"]
    for place in range(0, len(code), 29):
        changed = code[:place] + ("A" if code[place] != "A" else "B") + code[place + 1 :]
        refuse(answered.redeem(changed), "invalid_grant", "oauth_code")
    assert answered.redeem(code).status_code == 200


# ── tokens (RFC 9700 2.3, 4.3.2, 4.14; RFC 8707) ─────────────────────────────────────────────────────────────


def test_t_out_08_a_refresh_token_that_is_shown_again_ends_the_grant_and_is_recorded(running, browser, monkeypatch):
    installation, _ = running
    with signed_in(installation, browser) as program:
        first = program.tokens["refresh_token"]
        assert program.refresh().status_code == 200
        monkeypatch.setattr("bridge.sessions.grants.REPEAT_SECONDS", -1)  # the ten seconds are over
        access = program.tokens["access_token"]
        refuse(program.refresh(first), "invalid_grant", "oauth_refresh_reused")
        assert program.session(access).status_code == 401
        refuse(program.refresh(), "invalid_grant", "oauth_refresh_token")
        assert events(installation, 2) == ["session.ended", "grant.refused"]


def test_t_out_08_a_refresh_whose_answer_was_lost_is_answered_again_the_same(installation, browser, monkeypatch):
    with signed_in(installation, browser) as program:
        first = program.tokens["refresh_token"]
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: program.refresh(first), range(4)))
        assert [answer.status_code for answer in answers] == [200] * 4
        following = [answer.json()["refresh_token"] for answer in answers]
        assert program.refresh(following[0]).status_code == 200
        monkeypatch.setattr("bridge.sessions.grants.REPEAT_SECONDS", -1)
        refuse(program.refresh(following[-1]), "invalid_grant", "oauth_refresh_reused")


def test_t_out_08_a_repeat_from_another_network_is_none(installation, browser):
    with signed_in(installation, browser) as program:
        first = program.tokens["refresh_token"]
        assert program.refresh().status_code == 200
        form = urlencode({"grant_type": "refresh_token", "client_id": CLIENT_ID, "refresh_token": first})
        host, _, port = installation.bridge.removeprefix("http://").partition(":")
        connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=60, source_address=("127.0.0.2", 0))
        headers = {"Host": f"{host}:{port}", "Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/oauth/token", form, headers)
        answer = connection.getresponse()
        assert (answer.status, b"oauth_refresh_reused" in answer.read()) == (400, True)
        connection.close()
        assert program.session().status_code == 401


def test_t_out_08_a_token_in_an_address_is_refused(installation, browser):
    with signed_in(installation, browser) as program:
        token = program.tokens["access_token"]
        address = f"{installation.bridge}/api/v1/session?access_token={token}"
        for headers in ({}, {"Authorization": f"Bearer {token}"}):
            answer = requests.get(address, headers=headers, timeout=60)
            assert (answer.status_code, answer.json()["code"]) == (400, "bad_parameter")
        form = {"grant_type": "refresh_token", "client_id": CLIENT_ID, "refresh_token": program.tokens["refresh_token"]}
        refuse(program.post(f"/oauth/token?{urlencode(form)}", form), "invalid_request", "bad_parameter")
        assert requests.get(f"{installation.bridge}/oauth/token", params=form, timeout=60).status_code == 405
        assert program.refresh().status_code == 200


def test_t_out_08_a_token_is_taken_by_its_scheme_and_json_as_json_alone(installation, browser):
    with signed_in(installation, browser) as program:
        token, address = program.tokens["access_token"], f"{installation.bridge}/api/v1/session"
        for scheme, status in (("bearer", 200), ("Basic", 401), ("Token", 401), ("Bearer Bearer", 401)):
            answer = requests.get(address, headers={"Authorization": f"{scheme} {token}"}, timeout=60)
            assert (scheme, answer.status_code) == (scheme, status)
        cookie = f"__Host-rambridge={browser.cookies.get('__Host-rambridge')}"
        wrong = {"Authorization": "Bearer x", "Cookie": cookie}
        assert requests.get(address, headers=wrong, timeout=60).status_code == 401  # never the cookie instead
        role = program.session().json()["entitlements"][0]["id"]
        for kind, status in (("text/plain", 400), ("application/json", 200)):
            body = json.dumps({"entitlement": role})
            answer = program.call("POST", "/api/v1/credentials", data=body, headers={"Content-Type": kind})
            assert answer.status_code == status
        answer = requests.post(f"{installation.bridge}/oauth/token", json={"client_id": CLIENT_ID}, timeout=60)
        refuse(answer, "invalid_request", "bad_parameter")


def test_t_out_08_one_address_asks_for_only_so_many_tokens(program, monkeypatch):
    monkeypatch.setattr("bridge.authorization.endpoints.TOKENS_PER_MINUTE", 0)
    answer = program.redeem("x")
    assert (answer.status_code, answer.json()["code"]) == (429, "web_too_many")
    monkeypatch.undo()
    refuse(program.redeem("x"), "invalid_grant", "oauth_code")


def test_t_out_08_a_token_for_another_resource_is_not_given(installation, program, browser):
    for resource in ("https://evil.example/api", f"{installation.bridge}/api/v2", f"{installation.bridge}/api/v1/"):
        browser.open(program.question(resource=resource))
        assert program.answers.pop()["error"] == "invalid_target"
    browser.open(program.question(resource=None))
    browser.submit("/oauth/allow")
    code = program.answers[0]["code"]
    refuse(program.redeem(code, resource="https://evil.example/api"), "invalid_target", "oauth_resource")
    assert program.redeem(code, resource=f"{installation.bridge}/api/v1").status_code == 200
    refuse(program.refresh(resource="https://evil.example/api"), "invalid_target", "oauth_resource")


@pytest.mark.parametrize("grant", ["password", "client_credentials", "implicit", ""])
def test_t_out_08_other_grants_are_not_there(program, grant):
    answer = program.post("/oauth/token", {"grant_type": grant, "client_id": CLIENT_ID})
    refuse(answer, "unsupported_grant_type", "oauth_grant_type")


@pytest.mark.parametrize("kind", ["token", "id_token", "code token", "none", ""])
def test_t_out_08_no_token_goes_through_the_browser(program, browser, kind):
    browser.open(program.question(response_type=kind))
    assert program.answers[0]["error"] == "unsupported_response_type"
    browser.open(program.question(response_mode="fragment"))
    assert program.answers[1]["error"] == "unsupported_response_type"


# ── the person (RFC 9700 4.4, 4.7, 4.16; RFC 8628 5.4) ───────────────────────────────────────────────────────


def test_t_out_09_each_answer_says_who_gives_it(installation, program, browser):
    """Mix-up (RFC 9207): success, refusal and error."""
    browser.open(program.question())
    browser.submit("/oauth/allow")
    browser.open(program.question())
    browser.submit("This is not mine")
    browser.open(program.question(resource="https://evil.example"))
    metadata = requests.get(f"{installation.bridge}/.well-known/oauth-authorization-server", timeout=60).json()
    assert metadata["authorization_response_iss_parameter_supported"] is True
    assert [answer["iss"] for answer in program.answers] == [metadata["issuer"]] * 3
    assert [answer["state"] for answer in program.answers] == [program.state] * 3


def read_form(page):
    """Return the fields of the form that allows."""
    [form] = [form for form in page.forms if form.action.endswith("/oauth/allow")]
    return form.fields


def test_t_out_09_only_a_click_on_our_own_page_lets_a_program_in(installation, program):
    browser = installation.sign_in("zhang.min")
    asked = read_form(browser.open(program.question()))
    cookie = {"Cookie": f"__Host-rambridge={browser.cookies.get('__Host-rambridge')}"}
    same = {"Sec-Fetch-Site": "same-origin"}
    other = installation.sign_in("siobhan.oneill")
    foreign = read_form(other.open(program.question()))
    for headers, form in (
        (cookie | {"Sec-Fetch-Site": "cross-site"}, asked),
        (cookie, asked),
        (cookie | same, asked | {"csrf_token": ""}),
        (cookie | same, asked | {"csrf_token": foreign["csrf_token"]}),
        (same, asked),
    ):
        answer = requests.post(f"{installation.bridge}/oauth/allow", data=form, headers=headers, timeout=60)
        assert answer.status_code in (401, 403)
    for asked_for in (foreign["asked"], asked["asked"][:-2], ""):
        form = asked | {"asked": asked_for}
        answer = requests.post(f"{installation.bridge}/oauth/allow", data=form, headers=cookie | same, timeout=60)
        assert answer.status_code == 400
    assert browser.open(f"{program.question()}&allow=1").status == 200
    assert program.answers == []
    browser.submit("/oauth/allow")
    assert "code" in program.answers[0]


def test_t_out_09_what_was_shown_is_decided_about_within_ten_minutes_in_the_same_session(installation, program):
    browser = installation.sign_in("zhang.min")
    cookie = browser.cookies.get("__Host-rambridge")
    form = read_form(browser.open(program.question()))
    headers = {"Cookie": f"__Host-rambridge={cookie}", "Sec-Fetch-Site": "same-origin"}
    for key, seconds, status in (
        (session_key(cookie), 0, 400),
        (session_key("of somebody else"), 60, 400),
        (session_key(cookie), 60, 303),
    ):
        values = [key, program.redirect_uri, program.state, challenge_of(program.verifier), ""]
        asked = open_tickets(installation).write("consent", values, datetime.now(UTC) + timedelta(seconds=seconds))
        answer = requests.post(
            f"{installation.bridge}/oauth/allow",
            data=form | {"asked": asked},
            headers=headers,
            timeout=60,
            allow_redirects=False,
        )
        assert answer.status_code == status


def test_t_out_09_a_state_is_short_and_printable(program, browser):
    for state in ("s" * 129, "a\nb", "\u00fc"):
        assert browser.open(program.question(state=state)).status == 400
    assert browser.open(program.question(state="~ !" * 42)).status == 200


def test_t_out_09_the_page_is_framed_by_nobody_and_tells_nobody_where_one_was(program, browser):
    """Clickjacking (RFC 9700 4.16) and the code in a Referer (4.2.4)."""
    headers = browser.open(program.question()).headers
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    address = program.redirect_uri.removesuffix("/callback")
    assert f"form-action 'self' {address};" in headers["Content-Security-Policy"]


def test_t_out_09_a_form_is_not_sent_on_with_what_was_typed(installation, program):
    """A redirect of 307 would repeat the form at the program (RFC 9700 4.12)."""
    browser = installation.sign_in("zhang.min")
    form = read_form(browser.open(program.question()))
    headers = {
        "Cookie": f"__Host-rambridge={browser.cookies.get('__Host-rambridge')}",
        "Sec-Fetch-Site": "same-origin",
    }
    address = f"{installation.bridge}/oauth/allow"
    answer = requests.post(address, data=form, headers=headers, timeout=60, allow_redirects=False)
    assert answer.status_code == 303


def test_t_out_09_a_reference_is_ours_and_of_our_client(installation, program, browser):
    reference = program.push().json()["request_uri"]
    for request_uri in ("https://evil.example/request.jwt", reference[:-1], reference + "A", "urn:x"):
        query = urlencode({"client_id": CLIENT_ID, "request_uri": request_uri})
        assert browser.open(f"{installation.bridge}/oauth/authorize?{query}").status == 400
    query = urlencode({"client_id": "another", "request_uri": reference})
    assert browser.open(f"{installation.bridge}/oauth/authorize?{query}").status == 400
    # what stands beside the reference counts for nothing (RFC 9101 6.3)
    query = urlencode({"client_id": CLIENT_ID, "request_uri": reference, "redirect_uri": "http://127.0.0.1:1/callback"})
    assert program.redirect_uri.split("/")[2] in browser.open(f"{installation.bridge}/oauth/authorize?{query}").text()
    refuse(program.push(request_uri=reference), "invalid_request", "bad_parameter")


def test_t_out_10_a_device_code_gives_nothing_to_who_only_saw_it(program, browser):
    """Device codes (RFC 8628 5.4, 5.5): proof, one program, one use, and the limits of WEB-18 and WEB-19."""
    for changes in ({"code_challenge": ""}, {"code_challenge_method": "plain"}):
        assert program.start_device(**changes).json()["error"] == "invalid_request"
    program.start_device()
    browser.open(program.device["verification_uri_complete"])
    browser.submit("/device/allow")
    assert program.poll(code_verifier=secrets.token_urlsafe(48)).json()["error"] == "expired_token"
    assert program.poll(code_verifier="").json()["error"] == "expired_token"
    assert program.poll(client_id="another").json()["error"] == "invalid_client"
    assert program.poll().status_code == 200
    assert program.poll().json()["error"] == "expired_token"


def test_t_out_10_one_address_lets_only_so_many_terminals_wait(program, monkeypatch):
    monkeypatch.setattr("bridge.authorization.endpoints.STARTS_PER_MINUTE", 0)
    answer = program.start_device()
    assert (answer.status_code, answer.json()["error"]) == (429, "temporarily_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    monkeypatch.undo()
    assert program.start_device().status_code == 200
