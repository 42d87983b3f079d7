"""An answer counts once, for the question that it answers, in the browser that asked (SAML-18, 19, 24, 27, 28;
OIDC-17, 18, 22; WEB-01, 02, 03, 10). A refused one burns nothing: the honest one is accepted afterwards.
"""

from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from datetime import timedelta
from threading import Barrier
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from bridge.attack.saml.messages import NOW, NS, SignatureOptions, make_certificate, make_key
from bridge.attack.scripted_server import Reply
from bridge.errors import (
    OIDCCallback,
    OIDCCode,
    OIDCMixUp,
    OIDCProviderError,
    OIDCReplay,
    OIDCState,
    SAMLDestination,
    SAMLInResponseTo,
    SAMLIssuer,
    SAMLRecipient,
    SAMLReplay,
    SAMLSignatureInvalid,
    SAMLUnsolicited,
    UnknownProvider,
)
from bridge.identity.pending import CONFIRMATION_SECONDS, LIFETIME_SECONDS
from bridge.sessions.cookie import BROWSER_COOKIE, SESSION_COOKIE
from tests.attacks.door import (
    ENTITIES,
    PUBLIC_URL,
    Visitor,
    address_to,
    begin,
    call_back,
    check_refusal,
    draft_response,
    find_code,
    post_response,
    read,
    read_question,
    sign_in,
    sign_in_by_tile,
)

pytestmark = pytest.mark.usefixtures("no_failures")

SUBJECT = "alice@example.com"


@pytest.fixture
def stranger(service, app):
    """Return another browser."""
    return Visitor(app)


@pytest.fixture
def victim(service, app):
    """Return a browser in which somebody works already."""
    victim = Visitor(app)
    sign_in(victim, "victim@example.com")
    return victim


def refused(service, response, error, after):
    """The answer is a plain refusal of this kind, and recorded."""
    check_refusal(service, response, error, after=after)


# ── SAML-19: the question and its browser ────────────────────────────────────────────────────────────────────


def test_t_saml_19_a_response_in_another_browser_is_refused_and_still_works_in_its_own(service, visitor, stranger):
    question = begin(visitor, "corp")
    encoded = draft_response("corp", question.request_id).encode()
    begin(stranger, "corp")
    for other in (stranger, Visitor(service.start())):
        last = service.last()
        refused(service, post_response(other, "corp", encoded, question.handle), SAMLInResponseTo, last)
        assert other.session is None
    post_response(visitor, "corp", encoded, question.handle)
    assert visitor.is_signed_in_as(SUBJECT)


def test_two_questions_of_one_browser_are_both_answered(service, visitor):
    first, second = begin(visitor, "corp"), begin(visitor, "corp")
    for question in (second, first):
        response = post_response(visitor, "corp", draft_response("corp", question.request_id).encode(), question.handle)
        assert response.status_code == 303


@pytest.mark.parametrize(
    ("age_seconds", "accepted"), [(LIFETIME_SECONDS - 1, True), (LIFETIME_SECONDS, False), (86_400, False)]
)
def test_t_saml_19_a_question_is_too_old_after_ten_minutes(service, visitor, age_seconds, accepted):
    service.clock.moment = NOW - timedelta(seconds=age_seconds)
    question = begin(visitor, "corp")
    service.clock.moment = NOW
    last = service.last()
    response = post_response(visitor, "corp", draft_response("corp", question.request_id).encode(), question.handle)
    if accepted:
        assert visitor.is_signed_in_as(SUBJECT)
    else:
        refused(service, response, SAMLInResponseTo, last)


def test_t_saml_19_a_question_is_answered_once(service, visitor):
    question = begin(visitor, "corp")
    post_response(visitor, "corp", draft_response("corp", question.request_id).encode(), question.handle)
    last = service.last()
    again = draft_response("corp", question.request_id, "somebody.else@example.com").encode()
    refused(service, post_response(visitor, "corp", again, question.handle), SAMLInResponseTo, last)
    assert visitor.is_signed_in_as(SUBJECT)


@pytest.mark.parametrize("relay_state", ["", None, "unknown", "A" * 43])
def test_t_saml_19_an_answer_whose_question_is_not_named_is_refused(service, visitor, relay_state):
    question = begin(visitor, "corp")
    encoded = draft_response("corp", question.request_id).encode()
    last = service.last()
    refused(service, post_response(visitor, "corp", encoded, relay_state), SAMLInResponseTo, last)
    assert post_response(visitor, "corp", encoded, question.handle).status_code == 303


def test_t_saml_19_the_handle_of_one_question_does_not_fit_the_answer_to_another(service, visitor):
    first, second = begin(visitor, "corp"), begin(visitor, "corp")
    encoded = draft_response("corp", first.request_id).encode()
    last = service.last()
    refused(service, post_response(visitor, "corp", encoded, second.handle), SAMLInResponseTo, last)
    assert post_response(visitor, "corp", encoded, first.handle).status_code == 303


def test_t_saml_19_an_unsolicited_response_is_refused_unless_the_provider_may_begin(service, visitor):
    last = service.last()
    refused(service, post_response(visitor, "corp", draft_response("corp", None).encode()), SAMLUnsolicited, last)
    sign_in_by_tile(visitor, draft_response("tiles", None).encode())
    assert visitor.is_signed_in_as(SUBJECT)


def test_t_saml_19_an_unsolicited_response_does_not_answer_a_question(service, visitor):
    question = begin(visitor, "tiles")
    encoded = draft_response("tiles", None).encode()
    last = service.last()
    refused(service, post_response(visitor, "tiles", encoded, question.handle), SAMLInResponseTo, last)
    assert post_response(visitor, "tiles", encoded).status_code == 200


def test_t_saml_19_an_unsolicited_assertion_in_a_wrapper_that_names_a_question_is_refused(service, stranger):
    """The wrapper is not signed, so whoever has the assertion can write any InResponseTo on it (node-saml 433)."""
    question = begin(stranger, "tiles")
    stolen = draft_response("tiles", None)

    @stolen.after_signing
    def wrap(root):
        root.set("InResponseTo", question.request_id)

    last = service.last()
    response = post_response(stranger, "tiles", stolen.encode(), question.handle)
    refused(service, response, SAMLInResponseTo, last)
    honest = draft_response("tiles", question.request_id).encode()
    assert post_response(stranger, "tiles", honest, question.handle).status_code == 303


def test_t_saml_19_an_answer_in_a_wrapper_that_hides_its_question_is_refused(service, visitor, stranger):
    """The other way round: an answer to the attacker's own question, made to look as if nobody had asked."""
    question = begin(stranger, "tiles")
    draft = draft_response("tiles", question.request_id)

    @draft.after_signing
    def unwrap(root):
        del root.attrib["InResponseTo"]

    last = service.last()
    refused(service, post_response(visitor, "tiles", draft.encode()), SAMLInResponseTo, last)
    assert visitor.session is None


# ── SAML-18: providers that are mixed up ─────────────────────────────────────────────────────────────────────


def test_t_saml_18_a_question_to_one_provider_is_not_answered_by_another(service, visitor):
    question = begin(visitor, "corp")
    last = service.last()
    encoded = draft_response("tiles", question.request_id).encode()
    refused(service, post_response(visitor, "tiles", encoded, question.handle), SAMLIssuer, last)
    honest = draft_response("corp", question.request_id).encode()
    assert post_response(visitor, "corp", honest, question.handle).status_code == 303


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda draft: None, SAMLSignatureInvalid),
        (lambda draft: rename(draft, "tiles"), SAMLSignatureInvalid),
        (lambda draft: rename(draft, "tiles", keep_key=True), SAMLIssuer),
    ],
    ids=["its name, another's key", "another's name and key", "another's name"],
)
def test_t_saml_18_a_response_of_another_provider_at_this_ones_address_is_refused(service, visitor, change, error):
    question = begin(visitor, "corp")
    draft = draft_response("corp", question.request_id)
    draft.options = SignatureOptions(key=make_key("tiles"), certificate=make_certificate("tiles"))
    change(draft)
    last = service.last()
    refused(service, post_response(visitor, "corp", draft.encode(), question.handle), error, last)
    honest = draft_response("corp", question.request_id).encode()
    assert post_response(visitor, "corp", honest, question.handle).status_code == 303


def rename(draft, provider, *, keep_key=False):
    for issuer in draft.root.iter(f"{{{NS['saml']}}}Issuer"):
        issuer.text = ENTITIES[provider]
    if keep_key:
        draft.options = SignatureOptions()


def test_t_saml_18_a_response_for_one_address_is_refused_at_another(service, visitor):
    question = begin(visitor, "tiles")
    encoded = draft_response("corp", question.request_id).encode()
    last = service.last()
    refused(service, post_response(visitor, "tiles", encoded, question.handle), SAMLSignatureInvalid, last)


# ── SAML-24: the address is ours by the settings, not by the Host header ─────────────────────────────────────


@pytest.mark.parametrize("header", ["Host", "X-Forwarded-Host", "Forwarded", "X-Forwarded-Server", "X-Original-Host"])
def test_t_saml_24_a_response_for_another_site_is_refused_whatever_the_headers_say(service, visitor, header):
    question = begin(visitor, "corp")
    draft = draft_response("corp", question.request_id)
    address_to(draft, "https://evil.example/saml/corp/acs")
    headers = {header: "host=evil.example" if header == "Forwarded" else "evil.example"}
    last = service.last()
    response = post_response(visitor, "corp", draft.encode(), question.handle, headers=headers)
    if header == "Host":
        assert (response.status_code, find_code(response)) == (421, "web_host")
        assert "evil" not in response.text
    else:
        refused(service, response, SAMLDestination, last)
    last = service.last()
    draft.root.set("Destination", f"{PUBLIC_URL}/saml/corp/acs")
    refused(service, post_response(visitor, "corp", draft.encode(), question.handle), SAMLRecipient, last)
    honest = draft_response("corp", question.request_id).encode()
    assert post_response(visitor, "corp", honest, question.handle).status_code == 303


# ── SAML-27: once ────────────────────────────────────────────────────────────────────────────────────────────


def rewrapped(draft):
    """Return the same signed assertion in a response of another ID, written differently."""
    again = deepcopy(draft)

    @again.after_signing
    def wrap(root):
        root.set("ID", "_another-response")
        root.tail = None

    again.after_writing(lambda xml: b'<?xml version="1.0"?>\n' + xml)
    return again


@pytest.mark.parametrize("change", [lambda draft: draft, rewrapped], ids=["the same bytes", "a new wrapper"])
@pytest.mark.parametrize("node", ["same node", "another node"])
@pytest.mark.parametrize("browser", ["same browser", "another browser"])
def test_t_saml_27_an_assertion_is_accepted_once(service, app, change, node, browser):
    draft = draft_response("tiles", None)
    first = Visitor(app)
    sign_in_by_tile(first, draft.encode())
    there = app if node == "same node" else service.start()
    second = first.copy(app=there) if browser == "same browser" else Visitor(there)
    encoded = change(draft).encode()
    assert (encoded == draft.encode()) == (change is not rewrapped)
    last = service.last()
    refused(service, post_response(second, "tiles", encoded), SAMLReplay, last)
    assert first.is_signed_in_as(SUBJECT), "the session that it began is not touched"
    sign_in_by_tile(second, draft_response("tiles", None).encode())


def test_t_saml_27_an_assertion_is_remembered_for_as_long_as_it_would_be_accepted(service, visitor):
    draft = draft_response("tiles", None)
    encoded = draft.encode()
    sign_in_by_tile(visitor, encoded)
    service.clock.advance(359)  # valid for 300 s, and 60 s of skew
    last = service.last()
    refused(service, post_response(visitor, "tiles", encoded), SAMLReplay, last)
    [mark] = [key for key in service.memory() if b":used:" in key]
    assert service.redis.pttl(mark) > 300_000


def test_t_saml_27_an_unconfirmed_sign_in_has_used_its_assertion(service, visitor):
    encoded = draft_response("tiles", None).encode()
    page = post_response(visitor, "tiles", encoded)
    last = service.last()
    refused(service, post_response(visitor, "tiles", encoded), SAMLReplay, last)
    visitor.submit(page, "/sign-in/confirm")
    assert visitor.is_signed_in_as(SUBJECT)


def at_once(count, act):
    """Return what ``act(0)`` to ``act(count - 1)`` return when all of them begin at the same moment."""
    start = Barrier(count)

    def wait_and_act(number):
        start.wait()
        return act(number)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(wait_and_act, range(count)))


def test_t_saml_27_of_twenty_simultaneous_posts_at_two_nodes_exactly_one_wins(service, app):
    encoded = draft_response("tiles", None).encode()
    nodes = (app, service.start())
    visitors = [Visitor(nodes[number % 2]) for number in range(20)]
    last = service.last()
    answers = at_once(20, lambda number: post_response(visitors[number], "tiles", encoded))
    codes = [find_code(answer) for answer in answers]
    assert sorted(codes, key=str) == [None, *["saml_replay"] * 19]
    assert [read(answer).forms[0].action for answer in answers if find_code(answer) is None] == [
        f"{PUBLIC_URL}/sign-in/confirm"
    ]
    events = [record["event"] for record in service.records(last)]
    assert sorted(events) == ["sign_in.accepted", *["sign_in.refused"] * 19]


def test_t_saml_27_of_twenty_simultaneous_answers_to_one_question_exactly_one_wins(service, app):
    visitor = Visitor(app)
    question = begin(visitor, "corp")
    encoded = draft_response("corp", question.request_id).encode()
    nodes = (app, service.start())
    visitors = [visitor.copy(app=nodes[number % 2]) for number in range(20)]
    answers = at_once(20, lambda number: post_response(visitors[number], "corp", encoded, question.handle))
    assert sorted(answer.status_code for answer in answers) == [303, *[400] * 19]
    assert {find_code(answer) for answer in answers} <= {None, "saml_replay", "saml_inresponseto"}
    assert sum(other.session is not None for other in visitors) == 1


def test_of_twenty_simultaneous_confirmations_exactly_one_opens_a_session(service, visitor):
    page = post_response(visitor, "tiles", draft_response("tiles", None).encode())
    form = read(page).forms[0]
    answers = at_once(20, lambda _: visitor.copy().post(form.action, form.fields))
    assert sorted(answer.status_code for answer in answers) == [303, *[400] * 19]


# ── SAML-28: RelayState that is no handle ────────────────────────────────────────────────────────────────────

RELAY_STATES = {
    "absolute": "https://evil.example/",
    "own address": f"{PUBLIC_URL}/console",
    "scheme-relative": "//evil.example",
    "backslash": "/\\evil.example",
    "script": "javascript:alert(1)",
    "user info": f"{PUBLIC_URL}@evil.example/",
    "tab": "/\t/evil.example",
    "header": "/\r\nSet-Cookie: a=b",
    "markup": '"><script>alert(1)</script>',
    "NUL": "\x00",
    "not ASCII": "\u4f60\U0001f600",
    "5 kB": "A" * 5_000,
    "a local path": "/somewhere",
}


@pytest.mark.parametrize("relay_state", RELAY_STATES.values(), ids=RELAY_STATES)
def test_t_saml_28_a_relay_state_that_is_no_handle_is_ignored_and_never_shown(service, visitor, relay_state):
    page = post_response(visitor, "tiles", draft_response("tiles", None).encode(), relay_state)
    assert page.status_code == 200
    assert relay_state not in page.text
    assert relay_state not in str(page.headers)
    response = visitor.submit(page, "/sign-in/confirm")
    assert (response.status_code, response.location) == (303, "/")


# ── WEB-01: login CSRF ───────────────────────────────────────────────────────────────────────────────────────


def test_t_web_01_an_attackers_unsolicited_response_changes_no_session(service, victim):
    session = victim.session
    page = post_response(victim, "tiles", draft_response("tiles", None, "attacker@example.com").encode())
    assert page.status_code == 200
    assert "attacker@example.com" in read(page).text()
    assert victim.session == session
    assert f"{SESSION_COOKIE}=" not in str(page.headers)
    assert victim.is_signed_in_as("victim@example.com")
    assert victim.submit(page, "/sign-in/confirm").status_code == 303, "only the person's own click does"
    assert victim.is_signed_in_as("attacker@example.com")
    assert not victim.copy(session=session).is_signed_in_as("victim@example.com"), "one session at a time"


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none", None])
def test_t_web_01_a_confirmation_from_another_page_is_refused(service, victim, site):
    page = post_response(victim, "tiles", draft_response("tiles", None, "attacker@example.com").encode())
    last = service.last()
    response = victim.submit(page, "/sign-in/confirm", site=site)
    assert (response.status_code, find_code(response)) == (403, "web_cross_site")
    assert service.last() == last
    assert victim.is_signed_in_as("victim@example.com")
    assert victim.submit(page, "/sign-in/confirm").status_code == 303


def test_t_web_01_a_confirmation_of_another_browser_is_refused_and_stays_usable(service, victim, stranger):
    page = post_response(stranger, "tiles", draft_response("tiles", None, "attacker@example.com").encode())
    for other in (victim, Visitor(service.start())):
        response = other.submit(page, "/sign-in/confirm")
        assert (response.status_code, find_code(response)) == (400, "confirmation_unknown")
        assert "Set-Cookie" not in response.headers
    assert victim.is_signed_in_as("victim@example.com")
    assert stranger.submit(page, "/sign-in/confirm").status_code == 303


def test_t_web_01_a_confirmation_works_once_and_for_five_minutes(service, visitor):
    page = post_response(visitor, "tiles", draft_response("tiles", None).encode())
    service.clock.advance(CONFIRMATION_SECONDS - 1)
    assert visitor.submit(page, "/sign-in/confirm").status_code == 303
    assert visitor.submit(page, "/sign-in/confirm").status_code == 400
    service.clock.moment = NOW
    page = post_response(visitor, "tiles", draft_response("tiles", None).encode())
    service.clock.advance(CONFIRMATION_SECONDS)
    assert visitor.submit(page, "/sign-in/confirm").status_code == 400


@pytest.mark.parametrize("token", ["", "unknown", "A" * 43, "\x00", "\u4f60", "x" * 100_000])
def test_t_web_01_an_invented_confirmation_is_refused(service, visitor, token):
    post_response(visitor, "tiles", draft_response("tiles", None).encode())
    response = visitor.post("/sign-in/confirm", {"token": token})
    assert (response.status_code, find_code(response)) == (400, "confirmation_unknown")
    assert "Set-Cookie" not in response.headers


def test_t_web_01_another_persons_solicited_answer_asks_before_it_replaces_a_session(service, victim):
    session = victim.session
    question = begin(victim, "corp")
    encoded = draft_response("corp", question.request_id, "other@example.com").encode()
    page = post_response(victim, "corp", encoded, question.handle)
    assert "Somebody else is signed in here" in read(page).text()
    assert "victim@example.com" in read(page).text()
    assert victim.session == session
    assert victim.is_signed_in_as("victim@example.com")
    victim.submit(page, "/sign-in/confirm")
    assert victim.is_signed_in_as("other@example.com")


def test_t_web_01_the_same_persons_answer_replaces_the_session_without_a_question(service, victim):
    session = victim.session
    sign_in(victim, "victim@example.com")
    assert victim.session != session


def test_t_web_01_an_attackers_callback_is_refused_in_the_victims_browser(service, victim, stranger):
    question = begin(stranger, "staff")
    callback = service.staff.authorize(question.url, "attacker")
    last = service.last()
    refused(service, call_back(victim, "staff", callback), OIDCState, last)
    assert "/token" not in service.staff.paths()
    assert victim.is_signed_in_as("victim@example.com")
    assert call_back(stranger, "staff", callback).status_code == 303


# ── OIDC-17: state ───────────────────────────────────────────────────────────────────────────────────────────


def test_t_oidc_17_a_state_is_of_one_browser(service, visitor, stranger):
    callback = service.staff.authorize(begin(visitor, "staff").url)
    begin(stranger, "staff")
    for other in (stranger, Visitor(service.start())):
        last = service.last()
        refused(service, call_back(other, "staff", callback), OIDCState, last)
    assert "/token" not in service.staff.paths()
    assert call_back(visitor, "staff", callback).status_code == 303


def test_t_oidc_11_a_stolen_code_is_of_no_use_under_the_thiefs_own_state(service, visitor, stranger):
    stolen = dict(service.staff.authorize(begin(visitor, "staff").url))["code"]
    honest = service.staff.authorize(begin(stranger, "staff").url, "thief")
    last = service.last()
    query = [(name, stolen if name == "code" else value) for name, value in honest]
    refused(service, call_back(stranger, "staff", query), OIDCCode, last)
    assert call_back(stranger, "staff", honest).status_code == 303


def test_t_oidc_17_a_state_is_used_once(service, visitor):
    question = begin(visitor, "staff")
    assert call_back(visitor, "staff", service.staff.authorize(question.url)).status_code == 303
    last = service.last()
    refused(service, call_back(visitor, "staff", service.staff.authorize(question.url)), OIDCState, last)


@pytest.mark.parametrize("age_seconds", [LIFETIME_SECONDS, 86_400])
def test_t_oidc_17_a_state_is_too_old_after_ten_minutes(service, visitor, age_seconds):
    question = begin(visitor, "staff")
    service.clock.advance(age_seconds)
    last = service.last()
    refused(service, call_back(visitor, "staff", service.staff.authorize(question.url)), OIDCState, last)
    question = begin(visitor, "staff")
    service.clock.advance(LIFETIME_SECONDS - 1)
    assert call_back(visitor, "staff", service.staff.authorize(question.url)).status_code == 303


@pytest.mark.parametrize("name", ["code", "state", "iss"])
def test_t_oidc_17_a_repeated_parameter_is_refused_even_if_equal(service, visitor, name):
    callback = service.staff.authorize(begin(visitor, "staff").url)
    last = service.last()
    response = call_back(visitor, "staff", [*callback, (name, dict(callback)[name])])
    refused(service, response, OIDCCallback, last)
    assert call_back(visitor, "staff", callback).status_code == 303


def test_t_oidc_17_an_error_answer_shows_our_words_and_leaves_the_question_usable(service, visitor):
    callback = service.staff.authorize(begin(visitor, "staff").url)
    kept = [(name, value) for name, value in callback if name != "code"]
    error = [("error", "access_denied"), ("error_description", "call 555-0100"), ("error_uri", "https://evil.example")]
    last = service.last()
    response = call_back(visitor, "staff", kept + error)
    check_refusal(service, response, OIDCProviderError, after=last)
    assert call_back(visitor, "staff", callback).status_code == 303


def test_t_oidc_17_an_error_answer_in_another_browser_does_not_end_the_sign_in(service, visitor, stranger):
    callback = service.staff.authorize(begin(visitor, "staff").url)
    last = service.last()
    error = [(name, value) for name, value in callback if name != "code"] + [("error", "access_denied")]
    refused(service, call_back(stranger, "staff", error), OIDCState, last)
    assert call_back(visitor, "staff", callback).status_code == 303


def test_of_twenty_simultaneous_callbacks_at_two_nodes_exactly_one_wins(service, app):
    visitor = Visitor(app)
    callback = service.staff.authorize(begin(visitor, "staff").url)
    nodes = (app, service.start())
    visitors = [visitor.copy(app=nodes[number % 2]) for number in range(20)]
    answers = at_once(20, lambda number: call_back(visitors[number], "staff", callback))
    assert sorted(answer.status_code for answer in answers) == [303, *[400] * 19]
    assert {find_code(answer) for answer in answers} <= {None, "oidc_state", "oidc_code", "oidc_replay"}


def test_an_id_token_is_accepted_once_even_if_the_provider_gives_it_twice(service, visitor):
    begin(visitor, "staff")
    nonce = "nonce-of-both-questions"
    first, second = (
        service.ask(visitor.browser, provider="staff", protocol="oidc", nonce=nonce, code_verifier="v" * 43)
        for _ in range(2)
    )
    now = int(NOW.timestamp())
    claims = {"iss": service.staff.issuer, "sub": "ada", "aud": "rambridge", "iat": now, "exp": now + 300}
    token = service.staff.sign({**claims, "nonce": nonce, "jti": "once"})
    answer = f'{{"access_token": "a", "token_type": "Bearer", "id_token": "{token}"}}'
    service.staff.replies["/token"] = Reply(body=answer.encode())
    callbacks = [
        [("code", "c"), ("state", question.handle), ("iss", service.staff.issuer)] for question in (first, second)
    ]
    assert call_back(visitor, "staff", callbacks[0]).status_code == 303
    last = service.last()
    refused(service, call_back(visitor, "staff", callbacks[1]), OIDCReplay, last)


# ── OIDC-18: providers that are mixed up ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("iss", ["of the other", "of the asked", None])
def test_t_oidc_18_an_answer_at_another_providers_address_is_refused_before_any_code_is_redeemed(service, visitor, iss):
    question = begin(visitor, "staff")
    callback = service.staff.authorize(question.url)
    issuer = {"of the other": service.guests.issuer, "of the asked": service.staff.issuer, None: None}[iss]
    query = [(name, value) for name, value in callback if name != "iss"] + ([("iss", issuer)] if issuer else [])
    last = service.last()
    refused(service, call_back(visitor, "guests", query), OIDCMixUp, last)
    assert "/token" not in service.staff.paths() + service.guests.paths()
    assert call_back(visitor, "staff", callback).status_code == 303


def test_t_oidc_18_an_answer_that_names_another_issuer_is_refused(service, visitor):
    callback = service.staff.authorize(begin(visitor, "staff").url)
    query = [(name, service.guests.issuer if name == "iss" else value) for name, value in callback]
    last = service.last()
    refused(service, call_back(visitor, "staff", query), OIDCMixUp, last)
    assert call_back(visitor, "staff", callback).status_code == 303


@pytest.mark.parametrize("provider", ["corp", "nobody"])
def test_a_callback_of_no_openid_provider_is_refused(service, visitor, provider):
    callback = service.staff.authorize(begin(visitor, "staff").url)
    last = service.last()
    refused(service, call_back(visitor, provider, callback), UnknownProvider, last)


def test_a_saml_question_is_not_answered_by_a_callback(service, visitor):
    question = begin(visitor, "corp")
    last = service.last()
    query = [("code", "c"), ("state", question.handle), ("iss", service.staff.issuer)]
    refused(service, call_back(visitor, "staff", query), OIDCMixUp, last)


# ── OIDC-22: a sign-in that somebody else begins ─────────────────────────────────────────────────────────────


def initiate(visitor, service, provider="staff", method="GET", **parameters):
    asked = {"iss": service.staff.issuer} | parameters
    if method == "POST":
        return visitor.post(f"/oidc/{provider}/initiate", asked, site="cross-site")
    return visitor.get(f"/oidc/{provider}/initiate?{urlencode(asked)}", site="cross-site")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "iss",
    ["", "https://evil.example", "http://169.254.169.254/", "http://127.0.0.1:9/", "file:///etc/passwd", "x\r\ny"],
)
def test_t_oidc_22_an_unknown_issuer_begins_nothing_and_nothing_is_fetched(service, visitor, method, iss):
    response = initiate(visitor, service, method=method, iss=iss)
    assert (response.status_code, find_code(response)) == (400, "oidc_initiate")
    assert not {"Location", "Set-Cookie"} & {*response.headers.keys()}
    assert service.memory() == {}
    assert initiate(visitor, service, method=method).status_code == 303


def test_t_oidc_22_the_issuer_of_another_provider_begins_nothing(service, visitor):
    response = initiate(visitor, service, "guests")
    assert (response.status_code, find_code(response)) == (400, "oidc_initiate")
    assert initiate(visitor, service, "guests", iss=service.guests.issuer).status_code == 303


TARGETS = {
    "another site": "https://evil.example/x",
    "another port": f"{PUBLIC_URL}:444/x",
    "user info": f"{PUBLIC_URL}@evil.example/x",
    "user info of ours": "https://evil.example@bridge.example.com/x",
    "scheme-relative": "//evil.example/x",
    "four slashes": "////evil.example",
    "path with two slashes": f"{PUBLIC_URL}//evil.example",
    "backslash": f"{PUBLIC_URL}/\\evil.example",
    "script": "javascript:alert(1)",
    "data": "data:text/html,x",
    "no address": "https://[",
    "no address either": "http://[evil.example/",
    "relative": "x",
    "tab": f"{PUBLIC_URL}/\t/evil.example",
    "newline": f"{PUBLIC_URL}/\r\nSet-Cookie: a=b",
    "look-alike": "https://bridge.examp\u217ce.com/x",
    "empty": "",
}


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_t_oidc_22_a_target_elsewhere_leads_to_the_start_page(service, visitor, method, target):
    response = initiate(visitor, service, method=method, target_link_uri=target)
    assert response.status_code == 303
    response = call_back(visitor, "staff", service.staff.authorize(response.location))
    assert response.location == "/" or (target.startswith(f"{PUBLIC_URL}/") and is_local(response.location))


@pytest.mark.parametrize("target", [f"{PUBLIC_URL}/sign-in", "/sign-in"])
def test_t_oidc_22_a_target_of_ours_is_gone_to(service, visitor, target):
    response = initiate(visitor, service, target_link_uri=target)
    response = call_back(visitor, "staff", service.staff.authorize(response.location))
    assert response.location == "/sign-in"


def test_t_oidc_22_a_login_hint_is_passed_on_encoded_and_never_shown(service, visitor):
    hint = 'ada"><script>&redirect_uri=https://evil.example#'
    response = initiate(visitor, service, login_hint=hint)
    asked = parse_qs(urlsplit(response.location).query)
    assert asked["login_hint"] == [hint]
    assert asked["redirect_uri"] == [f"{PUBLIC_URL}/oidc/staff/callback"]
    assert "<script>" not in response.text


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_t_oidc_22_a_sign_in_that_somebody_else_begins_ends_no_session(service, victim, method):
    response = initiate(victim, service, method=method)
    assert victim.is_signed_in_as("victim@example.com")
    page = call_back(victim, "staff", service.staff.authorize(response.location, "attacker"))
    assert victim.is_signed_in_as("victim@example.com"), page.text


# ── WEB-02: session fixation ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("planted", ["A" * 43, "x", "../../etc/passwd", "\u00ff" * 43])
def test_t_web_02_an_identifier_that_we_did_not_give_is_never_adopted(service, visitor, planted):
    visitor.cookies[SESSION_COOKIE] = planted
    assert visitor.get("/").status_code == 303
    sign_in(visitor)
    assert visitor.session != planted
    assert not visitor.copy(session=planted).is_signed_in_as(SUBJECT)


def test_t_web_02_each_sign_in_gives_a_new_identifier_and_ends_the_old_one(service, visitor):
    seen = set()
    for _ in range(3):
        sign_in(visitor)
        assert visitor.session not in seen
        for old in seen:
            assert not visitor.copy(session=old).is_signed_in_as(SUBJECT)
        seen.add(visitor.session)
    assert all(len(session) == 43 for session in seen)


def test_t_web_02_the_attackers_own_session_does_not_become_the_victims(service, visitor, stranger):
    sign_in(stranger, "attacker@example.com")
    planted = stranger.session
    visitor.cookies[SESSION_COOKIE] = planted
    question = begin(visitor, "corp")
    page = post_response(visitor, "corp", draft_response("corp", question.request_id).encode(), question.handle)
    visitor.submit(page, "/sign-in/confirm")
    assert visitor.is_signed_in_as(SUBJECT)
    assert visitor.session != planted
    assert not stranger.is_signed_in_as(SUBJECT)


def test_t_web_02_a_session_that_was_signed_out_of_does_not_come_back(service, visitor):
    sign_in(visitor)
    session = visitor.session
    visitor.submit(visitor.get("/"), "/sign-out")
    assert visitor.session is None
    visitor.cookies[SESSION_COOKIE] = session
    assert visitor.get("/").status_code == 303
    assert visitor.get("/api/v1/session").status_code == 401


# ── WEB-03: cookies ──────────────────────────────────────────────────────────────────────────────────────────


def attributes(response, name):
    [header] = [each for each in response.headers.getlist("Set-Cookie") if each.startswith(f"{name}=")]
    return set(header.split("; ")[1:])


def test_t_web_03_cookies_are_of_this_host_alone_and_out_of_reach_of_scripts(service, visitor):
    first = visitor.get("/sign-in/corp")
    assert attributes(first, BROWSER_COOKIE) - {f"Max-Age={LIFETIME_SECONDS}"} >= {
        "Secure",
        "HttpOnly",
        "Path=/",
        "SameSite=None",
    }
    question = read_question(first.location)
    response = post_response(visitor, "corp", draft_response("corp", question.request_id).encode(), question.handle)
    assert attributes(response, SESSION_COOKIE) == {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"}
    ended = visitor.submit(visitor.get("/"), "/sign-out")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax", "Max-Age=0"} <= attributes(ended, SESSION_COOKIE)
    assert {SESSION_COOKIE[:7], BROWSER_COOKIE[:7]} == {"__Host-"}
    for answer in (first, response, ended):
        assert "domain" not in str(answer.headers).lower()


def test_t_web_03_two_session_cookies_are_none(service, visitor):
    sign_in(visitor)
    session = visitor.session
    planted = {"Cookie": f"{SESSION_COOKIE}={'A' * 43}; {SESSION_COOKIE}={session}"}
    for cookies in (planted, {"Cookie": f"{SESSION_COOKIE}={session}; {SESSION_COOKIE}={session}"}):
        for url in ("/", "/api/v1/session", "/sign-in/corp"):
            response = Visitor(service.start()).get(url, headers=cookies)
            assert response.status_code == 400
            assert "bad_parameter" in response.text
    assert visitor.is_signed_in_as(SUBJECT)


def test_t_web_03_two_browser_cookies_are_none_and_the_question_stays_usable(service, visitor):
    question = begin(visitor, "corp")
    encoded = draft_response("corp", question.request_id).encode()
    planted = {"Cookie": f"{BROWSER_COOKIE}={'A' * 43}; {BROWSER_COOKIE}={visitor.browser}"}
    last = service.last()
    response = post_response(Visitor(service.start()), "corp", encoded, question.handle, headers=planted)
    assert (response.status_code, find_code(response)) == (400, "bad_parameter")
    assert [record["code"] for record in service.records(last)] == ["bad_parameter"]
    assert post_response(visitor, "corp", encoded, question.handle).status_code == 303


def test_t_web_03_a_cookie_header_of_20_kb_is_refused(service, visitor):
    response = visitor.get("/", headers={"Cookie": f"x={'y' * 20_000}"})
    assert (response.status_code, find_code(response)) == (413, "web_too_large")
    assert visitor.get("/", headers={"Cookie": f"x={'y' * 4_000}"}).status_code == 303


@pytest.mark.parametrize("value", ["", "x", "a" * 5_000, 'a"b', "\u00ff" * 43, "<script>", "A" * 42])
def test_t_web_03_a_browser_cookie_that_is_not_of_our_making_is_replaced(service, visitor, value):
    visitor.cookies[BROWSER_COOKIE] = value
    question = begin(visitor, "corp")
    assert len(visitor.browser) == 43
    encoded = draft_response("corp", question.request_id).encode()
    assert post_response(visitor, "corp", encoded, question.handle).status_code == 303


# ── WEB-10: where to go afterwards ───────────────────────────────────────────────────────────────────────────

ELSEWHERE = {
    "absolute": "https://evil.example/",
    "scheme-relative": "//evil.example/",
    "three slashes": "///evil.example",
    "backslash": "\\evil.example",
    "slash and backslash": "/\\evil.example",
    "backslash later": "/x\\..\\evil",
    "tab between slashes": "/\t/evil.example",
    "newline between slashes": "/\n/evil.example",
    "carriage return": "/\r/evil.example",
    "header": "/x\r\nSet-Cookie: a=b",
    "NUL": "/\x00/evil.example",
    "script": "javascript:alert(1)",
    "script with a slash": "/javascript:alert(1)//\x01",
    "user info": "@evil.example",
    "host suffix": ".evil.example",
    "blank before": " //evil.example",
    "not ASCII": "/\u2044evil.example",
    "full-width slash": "\uff0f\uff0fevil.example",
    "long": "/" + "x" * 2048,
    "empty": "",
}


def is_local(location):
    return location.startswith("/") and location[1:2] not in ("/", "\\") and not urlsplit(location).netloc


@pytest.mark.parametrize("return_to", ELSEWHERE.values(), ids=ELSEWHERE)
def test_t_web_10_an_address_elsewhere_leads_to_the_start_page(service, visitor, return_to):
    chooser = visitor.get(f"/sign-in?{urlencode({'return_to': return_to})}")
    onward = [urlsplit(link.url).query for link in read(chooser).links if "/sign-in/" in link.url]
    assert onward == ["return_to=/"] * 4
    question = begin(visitor, "corp", return_to)
    response = post_response(visitor, "corp", draft_response("corp", question.request_id).encode(), question.handle)
    assert (response.status_code, response.location) == (303, "/")


@pytest.mark.parametrize("return_to", ["/api/v1/session", "/sign-in?a=b&c=//evil.example", "/%2f%2fevil.example"])
def test_t_web_10_a_path_of_ours_is_gone_to(service, visitor, return_to):
    question = begin(visitor, "corp", return_to)
    response = post_response(visitor, "corp", draft_response("corp", question.request_id).encode(), question.handle)
    assert response.location == return_to
    assert is_local(response.location)


@pytest.mark.parametrize("url", ["/?a=//evil.example", "/?%0d%0aSet-Cookie:a=b", "//evil.example/", "/%5cevil.example"])
def test_t_web_10_being_sent_to_sign_in_never_leads_elsewhere(service, visitor, url):
    response = visitor.get(url)
    assert response.status_code in {303, 404}
    assert "Set-Cookie" not in response.headers
    if response.status_code == 303:
        assert response.location.startswith("/sign-in?return_to=/")
        assert is_local(parse_qs(urlsplit(response.location).query)["return_to"][0])
