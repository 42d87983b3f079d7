"""What somebody sees of a refusal: in their language what happened and what to do next, for the log what nobody sees.

Every code of docs/errors.md is shown by the running service; of most branches of the tree one is really provoked too.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from lxml import html

from bridge.attack.saml.messages import at, make_key
from bridge.attack.scripted_server import Reply
from bridge.errors import BridgeError, walk_leaves
from bridge.language import LANGUAGES, speaking, translate
from bridge.sessions.cookie import SESSION_COOKIE
from tests.attacks.door import (
    Visitor,
    add_attribute,
    address_to,
    begin,
    call_back,
    draft_response,
    post_response,
    sign_in,
    sign_in_by_tile,
)

ROOT = Path(__file__).parents[2]
DETAIL = "detail-that-only-the-log-may-hold"
STATUSES = {
    code: int(status)
    for code, status in re.findall(
        r"^\| `(\w+)` \| (\d{3}) \|", (ROOT / "docs" / "errors.md").read_text(), re.MULTILINE
    )
}
"""The status of each code, as the table has it."""
LEAVES = {vars(leaf)["code"]: leaf for leaf in walk_leaves()}

_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_ENGLISH = re.compile(r"[A-Za-z][\w'’-]*(?:[ ,:;.]+[A-Za-z][\w'’-]*){2,}")
_REFERENCE = re.compile(r"[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}")


@pytest.fixture(params=LANGUAGES)
def language(request):
    """Return a language that the browser asks for."""
    return request.param


# ── Each code ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("code", sorted(STATUSES))
def test_each_code_has_a_page_in_both_languages(app, monkeypatch, code, language):
    error = LEAVES[code].__new__(LEAVES[code])
    BridgeError.__init__(error, DETAIL)

    def fail():
        raise error

    monkeypatch.setitem(app.view_functions, "login.confirm", fail)
    response = Visitor(app).post("/sign-in/confirm", headers={"Accept-Language": language})
    check_page(response, code, language)
    assert DETAIL not in response.text
    assert DETAIL not in str(response.headers)


def test_a_code_that_inherits_no_words_of_its_own_branch_says_more_than_that_something_went_wrong():
    silent = {code for code, leaf in LEAVES.items() if leaf.public == BridgeError.public}
    assert silent == {BridgeError.code}


# ── Really provoked ──────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Person:
    """Somebody whose browser asks for a language, and the service that they are at."""

    service: object
    visitor: Visitor
    language: str

    def get(self, path, cookie=None, **options):
        sent = {"Cookie": cookie} if cookie else {}
        return self.visitor.get(path, headers={"Accept-Language": self.language, **sent}, **options)

    def post(self, path, form=None, **options):
        return self.visitor.post(path, form or {}, headers={"Accept-Language": self.language}, **options)

    def signed_in(self):
        sign_in(self.visitor)
        return self

    def press(self, action):
        """Send the first form of the portal whose action begins so."""
        page = html.fromstring(self.visitor.get("/?choose=1").text)
        form = next(form for form in page.forms if form.action.startswith(action))
        return self.post(form.action, dict(form.fields))

    def answer(self, provider="corp", spoil=lambda draft: None, **options):
        """Come back from a provider with what it was made to say."""
        question = begin(self.visitor, provider)
        draft = draft_response(provider, question.request_id, **options)
        spoil(draft)
        return self.post_saml(draft.encode(), question.handle)

    def post_saml(self, encoded, handle, provider="corp"):
        return post_response(self.visitor, provider, encoded, handle, headers={"Accept-Language": self.language})


def spoil(change):
    return lambda person: person.answer(spoil=change)


def answer_twice(person):
    encoded = draft_response("tiles", None).encode()
    sign_in_by_tile(person.visitor, encoded)
    return person.post_saml(encoded, None, "tiles")


def sign_with_another_key(draft):
    draft.options.key = make_key("somebody")


def ask_a_provider_that_fails(person):
    question = begin(person.visitor, "staff")
    query = person.service.staff.authorize(question.url)
    person.service.staff.replies["/token"] = Reply(503, b"")
    return call_back(person.visitor, "staff", query, headers={"Accept-Language": person.language})


def ask_an_sts_that(reply):
    def ask(person):
        person.signed_in()
        reply(person.service.sts)
        return person.press("/credentials/")

    return ask


PROVOKED = {
    "saml_base64": lambda person: person.post_saml("%%%", begin(person.visitor, "corp").handle),
    "provider_unknown": lambda person: person.get("/sign-in/nobody"),
    "saml_issuer": spoil(lambda draft: setattr(draft.find("/*/saml:Issuer"), "text", "https://other.example.com")),
    "saml_signature_invalid": spoil(sign_with_another_key),
    "saml_audience": spoil(lambda draft: setattr(draft.find("//saml:Audience"), "text", "https://other.example.com")),
    "saml_destination": spoil(lambda draft: address_to(draft, "https://bridge.example.com/saml/tiles/acs")),
    "saml_expired": spoil(lambda draft: draft.find("//saml:Conditions").set("NotOnOrAfter", at(-600))),
    "saml_inresponseto": lambda person: person.post_saml(draft_response("corp", "_another").encode(), "x" * 43),
    "saml_replay": answer_twice,
    "saml_attribute_twice": spoil(lambda draft: add_attribute(draft, "mail", "eve@example.com")),
    "oidc_state": lambda person: person.get("/oidc/staff/callback?state=nobodys&code=x", site="cross-site"),
    "provider_unavailable": ask_a_provider_that_fails,
    "oidc_logout_frontchannel": lambda person: person.get("/oidc/staff/frontchannel-logout"),
    "session_missing": lambda person: person.post("/sign-out"),
    "not_entitled": lambda person: person.signed_in().post("/console/nothing", {"csrf_token": find_token(person)}),
    "web_forbidden": lambda person: person.signed_in().get("/admin/sign-ins"),
    "web_not_auditor": lambda person: person.signed_in().get("/audit"),
    "web_cross_site": lambda person: person.signed_in().post("/sign-out", site="cross-site"),
    "web_not_found": lambda person: person.get("/nowhere"),
    "link_unusable": lambda person: person.signed_in().get("/go/nonsense"),
    "link_destination": lambda person: person.signed_in().get("/open/production/ReadOnly?to=https://evil.example.com"),
    "user_code_unknown": lambda person: person.signed_in().post("/device/allow", {"csrf_token": find_token(person)}),
    "bad_parameter": lambda person: person.get("/", cookie=f"{SESSION_COOKIE}=x; {SESSION_COOKIE}=y"),
    "web_too_large": lambda person: person.post("/sign-in", {"more": "x" * 2_000_000}),
    "web_host": lambda person: person.get("/", base_url="https://other.example.com"),
    "oauth_client": lambda person: person.signed_in().get("/oauth/authorize?client_id=another"),
    "exchange_not_trusted": ask_an_sts_that(lambda sts: sts.refuse("NoPermission", "not you")),
    "exchange_unavailable": ask_an_sts_that(lambda sts: setattr(sts, "reply", Reply(200, b"<html>"))),
}


HELPED = frozenset({"not_entitled"})
"""Where the page says, instead of the sentence of the code, what this person lacks."""


@pytest.mark.parametrize("code", PROVOKED)
def test_what_is_really_refused_is_said_in_the_language_of_the_browser(service, visitor, code, language):
    check_page(PROVOKED[code](Person(service, visitor, language)), code, language, HELPED)


def find_token(person):
    return re.search(r'name="csrf_token" value="([^"]+)"', person.visitor.get("/?choose=1").text)[1]


# ── What each page has ───────────────────────────────────────────────────────────────────────────────────────


def check_page(response, code, language, others=frozenset()):
    assert response.status_code == STATUSES[code], response.text
    page = html.fromstring(response.text)
    assert page.get("lang") == language
    assert [each.text_content() for each in page.iter("h1")] != [""]
    main = page.find(".//main")
    [heading] = main.iter("h1")
    sentence = heading.getnext()
    assert heading.text_content() in page.findtext(".//title")
    if code not in others:
        with speaking(language):
            assert sentence.text_content() == translate(LEAVES[code].public).replace("`", "")
    assert code in main.text_content()
    assert _REFERENCE.fullmatch(main.get_element_by_id("reference").text_content().strip())
    assert main.xpath(".//a[@href] | .//form//button"), "nothing to do next"
    if language == "zh-CN":
        for said in (heading, sentence):
            assert _CHINESE.search(said.text_content())
        assert find_english(page) == []


def find_english(page):
    """Return where three or more English words stand together, outside of what is code."""
    others = "//script | //style | //code | //*[contains(@class, 'mono')] | //body//*[@lang != 'zh-CN']"
    for each in page.xpath(others):
        each.drop_tree()
    texts = [*page.itertext(), *page.xpath("//@aria-label | //@title | //@placeholder | //@alt")]
    return [found[0] for text in texts if (found := _ENGLISH.search(text))]
