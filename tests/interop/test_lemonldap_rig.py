"""The rig around LemonLDAP::NG does what the tests of the bridge rely on."""

import base64
import datetime as dt
import secrets
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

import pytest
import requests
import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from lxml import etree

from tests.interop.lemonldap.rig import LemonLDAP
from tests.interop.oidc_code_flow import CodeFlow
from tests.interop.parties import SAMLSP, OIDCClient, Person
from tests.interop.scripted_browser import ScriptedBrowser
from tests.requirements import require

BRIDGE = "http://localhost:9"
ENTITY_ID = f"{BRIDGE}/saml/lemonldap/metadata"
ACS_URL = f"{BRIDGE}/saml/lemonldap/acs"
CLIENT = OIDCClient("rambridge", "a-secret-of-the-client", f"{BRIDGE}/oidc/callback")
ADA = Person("ada", "Ada Lövelace", "ada@example.com", ("platform", "on call"), "R&D")
BO = Person("bo", "薄一", "bo@example.com", ("finance",), "Finance")
CY = Person("cy", "Cy O'Neill", "cy@example.com", (), "Sales & Marketing")
PEOPLE = [ADA, BO, CY]
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
NAMESPACES = {
    "md": "urn:oasis:names:tc:SAML:2.0:metadata",
    "saml": "urn:oasis:names:tc:SAML:2.0:assertion",
    "samlp": "urn:oasis:names:tc:SAML:2.0:protocol",
    "ds": "http://www.w3.org/2000/09/xmldsig#",
}


@dataclass(frozen=True)
class KeyPair:
    private_key: rsa.RSAPrivateKey
    certificate: x509.Certificate

    @classmethod
    def make(cls):
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "service provider of the rig's tests")])
        now = dt.datetime.now(dt.UTC)
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(hours=1))
            .sign(key, hashes.SHA256())
        )
        return cls(key, certificate)

    @property
    def certificate_base64(self):
        return base64.b64encode(self.certificate.public_bytes(serialization.Encoding.DER)).decode()

    @property
    def xmlsec_key(self):
        pem = self.private_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return xmlsec.Key.from_memory(pem, xmlsec.KeyFormat.PEM)


@pytest.fixture(scope="module")
def sp_keys():
    return KeyPair.make()


@pytest.fixture(scope="module")
def saml_sp(sp_keys):
    metadata = f"""\
<md:EntityDescriptor xmlns:md="{NAMESPACES["md"]}" xmlns:ds="{NAMESPACES["ds"]}" entityID="{ENTITY_ID}">
  <md:SPSSODescriptor AuthnRequestsSigned="true" WantAssertionsSigned="true"
      protocolSupportEnumeration="{NAMESPACES["samlp"]}">
    <md:KeyDescriptor use="signing"><ds:KeyInfo><ds:X509Data>
      <ds:X509Certificate>{sp_keys.certificate_base64}</ds:X509Certificate>
    </ds:X509Data></ds:KeyInfo></md:KeyDescriptor>
    <md:AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
      Location="{ACS_URL}" index="0" isDefault="true"/>
  </md:SPSSODescriptor>
</md:EntityDescriptor>"""
    return SAMLSP(ENTITY_ID, ACS_URL, metadata)


@pytest.fixture(scope="module")
def idp(tmp_path_factory, saml_sp):
    require("lemonldap-ng")
    folder = tmp_path_factory.mktemp("lemonldap")
    with LemonLDAP(folder, saml_sp=saml_sp, oidc_client=CLIENT, people=PEOPLE) as idp:
        yield idp


@pytest.fixture(scope="module")
def idp_metadata(idp):
    return etree.fromstring(requests.get(idp.saml_metadata_url, timeout=60).content)


@pytest.fixture(scope="module")
def idp_key(idp_metadata):
    certificate = idp_metadata.findtext(
        "md:IDPSSODescriptor/md:KeyDescriptor[@use='signing']//ds:X509Certificate", namespaces=NAMESPACES
    )
    return xmlsec.Key.from_memory(base64.b64decode(certificate), xmlsec.KeyFormat.CERT_DER)


@pytest.fixture
def browser():
    with ScriptedBrowser(BRIDGE) as browser:
        yield browser


def build_request(destination, acs_url=ACS_URL):
    request = etree.fromstring(
        f'<samlp:AuthnRequest xmlns:samlp="{NAMESPACES["samlp"]}" xmlns:saml="{NAMESPACES["saml"]}"'
        f' ID="_{secrets.token_hex(16)}" Version="2.0" Destination="{destination}"'
        f' IssueInstant="{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"'
        f' ProtocolBinding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"'
        f' AssertionConsumerServiceURL="{acs_url}"><saml:Issuer>{ENTITY_ID}</saml:Issuer></samlp:AuthnRequest>'
    )
    return request, request.get("ID")


def send_by_redirect(browser, destination, request, keys):
    compressor = zlib.compressobj(wbits=-15)
    deflated = compressor.compress(etree.tostring(request)) + compressor.flush()
    query = {"SAMLRequest": base64.b64encode(deflated).decode(), "RelayState": "where we were"}
    if keys:
        query["SigAlg"] = RSA_SHA256
        signature = keys.private_key.sign(urlencode(query).encode(), padding.PKCS1v15(), hashes.SHA256())
        query["Signature"] = base64.b64encode(signature).decode()
    browser.open(f"{destination}?{urlencode(query)}")


def send_by_post(browser, destination, request, keys):
    if keys:
        xmlsec.tree.add_ids(request, ["ID"])
        signature = xmlsec.template.create(request, xmlsec.Transform.EXCL_C14N, xmlsec.Transform.RSA_SHA256, ns="ds")
        request.insert(1, signature)
        reference = xmlsec.template.add_reference(signature, xmlsec.Transform.SHA256, uri=f"#{request.get('ID')}")
        xmlsec.template.add_transform(reference, xmlsec.Transform.ENVELOPED)
        xmlsec.template.add_transform(reference, xmlsec.Transform.EXCL_C14N)
        context = xmlsec.SignatureContext()
        context.key = keys.xmlsec_key
        context.sign(signature)
    browser.post(
        destination,
        {"SAMLRequest": base64.b64encode(etree.tostring(request)).decode(), "RelayState": "where we were"},
    )


@dataclass(frozen=True)
class SingleSignOn:
    """One binding of the identity provider: where requests go, and how."""

    url: str
    send: Callable[..., None]


@pytest.fixture(params=[("HTTP-Redirect", send_by_redirect), ("HTTP-POST", send_by_post)], ids=["redirect", "post"])
def sso(request, idp_metadata):
    binding, send = request.param
    services = idp_metadata.iterfind("md:IDPSSODescriptor/md:SingleSignOnService", NAMESPACES)
    url = next(service.get("Location") for service in services if service.get("Binding").endswith(f":{binding}"))
    return SingleSignOn(url, send)


def sign_in(browser, person):
    browser.submit(user=person.uid, password=person.password)


def read_response(handed_over, idp_key):
    """Return Response and Assertion, the signature of each checked with the key of the published metadata."""
    response = etree.fromstring(base64.b64decode(handed_over["SAMLResponse"]))
    assertion = response.find("saml:Assertion", NAMESPACES)
    xmlsec.tree.add_ids(response, ["ID"])
    for element in (response, assertion):
        signature = element.find("ds:Signature", NAMESPACES)
        assert signature.find(".//ds:Reference", NAMESPACES).get("URI") == f"#{element.get('ID')}"
        assert signature.find(".//ds:SignatureMethod", NAMESPACES).get("Algorithm") == RSA_SHA256
        context = xmlsec.SignatureContext()
        context.key = idp_key
        context.verify(signature)
    return response, assertion


def read_attributes(assertion):
    return {
        attribute.get("Name"): [value.text for value in attribute]
        for attribute in assertion.iterfind("saml:AttributeStatement/saml:Attribute", NAMESPACES)
    }


def test_metadata_names_the_identity_provider(idp, idp_metadata):
    assert idp_metadata.get("entityID") == idp.saml_entity_id


@pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.uid)
def test_tile_posts_a_signed_response_that_nobody_asked_for(idp, idp_key, browser, person):
    browser.open(idp.idp_initiated_url("/portal"))
    sign_in(browser, person)

    assert browser.handed_over["RelayState"] == "/portal"
    response, assertion = read_response(browser.handed_over, idp_key)
    assert response.get("Destination") == ACS_URL
    assert response.get("InResponseTo") is None
    assert assertion.findtext("saml:Issuer", namespaces=NAMESPACES) == idp.saml_entity_id
    assert assertion.findtext("saml:Subject/saml:NameID", namespaces=NAMESPACES) == person.mail
    assert assertion.findtext(".//saml:Audience", namespaces=NAMESPACES) == ENTITY_ID
    assert read_attributes(assertion) == {
        "uid": [person.uid],
        "mail": [person.mail],
        "displayName": [person.name],
        "department": [person.department],
        "groups": list(person.groups),
    }


def test_signed_request_gets_a_signed_response_that_answers_it(sso, idp_key, browser, sp_keys):
    request, request_id = build_request(sso.url)

    sso.send(browser, sso.url, request, sp_keys)
    sign_in(browser, ADA)

    response, assertion = read_response(browser.handed_over, idp_key)
    assert browser.handed_over["RelayState"] == "where we were"
    assert response.get("InResponseTo") == request_id
    assert read_attributes(assertion)["groups"] == list(ADA.groups)


@pytest.mark.parametrize("keys", [None, KeyPair.make()], ids=["unsigned", "signed-with-another-key"])
def test_request_without_our_signature_gets_no_response(sso, browser, sp_keys, keys):
    browser.open(sso.url)
    sign_in(browser, ADA)
    request, _ = build_request(sso.url)

    sso.send(browser, sso.url, request, keys)
    assert browser.handed_over is None

    request, _ = build_request(sso.url)
    sso.send(browser, sso.url, request, sp_keys)
    assert browser.handed_over["SAMLResponse"]


def test_request_for_a_foreign_acs_gets_no_response(sso, browser, sp_keys):
    browser.open(sso.url)
    sign_in(browser, ADA)
    request, _ = build_request(sso.url, acs_url=f"{BRIDGE}/elsewhere")

    sso.send(browser, sso.url, request, sp_keys)
    assert browser.handed_over is None

    request, _ = build_request(sso.url)
    sso.send(browser, sso.url, request, sp_keys)
    assert browser.handed_over["SAMLResponse"]


def test_wrong_password_hands_nothing_over(idp, browser):
    browser.open(idp.idp_initiated_url())

    browser.submit(user=ADA.uid, password=BO.password)

    assert browser.handed_over is None


@pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.uid)
def test_id_token_names_the_person_and_their_groups(idp, browser, person):
    flow = CodeFlow(idp.oidc_issuer, CLIENT, "openid email profile groups")
    browser.open(flow.authorization_url())
    sign_in(browser, person)

    assert browser.handed_over["state"] == flow.state
    claims = flow.read_id_token(flow.redeem(browser.handed_over["code"]).json()["id_token"])
    assert flow.metadata()["issuer"] == claims["iss"] == idp.oidc_issuer
    assert claims["aud"] in (CLIENT.client_id, [CLIENT.client_id])
    assert claims["nonce"] == flow.nonce
    assert claims["sub"] == person.uid
    assert claims["name"] == person.name
    assert claims["email"] == person.mail
    assert claims["department"] == person.department
    assert claims.get("groups", []) == list(person.groups)


def test_code_with_another_verifier_is_refused(idp, browser):
    flow = CodeFlow(idp.oidc_issuer, CLIENT, "openid")
    browser.open(flow.authorization_url())
    sign_in(browser, ADA)

    answer = flow.redeem(browser.handed_over["code"], verifier="x" * 43)

    assert answer.status_code == 400
    assert "id_token" not in answer.json()


def test_nothing_answers_after_the_block(tmp_path, saml_sp):
    require("lemonldap-ng")
    with LemonLDAP(tmp_path, saml_sp=saml_sp, oidc_client=CLIENT, people=[ADA]) as idp:
        assert requests.get(idp.saml_metadata_url, timeout=60).ok

    with pytest.raises(requests.ConnectionError):
        requests.get(idp.saml_metadata_url, timeout=60)
