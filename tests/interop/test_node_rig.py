"""The rig around oidc-provider does what the tests of the bridge rely on."""

import pytest
import requests

from tests.interop.node_oidc_provider.rig import NodeProvider
from tests.interop.oidc_code_flow import CodeFlow
from tests.interop.parties import OIDCClient, Person
from tests.interop.scripted_browser import ScriptedBrowser
from tests.requirements import require

BRIDGE = "http://localhost:9"
CLIENT = OIDCClient("rambridge", "a-secret-of-the-client", f"{BRIDGE}/oidc/callback")
ADA = Person("ada", "Ada Lövelace", "ada@example.com", ("platform", "on call"), "R&D")
BO = Person("bo", "薄一", "bo@example.com", ("finance",), "Finance")
CY = Person("cy", "Cy O'Neill", "cy@example.com", (), "Sales & Marketing")
PEOPLE = [ADA, BO, CY]
SCOPE = "openid email profile groups"


@pytest.fixture(scope="module")
def provider(tmp_path_factory):
    require("node")
    with NodeProvider(tmp_path_factory.mktemp("node"), oidc_client=CLIENT, people=PEOPLE) as provider:
        yield provider


@pytest.fixture
def flow(provider):
    return CodeFlow(provider.issuer, CLIENT, SCOPE)


@pytest.fixture
def browser():
    with ScriptedBrowser(BRIDGE) as browser:
        yield browser


def sign_in(browser, flow, person):
    browser.open(flow.authorization_url())
    browser.submit(login=person.uid, password=person.password)


@pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.uid)
def test_id_token_names_the_person_and_their_groups(browser, flow, person):
    sign_in(browser, flow, person)

    assert browser.handed_over["state"] == flow.state
    claims = flow.read_id_token(flow.redeem(browser.handed_over["code"]).json()["id_token"])
    assert claims["iss"] == flow.issuer == browser.handed_over["iss"]
    assert claims["aud"] == CLIENT.client_id
    assert claims["nonce"] == flow.nonce
    assert claims["sub"] == person.uid
    assert claims["name"] == person.name
    assert claims["email"] == person.mail
    assert claims["department"] == person.department
    assert claims["groups"] == list(person.groups)


def test_second_sign_in_of_the_same_browser_asks_for_nothing(browser, flow, provider):
    sign_in(browser, flow, ADA)
    browser.handed_over = None

    browser.open(CodeFlow(provider.issuer, CLIENT, SCOPE).authorization_url())

    assert browser.handed_over["code"]


def test_wrong_password_shows_the_form_again(browser, flow):
    browser.open(flow.authorization_url())

    browser.submit(login=ADA.uid, password=BO.password)

    assert browser.handed_over is None
    assert "Name or password is wrong." in browser.text


def test_code_with_another_verifier_is_refused(browser, flow):
    sign_in(browser, flow, ADA)

    answer = flow.redeem(browser.handed_over["code"], verifier="x" * 43)

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_request_without_pkce_is_refused(browser, flow):
    challenge_left_out = flow.authorization_url().partition("&code_challenge")[0]

    browser.open(challenge_left_out)

    assert browser.handed_over["error"] == "invalid_request"


def test_nothing_answers_after_the_block(tmp_path):
    require("node")
    with NodeProvider(tmp_path, oidc_client=CLIENT, people=[ADA]) as provider:
        assert requests.get(f"{provider.issuer}/jwks", timeout=60).ok

    with pytest.raises(requests.ConnectionError):
        requests.get(f"{provider.issuer}/jwks", timeout=60)
