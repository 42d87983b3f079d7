"""What a refusal helps with tells nobody what they may not know, and leads nowhere else (WEB-15, OUT-06, WEB-04).

Each answer is compared with its twin: the same request at a node where what it asks for is not there at all.
"""

import base64
import json
import re
import zlib
from datetime import date, timedelta
from email import message_from_string, policy
from html import unescape
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from lxml import etree

from bridge.attack.saml.messages import NOW, at
from bridge.entitlements.entitlement import identify
from bridge.entitlements.rules import RuleFiles, compile_rules, read_rules
from bridge.language import LANGUAGES, speaking
from bridge.web.days import write_day
from bridge.web.letter import write_letter
from bridge.web.people import Person
from tests.attacks.door import (
    PUBLIC_URL,
    Visitor,
    begin,
    draft_response,
    find_code,
    post_response,
    read,
    read_reference,
    sign_in,
)

pytestmark = pytest.mark.usefixtures("no_failures")

OWNER, ADDRESS = "Cloud team", "cloud.team+roles@corp.example"
OWN = """
- {name: own, groups: [platform], grant: [{account: sandbox, role: Developer}]}
- {name: office, groups: [platform], networks: [10.0.0.0/8], grant: [{account: sandbox, role: Deployer}]}
- name: hours
  groups: [platform]
  hours: {days: [thu], from: "08:00", to: "18:00", time_zone: Asia/Shanghai}
  grant: [{account: sandbox, role: Operator}]
- name: both
  groups: [platform]
  networks: [10.0.0.0/8]
  require: {max_age_seconds: 600}
  grant: [{account: sandbox, role: Keeper}]
"""
HIDDEN = """
- {name: finance, groups: [finance], grant: [{account: production, role: Auditor}, {account: sandbox, role: Auditor}]}
- name: away
  groups: [finance]
  networks: [10.0.0.0/8]
  grant: [{account: production, role: Away}, {account: sandbox, role: Away}]
- {name: ended, groups: [platform], expires: 2020-01-01, grant: [{account: production, role: Ended}]}
- {name: near, groups: [Platform], grant: [{account: production, role: Near}]}
"""
NAMES = ("Auditor", "Away", "Ended", "Near", "NoSuchRole")


def start(running_service, folder, rules, **accounts):
    files = RuleFiles(folder, {"10.yaml": f"rules:{rules}".encode()})
    documents = [read_rules(path, content)[0] for path, content in files.iterate_rules()]
    compiled = compile_rules(documents, dict.fromkeys(running_service.configuration.providers, "groups"), files)
    known = {
        name: account.model_copy(update=accounts.get(name, {}))
        for name, account in running_service.configuration.accounts.items()
    }
    return running_service.start(rules=compiled, accounts=known)


@pytest.fixture(scope="module")
def nodes(running_service, tmp_path_factory):
    """Return a node, and its twin without what the person has no way to; only the sandbox may be asked for."""
    accounts = {"sandbox": {"owner": OWNER, "owner_address": ADDRESS}, "production": {"owner": "Secret owner"}}
    return [
        start(running_service, tmp_path_factory.mktemp("rules"), rules, **accounts) for rules in (OWN + HIDDEN, OWN)
    ]


@pytest.fixture
def visitors(service, nodes):
    visitors = [Visitor(node) for node in nodes]
    for visitor in visitors:
        sign_in(visitor)
    return visitors


def seen(response):
    """Return an answer without its number, which each has of its own."""
    text = re.sub(r"[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}", "…", response.text)
    headers = [pair for pair in response.headers if pair[0] not in {"Date", "Set-Cookie", "Content-Length"}]
    return response.status_code, headers, re.sub(r'value="[\w-]{32,43}"', "", text)


def open_link(visitor, account, role):
    return visitor.get(f"/open/{account}/{role}")


def token_of(visitor):
    return read(visitor.get("/")).forms[0].fields["csrf_token"]


# ── WEB-15: what is not for the person to know ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize("account", ["production", "sandbox"])
@pytest.mark.parametrize("name", NAMES)
def test_t_web_15_a_role_for_others_and_one_that_is_not_there_get_the_same_page(visitors, account, name):
    answers = [open_link(visitor, account, name) for visitor in visitors]
    assert find_code(answers[0]) == "not_entitled"
    assert seen(answers[0]) == seen(answers[1])
    for secret in ("finance", "Platform", "Secret owner", "10.0.0", "2020-01-01"):
        assert secret not in answers[0].text


@pytest.mark.parametrize("name", NAMES)
def test_t_web_15_so_do_buttons_and_programs(visitors, name):
    chosen = identify("role", "production", name)
    for purpose in ("console", "credentials"):
        answers = [visitor.post(f"/{purpose}/{chosen}", {"csrf_token": token_of(visitor)}) for visitor in visitors]
        assert seen(answers[0]) == seen(answers[1])
    asked = [ask_for_credentials(visitor, name, account="production") for visitor in visitors]
    assert asked[0].json["help"]["kind"] == "ask"
    assert "owner" not in asked[0].json["help"]
    assert seen(asked[0]) == seen(asked[1])


def test_t_web_15_an_account_of_others_and_one_that_is_not_there_get_the_same_page(visitors):
    pages = [open_link(visitors[0], account, "Auditor") for account in ("production", "nowhere")]
    texts = {seen(page)[2].replace("production", "ACCOUNT").replace("nowhere", "ACCOUNT") for page in pages}
    assert len(texts) == 1


def test_the_owner_is_named_where_the_person_has_a_role_or_where_it_may_be_asked_for(
    service, visitors, running_service, tmp_path
):
    page = open_link(visitors[0], "sandbox", "NoSuchRole")
    assert f"Ask its owner, {OWNER}." in page.text
    assert f"mailto:{ADDRESS.replace('+', '%2B')}?" in page.text
    assert OWNER not in open_link(visitors[0], "production", "NoSuchRole").text
    open_to_all = {"production": {"owner": OWNER, "may_be_asked_for": True}}
    visitor = Visitor(start(running_service, tmp_path, OWN, **open_to_all))
    sign_in(visitor)
    assert f"Ask its owner, {OWNER}." in open_link(visitor, "production", "NoSuchRole").text


# ── What one can do alone, and that it works ─────────────────────────────────────────────────────────────────


def test_from_the_network_that_is_suggested_the_same_link_opens(service, visitors, nodes):
    page = open_link(visitors[0], "sandbox", "Deployer")
    assert (page.status_code, find_code(page)) == (403, "not_entitled")
    assert "Not from this network" in page.text
    assert "Connect to your company" in page.text
    assert 'href="/open/sandbox/Deployer">Try again' in page.text
    assert "10.0.0.0" not in page.text
    inside = Visitor(nodes[0], "10.1.2.3")
    sign_in(inside)
    assert open_link(inside, "sandbox", "Deployer").status_code == 200


def test_at_the_time_that_is_suggested_the_same_link_opens(service, visitors, nodes):
    """Until then nothing offers to try again."""
    page = open_link(visitors[0], "sandbox", "Operator")
    assert "Not at this hour" in page.text
    found = re.search(r"Come back on (Thursday, [\w ]+), from 08:00 on \(time zone Asia/Shanghai\)", page.text)
    assert "Try again" not in page.text
    answer = ask_for_credentials(visitors[0], "Operator")
    told = answer.json["help"]
    assert (told["kind"], told["owner"]) == ("other_time", OWNER)
    assert told["at"].endswith("T00:00:00Z")
    assert found[1] == write_day(date.fromisoformat(told["at"][:10]))


def test_more_than_one_missing_thing_is_a_list(service, visitors):
    service.clock.moment = NOW + timedelta(seconds=700)
    page = open_link(visitors[0], "sandbox", "Keeper")
    assert "More than one thing is missing" in page.text
    assert re.findall(r"<li>([A-Z]\w+)", page.text) == ["Connect", "Sign"]


def test_the_refusal_of_a_link_is_recorded_under_its_number_with_what_would_help(service, visitors):
    last = service.last()
    page = open_link(visitors[0], "production", "Auditor")
    [record] = service.records(last)
    assert (record["event"], record["reference"]) == ("choice.refused", read_reference(page))
    assert record["entitlement"] == "role production/Auditor"
    assert "group finance" in record["detail"]


def ask_for_credentials(visitor, name, account="sandbox", **more):
    return visitor.request(
        "POST",
        "/api/v1/credentials",
        data=json.dumps({"entitlement": identify("role", account, name), **more}),
        content_type="application/json",
        headers={"X-CSRF-Token": token_of(visitor), "Sec-Fetch-Site": "same-origin"},
    )


def test_a_sign_in_that_ends_too_soon_leads_to_one_that_the_provider_asks_for_anew(service, nodes):
    visitor = Visitor(nodes[0])
    question = begin(visitor, "corp")
    draft = draft_response("corp", question.request_id)
    draft.find("//saml:AuthnStatement").set("SessionNotOnOrAfter", at(600))
    arrived = post_response(visitor, "corp", draft.encode(), question.handle)
    assert arrived.status_code == 303, arrived.text
    page = visitor.post(f"/credentials/{identify('role', 'sandbox', 'Developer')}", {"csrf_token": token_of(visitor)})
    assert find_code(page) == "exchange_session_ends_soon"
    again = unescape(re.search(r'class="button main" href="([^"]+)">Sign in again', page.text)[1])
    asked = dict(parse_qsl(urlsplit(visitor.get(again).location).query))
    request = etree.fromstring(zlib.decompress(base64.b64decode(asked["SAMLRequest"]), wbits=-15))
    assert request.get("ForceAuthn") == "true"
    answer = draft_response("corp", request.get("ID"))
    arrived = post_response(visitor, "corp", answer.encode(), asked["RelayState"])
    assert (arrived.status_code, "SAMLResponse" in arrived.text) == (200, True), "the only role's console, straight on"
    done = visitor.post(f"/credentials/{identify('role', 'sandbox', 'Developer')}", {"csrf_token": token_of(visitor)})
    assert done.status_code == 200


def test_only_who_asked_for_a_long_session_is_told_to_ask_for_a_shorter_one(service, visitors):
    for seconds, helped in ((7200, True), (None, False)):
        service.sts.refuse("InvalidParameter.DurationSeconds", "no", 400)
        more = {"duration_seconds": seconds} if seconds else {}
        answer = ask_for_credentials(visitors[0], "Developer", **more)
        assert (answer.status_code, answer.json["code"]) == (403, "exchange_duration")
        assert ("help" in answer.json) is helped
    assert answer.json["message"]
    service.sts.behave()


def test_what_may_pass_can_be_tried_again_and_nothing_else(service, visitors):
    token = token_of(visitors[0])
    developer = identify("role", "sandbox", "Developer")
    for code, offered in (("ServiceUnavailable", True), ("EntityNotExist.Role", False)):
        service.sts.refuse(code, "no", 503 if offered else 404)
        page = visitors[0].post(f"/credentials/{developer}", {"csrf_token": token})
        assert ("Try again</a>" in page.text) is offered, page.text
    service.sts.behave()
    assert "Try again</a>" not in visitors[0].get("/nothing").text


# ── Whoever has nothing ──────────────────────────────────────────────────────────────────────────────────────


def test_the_page_of_whoever_has_nothing_helps_in_the_same_way(service, running_service, tmp_path_factory):
    accounts = {"sandbox": {"owner": OWNER, "owner_address": ADDRESS, "may_be_asked_for": True}}
    reachable = OWN.replace("{name: own, groups: [platform]", "{name: own, groups: [others]")
    pages = []
    for number, rules in enumerate((reachable + HIDDEN, HIDDEN, OWN.replace("platform", "nobody"))):
        visitor = Visitor(start(running_service, tmp_path_factory.mktemp(f"rules{number}"), rules, **accounts))
        sign_in(visitor)
        pages.append(visitor.get("/"))
    assert "Nothing is open to you here and now" in pages[0].text
    assert pages[0].text.count("Connect to your company") == 2
    assert "Deployer in Sandbox" in read(pages[0]).text()
    for page in pages[1:]:
        assert "Nothing is assigned to you yet" in page.text
        assert f"Ask its owner, {OWNER}." in page.text
        assert f"mailto:{ADDRESS.replace('+', '%2B')}?" in page.text
        assert "Production" not in read(page).text()
    assert seen(pages[1])[2] == seen(pages[2])[2], "what others may become shows in nothing"


# ── The message to the owner ─────────────────────────────────────────────────────────────────────────────────

HOSTILE = (
    "Eve\r\nBcc: all@corp.example",
    "Eve&bcc=all@corp.example&body=x",
    "Eve?cc=a@b.example%0D%0ABcc:x",
    "\u202eevE\u2028Bcc: x\x00",
    "<script>alert(1)</script>",
    "A" * 5_000,
)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_t_web_04_no_header_can_be_added_to_the_message(text, language):
    with speaking(language):
        letter = write_letter(
            Person(text, text, text), role=text, account=text, at=NOW, reference="1A2B-3C4D-5E6F", address=ADDRESS
        )
    parts = urlsplit(letter.link)
    assert (parts.scheme, unquote(parts.path), parts.fragment) == ("mailto", ADDRESS, "")
    fields = parse_qsl(parts.query, strict_parsing=True)
    assert [name for name, _ in fields] == ["subject", "body"]
    assert dict(fields) == {"subject": letter.subject, "body": letter.text.replace("\n", "\r\n")}
    mail = message_from_string(f"Subject: {letter.subject}\n\n{letter.text}", policy=policy.default)
    assert mail.keys() == ["Subject"]
    assert letter.subject.isprintable()
    assert sum(line.isprintable() for line in letter.text.split("\n")) == letter.text.count("\n") + 1
    assert len(letter.link) < 12_000


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_message_says_who_what_when_and_the_number(language):
    with speaking(language):
        letter = write_letter(
            Person("林薇", "lin.wei@corp.example", "Corp"),
            role="Admin",
            account="Production (1000000000000001)",
            at=NOW,
            reference="1A2B-3C4D-5E6F",
            address=None,
        )
    assert letter.link is None
    for said in ("林薇 <lin.wei@corp.example>", "Corp", "Admin", "Production (1000000000000001)", "1A2B-3C4D-5E6F"):
        assert said in letter.text
    assert ("申请" in letter.text) is (language == "zh-CN")


@pytest.mark.parametrize("name", ["call%20me%20now", "%3Cb%3E", "a" * 200, "%E2%80%AEx", "x%0D%0ABcc:y"])
def test_t_web_04_what_is_no_name_of_a_role_is_not_repeated(visitors, name):
    page = visitors[0].get(f"/open/production/{name}")
    assert find_code(page) == "not_entitled"
    assert unquote(name) not in read(page).text()
    assert "Role: any" in page.text


def test_t_web_13_neither_claims_nor_secrets_are_in_the_message(visitors):
    page = open_link(visitors[0], "sandbox", "X")
    text = unescape(re.search(r'id="letter"[^>]*>(.*?)</pre>', page.text, re.DOTALL)[1])
    assert "alice" in text
    for secret in ("platform", PUBLIC_URL, visitors[0].session, token_of(visitors[0])):
        assert secret not in text
