"""What every page and every answer must keep to, whoever asks and however badly (WEB-04 to 08, 11, 13, 17; STS-15)."""

import base64
import io
import json
import logging
import random
import re
import shutil
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from lxml import etree

from bridge.app import MAX_REQUEST_BYTES
from bridge.attack.scripted_server import Reply
from bridge.authorization.client import CLIENT_ID
from bridge.sessions.cookie import PROVIDER_COOKIE, SESSION_COOKIE
from bridge.settings import load_configuration
from tests.attacks.door import (
    ADDRESS,
    CLIENT_SECRET,
    PUBLIC_URL,
    Visitor,
    add_attribute,
    begin,
    call_back,
    draft_response,
    find_code,
    post_response,
    read,
    sign_in,
)

CONSOLE = "https://signin.aliyun.com/saml-role/sso"
CONSOLE_ORIGIN = "https://*.aliyun.com"


def entitlements(visitor):
    """Return the identifiers of what the signed-in visitor may become, by account."""
    return {each["account"]: each["id"] for each in visitor.get("/api/v1/session").json["entitlements"]}


def ask_for(visitor, purpose, account="production"):
    """Click a button of the portal."""
    return visitor.submit(visitor.get("/"), f"/{purpose}/{entitlements(visitor)[account]}")


# ── WEB-04: markup ───────────────────────────────────────────────────────────────────────────────────────────

MARK = "\"'></script><script>pwned(1)</script><img src=x onerror=y>{{7*7}}"
TAGS = {
    "html", "head", "meta", "title", "link", "script", "body", "a", "header", "div", "span", "form", "input", "button",
    "svg", "use", "main", "footer", "section", "h1", "h2", "h3", "p", "ul", "li", "dl", "dt", "dd", "strong", "pre",
    "time", "i", "kbd", "dialog", "label", "details", "summary", "textarea", "ol",
}  # fmt: skip


class _Reader(HTMLParser):
    """Lists everything in a page that could run."""

    def __init__(self):
        super().__init__()
        self.strange = []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.strange += [tag] if tag not in TAGS else []
        self.strange += [name for name in attributes if name.startswith("on") or name in {"style", "srcdoc"}]
        if tag == "script" and not (attributes.get("src") or "").startswith("/static/"):
            self.strange.append("script that is not a file of ours")
        for name in ("href", "action", "src"):
            if not re.match(r"/|#|https://(signin\.aliyun|idp\.example)\.com/", attributes.get(name) or "/"):
                self.strange.append(attributes[name])

    def handle_data(self, data):
        if self.cdata_elem == "script" and data.strip():
            self.strange.append("script in the page")


def find_strange(response):
    """Return what a page has beside our own elements: what somebody's text would have become."""
    reader = _Reader()
    reader.feed(response.text)
    return reader.strange


def test_the_reader_finds_markup():
    class Page:
        text = f"<p>{MARK}</p><a href='javascript:x'></a>"

    assert find_strange(Page) == [
        "script that is not a file of ours",
        "script in the page",
        "img",
        "onerror",
        "x",
        "javascript:x",
    ]


@pytest.fixture
def marked(service, tmp_path):
    """Return a node in whose configuration every text that people see is markup."""
    source = service.configuration.folder
    folder = source.parent / f"config-{tmp_path.name}"
    shutil.copytree(source, folder)
    title = json.dumps(MARK)
    for file in (*folder.glob("providers/*.yaml"), *folder.glob("accounts/*.yaml")):
        file.write_text(re.sub(r"(?m)^title: .*$", f"title: {title}", file.read_text()))
    saml = folder / "providers" / "corp.yaml"
    saml.write_text(f"{saml.read_text()}request_binding: post\n")
    rules = folder / "rules" / "10.yaml"
    words = f", title: {title}, purpose: {title}, owner: {title}}}"
    rules.write_text(re.sub(r"(?m)(- \{account.*)\}$", lambda match: match[1] + words, rules.read_text()))
    before = service.configuration
    service.configuration = replace(load_configuration(folder), audit=before.audit)
    yield service.start()
    service.configuration = before


def state_markup(draft):
    """Let everything that a provider may state about a person be markup."""
    add_attribute(draft, "displayName", MARK)
    add_attribute(draft, MARK, MARK)
    draft.find("//saml:Attribute[@Name='mail']/saml:AttributeValue").text = MARK
    draft.find("//saml:AuthnStatement").set("SessionIndex", MARK)
    draft.find("//saml:AuthnContextClassRef").text = MARK
    return draft


@pytest.mark.usefixtures("no_failures")
def test_t_web_04_markup_in_every_field_is_text_on_every_page(service, marked):
    visitor = Visitor(marked)
    pages = {"choose": visitor.get(f"/sign-in?return_to=/{quote(MARK)}"), "ask": visitor.get("/sign-in/corp")}
    draft = state_markup(draft_response("tiles", None, MARK, groups=("platform", MARK.replace("<", "&lt;"))))
    pages["confirm"] = post_response(visitor, "tiles", draft.encode(), MARK)
    visitor.submit(pages["confirm"], "/sign-in/confirm")
    assert visitor.is_signed_in_as(MARK)
    pages["portal"] = visitor.get("/")
    pages["credentials"] = ask_for(visitor, "credentials")
    pages["console"] = ask_for(visitor, "console")
    visitor.get("/sign-in/staff")
    service.staff.claims = {"sub": "<b>eve</b>", "name": MARK, "email": MARK, "groups": [MARK], MARK: MARK}
    pages["switch"] = call_back(visitor, "staff", service.staff.authorize(begin(visitor, "staff").url, "eve"))
    for name, page in pages.items():
        assert (name, page.status_code, page.mimetype) == (name, 200, "text/html")
        assert (name, find_strange(page)) == (name, [])
        assert MARK in read(page).text() or name == "credentials", name
        assert "49" not in read(page).text().replace("&", "") or name == "credentials", (
            "a template in a text is not run"
        )


def test_t_web_04_the_api_answers_markup_as_json(service, visitor):
    draft = state_markup(draft_response("tiles", None, MARK))
    visitor.submit(post_response(visitor, "tiles", draft.encode()), "/sign-in/confirm")
    answer = visitor.get("/api/v1/session")
    assert (answer.mimetype, answer.headers["X-Content-Type-Options"]) == ("application/json", "nosniff")
    assert answer.json["claims"]["name"] == [MARK]


@pytest.mark.usefixtures("no_failures")
@pytest.mark.parametrize("mark", [MARK, "{{7*7}}%00", "../" * 50, "\u202e\u4f60", "%s%n"], ids=str)
def test_t_web_04_nothing_of_an_address_or_a_form_is_shown_on_an_error_page(service, visitor, mark):
    sign_in(visitor)
    csrf = read(visitor.get("/")).forms[0].fields["csrf_token"]
    quoted, pairs = quote(mark, safe=""), urlencode({"state": mark, "error": mark, "error_description": mark})
    pages = [
        visitor.get(f"/{quoted}"),
        visitor.get(f"/static/{quoted}"),
        visitor.get(f"/sign-in/{quoted}"),
        visitor.get(f"/saml/{quoted}/metadata"),
        visitor.get(f"/oidc/staff/callback?{pairs}"),
        visitor.get(f"/oidc/{quoted}/callback?{pairs}"),
        visitor.get(f"/oidc/staff/initiate?{urlencode({'iss': mark})}"),
        visitor.get(f"/api/v1/{quoted}"),
        visitor.post(f"/saml/{quoted}/acs", {"SAMLResponse": mark, "RelayState": mark}),
        visitor.post(f"/console/{quoted}", {"csrf_token": csrf}),
        visitor.post(f"/credentials/{quoted}", {"csrf_token": mark}),
        visitor.post("/sign-in/confirm", {"token": mark}),
        visitor.request("X-OTHER", f"/{quoted}"),
    ]
    for page in pages:
        assert 400 <= page.status_code < 500
        assert find_strange(page) == [] or page.mimetype == "application/json"
        assert mark not in page.text
        assert "pwned" not in page.text
        assert "pwned" not in str(page.headers)


# ── WEB-05, WEB-08: headers of every route ───────────────────────────────────────────────────────────────────

SAMPLES = {
    "id": "terminal.x",
    "provider": "corp",
    "entitlement_id": "x",
    "account": "x",
    "role": "x",
    "token": "x",
    "filename": "portal.css",
    "name": "x",
    "number": "1",
    "position": "0",
    "digest": "0" * 32,
    "reference": "0000-0000-0000",
    "version": "0" * 64,
    "request_id": "0" * 12,
    "run_id": "0" * 32,
}


def routes(app, method):
    """Yield every address of ours that takes the method."""
    for rule in app.url_map.iter_rules():
        if method in rule.methods:
            with app.test_request_context(base_url=PUBLIC_URL):
                values = {name: SAMPLES[name] for name in rule.arguments}
                yield rule.endpoint, app.url_map.bind("").build(rule.endpoint, values, method)


def policy(response):
    directives = (part.split() for part in response.headers["Content-Security-Policy"].split(";"))
    return {name: values for name, *values in directives}


def assert_protected(response, form_action=()):
    headers = response.headers
    assert policy(response) == {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'", *form_action],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
        "require-trusted-types-for": ["'script'"],
    }
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    assert int(re.fullmatch(r"max-age=(\d+)", headers["Strict-Transport-Security"])[1]) >= 31_536_000
    assert "Access-Control-Allow-Origin" not in headers
    assert len(headers.getlist("Cache-Control")) == 1


PUBLIC = {"static", "published.saml_sp", "published.saml_idp", "published.discovery", "published.jwks"}
"""What may be kept by caches: it is the same for everybody."""


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "PUT"])
@pytest.mark.parametrize("signed_in", [True, False])
def test_t_web_05_every_route_has_every_header_and_t_web_08_nothing_personal_is_cached(
    service, app, visitor, method, signed_in
):
    if signed_in:
        sign_in(visitor)
    for endpoint, url in routes(app, "GET" if method == "PUT" else method):
        response = visitor.request(method, url)
        assert response.status_code < 500, endpoint
        assert_protected(response)
        cacheable = endpoint in PUBLIC and response.status_code == 200 and method != "OPTIONS"
        if not cacheable or endpoint == "static":
            assert response.headers["Cache-Control"] in {"no-store", "no-cache"}, endpoint
        else:
            assert response.headers["Cache-Control"] == "public, max-age=300", endpoint


def test_t_web_05_a_form_can_only_be_sent_where_its_page_needs_it(service, visitor):
    page = post_response(visitor, "tiles", draft_response("tiles", None).encode())
    assert_protected(page, [CONSOLE_ORIGIN])
    visitor.submit(page, "/sign-in/confirm")
    assert_protected(visitor.get("/"))
    assert_protected(ask_for(visitor, "credentials"))
    console = ask_for(visitor, "console")
    assert_protected(console, [CONSOLE_ORIGIN])
    assert [form.action for form in read(console).forms] == [CONSOLE]


def test_t_web_05_a_question_by_form_can_only_be_sent_to_its_provider(service, marked):
    page = Visitor(marked).get("/sign-in/corp")
    assert_protected(page, ["https://idp.example.com"])
    assert [form.action for form in read(page).forms] == ["https://idp.example.com/saml/sso"]


@pytest.mark.parametrize(
    ("url", "options", "status"),
    [
        ("/nowhere", {}, 404),
        ("/api/nowhere", {}, 404),
        ("/sign-out", {}, 405),
        ("/", {"headers": {"Host": "evil.example"}}, 421),
        ("/", {"headers": {"Cookie": f"x={'y' * 20_000}"}}, 413),
        ("/sign-in/nobody", {}, 400),
        ("/health/live", {}, 500),
    ],
)
def test_t_web_05_error_pages_have_every_header_and_are_not_cached(
    service, visitor, monkeypatch, *, url, options, status
):
    if status == 500:
        monkeypatch.setitem(visitor.app.view_functions, "health.live", lambda: 1 / 0)
    response = visitor.get(url, **options)
    assert response.status_code == status
    assert_protected(response)
    assert response.headers["Cache-Control"] == "no-store"


def test_t_web_08_after_sign_out_the_back_button_finds_nothing(service, visitor):
    sign_in(visitor)
    shown = [visitor.get("/"), ask_for(visitor, "credentials"), ask_for(visitor, "console")]
    shown.append(visitor.get("/api/v1/session"))
    assert {page.headers["Cache-Control"] for page in shown} == {"no-store"}
    visitor.submit(visitor.get("/"), "/sign-out")
    assert visitor.get("/").location == "/sign-in?return_to=/"


def test_t_web_08_a_file_is_kept_only_under_the_address_of_its_content(service, visitor):
    [style] = re.findall(r'href="(/static/portal\.css\?v=[0-9a-f]{12})"', visitor.get("/sign-in").text)
    assert visitor.get(style).headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "immutable" not in visitor.get("/static/portal.css").headers["Cache-Control"]
    assert visitor.get("/static/nothing.css?v=1").headers["Cache-Control"] == "no-store"


# ── WEB-06: hosts ────────────────────────────────────────────────────────────────────────────────────────────

HOSTS = [
    "evil.example",
    "evil.example:443",
    "bridge.example.com.evil.example",
    "evil.example/bridge.example.com",
    "bridge.example.com@evil.example",
    "bridge.example.com:x",
    "bridge.example.com:99999",
    "bridge.example.com, evil.example",
    "bridge.example.com.",
    " bridge.example.com",
    "sub.bridge.example.com",
    "example.com",
    "127.0.0.1",
    "[::1]",
    "[",
    "b\u00fcrger.example",
    "<script>",
    "",
]


@pytest.mark.usefixtures("no_failures")
@pytest.mark.parametrize("host", HOSTS, ids=repr)
@pytest.mark.parametrize("url", ["/", "/sign-in/corp", "/saml/corp/acs", "/nowhere", "/api/v1/session"])
def test_t_web_06_another_host_is_refused_on_a_plain_page(service, visitor, host, url):
    response = visitor.request("POST" if url.endswith("acs") else "GET", url, headers={"Host": host})
    assert response.status_code == 421
    assert "web_host" in response.text
    assert "Set-Cookie" not in response.headers
    assert host not in response.text or host in {"", "[", "example.com"}
    assert "evil" not in response.text + str(response.headers)
    assert_protected(response)


@pytest.mark.parametrize("host", ["bridge.example.com", "bridge.example.com:443", "bridge.example.com:8443"])
def test_t_web_06_no_address_that_we_hand_out_comes_from_the_host_header(service, visitor, host):
    forwarded = {"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example", "X-Forwarded-Prefix": "/evil"}
    headers = {"Host": host, **forwarded}
    documents = [
        visitor.get(url, headers=headers).text
        for url in ("/.well-known/openid-configuration", "/saml/corp/metadata", "/cloud/saml/metadata")
    ]
    location = visitor.get("/sign-in/staff", headers=headers).location
    assert all(PUBLIC_URL in document for document in documents)
    assert quote(f"{PUBLIC_URL}/oidc/staff/callback", safe="") in location
    for text in (*documents, location, visitor.get("/", headers=headers).location):
        assert "evil" not in text
        assert "8443" not in text


def test_t_web_06_an_absolute_target_counts_no_more_than_the_host_header(service, visitor):
    response = visitor.get("/sign-in", base_url="https://evil.example")
    assert (response.status_code, find_code(response)) == (421, "web_host")


# ── WEB-07: forwarded headers ────────────────────────────────────────────────────────────────────────────────

PROXY = "10.1.2.3"
FORGED = {
    "X-Forwarded-For": "203.0.113.9",
    "X-Real-IP": "203.0.113.10",
    "Forwarded": "for=203.0.113.11;proto=http;host=evil.example",
    "X-Client-IP": "203.0.113.12",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Port": "1",
    "X-Forwarded-Prefix": "/evil",
    "X-Original-URL": "/sign-out",
    "X-HTTP-Method-Override": "GET",
}


def behind(service, count):
    """Return a node that stands behind so many proxies in 10.0.0.0/8."""
    settings = service.configuration.settings
    proxies = settings.trusted_proxies.model_copy(update={"count": count, "addresses": ("10.0.0.0/8", "fd00::/8")})
    return service.start(settings=settings.model_copy(update={"trusted_proxies": proxies}))


def seen_address(service, node, peer, headers):
    """Return the address that the record of a refused response names."""
    last = service.last()
    response = post_response(Visitor(node, peer), "corp", "!", headers=headers)
    assert (response.status_code, find_code(response)) == (400, "saml_base64")
    return service.records(last)[0]["source_address"]


@pytest.mark.parametrize("peer", [ADDRESS, PROXY, "127.0.0.1", "::1"])
def test_t_web_07_without_configured_proxies_no_forwarded_header_counts(service, app, peer):
    assert seen_address(service, app, peer, FORGED) == peer


@pytest.mark.parametrize(
    ("count", "peer", "forwarded", "address"),
    [
        (1, PROXY, "203.0.113.9", "203.0.113.9"),
        (1, PROXY, "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        (1, "fd00::1", "2001:db8::9", "2001:db8::9"),
        (1, PROXY, None, PROXY),
        (1, ADDRESS, "203.0.113.9", ADDRESS),
        (1, "11.0.0.1", "203.0.113.9", "11.0.0.1"),
        (1, "::ffff:192.0.2.7", "203.0.113.9", "::ffff:192.0.2.7"),
        (2, PROXY, "203.0.113.9, 10.9.9.9", "203.0.113.9"),
        (2, PROXY, "198.51.100.1, 203.0.113.9, 10.9.9.9", "203.0.113.9"),
        (2, PROXY, "203.0.113.9", PROXY),
    ],
)
def test_t_web_07_only_the_listed_proxies_say_who_the_client_is(service, count, peer, forwarded, address):
    headers = {name: value for name, value in FORGED.items() if name not in {"X-Forwarded-For", "X-Forwarded-Proto"}}
    headers |= {"X-Forwarded-For": forwarded} if forwarded else {}
    assert seen_address(service, behind(service, count), peer, headers) == address


@pytest.mark.usefixtures("no_failures")
@pytest.mark.parametrize(
    "text", ["<script>", "unknown", "203.0.113.9:1234", "x" * 5_000, "", "'; DROP TABLE x", "\u00ff"]
)
def test_t_web_07_what_a_listed_proxy_forwards_may_be_anything(service, text):
    node = behind(service, 1)
    assert seen_address(service, node, PROXY, {"X-Forwarded-For": text}) == PROXY, "only an address is believed"
    visitor = Visitor(node, PROXY)
    question = begin(visitor, "corp")
    encoded = draft_response("corp", question.request_id).encode()
    response = post_response(visitor, "corp", encoded, question.handle, headers={"X-Forwarded-For": text})
    assert response.status_code == 303


@pytest.mark.parametrize("count", [0, 1])
def test_t_web_07_a_forwarded_scheme_does_not_weaken_cookies_or_headers(service, app, count):
    node = behind(service, 1) if count else app
    response = Visitor(node, PROXY).get("/sign-in/corp", headers={"X-Forwarded-Proto": "http"})
    assert "Secure" in response.headers["Set-Cookie"]
    assert_protected(response)


# ── WEB-11: cross-site requests ──────────────────────────────────────────────────────────────────────────────

FROM_ELSEWHERE = {
    "login.acs",
    "login.initiate",
    "logout.slo",
    "logout.backchannel",
    "portal_protocol.authorize_device",
    "portal_protocol.create_token",
    "portal_protocol.create_credentials",
    "oauth.push",
    "oauth.authorize_device",
    "oauth.token",
    "oauth.revoke",
}
"""What other sites, and programs, are meant to post to; none of them trusts a session for it."""


WITHOUT_A_SESSION = {"login.confirm", "login.lead", "languages.choose"}
"""What people do before they are signed in: guarded by where the form came from."""


def guarded(app):
    return [(endpoint, url) for endpoint, url in routes(app, "POST") if endpoint not in FROM_ELSEWHERE]


def test_t_web_11_every_route_that_changes_something_is_known_to_these_tests(app):
    assert {endpoint for endpoint, _ in guarded(app)} == {
        "languages.choose",
        "login.confirm",
        "login.lead",
        "logout.end",
        "portal.console",
        "portal.credentials",
        "portal.favourite",
        "find.answer",
        "own_sessions.end",
        "own_sessions.end_others",
        "links.make",
        "devices.allow",
        "devices.refuse",
        "api.credentials",
        "api.links",
        "api.logout",
        "consent.allow",
        "consent.refuse",
        "admin_explain.answer",
        "admin_preview.start",
        "admin_versions.promote",
        "admin_versions.roll_back",
        "admin_versions.confirm",
        "admin_versions.reject",
        "audit_people.find",
        "audit_saved.forget",
        "audit_saved.keep",
        "audit_records.ask",
        "audit_records.search",
    }


def token_of(visitor):
    return read(visitor.get("/")).forms[0].fields["csrf_token"]


@pytest.mark.usefixtures("no_failures")
@pytest.mark.parametrize(
    ("site", "origin", "token"),
    [
        ("cross-site", None, "own"),
        ("same-site", None, "own"),
        ("none", None, "own"),
        ("", None, "own"),
        ("Same-Origin", None, "own"),
        ("cross-site", PUBLIC_URL, "own"),
        (None, None, "own"),
        (None, "null", "own"),
        (None, "https://evil.example", "own"),
        (None, f"{PUBLIC_URL}.evil.example", "own"),
        (None, "http://bridge.example.com", "own"),
        (None, f"{PUBLIC_URL}:8443", "own"),
        ("same-origin", None, None),
        ("same-origin", None, ""),
        ("same-origin", None, "another"),
        ("same-origin", None, "cut"),
        ("same-origin", None, "\u4f60"),
        (None, PUBLIC_URL, "another"),
    ],
)
def test_t_web_11_a_request_that_is_not_from_our_own_page_changes_nothing(
    service, app, visitor, *, site, origin, token
):
    other = Visitor(app)
    sign_in(visitor)
    sign_in(other, "eve@example.com")
    own = token_of(visitor)
    sent = {"own": own, "another": token_of(other), "cut": own[:-1]}.get(token, token)
    ids = entitlements(visitor)
    before, last = service.memory(), service.last()
    for endpoint, url in guarded(app):
        if endpoint in WITHOUT_A_SESSION and token != "own":
            continue  # no session, no token of one; the confirmation has another kind: see test_sign_in_binding.py
        # The attack is the strongest: the browser is one that sends its cookies whatever the site.
        response = visitor.request(
            "POST",
            url.replace("/x", f"/{ids['production']}"),
            site=None,
            data={} if sent is None else {"csrf_token": sent},
            headers={
                **({} if site is None else {"Sec-Fetch-Site": site}),
                **({} if origin is None else {"Origin": origin}),
                **({"X-CSRF-Token": sent} if sent and sent.isascii() else {}),
            },
        )
        assert (endpoint, response.status_code, find_code(response)) == (endpoint, 403, "web_cross_site")
        assert "Set-Cookie" not in response.headers
    assert service.memory() == before
    assert service.last() == last
    assert service.sts.requests == []
    assert visitor.is_signed_in_as("alice@example.com")


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "same-origin"}, {"Origin": PUBLIC_URL}])
def test_t_web_11_a_request_from_our_own_page_is_done(service, visitor, headers):
    sign_in(visitor)
    form = {"csrf_token": token_of(visitor)}
    ids = entitlements(visitor)
    for url in (f"/console/{ids['sandbox']}", f"/credentials/{ids['production']}"):
        assert visitor.post(url, form, site=None, headers=headers).status_code == 200
    assert visitor.post("/sign-out", form, site=None, headers=headers).location == "/signed-out"


@pytest.mark.parametrize("method", ["POST", "GET", "HEAD"])
def test_t_web_11_without_a_session_nothing_is_done(service, app, visitor, method):
    pages = {url for _, url in routes(app, method)}
    for endpoint, url in guarded(app):
        if endpoint not in WITHOUT_A_SESSION:
            response = visitor.request(method, url, data={"csrf_token": ""} if method == "POST" else None)
            shown = 303 if url in pages else 405  # a page that is also a form leads to the sign-in
            assert response.status_code == (401 if method == "POST" else shown)
    assert service.memory() == {}


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_t_web_11_looking_changes_nothing(service, app, visitor, method):
    sign_in(visitor)
    ids, token = entitlements(visitor), token_of(visitor)
    before, last = service.memory(), service.last()
    for endpoint, url in (*routes(app, method), *routes(app, "POST")):
        if endpoint not in {"login.start", "login.callback", "login.initiate", "logout.slo", "logout.frontchannel"}:
            target = url.replace("/x", f"/{ids['production']}")
            assert visitor.request(method, f"{target}?csrf_token={token}").status_code < 500
    assert service.memory() == before
    assert {record["event"] for record in service.records(last)} <= {
        "administration.refused",
        "audit.refused",
        "choice.refused",
    }
    for endpoint, url in routes(app, method):
        if endpoint in {"login.start", "login.initiate"}:
            visitor.request(
                method, url.replace("/oidc/corp", "/oidc/staff") + f"?{urlencode({'iss': service.staff.issuer})}"
            )
    kept = {name: value for name, value in service.memory().items() if b":pending:" not in name}
    assert kept == before, "a question may be asked at any time, and does nothing until it is answered"
    assert visitor.is_signed_in_as("alice@example.com")


@pytest.mark.parametrize("purpose", ["console", "credentials"])
@pytest.mark.parametrize("chosen", ["x", "", "../sign-out", "A" * 2_000, "of somebody else"])
def test_what_is_not_granted_is_refused_and_recorded(service, app, visitor, purpose, chosen):
    sign_in(visitor, groups=("staff",))
    if chosen == "of somebody else":
        other = Visitor(app)
        sign_in(other, "bob@example.com")
        chosen = entitlements(other)["production"]
    token = visitor.get("/").text.split('csrf_token" value="')[1].split('"')[0]
    last = service.last()
    response = visitor.post(f"/{purpose}/{quote(chosen, safe='')}", {"csrf_token": token})
    assert response.status_code in {403, 404}
    if response.status_code == 403:
        assert find_code(response) == "not_entitled"
        assert [record["event"] for record in service.records(last)] == ["choice.refused"]
    assert service.sts.requests == []


# ── WEB-17: sizes ────────────────────────────────────────────────────────────────────────────────────────────

FORM = "application/x-www-form-urlencoded"


@pytest.mark.usefixtures("no_failures")
@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "chunked"])
def test_t_web_17_a_body_that_is_too_large_is_refused_everywhere(service, app, visitor, chunked):
    sign_in(visitor)
    body = b"csrf_token=" + b"x" * MAX_REQUEST_BYTES
    for endpoint, url in routes(app, "POST"):
        options = {"data": body, "content_type": FORM}
        if chunked:
            terminated = {"wsgi.input_terminated": True, "REMOTE_ADDR": ADDRESS}
            options = {"input_stream": io.BytesIO(body), "environ_overrides": terminated, "content_type": FORM}
        response = visitor.post(url.replace("/oidc/corp", "/oidc/staff"), **options)
        if endpoint == "logout.backchannel":  # the standard knows 200 and 400 alone
            assert (response.status_code, response.json["code"]) == (400, "web_too_large")
        elif endpoint == "portal_protocol.create_credentials":  # who asks is looked at before what is asked
            assert (response.status_code, response.json["ErrorCode"]) == (401, "terminal_token_unknown")
        elif endpoint.startswith("portal_protocol."):
            assert response.status_code == 413
            assert response.json["ErrorCode"] in ("web_too_large", "InvalidDeviceCodeError")
        elif endpoint.startswith("api."):  # the same, and a token in the form is not in the header
            assert (response.status_code, find_code(response)) == (403, "web_cross_site")
        elif endpoint.startswith("oauth."):
            assert (response.status_code, response.json["code"]) == (413, "web_too_large")
        else:
            assert (endpoint, response.status_code, find_code(response)) == (endpoint, 413, "web_too_large")
        assert_protected(response)


def test_t_web_17_a_large_response_within_the_bound_is_judged_by_what_it_is(service, visitor):
    question = begin(visitor, "corp")
    draft = draft_response("corp", question.request_id, groups=tuple(f"group-{n}-{'x' * 150}" for n in range(999)))
    encoded = draft.encode()
    assert 250_000 < len(encoded) < MAX_REQUEST_BYTES
    assert post_response(visitor, "corp", encoded, question.handle).status_code == 303
    last = service.last()
    response = post_response(visitor, "corp", "A" * (MAX_REQUEST_BYTES + 1))
    assert (response.status_code, find_code(response)) == (413, "web_too_large")
    [record] = service.records(last)
    assert (record["event"], record["code"]) == ("sign_in.refused", "web_too_large")


@pytest.mark.parametrize("parts", [101, 2_000])
def test_t_web_17_too_many_parts_of_a_form_are_refused(service, visitor, parts):
    fields = {f"f{number}": "x" for number in range(parts)}
    response = visitor.post("/saml/corp/acs", fields, content_type="multipart/form-data", site="cross-site")
    assert (response.status_code, find_code(response)) == (413, "web_too_large")


def test_t_web_17_of_a_pushed_request_nothing_long_is_kept(service, visitor):
    pushed = {
        "client_id": CLIENT_ID,
        "response_type": "code",
        "redirect_uri": "http://127.0.0.1:54321/callback",
        "state": "s" * 128,
        "code_challenge": "c" * 43,
        "code_challenge_method": "S256",
        "resource": f"{PUBLIC_URL}/api/v1",
    }
    answer = visitor.post("/oauth/par", pushed | {"padding": random.Random(1).randbytes(6_000).hex()})
    assert answer.status_code == 201
    assert sum(map(len, filter(None, service.memory().values()))) < 1_000
    sign_in(visitor)
    page = visitor.get(f"/oauth/authorize?{urlencode({'client_id': CLIENT_ID, **answer.json})}")
    assert page.status_code == 200
    assert "127.0.0.1:54321" in page.text


BROKEN = {
    "JSON": (b'{"SAMLResponse": "PA=="}', "application/json"),
    "plain text": (b"SAMLResponse=PA%3D%3D", "text/plain"),
    "no type": (b"SAMLResponse=PA%3D%3D", ""),
    "multipart cut short": (b"--x\r\nContent-Disposition: form-data; name=SAML", "multipart/form-data; boundary=x"),
    "multipart without boundary": (b"--x", "multipart/form-data"),
    "multipart with an endless boundary": (b"--x", f"multipart/form-data; boundary={'x' * 10_000}"),
    "bytes": (bytes(range(256)), FORM),
    "not UTF-8": (b"SAMLResponse=%ff%fe", FORM),
    "many fields": (b"&".join(b"a%d=b" % n for n in range(40_000)), FORM),
    "only separators": (b"&" * 100_000, FORM),
    "nothing": (b"", FORM),
}


@pytest.mark.usefixtures("no_failures")
@pytest.mark.parametrize(("body", "kind"), BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("url", ["/saml/corp/acs", "/sign-in/confirm", "/sign-out", "/oidc/staff/initiate"])
def test_t_web_17_a_body_that_is_no_form_is_refused(service, visitor, url, body, kind):
    sign_in(visitor)
    response = visitor.post(url, body, content_type=kind)
    assert response.status_code in {400, 403}
    assert find_strange(response) == []


# ── WEB-13: secrets ──────────────────────────────────────────────────────────────────────────────────────────


class Witness(Visitor):
    """A browser that remembers every answer and every secret that passed through it."""

    def __init__(self, app):
        super().__init__(app)
        self.answers = []
        self.secrets = set()

    def request(self, method, url, **options):
        response = super().request(method, url, **options)
        self.answers.append(response)
        self.secrets |= {value for name, value in self.cookies.items() if value and name != PROVIDER_COOKIE}
        for form in read(response).forms:
            self.secrets |= {form.fields[name] for name in ("csrf_token", "token") if name in form.fields}
        return response

    def bring(self, provider, encoded, relay_state=None):
        self.secrets.add(encoded)
        return post_response(self, provider, encoded, relay_state)

    def come_back(self, service):
        callback = service.staff.authorize(begin(self, "staff").url)
        self.secrets.add(dict(callback)["code"])
        return call_back(self, "staff", callback)


def use_everything(service, witness):
    """Go through all of it, honestly."""
    witness.submit(witness.bring("tiles", draft_response("tiles", None).encode()), "/sign-in/confirm")
    question = begin(witness, "corp")
    witness.bring("corp", draft_response("corp", question.request_id).encode(), question.handle)
    for account in ("production", "sandbox"):
        assert ask_for(witness, "credentials", account).status_code == 200
        assert ask_for(witness, "console", account).status_code == 200
    witness.submit(witness.get("/"), "/sign-out")
    assert witness.come_back(service).status_code == 303
    assert witness.is_signed_in_as("ada")
    witness.submit(witness.get("/"), "/sign-out")


def fail_everywhere(service, witness):
    """Let every stage fail, in the ways that it has words for and in one that it has not."""
    replayed = draft_response("tiles", None).encode()
    for _ in range(2):
        witness.bring("tiles", replayed)
    for draft in (draft_response("corp", "_unknown"), draft_response("corp", None, signed="none")):
        assert witness.bring("corp", draft.encode()).status_code == 400
    witness.get("/sign-in/staff")
    for part, change in (("claims", {"aud": "x"}), ("header", {"kid": "x"}), ("token_response", {"token_type": "x"})):
        setattr(service.staff, part, change)
        assert witness.come_back(service).status_code == 400
        setattr(service.staff, part, {})
    told = {"error": "invalid_client", "error_description": f"{CLIENT_SECRET} is wrong"}
    service.staff.replies["/token"] = Reply(401, json.dumps(told).encode())
    assert witness.come_back(service).status_code == 400
    service.staff.replies.clear()

    sign_in(witness)
    for account in ("production", "sandbox"):
        for change in ({"AssumedRoleUser.Arn": "acs:ram::1:role/x/y"}, {"Credentials.Expiration": None}):
            service.sts.changes = change
            assert ask_for(witness, "credentials", account).status_code == 502
        service.sts.refuse("NoPermission", "what you sent")
        assert ask_for(witness, "credentials", account).status_code == 403
        service.sts.behave()
    assert witness.post("/credentials/of-somebody-else", {"csrf_token": token_of(witness)}).status_code == 403


EXPLOSIONS = [
    "bridge.identity.saml.rehearsal.verify_response",
    "bridge.identity.oidc.relying_party.redeem_code",
    "bridge.identity.oidc.relying_party.verify_id_token",
    "bridge.identity.replay.ReplayMemory.claim",
    "bridge.identity.pending.PendingSignIns.find",
    "bridge.identity.pending.UnconfirmedSignIns.save",
    "bridge.sessions.store.SessionStore.create",
    "bridge.sessions.store.SessionStore.load",
    "bridge.federation.resolve",
    "bridge.federation.choose",
    "bridge.exchange.assume.issue_response",
    "bridge.exchange.sts_client.STSClient.call",
    "bridge.exchange.assume._read_answer",
    "bridge.delivery.console.Console.build_form",
    "bridge.web.portal.write_json",
    "bridge.audit.log.AuditLog.append",
    "bridge.audit.writer.Writer._place",
]
"""A place in every stage and in everything that stages lean on."""


def explode(service, witness, patch, place):
    """Let a place raise something unexpected whose text is full of secrets; return the statuses that people see."""
    witness.cookies.pop(SESSION_COOKIE, None)
    sign_in(witness)
    question = begin(witness, "corp")
    ids, form = entitlements(witness), {"csrf_token": token_of(witness)}

    def fail(*arguments, **named):
        raise RuntimeError(f"{arguments} {named} {witness.secrets} {service.sts.secrets}")

    for kept in service.redis.keys("rambridge:credentials:*"):  # or nothing would be exchanged
        service.redis.delete(kept)
    patch.setattr(place, fail)
    answers = [
        witness.get("/"),
        *(witness.post(f"/credentials/{each}", form) for each in ids.values()),
        witness.post(f"/console/{ids['production']}", form),
        witness.bring("tiles", draft_response("tiles", None).encode()),
        witness.bring("corp", draft_response("corp", question.request_id).encode(), question.handle),
        witness.come_back(service),
    ]
    return {answer.status_code for answer in answers}


def private_keys(service):
    """Return the lines of every private key, and the keys that seal: none of them may turn up anywhere."""
    folder = service.configuration.settings.key_folder
    texts = "".join(file.read_text() for file in folder.rglob("*.pem"))
    blocks = re.findall(r"BEGIN PRIVATE KEY-----\n(.*?)-----END", texts, re.DOTALL)
    lines = {line for block in blocks for line in block.splitlines() if len(line) > 40}
    sealing = {file.read_text().strip() for file in folder.rglob("*.key")}
    assert len(lines) > 100
    assert len(sealing) == 4
    return lines | sealing


@pytest.fixture
def witness(service, app):
    return Witness(app)


def read_database(service):
    """Return the bytes of the audit log, as whoever steals the disk sees them."""
    path = service.configuration.settings.audit.removeprefix("sqlite:///")
    return "".join(file.read_bytes().decode("latin-1") for file in sorted(Path(path).parent.glob("audit.db*")))


def find_in(secrets, text):
    return sorted(secret[:12] for secret in secrets if secret in text or quote(secret, safe="") in text)


def test_t_web_13_no_secret_is_in_a_log_a_record_an_error_page_an_address_or_the_memory(
    service, witness, monkeypatch, caplog
):
    last = service.last()
    with caplog.at_level(logging.DEBUG):
        use_everything(service, witness)
        fail_everywhere(service, witness)
        for place in EXPLOSIONS:
            with monkeypatch.context() as patch:
                assert {500, 503} & explode(service, witness, patch, place), place

    pages = "".join(page.text for page in witness.answers)
    issued = set(service.sts.secrets)
    sent = {
        name: {request.form.get(name) for request in service.sts.requests} for name in ("SAMLAssertion", "OIDCToken")
    }
    secrets = {
        "issued": issued,
        "handed over": set(re.findall(r'name="SAMLResponse" value="([^"]*)"', pages)),
        "presented": (sent["SAMLAssertion"] | sent["OIDCToken"]) - {None},
        "PKCE": {request.form.get("code_verifier") for request in service.staff.requests} - {None},
        "carried by browsers": witness.secrets,
    }
    assert all(len(each) >= 4 for each in secrets.values()), "everything was used"
    everything = {CLIENT_SECRET, *private_keys(service), *set().union(*secrets.values())}
    places = {
        "log": caplog.text,
        "records": json.dumps(service.records(last)),
        "database": read_database(service),
        "memory": str(service.memory()),
        "addresses": " ".join(page.location or "" for page in witness.answers),
        "error pages": "".join(page.text for page in witness.answers if page.status_code >= 400),
    }
    assert {place: find_in(everything, text) for place, text in places.items()} == {place: [] for place in places}
    assert find_in({witness.session, witness.browser}, pages) == [], "cookies are in no page at all"
    shown = [page for page in witness.answers if find_in(issued, page.text)]
    assert {(page.status_code, page.request.path.split("/")[1]) for page in shown} == {(200, "credentials")}


# ── STS-15, OUT-02: the STS that we ask ──────────────────────────────────────────────────────────────────────

ARN = "acs:ram::1000000000000001:role/ReadOnly/alice@example.com"
STS_CHANGES = {
    "another account": {"AssumedRoleUser.Arn": ARN.replace("01:", "02:")},
    "another role": {"AssumedRoleUser.Arn": ARN.replace("ReadOnly", "Admin")},
    "a longer role": {"AssumedRoleUser.Arn": ARN.replace("ReadOnly", "ReadOnlyAdmin")},
    "another session": {"AssumedRoleUser.Arn": ARN.replace("alice", "bob")},
    "another partition": {"AssumedRoleUser.Arn": ARN.replace("acs", "aws")},
    "no ARN": {"AssumedRoleUser.Arn": None},
    "empty ARN": {"AssumedRoleUser.Arn": ""},
    "no user": {"AssumedRoleUser": None},
    "a user that is text": {"AssumedRoleUser": ARN},
    "expired": {"Credentials.Expiration": "2026-03-02T08:00:00Z"},
    "valid for a day": {"Credentials.Expiration": "2026-03-03T09:00:00Z"},
    "valid for ever": {"Credentials.Expiration": "9999-12-31T23:59:59Z"},
    "another time zone": {"Credentials.Expiration": "2026-03-02T09:30:00+08:00"},
    "no time": {"Credentials.Expiration": "soon"},
    "a number as time": {"Credentials.Expiration": 1772445600},
    "no expiry": {"Credentials.Expiration": None},
    "no secret": {"Credentials.AccessKeySecret": None},
    "empty secret": {"Credentials.AccessKeySecret": ""},
    "a list as secret": {"Credentials.AccessKeySecret": ["secret"]},
    "a number as token": {"Credentials.SecurityToken": 12345},
    "empty token": {"Credentials.SecurityToken": ""},
    "no token": {"Credentials.SecurityToken": None},
    "empty key": {"Credentials.AccessKeyId": ""},
    "credentials that are a list": {"Credentials": ["a", "b"]},
    "credentials that are null": {"Credentials": {}},
}
STS_REPLIES = {
    "HTML": (Reply(200, b"<html><h1>sign in</h1></html>", {"Content-Type": "text/html"}), "exchange_unavailable", 503),
    "HTML with an error": (Reply(502, b"<html>bad gateway</html>"), "exchange_unavailable", 503),
    "nothing": (Reply(200, b""), "exchange_unavailable", 503),
    "no answer": (Reply(raw=b""), "exchange_unavailable", 503),
    "a list": (Reply(200, b"[]"), "exchange_unavailable", 503),
    "deep": (Reply(200, b"[" * 60_000), "exchange_unavailable", 503),
    "large": (Reply(200, b'{"Credentials": "' + b"x" * 5_000_000 + b'"}'), "exchange_unavailable", 503),
    "slow": (Reply(200, b"{}", delay_seconds=120), "exchange_unavailable", 503),
    "dripping": (Reply(200, b'{"a": "' + b"x" * 500 + b'"}', pause_seconds=0.2), "exchange_unavailable", 503),
    "a redirect": (Reply(307, b"", {"Location": "http://127.0.0.1:9/"}), "exchange_unavailable", 503),
    "a redirect to itself": (Reply(302, b"", {"Location": "/"}), "exchange_unavailable", 503),
    "throttled": (Reply(429, b'{"Code": "Throttling.User"}'), "exchange_throttled", 503),
    "failing": (Reply(500, b'{"Code": "InternalError"}'), "exchange_unavailable", 503),
    "refusing": (
        Reply(403, b'{"Code": "NoPermission", "Message": "<script>pwned(1)</script> canary", "RequestId": "R-1"}'),
        "exchange_not_trusted",
        403,
    ),
    "refusing with markup": (
        Reply(403, b'{"Code": "<script>pwned(1)</script>", "RequestId": "<script>pwned(1)</script>"}'),
        "exchange_refused",
        403,
    ),
    "refusing oddly": (Reply(403, b'{"Code": ["NoPermission"], "RequestId": {"a": 1}}'), "exchange_refused", 403),
    "refusing at length": (
        Reply(400, b'{"Code": "' + b"x" * 10_000 + b'", "RequestId": "' + b"y" * 10_000 + b'"}'),
        "exchange_refused",
        403,
    ),
}
SAFE_TO_REPEAT = [STS_REPLIES[name][0] for name in ("throttled", "failing", "HTML with an error")]
STS_ANSWERS = {
    name: (lambda sts, change=change: sts.changes.update(change), "exchange_mismatch", 502)
    for name, change in STS_CHANGES.items()
} | {
    name: (lambda sts, reply=reply: setattr(sts, "reply", reply), code, status)
    for name, (reply, code, status) in STS_REPLIES.items()
}


@pytest.mark.usefixtures("no_failures")
@pytest.mark.parametrize(("misbehave", "code", "status"), STS_ANSWERS.values(), ids=STS_ANSWERS)
@pytest.mark.parametrize("account", ["production", "sandbox"])
def test_t_sts_15_a_wrong_answer_of_sts_releases_nothing(service, visitor, account, *, misbehave, code, status):
    sign_in(visitor)
    misbehave(service.sts)
    last = service.last()
    reply = service.sts.reply
    late = reply is not None and (reply.delay_seconds or reply.pause_seconds)
    asking = visitor.copy(app=service.start_impatient()) if late else visitor
    begun = time.monotonic()
    page = ask_for(asking, "credentials", account)
    assert time.monotonic() - begun < 60, "the account's time limit is two seconds"
    assert (page.status_code, find_code(page)) == (status, code)
    assert find_in(service.sts.secrets, page.text) == []
    for words in ("STS.", "canary", "pwned(1)", "sign in", "gateway", "acs:ram"):
        assert words not in page.text
    made, failed = service.records(last)
    assert (made["event"], failed["event"], failed["code"]) == ("choice.made", "exchange.refused", code)
    assert failed["reference"] in page.text
    assert len(json.dumps(failed)) < 3_000
    repeated = sum(request.method == "POST" for request in service.sts.requests) > 1
    assert repeated == (service.sts.reply in SAFE_TO_REPEAT), "asked again only where nothing can have been issued"

    service.sts.behave()
    page = ask_for(visitor, "credentials", account)
    assert page.status_code == 200
    assert len(find_in(service.sts.secrets[-2:], page.text)) == 2


def test_t_sts_15_no_secret_is_ever_part_of_the_address(service, visitor):
    sign_in(visitor)
    for account in ("production", "sandbox"):
        ask_for(visitor, "credentials", account)
    assert {(request.method, request.path, tuple(request.query)) for request in service.sts.requests} == {
        ("POST", "/", ())
    }


@pytest.mark.parametrize("name", [MARK, "a\nb", "]]>", "a,acs:ram::1:role/Admin", "\u4f60", "x" * 300, "${ram}"])
def test_t_out_02_no_name_becomes_markup_or_another_value_in_what_we_sign(service, visitor, name):
    draft = draft_response("tiles", None)
    draft.find("//saml:Attribute[@Name='mail']/saml:AttributeValue").text = name
    visitor.submit(post_response(visitor, "tiles", draft.encode()), "/sign-in/confirm")
    assert ask_for(visitor, "credentials").status_code == 200
    form = read(ask_for(visitor, "console")).forms[0].fields
    for encoded in (form["SAMLResponse"], service.sts.requests[0].form["SAMLAssertion"]):
        root = etree.fromstring(base64.b64decode(encoded))
        stated = {
            each.get("Name").rpartition("/")[2]: [value.text for value in each]
            for each in root.iter("{urn:oasis:names:tc:SAML:2.0:assertion}Attribute")
        }
        assert len(list(root.iter("{urn:oasis:names:tc:SAML:2.0:assertion}Assertion"))) == 1
        assert stated["Role"] == [
            "acs:ram::1000000000000001:role/ReadOnly,acs:ram::1000000000000001:saml-provider/rambridge"
        ]
        assert re.fullmatch(r"[A-Za-z0-9.@_-]{2,32}", stated["RoleSessionName"][0])


@pytest.mark.parametrize("part", ["iframe", "image", "empty"])
def test_t_web_01_a_part_of_another_sites_page_begins_no_sign_in(service, visitor, part):
    headers = {"Sec-Fetch-Dest": part}
    refused = visitor.get("/sign-in/corp", site="cross-site", headers=headers)
    assert (refused.status_code, find_code(refused)) == (403, "web_cross_site")
    assert service.memory() == {}
    assert visitor.get("/sign-in/corp", site="cross-site", headers={"Sec-Fetch-Dest": "document"}).status_code == 303
