"""The trace of a refusal names the check that failed, what was measured and what is allowed, and nothing secret.

Threats WEB-04, WEB-12 and WEB-13, through the whole corpus of hostile messages and at the running service.
"""

import json
import re
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from click.testing import CliRunner

from bridge.attack.oidc import cases_flow
from bridge.attack.oidc.cases import TOKENS
from bridge.attack.oidc.corpus import CallbackCase
from bridge.attack.oidc.tokens import ACCESS_TOKEN, CODE, NONCE, expected, forge
from bridge.attack.saml import cases_document, cases_encryption, cases_signature, cases_statement
from bridge.attack.saml.corpus import CASES
from bridge.attack.saml.honest import HONEST
from bridge.attack.saml.messages import NOW, SignatureOptions, make_certificate, make_key
from bridge.cli.main import main
from bridge.entitlements.rules import Conditions
from bridge.errors import IdentityError
from bridge.identity.oidc.id_token import verify_id_token
from bridge.identity.oidc.trace import OIDCTrace
from bridge.identity.saml.response import verify_response
from bridge.identity.saml.trace import SAMLTrace
from bridge.identity.verified import VerifiedIdentity
from tests.attacks.door import (
    ADDRESS,
    CLIENT_SECRET,
    ENTITIES,
    LASTING_DAYS,
    PUBLIC_URL,
    Visitor,
    add_attribute,
    begin,
    call_back,
    draft_response,
    find_code,
    post_response,
    read_reference,
    sign_in,
)

FILES = (cases_document, cases_encryption, cases_signature, cases_statement)
"""Importing them fills CASES."""
GROUP = "platform-admins"
BY_GROUP = Conditions(providers=frozenset(), groups=frozenset({GROUP}), claims=(), when=None, require=None)


def recording(trace_class):
    """Return a trace that remembers the names of all checks that began."""

    class Recording(trace_class):
        def __init__(self):
            self.begun = []
            super().__init__("corp")

        @property
        def at(self):
            return self.begun[-1] if self.begun else ""

        @at.setter
        def at(self, name):
            if name:
                self.begun.append(name)

    return Recording()


def check_trace(trace, canaries):
    """The trace is in words, in order, ends with the one failure, and holds none of the canaries."""
    checks = trace.describe()
    assert [check.outcome for check in checks] == ["pass"] * (len(checks) - 1) + ["fail"]
    assert checks[-1].name == trace.at
    order = [row.name for row in trace.rows]
    again = trace.begun.count("confirmation") > 2  # of several confirmations one is enough
    assert again or sorted(trace.begun, key=order.index) == trace.begun
    for text in (*(text for check in checks for text in check), *trace.describe_claimed()):
        assert text.isascii()
        assert text.isprintable()
        assert not [canary for canary in canaries if canary in text]
    return checks[-1]


# ── The corpus ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_t_web_13_the_trace_of_a_hostile_response_explains_it_and_holds_no_name(case):
    draft = case.draft()
    case.spoil(draft)
    trace = recording(SAMLTrace)
    with pytest.raises(IdentityError):
        verify_response(draft.encode(), draft.expected, trace)
    check_trace(trace, ["alice@", "admin@", "platform", "staff"])


@pytest.mark.parametrize("row", TOKENS, ids=str)
def test_t_web_13_the_trace_of_a_hostile_token_explains_it_and_holds_no_secret(row):
    trace, token = recording(OIDCTrace), row.token()
    with pytest.raises(IdentityError):
        verify_id_token(token, expected(**row.settings), trace)
    signature = token.rpartition(".")[2]
    check_trace(trace, [NONCE, CODE, ACCESS_TOKEN, "ada@", *([signature] if len(signature) > 20 else [])])


@pytest.mark.parametrize("make", HONEST)
def test_the_checks_of_an_honest_response_are_made_in_the_order_of_the_table(make):
    draft, trace = HONEST[make](), recording(SAMLTrace)
    identity = verify_response(draft.encode(), draft.expected, trace)
    assert isinstance(identity, VerifiedIdentity)
    order = [row.name for row in trace.rows]
    again = trace.begun.count("confirmation") > 2
    assert again or sorted(trace.begun, key=order.index) == trace.begun


def test_the_checks_of_an_honest_token_are_made_in_the_order_of_the_table():
    trace = recording(OIDCTrace)
    assert verify_id_token(forge(), expected(), trace).subject == "ada"
    order = [row.name for row in trace.rows]
    assert sorted(trace.begun, key=order.index) == trace.begun


def test_the_corpus_is_really_there():
    assert len(CASES) > 300
    assert len(TOKENS) > 100
    assert FILES


# ── At the running service ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def governed(running_service):
    """Return a node that has administrators."""
    return running_service.start(administrators=(BY_GROUP,))


@pytest.fixture
def administrator(service, governed):
    visitor = Visitor(governed)
    sign_in(visitor, "root@example.com", groups=(GROUP,))
    return visitor


def refuse(service, app, spoil, *, late=0, provider="corp"):
    """Let an answer be refused that differs from an honest one in one thing; return its record and its page."""
    visitor, before = Visitor(app), service.last()
    question = begin(visitor, provider)
    draft = draft_response(provider, question.request_id, "canary-name@example.com")
    add_attribute(draft, "secret", "canary-attribute")
    relay_state = spoil(draft, question) or question.handle
    encoded = draft.encode()
    service.clock.moment += timedelta(seconds=late)
    page = post_response(visitor, provider, encoded, relay_state)
    [record] = service.records(before)
    assert record["event"] == "sign_in.refused", record
    return record, page


def find_failure(record):
    """Return the name of the check that failed, what was measured and what is allowed."""
    assert [outcome for _, outcome, *_ in record["checks"]].count("fail") == 1
    name, outcome, measured, allowed = record["checks"][-1]
    assert outcome == "fail"
    return name, measured, allowed


def set_conditions(**attributes):
    def spoil(draft, _):
        for name, value in attributes.items():
            draft.find("//saml:Conditions").set(name, value)

    return spoil


OTHER = "https://other.example.com/metadata"
ACS = f"{PUBLIC_URL}/saml/corp/acs"


def set_audience(draft, _):
    draft.find("//saml:Audience").text = OTHER


def set_issuer(draft, _):
    for issuer in draft.root.iter("{*}Issuer"):
        issuer.text = OTHER


def set_destination(draft, _):
    draft.root.set("Destination", OTHER)


def set_recipient(draft, _):
    draft.find("//saml:SubjectConfirmationData").set("Recipient", OTHER)


def set_in_response_to(draft, _):
    draft.root.set("InResponseTo", "_another")


def set_version(draft, _):
    draft.root.set("Version", "1.1")


def make_old(draft, _):
    draft.root.set("IssueInstant", (NOW - timedelta(seconds=700)).strftime("%Y-%m-%dT%H:%M:%SZ"))


def lengthen_id(draft, question):
    draft.root.set("ID", "x" * 600)
    set_issuer(draft, question)


def set_status(draft, _):
    code = draft.find("//samlp:StatusCode")
    code.set("Value", "urn:oasis:names:tc:SAML:2.0:status:Responder")


def use_sha1(draft, _):
    @draft.after_signing
    def change(root):
        for method in root.iter("{*}SignatureMethod"):
            method.set("Algorithm", "http://www.w3.org/2000/09/xmldsig#rsa-sha1")


def use_another_key(draft, _):
    draft.options = SignatureOptions(key=make_key("stranger"), certificate=make_certificate("stranger"))


def make_transient(draft, _):
    draft.find("//saml:NameID").set("Format", "urn:oasis:names:tc:SAML:2.0:nameid-format:transient")


def forget_question(_draft, _question):
    return "x" * 43


CLOCKS = "clocks may differ by 60 s"
REFUSALS = {
    "audience": (set_audience, {}, "saml_audience", OTHER, f"{PUBLIC_URL}/saml/corp/metadata"),
    "issuer": (set_issuer, {}, "saml_issuer", OTHER, ENTITIES["corp"]),
    "destination": (set_destination, {}, "saml_destination", OTHER, ACS),
    "recipient": (set_recipient, {}, "saml_recipient", OTHER, ACS),
    "in_response_to": (set_in_response_to, {}, "saml_inresponseto", "_another", None),
    "versions": (set_version, {}, "saml_version", "1.1, 2.0", "2.0"),
    "status": (set_status, {}, "saml_status", "Responder", "Success"),
    "assertion_signature": (use_sha1, {}, "saml_algorithm", "rsa-sha1, sha256", None),
    "name_id": (make_transient, {}, "saml_nameid", None, "any format but transient, 1 to 256 characters"),
    "valid_from": (
        set_conditions(NotBefore="2026-11-24T12:30:00Z"), {}, "saml_not_yet", None, f"not in the future; {CLOCKS}"
    ),
    "response_issued": (make_old, {}, "saml_stale", "700 s ago", f"in the last 600 s; {CLOCKS}"),
    "valid_until": (lambda *_: None, {"late": 400}, "saml_expired", "100 s ago", f"in the future; {CLOCKS}"),
}  # fmt: skip


@pytest.mark.parametrize("check", REFUSALS)
def test_the_trace_names_the_check_that_failed_what_was_measured_and_what_is_allowed(service, app, check):
    spoil, options, code, measured, allowed = REFUSALS[check]
    record, _ = refuse(service, app, spoil, **options)
    assert record["code"] == code
    failure = find_failure(record)
    assert failure[0] == check
    assert measured in {None, failure[1]}, failure
    assert allowed in {None, failure[2]}, failure
    assert failure[1]
    assert failure[2]


def test_the_key_is_named_by_the_fingerprint_of_its_certificate(service, app):
    trusted = make_certificate("idp", days=LASTING_DAYS)
    thumbprint = trusted.fingerprint(trusted.signature_hash_algorithm).hex()
    record, _ = refuse(service, app, use_another_key)
    assert (record["code"], find_failure(record)[0]) == ("saml_signature_invalid", "assertion_signature")
    assert f"certificate {thumbprint}" in find_failure(record)[2]
    record, _ = refuse(service, app, set_audience)
    [signature] = [check for check in record["checks"] if check[0] == "assertion_signature"]
    assert signature == ["assertion_signature", "pass", f"rsa-sha256, certificate {thumbprint}", signature[3]]


def test_an_answer_without_its_question_is_explained(service, app):
    record, _ = refuse(service, app, forget_question)
    assert record["code"] == "saml_inresponseto"
    assert record["checks"][1] == ["question", "pass", "none", "found; none where the provider may begin"]


def test_a_message_that_is_used_twice_is_explained(service, app):
    visitor = Visitor(app)
    question = begin(visitor, "corp")
    encoded = draft_response("corp", question.request_id).encode()
    post_response(visitor, "corp", encoded, question.handle)
    again = service.ask(visitor.browser, request_id=question.request_id, asked_at=service.clock.now())
    before = service.last()
    post_response(visitor, "corp", encoded, again.handle)
    [record] = service.records(before)
    assert (record["code"], find_failure(record)[0]) == ("saml_replay", "first_use")


def test_the_record_holds_what_the_message_claims_and_only_that(service, app):
    record, _ = refuse(service, app, set_issuer)
    assert record["claimed_issuer"] == OTHER
    assert re.fullmatch(r"_[\w-]+", record["claimed_id"])
    assert "issuer" not in record
    record, _ = refuse(service, app, lengthen_id)
    assert record["claimed_id"] == "x" * 200 + "..."


def test_an_answer_that_is_no_message_claims_nothing(service, app):
    visitor, before = Visitor(app), service.last()
    post_response(visitor, "corp", "!!!")
    [record] = service.records(before)
    assert find_failure(record) == ("base64", "3 characters", "at most 393216 characters")
    assert "claimed_issuer" not in record


def test_an_accepted_sign_in_has_no_checks(service, app):
    before = service.last()
    sign_in(Visitor(app))
    assert not [record for record in service.records(before) if "checks" in record]


# ── OpenID Connect ───────────────────────────────────────────────────────────────────────────────────────────


def call_with(service, app, *, change=lambda query: query, late=0, **claims):
    """Let a callback of ``staff`` be refused that differs from an honest one in one thing; return its record."""
    visitor, before = Visitor(app), service.last()
    question = begin(visitor, "staff")
    query = service.staff.authorize(question.url, "canary-subject")
    service.staff.claims = claims
    service.clock.moment += timedelta(seconds=late)
    call_back(visitor, "staff", change(query))
    [record] = service.records(before)
    assert record["event"] == "sign_in.refused", record
    return record


def without_state(query):
    return [(name, "x" if name == "state" else value) for name, value in query]


def by_another(query):
    return [(name, OTHER if name == "iss" else value) for name, value in query]


def with_error(query):
    return [("error", "access_denied"), *query[1:]]


def code_of_another(query):
    return [("code", "x" * 22), *query[1:]]


TOKEN_REFUSALS = {
    "question": ({"change": without_state}, "oidc_state", "none", "found"),
    "callback_issuer": ({"change": by_another}, "oidc_mixup", OTHER, None),
    "callback_code": ({"change": with_error}, "oidc_provider_error", "error", "code"),
    "token_response": ({"change": code_of_another}, "oidc_code", "none", "an ID token and an access token"),
    "issuer": ({"iss": OTHER}, "oidc_iss", OTHER, None),
    "audience": ({"aud": ["other", "another"]}, "oidc_aud", "other, another", "rambridge"),
    "authorized_party": ({"azp": "other"}, "oidc_azp", "other", "rambridge; none with one audience"),
    "nonce": ({"nonce": "another"}, "oidc_nonce", "differs", "matches"),
    "subject": ({"sub": "a b"}, "oidc_sub", "3 characters", "1 to 255 visible ASCII characters"),
    "times": ({"exp": "soon"}, "oidc_exp", None, "seconds since 1970"),
    "expires": ({"exp": 1}, "oidc_exp", None, f"in the future; {CLOCKS}"),
    "access_token_hash": ({"at_hash": "x"}, "oidc_at_hash", "differs", "matches, or none"),
    "claim_types": ({"amr": "pwd"}, "oidc_claim", None, None),
}


@pytest.mark.parametrize("check", TOKEN_REFUSALS)
def test_the_trace_of_a_callback_names_the_check_that_failed_too(service, app, check):
    options, code, measured, allowed = TOKEN_REFUSALS[check]
    record = call_with(service, app, **options)
    assert record["code"] == code
    failure = find_failure(record)
    assert failure[0] == check
    assert measured in {None, failure[1]}, failure
    assert allowed in {None, failure[2]}, failure


def test_a_token_that_is_too_old_is_explained_in_seconds(service, app):
    now = int(service.clock.now().timestamp())
    record = call_with(service, app, iat=now - 900, exp=now + 300)
    assert find_failure(record) == ("issued", "900 s ago", f"in the last 600 s; {CLOCKS}")
    assert record["claimed_issuer"] == service.staff.issuer
    assert record["claimed_id"]


def test_t_web_13_no_record_of_a_callback_holds_a_secret_of_it(service, app):
    for options, *_ in TOKEN_REFUSALS.values():
        service.staff.requests.clear()
        text = json.dumps(call_with(service, app, email="canary-mail@example.com", **options))
        assert "canary" not in text
        for request in service.staff.requests:
            for name in ("code", "code_verifier"):
                assert len(request.form.get(name, "")) < 9 or request.form[name] not in text


@pytest.mark.parametrize("case", [*cases_flow.CALLBACKS, *cases_flow.TOKEN_RESPONSES], ids=lambda case: case.id)
def test_t_web_13_no_record_of_a_hostile_callback_holds_a_secret_of_it(service, app, case):
    visitor, before = Visitor(app), service.last()
    question = begin(visitor, "staff")
    honest = service.staff.authorize(question.url)
    change = list
    if isinstance(case, CallbackCase):
        change = case.change
    else:
        service.staff.replies[case.path] = case.reply
    call_back(visitor, "staff", change(honest))
    [record] = service.records(before)
    assert find_failure(record)
    text = json.dumps(record)
    nonce = dict(parse_qsl(urlsplit(question.url).query))["nonce"]
    for secret in (question.handle, nonce, dict(honest)["code"], CLIENT_SECRET):
        assert secret not in text


@pytest.mark.parametrize("check", REFUSALS)
def test_t_web_13_no_record_of_a_response_holds_the_name_or_an_attribute(service, app, check):
    spoil, options, *_ = REFUSALS[check]
    record, page = refuse(service, app, spoil, **options)
    assert "canary" not in json.dumps(record)
    assert "canary" not in page.text


# ── For administrators ───────────────────────────────────────────────────────────────────────────────────────

MARK = "\"'></td><script>pwned(1)</script>\x1b[31m\r\n\u202e{{7*7}}"


def set_markup(draft, _):
    draft.find("//saml:Audience").text = MARK.replace("\x1b", "")
    for issuer in draft.root.iter("{*}Issuer"):
        issuer.text = MARK.replace("\x1b", "")


@pytest.fixture
def trace(service):
    """Return a function that runs the command and returns its result."""
    return lambda *arguments: CliRunner().invoke(
        main, ["--config", str(service.configuration.folder), "trace", *arguments]
    )


def test_the_page_of_the_refused_person_says_nothing_of_all_that(service, app):
    record, page = refuse(service, app, set_audience)
    assert read_reference(page) == record["reference"]
    for text in ("audience", OTHER, "Measured", record["detail"]):
        assert text not in page.text.replace("saml_audience", "")


def test_an_administrator_sees_each_check_and_what_to_do(service, app, administrator):
    record, _ = refuse(service, app, set_audience)
    before = service.last()
    page = administrator.get(f"/admin/sign-ins/{record['reference']}")
    assert page.status_code == 200
    assert page.headers["Cache-Control"] == "no-store"
    row = re.search(r'<tr class="fail">(.*?)</tr>', page.text, re.DOTALL)[1]
    assert "The assertion is meant for us" in row
    assert OTHER in row
    assert f"{PUBLIC_URL}/saml/corp/metadata" in row
    assert page.text.count('class="pass"') == len(record["checks"]) - 1
    assert page.text.count('class="not-reached"') > 10
    assert "Register our SP metadata at the provider." in page.text
    assert service.last() == before, "a look leaves no record"


def test_t_web_16_nobody_else_sees_a_trace(service, app, governed):
    record, _ = refuse(service, app, set_audience)
    person = Visitor(governed)
    assert person.get(f"/admin/sign-ins/{record['reference']}").status_code == 303
    sign_in(person)
    answer = person.get(f"/admin/sign-ins/{record['reference']}")
    assert find_code(answer) == "web_forbidden"
    assert OTHER not in answer.text


def test_the_field_takes_a_reference_as_people_write_it(service, app, administrator):
    record, _ = refuse(service, app, set_audience)
    for written in (record["reference"], record["reference"].replace("-", "").lower(), f" {record['reference']} "):
        answer = administrator.get("/admin/sign-ins", query_string={"reference": written})
        assert (answer.status_code, answer.location) == (303, f"/admin/sign-ins/{record['reference']}")
    assert "A reference has twelve" in administrator.get("/admin/sign-ins?reference=//evil.example").text
    assert administrator.get("/admin/sign-ins/0000-0000-0000").status_code == 404
    assert administrator.get(f"/admin/sign-ins/{MARK}").status_code == 404


def test_the_reference_of_an_accepted_sign_in_and_of_something_else_says_so(service, administrator, trace):
    accepted = next(record for record in service.records()[::-1] if record["event"] == "sign_in.accepted")
    page = administrator.get(f"/admin/sign-ins/{accepted['reference']}")
    assert "This sign-in was accepted" in page.text
    assert "entitlements.resolved" in page.text
    assert "The provider's answer passed every check." in trace(accepted["reference"]).output
    before = service.last()
    Visitor(administrator.app).get("/")
    sign_in(other := Visitor(administrator.app))
    refused = other.get("/admin/sign-ins")
    page = administrator.get(f"/admin/sign-ins/{read_reference(refused)}")
    assert "No sign-in, but something else" in page.text
    assert "administration.refused" in trace(read_reference(refused)).output
    assert service.last() > before


def test_t_web_04_markup_in_a_message_is_text_on_the_page_of_its_trace(service, app, administrator):
    record, _ = refuse(service, app, set_markup)
    for page in (administrator.get(f"/admin/sign-ins/{record['reference']}"), administrator.get("/admin/sign-ins")):
        assert page.status_code == 200
        assert "<script>pwned" not in page.text
        assert "49" not in re.findall(r"<td[^>]*>[^<]*</td>", page.text)
        assert "\u202e" not in page.text
    assert "pwned(1)" in administrator.get(f"/admin/sign-ins/{record['reference']}").text


def test_t_web_12_the_command_prints_one_visible_line_for_each(service, app, trace):
    record, _ = refuse(service, app, set_markup)
    result = trace(record["reference"])
    assert result.exit_code == 0, result.output
    assert "\x1b" not in result.output
    assert "\u202e" not in result.output
    assert "pwned(1)" in result.output
    assert all(line.isprintable() for line in result.output.splitlines())


def test_the_command_prints_what_failed_and_what_to_do(service, app, trace):
    record, _ = refuse(service, app, set_audience)
    result = trace(record["reference"].lower())
    assert result.exit_code == 0, result.output
    assert "Sign-in refused: saml_audience" in result.output
    assert "Register our SP metadata at the provider." in result.output
    assert ADDRESS in result.output
    [line] = [line for line in result.output.splitlines() if line.startswith("FAIL")]
    assert "The assertion is meant for us" in line
    found = json.loads(trace(record["reference"], "--json").output)
    [told] = found["records"]
    failed = [check for check in told["checks"] if check["outcome"] == "fail"]
    assert [(check["name"], check["measured"]) for check in failed] == [("audience", OTHER)]
    assert told["remedy"] == "Register our SP metadata at the provider."


def test_the_command_says_what_it_does_not_find(trace):
    result = trace("0000-0000-0000")
    assert (result.exit_code, "No record has the reference" in result.output) == (1, True)
    assert trace("../etc/passwd").exit_code == 2
    assert "1A2B-3C4D-5E6F" in trace("1234").output
