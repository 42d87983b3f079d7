"""The logout messages that we write ourselves."""

from datetime import timedelta

import pytest
from lxml import etree

from bridge.attack.saml.messages import (
    EMAIL,
    IDP,
    NOW,
    NS,
    SP,
    SUCCESS,
    at,
    build_idp_metadata,
    make_provider,
    make_signing_key,
)
from bridge.identity.ended import EndedAtProvider
from bridge.identity.saml.logout import build_logout_request, build_logout_response
from bridge.identity.saml.logout_binding import LogoutMessage
from bridge.identity.saml.service_provider import ServiceProvider
from tests.live_store import make_identity

SLO = "https://idp.example.com/slo"


REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"


class Hands:
    def now(self):
        return NOW


@pytest.mark.parametrize(
    ("state", "returned"), [("x" * 80, True), ("x" * 81, False), ("é" * 40, True), ("é" * 41, False)]
)
def test_a_relay_state_of_80_bytes_goes_back_and_a_longer_one_does_not(state, returned):
    slo = f'<md:SingleLogoutService Binding="{REDIRECT}" Location="{SLO}"/>'
    service = ServiceProvider(
        make_provider(),
        "https://bridge.example.com",
        make_signing_key(),
        lambda: build_idp_metadata(slo=slo),
        clock=Hands(),
    )
    over = EndedAtProvider(issuer=IDP, subject="alice", session_indexes=(), message_id="_theirs", accept_until=NOW)
    answer = service.answer_logout(LogoutMessage("SAMLRequest", "", state, None), over)
    assert ("RelayState=" in answer.url) is returned


def request(**changes):
    identity = make_identity(**changes)
    built = build_logout_request(request_id="_ours", sp_entity_id=SP, destination=SLO, identity=identity, now=NOW)
    assert built.id == "_ours"
    return etree.fromstring(built.xml)


def children(root):
    return [(etree.QName(child).localname, child.text) for child in root]


def test_a_request_names_the_person_and_the_session_as_the_provider_does():
    root = request(subject="alice", name_format=EMAIL, session_index="_s1")
    assert root.tag == f"{{{NS['samlp']}}}LogoutRequest"
    assert dict(root.attrib) == {
        "ID": "_ours",
        "Version": "2.0",
        "IssueInstant": at(0),
        "Destination": SLO,
        "NotOnOrAfter": at(300),
    }
    assert [child.tag for child in root] == [
        f"{{{NS['saml']}}}Issuer",
        f"{{{NS['saml']}}}NameID",
        f"{{{NS['samlp']}}}SessionIndex",
    ]
    assert children(root) == [("Issuer", SP), ("NameID", "alice"), ("SessionIndex", "_s1")]
    assert dict(root[1].attrib) == {"Format": EMAIL}
    assert root.nsmap == {"samlp": NS["samlp"], "saml": NS["saml"]}


def test_what_the_provider_did_not_say_is_not_said():
    root = request(subject="alice", name_format=None, session_index=None)
    assert children(root) == [("Issuer", SP), ("NameID", "alice")]
    assert dict(root[1].attrib) == {}


def test_an_answer_says_that_it_is_over():
    answers = [
        build_logout_response(sp_entity_id=SP, destination=SLO, request_id="_theirs", now=NOW + timedelta(seconds=1))
        for _ in range(2)
    ]
    root = etree.fromstring(answers[0].xml)
    assert root.tag == f"{{{NS['samlp']}}}LogoutResponse"
    assert (root.get("InResponseTo"), root.get("Destination"), root.get("Version")) == ("_theirs", SLO, "2.0")
    assert root.get("IssueInstant") == at(1)
    assert children(root) == [("Issuer", SP), ("Status", None)]
    assert root[1][0].tag == f"{{{NS['samlp']}}}StatusCode"
    assert root[1][0].get("Value") == SUCCESS
    assert root.get("ID") == answers[0].id != answers[1].id
    assert len(answers[0].id) == 41
    assert answers[0].id.startswith("_")
