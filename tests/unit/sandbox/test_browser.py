"""The scripted browser sends what Chromium sends; where Chromium is installed, the two are compared."""

import itertools
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import quote

import pytest
import requests
from flask import Flask, redirect, request
from werkzeug.serving import make_server

from bridge.sandbox.browser import Browser

COMPARED = ("Origin", "Referer", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest", "Cookie")
COOKIES = {
    "lax": "SameSite=Lax",
    "strict": "SameSite=Strict",
    "none": "SameSite=None; Secure",
    "none-insecure": "SameSite=None",
    "secure": "Secure; SameSite=Lax",
    "__Host-good": "Secure; SameSite=Lax",
    "__Host-insecure": "SameSite=Lax",
    "__Host-domain": "Secure; SameSite=Lax; Domain=localhost",
}


@dataclass
class Site:
    """A server that serves what tests put into it, and takes down the headers of each request."""

    url: str
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    bodies: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


@contextmanager
def serve_site(host):
    app = Flask("site")
    site = Site("")

    @app.route("/", defaults={"path": ""}, methods=["GET", "POST"])
    @app.route("/<path:path>", methods=["GET", "POST"])
    def answer(path):
        request.get_data()  # an answer that overtakes the body of its request may end in a reset
        if path != "favicon.ico":
            headers = {name: request.headers.get(name, "") for name in COMPARED}
            headers["Cookie"] = " ".join(sorted(request.cookies))
            site.seen.append((request.method, f"/{path}", headers))
        if path == "set-cookies":
            return "done", 200, [("Set-Cookie", f"{name}=1; Path=/; {rest}") for name, rest in COOKIES.items()]
        if path.startswith("redirect-"):
            return redirect(request.args["to"], code=int(path.removeprefix("redirect-")))
        if path == "echo":
            return request.get_data(as_text=True)
        return site.bodies.get(path, "<title>End</title>"), 200, site.headers

    server = make_server(host, 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    site.url = f"http://{host}:{server.server_port}"
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def here():
    with serve_site("localhost") as site:
        yield site


@pytest.fixture
def there():
    """Another site: 127.0.0.1 is not localhost."""
    with serve_site("127.0.0.1") as site:
        yield site


@pytest.fixture
def browser(here):
    """A browser with the cookies of ``here``."""
    browser = Browser()
    browser.open(f"{here.url}/set-cookies")
    return browser


def form(action, method="post"):
    return (
        f'<form method="{method}" action="{action}"><input type="hidden" name="a" value="1"><button>Go</button></form>'
    )


def cookies_of_last_request(site):
    return site.seen[-1][2]["Cookie"].split()


# ── Cookies ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_same_site_request_carries_every_acceptable_cookie(browser, here):
    browser.open(here.url)
    assert cookies_of_last_request(here) == ["__Host-good", "lax", "none", "secure", "strict"]


def test_cross_site_post_carries_none_cookies_only(browser, here, there):
    there.bodies["form"] = form(here.url)
    browser.open(f"{there.url}/form")
    browser.click("Go")
    assert cookies_of_last_request(here) == ["none"]


def test_cross_site_link_carries_lax_cookies(browser, here, there):
    there.bodies["page"] = f'<a href="{here.url}">Go</a>'
    browser.open(f"{there.url}/page")
    browser.click("Go")
    assert cookies_of_last_request(here) == ["__Host-good", "lax", "none", "secure"]


def test_redirect_after_a_cross_site_post_carries_lax_cookies_again(browser, here, there):
    there.bodies["form"] = form(f"{here.url}/redirect-303?to=/end")
    browser.open(f"{there.url}/form")
    browser.click("Go")
    assert here.seen[-2][2]["Cookie"] == "none"
    assert cookies_of_last_request(here) == ["__Host-good", "lax", "none", "secure"]


def test_cookies_do_not_go_to_the_other_site(browser, there):
    browser.open(there.url)
    assert cookies_of_last_request(there) == []


def test_secure_cookie_is_neither_taken_from_nor_sent_to_a_plain_host(monkeypatch):
    """Only this machine is trustworthy without https."""
    sent = []

    def send(_self, prepared, **_):
        sent.append(prepared)
        response = requests.Response()
        response.status_code, response.url, response.request = 200, prepared.url, prepared
        response._content = b""
        return response

    monkeypatch.setattr(requests.Session, "send", send)
    browser = Browser()
    browser.cookies.set("plain", "1", domain="intranet.example", path="/")
    browser.cookies.set("secure", "1", domain="intranet.example", path="/", secure=True)
    browser.open("http://intranet.example/")
    browser.open("https://intranet.example/")
    assert [each.headers["Cookie"] for each in sent] == ["plain=1", "plain=1; secure=1"]
    assert "Sec-Fetch-Site" not in sent[0].headers
    assert "Sec-Fetch-Site" in sent[1].headers


# ── Headers ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_typed_address_has_no_origin_and_no_referrer(browser, here):
    browser.open(here.url)
    headers = here.seen[-1][2]
    assert (headers["Origin"], headers["Referer"], headers["Sec-Fetch-Site"]) == ("", "", "none")


def test_same_origin_form_says_so(browser, here):
    here.bodies["form"] = form("/end")
    browser.open(f"{here.url}/form")
    browser.click("Go")
    headers = here.seen[-1][2]
    assert headers["Origin"] == here.url
    assert headers["Referer"] == f"{here.url}/form"
    assert headers["Sec-Fetch-Site"] == "same-origin"


def test_no_referrer_policy_makes_even_our_own_origin_null(browser, here):
    here.bodies["form"] = form("/end")
    here.headers["Referrer-Policy"] = "no-referrer"
    browser.open(f"{here.url}/form")
    browser.click("Go")
    headers = here.seen[-1][2]
    assert (headers["Origin"], headers["Referer"], headers["Sec-Fetch-Site"]) == ("null", "", "same-origin")


def test_another_port_is_the_same_site(browser, here):
    with serve_site("localhost") as neighbour:
        neighbour.bodies["form"] = form(here.url)
        browser.open(f"{neighbour.url}/form")
        browser.click("Go")
    headers = here.seen[-1][2]
    assert (headers["Origin"], headers["Sec-Fetch-Site"]) == (neighbour.url, "same-site")
    assert "strict" in cookies_of_last_request(here)


def test_way_that_led_through_another_site_stays_cross_site(browser, here, there):
    here.bodies["page"] = f'<a href="{there.url}/redirect-302?to={here.url}/end">Go</a>'
    browser.open(f"{here.url}/page")
    browser.click("Go")
    assert here.seen[-1][1:2] == ("/end",)
    assert here.seen[-1][2]["Sec-Fetch-Site"] == "cross-site"


@pytest.mark.parametrize(("code", "method"), [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")])
def test_redirect_keeps_or_changes_the_method(browser, here, code, method):
    here.bodies["form"] = form(f"/redirect-{code}?to=/echo")
    browser.open(f"{here.url}/form")
    page = browser.click("Go")
    assert here.seen[-1][:2] == (method, "/echo")
    assert page.html == ("a=1" if method == "POST" else "")


def test_twenty_first_redirect_is_not_followed(browser, here):
    with pytest.raises(requests.TooManyRedirects):
        browser.open(_nest_redirects(here))


def _nest_redirects(site):
    target = "/end"
    for _ in range(21):
        target = "/redirect-302?to=" + quote(target, safe="")
    return site.url + target


# ── Pages ────────────────────────────────────────────────────────────────────────────────────────────────────

PAGE = """<!doctype html><title>A &amp; B</title><script>var hidden = "<form>";</script><style>p {}</style>
<p>One <b>word</b>s</p><p>Two</p>
<a href="/link?x=1">A <img alt=""> link</a>
<form id="first" method="post" action="/echo">
  <input type="hidden" name="token" value="&lt;t&gt;"><input name="user"><input type="radio" name="r" value="1">
  <input type="radio" name="r" value="2" checked><input type="checkbox" name="c"><input name="off" disabled value="x">
  <select name="s"><option value="x">X</option><option value="y" selected>Y</option></select>
  <textarea name="t">text</textarea><button type="button" name="b">No</button>
  <button name="go" value="1">Go on</button><button name="go" value="2" aria-label="Second">2</button>
  <button formaction="/elsewhere">Away</button>
</form>
<form action="/search"><input name="q" value="z"><input type="submit" value="Find"></form>
<button form="first" name="go" value="3">Outside</button>"""


@pytest.fixture
def on_page(browser, here):
    here.bodies["page"] = PAGE
    browser.open(f"{here.url}/page")
    return browser


def test_page_is_read_without_its_scripts(on_page):
    assert on_page.page.title == "A & B"
    assert on_page.page.text().startswith("One words Two A link")
    assert "hidden" not in on_page.page.text()
    assert [(link.text, link.url.partition("/link")[2]) for link in on_page.page.links] == [("A link", "?x=1")]


@pytest.mark.parametrize(
    ("which", "fields", "body"),
    [
        ("Go on", {"user": "a b"}, "token=%3Ct%3E&user=a+b&r=2&s=y&t=text&go=1"),
        ("Second", {"r": "1"}, "token=%3Ct%3E&user=&r=1&s=y&t=text&go=2"),
        ("Outside", {"c": "on"}, "token=%3Ct%3E&user=&r=2&s=y&t=text&c=on&go=3"),
        ("first", {}, "token=%3Ct%3E&user=&r=2&s=y&t=text&go=1"),
        ("/echo", {}, "token=%3Ct%3E&user=&r=2&s=y&t=text&go=1"),
    ],
    ids=["text", "accessible-name", "outside", "id", "path"],
)
def test_form_sends_what_its_controls_hold(on_page, which, fields, body):
    assert on_page.submit(which, **fields).html == body


def test_get_form_puts_its_fields_into_the_address(on_page, here):
    assert on_page.submit("Find").url == f"{here.url}/search?q=z"


def test_button_may_lead_elsewhere(on_page, here):
    assert on_page.submit("Away").url == f"{here.url}/elsewhere"


@pytest.mark.parametrize(
    ("which", "fields"),
    [
        ("Nothing", {}),
        ("No", {}),
        (None, {}),
        ("Go on", {"nobody": "1"}),
        ("Go on", {"r": "3"}),
        ("Go on", {"off": "1"}),
    ],
    ids=["no-such-button", "no-submit-button", "two-forms", "no-such-field", "no-such-choice", "disabled"],
)
def test_what_is_not_there_cannot_be_used(on_page, which, fields):
    requested = on_page.page.url
    with pytest.raises(LookupError):
        on_page.submit(which, **fields)
    assert on_page.page.url == requested


@pytest.mark.parametrize(
    "body",
    [
        form("/other") + form("/echo").replace("<form", "<form data-auto-submit"),
        form("/other") + form("/echo").replace('name="a"', 'name="SAMLResponse"'),
        '<form action="/other"><input name="q"></form>' + form("/echo"),
    ],
    ids=["marked", "saml", "only-hidden-fields"],
)
def test_page_that_submits_itself_is_followed(browser, here, body):
    here.bodies["page"] = body
    browser.open(f"{here.url}/page")
    assert browser.auto_submit().html in ("a=1", "SAMLResponse=1")


def test_page_that_does_not_submit_itself_is_not_followed(on_page):
    with pytest.raises(LookupError):
        on_page.auto_submit()


def test_trace_has_times_and_no_values_of_the_query(browser, here):
    browser.open(f"{here.url}/redirect-302?to=/end%3Fcode=secret")
    steps = browser.trace[-2:]
    assert [(step.method, step.url, step.status) for step in steps] == [
        ("GET", f"{here.url}/redirect-302?to=…", 302),
        ("GET", f"{here.url}/end?code=…", 200),
    ]
    assert all(0 < step.milliseconds < 5000 for step in steps)


def test_language_is_asked_for(here):
    browser = Browser(language="zh-CN")
    here.bodies["page"] = "<p>你好</p>"
    assert browser.open(f"{here.url}/page").text() == "你好"
    assert browser.page.headers["Content-Type"].startswith("text/html")


def test_there_is_no_page_before_the_first(here):
    with pytest.raises(LookupError):
        _ = Browser().page


# ── Against Chromium ─────────────────────────────────────────────────────────────────────────────────────────

POLICIES = ("", "no-referrer", "same-origin", "origin", "strict-origin", "unsafe-url")
WAYS = {
    "direct": "{there}/end",
    "back": "{there}/redirect-303?to={here}/end",
    "post-back": "{there}/redirect-307?to={here}/end",
    "own": "{here}/end",
    "own-post": "{here}/redirect-307?to={here}/end",
    "own-out": "{here}/redirect-307?to={there}/end",
    "out-and-out": "{there}/redirect-307?to={there}/end",
    "in-and-on": "{there}/redirect-302?to={there}/end",
}


def visit_with_chromium(chromium, here, visits):
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{here.url}/set-cookies")
    for address, policy in visits:
        here.headers["Referrer-Policy"] = policy
        page.goto(address)
        page.click("text=Go")
        page.wait_for_url("**/end*")
    context.close()


def visit_with_scripted_browser(here, visits):
    browser = Browser()
    browser.open(f"{here.url}/set-cookies")
    for address, policy in visits:
        here.headers["Referrer-Policy"] = policy
        browser.open(address)
        browser.click("Go")


def test_chromium_sends_the_same(chromium, here, there):
    for name, way in WAYS.items():
        action = way.format(here=here.url, there=there.url)
        here.bodies[f"form-{name}"] = form(action)
        here.bodies[f"link-{name}"] = f'<a href="{action}">Go</a>'
    pages = itertools.product(("form", "link"), WAYS, POLICIES)
    visits = [(f"{here.url}/{kind}-{name}", policy) for kind, name, policy in pages]
    records = []
    for visit in (partial(visit_with_chromium, chromium), visit_with_scripted_browser):
        here.seen.clear()
        there.seen.clear()
        visit(here, visits)
        records.append((list(here.seen), list(there.seen)))
    by_chromium, by_us = records
    assert by_us == by_chromium
    assert len(by_us[0]) > len(visits)
