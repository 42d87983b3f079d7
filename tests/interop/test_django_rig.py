"""The rig around djangosaml2idp2 does what the tests of the bridge rely on."""

import base64

import pytest
import requests
from lxml import etree

from tests.interop.django_idp.rig import DjangoIdP, Registration
from tests.interop.parties import SAMLSP, Person
from tests.interop.scripted_browser import ScriptedBrowser
from tests.requirements import require

BRIDGE = "http://localhost:9"
NAMESPACES = {
    "saml": "urn:oasis:names:tc:SAML:2.0:assertion",
    "samlp": "urn:oasis:names:tc:SAML:2.0:protocol",
    "ds": "http://www.w3.org/2000/09/xmldsig#",
}
ADA = Person("ada", "Ada Lövelace", "ada@example.com", ("platform", "on call"), "R&D")
CY = Person("cy", "Cy O'Neill", "cy@example.com", (), "Sales & Marketing")


def describe(signed):
    entity_id, acs_url = f"{BRIDGE}/saml/{signed}/metadata", f"{BRIDGE}/saml/{signed}/acs"
    metadata = f"""\
<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{entity_id}"
    validUntil="2100-01-01T00:00:00Z">
  <md:SPSSODescriptor protocolSupportEnumeration="{NAMESPACES["samlp"]}">
    <md:AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
      Location="{acs_url}" index="0" isDefault="true"/>
  </md:SPSSODescriptor>
</md:EntityDescriptor>"""
    return Registration(SAMLSP(entity_id, acs_url, metadata), signed)


REGISTRATIONS = {signed: describe(signed) for signed in ("none", "assertion", "response", "both")}


@pytest.fixture(scope="module")
def idp(tmp_path_factory):
    require("xmlsec1")
    folder = tmp_path_factory.mktemp("django")
    with DjangoIdP(folder, people=[ADA, CY], registrations=REGISTRATIONS.values()) as idp:
        yield idp


def sign_in(idp, signed, person):
    """Return the response that the person's browser is given for us."""
    with ScriptedBrowser(BRIDGE) as browser:
        browser.open(idp.idp_initiated_url(REGISTRATIONS[signed].sp))
        browser.submit(username=person.uid, password=person.password)
        return etree.fromstring(base64.b64decode(browser.handed_over["SAMLResponse"]))


def test_metadata_names_the_identity_provider(idp):
    assert etree.fromstring(requests.get(idp.metadata_url, timeout=60).content).get("entityID") == idp.entity_id


@pytest.mark.parametrize("signed", REGISTRATIONS)
def test_it_signs_what_it_is_told_to_and_names_a_question_that_nobody_asked(idp, signed):
    response = sign_in(idp, signed, ADA)
    places = {signature.getparent().tag.rpartition("}")[2].lower() for signature in response.iter("{*}Signature")}
    assert places == {"none": set(), "both": {"response", "assertion"}}.get(signed, {signed})
    assert response.get("InResponseTo") == "IdP_Initiated_Login"
    assert response.findtext("saml:Assertion/saml:Subject/saml:NameID", namespaces=NAMESPACES) == ADA.mail


@pytest.mark.parametrize("person", [ADA, CY], ids=lambda person: person.uid)
def test_attributes_have_one_value_for_each_group(idp, person):
    stated = {
        attribute.get("FriendlyName") or attribute.get("Name"): [value.text for value in attribute]
        for attribute in sign_in(idp, "both", person).iterfind(".//saml:Attribute", NAMESPACES)
    }
    assert stated.pop("groups", []) == list(person.groups)
    assert stated == {
        "uid": [person.uid],
        "mail": [person.mail],
        "displayName": [person.name],
        "department": [person.department],
    }


def test_wrong_password_hands_nothing_over(idp):
    with ScriptedBrowser(BRIDGE) as browser:
        browser.open(idp.idp_initiated_url(REGISTRATIONS["both"].sp))
        browser.submit(username=ADA.uid, password=CY.password)
        assert browser.handed_over is None


def test_nothing_answers_after_the_block(tmp_path):
    require("xmlsec1")
    with DjangoIdP(tmp_path, people=[ADA], registrations=[]) as idp:
        assert requests.get(idp.metadata_url, timeout=60).ok

    with pytest.raises(requests.ConnectionError):
        requests.get(idp.metadata_url, timeout=60)
