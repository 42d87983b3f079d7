"""The desk: an answer counts once, for its question, in its browser, from its provider; a refusal burns nothing."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from bridge.attack.oidc.openid_provider import OpenIDProvider
from bridge.attack.saml.messages import (
    NOW,
    Draft,
    SignatureOptions,
    at,
    build_idp_metadata,
    make_key,
    make_provider,
    make_signing_key,
)
from bridge.errors import (
    OIDCAcr,
    OIDCAuthTime,
    OIDCCallback,
    OIDCInitiate,
    OIDCMixUp,
    OIDCReplay,
    OIDCState,
    ParameterTwice,
    SAMLAuthnContext,
    SAMLInResponseTo,
    SAMLIssuer,
    SAMLReplay,
    SAMLSignatureInvalid,
    SAMLStale,
    StepUpNotMet,
    StepUpOtherPerson,
    StoreUnavailable,
    UnknownProvider,
)
from bridge.identity.oidc.trace import OIDCTrace
from bridge.identity.pending import PendingSignIns
from bridge.identity.replay import ReplayMemory
from bridge.identity.saml.service_provider import ServiceProvider
from bridge.identity.saml.trace import SAMLTrace
from bridge.identity.sign_in import SignInDesk
from bridge.identity.step_up import StepUp
from bridge.sealing import Sealer
from bridge.store_connection import build_key, connect_store
from tests.attacks.oidc.test_flow import relying_party
from tests.live_store import running_store

BROWSER, OTHER_BROWSER = "b" * 64, "c" * 64
IDP = "https://idp.example.com/saml"
PASSWORD, MFA = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport", "https://refeds.org/profile/mfa"


class Hands:
    """A clock that stands where it is put."""

    moment = NOW

    def now(self):
        return self.moment


class Overtaken(PendingSignIns):
    """Another request uses the question up at the last moment."""

    def consume(self, handle):
        super().consume(handle)
        return super().consume(handle)


@pytest.fixture(scope="module")
def redis():
    with running_store() as client:
        yield client


@pytest.fixture(scope="module")
def op():
    with OpenIDProvider() as running:
        yield running


@pytest.fixture
def clock():
    return Hands()


@pytest.fixture
def pending(redis, clock):
    redis.flushdb()
    return PendingSignIns(redis, Sealer(os.urandom(32)), clock)


def build_desk(redis, clock, pending, op):
    op.claims = {}
    services = {
        name: ServiceProvider(
            make_provider(name=name, idp_initiated=True),
            "https://bridge.example.com",
            make_signing_key(),
            build_idp_metadata,
            clock=clock,
        )
        for name in ("corp", "other-saml")
    }
    services["strict"] = ServiceProvider(
        make_provider(name="strict", force_authn=True),
        "https://bridge.example.com",
        make_signing_key(),
        build_idp_metadata,
        clock=clock,
    )
    services["mfa"] = ServiceProvider(
        make_provider(name="mfa", requested_authn_contexts=[MFA]),
        "https://bridge.example.com",
        make_signing_key(),
        build_idp_metadata,
        clock=clock,
    )
    parties = {name: relying_party(op, name=name) for name in ("oidc", "other-oidc")}
    parties["mfa-oidc"] = relying_party(op, name="mfa-oidc", required_acr=[MFA], max_age_seconds=60)
    return SignInDesk(
        service_providers=services,
        relying_parties=parties,
        pending=pending,
        replay=ReplayMemory(redis, clock),
        clock=clock,
    )


@pytest.fixture
def desk(redis, clock, pending, op):
    return build_desk(redis, clock, pending, op)


def ask(desk, provider="corp", **options):
    """Return where the browser is sent, and the parameters in that address."""
    destination = desk.begin(provider, browser=BROWSER, **options)
    return destination, {name: value for name, (value,) in parse_qs(urlsplit(destination.url).query).items()}


def form(draft, relay_state=None):
    fields = [("SAMLResponse", draft.encode())]
    return fields if relay_state is None else [*fields, ("RelayState", relay_state)]


# ── SAML ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_question_remembers_who_asked_what_when(desk, pending):
    destination, sent = ask(desk, return_to="/accounts", replaces_session="old")
    question = pending.find(sent["RelayState"])
    assert (question.provider, question.protocol, question.browser) == ("corp", "saml", BROWSER)
    assert (question.return_to, question.replaces_session) == ("/accounts", "old")
    assert question.expires_at == NOW + timedelta(seconds=600)
    assert question.asked_at == NOW
    assert question.request_id == destination.request_id != ""
    assert len(question.handle) == len(question.nonce) == 43
    assert len({question.handle, question.nonce, question.code_verifier}) == 3


def test_without_more_a_question_leads_to_the_first_page(desk, pending):
    _, sent = ask(desk)
    question = pending.find(sent["RelayState"])
    assert (question.return_to, question.replaces_session) == ("/", None)


def test_the_answer_to_a_question_counts_once(desk, pending):
    destination, sent = ask(desk, return_to="/accounts", replaces_session="old")
    answer = form(Draft(request_id=destination.request_id), sent["RelayState"])
    finished = desk.finish_saml("corp", answer, BROWSER, SAMLTrace())
    assert finished.identity.subject == "alice@example.com"
    assert finished.solicited is True
    assert (finished.return_to, finished.replaces_session) == ("/accounts", "old")
    assert pending.find(sent["RelayState"]) is None
    with pytest.raises(SAMLInResponseTo):
        desk.finish_saml("corp", answer, BROWSER, SAMLTrace())


def test_an_answer_that_nobody_asked_for_counts_once_and_says_so(desk):
    for relay_state in (None, "", "unknown"):
        draft = Draft(request_id=None)
        draft.assertion.set("ID", f"_{relay_state}")
        finished = desk.finish_saml("corp", form(draft, relay_state), None, SAMLTrace())
        assert finished.solicited is False
        assert (finished.return_to, finished.replaces_session) == ("/", None)
        with pytest.raises(SAMLReplay):
            desk.finish_saml("corp", form(draft, relay_state), BROWSER, SAMLTrace())


@pytest.mark.parametrize("browser", [OTHER_BROWSER, None, ""])
def test_an_answer_in_another_browser_is_refused_and_burns_nothing(desk, browser):
    destination, sent = ask(desk)
    answer = form(Draft(request_id=destination.request_id), sent["RelayState"])
    with pytest.raises(SAMLInResponseTo, match="another browser"):
        desk.finish_saml("corp", answer, browser, SAMLTrace())
    assert desk.finish_saml("corp", answer, BROWSER, SAMLTrace()).solicited


def test_an_answer_at_another_provider_is_refused_and_burns_nothing(desk):
    destination, sent = ask(desk)
    answer = form(Draft(request_id=destination.request_id), sent["RelayState"])
    with pytest.raises(SAMLIssuer, match="the question went to corp"):
        desk.finish_saml("other-saml", answer, BROWSER, SAMLTrace())
    assert desk.finish_saml("corp", answer, BROWSER, SAMLTrace()).solicited


def test_a_forged_answer_burns_nothing(desk):
    destination, sent = ask(desk)
    forged = Draft(request_id=destination.request_id, options=SignatureOptions(key=make_key("stranger")))
    with pytest.raises(SAMLSignatureInvalid):
        desk.finish_saml("corp", form(forged, sent["RelayState"]), BROWSER, SAMLTrace())
    assert desk.finish_saml(
        "corp", form(Draft(request_id=destination.request_id), sent["RelayState"]), BROWSER, SAMLTrace()
    )


def draft_to(provider, **options):
    """Return an answer to us as the provider of this name knows us."""
    draft = Draft(**options)
    for place in draft.root.xpath("//@Recipient | //@Destination"):
        name = place.attrname
        place.getparent().set(name, place.replace("corp", provider))
    audience = draft.find("//saml:Audience")
    audience.text = audience.text.replace("corp", provider)
    return draft


def authenticated_before(draft):
    draft.find("//saml:AuthnStatement").set("AuthnInstant", at(-600))
    return draft


def test_a_new_authentication_is_one_since_this_question(desk):
    destination, sent = ask(desk, "strict")
    answer = form(draft_to("strict", request_id=destination.request_id), sent["RelayState"])
    assert desk.finish_saml("strict", answer, BROWSER, SAMLTrace()).solicited


def test_what_an_ordinary_answer_lacks_is_refused_by_its_name(desk):
    destination, sent = ask(desk, "strict")
    late = authenticated_before(draft_to("strict", request_id=destination.request_id))
    with pytest.raises(SAMLStale):
        desk.finish_saml("strict", form(late, sent["RelayState"]), BROWSER, SAMLTrace())
    destination, sent = ask(desk, "mfa")
    weak = draft_to("mfa", request_id=destination.request_id)
    with pytest.raises(SAMLAuthnContext):
        desk.finish_saml("mfa", form(weak, sent["RelayState"]), BROWSER, SAMLTrace())
    strong = draft_to("mfa", request_id=destination.request_id, context=MFA)
    assert desk.finish_saml("mfa", form(strong, sent["RelayState"]), BROWSER, SAMLTrace()).step_up is None


def ask_for_more(desk, **more):
    """Return the step-up that was asked for, and how to answer it."""
    step_up = StepUp(**{"entitlement": "0" * 16, "issuer": IDP, "subject": "alice@example.com"} | more)
    destination, sent = ask(desk, step_up=step_up)

    def answer(change=lambda draft: draft, context=PASSWORD):
        draft = change(Draft(request_id=destination.request_id, context=context))
        trace = SAMLTrace()
        try:
            return desk.finish_saml("corp", form(draft, sent["RelayState"]), BROWSER, trace)
        finally:
            answer.last_check = trace.at

    return step_up, answer


def test_t_out_04_a_weaker_answer_is_not_enough_and_a_stronger_one_says_for_what(desk):
    step_up, answer = ask_for_more(desk, acr=(MFA,))
    with pytest.raises(StepUpNotMet, match="SAML") as refused:
        answer()
    assert isinstance(refused.value.__cause__, SAMLAuthnContext)
    assert answer(context=MFA).step_up == step_up
    assert answer.last_check == "question_unused"


def test_t_out_04_an_older_answer_is_not_enough(desk):
    step_up, answer = ask_for_more(desk, max_age_seconds=60)
    with pytest.raises(StepUpNotMet) as refused:
        answer(authenticated_before)
    assert isinstance(refused.value.__cause__, SAMLStale)
    assert answer().step_up == step_up


@pytest.mark.parametrize("other", [{"subject": "mallory@example.com"}, {"issuer": "https://other.example"}])
def test_t_out_04_another_person_is_refused_and_burns_nothing(desk, redis, other):
    _, answer = ask_for_more(desk, max_age_seconds=60, **other)
    remembered = sorted(redis.keys("*"))
    with pytest.raises(StepUpOtherPerson):
        answer()
    assert answer.last_check == "person"
    assert sorted(redis.keys("*")) == remembered


def test_which_check_of_the_message_refused_is_taken_down(desk):
    destination, sent = ask(desk)
    forged = Draft(request_id=destination.request_id, options=SignatureOptions(key=make_key("stranger")))
    trace = SAMLTrace()
    with pytest.raises(SAMLSignatureInvalid):
        desk.finish_saml("corp", form(forged, sent["RelayState"]), BROWSER, trace)
    assert trace.at == "assertion_signature"


def test_an_answer_to_another_question_is_refused(desk):
    destination, _ = ask(desk)
    _, other = ask(desk)
    with pytest.raises(SAMLInResponseTo):
        desk.finish_saml(
            "corp", form(Draft(request_id=destination.request_id), other["RelayState"]), BROWSER, SAMLTrace()
        )


def test_of_two_answers_to_one_question_the_second_is_refused(redis, clock, op):
    pending = Overtaken(redis, Sealer(os.urandom(32)), clock)
    desk = build_desk(redis, clock, pending, op)
    redis.flushdb()
    destination, sent = ask(desk)
    with pytest.raises(SAMLInResponseTo, match="a moment ago"):
        desk.finish_saml(
            "corp", form(Draft(request_id=destination.request_id), sent["RelayState"]), BROWSER, SAMLTrace()
        )


@pytest.mark.parametrize(
    "change",
    [
        lambda answer: answer[1:],
        lambda answer: [*answer, ("SAMLResponse", "x")],
        lambda answer: [*answer, ("RelayState", "x")],
        lambda answer: [*answer, answer[1]],
    ],
)
def test_a_parameter_comes_once(desk, change):
    destination, sent = ask(desk)
    answer = form(Draft(request_id=destination.request_id), sent["RelayState"])
    with pytest.raises(ParameterTwice):
        desk.finish_saml("corp", change(answer), BROWSER, SAMLTrace())
    assert desk.finish_saml("corp", [("other", "x"), ("other", "y"), *answer], BROWSER, SAMLTrace())


def test_an_assertion_is_remembered_until_it_would_be_refused(desk, redis):
    destination, sent = ask(desk)
    desk.finish_saml("corp", form(Draft(request_id=destination.request_id), sent["RelayState"]), BROWSER, SAMLTrace())
    key = build_key("used", "https://idp.example.com/saml", "_assertion1")
    assert 350_000 < redis.pttl(key) <= 360_000


@pytest.mark.parametrize("provider", ["oidc", "unknown", ""])
def test_only_a_saml_provider_has_an_acs(desk, provider):
    with pytest.raises(UnknownProvider):
        desk.finish_saml(provider, form(Draft()), BROWSER, SAMLTrace())


# ── OpenID Connect ───────────────────────────────────────────────────────────────────────────────────────────


def callback(op, desk, **options):
    destination, _ = ask(desk, "oidc", **options)
    return op.authorize(destination.url)


def test_an_openid_question_remembers_its_secrets(desk, pending):
    destination, sent = ask(desk, "oidc", return_to="/x", replaces_session="old", login_hint="ada@corp.example")
    question = pending.find(sent["state"])
    assert (question.provider, question.protocol, question.browser) == ("oidc", "oidc", BROWSER)
    assert (question.return_to, question.replaces_session) == ("/x", "old")
    assert (question.nonce, question.request_id, destination.request_id) == (sent["nonce"], "", "")
    assert sent["login_hint"] == "ada@corp.example"


def test_a_callback_counts_once(op, desk):
    query = callback(op, desk, return_to="/x", replaces_session="old")
    finished = desk.finish_oidc("oidc", query, BROWSER, OIDCTrace())
    assert (finished.identity.subject, finished.solicited) == ("ada", True)
    assert (finished.return_to, finished.replaces_session) == ("/x", "old")
    with pytest.raises(OIDCState):
        desk.finish_oidc("oidc", query, BROWSER, OIDCTrace())


@pytest.mark.parametrize(
    "case",
    [
        ("oidc", OTHER_BROWSER, list, OIDCState),
        ("oidc", None, list, OIDCState),
        ("other-oidc", BROWSER, list, OIDCMixUp),
        ("oidc", BROWSER, lambda query: [pair for pair in query if pair[0] != "state"], OIDCState),
        ("oidc", BROWSER, lambda query: [(name, "" if name == "state" else value) for name, value in query], OIDCState),
        (
            "oidc",
            BROWSER,
            lambda query: [(name, "x" if name == "state" else value) for name, value in query],
            OIDCState,
        ),
        ("oidc", BROWSER, lambda query: [*query, ("state", "x")], OIDCCallback),
        ("corp", BROWSER, list, UnknownProvider),
        ("unknown", BROWSER, list, UnknownProvider),
    ],
)
def test_any_other_callback_is_refused_and_burns_nothing(op, desk, case):
    provider, browser, change, error = case
    query = callback(op, desk)
    with pytest.raises(error):
        desk.finish_oidc(provider, change(query), browser, OIDCTrace())
    assert desk.finish_oidc("oidc", query, BROWSER, OIDCTrace()).identity.subject == "ada"


def test_a_token_counts_once(op, desk):
    op.claims = {"jti": f"token-{datetime.now(UTC)}"}
    assert desk.finish_oidc("oidc", callback(op, desk), BROWSER, OIDCTrace())
    with pytest.raises(OIDCReplay):
        desk.finish_oidc("oidc", callback(op, desk), BROWSER, OIDCTrace())


def test_of_two_callbacks_to_one_question_the_second_is_refused(redis, clock, op):
    desk = build_desk(redis, clock, Overtaken(redis, Sealer(os.urandom(32)), clock), op)
    with pytest.raises(OIDCState, match="a moment ago"):
        desk.finish_oidc("oidc", callback(op, desk), BROWSER, OIDCTrace())


def call_back_with(op, desk, claims, step_up=None, provider="oidc"):
    """Return what the desk makes of a callback whose ID token has these claims."""
    destination, _ = ask(desk, provider, step_up=step_up)
    op.claims = claims
    return desk.finish_oidc(provider, op.authorize(destination.url), BROWSER, OIDCTrace())


def test_what_an_ordinary_token_lacks_is_refused_by_its_name(op, desk):
    now = int(op.now())
    with pytest.raises(OIDCAcr):
        call_back_with(op, desk, {"acr": "urn:pwd"}, provider="mfa-oidc")
    with pytest.raises(OIDCAuthTime):
        call_back_with(op, desk, {"acr": MFA, "auth_time": now - 500}, provider="mfa-oidc")
    assert call_back_with(op, desk, {"acr": MFA}, provider="mfa-oidc").step_up is None


@pytest.mark.parametrize(
    ("claims", "cause"), [({"acr": "urn:pwd"}, OIDCAcr), ({"acr": MFA, "auth_time": 1_000_000_000}, OIDCAuthTime)]
)
def test_t_out_04_a_lesser_token_is_not_enough_and_a_better_one_says_for_what(op, desk, claims, cause):
    step_up = StepUp("0" * 16, op.issuer, "ada", acr=(MFA,), max_age_seconds=60)
    with pytest.raises(StepUpNotMet) as refused:
        call_back_with(op, desk, claims, step_up, "mfa-oidc")
    assert isinstance(refused.value.__cause__, cause)
    assert call_back_with(op, desk, {"acr": MFA}, step_up, "mfa-oidc").step_up == step_up


def test_t_out_04_the_token_of_another_person_is_refused_and_burns_nothing(op, desk):
    asked_of_another = StepUp("0" * 16, op.issuer, "mallory", max_age_seconds=60)
    with pytest.raises(StepUpOtherPerson):
        call_back_with(op, desk, {"jti": "once"}, asked_of_another)
    asked_of_her = replace(asked_of_another, subject="ada")
    assert call_back_with(op, desk, {"jti": "once"}, asked_of_her).step_up == asked_of_her


def test_only_the_provider_itself_may_ask_us_to_begin(op, desk):
    desk.check_initiator("oidc", op.issuer)
    for issuer in ("https://evil.example", f"{op.issuer}/", ""):
        with pytest.raises(OIDCInitiate):
            desk.check_initiator("oidc", issuer)
    with pytest.raises(UnknownProvider):
        desk.check_initiator("corp", op.issuer)


def test_an_unknown_provider_is_asked_nothing(desk, redis):
    with pytest.raises(UnknownProvider):
        desk.begin("unknown", browser=BROWSER)
    assert redis.keys("*") == []


def test_without_the_store_nothing_is_accepted(clock, tmp_path):
    memory = ReplayMemory(connect_store(f"unix://{tmp_path}/none.sock"), clock)
    with pytest.raises(StoreUnavailable):
        memory.claim("issuer", "message", NOW)
