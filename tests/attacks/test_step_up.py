"""Whoever is asked to sign in again for a role gets it by what the answer shows, never because we asked (OUT-04,
SAML-20, SAML-21, OIDC-10). A lesser answer changes nothing.
"""

import base64
import re
import zlib
from datetime import timedelta
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from lxml import etree

from bridge.attack.saml.messages import NOW, NS, at
from bridge.entitlements.entitlement import identify
from bridge.entitlements.rules import RuleFiles, compile_rules, read_rules
from bridge.errors import SAMLReplay, StepUpNotMet, StepUpOtherPerson
from tests.attacks.door import (
    PUBLIC_URL,
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

MFA = "https://refeds.org/profile/mfa"
UNASKED = "https://idp.example.com/acr/key"
RULES = f"""rules:
- name: daily
  groups: [platform]
  grant: [{{account: production, role: ReadOnly}}]
- name: strong
  groups: [platform]
  require: {{acr: ["{UNASKED}", "{MFA}"], amr: [hwk]}}
  grant: [{{account: production, role: Admin}}]
- name: fresh
  groups: [platform]
  require: {{max_age_seconds: 600}}
  grant: [{{account: sandbox, role: Deployer}}]
- name: by-method
  groups: [platform]
  require: {{amr: [hwk], acr: ["{UNASKED}"]}}
  grant: [{{account: sandbox, role: Vault}}]
- name: by-openid-connect-only
  groups: [tokens]
  require: {{amr: [hwk]}}
  grant: [{{account: sandbox, role: Signer}}]
- name: others
  groups: [finance]
  require: {{acr: ["{MFA}"]}}
  grant: [{{account: production, role: Auditor}}]
- name: one-and-more
  groups: [desk]
  grant: [{{account: production, role: Desk}}]
- name: more
  groups: [desk]
  require: {{acr: ["{MFA}"]}}
  grant: [{{account: production, role: Chief}}]
- name: one
  groups: [counter]
  grant: [{{account: production, role: Counter}}]
"""
ADMIN, DEPLOYER, VAULT, SIGNER = (
    identify("role", account, name)
    for account, name in (("production", "Admin"), ("sandbox", "Deployer"), ("sandbox", "Vault"), ("sandbox", "Signer"))
)
AUDITOR = identify("role", "production", "Auditor")


@pytest.fixture(scope="module")
def node(running_service, tmp_path_factory):
    files = RuleFiles(tmp_path_factory.mktemp("rules"), {"10.yaml": RULES.encode()})
    documents = [read_rules(path, content)[0] for path, content in files.iterate_rules()]
    providers = {
        name: provider.model_copy(update={"step_up_contexts": (MFA,)})
        for name, provider in running_service.configuration.providers.items()
    }
    rules = compile_rules(documents, dict.fromkeys(providers, "groups"), files)
    return running_service.start(providers=providers, rules=rules)


@pytest.fixture
def visitor(service, node):
    return Visitor(node)


def held(visitor):
    return {each["name"] for each in visitor.get("/api/v1/session").json["entitlements"]}


def within_reach(visitor):
    return {each["name"]: each["lacks"] for each in visitor.get("/api/v1/session").json["within_reach"]}


# ── What is shown ────────────────────────────────────────────────────────────────────────────────────────────


def test_what_a_stronger_or_fresher_sign_in_would_give_is_shown_and_opens_nothing(service, visitor):
    sign_in(visitor)
    assert held(visitor) == {"ReadOnly", "Deployer"}
    assert within_reach(visitor) == {"Admin": ["strength"], "Vault": ["strength"]}
    page = visitor.get("/")
    assert "Needs a stronger sign-in" in page.text
    assert "Auditor" not in page.text, "a rule whose other conditions do not hold says nothing"
    token = read(page).forms[0].fields["csrf_token"]
    for action in ("console", "credentials"):
        response = visitor.post(f"/{action}/{ADMIN}", {"csrf_token": token})
        assert (response.status_code, find_code(response)) == (403, "not_entitled")
    assert service.sts.requests == []


def test_age_is_measured_at_every_look(service, visitor):
    sign_in(visitor)
    service.clock.moment = NOW + timedelta(seconds=601)
    assert held(visitor) == {"ReadOnly"}
    assert within_reach(visitor)["Deployer"] == ["freshness"]
    assert "Needs a fresh sign-in" in visitor.get("/").text


def test_what_no_sign_in_by_saml_can_show_is_neither_offered_nor_asked_for(service, visitor):
    sign_in(visitor, groups=("platform", "tokens"))
    assert "Signer" not in within_reach(visitor)
    before = service.memory()
    assert visitor.get(f"/step-up/{SIGNER}").status_code == 403
    assert service.memory() == before


@pytest.mark.parametrize("entitlement", [AUDITOR, "0" * 16, "..", "x"])
def test_nothing_else_can_be_asked_for(service, visitor, entitlement):
    sign_in(visitor)
    before = service.memory()
    response = visitor.get(f"/step-up/{entitlement}")
    assert response.status_code in {403, 404}
    assert service.memory() == before


def test_what_one_holds_leads_to_its_card_and_without_a_session_to_the_sign_in(visitor):
    assert visitor.get(f"/step-up/{ADMIN}").location.startswith("/sign-in?return_to=/step-up/")
    sign_in(visitor)
    assert visitor.get(f"/step-up/{DEPLOYER}").location == f"/#card-{DEPLOYER}"


def test_the_portal_is_skipped_with_one_role_only_if_nothing_more_is_within_reach(service, visitor, node):
    assert sign_in(visitor, groups=("desk",)).location == "/"
    straight_on = sign_in(Visitor(node), "bob@example.com", groups=("counter",))
    assert (straight_on.status_code, "SAMLResponse" in straight_on.text) == (200, True)


# ── By SAML ──────────────────────────────────────────────────────────────────────────────────────────────────


def ask_again(visitor, entitlement):
    """Press the card's button; return the question and the AuthnRequest."""
    response = visitor.get(f"/step-up/{entitlement}")
    assert response.status_code == 303, response.text
    query = dict(parse_qsl(urlsplit(response.location).query))
    request = etree.fromstring(zlib.decompress(base64.b64decode(query["SAMLRequest"]), wbits=-15))
    return read_question(response.location), request


def answer(visitor, question, subject="alice@example.com", *, now=0, authenticated=0, **options):
    """Answer so many seconds after NOW, about an authentication so many seconds after it."""
    draft = draft_response("corp", question.request_id, subject, **options)
    for element in (draft.root, draft.assertion):
        element.set("IssueInstant", at(now))
    for place in ("//saml:Conditions", "//saml:SubjectConfirmationData"):
        draft.find(place).set("NotOnOrAfter", at(now + 300))
    statement = draft.find("//saml:AuthnStatement")
    statement.set("AuthnInstant", at(authenticated))
    statement.set("SessionNotOnOrAfter", at(now + 3_600))
    return post_response(visitor, "corp", draft.encode(), question.handle)


def test_a_context_is_asked_for_exactly_and_of_those_that_the_provider_knows(visitor):
    sign_in(visitor)
    _, request = ask_again(visitor, ADMIN)
    contexts = request.find("samlp:RequestedAuthnContext", NS)
    assert contexts.get("Comparison") == "exact"
    assert [context.text for context in contexts] == [MFA]
    assert request.get("ForceAuthn") is None


def test_an_age_or_a_method_that_has_no_context_is_asked_for_by_a_new_authentication(service, visitor):
    sign_in(visitor)
    service.clock.moment = NOW + timedelta(seconds=700)
    for entitlement in (DEPLOYER, VAULT):
        _, request = ask_again(visitor, entitlement)
        assert request.get("ForceAuthn") == "true"
        assert request.find("samlp:RequestedAuthnContext", NS) is None


def test_a_stronger_answer_replaces_the_session_and_leads_to_the_card(service, visitor):
    sign_in(visitor)
    old = visitor.copy()
    question, _ = ask_again(visitor, ADMIN)
    response = answer(visitor, question, context=MFA)
    assert (response.status_code, response.location) == (303, f"/#card-{ADMIN}")
    assert held(visitor) == {"ReadOnly", "Deployer", "Admin"}
    assert old.session != visitor.session
    assert old.get("/api/v1/session").status_code == 401


def test_a_fresh_answer_replaces_the_session(service, visitor):
    sign_in(visitor)
    service.clock.moment = NOW + timedelta(seconds=700)
    question, _ = ask_again(visitor, DEPLOYER)
    response = answer(visitor, question, now=705, authenticated=703)
    assert (response.status_code, response.location) == (303, f"/#card-{DEPLOYER}")
    assert "Deployer" in held(visitor)


def test_t_out_04_a_weak_answer_is_refused_and_the_old_session_goes_on(service, visitor):
    sign_in(visitor)
    session, before = visitor.session, held(visitor)
    question, _ = ask_again(visitor, ADMIN)
    last = service.last()
    record = check_refusal(service, answer(visitor, question), StepUpNotMet, after=last)
    assert "saml_authn_context" in record["detail"]
    assert (visitor.session, held(visitor)) == (session, before)
    assert answer(visitor, question, context=MFA).status_code == 303, "the question stays usable for the honest answer"


def test_t_saml_20_a_provider_that_ignores_the_wish_for_a_new_authentication_gives_nothing(service, visitor):
    sign_in(visitor)
    service.clock.moment = NOW + timedelta(seconds=700)
    question, _ = ask_again(visitor, DEPLOYER)
    last = service.last()
    response = answer(visitor, question, now=700, authenticated=0)
    record = check_refusal(service, response, StepUpNotMet, after=last)
    assert "saml_stale" in record["detail"]
    assert "Deployer" not in held(visitor)


def test_t_out_04_a_new_authentication_by_the_same_weak_method_gives_nothing(service, visitor):
    sign_in(visitor)
    question, request = ask_again(visitor, VAULT)
    assert request.get("ForceAuthn") == "true"
    last = service.last()
    record = check_refusal(service, answer(visitor, question), StepUpNotMet, after=last)
    assert "10.yaml:by-method requires more: the new sign-in lacks strength" in record["detail"]
    assert record["checks"][-1] == ["step_up", "fail", "less", "enough"]
    assert visitor.is_signed_in_as("alice@example.com")


def test_t_out_04_nobody_lends_another_session_a_second_factor(service, visitor):
    sign_in(visitor)
    session = visitor.session
    question, _ = ask_again(visitor, ADMIN)
    last = service.last()
    response = answer(visitor, question, "bob@example.com", context=MFA)
    check_refusal(service, response, StepUpOtherPerson, after=last)
    assert visitor.session == session
    assert visitor.is_signed_in_as("alice@example.com")
    assert "Admin" not in held(visitor)
    assert answer(visitor, question, context=MFA).status_code == 303


def test_an_answer_counts_once(service, visitor):
    sign_in(visitor)
    question, _ = ask_again(visitor, ADMIN)
    draft = draft_response("corp", question.request_id, context=MFA)
    assert post_response(visitor, "corp", draft.encode(), question.handle).status_code == 303
    again, _ = ask_again(visitor, VAULT)
    last = service.last()
    response = post_response(visitor, "corp", draft.encode(), None)
    assert response.status_code == 400
    assert service.records(last)[0]["code"] in {SAMLReplay.code, "saml_inresponseto", "saml_unsolicited"}
    assert again.handle != question.handle


def test_the_question_belongs_to_the_browser_that_asked(service, node, visitor):
    sign_in(visitor)
    question, _ = ask_again(visitor, ADMIN)
    stranger = Visitor(node)
    begin(stranger, "corp")
    response = answer(stranger, question, context=MFA)
    assert find_code(response) == "saml_inresponseto"
    assert stranger.session is None
    assert answer(visitor, question, context=MFA).status_code == 303


# ── For a link ───────────────────────────────────────────────────────────────────────────────────────────────

PAGE = "https://ecs.console.aliyun.com/server"
BOOKMARK = f"/open/production/Admin?to={PAGE}"


@pytest.fixture
def signed(node, service):
    """Return the path of a signed link to Admin, good for a day, that somebody made who is signed in strongly."""
    other = Visitor(node)
    sign_in(other, "bob@example.com", context=MFA)
    page = other.submit(other.get(f"/links/{ADMIN}"), f"/links/{ADMIN}")
    return re.search(r'id="made"[^>]*>https://[^/]*([^<]*)<', page.text)[1]


def follow(visitor, path):
    """Follow a link that needs a better sign-in, and its button; return the question."""
    page = visitor.get(path)
    assert "leads on by itself" in page.text
    [again] = [each.url for each in read(page).links if "/step-up/" in each.url]
    return read_question(visitor.get(again.removeprefix(PUBLIC_URL)).location)


@pytest.mark.parametrize("kind", ["signed", "bookmark"])
def test_after_a_stronger_sign_in_for_it_a_link_leads_on_and_waits_for_its_click(visitor, signed, kind):
    path = signed if kind == "signed" else BOOKMARK
    sign_in(visitor)
    question = follow(visitor, path)
    response = answer(visitor, question, context=MFA)
    assert (response.status_code, response.location) == (303, path)
    page = visitor.get(path)
    assert "Open the console?" in page.text
    assert find_action(page) == f"/console/{ADMIN}"
    assert visitor.get(f"/step-up/{ADMIN}?return_to={path}").location == path, "who holds it need not sign in again"


def find_action(page):
    [form] = [each for each in read(page).forms if "/console/" in each.action]
    return urlsplit(form.action).path


def test_a_link_is_still_led_to_when_the_stronger_sign_in_works_only_the_second_time(visitor, signed):
    sign_in(visitor)
    refused = answer(visitor, follow(visitor, signed))
    assert find_code(refused) == StepUpNotMet.code
    [again] = [each.url for each in read(refused).links if "/step-up/" in each.url]
    question = read_question(visitor.get(again.removeprefix(PUBLIC_URL)).location)
    assert answer(visitor, question, context=MFA).location == signed


def test_t_out_06_a_link_that_is_over_after_the_sign_in_opens_nothing(service, visitor, signed):
    service.clock.moment = NOW + timedelta(hours=23, minutes=59)
    answer(visitor, begin(visitor, "corp"), now=86_340, authenticated=86_340)
    question = follow(visitor, signed)
    service.clock.moment = NOW + timedelta(days=1, seconds=1)
    response = answer(visitor, question, now=86_401, authenticated=86_401, context=MFA)
    assert response.location == signed
    assert find_code(visitor.get(signed)) == "link_unusable"


def test_t_out_04_a_link_waits_for_the_browser_and_the_person_who_followed_it(node, visitor, signed):
    sign_in(visitor)
    question = follow(visitor, signed)
    stranger = Visitor(node)
    begin(stranger, "corp")
    assert find_code(answer(stranger, question, context=MFA)) == "saml_inresponseto"
    assert find_code(answer(visitor, question, "bob@example.com", context=MFA)) == StepUpOtherPerson.code
    assert answer(visitor, question, context=MFA).location == signed


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example", "/\\evil.example"])
def test_t_web_10_a_stronger_sign_in_leads_to_no_other_site(visitor, path):
    sign_in(visitor)
    question = read_question(visitor.get(f"/step-up/{ADMIN}", query_string={"return_to": path}).location)
    assert answer(visitor, question, context=MFA).location == f"/#card-{ADMIN}"


# ── By OpenID Connect ────────────────────────────────────────────────────────────────────────────────────────


def sign_in_by_oidc(service, visitor, provider="staff"):
    service.staff.claims = {"groups": ["platform"], "email": "ada@example.com", "auth_time": None}
    question = begin(visitor, provider)
    assert call_back(visitor, provider, service.staff.authorize(question.url)).status_code in {200, 303}


def ask_again_by_oidc(visitor, entitlement):
    response = visitor.get(f"/step-up/{entitlement}")
    assert response.status_code == 303, response.text
    return response.location, {name: value[0] for name, value in parse_qs(urlsplit(response.location).query).items()}


def test_oidc_is_asked_by_acr_values_max_age_and_prompt(service, visitor):
    sign_in_by_oidc(service, visitor)
    assert within_reach(visitor) == {"Admin": ["strength"], "Deployer": ["freshness"], "Vault": ["strength"]}
    _, asked = ask_again_by_oidc(visitor, ADMIN)
    assert (asked["acr_values"], asked.get("max_age"), asked.get("prompt")) == (MFA, None, None)
    assert asked["login_hint"] == "ada@example.com"
    _, asked = ask_again_by_oidc(visitor, DEPLOYER)
    assert (asked.get("acr_values"), asked["max_age"], asked["prompt"]) == (None, "600", "login")
    _, asked = ask_again_by_oidc(visitor, VAULT)
    assert (asked.get("acr_values"), asked.get("max_age"), asked["prompt"]) == (None, None, "login")


@pytest.mark.parametrize(
    ("entitlement", "name", "claims"),
    [
        (ADMIN, "Admin", {"acr": MFA}),
        (ADMIN, "Admin", {"acr": UNASKED}),
        (ADMIN, "Admin", {"amr": ["pwd", "hwk"]}),
        (VAULT, "Vault", {"amr": ["hwk"]}),
        (DEPLOYER, "Deployer", {"auth_time": NOW.timestamp()}),
    ],
)
def test_an_oidc_answer_that_shows_it_replaces_the_session(service, visitor, entitlement, name, claims):
    sign_in_by_oidc(service, visitor)
    assert name in within_reach(visitor)
    url, _ = ask_again_by_oidc(visitor, entitlement)
    service.staff.claims |= claims
    response = call_back(visitor, "staff", service.staff.authorize(url))
    assert (response.status_code, response.location) == (303, f"/#card-{entitlement}")
    assert name in held(visitor)


@pytest.mark.parametrize(
    ("entitlement", "name", "claims"),
    [
        (ADMIN, "Admin", {}),
        (ADMIN, "Admin", {"acr": MFA.upper()}),
        (ADMIN, "Admin", {"amr": ["pwd"]}),
        (VAULT, "Vault", {"acr": MFA}),
        (DEPLOYER, "Deployer", {}),
        (DEPLOYER, "Deployer", {"auth_time": NOW.timestamp() - 3600}),
    ],
)
def test_t_oidc_10_an_oidc_answer_that_shows_less_is_refused(service, visitor, entitlement, name, claims):
    sign_in_by_oidc(service, visitor)
    session = visitor.session
    url, _ = ask_again_by_oidc(visitor, entitlement)
    service.staff.claims |= claims
    last = service.last()
    response = call_back(visitor, "staff", service.staff.authorize(url))
    record = check_refusal(service, response, StepUpNotMet, after=last)
    assert ("oidc_auth_time" in record["detail"]) == (entitlement == DEPLOYER), "an age is checked with the token"
    assert visitor.session == session
    assert name not in held(visitor)


def test_t_oidc_10_another_person_of_the_same_provider_is_refused(service, visitor):
    sign_in_by_oidc(service, visitor)
    session = visitor.session
    url, _ = ask_again_by_oidc(visitor, ADMIN)
    service.staff.claims |= {"acr": MFA}
    last = service.last()
    response = call_back(visitor, "staff", service.staff.authorize(url, "bob"))
    check_refusal(service, response, StepUpOtherPerson, after=last)
    assert visitor.session == session


def test_a_token_without_auth_time_is_not_fresh_however_new_it_is(service, visitor):
    sign_in_by_oidc(service, visitor)
    assert "Deployer" not in held(visitor)
    assert "Deployer" in within_reach(visitor)
