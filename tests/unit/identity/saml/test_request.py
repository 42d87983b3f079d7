import base64
import zlib
from urllib.parse import parse_qsl, urlsplit

import pytest
import xmlsec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from lxml import etree
from onelogin.saml2.utils import OneLogin_Saml2_Utils

from bridge.attack.saml.messages import ACS, EMAIL, NOW, NS, SP, certificate_base64, make_certificate, make_signing_key
from bridge.identity.saml.request import build_authn_request, build_post_form, build_redirect, build_sp_metadata
from bridge.identity.saml.schema import _FILE
from bridge.identity.saml.signature import verify_enveloped

SLO = "https://bridge.example.com/saml/corp/slo"
SSO = "https://idp.example.com/sso?tenant=a&b=<\"'>"
RELAY_STATE = "a+b/c=d&e f"


def request(**changes):
    arguments = {"sp_entity_id": SP, "acs_url": ACS, "sso_url": SSO, "name_id_format": None, "now": NOW}
    return build_authn_request(**arguments | changes)


def test_request_asks_for_an_answer_by_post_at_our_address():
    built = request()
    root = etree.fromstring(built.xml)

    assert dict(root.attrib) == {
        "ID": built.id,
        "Version": "2.0",
        "IssueInstant": "2026-03-02T09:00:00Z",
        "Destination": SSO,
        "ProtocolBinding": "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST",
        "AssertionConsumerServiceURL": ACS,
    }
    assert root.find("saml:Issuer", NS).text == SP
    assert "Format" not in root.find("samlp:NameIDPolicy", NS).attrib


def test_request_asks_for_the_configured_name_format():
    assert etree.fromstring(request(name_id_format=EMAIL).xml).find("samlp:NameIDPolicy", NS).get("Format") == EMAIL


def test_request_asks_for_a_new_authentication_and_for_contexts_only_where_configured():
    plain = etree.fromstring(request().xml)
    asking = etree.fromstring(request(force_authn=True, requested_authn_contexts=["urn:a", "urn:b&<c>"]).xml)

    assert plain.get("ForceAuthn") is None
    assert plain.find("samlp:RequestedAuthnContext", NS) is None
    assert asking.get("ForceAuthn") == "true"
    contexts = asking.find("samlp:RequestedAuthnContext", NS)
    assert contexts.get("Comparison") == "exact"
    assert [context.text for context in contexts.findall("saml:AuthnContextClassRef", NS)] == ["urn:a", "urn:b&<c>"]


def test_request_names_a_subject_only_where_told_and_is_valid():
    assert etree.fromstring(request().xml).find("saml:Subject", NS) is None
    root = etree.fromstring(request(subject="a&<b>@example.com", requested_authn_contexts=["urn:a"]).xml)
    name_id = root.find("saml:Subject/saml:NameID", NS)
    assert (name_id.text, name_id.get("Format")) == ("a&<b>@example.com", EMAIL)
    etree.XMLSchema(etree.parse(_FILE.with_name("saml-schema-protocol-2.0.xsd"))).assertValid(root)


@pytest.mark.parametrize("name_id_format", [None, EMAIL])
@pytest.mark.parametrize("policies", [{}, {"force_authn": True, "requested_authn_contexts": ["urn:a", "urn:b"]}])
def test_request_follows_the_schema(name_id_format, policies):
    schema = etree.XMLSchema(file=str(_FILE))

    schema.assertValid(etree.fromstring(request(name_id_format=name_id_format, **policies).xml))


def test_no_two_requests_have_the_same_id():
    identifiers = {request().id for _ in range(100)}

    assert len(identifiers) == 100
    assert all(len(identifier) == 41 and identifier[0] == "_" for identifier in identifiers)


def test_redirect_carries_the_signed_request():
    key, built = make_signing_key(), request()

    redirect = build_redirect(built, SSO, RELAY_STATE, key)

    assert redirect.request_id == built.id
    assert redirect.url.startswith(f"{SSO}&SAMLRequest=")
    query = redirect.url.removeprefix(f"{SSO}&")
    fields = dict(parse_qsl(query, strict_parsing=True))
    assert list(fields) == ["SAMLRequest", "RelayState", "SigAlg", "Signature"]
    assert zlib.decompress(base64.b64decode(fields["SAMLRequest"]), -15) == built.xml
    assert fields["RelayState"] == RELAY_STATE
    signature = base64.b64decode(fields["Signature"])
    signed = query.partition("&Signature=")[0].encode()
    key.certificate.public_key().verify(signature, signed, PKCS1v15(), hashes.SHA256())
    with pytest.raises(InvalidSignature):
        key.certificate.public_key().verify(signature, signed + b"x", PKCS1v15(), hashes.SHA256())


def test_redirect_to_an_address_without_query_begins_one():
    url = build_redirect(request(), "https://idp.example.com/sso", "x", make_signing_key()).url

    assert url.startswith("https://idp.example.com/sso?SAMLRequest=")


def test_redirect_signature_is_accepted_by_python3_saml():
    url = build_redirect(request(), "https://idp.example.com/sso", RELAY_STATE, make_signing_key()).url
    query, _, signature = urlsplit(url).query.partition("&Signature=")

    assert OneLogin_Saml2_Utils.validate_binary_sign(
        query,
        base64.b64decode(dict(parse_qsl(f"s={signature}"))["s"]),
        OneLogin_Saml2_Utils.format_cert(certificate_base64(make_certificate("sp"))),
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    )


def test_post_form_carries_the_signed_request():
    key, built = make_signing_key(), request()

    form = build_post_form(built, SSO, RELAY_STATE, key)

    assert (form.url, form.request_id, form.fields["RelayState"]) == (SSO, built.id, RELAY_STATE)
    root = etree.fromstring(base64.b64decode(form.fields["SAMLRequest"]))
    assert [child.tag.rpartition("}")[2] for child in root] == ["Issuer", "Signature", "NameIDPolicy"]
    etree.XMLSchema(file=str(_FILE)).assertValid(root)
    verified = verify_enveloped(root, [key.certificate.public_key()])
    assert verified.get("ID") == built.id
    assert verified.get("Destination") == SSO


def test_post_form_is_accepted_by_xmlsec():
    form = build_post_form(request(), SSO, RELAY_STATE, make_signing_key())
    root = etree.fromstring(base64.b64decode(form.fields["SAMLRequest"]))
    xmlsec.tree.add_ids(root, ["ID"])
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(
        base64.b64decode(certificate_base64(make_certificate("sp"))), xmlsec.KeyFormat.CERT_DER
    )

    context.verify(root.find("ds:Signature", NS))


def sp_metadata(**changes):
    arguments = {"entity_id": SP, "acs_url": ACS, "slo_url": SLO, "name_id_format": None}
    return build_sp_metadata(**arguments | {"certificates": [make_certificate("sp")]} | changes)


def test_metadata_says_how_we_want_to_be_answered():
    root = etree.fromstring(sp_metadata())
    role = root.find("md:SPSSODescriptor", NS)
    service = role.find("md:AssertionConsumerService", NS)

    assert root.get("entityID") == SP
    assert (role.get("AuthnRequestsSigned"), role.get("WantAssertionsSigned")) == ("true", "true")
    assert service.get("Location") == ACS
    assert service.get("Binding") == "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
    logout = [(place.get("Binding"), place.get("Location")) for place in role.findall("md:SingleLogoutService", NS)]
    bindings = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-"
    assert logout == [(f"{bindings}Redirect", SLO), (f"{bindings}POST", SLO)]


def test_metadata_is_valid_as_long_as_our_certificate():
    end = make_certificate("sp").not_valid_after_utc

    assert etree.fromstring(sp_metadata()).get("validUntil") == f"{end:%Y-%m-%dT%H:%M:%SZ}"


def test_metadata_publishes_every_signing_key_in_order_and_no_encryption_key():
    certificates = [make_certificate("sp"), make_certificate("next"), make_certificate("previous")]

    keys = etree.fromstring(sp_metadata(certificates=certificates)).findall(".//md:KeyDescriptor", NS)

    assert [key.get("use") for key in keys] == ["signing"] * 3
    texts = ["".join(key.find(".//ds:X509Certificate", NS).text.split()) for key in keys]
    assert texts == [certificate_base64(certificate) for certificate in certificates]


@pytest.mark.parametrize("name_id_format", [None, EMAIL])
def test_metadata_follows_the_schema(name_id_format):
    schema = etree.XMLSchema(file=str(_FILE.parent / "saml-schema-metadata-2.0.xsd"))

    schema.assertValid(etree.fromstring(sp_metadata(name_id_format=name_id_format)))


def test_metadata_escapes_what_it_is_given():
    awkward = 'https://bridge.example.com/?a=1&b="<x>'

    root = etree.fromstring(sp_metadata(entity_id=awkward, acs_url=awkward))

    assert root.get("entityID") == awkward
    assert root.find(".//md:AssertionConsumerService", NS).get("Location") == awkward
