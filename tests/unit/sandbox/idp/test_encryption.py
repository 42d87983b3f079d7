"""What the sandbox provider encrypts, another library opens, and nobody without the key can read."""

from base64 import b64decode
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from lxml import etree
from onelogin.saml2.utils import OneLogin_Saml2_Utils

from bridge.clock import SystemClock
from bridge.sandbox.idp.keys import load_or_create_keys
from bridge.sandbox.idp.refusals import Refused
from bridge.sandbox.idp.saml.response import Addressee, ResponseIssuer
from bridge.sandbox.idp.saml.service_providers import parse_metadata
from bridge.sandbox.idp.saml.signatures import Signer
from bridge.sandbox.idp.sessions import Method, Session
from bridge.sandbox.idp.state import Person, ServiceProvider
from tests.unit.sandbox.idp.parties import RelyingParty, SigningKey

NAMES = {"saml": "urn:oasis:names:tc:SAML:2.0:assertion", "xenc": "http://www.w3.org/2001/04/xmlenc#"}


@pytest.fixture(scope="module")
def encryption_key():
    return SigningKey()


def register(rp, *, encrypt):
    registration = ServiceProvider(
        name="rp", title="RP", entity_id=rp.entity_id, metadata_url=rp.entity_id, encrypt=encrypt
    )
    return parse_metadata(rp.build_metadata(), registration)


@pytest.fixture
def issue(idp_keys_folder):
    """Return a function that issues a response for a service provider."""
    clock = SystemClock()
    keys = load_or_create_keys(idp_keys_folder, "Acme", clock.now())
    issuer = ResponseIssuer("https://idp.example", Signer(keys.saml_private_key, keys.saml_certificate))
    person = Person(uid="lin.wei", name="林薇", mail="lin.wei@acme.example", department="Platform", title="Engineer")

    def issue(known):
        now = clock.now()
        session = Session(person, Method.PASSWORD, now, now + timedelta(hours=8), "_session")
        return issuer.issue_success(Addressee(known, known.default_acs_url, "_q"), session, Method.PASSWORD.acr, now)

    return issue


def test_the_assertion_is_encrypted_for_the_key_of_the_metadata(sp_key, encryption_key, issue):
    rp = RelyingParty("https://rp.example", sp_key, encryption_key=encryption_key)
    response = issue(register(rp, encrypt=True))

    root = etree.fromstring(response)
    assert b"lin.wei" not in response
    assert root.find("saml:Assertion", NAMES) is None
    [data] = root.findall("saml:EncryptedAssertion/xenc:EncryptedData", NAMES)
    assert data.find("xenc:EncryptionMethod", NAMES).get("Algorithm").endswith("#aes256-gcm")
    assert len(b64decode(data.findtext("xenc:CipherData/xenc:CipherValue", namespaces=NAMES))) > 1000
    pem = encryption_key.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    opened = OneLogin_Saml2_Utils.decrypt_element(data, pem.decode())
    assert opened.findtext(".//saml:AttributeValue", namespaces=NAMES) == "lin.wei"


def test_it_is_not_encrypted_where_nobody_asked_for_it(sp_key, encryption_key, issue):
    rp = RelyingParty("https://rp.example", sp_key, encryption_key=encryption_key)

    assert b"lin.wei" in issue(register(rp, encrypt=False))


def test_an_application_without_a_key_to_encrypt_for_is_refused(sp_key):
    rp = RelyingParty("https://rp.example", sp_key)

    assert register(rp, encrypt=False).encryption_certificate is None
    with pytest.raises(Refused):
        register(rp, encrypt=True)
