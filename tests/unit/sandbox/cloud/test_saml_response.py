"""Which SAML responses the cloud accepts. Each hostile one differs in one thing from the accepted one."""

import base64
import copy
from datetime import timedelta

import pytest
import xmlsec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from lxml import etree
from xmlsec import constants

from bridge.sandbox.cloud.saml_metadata import parse_idp_metadata
from bridge.sandbox.cloud.saml_response import Expectation, parse_saml_response, verify_saml_response
from bridge.sts_wire.reply import STSFault
from tests.unit.sandbox.cloud.parties import (
    ACS,
    DS,
    NOW,
    ROLE,
    SAML,
    SAMLP,
    Response,
    build_metadata,
    make_key,
    role_value,
)

INVALID, EXPIRED = "AuthenticationFail.SAMLAssertion.Invalid", "AuthenticationFail.SAMLAssertion.Expired"


def verify(response, *, now=NOW, key=None):
    expectation = Expectation(parse_idp_metadata(build_metadata(key)), ACS, "urn:alibaba:cloudcomputing", now)
    encoded = response if isinstance(response, str) else response.encode()
    return verify_saml_response(parse_saml_response(encoded), expectation)


def refused_code(response, **given):
    with pytest.raises(STSFault) as refused:
        verify(response, **given)
    return refused.value.code


def find(element, path):
    found = element.find(path, {"saml": SAML, "samlp": SAMLP, "ds": DS})
    assert found is not None, path
    return found


def set_text(path, text):
    def change(_response, assertion):
        find(assertion, path).text = text

    return change


def set_attribute(path, name, value):
    def change(_response, assertion):
        element = find(assertion, path) if path else assertion
        if value is None:
            del element.attrib[name]
        else:
            element.set(name, value)

    return change


def on_response(name, value):
    def change(response, _assertion):
        response.set(name, value)

    return change


def double(path):
    def change(_response, assertion):
        element = find(assertion, path)
        element.addnext(copy.deepcopy(element))

    return change


def remove(path):
    def change(_response, assertion):
        element = find(assertion, path)
        element.getparent().remove(element)

    return change


def test_good_response_is_accepted_and_read():
    end = NOW + timedelta(hours=2)

    statement = verify(Response(session_ends_at=end))

    assert statement.subject == "alice@example.com"
    assert statement.subject_type == "persistent"
    assert statement.recipient == ACS
    assert statement.attributes[ROLE] == (role_value(),)
    assert statement.session_ends_at == end
    assert len(statement.passed) == 9


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(Response(sign_response=True), id="response signed too"),
        pytest.param(Response(algorithm="rsa-sha512"), id="SHA-512"),
        pytest.param(Response(subject="&lt;b&gt; 陈静"), id="escaped and Chinese subject"),
        pytest.param(Response(now=NOW + timedelta(seconds=50)), id="issued within the leeway"),
    ],
)
def test_variants_of_a_good_response_are_accepted(response):
    assert verify(response).issuer == "https://idp.example.com/saml"


def test_second_certificate_of_the_metadata_counts_too():
    document = etree.fromstring(build_metadata(make_key("old")))
    descriptor = document[0]
    descriptor.append(etree.fromstring(build_metadata())[0][0])
    expectation = Expectation(parse_idp_metadata(etree.tostring(document)), ACS, "urn:alibaba:cloudcomputing", NOW)

    assert verify_saml_response(parse_saml_response(Response().encode()), expectation)


CONDITIONS, CONFIRMATION = "saml:Conditions", "saml:Subject/saml:SubjectConfirmation"
DATA = f"{CONFIRMATION}/saml:SubjectConfirmationData"


@pytest.mark.parametrize(
    ("response", "code"),
    [
        pytest.param(Response(sign=False), INVALID, id="unsigned"),
        pytest.param(Response(sign=False, sign_response=True), INVALID, id="only the response is signed"),
        pytest.param(Response(key=make_key("thief")), INVALID, id="signed with a key of one's own"),
        pytest.param(Response(algorithm="rsa-sha1"), INVALID, id="SHA-1"),
        pytest.param(Response(issuer="https://idp.example.com/SAML"), INVALID, id="issuer in another case"),
        pytest.param(Response(audience="urn:alibaba:cloudcomputing:international"), INVALID, id="other audience"),
        pytest.param(Response(recipient=f"{ACS}/"), INVALID, id="recipient with a slash"),
        pytest.param(Response(recipient=ACS.upper()), INVALID, id="recipient in another case"),
        pytest.param(Response(now=NOW + timedelta(minutes=2)), INVALID, id="from the future"),
        pytest.param(Response(now=NOW - timedelta(minutes=7)), EXPIRED, id="expired"),
        pytest.param(Response(session_ends_at=NOW - timedelta(seconds=1)), EXPIRED, id="session is over"),
        pytest.param(Response(change=on_response("Version", "1.1")), INVALID, id="version of the response"),
        pytest.param(Response(change=set_attribute("", "Version", "1.1")), INVALID, id="version of the assertion"),
        pytest.param(Response(change=on_response("Destination", "https://else.example.com")), INVALID, id="elsewhere"),
        pytest.param(Response(change=set_attribute(DATA, "Recipient", None)), INVALID, id="no recipient"),
        pytest.param(Response(change=set_attribute(DATA, "NotOnOrAfter", None)), INVALID, id="no confirmation end"),
        pytest.param(
            Response(change=set_attribute(DATA, "NotBefore", "2026-03-04T05:00:00Z")), INVALID, id="bearer NotBefore"
        ),
        pytest.param(
            Response(change=set_attribute(DATA, "NotOnOrAfter", "2026-03-04T05:00:00Z")),
            EXPIRED,
            id="confirmation over",
        ),
        pytest.param(
            Response(change=set_attribute(CONDITIONS, "NotOnOrAfter", "2026-03-04T05:00:00Z")),
            EXPIRED,
            id="conditions over",
        ),
        pytest.param(
            Response(change=set_attribute(CONDITIONS, "NotBefore", "2026-03-04T06:00:00Z")), INVALID, id="not yet"
        ),
        pytest.param(
            Response(change=set_attribute(CONDITIONS, "NotOnOrAfter", "2026-03-04T13:00:00+08:00")),
            INVALID,
            id="time with an offset",
        ),
        pytest.param(
            Response(change=set_attribute(CONFIRMATION, "Method", "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches")),
            INVALID,
            id="not bearer",
        ),
        pytest.param(Response(change=remove(CONFIRMATION)), INVALID, id="no confirmation"),
        pytest.param(Response(change=double(CONFIRMATION)), INVALID, id="two confirmations"),
        pytest.param(Response(change=remove("saml:Subject")), INVALID, id="no subject"),
        pytest.param(Response(change=double("saml:Subject")), INVALID, id="two subjects"),
        pytest.param(Response(change=double("saml:Subject/saml:NameID")), INVALID, id="two names"),
        pytest.param(Response(subject=""), INVALID, id="empty name"),
        pytest.param(Response(subject="alice<x/>@example.com"), INVALID, id="structured name"),
        pytest.param(Response(change=remove(CONDITIONS)), INVALID, id="no conditions"),
        pytest.param(Response(change=remove(f"{CONDITIONS}/saml:AudienceRestriction")), INVALID, id="no audience"),
        pytest.param(Response(change=double(f"{CONDITIONS}/saml:AudienceRestriction")), INVALID, id="two restrictions"),
        pytest.param(Response(change=remove("saml:AuthnStatement")), INVALID, id="no AuthnStatement"),
        pytest.param(Response(change=double("saml:AuthnStatement")), INVALID, id="two AuthnStatements"),
        pytest.param(Response(change=remove("saml:Issuer")), INVALID, id="no issuer"),
        pytest.param(Response(change=set_attribute("", "ID", None)), INVALID, id="no ID"),
        pytest.param(
            Response(change_signed=set_text("saml:Subject/saml:NameID", "root@example.com")),
            INVALID,
            id="changed after signing",
        ),
        pytest.param(Response(change_signed=remove("ds:Signature")), INVALID, id="signature removed"),
        pytest.param(Response(change_signed=double("ds:Signature")), INVALID, id="two signatures"),
        pytest.param(
            Response(change_signed=set_text("ds:Signature/ds:SignatureValue", "AAAA")), INVALID, id="broken signature"
        ),
        pytest.param(
            Response(
                sign_response=True,
                change_signed=lambda response, _: response.set("IssueInstant", "2026-03-04T05:06:06Z"),
            ),
            INVALID,
            id="good assertion in a changed signed response",
        ),
        pytest.param(Response(change_signed=double("saml:Issuer")), INVALID, id="element added after signing"),
    ],
)
def test_response_with_one_fault_is_refused(response, code):
    assert refused_code(response) == code


def test_response_of_another_status_is_refused():
    def change(response, _assertion):
        find(response, "samlp:Status/samlp:StatusCode").set("Value", "urn:oasis:names:tc:SAML:2.0:status:Responder")

    assert refused_code(Response(change=change)) == INVALID


def wrap_original_in_extension(response, assertion):
    """The signed assertion hides in an extension; the one that would be read is forged (Somorovsky 2012)."""
    forged = copy.deepcopy(assertion)
    forged.set("ID", "_forged")
    find(forged, "saml:Subject/saml:NameID").text = "root@example.com"
    forged.remove(find(forged, "ds:Signature"))
    extension = etree.SubElement(response, f"{{{SAMLP}}}Extensions")
    response.replace(assertion, forged)
    extension.append(assertion)


def move_signature_to_forged(response, assertion):
    """The forged assertion carries the genuine signature, whose object holds what was signed."""
    forged = copy.deepcopy(assertion)
    forged.set("ID", "_forged")
    find(forged, "saml:Subject/saml:NameID").text = "root@example.com"
    response.replace(assertion, forged)
    assertion.remove(find(assertion, "ds:Signature"))
    etree.SubElement(find(forged, "ds:Signature"), f"{{{DS}}}Object").append(assertion)


def add_unsigned_assertion(response, assertion):
    """A second assertion, unsigned, stands before the genuine one."""
    forged = copy.deepcopy(assertion)
    forged.set("ID", "_forged")
    forged.remove(find(forged, "ds:Signature"))
    assertion.addprevious(forged)


def repeat_id(response, assertion):
    """Two elements have the signed ID, so that a resolver could take the other one."""
    find(response, "samlp:Status").set("ID", assertion.get("ID"))


def reference_nothing(_response, assertion):
    """The reference is empty, which means the whole document."""
    find(assertion, "ds:Signature/ds:SignedInfo/ds:Reference").set("URI", "")


def add_transform(_response, assertion):
    """A transform selects what is digested."""
    transforms = find(assertion, "ds:Signature/ds:SignedInfo/ds:Reference/ds:Transforms")
    etree.SubElement(transforms, f"{{{DS}}}Transform", Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116")


def add_reference(_response, assertion):
    """A second reference makes it unclear what is signed."""
    reference = find(assertion, "ds:Signature/ds:SignedInfo/ds:Reference")
    reference.addnext(copy.deepcopy(reference))


def use_hmac(_response, assertion):
    """The method asks to use the certificate as a shared secret."""
    method = find(assertion, "ds:Signature/ds:SignedInfo/ds:SignatureMethod")
    method.set("Algorithm", "http://www.w3.org/2000/09/xmldsig#hmac-sha1")


def split_name_by_comment(_response, assertion):
    """A comment splits the name, and a reader may take one half (CVE-2017-11427)."""
    find(assertion, "saml:Subject/saml:NameID").append(etree.Comment("x"))


@pytest.mark.parametrize(
    "change",
    [
        wrap_original_in_extension,
        move_signature_to_forged,
        add_unsigned_assertion,
        repeat_id,
        reference_nothing,
        add_transform,
        add_reference,
        use_hmac,
        split_name_by_comment,
    ],
)
def test_wrapped_or_twisted_signature_is_refused(change):
    assert verify(Response())

    assert refused_code(Response(change_signed=change)) == INVALID


def sign_in_form(
    *,
    uri=None,
    canonicalization=constants.TransformExclC14N,
    digest=constants.TransformSha256,
    transforms=(constants.TransformEnveloped, constants.TransformExclC14N),
):
    """Sign genuinely, with the registered key, in a form that may not be the accepted one."""

    def change(_response, assertion):
        template = xmlsec.template.create(assertion, canonicalization, constants.TransformRsaSha256, ns="ds")
        assertion.insert(1, template)
        reference = xmlsec.template.add_reference(
            template, digest, uri=f"#{assertion.get('ID')}" if uri is None else uri
        )
        for transform in transforms:
            xmlsec.template.add_transform(reference, transform)
        private = make_key().private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        context = xmlsec.SignatureContext()
        context.key = xmlsec.Key.from_memory(private, constants.KeyDataFormatPem)
        context.register_id(assertion, "ID")
        context.sign(template)

    return change


def test_genuine_signature_in_the_accepted_form_is_accepted():
    assert verify(Response(sign=False, change_signed=sign_in_form()))


@pytest.mark.parametrize(
    "form",
    [
        pytest.param({"uri": ""}, id="over the whole document"),
        pytest.param({"canonicalization": constants.TransformInclC14N}, id="inclusive canonicalization"),
        pytest.param({"canonicalization": constants.TransformExclC14NWithComments}, id="with comments"),
        pytest.param({"transforms": (constants.TransformEnveloped,)}, id="no canonicalization transform"),
        pytest.param(
            {"transforms": (constants.TransformEnveloped, constants.TransformInclC14N)}, id="inclusive transform"
        ),
        pytest.param({"digest": constants.TransformSha1}, id="SHA-1 digest"),
    ],
)
def test_genuine_signature_in_another_form_is_refused(form):
    assert refused_code(Response(sign=False, change_signed=sign_in_form(**form))) == INVALID


def put_object_into_signature(_response, assertion):
    """The signature stays valid, and there is room for what nobody signed."""
    etree.SubElement(find(assertion, "ds:Signature"), f"{{{DS}}}Object").text = "x"


def put_signature_elsewhere(response, assertion):
    """The signature stays valid, and a second one stands where none may be."""
    etree.SubElement(response, f"{{{SAMLP}}}Extensions").append(copy.deepcopy(find(assertion, "ds:Signature")))


def sign_something_else_too(response, _assertion):
    """A second genuine signature stands in and covers an element that nobody asked for."""
    extension = etree.SubElement(response, f"{{{SAMLP}}}Extensions", ID="_extension")
    etree.SubElement(extension, f"{{{SAMLP}}}Extension")
    sign_in_form()(response, extension)


def put_comment_between_elements(_response, assertion):
    """Canonicalization drops comments, so that the signature stays valid."""
    find(assertion, "saml:Subject").addprevious(etree.Comment("x"))


def put_instruction_between_elements(response, _assertion):
    """The response is not signed, and a processing instruction stands in it."""
    response.append(etree.ProcessingInstruction("x", "y"))


@pytest.mark.parametrize(
    "change",
    [
        put_object_into_signature,
        put_signature_elsewhere,
        sign_something_else_too,
        put_comment_between_elements,
        put_instruction_between_elements,
    ],
)
def test_message_whose_signature_survives_the_addition_is_refused(change):
    assert refused_code(Response(change_signed=change)) == INVALID


DTD = b'<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    "encoded",
    [
        pytest.param("", id="empty"),
        pytest.param("abc", id="too short"),
        pytest.param("!" * 40, id="not base64"),
        pytest.param("A" * 100_001, id="too long"),
        pytest.param(base64.b64encode(b"not XML").decode(), id="not XML"),
        pytest.param(base64.b64encode(b"<Response/>").decode(), id="no SAML response"),
        pytest.param(base64.b64encode(f'<Response xmlns="{SAMLP}"/>'.encode()).decode(), id="no assertion"),
        pytest.param(base64.b64encode(DTD + base64.b64decode(Response().encode())).decode(), id="DTD"),
        pytest.param(
            base64.b64encode(f'<Response xmlns="{SAMLP}"><EncryptedAssertion xmlns="{SAML}"/></Response>'.encode()),
            id="encrypted",
        ),
        pytest.param(
            base64.b64encode(
                f'<Response xmlns="{SAMLP}"><a><Assertion xmlns="{SAML}"/></a></Response>'.encode()
            ).decode(),
            id="assertion elsewhere",
        ),
        pytest.param(base64.b64encode(b"<a>" * 300).decode(), id="deep"),
        pytest.param(base64.b64encode("<a/>".encode("utf-16")).decode(), id="another encoding"),
    ],
)
def test_text_that_is_no_response_is_refused(encoded):
    with pytest.raises(STSFault) as refused:
        parse_saml_response(encoded if isinstance(encoded, str) else encoded.decode())

    assert refused.value.code == INVALID


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<html/>", id="another document"),
        pytest.param(build_metadata().replace(b'use="signing"', b'use="encryption"'), id="no signing key"),
        pytest.param(build_metadata(entity_id=""), id="no entity ID"),
        pytest.param(build_metadata().replace(b"<ds:X509Certificate>", b"<ds:X509Certificate>!"), id="no base64"),
        pytest.param(b"<!DOCTYPE x>" + build_metadata(), id="DTD"),
    ],
)
def test_metadata_without_a_usable_provider_is_refused(document):
    with pytest.raises(STSFault) as refused:
        parse_idp_metadata(document)

    assert refused.value.code == "AuthenticationFail.IDPMetadata.Invalid"


def test_certificate_that_is_none_verifies_nothing():
    metadata = build_metadata()
    start, end = metadata.index(b"<ds:X509Certificate>") + 20, metadata.index(b"</ds:X509Certificate>")
    expectation = Expectation(
        parse_idp_metadata(metadata[:start] + b"AAAA" + metadata[end:]), ACS, "urn:alibaba:cloudcomputing", NOW
    )

    with pytest.raises(STSFault) as refused:
        verify_saml_response(parse_saml_response(Response().encode()), expectation)
    assert refused.value.code == INVALID
