"""Finding somebody's provider says nothing about them, leads nowhere else, and never by itself where it once failed
(WEB-10, WEB-11).
"""

import base64
import zlib
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from lxml import etree

from bridge.attack.saml.messages import NS
from bridge.errors import SAMLStatus
from bridge.sessions.cookie import BROWSER_COOKIE, PROVIDER_COOKIE, PROVIDER_COOKIE_SECONDS, SESSION_COOKIE
from tests.attacks.door import (
    Visitor,
    begin,
    call_back,
    check_refusal,
    draft_response,
    find_code,
    post_response,
    read,
    read_question,
    sign_in,
)

pytestmark = pytest.mark.usefixtures("no_failures")


def with_domains(service, **changes):
    providers = dict(service.configuration.providers)
    for name, domains in {"corp": ("example.com",), "staff": ("staff.example",)}.items():
        update = {"email_domains": domains, **changes.get(name, {})}
        providers[name] = providers[name].model_copy(update=update)
    return service.start(providers=providers)


@pytest.fixture(scope="module")
def node(running_service):
    return with_domains(running_service)


@pytest.fixture
def visitor(service, node):
    return Visitor(node)


def lead(visitor, address, **options):
    return visitor.post("/sign-in", {"address": address, "return_to": options.pop("return_to", "/")}, **options)


def onward(response):
    """Return where a page sends the browser by itself."""
    [refresh] = etree.HTML(response.text).xpath("//meta[@http-equiv='refresh']/@content")
    return refresh.removeprefix("0; url=")


def test_an_address_leads_to_the_provider_of_its_domain_and_goes_along_as_a_hint(service, visitor):
    response = lead(visitor, "Alice@STAFF.example", return_to="/?x=1")
    target = onward(response)
    assert target.startswith(f"{service.staff.url}/authorize?")
    assert parse_qs(urlsplit(target).query)["login_hint"] == ["Alice@STAFF.example"]
    assert "form-action 'self';" in response.headers["Content-Security-Policy"]
    response = call_back(visitor, "staff", service.staff.authorize(target))
    assert (response.status_code, response.location) == (303, "/?x=1")


def test_by_saml_nothing_goes_along_unless_the_settings_say_so(service, visitor):
    def asked(response):
        query = dict(parse_qsl(urlsplit(onward(response)).query))
        return etree.fromstring(zlib.decompress(base64.b64decode(query["SAMLRequest"]), wbits=-15))

    request = asked(lead(visitor, "alice@example.com"))
    assert request.find("saml:Subject", NS) is None
    assert b"alice" not in etree.tostring(request)
    telling = Visitor(with_domains(service, corp={"subject_in_request": True}))
    request = asked(lead(telling, "alice&<b>@example.com"))
    assert request.find("saml:Subject/saml:NameID", NS).text == "alice&<b>@example.com"


def test_the_answer_is_the_same_for_everybody_of_a_domain(service, visitor):
    pages = []
    for name in ("alice", "nobody.at.all", "x" * 60):
        response = lead(visitor, f"{name}@example.com")
        target = urlsplit(onward(response))
        pages.append((response.status_code, target.netloc, target.path, sorted(parse_qs(target.query))))
    assert pages[0] == pages[1] == pages[2]
    unknown = [lead(visitor, f"{name}@elsewhere.example").text.replace(name, "…") for name in ("alice", "bob")]
    assert unknown[0] == unknown[1]


@pytest.mark.parametrize(
    "address",
    [
        "a@elsewhere.example",
        "a@sub.example.com",
        "",
        "x",
        '"><script>alert(1)</script>@evil.example',
        "a@" + "x" * 9_000,
    ],
)
def test_an_unknown_domain_is_said_plainly_and_the_list_stays(service, visitor, address):
    response = lead(visitor, address, return_to="/?x=1")
    assert response.status_code == 422
    assert "Nobody signs in here with an address of this domain" in response.text
    assert "<script>alert" not in response.text
    links = [link for link in read(response).links if "/sign-in/" in str(link)]
    assert len(links) == 4
    assert BROWSER_COOKIE not in visitor.cookies
    assert service.memory() == {}


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none", None])
def test_t_web_11_another_page_cannot_send_an_address(service, visitor, site):
    response = lead(visitor, "alice@example.com", site=site)
    assert (response.status_code, find_code(response)) == (403, "web_cross_site")
    assert service.memory() == {}
    assert lead(visitor, "alice@example.com").status_code == 200


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:x"])
def test_t_web_10_an_address_leads_to_no_other_site_afterwards(service, visitor, target):
    question = read_question(onward(lead(visitor, "alice@example.com", return_to=target)))
    response = post_response(visitor, "corp", draft_response("corp", question.request_id).encode(), question.handle)
    assert response.location == "/"
    assert "evil" not in visitor.get(f"/sign-in?{urlencode({'choose': 1, 'return_to': target})}").text


def test_the_address_is_in_no_address_of_ours_and_in_no_cookie(visitor):
    response = lead(visitor, "alice@example.com")
    assert "Location" not in response.headers
    assert "alice" not in str(response.headers)


# ── The choice is remembered ─────────────────────────────────────────────────────────────────────────────────


def test_what_worked_is_remembered_for_a_year_by_its_name_alone(service, visitor):
    response = sign_in(visitor)
    [header] = [each for each in response.headers.getlist("Set-Cookie") if each.startswith(PROVIDER_COOKIE)]
    pair, *attributes = header.split("; ")
    assert pair == f"{PROVIDER_COOKIE}=corp"
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax", f"Max-Age={PROVIDER_COOKIE_SECONDS}"} <= set(attributes)
    assert not [each for each in attributes if each.startswith("Domain")]
    visitor.cookies.pop(SESSION_COOKIE)
    assert visitor.get("/sign-in?return_to=/x").location == "/sign-in/corp?return_to=/x"
    asked = visitor.get("/sign-in?choose=1")
    assert asked.status_code == 200
    assert "Tiles" in asked.text


def test_a_provider_that_never_signed_anybody_in_is_not_remembered(service, visitor):
    question = begin(visitor, "corp")
    draft = draft_response("corp", question.request_id)
    draft.find("//samlp:StatusCode").set("Value", "urn:oasis:names:tc:SAML:2.0:status:Responder")
    last = service.last()
    response = post_response(visitor, "corp", draft.encode(), question.handle)
    check_refusal(service, response, SAMLStatus, after=last)
    assert PROVIDER_COOKIE not in visitor.cookies
    assert visitor.get("/sign-in").status_code == 200


def test_a_refusal_by_the_remembered_provider_ends_on_a_page_with_a_way_out(service, visitor):
    visitor.cookies[PROVIDER_COOKIE] = "corp"
    for _ in range(2):
        assert visitor.get("/").location.startswith("/sign-in")
        assert visitor.get("/sign-in").location.startswith("/sign-in/corp")
        question = begin(visitor, "corp")
        draft = draft_response("corp", question.request_id)
        draft.find("//samlp:StatusCode").set("Value", "urn:oasis:names:tc:SAML:2.0:status:Responder")
        response = post_response(visitor, "corp", draft.encode(), question.handle)
        assert response.status_code == 400, "a page, not another redirect"
        assert 'href="/?choose=1"' in response.text
    assert visitor.get("/?choose=1").location == "/sign-in?choose=1"
    assert visitor.get("/sign-in?choose=1").status_code == 200


def test_after_signing_out_nobody_is_sent_back_in(visitor):
    sign_in(visitor)
    token = read(visitor.get("/")).forms[0].fields["csrf_token"]
    response = visitor.post("/sign-out", {"csrf_token": token})
    assert response.location == "/signed-out"
    page = visitor.get("/signed-out")
    assert page.status_code == 200
    assert "refresh" not in page.text
    assert 'href="/sign-in?choose=1"' in page.text


@pytest.mark.parametrize("value", ["nobody", "", "corp/../x", "//evil.example", "CORP", "corp%20"])
def test_a_cookie_that_names_no_provider_is_nothing(visitor, value):
    visitor.cookies[PROVIDER_COOKIE] = value
    response = visitor.get("/sign-in")
    assert response.status_code == 200
    assert "Location" not in response.headers


def test_with_one_provider_there_is_no_address_no_cookie_and_no_other_account(service):
    providers = service.configuration.providers
    corp = providers["corp"].model_copy(update={"email_domains": ("example.com",)})
    visitor = Visitor(service.start(providers={"corp": corp}))
    assert visitor.get("/sign-in?choose=1").location.startswith("/sign-in/corp")
    sign_in(visitor)
    assert PROVIDER_COOKIE not in visitor.cookies
    assert "choose=1" not in visitor.get("/signed-out").text
    assert visitor.get("/?choose=1").status_code == 200, "with a session it is the portal"


def test_without_domains_the_page_is_a_list(service, app):
    assert "E-mail" not in Visitor(app).get("/sign-in").text
