"""Where an error page leads: back to the same page or to where the form stood, and never to another site."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest

from bridge.errors import AuditUnavailable, CrossSiteRequest, RulesUnchanged
from bridge.web.access import LEVELS
from bridge.web.way_back import START, find_form, find_retry
from tests.attacks.door import PUBLIC_URL, Visitor, begin, draft_response, find_code, post_response, read, sign_in

HOSTILE = [
    "https://evil.example/",
    "//evil.example/",
    "/\\evil.example/",
    "/\t/evil.example/",
    "javascript:alert(1)",
    "/é",
]
FORMS = {
    "/admin/explain": "/admin/explain",
    "/admin/preview": "/admin/preview",
    "/admin/versions/draft": "/admin/versions/draft",
    "/admin/versions/requests/r-1/confirm": "/admin/versions/requests/r-1",
    "/admin/versions/requests/r-1/reject": "/admin/versions/requests/r-1",
    "/admin/versions/v-1/rollback": "/admin/versions/v-1/rollback",
    "/audit/search": "/audit/records",
    "/audit/ask/who": "/audit",
    "/audit/people": "/audit/people",
    "/audit/saved": "/audit/records",
    "/audit/saved/1/forget": "/audit/records",
}
"""The page of each form of administrators and auditors."""


@pytest.fixture
def late(app):
    """Return somebody whose session ended while the portal was open, and a function that sends one of its forms."""
    visitor = Visitor(app)
    sign_in(visitor)
    portal = visitor.get("/")
    visitor.submit(portal, "/sign-out")
    return visitor, portal


def send(visitor, portal, action, **fields):
    form = next(each for each in read(portal).forms if urlsplit(each.action).path.startswith(action))
    return visitor.post(form.action, {**form.fields, **fields})


def find_return(answer):
    """Return where a page leads after the sign-in, by its button and by itself alike."""
    [button] = re.findall(r'class="button main" href="([^"]*)"', answer.text)
    [refresh] = re.findall(r'content="0; url=([^"]*)"', answer.text)
    assert button == refresh
    address = urlsplit(button.replace("&amp;", "&"))
    assert (address.netloc, address.path) == ("", "/sign-in")
    return parse_qs(address.query)["return_to"][0]


@pytest.mark.parametrize("action", ["/console/", "/credentials/", "/favourites/"])
def test_a_form_that_is_sent_after_the_sessions_end_leads_back_to_its_card(late, action):
    visitor, portal = late
    answer = send(visitor, portal, action)
    assert answer.status_code == 401
    form = next(each for each in read(portal).forms if urlsplit(each.action).path.startswith(action))
    card = form.action.rpartition("/")[2]
    assert find_return(answer) == f"/?again=1#card-{card}"
    assert f'id="card-{card}"' in portal.text


def test_signing_in_again_arrives_at_the_card_and_says_that_nothing_was_done(late):
    visitor, portal = late
    return_to = find_return(send(visitor, portal, "/console/"))
    question = begin(visitor, "corp", return_to)
    answer = post_response(visitor, "corp", draft_response("corp", question.request_id).encode(), question.handle)
    assert answer.location == return_to
    assert "choose once more" in visitor.get(return_to.partition("#")[0]).text
    assert "choose once more" not in visitor.get("/").text


def test_the_page_in_between_is_in_the_language_of_its_reader(late):
    visitor, portal = late
    form = next(each for each in read(portal).forms if "/console/" in each.action)
    answer = visitor.post(form.action, form.fields, headers={"Accept-Language": "zh-CN"})
    assert "您的会话已结束" in answer.text
    assert "Your session has ended" not in answer.text


@pytest.mark.parametrize("back", ["/go/a-token", "/open/acme/ReadOnly?to=https%3A%2F%2Fecs.console.aliyun.com%2F"])
def test_the_form_of_a_link_leads_back_to_the_link(late, back):
    visitor, portal = late
    assert find_return(send(visitor, portal, "/console/", back=back)) == back


@pytest.mark.parametrize("back", HOSTILE)
def test_t_web_10_a_form_names_no_other_site_to_come_back_to(late, back):
    visitor, portal = late
    assert find_return(send(visitor, portal, "/console/", back=back)).startswith("/?again=1#card-")


@pytest.mark.parametrize(
    "path",
    ["/audit/records?event=sign_in", "/admin/sign-ins", "/my/sessions", "/open/a/b?to=https%3A%2F%2Fx.aliyun.com%2F"],
)
def test_a_page_that_a_fault_kept_away_is_tried_again_itself(app, path):
    with app.test_request_context(path, base_url=PUBLIC_URL):
        assert [find_retry(status) for status in (429, 500, 503)] == [path] * 3
        assert [find_retry(status) for status in (400, 403, 409)] == [START] * 3  # it would say the same again
    with app.test_request_context(path, base_url=PUBLIC_URL, method="POST"):
        assert find_retry(503) == START


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/sign-in/corp",
        "/oidc/corp/callback?code=once",
        "/open/%5Cevil.example",
        "/open/a%09b",
        "/open/%C3%A9",
        "/%2Fevil.example/admin/sign-ins",
        "/unknown",
    ],
)
def test_t_web_10_nothing_else_is_tried_again_and_no_other_site(app, path):
    with app.test_request_context(path, base_url=PUBLIC_URL):
        assert find_retry(503) == START


def test_each_form_of_administrators_and_auditors_has_its_page(app):
    rules = [rule for rule in app.url_map.iter_rules() if LEVELS[rule.endpoint] in {"administrator", "auditor"}]
    address = app.url_map.bind("bridge.example.com")
    answered = {address.match(form, method="POST")[0]: page for form, page in FORMS.items()}
    assert answered.keys() == {rule.endpoint for rule in rules if "POST" in rule.methods}
    for endpoint, page in answered.items():
        assert LEVELS[address.match(page, method="GET")[0]] == LEVELS[endpoint]


@pytest.mark.parametrize("form", FORMS)
def test_what_was_sent_from_a_page_is_tried_again_from_there(app, form):
    with app.test_request_context(form, base_url=PUBLIC_URL, method="POST"):
        assert (find_form(), find_retry(503), find_retry(409)) == (FORMS[form], FORMS[form], START)
    back = f"{FORMS[form]}?event=rules"
    with app.test_request_context(form, base_url=PUBLIC_URL, method="POST", data={"back": back}):
        assert (find_form(), find_retry(503)) == (back, back)


@pytest.mark.parametrize("back", HOSTILE)
def test_t_web_10_after_a_fault_a_form_names_no_other_site_either(app, back):
    with app.test_request_context("/audit/search", base_url=PUBLIC_URL, method="POST", data={"back": back}):
        assert find_retry(503) == "/audit/records"


@pytest.mark.parametrize("path", ["/saml/corp/acs", "/sign-in", "/api/v1/credentials", "/nowhere"])
def test_t_web_10_what_any_site_may_send_names_no_page_at_all(app, path):
    with app.test_request_context(path, base_url=PUBLIC_URL, method="POST", data={"back": "/my/sessions"}):
        assert (find_form(), find_retry(503)) == (None, START)


@pytest.mark.parametrize(
    ("error", "offered"),
    [
        (AuditUnavailable, [("Try again", "/my/sessions")]),
        (RulesUnchanged, [("Back", "/my/sessions"), ("Go to the start page", "/")]),
        (CrossSiteRequest, [("Go to the start page", "/")]),
    ],
)
def test_the_page_of_an_error_leads_to_the_page_whose_form_was_sent(app, visitor, monkeypatch, error, offered):
    def fail():
        raise error

    sign_in(visitor)
    monkeypatch.setitem(app.view_functions, "own_sessions.end_others", fail)
    token = read(visitor.get("/")).forms[0].fields["csrf_token"]
    answer = visitor.post("/my/sessions/end-others", {"csrf_token": token})
    [actions] = re.findall(r'<div class="actions">(.*?)</div>', answer.text, re.DOTALL)
    assert re.findall(r'href="([^"]*)">([^<]*)<', actions) == [(url, text) for text, url in offered]


def test_a_search_that_is_sent_after_the_sessions_end_leads_back_to_the_records(app):
    answer = Visitor(app).post("/audit/search", {"q": "a", "back": "/audit/records?event=rules"})
    assert find_return(answer) == "/audit/records?event=rules"
    assert find_return(Visitor(app).post("/audit/search", {"q": "a"})) == "/audit/records"


def test_t_web_11_another_sites_form_is_refused_and_leads_nowhere(late):
    visitor, portal = late
    form = next(each for each in read(portal).forms if "/console/" in each.action)
    answer = visitor.post(form.action, form.fields, site="cross-site")
    assert find_code(answer) == "web_cross_site"
    assert "refresh" not in answer.text
