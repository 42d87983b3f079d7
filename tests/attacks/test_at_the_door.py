"""The whole corpus of hostile messages, delivered where providers deliver them: at the live ACS and callback.

Each gets its own code on a plain page and one record, within a second, and burns nothing: the honest twin is then
accepted in answer to the same question.
"""

from urllib.parse import urlencode

import pytest
from joserfc.jwk import KeySet
from werkzeug.datastructures import MultiDict

from bridge.attack.lane import open_lane
from bridge.attack.oidc import cases as oidc_cases
from bridge.attack.oidc import tokens
from bridge.attack.oidc.trial import openid_trials
from bridge.attack.run import try_case
from bridge.attack.saml import cases as saml_cases
from bridge.attack.saml.honest import HONEST
from bridge.attack.saml.messages import make_provider
from bridge.attack.saml.trial import ResponseTrials
from bridge.attack.scripted_server import Reply
from bridge.errors import (
    ParameterTwice,
    ProviderUnavailable,
    UnknownProvider,
)
from bridge.sessions.cookie import SESSION_COOKIE
from bridge.settings import Settings
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
)

SETTINGS = Settings(public_url=PUBLIC_URL)

pytestmark = pytest.mark.usefixtures("no_failures")


# ── SAML ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def saml_lane():
    with open_lane(SETTINGS, make_provider()) as lane:
        yield lane


@pytest.fixture(scope="module")
def responses(saml_lane):
    return ResponseTrials(saml_lane)


@pytest.mark.parametrize("case", saml_cases.CASES, ids=str)
def test_hostile_response_is_refused_at_the_acs_and_its_twin_accepted(saml_lane, responses, case):
    assert_refused(try_case(saml_lane, responses.prepare, case))


@pytest.mark.parametrize("build", HONEST.values(), ids=HONEST)
def test_honest_response_is_accepted_at_the_acs(saml_lane, responses, build):
    saml_lane.forget()
    draft = build()
    response = responses.bring(draft).response
    if draft.request_id:
        assert_accepted(response)
    else:
        assert read(response).forms[0].action == f"{PUBLIC_URL}/sign-in/confirm"
        assert SESSION_COOKIE + "=" not in str(response.headers)


def assert_refused(outcome):
    """It got exactly its own code, as each refusal must be; its twin was accepted in answer to the same question."""
    assert (outcome.verdict, outcome.fault) == ("refused", "")
    assert outcome.twin_accepted


def assert_accepted(response):
    """It opens a session."""
    assert (response.status_code, response.location) == (303, "/")
    assert response.headers["Set-Cookie"].startswith(f"{SESSION_COOKIE}=")


@pytest.mark.parametrize(
    "form",
    [[], [("RelayState", "x")], [("SAMLResponse", "PA=="), ("SAMLResponse", "PA==")], [("SAMLresponse", "PA==")]],
    ids=["nothing", "no response", "response twice", "another case"],
)
def test_t_saml_17_a_form_without_exactly_one_response_is_refused(service, visitor, form):
    last = service.last()
    response = visitor.post("/saml/corp/acs", MultiDict(form), site="cross-site")
    check_refusal(service, response, ParameterTwice, after=last)


def test_t_saml_17_a_second_relay_state_is_refused(service, visitor):
    question = begin(visitor, "corp")
    encoded = draft_response("corp", question.request_id).encode()
    twice = MultiDict([("SAMLResponse", encoded), ("RelayState", question.handle), ("RelayState", question.handle)])
    last = service.last()
    response = visitor.post("/saml/corp/acs", twice, site="cross-site")
    check_refusal(service, response, ParameterTwice, after=last)
    assert_accepted(post_response(visitor, "corp", encoded, question.handle))


def test_t_saml_17_a_response_by_get_is_not_taken(service, visitor):
    question = begin(visitor, "corp")
    encoded = draft_response("corp", question.request_id).encode()
    query = urlencode({"SAMLResponse": encoded, "RelayState": question.handle})
    assert visitor.get(f"/saml/corp/acs?{query}").status_code == 405
    last = service.last()
    response = visitor.post(f"/saml/corp/acs?{query}", site="cross-site")
    check_refusal(service, response, ParameterTwice, after=last)
    assert_accepted(post_response(visitor, "corp", encoded, question.handle))


@pytest.mark.parametrize("provider", ["nobody", "staff", "corp%00", "%3Cscript%3E", "corp%0d%0aSet-Cookie:a=b", "CORP"])
def test_an_acs_of_no_saml_provider_refuses(service, visitor, provider):
    question = begin(visitor, "corp")
    encoded = draft_response("corp", question.request_id).encode()
    last = service.last()
    response = post_response(visitor, provider, encoded, question.handle)
    check_refusal(service, response, UnknownProvider, after=last)
    assert_accepted(post_response(visitor, "corp", encoded, question.handle))


# ── OIDC ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def openid_lane():
    with open_lane(SETTINGS, tokens.PROVIDER) as lane:
        yield lane


@pytest.fixture(scope="module")
def flows(openid_lane):
    with openid_trials(openid_lane) as trials:
        yield trials


@pytest.mark.parametrize("case", oidc_cases.CASES, ids=str)
def test_hostile_token_or_flow_is_refused_and_its_twin_accepted(openid_lane, flows, case):
    assert_refused(try_case(openid_lane, flows.prepare, case))


def test_a_client_with_a_key_of_its_own_signs_in_and_publishes_no_private_part(service):
    settings = {"client_authentication": "private_key_jwt", "client_secret": None}
    providers = dict(service.configuration.providers)
    providers["staff"] = providers["staff"].model_copy(update=settings)
    visitor = Visitor(service.start(providers=providers))
    published = visitor.get("/oidc/staff/jwks").json
    assert [set(key) for key in published["keys"]] == [{"kty", "n", "e", "kid", "use", "alg"}] * 2
    service.staff.client_keys = KeySet.import_key_set(published)
    question = begin(visitor, "staff")
    assert_accepted(call_back(visitor, "staff", service.staff.authorize(question.url)))
    for other in ("guests", "corp", "nobody"):
        response = visitor.get(f"/oidc/{other}/jwks")
        assert (response.status_code, find_code(response)) == (400, UnknownProvider.code)


@pytest.mark.parametrize("reply", [Reply(500), Reply(302, headers={"Location": "/"}), Reply(raw=b"")], ids=str)
def test_a_provider_that_cannot_be_asked_is_a_503_and_the_sign_in_stays_usable(service, visitor, reply):
    question = begin(visitor, "staff")
    honest = service.staff.authorize(question.url)
    service.staff.replies["/token"] = reply
    last = service.last()
    response = call_back(visitor, "staff", honest)
    check_refusal(service, response, ProviderUnavailable, after=last, status=503)
    assert response.headers["Retry-After"]
    service.staff.replies.clear()
    assert_accepted(call_back(visitor, "staff", honest))
