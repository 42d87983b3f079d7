"""Where a console sign-in goes, who may start it, and what a federation endpoint may answer.

OUT-01, OUT-04, OUT-05, OUT-06, and STS-15 for sign-in tokens. One node opens its consoles by signed responses, another
one by tokens.
"""

import base64
import json
import time

import pytest
from lxml import etree

from bridge.attack.saml.messages import NS, at
from bridge.attack.scripted_server import Reply, ScriptedServer
from bridge.audit.events import ConsoleOpened
from bridge.audit.log import AuditLog
from bridge.entitlements.rules import RuleFiles, compile_rules, read_rules
from bridge.errors import AuditUnavailable
from tests.attacks.door import PUBLIC_URL, Visitor, begin, draft_response, find_code, post_response, read, sign_in
from tests.attacks.test_web import ask_for, entitlements, find_in, token_of

pytestmark = pytest.mark.usefixtures("no_failures")

TOKEN = "canary-sign-in-token+/="
HOME = "https://home.console.aliyun.com/"
ACS = "https://signin.aliyun.com/saml-role/sso"
WAYS = ("saml", "token")


def honest(_):
    return Reply(200, json.dumps({"RequestId": "R-1", "SigninToken": TOKEN}).encode())


@pytest.fixture(scope="module")
def federation():
    with ScriptedServer(honest) as server:
        yield server


@pytest.fixture(scope="module")
def accounts(running_service, federation):
    """Return accounts that open the console by token."""
    accounts = {}
    for name, account in running_service.configuration.accounts.items():
        console = account.console_addresses.model_copy(update={"federation_url": f"{federation.url}/federation"})
        accounts[name] = account.model_copy(update={"console": "token", "custom_console": console})
    return accounts


@pytest.fixture(scope="module")
def node(running_service, accounts):
    """Return a node with these accounts."""
    return running_service.start(accounts=accounts)


@pytest.fixture
def visitors(service, app, node, federation):
    """Return a signed-in browser at each node."""
    federation.answer, federation.replies = honest, {}
    federation.requests.clear()
    found = {"saml": Visitor(app), "token": Visitor(node)}
    for visitor in found.values():
        sign_in(visitor)
    return found


@pytest.fixture
def by_token(visitors):
    return visitors["token"]


def hand_over(page):
    assert page.status_code == 200, page.text
    return read(page).find_auto_submit_form()


# ── The honest way ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_token_is_asked_for_by_post_and_handed_over_as_the_console_wants_it(service, by_token, federation):
    last = service.last()
    page = ask_for(by_token, "console")
    form = hand_over(page)
    assert (form.method, form.action) == ("GET", f"{federation.url}/federation")
    assert form.fields == {
        "Action": "Login",
        "LoginUrl": f"{PUBLIC_URL}/",
        "Destination": HOME,
        "SigninToken": TOKEN,
    }
    (request,) = federation.requests
    assert (request.method, request.path, request.query) == ("POST", "/federation", [])
    secret, token = service.sts.secrets[-2:]
    assert request.form.pop("AccessKeyId").startswith("STS.")
    assert {name: value for name, value in request.form.items() if name != "AccessKeyId"} == {
        "Action": "GetSigninToken",
        "AccessKeySecret": secret,
        "SecurityToken": token,
        "TicketType": "mini",
    }
    assert find_in({secret, token}, page.text) == []
    records = service.records(last)
    assert [each["event"] for each in records] == ["choice.made", "exchange.issued", "delivery.console"]
    assert (records[2]["way"], records[2]["access_key_id"]) == ("token", request.form["AccessKeyId"])
    assert find_in({secret, token, TOKEN}, json.dumps(records)) == []


def test_t_out_05_each_opening_has_a_token_of_its_own_and_the_page_is_kept_nowhere(service, by_token, federation):
    for _ in range(2):
        page = ask_for(by_token, "console")
        assert page.headers["Cache-Control"] == "no-store"
        assert page.headers["Referrer-Policy"] == "no-referrer"
    assert len(federation.requests) == 2
    assert len(service.sts.requests) == 1, "the credentials are those of the first time"
    assert service.records()[-2]["event"] == "exchange.reused"


def test_the_console_by_token_is_not_opened_unless_it_is_recorded(service, by_token, monkeypatch):
    append = AuditLog.append

    def fail_at_the_console(log, origin, *happened):
        if any(isinstance(each, ConsoleOpened) for each in happened):
            raise AuditUnavailable("the disk is full")
        append(log, origin, *happened)

    with monkeypatch.context() as patch:
        patch.setattr(AuditLog, "append", fail_at_the_console)
        refused = ask_for(by_token, "console")
    assert (refused.status_code, find_code(refused)) == (503, "audit_unavailable")
    assert TOKEN not in refused.text
    assert hand_over(ask_for(by_token, "console"))


# ── STS-15: what the endpoint answers ────────────────────────────────────────────────────────────────────────

REFUSED, UNAVAILABLE = ("console_token_refused", 403), ("console_token_unavailable", 503)


def answer(token, **more):
    return Reply(200, json.dumps({"RequestId": "R-1", "SigninToken": token, **more}).encode())


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        pytest.param(Reply(403, b'{"Code": "NoPermission", "Message": "pwned(1) canary"}'), REFUSED, id="refusing"),
        pytest.param(Reply(400, b'{"Code": "<script>pwned(1)</script>"}'), REFUSED, id="refusing with markup"),
        pytest.param(Reply(403, b'{"Code": ["x"], "RequestId": {"a": 1}}'), REFUSED, id="refusing oddly"),
        pytest.param(Reply(200, b"<html>sign in, canary</html>"), REFUSED, id="HTML"),
        pytest.param(Reply(200, b""), REFUSED, id="nothing"),
        pytest.param(Reply(200, b"[" * 10_000), REFUSED, id="deep"),
        pytest.param(answer(""), REFUSED, id="an empty token"),
        pytest.param(answer(None), REFUSED, id="no token"),
        pytest.param(answer(["canary"]), REFUSED, id="a list as token"),
        pytest.param(answer("canary\r\nSet-Cookie: a=b"), REFUSED, id="a token with a line break"),
        pytest.param(answer("canary\u202e"), REFUSED, id="a token with other letters"),
        pytest.param(answer("x" * 5_000), REFUSED, id="a token without end"),
        pytest.param(Reply(302, b"", {"Location": "/federation"}), UNAVAILABLE, id="a redirect"),
        pytest.param(Reply(500, b'{"Code": "InternalError"}'), UNAVAILABLE, id="failing"),
        pytest.param(Reply(429, b'{"Code": "Throttling"}'), UNAVAILABLE, id="throttled"),
        pytest.param(Reply(raw=b""), UNAVAILABLE, id="no answer"),
        pytest.param(Reply(200, b'{"a": "' + b"x" * 100_000 + b'"}'), UNAVAILABLE, id="large"),
        pytest.param(Reply(200, b"{}", delay_seconds=120), UNAVAILABLE, id="slow"),
    ],
)
def test_t_sts_15_a_wrong_answer_of_the_federation_endpoint_opens_nothing(
    service, accounts, by_token, federation, *, reply, expected
):
    federation.answer = lambda _: reply
    late = reply.delay_seconds > 0
    asking = by_token.copy(app=service.start_impatient(accounts)) if late else by_token
    last, begun = service.last(), time.monotonic()
    page = ask_for(asking, "console")
    assert time.monotonic() - begun < 60, "the account's time limit is two seconds"
    assert (find_code(page), page.status_code) == expected
    for words in ("canary", "pwned(1)", "sign in,", "STS.", *service.sts.secrets):
        assert words not in page.text
    assert [each["event"] for each in service.records(last)] == ["choice.made", "exchange.issued", "exchange.refused"]
    assert service.records(last)[-1]["code"] == expected[0]
    assert len(federation.requests) == 1, "asked once"

    federation.answer = honest
    assert hand_over(ask_for(by_token, "console")).fields["SigninToken"] == TOKEN


def test_t_sts_15_a_token_with_markup_is_a_text_in_the_form(by_token, federation):
    federation.answer = lambda _: answer('"><script>pwned(1)</script>')
    page = ask_for(by_token, "console")
    assert "<script>pwned" not in page.text
    assert hand_over(page).fields["SigninToken"] == '"><script>pwned(1)</script>'


# ── OUT-01: where it goes ────────────────────────────────────────────────────────────────────────────────────

ELSEWHERE = {
    "action": "https://evil.example/acs",
    "AssertionConsumerServiceURL": "https://evil.example/acs",
    "RelayState": "https://evil.example/",
    "Destination": "https://evil.example/",
    "LoginUrl": "https://evil.example/",
    "redirect_uri": "https://evil.example/",
    "return_to": "https://evil.example/",
    "SAMLRequest": "PHNhbWxwOkF1dGhuUmVxdWVzdC8+",
}


@pytest.mark.parametrize("way", WAYS)
def test_t_out_01_no_request_says_where_a_sign_in_goes(visitors, federation, way):
    visitor = visitors[way]
    place = f"{federation.url}/federation" if way == "token" else ACS
    honest_page = ask_for(visitor, "console")
    url, form = f"/console/{entitlements(visitor)['production']}", {"csrf_token": token_of(visitor)}
    for page in (honest_page, visitor.post(url, form | ELSEWHERE), visitor.post(url, form, query_string=ELSEWHERE)):
        assert hand_over(page).action == place
        assert "evil" not in page.text
        assert "evil" not in str(page.headers)
        sources = page.headers["Content-Security-Policy"].partition("form-action ")[2].partition(";")[0]
        assert sources == "'self' https://*.aliyun.com"


def test_t_out_01_a_signed_response_is_for_the_address_that_it_is_posted_to_and_no_other(visitors):
    form = hand_over(ask_for(visitors["saml"], "console"))
    root = etree.fromstring(base64.b64decode(form.fields["SAMLResponse"]))
    confirmation = root.find(f".//{{{NS['saml']}}}SubjectConfirmationData")
    assert form.fields.keys() == {"SAMLResponse"}
    assert form.action == root.get("Destination") == confirmation.get("Recipient") == ACS


# ── OUT-04: what it says of the sign-in ──────────────────────────────────────────────────────────────────────


def test_t_out_04_what_we_sign_is_as_old_as_the_sign_in_at_the_provider_and_claims_no_strength(service, app):
    visitor = Visitor(app)
    question = begin(visitor, "corp")
    draft = draft_response("corp", question.request_id)
    statement = draft.find("//saml:AuthnStatement")
    statement.set("AuthnInstant", at(-1200))
    draft.find("//saml:AuthnContextClassRef").text = "https://refeds.org/profile/mfa"
    assert post_response(visitor, "corp", draft.encode(), question.handle).status_code == 303
    assert ask_for(visitor, "credentials").status_code == 200
    console = hand_over(ask_for(visitor, "console")).fields["SAMLResponse"]
    for encoded in (console, service.sts.requests[0].form["SAMLAssertion"]):
        signed = etree.fromstring(base64.b64decode(encoded)).find(f".//{{{NS['saml']}}}AuthnStatement")
        assert signed.get("AuthnInstant") == at(-1200)
        context = signed.find(f".//{{{NS['saml']}}}AuthnContextClassRef")
        assert context.text == "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"


# ── OUT-06: who may start it ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "attack",
    [
        pytest.param(lambda visitor, url, form: visitor.get(url), id="a link"),
        pytest.param(lambda visitor, url, form: visitor.get(url, query_string=form), id="a link with the token"),
        pytest.param(lambda visitor, url, form: visitor.post(url, {}), id="no token"),
        pytest.param(lambda visitor, url, form: visitor.post(url, {"csrf_token": "x" * 43}), id="a wrong token"),
        pytest.param(lambda visitor, url, form: visitor.post(url, form, site="cross-site"), id="another site's form"),
        pytest.param(lambda visitor, url, form: visitor.post(url, form, site="same-site"), id="a neighbour's form"),
    ],
)
def test_t_out_06_only_a_form_of_our_own_page_starts_a_console(service, visitors, federation, attack, way):
    visitor = visitors[way]
    url, form = f"/console/{entitlements(visitor)['production']}", {"csrf_token": token_of(visitor)}
    last, asked = service.last(), len(service.sts.requests)
    refused = attack(visitor, url, form)
    assert refused.status_code in {303, 401, 403, 405}
    assert "SAMLResponse" not in refused.text
    assert TOKEN not in refused.text
    assert not {"choice.made", "delivery.console"} & {each["event"] for each in service.records(last)}
    assert (len(service.sts.requests), federation.requests) == (asked, [])
    hand_over(visitor.post(url, form))


@pytest.mark.parametrize("way", WAYS)
def test_t_out_06_the_rules_are_asked_again_when_the_button_is_pressed(service, visitors, federation, tmp_path, way):
    """The portal was shown under other rules than those in force at the click."""
    files = RuleFiles(tmp_path, {"10.yaml": b"rules: []\n"})
    documents = [read_rules(path, content)[0] for path, content in files.iterate_rules()]
    nothing = compile_rules(documents, dict.fromkeys(service.configuration.providers, "groups"), files)
    visitor = visitors[way]
    url, form = f"/console/{entitlements(visitor)['production']}", {"csrf_token": token_of(visitor)}
    refused = visitor.copy(app=service.start(rules=nothing)).post(url, form)
    assert (refused.status_code, find_code(refused)) == (403, "not_entitled")
    assert service.records()[-1]["event"] == "choice.refused"
    assert federation.requests == []
    hand_over(visitor.post(url, form))
