"""A person's page of sessions: what is listed, what each button ends, and that nobody ends somebody else's."""

import re

import pytest

from tests.integration.program import signed_in

SOFIA = ("sofia.marchetti", "Rambridge (OpenID Connect)")


@pytest.fixture
def browser(installation):
    return installation.sign_in()


def open_page(installation, browser):
    return browser.open(f"{installation.bridge}/my/sessions")


def list_ids(page):
    return re.findall(r'action="/my/sessions/([^"/]+)/end"', page.html)


def is_signed_in(installation, browser):
    return open_page(installation, browser).url.endswith("/my/sessions")


def ended(installation, before):
    return [each["reason"] for each in installation.records()[before:] if each["event"] == "session.ended"]


def tell_of_ends(installation, browser):
    """Return how often the person's own sign-ins say so."""
    page = browser.open(f"{installation.bridge}/my/sign-ins")
    return page.text().count("You ended this session from another one.")


def sign_out_of_everything(installation, browser):
    """Begin a test with no session of earlier ones."""
    open_page(installation, browser)
    if "/my/sessions/end-others" in browser.page.html:
        browser.submit("/my/sessions/end-others")


def test_somebody_alone_is_shown_the_one_session_and_nothing_to_end(installation, browser):
    sign_out_of_everything(installation, browser)
    page = open_page(installation, browser)
    assert list_ids(page) == []
    assert "This browser" in page.text()
    assert "End all others" not in page.text()
    assert re.search(r'id="session-1" datetime="([^"]*)" data-ends="\1"', page.html)


def test_a_browser_and_a_terminal_are_listed_and_each_is_ended_alone(installation, browser):
    sign_out_of_everything(installation, browser)
    other = installation.sign_in()
    with signed_in(installation, other) as program:
        page = open_page(installation, browser)
        assert [each.partition(".")[0] for each in list_ids(page)] == ["terminal", "session"]
        assert "rambridge-cli" in page.text()
        told = tell_of_ends(installation, browser)
        open_page(installation, browser)
        before = len(installation.records())
        browser.submit(f"/my/sessions/{list_ids(page)[0]}/end")
        assert browser.page.url == f"{installation.bridge}/my/sessions"
        assert program.session().status_code == 401
        assert is_signed_in(installation, other)
        browser.submit(f"/my/sessions/{list_ids(open_page(installation, browser))[0]}/end")
        assert not is_signed_in(installation, other)
        assert is_signed_in(installation, browser)
        assert ended(installation, before) == ["ended_from_list", "ended_from_list"]
        assert tell_of_ends(installation, browser) == told + 2


def test_all_others_end_at_once_and_this_one_goes_on(installation, browser):
    sign_out_of_everything(installation, browser)
    others = [installation.sign_in() for _ in range(2)]
    before = len(installation.records())
    with signed_in(installation, others[0]) as program:
        open_page(installation, browser)
        browser.submit("/my/sessions/end-others")
        assert list_ids(browser.page) == []
        assert program.session().status_code == 401
    assert [is_signed_in(installation, each) for each in (browser, *others)] == [True, False, False]
    assert ended(installation, before) == ["ended_from_list"] * 3


def test_signing_out_everywhere_ends_every_browser_and_terminal_and_plain_signing_out_only_this_one(installation):
    browser, other = installation.sign_in(), installation.sign_in()
    open_page(installation, browser)
    browser.submit("Sign out")
    assert is_signed_in(installation, other)
    again = installation.sign_in()
    with signed_in(installation, again) as program:
        open_page(installation, other)
        other.submit("Sign out everywhere")
        assert program.session().status_code == 401
    assert not is_signed_in(installation, other)
    assert not is_signed_in(installation, again)


def test_t_web_16_nobody_ends_a_session_of_somebody_else(installation, browser):
    """Its twin: the same form with a session of one's own ends it."""
    stranger = installation.sign_in(*SOFIA)
    with signed_in(installation, stranger) as program:
        listed = program.call("GET", "/api/v1/sessions").json()["sessions"]
        foreign = next(each["id"] for each in listed if each["kind"] == "browser")
        mine = installation.sign_in()
        page = open_page(installation, browser)
        own = list_ids(page)[0]
        before = len(installation.records())
        form = next(each for each in page.forms if each.action.endswith(f"/{own}/end"))
        form.action = f"{installation.bridge}/my/sessions/{foreign}/end"
        refused = browser.submit(f"/my/sessions/{foreign}/end")
        assert refused.status == 404
        assert is_signed_in(installation, stranger)
        assert ended(installation, before) == []
        open_page(installation, browser)
        browser.submit(f"/my/sessions/{own}/end")
        assert not is_signed_in(installation, mine)
        assert ended(installation, before) == ["ended_from_list"]
        open_page(installation, browser)
        if "end-others" in browser.page.html:
            browser.submit("/my/sessions/end-others")
        assert is_signed_in(installation, stranger)
        assert program.session().status_code == 200


@pytest.mark.parametrize("path", ["/my/sessions/end-others", "/my/sessions/session.0/end"])
def test_t_web_11_without_the_forms_token_nothing_ends(installation, browser, path):
    other = installation.sign_in()
    page = open_page(installation, browser)
    form = next(each for each in page.forms if each.action.endswith("/my/sessions/end-others"))
    form.action = f"{installation.bridge}{path}"
    assert browser.submit(path, csrf_token="x" * 32).status == 403
    assert is_signed_in(installation, other)


def test_what_was_handed_out_and_still_lives_is_listed_until_when(installation, browser):
    page = browser.open(f"{installation.bridge}/")
    chosen = re.search(r'action="/credentials/([0-9a-f]+)"', page.html)[1]
    browser.submit(f"/credentials/{chosen}")
    key = re.search(r'id="access-key-id">([^<]+)<', browser.page.html)[1]
    ends = re.search(r'id="credentials-end" datetime="([^"]*)"', browser.page.html)[1]
    page = open_page(installation, browser)
    assert key in page.text()
    assert re.search(rf'id="handed-out-\d+" datetime="{ends}"', page.html)
    browser.open(f"{installation.bridge}/")
    browser.submit(f"/console/{chosen}")
    page = open_page(installation, browser)
    assert re.search(r"ReadOnly in Acme Production\s+Console\s+from", page.text()), page.text()
    assert "nothing here can end one" in page.text()
    stranger = installation.sign_in(*SOFIA)
    assert key not in open_page(installation, stranger).text()


def test_the_api_lists_what_was_handed_out_as_the_page_does(installation, browser):
    with signed_in(installation, browser) as program:
        role = next(each for each in program.session().json()["entitlements"] if each["name"] == "ReadOnly")
        given = program.call("POST", "/api/v1/credentials", json={"entitlement": role["id"]}).json()
        answer = program.call("GET", "/api/v1/handed-out").json()
        assert answer["complete"] is True
        [one] = [each for each in answer["handed_out"] if each["access_key_id"] == given["access_key_id"]]
        assert (one["kind"], one["account"], one["name"]) == ("credentials", role["account"], "ReadOnly")
        assert one["ends_at"] == given["expires_at"]
        assert one["reference"] in open_page(installation, browser).text()
    stranger = installation.sign_in(*SOFIA)
    with signed_in(installation, stranger) as program:
        listed = program.call("GET", "/api/v1/handed-out").json()["handed_out"]
        assert given["access_key_id"] not in [each["access_key_id"] for each in listed]


def test_the_page_says_what_it_does_not_show(installation, browser, monkeypatch):
    for _ in range(2):
        page = browser.open(f"{installation.bridge}/")
        chosen = re.search(r'action="/console/([0-9a-f]+)"', page.html)[1]
        browser.submit(f"/console/{chosen}")
    assert re.search(r"opened \d+ times; the last to end is shown", open_page(installation, browser).text())
    assert "There may be more" not in browser.page.text()
    monkeypatch.setattr("bridge.web.handed_out.MOST_RECORDS", 1)
    monkeypatch.setattr("bridge.web.own_sessions.MOST_RECORDS", 1)
    text = open_page(installation, browser).text()
    assert "There may be more: only the newest 1 records of the last 12 h were looked at." in text


def test_extending_the_present_session_leads_back_to_the_list(installation, browser):
    open_page(installation, browser)
    browser.click("Extend by signing in again")
    while browser.page.url != f"{installation.bridge}/my/sessions":
        installation.go_on(browser)
    assert "This browser" in browser.page.text()
