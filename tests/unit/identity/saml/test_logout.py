"""The logout messages that we write ourselves."""

from datetime import timedelta

from lxml import etree

from bridge.attack.saml.messages import EMAIL, NOW, NS, SP, SUCCESS, at
from bridge.identity.saml.logout import build_logout_request, build_logout_response
from tests.live_store import make_identity

SLO = "https://idp.example.com/slo"


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
