"""Every honest message is accepted, by us and by three libraries that share no code with our checks."""

import socket
import threading

import pytest
import xmlsec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from lxml import etree
from onelogin.saml2.response import OneLogin_Saml2_Response
from onelogin.saml2.settings import OneLogin_Saml2_Settings
from onelogin.saml2.utils import OneLogin_Saml2_Utils
from signxml import DigestAlgorithm, SignatureConfiguration, SignatureMethod, XMLVerifier

from bridge.attack.saml.honest import HONEST, NOT_FOR_PYTHON3_SAML, OUTSIDE_THE_SCHEMA, values_of
from bridge.attack.saml.messages import (
    ACS,
    DECRYPTION_KEYS,
    ENVELOPED,
    EXCLUSIVE,
    IDP,
    NOW,
    NS,
    SP,
    Draft,
    SignatureOptions,
    certificate_base64,
    make_certificate,
    make_key,
)
from bridge.errors import SAMLDTD, SAMLCommentOrPI, SAMLTransform
from bridge.identity.saml.response import verify_response

every_honest_message = pytest.mark.parametrize("build", HONEST.values(), ids=HONEST)
in_the_schema = {name: build for name, build in HONEST.items() if name not in OUTSIDE_THE_SCHEMA}
every_honest_message_in_the_schema = pytest.mark.parametrize("build", in_the_schema.values(), ids=in_the_schema)
for_python3_saml = {name: build for name, build in in_the_schema.items() if name not in NOT_FOR_PYTHON3_SAML}


@every_honest_message
def test_honest_message_is_accepted_and_read_whole(build):
    draft = build()
    attributes = values_of(draft)

    identity = verify_response(draft.encode(), draft.expected)

    assert identity.subject == "alice@example.com"
    assert identity.issuer == IDP
    assert identity.claims == attributes


def test_there_are_enough_layouts():
    assert len(HONEST) >= 40
    assert len([name for name in HONEST if name.startswith("encrypted_")]) >= 20


def certificate_of(draft: Draft):
    return draft.options.certificate or make_certificate("idp")


def intended_key(draft):
    """Return the name of the key for which the draft is encrypted."""
    key = draft.encryption and draft.encryption.key
    return next((name for name in DECRYPTION_KEYS if make_key(name).public_key() == key), DECRYPTION_KEYS[0])


def key_pem(name):
    return make_key(name).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def open_with_xmlsec(root, name):
    """Put the assertion in the place of an encrypted one, as xmlsec opens it; ``root`` is the response.

    xmlsec needs to be told the type, and where the key is.
    """
    for data in root.iterfind("saml:EncryptedAssertion/{*}EncryptedData", NS):
        place = data.getparent()
        [key] = place.iter("{*}EncryptedKey")
        info = data.find("ds:KeyInfo", NS)
        if info is None:
            info = etree.Element(f"{{{NS['ds']}}}KeyInfo")
            data.insert(1, info)
        info[:] = [key]
        data.set("Type", xmlsec.EncryptionType.ELEMENT)
        manager = xmlsec.KeysManager()
        manager.add_key(xmlsec.Key.from_memory(key_pem(name), xmlsec.KeyFormat.PEM))
        opened = xmlsec.EncryptionContext(manager).decrypt(data)
        root.replace(place, opened)
    return root


@pytest.mark.parametrize("build", for_python3_saml.values(), ids=for_python3_saml)
def test_python3_saml_agrees(build, monkeypatch):
    draft = build()
    monkeypatch.setattr(OneLogin_Saml2_Utils, "now", staticmethod(lambda: int(NOW.timestamp())))
    settings = OneLogin_Saml2_Settings(
        {
            "strict": True,
            "sp": {
                "entityId": SP,
                "assertionConsumerService": {"url": ACS},
                "privateKey": key_pem(intended_key(draft)).decode(),
            },
            "idp": {
                "entityId": IDP,
                "singleSignOnService": {"url": "https://idp.example.com/sso"},
                "x509cert": certificate_base64(certificate_of(draft)),
            },
            "security": {"wantAttributeStatement": False, "rejectDeprecatedAlgorithm": True, "wantNameId": True},
        }
    )
    response = OneLogin_Saml2_Response(settings, draft.encode())
    request = {"https": "on", "http_host": "bridge.example.com", "script_name": "/saml/corp/acs", "get_data": {}}

    assert response.is_valid(request, draft.request_id, raise_exceptions=True)
    assert response.get_nameid() == verify_response(draft.encode(), draft.expected).subject


@every_honest_message
def test_xmlsec_agrees(build):
    draft = build()
    root = etree.fromstring(draft.write())
    xmlsec.tree.add_ids(root, ["ID"])
    public_key = certificate_of(draft).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    outer = root.findall("ds:Signature", NS)
    for signature in outer:
        check_with_xmlsec(signature, public_key)
    opened = open_with_xmlsec(root, intended_key(draft))
    xmlsec.tree.add_ids(opened, ["ID"])
    inner = opened.findall("saml:Assertion/ds:Signature", NS)
    for signature in inner:
        check_with_xmlsec(signature, public_key)
    assert outer or inner


def check_with_xmlsec(signature, public_key):
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(public_key, xmlsec.KeyFormat.PEM)
    context.verify(signature)


@every_honest_message_in_the_schema
def test_signxml_agrees_on_what_was_signed(build):
    draft = build()
    document = draft.write()
    in_assertion = f"./{{{NS['saml']}}}Assertion/"
    signed = {"both": ("./", in_assertion), "response": ("./",)}.get(draft.signed, (in_assertion,))
    opened = etree.tostring(open_with_xmlsec(etree.fromstring(document), intended_key(draft)))
    for location in signed:
        document = opened if location == in_assertion and b"EncryptedAssertion" in document else document
        result = XMLVerifier().verify(
            document,
            x509_cert=certificate_of(draft),
            id_attribute="ID",
            expect_config=SignatureConfiguration(
                location=location,
                verification_time=NOW,
                signature_methods=frozenset(SignatureMethod),
                digest_algorithms=frozenset(DigestAlgorithm),
            ),
        )
        assert result.signed_xml.get("ID") in {"_assertion1", "_response1"}


def test_cdata_is_read_whole():
    draft = Draft()
    draft.find("//saml:NameID").text = "alice@example.com.other.example"
    draft.after_writing(
        lambda xml: xml.replace(b"alice@example.com.other", b"alice@example.com<![CDATA[.other]]>").replace(
            b">platform<", b"><![CDATA[plat]]>form<"
        )
    )

    identity = verify_response(draft.encode(), draft.expected)

    assert identity.subject == "alice@example.com.other.example"
    assert identity.claims["groups"] == ["platform", "staff"]


@pytest.fixture
def canary():
    """A listening socket that nobody may talk to: its address, and whether somebody did."""
    listener = socket.create_server(("127.0.0.1", 0))
    visits = []

    def listen():
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        visits.append(connection.recv(1000))
        connection.close()

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}", visits
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def test_nothing_in_a_message_is_fetched(canary):
    url, visits = canary
    include = f'<i:include xmlns:i="http://www.w3.org/2001/XInclude" href="{url}/x.xml"/>'.encode()
    retrieval = f'<ds:RetrievalMethod URI="{url}/key"/>'
    stylesheet = "http://www.w3.org/TR/1999/REC-xslt-19991116"

    def outcome(draft):
        try:
            return verify_response(draft.encode(), draft.expected).subject
        except (SAMLDTD, SAMLCommentOrPI, SAMLTransform) as error:
            return type(error)

    entity = Draft()
    entity.after_writing(lambda xml: f'<!DOCTYPE x [<!ENTITY e SYSTEM "{url}/x">]>'.encode() + xml)
    assert outcome(entity) is SAMLDTD
    sheet = Draft()
    sheet.after_writing(lambda xml: f'<?xml-stylesheet href="{url}/x.xsl"?>'.encode() + xml)
    assert outcome(sheet) is SAMLCommentOrPI
    assert outcome(Draft(options=SignatureOptions(transforms=(ENVELOPED, stylesheet, EXCLUSIVE)))) is SAMLTransform
    assert outcome(Draft(options=SignatureOptions(key_info=retrieval))) == "alice@example.com"
    located = Draft()
    located.find("//saml:Assertion").set(f"{{{NS['xsi']}}}schemaLocation", f"{NS['saml']} {url}/x.xsd")
    assert outcome(located) == "alice@example.com"
    included = Draft()
    included.after_writing(
        lambda xml: xml.replace(
            b"<samlp:Status>", b"<samlp:Extensions>" + include + b"</samlp:Extensions><samlp:Status>"
        )
    )
    assert outcome(included) == "alice@example.com"
    assert not visits
