"""In which language somebody is answered, and what a switch of it must not be good for (WEB-03, 10, 11)."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from bridge.language import spoken
from bridge.sessions.cookie import LANGUAGE_COOKIE
from tests.attacks.door import Visitor, find_code, post_response, read, read_reference, sign_in

CHINESE = {"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"}


def language_of(response):
    found = re.search(r'<html lang="([^"]+)"', response.text).group(1)
    assert response.headers["Content-Language"] == found
    assert {"accept-language", "cookie"} <= {name.lower() for name in response.vary}
    return found


def switch(visitor, page, language="zh-CN"):
    """Click a language at the foot of a page."""
    form = next(form for form in read(page).forms if form.action.endswith("/language"))
    return visitor.post("/language", {**form.fields, "language": language})


def find_buttons(response):
    """Return what an error page offers, and where that leads."""
    [actions] = re.findall(r'<div class="actions">(.*?)</div>', response.text, re.DOTALL)
    return re.findall(r'href="([^"]*)">([^<]*)<', actions)


def find_next(response):
    """Return where the page goes on to by itself, None if nowhere."""
    found = re.search(r'http-equiv="refresh" content="0; url=([^"]*)"', response.text)
    return found and found.group(1)


def test_a_page_is_in_the_language_of_the_browser_unless_its_person_chose_another(visitor):
    assert language_of(visitor.get("/signed-out", headers=CHINESE)) == "zh-CN"
    page = visitor.get("/signed-out")
    assert language_of(page) == "en"
    answer = switch(visitor, page)
    assert language_of(answer) == "zh-CN"
    assert find_next(answer) == "/signed-out"
    assert language_of(visitor.get("/signed-out")) == "zh-CN"
    switch(visitor, visitor.get("/signed-out"), "en")
    assert language_of(visitor.get("/signed-out", headers=CHINESE)) == "en"


def test_a_page_names_each_other_language_in_itself(visitor):
    assert '<button class="button quiet small" name="language" value="zh-CN" lang="zh-CN">简体中文</button>' in (
        visitor.get("/signed-out").text
    )
    assert 'value="en" lang="en">English</button>' in visitor.get("/signed-out", headers=CHINESE).text


@pytest.mark.parametrize(
    "page",
    ["/", "/open/%C3%A9?to=https://ecs.console.aliyun.com/&a=%C3%A9", "/sign-in?choose=1&return_to=/a?to%3Db"],
)
def test_one_stays_on_the_page_where_one_is(service, visitor, page):
    sign_in(visitor)
    assert find_next(switch(visitor, visitor.get(page))) == page.replace("&", "&amp;")


def test_one_stays_on_the_page_that_asks_for_a_provider_when_an_address_was_unknown(service, visitor):
    page = visitor.post("/sign-in", {"address": "x@nowhere.example", "return_to": "/open/production"})
    assert find_next(switch(visitor, page)) == "/sign-in?choose=1&amp;return_to=/open/production"


def test_from_what_a_form_led_to_one_comes_back_to_the_form(service, visitor):
    sign_in(visitor)
    role = visitor.get("/api/v1/session").json["entitlements"][0]["id"]
    page = visitor.submit(visitor.get(f"/links/{role}"), f"/links/{role}")
    assert page.status_code == 200
    assert find_next(switch(visitor, page)) == f"/links/{role}"


def test_from_shown_credentials_one_comes_back_to_the_role_which_the_page_says_beforehand(service, visitor):
    sign_in(visitor)
    role = visitor.get("/api/v1/session").json["entitlements"][0]["id"]
    page = visitor.submit(visitor.get("/"), f"/credentials/{role}")
    assert "Another language leads back to the role: this page is shown once." in page.text
    assert "Another language" not in visitor.get("/").text
    asked, last = len(service.sts.requests), service.last()
    answer = switch(visitor, page)
    assert find_next(answer) == f"/#card-{role}"
    assert not [secret for secret in service.sts.secrets if secret in answer.text]
    assert (len(service.sts.requests), service.last()) == (asked, last), "nothing is handed out by it"
    again = visitor.submit(visitor.get("/"), f"/credentials/{role}")
    assert "切换语言后将返回该角色" in again.text


def test_a_providers_answer_and_what_is_not_there_are_shown_again_and_not_asked_for_again(service, visitor):
    sign_in(visitor)
    for page in (
        visitor.post("/sign-out"),
        visitor.post("/sign-in/confirm", {"token": "canary"}),
        visitor.get("/canary"),
        visitor.get("/sign-in/canary"),
        visitor.get("/oidc/staff/callback?code=canary-code&state=x", site="cross-site"),
        visitor.get("/saml/corp/slo?SAMLRequest=canary"),
        post_response(visitor, "corp", "canary"),
    ):
        assert page.status_code >= 400
        assert "canary" not in page.text
        before = len(service.records())
        answer = page
        for language in ("zh-CN", "en"):
            answer = switch(visitor, answer, language)
            assert (answer.status_code, language_of(answer), find_next(answer)) == (200, language, None)
            assert (find_code(answer), read_reference(answer)) == (find_code(page), read_reference(page))
        assert (read(answer).title, find_buttons(answer)) == (read(page).title, find_buttons(page))
        assert len(service.records()) == before


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({}, 200),
        ({"sts_code": "NoPermission"}, 200),
        ({"sts_code": "<b>canary"}, 400),
        ({"sts_code": "Canary"}, 400),
        ({"sts_request_id": "canary"}, 400),
        ({"error": "web_not_found"}, 400),
    ],
)
def test_t_web_10_no_error_is_shown_again_with_what_alibaba_cloud_never_said(visitor, changed, status):
    shown = {
        "error": "exchange_refused",
        "reference": "1A2B-3C4D-5E6F",
        "sts_code": "Throttling.User",
        "sts_request_id": "7B2A9E40-0E5C-4A8B-9D3F-1C2B3A4D5E6F",
    }
    answer = visitor.post("/language", {"language": "zh-CN", "page": ""} | shown | changed)
    assert answer.status_code == status
    assert "anary" not in answer.text
    assert ("7B2A9E40-0E5C-4A8B-9D3F-1C2B3A4D5E6F" in answer.text) == (status == 200)


def test_what_is_no_error_and_cannot_be_opened_again_is_left(visitor):
    answer = visitor.post("/language", {"language": "zh-CN", "page": ""})
    assert (answer.status_code, find_next(answer)) == (200, None)
    assert "刚才的页面无法再次显示。" in answer.text


def test_a_refused_answer_of_a_provider_is_in_the_language_that_was_chosen(service, visitor):
    switch(visitor, visitor.get("/signed-out"))
    refused = post_response(visitor, "corp", "bm90IFNBTUw=")
    assert refused.status_code == 400
    assert language_of(refused) == "zh-CN"


def test_errors_before_any_page_is_found_have_a_language(visitor):
    assert language_of(visitor.get("/", base_url="https://evil.example", headers=CHINESE)) == "zh-CN"
    assert language_of(visitor.get("/nowhere", headers=CHINESE)) == "zh-CN"
    assert language_of(visitor.post("/signed-out", headers=CHINESE)) == "zh-CN"
    assert language_of(visitor.get("/signed-out", headers=CHINESE | {"Cookie": "a=" + "b" * 20_000})) == "zh-CN"


def test_answers_of_the_api_say_their_language_where_they_are_for_people(service, visitor):
    refused = visitor.get("/api/v1/session", headers=CHINESE)
    assert refused.status_code == 401
    assert refused.headers["Content-Language"] == "zh-CN"
    assert refused.json["message"] != visitor.get("/api/v1/session").json["message"]
    assert re.search(r"[\u4e00-\u9fff]", refused.json["message"])
    assert "Content-Language" not in visitor.get("/saml/corp/metadata", headers=CHINESE).headers
    assert "Content-Language" not in visitor.get("/health/live", headers=CHINESE).headers


def test_threads_keep_their_languages_apart(service, app):
    """One thread answers many people, one after the other; several do so at once."""

    def ask(number):
        visitor = Visitor(app)
        headers = CHINESE if number % 2 else {"Accept-Language": "en"}
        page = visitor.get("/nowhere" if number % 3 else "/signed-out", headers=headers)
        return language_of(page), "简体中文</button>" in page.text

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(200)))
    assert answers == [("zh-CN", False) if number % 2 else ("en", True) for number in range(200)]


def test_a_thread_speaks_english_again_after_it_answered(service, app, visitor):
    assert language_of(visitor.get("/signed-out", headers=CHINESE)) == "zh-CN"
    assert spoken() == "en"


# ── Attacks ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "/\t/evil.example/",
        "javascript:alert(1)",
        "evil",
        "/" + "a" * 2048,
    ],
)
def test_t_web_10_the_switch_leads_to_no_other_site(visitor, elsewhere):
    answer = visitor.post("/language", {"language": "zh-CN", "page": elsewhere})
    assert answer.status_code == 200
    assert find_next(answer) == "/"
    assert "evil" not in answer.text


def test_t_web_10_twin_the_switch_leads_to_a_page_of_ours(visitor):
    answer = visitor.post("/language", {"language": "zh-CN", "page": "/open/production?to=x"})
    assert find_next(answer) == "/open/production?to=x"


@pytest.mark.parametrize(
    "changed",
    [
        {"error": "canary"},
        {"error": "<b>"},
        {"error": "__class__"},
        {"reference": ""},
        {"reference": "canary"},
        {"reference": "AAAA-AAAA-AAAA\n"},
        {"reference": 'AAAA-AAAA-AAAA"><script>'},
        {"entitlement": "../canary"},
        {"entitlement": "//evil.example"},
    ],
)
def test_t_web_10_the_switch_shows_no_error_that_no_page_of_ours_had(visitor, changed):
    shown = {"language": "zh-CN", "error": "step_up_not_met", "reference": "AAAA-AAAA-AAAA"} | changed
    answer = visitor.post("/language", shown)
    assert (answer.status_code, find_code(answer)) == (400, "bad_parameter")
    assert not re.search("canary|<script>|evil", answer.text)
    assert LANGUAGE_COOKIE not in visitor.cookies


def test_t_web_10_twin_the_switch_shows_an_error_by_its_code_and_the_way_out_of_it(visitor):
    shown = {"error": "step_up_not_met", "reference": "AAAA-AAAA-AAAA", "entitlement": "0123456789abcdef"}
    answer = visitor.post("/language", {"language": "zh-CN", **shown})
    assert (find_code(answer), read_reference(answer)) == ("step_up_not_met", "AAAA-AAAA-AAAA")
    assert find_buttons(answer)[0] == ("/step-up/0123456789abcdef", "重新登录")
    assert visitor.cookies[LANGUAGE_COOKIE] == "zh-CN"


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none", "", None])
def test_t_web_11_no_other_site_chooses_a_language(visitor, site):
    answer = visitor.post("/language", {"language": "zh-CN", "page": "/"}, site=site)
    assert (answer.status_code, find_code(answer)) == (403, "web_cross_site")
    assert LANGUAGE_COOKIE not in visitor.cookies


def test_t_web_11_no_address_chooses_a_language(visitor):
    assert visitor.get("/language?language=zh-CN").status_code == 405
    assert LANGUAGE_COOKIE not in visitor.cookies


@pytest.mark.parametrize("language", ["", "zh", "fr", "../../x", "zh-CN\r\nSet-Cookie: a=b", "<script>"])
def test_a_language_that_we_do_not_have_is_not_kept(visitor, language):
    answer = visitor.post("/language", {"language": language})
    assert (answer.status_code, find_code(answer)) == (400, "bad_parameter")
    assert "Set-Cookie" not in answer.headers


def test_t_web_03_the_cookie_is_of_this_host_alone_and_names_a_language_or_nothing(visitor):
    answer = visitor.post("/language", {"language": "zh-CN"})
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-rambridge-language=zh-CN; ")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=None", "Max-Age=31536000"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    for planted in ("fr", "zh", "zh-CN/../x", "<b>", ""):
        page = visitor.get("/signed-out", headers={"Cookie": f"{LANGUAGE_COOKIE}={planted}"})
        assert (page.status_code, language_of(page)) == (200, "en")


def test_t_web_03_of_two_cookies_neither_is_believed(visitor):
    two = {"Cookie": f"{LANGUAGE_COOKIE}=zh-CN; {LANGUAGE_COOKIE}=en"}
    assert language_of(visitor.get("/signed-out", headers=two)) == "en"
    assert language_of(visitor.get("/signed-out", headers=two | CHINESE)) == "zh-CN"
