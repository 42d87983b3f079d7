"""What passes through a sign-in or a sign-out leaves nothing behind, and no name breaks a line (WEB-12, 13, 15).

test_web.py follows the way from the tile to credentials; this is the rest: pushed questions, proofs by key, userinfo,
assertions that are opened, and both kinds of sign-out, each of them accepted and refused.
"""

import base64
import json
import logging
import re
import secrets
import unicodedata
from urllib.parse import parse_qsl, quote

import pytest
from joserfc.jwk import KeySet

from bridge.attack.saml.encryption import EncryptionOptions
from bridge.attack.scripted_server import Reply
from tests.attacks.door import (
    CLIENT_SECRET,
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
from tests.attacks.test_logout import frame, logout_of, logout_token, post, send
from tests.attacks.test_web import find_in, private_keys, read_database

pytestmark = pytest.mark.usefixtures("no_failures")


@pytest.fixture
def strict(service):
    """Return a node whose OpenID provider wants everything: pushed questions, a proof by key, userinfo."""
    wants = {"client_authentication": "private_key_jwt", "client_secret": None, "par": "require", "userinfo": "always"}
    providers = dict(service.configuration.providers)
    providers["staff"] = providers["staff"].model_copy(update=wants)
    service.staff.offer_par()
    node = service.start(providers=providers)
    service.staff.client_keys = KeySet.import_key_set(Visitor(node).get("/oidc/staff/jwks").json)
    return node


def sign_in_strictly(service, node):
    """Go once through everything, honestly; return what must be found nowhere, and the answers."""
    visitor = Visitor(node)
    service.staff.token_response = {"access_token": f"access-{secrets.token_hex(16)}"}
    callback = service.staff.authorize(visitor.get("/sign-in/staff").location)
    answer = call_back(visitor, "staff", callback)
    return answer, {service.staff.token_response["access_token"], dict(callback)["code"], dict(callback)["state"]}


def test_t_web_13_no_proof_question_or_token_of_a_strict_sign_in_is_kept_or_shown(service, strict, caplog):
    last, known, answers = service.last(), set(), []
    with caplog.at_level(logging.DEBUG):
        answer, seen = sign_in_strictly(service, strict)
        assert answer.status_code == 303
        for path, reply in (
            ("/userinfo", Reply(200, b'{"sub": "somebody else"}', {"Content-Type": "application/json"})),
            ("/token", Reply(401, json.dumps({"error_description": "you sent canary-of-theirs"}).encode())),
        ):
            service.staff.replies[path] = reply
            answer, more = sign_in_strictly(service, strict)
            assert answer.status_code == 400
            answers.append(answer)
            seen |= more
            service.staff.replies.clear()
        service.staff.replies["/par"] = Reply(
            400, b'{"error": "invalid_request", "error_description": "canary-of-theirs"}'
        )
        answers.append(Visitor(strict).get("/sign-in/staff"))
        assert answers[-1].status_code in {400, 503}
        known |= seen | {"canary-of-theirs"}
    for request in service.staff.requests:
        known |= {request.form[name] for name in ("client_assertion", "code_verifier", "nonce") if name in request.form}
    assert len(known) >= 12, "everything was used"
    assert_nowhere(service, known, last, caplog, answers)


def test_t_web_13_no_part_of_an_assertion_that_was_opened_is_kept_or_shown_if_it_is_refused(service, visitor, caplog):
    last, answers = service.last(), []
    canary = f"canary-{secrets.token_hex(8)}"
    known = {canary}
    with caplog.at_level(logging.DEBUG):
        for spoil in (
            lambda draft: setattr(draft.find("//saml:Audience"), "text", "https://other.example.com"),
            lambda draft: draft.root.set("Destination", "https://other.example.com"),
            lambda draft: draft.find("//saml:AuthnStatement").set("AuthnInstant", "yesterday"),
        ):
            question = begin(visitor, "corp")
            draft = draft_response("corp", question.request_id, canary, signed="both", encryption=EncryptionOptions())
            add_attribute(draft, "department", canary)
            spoil(draft)
            encoded = draft.encode()
            known.add(encoded)
            answers.append(post_response(visitor, "corp", encoded, question.handle))
            assert answers[-1].status_code == 400
    assert_nowhere(service, known, last, caplog, answers)
    question = begin(visitor, "corp")
    draft = draft_response("corp", question.request_id, canary, signed="both", encryption=EncryptionOptions())
    assert post_response(visitor, "corp", draft.encode(), question.handle).status_code == 303
    assert visitor.is_signed_in_as(canary)


def test_t_web_13_no_message_of_a_sign_out_is_kept_or_shown(service, app, caplog):
    last, answers, known = service.last(), [], set()
    with caplog.at_level(logging.DEBUG):
        for claims in ({}, {"aud": "somebody else"}, {"events": {}}, {"exp": 1}, {"nonce": "canary-nonce"}):
            token = logout_token(service, **claims)
            known.add(token)
            answers.append(send(app, {"logout_token": token}))
        assert [answer.status_code for answer in answers] == [200, 400, 400, 400, 400]
        for message in (logout_of(), logout_of(issuer="https://other.example.com"), logout_of(slo="https://x.example")):
            query, form = message.query("canary-of-theirs"), message.form("canary-of-theirs")
            known |= set(form.values()) | {dict(parse_qsl(query))["SAMLRequest"], dict(parse_qsl(query))["Signature"]}
            frame(app, query)
            answers.append(post(app, form))
    assert_nowhere(service, known, last, caplog, [answer for answer in answers if answer.status_code >= 400])


def assert_nowhere(service, known, last, caplog, answers):
    """None of these texts, nor a key of ours, is in the log, the records, the database, the memory or the answers."""
    known = {*known, CLIENT_SECRET, *private_keys(service)}
    encoded = {base64.b64encode(each.encode()).decode().rstrip("=") for each in known}
    places = {
        "log": caplog.text,
        "records": json.dumps(service.records(last)),
        "database": read_database(service),
        "memory": str(service.memory()),
        "answers": "".join(answer.text + str(answer.headers) for answer in answers),
    }
    assert caplog.text
    assert len(service.records(last)) >= len(answers)
    assert {place: find_in(known | encoded, text) for place, text in places.items()} == {place: [] for place in places}


@pytest.mark.parametrize("message", ["SAMLResponse", "logout_token", "id_token", "access_token", "client_assertion"])
def test_t_web_13_a_message_in_an_address_is_taken_by_no_page_but_the_one_that_the_standard_names(
    service, app, message
):
    """An address is in logs and histories; a response by GET would be too."""
    visitor = Visitor(app)
    question = begin(visitor, "corp")
    encoded = draft_response("corp", question.request_id).encode()
    last = service.last()
    for path in ("/saml/corp/acs", "/oidc/staff/backchannel-logout", "/sign-in/confirm", "/oidc/staff/callback"):
        response = visitor.get(f"{path}?{message}={quote(encoded, safe='')}&RelayState={question.handle}")
        assert response.status_code in {400, 405}
        assert encoded not in response.text
    assert visitor.session is None
    assert encoded not in json.dumps(service.records(last))
    assert post_response(visitor, "corp", encoded, question.handle).status_code == 303


@pytest.mark.parametrize("name", ["FLASK_DEBUG", "DEBUG", "FLASK_ENV", "PYTHONDEVMODE"])
def test_t_web_13_no_variable_of_the_environment_turns_debugging_on(service, monkeypatch, name):
    monkeypatch.setenv(name, "development" if name == "FLASK_ENV" else "1")
    node = service.start()
    assert (node.debug, node.testing, node.config["PROPAGATE_EXCEPTIONS"]) == (False, False, False)
    sign_in(Visitor(node))


# ── WEB-12: names that are lines ─────────────────────────────────────────────────────────────────────────────

LINES = {
    "line break": "ada\r\nsign_in.accepted root",
    "terminal": "\x1b[2J\x1b]0;owned\x07ada",
    "NUL": "ada\x00root",
    "line separator": "ada\u2028root\u2029root",
    "bidi": "ada\u202egpj.exe\u2066",
    "backspace": "admin\x08\x08\x08\x08\x08ada",
    "next line": "ada\x85root",
    "JSON": 'ada", "event": "sign_in.accepted',
}


@pytest.mark.parametrize("text", LINES.values(), ids=LINES)
@pytest.mark.parametrize("place", ["name", "sub", "iss", "aud", "acr", "sid"])
def test_t_web_12_no_name_in_a_token_breaks_a_line_of_log_or_record(service, visitor, caplog, place, text):
    service.staff.claims = {place: text}
    last = service.last()
    with caplog.at_level(logging.DEBUG):
        response = call_back(visitor, "staff", service.staff.authorize(begin(visitor, "staff").url))
    assert response.status_code in {303, 400}
    for line in caplog.messages:
        assert not [each for each in line if unicodedata.category(each) in {"Cc", "Cf", "Zl", "Zp"} and each != "\n"]
        assert "root" not in line
    records = service.records(last)
    assert records[0]["event"] in {"sign_in.accepted", "sign_in.refused"}
    assert len(records) <= 2, "one for the answer, one for the entitlements"
    written = [line for line in read_texts(service) if records[0]["reference"] in line]
    assert written
    assert all(line.isascii() and line.isprintable() for line in written)
    service.staff.claims = {}
    assert call_back(visitor, "staff", service.staff.authorize(begin(visitor, "staff").url)).status_code == 303


def read_texts(service):
    """Return the text of each record as it stands in the database."""
    with service._log.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM audit_records").all()
    return [value for row in rows for value in row if isinstance(value, str)]


# ── WEB-15: answers that tell nothing ────────────────────────────────────────────────────────────────────────


def seen(response):
    """Return everything that somebody could tell answers apart by, but for the reference number."""
    page = response.text
    if response.mimetype == "text/html" and 'id="reference"' in page:
        page = page.replace(read_reference(response), "REFERENCE")
    page = re.sub(r'"reference":\s*"[0-9A-F-]+"', "", page)
    headers = {name: value for name, value in response.headers.items() if name not in {"Date", "Content-Length"}}
    return response.status_code, page, str(headers)


def test_t_web_15_an_unknown_and_an_ended_session_and_one_of_another_form_are_answered_alike(service, app):
    ended, live = Visitor(app), Visitor(app)
    sign_in(ended)
    session = ended.session
    ended.submit(ended.get("/"), "/sign-out")
    guesses = (session, secrets.token_urlsafe(32), "A" * 43)
    [answer] = {seen(live.copy(session=each).get("/api/v1/session")) for each in guesses}
    assert answer[0] == 401
    assert "session_missing" in answer[1]
    sign_in(live)
    assert live.get("/api/v1/session").status_code == 200


def test_t_web_15_a_state_of_nobody_and_a_state_of_another_browser_are_answered_alike(service, app):
    victim, attacker = Visitor(app), Visitor(app)
    question = begin(victim, "staff")
    honest = service.staff.authorize(question.url)
    begin(attacker, "staff")
    answers = {
        seen(call_back(attacker, "staff", [(name, state if name == "state" else value) for name, value in honest]))
        for state in (question.handle, secrets.token_urlsafe(32))
    }
    assert len(answers) == 1
    assert call_back(victim, "staff", honest).status_code == 303


def test_t_web_15_a_relay_state_of_nobody_and_one_of_another_browser_are_answered_alike(service, app):
    victim, attacker = Visitor(app), Visitor(app)
    question = begin(victim, "corp")
    encoded = draft_response("corp", question.request_id).encode()
    begin(attacker, "corp")
    answers = {
        seen(post_response(attacker, "corp", encoded, each)) for each in (question.handle, secrets.token_urlsafe(32))
    }
    assert len(answers) == 1
    assert post_response(victim, "corp", encoded, question.handle).status_code == 303


def test_t_web_15_a_role_that_does_not_exist_and_a_role_of_somebody_else_are_answered_alike(service, app):
    finance, platform = Visitor(app), Visitor(app)
    sign_in(finance, "bob@example.com", groups=("finance",))
    sign_in(platform)
    ids = {each["name"]: each["id"] for each in platform.get("/api/v1/session").json["entitlements"]}
    token = re.search(r'name="csrf_token" value="([^"]+)"', finance.get("/").text)[1]
    answers = {
        seen(finance.post(f"/credentials/{each}", {"csrf_token": token}))
        for each in (ids["Developer"], secrets.token_urlsafe(24), "x")
    }
    assert len(answers) == 1
    assert find_code(finance.post("/credentials/x", {"csrf_token": token})) == "not_entitled"
    own = finance.get("/api/v1/session").json["entitlements"][0]["id"]
    assert finance.post(f"/credentials/{own}", {"csrf_token": token}).status_code == 200
