"""SAML-07, SAML-09, SAML-10, SAML-13, SAML-15 to 17 and SAML-26: documents of a shape that no honest provider sends."""

import zlib
from base64 import b64encode
from copy import deepcopy
from typing import Any

from lxml import etree

from bridge.attack.saml.corpus import hostile, hostile_table
from bridge.attack.saml.messages import NS, Draft, element
from bridge.errors import (
    SAMLDTD,
    SAMLAssertionCount,
    SAMLAttributeStructured,
    SAMLAudience,
    SAMLBase64,
    SAMLCommentOrPI,
    SAMLConfirmation,
    SAMLEncoding,
    SAMLEncrypted,
    SAMLId,
    SAMLIssuer,
    SAMLNameID,
    SAMLNotXML,
    SAMLRoot,
    SAMLSchema,
    SAMLSignatureCount,
    SAMLSignaturePlace,
    SAMLTooComplex,
    SAMLTooLarge,
)

# ── SAML-07, SAML-15: encodings, DOCTYPE, entities ───────────────────────────────────────────────────────────


@hostile_table(
    "SAML-07",
    SAMLEncoding,
    {
        "utf16": lambda text: text.encode("utf-16"),
        "utf16_without_mark": lambda text: text.encode("utf-16-le"),
        "utf16_declared": lambda text: ('<?xml version="1.0" encoding="UTF-16"?>' + text).encode("utf-16-be"),
        "utf32": lambda text: text.encode("utf-32"),
        "utf7_declared": lambda text: b'<?xml version="1.0" encoding="UTF-7"?>' + text.encode(),
        "latin1_declared": lambda text: b'<?xml version="1.0" encoding="ISO-8859-1"?>' + text.encode(),
        "latin1": lambda text: text.replace("alice", "älice").encode("latin-1"),
        "overlong": lambda text: text.encode().replace(b"alice", b"\xc0\xa1lice"),
        "xml11": lambda text: b'<?xml version="1.1"?>' + text.encode(),
        "no_version": lambda text: b'<?xml encoding="UTF-8"?>' + text.encode(),
    },
)
def encoding(draft: Draft, encode: Any) -> None:
    """An encoding in which the checks on bytes, or another parser, would see something else."""
    draft.after_writing(lambda xml: encode(xml.decode()))


@hostile_table(
    "SAML-15",
    SAMLDTD,
    {
        "doctype": b"<!DOCTYPE samlp:Response>",
        "lower_case": b"<!doctype x>",
        "internal_entity": b'<!DOCTYPE x [<!ENTITY e "admin">]>',
        "external_entity": b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
        "external_subset": b'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">',
        "parameter_entity": b'<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x">%p;]>',
        "attlist_id": b"<!DOCTYPE x [<!ATTLIST samlp:Status Foo ID #IMPLIED>]>",
        "attlist_default": b'<!DOCTYPE x [<!ATTLIST saml:Assertion ID CDATA "_forged">]>',
        "billion_laughs": b'<!DOCTYPE x [<!ENTITY a "ha">'
        + b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10 if n else b"&a;" * 10) for n in range(9))
        + b"]>",
        "quadratic": b'<!DOCTYPE x [<!ENTITY a "' + b"x" * 50_000 + b'">]>',
    },
)
def dtd(draft: Draft, doctype: Any) -> None:
    """Entities grow, read files and fetch addresses; a DTD declares IDs. CVE-2017-9672, CVE-2025-23369."""
    draft.after_writing(lambda xml: doctype + xml)


@hostile("SAML-15", SAMLDTD)
def doctype_behind_the_root(draft: Draft) -> None:
    """A DOCTYPE where it is not well-formed either."""
    draft.after_writing(lambda xml: xml + b"<!DOCTYPE x>")


@hostile("SAML-15", SAMLEncoding)
def doctype_hidden_in_utf16(draft: Draft) -> None:
    """A DOCTYPE that a search for ASCII bytes does not find."""
    draft.after_writing(lambda xml: ("<!DOCTYPE x>" + xml.decode()).encode("utf-16-be"))


@hostile("SAML-15", SAMLNotXML)
def undeclared_entity(draft: Draft) -> None:
    """An entity without a DTD."""
    draft.after_writing(lambda xml: xml.replace(b"alice", b"&admin;", 1))


@hostile("SAML-15", SAMLNameID)
def xinclude_in_name_id(draft: Draft) -> None:
    """XInclude is not processed, so this NameID has a child."""
    draft.find("//saml:NameID").append(
        etree.fromstring(
            '<i:include xmlns:i="http://www.w3.org/2001/XInclude" href="file:///etc/hostname" parse="text"/>'
        )
    )


@hostile("SAML-15", SAMLCommentOrPI)
def xml_stylesheet(draft: Draft) -> None:
    """A processing instruction that names a program."""
    draft.after_writing(lambda xml: b'<?xml-stylesheet href="http://127.0.0.1:9/x.xsl"?>' + xml)


# ── SAML-09: identifiers ─────────────────────────────────────────────────────────────────────────────────────


@hostile_table("SAML-09", SAMLId, {"assertion": "_assertion1", "response": "_response1"})
def same_id_twice(draft: Draft, identifier: Any) -> None:
    """Another element has the ID of the signed one."""

    @draft.after_signing
    def add(root: Any) -> Any:
        root.find("samlp:Status", NS).set("ID", identifier)


@hostile("SAML-09", SAMLId)
def same_value_as_id_and_as_lower_camel_case_id(draft: Draft) -> None:
    """``Id`` of one element is ``ID`` of another."""

    @draft.after_signing
    def add(root: Any) -> Any:
        root.find("samlp:Status", NS).set("Id", "_assertion1")


@hostile_table(
    "SAML-09",
    SAMLId,
    {
        "digit": "1assertion",
        "blank": "_a b",
        "colon": "_a:b",
        "empty": "",
        "slash": "_a/b",
        "quote": "_a'b",
        "newline": "_a\nb",
        "dash": "-a",
    },
)
def id_that_is_no_ncname(draft: Draft, identifier: Any) -> None:
    """An ID that an XPath or a fragment could mean differently."""
    draft.assertion.set("ID", identifier)


@hostile("SAML-09", SAMLId, signed="response")
def assertion_without_id(draft: Draft) -> None:
    """No ID: nothing could make it single-use."""
    del draft.assertion.attrib["ID"]


@hostile("SAML-09", SAMLId)
def response_without_id(draft: Draft) -> None:
    """No ID on the response (SAML Core 3.2.2)."""
    del draft.root.attrib["ID"]


@hostile_table(
    "SAML-09",
    SAMLId,
    {
        "lower_case": "id",
        "xml_id": "{http://www.w3.org/XML/1998/namespace}id",
        "protocol": f"{{{NS['samlp']}}}ID",
        "wsu": "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd}Id",
        "mixed_case": "iD",
    },
)
def identifier_in(draft: Draft, name: Any) -> None:
    """An attribute that some program takes for an ID. "The Fragile Lock": attribute pollution."""

    @draft.after_signing
    def add(root: Any) -> Any:
        root.find("samlp:Status", NS).set(name, "_other1")


# ── SAML-10: namespaces, attributes, roots ───────────────────────────────────────────────────────────────────


@hostile_table("SAML-10", SAMLAssertionCount, {"look_alike": "{urn:oasis:names:tc:SAML:2.0:assertions}", "empty": ""})
def look_alike_beside_the_assertion(draft: Draft, namespace: Any) -> None:
    """Something called Assertion in another namespace, for readers that look at local names."""

    @draft.after_signing
    def add(root: Any) -> Any:
        root.append(etree.Element(f"{namespace}Assertion"))


@hostile_table(
    "SAML-10",
    SAMLAssertionCount,
    {"saml11": "{urn:oasis:names:tc:SAML:1.0:assertion}", "protocol": f"{{{NS['samlp']}}}"},
)
def look_alike_instead_of_the_assertion(draft: Draft, namespace: Any) -> None:
    """The one assertion is in another namespace."""
    draft.signed = "response"
    draft.assertion.tag = f"{namespace}Assertion"


@hostile("SAML-10", SAMLSignaturePlace)
def signature_in_another_namespace(draft: Draft) -> None:
    """A signature that is none."""

    @draft.after_signing
    def add(root: Any) -> Any:
        root.find("saml:Issuer", NS).addnext(etree.Element("{http://www.w3.org/2000/09/xmldsig}Signature"))


@hostile_table(
    "SAML-10",
    SAMLRoot,
    {
        "LogoutResponse": f"{{{NS['samlp']}}}LogoutResponse",
        "ArtifactResponse": f"{{{NS['samlp']}}}ArtifactResponse",
        "AuthnRequest": f"{{{NS['samlp']}}}AuthnRequest",
        "Response_of_no_namespace": "Response",
        "Response_of_saml11": "{urn:oasis:names:tc:SAML:1.0:protocol}Response",
        "response": f"{{{NS['samlp']}}}response",
    },
)
def root(draft: Draft, tag: Any) -> None:
    """Another message than a response."""
    draft.root.tag = tag


@hostile("SAML-10", SAMLRoot)
def bare_assertion(draft: Draft) -> None:
    """A validly signed assertion without a response around it."""
    draft.after_signing(lambda root: root.find("saml:Assertion", NS))


@hostile("SAML-10", SAMLRoot)
def soap_envelope(draft: Draft) -> None:
    """A response inside a SOAP envelope."""

    @draft.after_signing
    def wrap(root: Any) -> Any:
        envelope = etree.Element("{http://schemas.xmlsoap.org/soap/envelope/}Envelope")
        envelope.append(root)
        return envelope


@hostile_table(
    "SAML-10",
    SAMLSchema,
    {"unknown_attribute": ("Role", "admin"), "consent_of_another_namespace": ("{urn:x}Consent", "yes")},
)
def response_with(draft: Draft, attribute: Any) -> None:
    """An attribute that a response does not have."""
    draft.root.set(*attribute)


@hostile("SAML-10", SAMLSchema)
def response_with_an_unknown_child(draft: Draft) -> None:
    """An element that a response does not have."""
    draft.root.append(element("samlp:Anything"))


@hostile("SAML-10", SAMLSchema)
def response_with_text(draft: Draft) -> None:
    """Text where there is none."""
    draft.root[1].tail = "text"


@hostile("SAML-10", SAMLSchema)
def response_with_text_first(draft: Draft) -> None:
    """Text where there is none."""
    draft.root.text = "text"


@hostile("SAML-10", SAMLSchema)
def response_in_another_order(draft: Draft) -> None:
    """Status behind the assertion."""
    draft.root.append(draft.find("samlp:Status"))


@hostile_table(
    "SAML-10",
    SAMLSchema,
    {
        "attribute": lambda draft: draft.assertion.set("Role", "admin"),
        "element": lambda draft: draft.assertion.append(element("saml:Anything")),
        "order": lambda draft: draft.assertion.append(draft.find("//saml:Subject")),
        "text": lambda draft: setattr(draft.find("//saml:Subject"), "tail", "text"),
        "issuer_twice_as_advice": lambda draft: draft.find("//saml:AuthnStatement").append(element("saml:Issuer", "x")),
        "attribute_without_name": lambda draft: draft.find("//saml:Attribute").attrib.pop("Name"),
        "attribute_with_empty_name": lambda draft: draft.find("//saml:Attribute").set("Name", ""),
        "class_ref_twice": lambda draft: draft.find("//saml:AuthnContext").append(
            deepcopy(draft.find("//saml:AuthnContextClassRef"))
        ),
        "type": lambda draft: draft.find("//saml:Subject").set(f"{{{NS['xsi']}}}type", "xs:string"),
    },
)
def assertion_with(draft: Draft, spoil: Any) -> None:
    """A signed assertion that does not follow the schema."""
    spoil(draft)


# ── SAML-13: text in pieces ──────────────────────────────────────────────────────────────────────────────────

TEXTS = {"name_id": b"alice@example.com</saml:N", "audience": b"/corp/metadata", "issuer": b"/saml</saml:Issuer>"}


@hostile_table(
    "SAML-13",
    SAMLCommentOrPI,
    {
        f"{place}_{kind}": (text, split)
        for place, text in TEXTS.items()
        for kind, split in (("comment", b"<!---->"), ("pi", b"<?x?>"))
    }
    | {"attribute_comment": (b"platform", b"<!-- x -->")},
)
def split_text(draft: Draft, place_and_split: Any) -> None:
    """``admin@corp<!---->.evil``: canonicalization drops the comment, so the signature stays valid. CVE-2017-11427."""
    text, split = place_and_split

    def insert(xml: Any) -> Any:
        assert text in xml
        return xml.replace(text, text[:4] + split + text[4:])

    draft.after_writing(insert)


@hostile("SAML-13", SAMLCommentOrPI)
def comment_before_the_root(draft: Draft) -> None:
    """A comment outside of everything."""
    draft.after_writing(lambda xml: b"<!-- -->" + xml)


@hostile("SAML-13", SAMLCommentOrPI)
def comment_behind_the_root(draft: Draft) -> None:
    """A comment outside of everything."""
    draft.after_writing(lambda xml: b'<?xml version="1.0" encoding="UTF-8"?>' + xml + b"<?x?>")


@hostile_table("SAML-13", SAMLNameID, {"name_id": "//saml:NameID"})
def child_element_in_name_id(draft: Draft, path: Any) -> None:
    """``admin<x>@other.example</x>`` read as ``admin``."""
    _split(draft.find(path))


@hostile("SAML-13", SAMLAudience)
def child_element_in_audience(draft: Draft) -> None:
    """An audience in pieces."""
    _split(draft.find("//saml:Audience"))


@hostile_table("SAML-13", SAMLIssuer, {"assertion": "saml:Assertion/saml:Issuer", "response": "saml:Issuer"})
def child_element_in_issuer(draft: Draft, path: Any) -> None:
    """An issuer in pieces."""
    _split(draft.find(path))


@hostile_table("SAML-13", SAMLAttributeStructured, {"first": 1, "second": 2})
def child_element_in_value(draft: Draft, position: Any) -> None:
    """``cloud-admins<x>-test</x>`` read as ``cloud-admins``, which python3-saml does."""
    _split(draft.find(f"//saml:Attribute[@Name='groups']/saml:AttributeValue[{position}]"))


@hostile("SAML-13", SAMLConfirmation)
def child_element_in_confirmation_data(draft: Draft) -> None:
    """Data that a bearer confirmation does not have."""
    _split(draft.find("//saml:SubjectConfirmationData"))


def _split(target: Any) -> Any:
    etree.SubElement(target, "{urn:x}x").text = "-test"


# ── SAML-16: exhaustion ──────────────────────────────────────────────────────────────────────────────────────


def _extensions(xml: bytes, content: bytes) -> bytes:
    return xml.replace(b"<samlp:Status>", b"<samlp:Extensions>" + content + b"</samlp:Extensions><samlp:Status>")


@hostile_table(
    "SAML-16",
    SAMLTooLarge,
    {"text": b"x" * 262_145, "megabytes": b"x" * 5_000_000, "elements": b"<x>xxxxxxxxxx</x>" * 30_000},
)
def too_large(draft: Draft, content: Any) -> None:
    """More bytes than a thousand groups need. CVE-2025-25293 and others."""
    draft.after_writing(lambda xml: _extensions(xml, content))


@hostile_table(
    "SAML-16",
    SAMLTooComplex,
    {
        "deep": b"<x>" * 50 + b"</x>" * 50,
        "deeper": b"<x>" * 1_000 + b"</x>" * 1_000,
        "deepest": b"<x>" * 20_000 + b"</x>" * 20_000,
        "elements": b"<x/>" * 3_500,
        "many_elements": b"<x/>" * 60_000,
        "xml_attributes": b"<x " + b" ".join(b'a%d=""' % n for n in range(20_000)) + b"/>",
        "namespaces": b"<x " + b" ".join(b'xmlns:a%d="u:"' % n for n in range(13_000)) + b"/>",
        "entities_of_characters": b"<x/>" * 3_100,
    },
)
def too_complex(draft: Draft, content: Any) -> None:
    """More structure than an honest message has, in the part that nobody signed."""
    draft.after_writing(lambda xml: _extensions(xml, content))


@hostile("SAML-16", SAMLTooComplex)
def too_many_values(draft: Draft) -> None:
    """More values than an attribute may have."""
    attribute = draft.find("//saml:Attribute[@Name='groups']")
    attribute.extend(element("saml:AttributeValue", "g") for _ in range(1_000))


@hostile("SAML-16", SAMLTooComplex)
def too_many_attributes(draft: Draft) -> None:
    """More attributes than a person has."""
    draft.find("//saml:AttributeStatement").extend(element("saml:Attribute", Name=f"a{n}") for n in range(200))


@hostile("SAML-16", SAMLSignatureCount)
def hundreds_of_signatures(draft: Draft) -> None:
    """Each of them would have to be verified."""

    @draft.after_signing
    def add(root: Any) -> Any:
        signature = root.find("saml:Assertion/ds:Signature", NS)
        for _ in range(120):
            signature.addnext(deepcopy(signature))


# ── SAML-17: transport ───────────────────────────────────────────────────────────────────────────────────────


@hostile_table(
    "SAML-17",
    SAMLBase64,
    {
        "junk": lambda text: "!" + text,
        "junk_inside": lambda text: text[:100] + "*" + text[100:],
        "blank": lambda text: text[:100] + " " + text[100:],
        "url_safe": lambda text: text.replace("A", "-"),
        "padding_missing": lambda text: text.rstrip("=") + "A" * (5 - len(text.rstrip("=")) % 4),
        "padding_inside": lambda text: text[:100] + "====" + text[100:],
        "percent": lambda text: text + "%3D",
        "empty": lambda _: "",
        "not_ascii": lambda text: text + "é",
        "nul": lambda text: text + "\x00",
    },
)
def field(draft: Draft, change: Any) -> None:
    """A field that is not strict base64."""
    draft.after_encoding(change)


@hostile_table(
    "SAML-17",
    SAMLNotXML,
    {
        "text": lambda _: b"hello",
        "json": lambda _: b'{"sub": "admin"}',
        "html": lambda _: b"<p>hello<br></p>",
        "second_document": lambda xml: xml + xml,
        "cut": lambda xml: xml[:-20],
        "blank": lambda _: b"   ",
        "undeclared_prefix": lambda xml: xml.replace(b"xmlns:samlp=", b"xmlns:other="),
        "attribute_twice": lambda xml: xml.replace(b' ID="_assertion1"', b' ID="_assertion1" ID="_forged1"'),
        "control_character": lambda xml: xml.replace(b"alice", b"al\x01ice"),
        "deflated": lambda _: b"<" + b"hello",
    },
)
def document(draft: Draft, change: Any) -> None:
    """Not one well-formed document."""
    draft.after_writing(change)


@hostile("SAML-17", SAMLEncoding)
def deflated(draft: Draft) -> None:
    """Deflated, as on the redirect binding; a response comes by POST and is not inflated."""
    draft.after_encoding(lambda _: b64encode(zlib.compress(b"<x/>" * 100, wbits=-15)).decode())


# ── SAML-26: encryption ──────────────────────────────────────────────────────────────────────────────────────


@hostile("SAML-26", SAMLEncrypted)
def encrypted_attribute(draft: Draft) -> None:
    """An attribute that we cannot read may be one that forbids something."""
    draft.find("//saml:AttributeStatement").append(element("saml:EncryptedAttribute"))


@hostile("SAML-26", SAMLEncrypted)
def encrypted_name_id(draft: Draft) -> None:
    """A subject that we cannot read."""
    subject = draft.find("//saml:Subject")
    subject.replace(draft.find("//saml:NameID"), element("saml:EncryptedID"))
