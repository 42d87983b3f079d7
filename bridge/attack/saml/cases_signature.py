"""SAML-01 to SAML-08, SAML-11 and SAML-12: signatures that are missing, moved, borrowed, weak or of the wrong key."""

import base64
import hashlib
from copy import deepcopy
from typing import Any

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from lxml import etree

from bridge.attack.saml.corpus import hostile, hostile_table
from bridge.attack.saml.messages import (
    ENVELOPED,
    EXCLUSIVE,
    IDP,
    MORE,
    NS,
    Draft,
    SignatureOptions,
    certificate_base64,
    element,
    make_certificate,
    make_key,
    sign,
    sign_again,
)
from bridge.errors import (
    SAMLAlgorithm,
    SAMLAssertionCount,
    SAMLCanonicalization,
    SAMLCommentOrPI,
    SAMLId,
    SAMLSignatureCount,
    SAMLSignatureForm,
    SAMLSignatureInvalid,
    SAMLSignaturePlace,
    SAMLSignatureReference,
    SAMLTransform,
    SAMLUnsigned,
)

ASSERTION = f"{{{NS['saml']}}}Assertion"
SIGNATURE = f"{{{NS['ds']}}}Signature"


def forge(genuine: Any, identifier: str = "_forged1") -> Any:
    """Return a copy that names the administrator, without signatures."""
    forged = deepcopy(genuine)
    forged.set("ID", identifier)
    for inner in forged.iterdescendants(ASSERTION):
        inner.set("ID", f"{identifier}a")
    for signature in list(forged.iter(SIGNATURE)):
        signature.getparent().remove(signature)
    for name_id in forged.iter(f"{{{NS['saml']}}}NameID"):
        name_id.text = "admin@example.com"
    return forged


def put_object(signature: Any, content: Any) -> None:
    """Hide something in the ds:Object of a signature."""
    signature.append(element("ds:Object"))
    signature[-1].append(content)


def put_extensions(root: Any, *content: Any) -> None:
    """Hide something in the Extensions of a response."""
    extensions = element("samlp:Extensions")
    extensions.extend(content)
    root.find("samlp:Status", NS).addprevious(extensions)


def genuine_assertion(root: Any) -> Any:
    return root.find("saml:Assertion", NS)


def genuine_signature(root: Any) -> Any:
    return root.find("saml:Assertion/ds:Signature", NS)


# ── SAML-01: signature wrapping ──────────────────────────────────────────────────────────────────────────────


@hostile("SAML-01", SAMLAssertionCount, signed="response")
def xsw1(draft: Draft) -> None:
    """A forged response whose signature holds the genuine response. Somorovsky 2012, XSW1."""

    @draft.after_signing
    def wrap(root: Any) -> Any:
        forged, signature = forge(root), root.find("ds:Signature", NS)
        forged.insert(1, signature)
        put_object(signature, root)
        return forged


@hostile("SAML-01", SAMLAssertionCount, signed="response")
def xsw2(draft: Draft) -> None:
    """A forged response beside a detached signature and the genuine response. XSW2."""

    @draft.after_signing
    def wrap(root: Any) -> Any:
        forged, signature = forge(root), root.find("ds:Signature", NS)
        forged.insert(1, signature)
        forged.append(root)
        return forged


@hostile("SAML-01", SAMLAssertionCount)
def xsw3(draft: Draft) -> None:
    """A forged assertion before the genuine one, which a reader that takes the first would read. XSW3."""

    @draft.after_signing
    def wrap(root: Any) -> Any:
        genuine_assertion(root).addprevious(forge(genuine_assertion(root)))


@hostile("SAML-01", SAMLAssertionCount)
def xsw4(draft: Draft) -> None:
    """The genuine assertion as a child of the forged one. XSW4."""

    @draft.after_signing
    def wrap(root: Any) -> Any:
        genuine = genuine_assertion(root)
        forged = forge(genuine)
        genuine.addprevious(forged)
        forged.append(genuine)


@hostile("SAML-01", SAMLAssertionCount)
def xsw5(draft: Draft) -> None:
    """The signature stands in the forged assertion; the genuine one, stripped, is at the end. XSW5."""

    @draft.after_signing
    def wrap(root: Any) -> Any:
        genuine = genuine_assertion(root)
        forged = forge(genuine)
        forged.insert(1, genuine_signature(root))
        genuine.addprevious(forged)


@hostile("SAML-01", SAMLAssertionCount)
def xsw6(draft: Draft) -> None:
    """The signature stands in the forged assertion and holds the genuine one. XSW6."""

    @draft.after_signing
    def wrap(root: Any) -> Any:
        genuine, signature = genuine_assertion(root), genuine_signature(root)
        forged = forge(genuine)
        genuine.addprevious(forged)
        forged.insert(1, signature)
        put_object(signature, genuine)


@hostile("SAML-01", SAMLAssertionCount)
def xsw7(draft: Draft) -> None:
    """A forged assertion in Extensions, where the schema allows anything. XSW7."""

    @draft.after_signing
    def wrap(root: Any) -> Any:
        put_extensions(root, forge(genuine_assertion(root)))


@hostile("SAML-01", SAMLAssertionCount)
def xsw8(draft: Draft) -> None:
    """A forged assertion with the genuine signature, whose ds:Object holds the genuine assertion. XSW8."""

    @draft.after_signing
    def wrap(root: Any) -> Any:
        genuine, signature = genuine_assertion(root), genuine_signature(root)
        forged = forge(genuine)
        forged.insert(1, signature)
        root.replace(genuine, forged)
        put_object(signature, genuine)


@hostile_table(
    "SAML-01",
    SAMLAssertionCount,
    {
        "advice": "saml:Assertion/saml:Conditions",
        "keyinfo": "saml:Assertion/ds:Signature/ds:KeyInfo",
        "statusdetail": "samlp:Status",
        "subject": "saml:Assertion/saml:Subject",
        "nested": ".",
    },
)
def genuine_assertion_moved_to(draft: Draft, path: Any) -> None:
    """The genuine assertion is copied elsewhere and a forged one takes its place."""

    @draft.after_signing
    def wrap(root: Any) -> Any:
        holder = {"samlp:Status": "samlp:StatusDetail", ".": "samlp:Response"}.get(path, "saml:Advice")
        wrapper = element(holder)
        wrapper.append(deepcopy(genuine_assertion(root)))
        root.find(path, NS).append(wrapper)
        root.replace(genuine_assertion(root), _forged_with_signature(root))


def _forged_with_signature(root: Any) -> Any:
    forged = forge(genuine_assertion(root))
    forged.insert(1, deepcopy(genuine_signature(root)))
    return forged


@hostile("SAML-01", SAMLSignatureReference)
def forged_assertion_under_a_genuine_signature(draft: Draft) -> None:
    """One assertion only, forged, under a genuine signature that references an ID which is gone."""

    @draft.after_signing
    def wrap(root: Any) -> Any:
        root.replace(genuine_assertion(root), _forged_with_signature(root))


@hostile("SAML-01", SAMLSignatureReference)
def genuine_content_under_another_name(draft: Draft) -> None:
    """The genuine assertion is renamed and kept in Extensions; the signature in the forged one references it."""

    @draft.after_signing
    def wrap(root: Any) -> Any:
        genuine = genuine_assertion(root)
        root.replace(genuine, _forged_with_signature(root))
        genuine.tag = f"{{{NS['saml']}}}Evidence"
        genuine.remove(genuine.find("ds:Signature", NS))
        put_extensions(root, genuine)


@hostile_table(
    "SAML-01",
    SAMLSignaturePlace,
    {
        "subject": "saml:Assertion/saml:Subject",
        "status": "samlp:Status",
        "conditions": "saml:Assertion/saml:Conditions",
        "attributes": "saml:Assertion/saml:AttributeStatement",
    },
)
def signature_moved_to(draft: Draft, path: Any) -> None:
    """The signature stands deeper than in the element that it signs."""

    @draft.after_signing
    def move(root: Any) -> Any:
        root.find(path, NS).append(genuine_signature(root))


@hostile("SAML-01", SAMLSignaturePlace)
def signature_in_extensions(draft: Draft) -> None:
    """A detached signature in Extensions."""

    @draft.after_signing
    def move(root: Any) -> Any:
        put_extensions(root, genuine_signature(root))


@hostile("SAML-01", SAMLSignaturePlace)
def signature_at_the_end(draft: Draft) -> None:
    """The signature does not follow the issuer (SAML schema)."""

    @draft.after_signing
    def move(root: Any) -> Any:
        genuine_assertion(root).append(genuine_signature(root))


@hostile("SAML-01", SAMLSignaturePlace, signed="both")
def second_signature_hidden_beside_two_valid_ones(draft: Draft) -> None:
    """A third signature in a place where nothing verifies it."""

    @draft.after_signing
    def add(root: Any) -> Any:
        root.find("samlp:Status", NS).append(deepcopy(genuine_signature(root)))


# ── SAML-02: missing, partial, misdirected ───────────────────────────────────────────────────────────────────


@hostile("SAML-02", SAMLUnsigned)
def unsigned(draft: Draft) -> None:
    """No signature at all. CVE-2020-2021."""
    draft.signed = "none"


@hostile("SAML-02", SAMLUnsigned, signed="both")
def all_signatures_stripped(draft: Draft) -> None:
    """Both signatures are taken off."""
    draft.signed = "none"


@hostile_table(
    "SAML-02",
    SAMLUnsigned,
    {"assertion": "response", "response": "assertion"},
    signed="both",
    policy={"signed": "both"},
)
def stripped_although_both_are_required(draft: Draft, remaining: Any) -> None:
    """One of two required signatures is taken off; the other one is valid."""
    draft.signed = remaining


@hostile("SAML-02", SAMLUnsigned, policy={"signed": "assertion"})
def response_signed_although_the_assertion_must_be(draft: Draft) -> None:
    """The required kind of signature is not there."""
    draft.signed = "response"


@hostile("SAML-02", SAMLUnsigned, signed="response", policy={"signed": "response"})
def assertion_signed_although_the_response_must_be(draft: Draft) -> None:
    """The required kind of signature is not there."""
    draft.signed = "assertion"


@hostile_table(
    "SAML-02",
    SAMLSignatureForm,
    {
        "SignedInfo": "ds:SignedInfo",
        "SignatureValue": "ds:SignatureValue",
        "Reference": "ds:SignedInfo/ds:Reference",
        "CanonicalizationMethod": "ds:SignedInfo/ds:CanonicalizationMethod",
        "SignatureMethod": "ds:SignedInfo/ds:SignatureMethod",
        "Transforms": "ds:SignedInfo/ds:Reference/ds:Transforms",
        "DigestMethod": "ds:SignedInfo/ds:Reference/ds:DigestMethod",
        "DigestValue": "ds:SignedInfo/ds:Reference/ds:DigestValue",
    },
)
def signature_without(draft: Draft, path: Any) -> None:
    """A part of the signature is missing; CVE-2016-1000251 and relatives verified the rest."""

    @draft.after_signing
    def cut(root: Any) -> Any:
        part = genuine_signature(root).find(path, NS)
        part.getparent().remove(part)


@hostile("SAML-02", SAMLSignatureForm)
def emptied_signature(draft: Draft) -> None:
    """``<ds:Signature/>``: present, but it says nothing."""

    @draft.after_signing
    def empty(root: Any) -> Any:
        signature = genuine_signature(root)
        del signature[:]


@hostile("SAML-02", SAMLSignatureInvalid)
def emptied_signature_value(draft: Draft) -> None:
    """A SignatureValue of no bytes."""

    @draft.after_signing
    def empty(root: Any) -> Any:
        genuine_signature(root).find("ds:SignatureValue", NS).text = ""


@hostile("SAML-02", SAMLSignatureForm)
def signature_value_not_base64(draft: Draft) -> None:
    """Junk inside SignatureValue."""

    @draft.after_signing
    def spoil(root: Any) -> Any:
        genuine_signature(root).find("ds:SignatureValue", NS).text += "!"


@hostile("SAML-02", SAMLSignatureInvalid, signed="both")
def outer_signature_broken(draft: Draft) -> None:
    """Two signatures, of which the outer one is worthless: every signature that is there must be valid."""
    draft.response_options = SignatureOptions(key=make_key("attacker"))


@hostile("SAML-02", SAMLSignatureInvalid, signed="both")
def inner_signature_broken(draft: Draft) -> None:
    """Two signatures, of which the inner one is worthless, though the outer one covers the assertion."""
    draft.response_options = SignatureOptions()
    draft.options = SignatureOptions(key=make_key("attacker"))


@hostile_table(
    "SAML-02",
    SAMLSignatureReference,
    {
        "empty": "",
        "hash": "#",
        "response": "#_response1",
        "case": "#_Assertion1",
        "prefix": "#_assertion",
        "longer": "#_assertion11",
        "bare": "_assertion1",
        "blank": "# _assertion1",
        "xpointer_root": "#xpointer(/)",
        "xpointer_id": "#xpointer(id('_assertion1'))",
        "url": "https://attacker.example/assertion.xml",
        "file": "file:///etc/passwd",
    },
)
def reference_to(draft: Draft, uri: Any) -> None:
    """The reference is to something other than the element in which the signature stands (SAML Core 5.4.2)."""
    draft.options = SignatureOptions(uri=uri)


@hostile("SAML-02", SAMLSignatureReference)
def reference_without_uri(draft: Draft) -> None:
    """A Reference without URI leaves it to the application what is meant."""

    @draft.after_signing
    def cut(root: Any) -> Any:
        del genuine_signature(root).find("ds:SignedInfo/ds:Reference", NS).attrib["URI"]


@hostile("SAML-02", SAMLSignatureReference, signed="response")
def response_signature_over_the_assertion(draft: Draft) -> None:
    """The signature in the response covers the assertion only."""
    draft.options = SignatureOptions(uri="#_assertion1")


@hostile("SAML-02", SAMLSignatureForm)
def two_references(draft: Draft) -> None:
    """A second Reference: which of the two is the assertion's?"""

    @draft.after_signing
    def add(root: Any) -> Any:
        reference = genuine_signature(root).find("ds:SignedInfo/ds:Reference", NS)
        reference.addnext(deepcopy(reference))


@hostile("SAML-02", SAMLSignatureForm)
def manifest(draft: Draft) -> None:
    """A Manifest in ds:Object, whose own references nobody has to check (XML-DSig 5.1)."""

    @draft.after_signing
    def add(root: Any) -> Any:
        put_object(genuine_signature(root), element("ds:Manifest"))


@hostile("SAML-02", SAMLSignatureReference)
def reference_with_type(draft: Draft) -> None:
    """A Reference that says it is to a Manifest."""

    @draft.after_signing
    def add(root: Any) -> Any:
        reference = genuine_signature(root).find("ds:SignedInfo/ds:Reference", NS)
        reference.set("Type", f"{NS['ds']}Manifest")


# ── SAML-03: changed after signing ───────────────────────────────────────────────────────────────────────────

CHANGES = {
    "name_id": ("saml:Subject/saml:NameID", "admin@example.com"),
    "attribute": ("saml:AttributeStatement/saml:Attribute[@Name='groups']/saml:AttributeValue", "cloud-admins"),
    "audience": ("saml:Conditions/saml:AudienceRestriction/saml:Audience", "https://other.example.com"),
    "issuer": ("saml:Issuer", "https://other.example.com"),
}


@hostile_table("SAML-03", SAMLSignatureInvalid, CHANGES)
def changed_after_signing(draft: Draft, change: Any) -> None:
    """A text in the signed assertion is changed."""

    @draft.after_signing
    def tamper(root: Any) -> Any:
        genuine_assertion(root).find(change[0], NS).text = change[1]


@hostile_table("SAML-03", SAMLSignatureInvalid, CHANGES, signed="response")
def changed_after_the_response_was_signed(draft: Draft, change: Any) -> None:
    """A text in the assertion of a signed response is changed."""

    @draft.after_signing
    def tamper(root: Any) -> Any:
        genuine_assertion(root).find(change[0], NS).text = change[1]


@hostile("SAML-03", SAMLSignatureInvalid)
def value_added_after_signing(draft: Draft) -> None:
    """A group is added."""

    @draft.after_signing
    def tamper(root: Any) -> Any:
        groups = genuine_assertion(root).find("saml:AttributeStatement/saml:Attribute[@Name='groups']", NS)
        groups.append(element("saml:AttributeValue", "cloud-admins"))


@hostile("SAML-03", SAMLSignatureInvalid)
def validity_stretched_after_signing(draft: Draft) -> None:
    """The end is moved."""

    @draft.after_signing
    def tamper(root: Any) -> Any:
        genuine_assertion(root).find("saml:Conditions", NS).set("NotOnOrAfter", "2026-03-02T09:50:00Z")


@hostile("SAML-03", SAMLSignatureInvalid)
def text_added_behind_the_signature(draft: Draft) -> None:
    """Text right behind the signature is part of what is signed, though the signature is taken out."""

    @draft.after_signing
    def tamper(root: Any) -> Any:
        genuine_signature(root).tail = "\n\n"


@hostile("SAML-03", SAMLSignatureInvalid)
def digest_recomputed(draft: Draft) -> None:
    """The digest fits the changed content, the old SignatureValue does not fit the digest."""

    @draft.after_signing
    def tamper(root: Any) -> Any:
        assertion, signature = genuine_assertion(root), genuine_signature(root)
        assertion.find("saml:Subject/saml:NameID", NS).text = "admin@example.com"
        bare = deepcopy(assertion)
        bare.remove(bare.find("ds:Signature", NS))
        canonical = etree.tostring(bare, method="c14n", exclusive=True)
        digest = signature.find("ds:SignedInfo/ds:Reference/ds:DigestValue", NS)
        digest.text = base64.b64encode(hashlib.sha256(canonical).digest()).decode()


@hostile("SAML-03", SAMLSignatureInvalid)
def digest_shortened(draft: Draft) -> None:
    """The digest value is only the beginning of the right one, signed again by nobody's key."""

    @draft.after_signing
    def tamper(root: Any) -> Any:
        digest = genuine_signature(root).find("ds:SignedInfo/ds:Reference/ds:DigestValue", NS)
        digest.text = base64.b64encode(base64.b64decode(digest.text)[:16]).decode()


@hostile("SAML-03", SAMLSignatureInvalid)
def digest_of_something_else_signed_by_the_provider(draft: Draft) -> None:
    """The signature value is right, the digest in it is not that of the assertion (XML-DSig 3.2.1)."""

    @draft.after_signing
    def tamper(root: Any) -> Any:
        signature = genuine_signature(root)
        digest = signature.find("ds:SignedInfo/ds:Reference/ds:DigestValue", NS)
        digest.text = base64.b64encode(hashlib.sha256(b"something else").digest()).decode()
        sign_again(signature, make_key("idp"), SignatureOptions())


@hostile("SAML-03", SAMLSignatureInvalid, signed="response")
def assertion_added_to_a_signed_error(draft: Draft) -> None:
    """A genuinely signed error response, turned into success, gets an assertion."""
    genuine = deepcopy(draft.assertion)
    draft.root.remove(draft.assertion)

    @draft.after_signing
    def add(root: Any) -> Any:
        root.append(genuine)


# ── SAML-04: borrowed signatures ─────────────────────────────────────────────────────────────────────────────


def _signed_document(tag: str, identifier: str) -> Any:
    document = element(tag, ID=identifier)
    document.append(element("saml:Issuer", IDP))
    sign(document, SignatureOptions())
    return document


@hostile_table("SAML-04", SAMLSignatureForm, {"metadata": "saml:EntityDescriptor", "logout": "samlp:LogoutResponse"})
def signature_of_another_document_with_that_in_its_object(draft: Draft, tag: Any) -> None:
    """The provider's signature over its metadata, or a logout, that document in ds:Object. CVE-2024-6800, -9487."""
    draft.signed = "none"

    @draft.after_signing
    def borrow(root: Any) -> Any:
        document = _signed_document(tag, "_other1")
        signature = document.find("ds:Signature", NS)
        genuine_assertion(root).insert(1, signature)
        put_object(signature, document)


@hostile_table(
    "SAML-04", SAMLSignatureReference, {"metadata": "saml:EntityDescriptor", "error": "samlp:StatusResponse"}
)
def signature_of_another_document_in_extensions(draft: Draft, tag: Any) -> None:
    """The same, with the document in Extensions. "The Fragile Lock", 2025."""
    draft.signed = "none"

    @draft.after_signing
    def borrow(root: Any) -> Any:
        document = _signed_document(tag, "_other1")
        genuine_assertion(root).insert(1, document.find("ds:Signature", NS))
        put_extensions(root, document)


@hostile("SAML-04", SAMLId)
def signature_of_another_document_with_the_same_id(draft: Draft) -> None:
    """The same, and the forged assertion has the ID of the signed document."""
    draft.signed = "none"

    @draft.after_signing
    def borrow(root: Any) -> Any:
        document = _signed_document("saml:EntityDescriptor", "_assertion1")
        genuine_assertion(root).insert(1, document.find("ds:Signature", NS))
        put_extensions(root, document)


@hostile("SAML-04", SAMLSignatureInvalid)
def signature_of_an_earlier_assertion(draft: Draft) -> None:
    """A genuine signature over an earlier assertion, put into a forged one with the same ID."""
    draft.signed = "none"
    earlier = Draft(groups=("staff",))
    signature = sign(earlier.assertion, SignatureOptions())

    @draft.after_signing
    def borrow(root: Any) -> Any:
        genuine_assertion(root).insert(1, signature)


# ── SAML-05: transforms and canonicalization ─────────────────────────────────────────────────────────────────

INCLUSIVE_NAMESPACES = f"{{{EXCLUSIVE}}}InclusiveNamespaces"
XPATH = "http://www.w3.org/TR/1999/REC-xpath-19991116"
XSLT = "http://www.w3.org/TR/1999/REC-xslt-19991116"
INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"


@hostile_table(
    "SAML-05",
    SAMLTransform,
    {
        "none": (),
        "enveloped_only": (ENVELOPED,),
        "exclusive_only": (EXCLUSIVE,),
        "reversed": (EXCLUSIVE, ENVELOPED),
        "inclusive": (ENVELOPED, INCLUSIVE),
        "with_comments": (ENVELOPED, f"{EXCLUSIVE}WithComments"),
        "xpath": (ENVELOPED, XPATH),
        "xslt": (XSLT, EXCLUSIVE),
        "base64": (ENVELOPED, f"{NS['ds']}base64"),
        "three": (ENVELOPED, EXCLUSIVE, EXCLUSIVE),
        "unknown": (ENVELOPED, "urn:unknown"),
        "hundreds": (ENVELOPED, *[EXCLUSIVE] * 700),
    },
)
def transforms(draft: Draft, algorithms: Any) -> None:
    """Transforms other than enveloped signature and exclusive canonicalization (SAML Core 5.4.4)."""
    draft.options = SignatureOptions(transforms=algorithms)


@hostile("SAML-05", SAMLTransform)
def xpath_in_the_enveloped_transform(draft: Draft) -> None:
    """A program as a child of a transform that takes none."""

    @draft.after_signing
    def add(root: Any) -> Any:
        transform = genuine_signature(root).find("ds:SignedInfo/ds:Reference/ds:Transforms/ds:Transform", NS)
        transform.append(element("ds:XPath", "not(//saml:Attribute)"))


@hostile("SAML-05", SAMLTransform)
def xslt_in_the_exclusive_transform(draft: Draft) -> None:
    """A stylesheet as a child of the canonicalization. CVE-2022-47966."""

    @draft.after_signing
    def add(root: Any) -> Any:
        transform = genuine_signature(root).findall("ds:SignedInfo/ds:Reference/ds:Transforms/ds:Transform", NS)[1]
        transform.append(
            etree.fromstring('<s:stylesheet xmlns:s="http://www.w3.org/1999/XSL/Transform" version="1.0"/>')
        )


@hostile_table(
    "SAML-05", SAMLTransform, {"look_alike": ("{urn:x}InclusiveNamespaces",), "two": (INCLUSIVE_NAMESPACES,) * 2}
)
def children_of_the_exclusive_transform(draft: Draft, names: Any) -> None:
    """Something else than one InclusiveNamespaces."""

    @draft.after_signing
    def add(root: Any) -> Any:
        transform = genuine_signature(root).findall("ds:SignedInfo/ds:Reference/ds:Transforms/ds:Transform", NS)[1]
        transform.extend(etree.Element(name, PrefixList="xs") for name in names)


@hostile_table("SAML-05", SAMLTransform, {"default": "#default", "many": " ".join(f"p{n}" for n in range(100))})
def prefix_list(draft: Draft, prefixes: Any) -> None:
    """A PrefixList that is no honest one."""
    draft.options = SignatureOptions(prefixes=prefixes)


@hostile_table(
    "SAML-05",
    SAMLCanonicalization,
    {
        "inclusive": INCLUSIVE,
        "with_comments": f"{EXCLUSIVE}WithComments",
        "empty": "",
        "unknown": "urn:unknown",
        "c14n11": "http://www.w3.org/2006/12/xml-c14n11",
    },
)
def canonicalization_method(draft: Draft, algorithm: Any) -> None:
    """SignedInfo is not canonicalized exclusively."""
    draft.options = SignatureOptions(canonicalization=algorithm)


@hostile("SAML-05", SAMLCanonicalization)
def canonicalization_method_without_algorithm(draft: Draft) -> None:
    """No canonicalization method: some verifiers then hash nothing."""

    @draft.after_signing
    def cut(root: Any) -> Any:
        del genuine_signature(root).find("ds:SignedInfo/ds:CanonicalizationMethod", NS).attrib["Algorithm"]


@hostile_table("SAML-05", SAMLCanonicalization, {"relative": "relative", "long": "urn:" + "x" * 600})
def namespace(draft: Draft, uri: Any) -> None:
    """A namespace on which canonicalization fails, or grows. CVE-2025-66568."""

    @draft.after_signing
    def add(root: Any) -> Any:
        put_extensions(root, etree.Element(f"{{{uri}}}Anything"))


@hostile("SAML-05", SAMLCanonicalization)
def relative_namespace_of_an_attribute(draft: Draft) -> None:
    """The same, on an attribute."""

    @draft.after_signing
    def add(root: Any) -> Any:
        put_extensions(root, etree.Element("{urn:x}Anything", {"{relative}name": "value"}))


@hostile("SAML-05", SAMLCanonicalization)
def unused_relative_namespace_in_the_signed_part(draft: Draft) -> None:
    """A relative namespace that nothing uses makes the canonical form of the assertion fail."""
    draft.after_writing(lambda xml: xml.replace(b"<saml:Subject>", b'<saml:Subject xmlns:unused="relative">'))


# ── SAML-06: comments and duplicates inside the signature ────────────────────────────────────────────────────


@hostile_table(
    "SAML-06", SAMLCommentOrPI, {"before": b"%s<!--forged-->", "after": b"<!--forged-->%s", "pi": b"<?x?>%s"}
)
def comment_in_digest_value(draft: Draft, template: Any) -> None:
    """Two readers could see two digests. CVE-2025-29775."""

    def insert(xml: Any) -> Any:
        start = xml.index(b"<ds:DigestValue>") + len(b"<ds:DigestValue>")
        return xml[:start] + template.replace(b"%s", b"") + xml[start:]

    draft.after_writing(insert)


@hostile("SAML-06", SAMLCommentOrPI)
def comment_in_signed_info(draft: Draft) -> None:
    """A comment in SignedInfo."""
    draft.after_writing(lambda xml: xml.replace(b"<ds:SignedInfo>", b"<ds:SignedInfo><!-- -->"))


@hostile_table(
    "SAML-06",
    SAMLSignatureForm,
    {
        "SignedInfo": "ds:SignedInfo",
        "SignatureValue": "ds:SignatureValue",
        "KeyInfo": "ds:KeyInfo",
        "DigestValue": "ds:SignedInfo/ds:Reference/ds:DigestValue",
        "DigestMethod": "ds:SignedInfo/ds:Reference/ds:DigestMethod",
        "SignatureMethod": "ds:SignedInfo/ds:SignatureMethod",
    },
)
def twice(draft: Draft, path: Any) -> None:
    """A part of the signature stands twice: one is verified, the other read. CVE-2025-29774."""

    @draft.after_signing
    def add(root: Any) -> Any:
        part = genuine_signature(root).find(path, NS)
        part.addnext(deepcopy(part))


@hostile_table(
    "SAML-06",
    SAMLSignatureForm,
    {
        "DigestValue": "ds:SignedInfo/ds:Reference/ds:DigestValue",
        "SignatureValue": "ds:SignatureValue",
        "SignatureMethod": "ds:SignedInfo/ds:SignatureMethod",
        "DigestMethod": "ds:SignedInfo/ds:Reference/ds:DigestMethod",
    },
)
def child_in(draft: Draft, path: Any) -> None:
    """A child where there is none: a text in two pieces, or an HMAC of eight bits (CVE-2009-0217)."""

    @draft.after_signing
    def add(root: Any) -> Any:
        genuine_signature(root).find(path, NS).append(element("ds:HMACOutputLength", "8"))


@hostile_table("SAML-06", SAMLSignatureForm, {"SignedInfo": "ds:SignedInfo", "Reference": "ds:SignedInfo/ds:Reference"})
def text_in(draft: Draft, path: Any) -> None:
    """Text between the parts of the signature."""

    @draft.after_signing
    def add(root: Any) -> Any:
        genuine_signature(root).find(path, NS).text = "text"


@hostile("SAML-06", SAMLSignatureForm)
def text_behind_a_part(draft: Draft) -> None:
    """Text behind a part of the signature."""

    @draft.after_signing
    def add(root: Any) -> Any:
        genuine_signature(root).find("ds:SignatureValue", NS).tail = "text"


# ── SAML-07: smuggled digests ────────────────────────────────────────────────────────────────────────────────


@hostile_table("SAML-07", SAMLSignatureInvalid, {"statusdetail": "status", "extensions": "extensions"})
def digest_value_elsewhere(draft: Draft, place: Any) -> None:
    """The right digest of the forged content stands where a search finds it first. CVE-2024-45409, CVE-2025-66567."""

    @draft.after_signing
    def smuggle(root: Any) -> Any:
        assertion = genuine_assertion(root)
        assertion.find("saml:Subject/saml:NameID", NS).text = "admin@example.com"
        bare = deepcopy(assertion)
        bare.remove(bare.find("ds:Signature", NS))
        canonical = etree.tostring(bare, method="c14n", exclusive=True)
        digest = element("ds:DigestValue", base64.b64encode(hashlib.sha256(canonical).digest()).decode())
        if place == "extensions":
            put_extensions(root, digest)
        else:
            detail = element("samlp:StatusDetail")
            detail.append(digest)
            root.find("samlp:Status", NS).append(detail)


# ── SAML-08: several ─────────────────────────────────────────────────────────────────────────────────────────


@hostile("SAML-08", SAMLAssertionCount)
def two_signed_assertions(draft: Draft) -> None:
    """Two valid assertions: which of them is it? CVE-2022-41912."""

    @draft.after_signing
    def add(root: Any) -> Any:
        second = deepcopy(genuine_assertion(root))
        second.remove(second.find("ds:Signature", NS))
        second.set("ID", "_assertion2")
        sign(second, SignatureOptions())
        root.append(second)


@hostile("SAML-08", SAMLAssertionCount)
def second_assertion_encrypted(draft: Draft) -> None:
    """A second assertion that is encrypted."""

    @draft.after_signing
    def add(root: Any) -> Any:
        root.append(element("saml:EncryptedAssertion"))


@hostile("SAML-08", SAMLAssertionCount)
def no_assertion(draft: Draft) -> None:
    """Success without an assertion."""
    draft.signed = "response"
    draft.root.remove(draft.assertion)


@hostile("SAML-08", SAMLSignatureCount)
def two_signatures_in_one_element(draft: Draft) -> None:
    """More than one signature in one element, each valid."""

    @draft.after_signing
    def add(root: Any) -> Any:
        signature = genuine_signature(root)
        signature.addnext(deepcopy(signature))


# ── SAML-11: algorithms ──────────────────────────────────────────────────────────────────────────────────────


@hostile_table(
    "SAML-11",
    SAMLAlgorithm,
    {
        "rsa_sha1": f"{NS['ds']}rsa-sha1",
        "rsa_md5": f"{MORE}rsa-md5",
        "rsa_sha224": f"{MORE}rsa-sha224",
        "dsa_sha1": f"{NS['ds']}dsa-sha1",
        "none": "none",
        "empty": "",
        "case": f"{MORE}RSA-SHA256",
        "blank": f"{MORE}rsa-sha256 ",
    },
)
def signature_method(draft: Draft, algorithm: Any) -> None:
    """A signature method that is not allowed, under a valid value."""
    draft.options = SignatureOptions(signature_method=algorithm)


@hostile_table("SAML-11", SAMLAlgorithm, {"hmac_sha256": f"{MORE}hmac-sha256", "hmac_sha1": f"{NS['ds']}hmac-sha1"})
def hmac_with_the_public_certificate(draft: Draft, algorithm: Any) -> None:
    """A secret that everybody knows. GHSA-c27r-x354-4m68."""
    secret = certificate_base64(make_certificate("idp")).encode()
    draft.options = SignatureOptions(key=secret, signature_method=algorithm)


@hostile_table(
    "SAML-11",
    SAMLAlgorithm,
    {"sha1": f"{NS['ds']}sha1", "md5": f"{MORE}md5", "sha224": f"{MORE}sha224", "none": "none", "empty": ""},
)
def digest_method(draft: Draft, algorithm: Any) -> None:
    """A digest that is not allowed."""
    draft.options = SignatureOptions(digest_method=algorithm)


@hostile("SAML-11", SAMLAlgorithm, signed="both")
def sha1_in_one_of_two_signatures(draft: Draft) -> None:
    """A strong signature beside a weak one."""
    draft.response_options = SignatureOptions(signature_method=f"{NS['ds']}rsa-sha1")


@hostile_table("SAML-11", SAMLAlgorithm, {"rsa1024": "rsa1024", "secp256k1": "k1"})
def weak_key(draft: Draft, kind: Any) -> None:
    """A pinned key that is too weak, or on a curve that is not allowed."""
    method = f"{MORE}ecdsa-sha256" if kind == "k1" else f"{MORE}rsa-sha256"
    draft.options = SignatureOptions(key=make_key("weak", kind), signature_method=method)
    draft.expect(keys=(make_key("weak", kind).public_key(),))


@hostile("SAML-11", SAMLAlgorithm)
def method_of_another_kind_of_key(draft: Draft) -> None:
    """An RSA signature called ECDSA. CVE-2021-21239 and relatives took any type of key."""
    draft.options = SignatureOptions(signature_method=f"{MORE}ecdsa-sha256")


@hostile_table(
    "SAML-11", SAMLSignatureInvalid, {"zero": bytes(64), "short": bytes(63), "empty": b"", "long": bytes(66)}
)
def ecdsa_value(draft: Draft, value: Any) -> None:
    """All-zero and wrongly sized ECDSA signatures. CVE-2022-21449."""
    draft.expect(keys=(make_key("ec", "p256").public_key(),))
    draft.options = SignatureOptions(key=make_key("ec", "p256"), signature_method=f"{MORE}ecdsa-sha256")

    @draft.after_signing
    def spoil(root: Any) -> Any:
        genuine_signature(root).find("ds:SignatureValue", NS).text = base64.b64encode(value).decode()


@hostile("SAML-11", SAMLSignatureInvalid)
def ecdsa_value_with_a_zero_between_its_numbers(draft: Draft) -> None:
    """The same two numbers in another length: a second value for one signature."""
    draft.expect(keys=(make_key("ec", "p256").public_key(),))
    draft.options = SignatureOptions(key=make_key("ec", "p256"), signature_method=f"{MORE}ecdsa-sha256")

    @draft.after_signing
    def lengthen(root: Any) -> Any:
        signature_value = genuine_signature(root).find("ds:SignatureValue", NS)
        value = base64.b64decode(signature_value.text)
        signature_value.text = base64.b64encode(value[:32] + b"\0" + value[32:]).decode()


def as_der(value: Any) -> Any:
    half = len(value) // 2
    return encode_dss_signature(int.from_bytes(value[:half], "big"), int.from_bytes(value[half:], "big"))


@hostile_table(
    "SAML-11",
    SAMLSignatureInvalid,
    {
        "der": as_der,
        "all_ones": lambda value: b"\xff" * len(value),
        "first_number_zero": lambda value: bytes(32) + value[32:],
        "second_number_zero": lambda value: value[:32] + bytes(32),
        "numbers_exchanged": lambda value: value[32:] + value[:32],
        "flipped": lambda value: value[:-1] + bytes([value[-1] ^ 1]),
    },
)
def ecdsa_value_changed_to(draft: Draft, change: Any) -> None:
    """A genuine ECDSA signature in OpenSSL's form, out of range, or with another number in it. RFC 6931 2.3.6."""
    draft.expect(keys=(make_key("ec", "p256").public_key(),))
    draft.options = SignatureOptions(key=make_key("ec", "p256"), signature_method=f"{MORE}ecdsa-sha256")

    @draft.after_signing
    def spoil(root: Any) -> Any:
        signature_value = genuine_signature(root).find("ds:SignatureValue", NS)
        signature_value.text = base64.b64encode(change(base64.b64decode(signature_value.text))).decode()


@hostile_table("SAML-11", SAMLAlgorithm, {"sha1": f"{MORE}ecdsa-sha1", "sha224": f"{MORE}ecdsa-sha224"})
def ecdsa_over_a_weak_digest(draft: Draft, method: Any) -> None:
    """A strong key does not make a weak digest strong."""
    draft.expect(keys=(make_key("ec", "p256").public_key(),))
    draft.options = SignatureOptions(key=make_key("ec", "p256"), signature_method=method)


@hostile_table("SAML-12", SAMLSignatureInvalid, {"same_curve": "p256", "other_curve": "p384", "largest": "p521"})
def ecdsa_key_of_the_attacker(draft: Draft, curve: Any) -> None:
    """The attacker's key on the provider's curve, or on another one; the provider pins one on P-256."""
    draft.expect(keys=(make_key("ec", "p256").public_key(),))
    draft.options = SignatureOptions(key=make_key("attacker", curve), signature_method=f"{MORE}ecdsa-sha256")


# ── SAML-12: KeyInfo and wrong keys ──────────────────────────────────────────────────────────────────────────


@hostile_table(
    "SAML-12",
    SAMLSignatureInvalid,
    {
        "certificate": None,
        "key_name": "<ds:KeyName>idp</ds:KeyName>",
        "retrieval": '<ds:RetrievalMethod URI="https://attacker.example/key"/>',
        "key_value": "<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>AQAB</ds:Modulus><ds:Exponent>AQAB</ds:Exponent>"
        "</ds:RSAKeyValue></ds:KeyValue>",
        "none": "",
    },
)
def key_of_the_attacker_with(draft: Draft, key_info: Any) -> None:
    """Whatever KeyInfo says, it says it about itself. The attacker's certificate has the provider's subject."""
    draft.options = SignatureOptions(
        key=make_key("attacker"), certificate=make_certificate("attacker"), key_info=key_info
    )


@hostile("SAML-12", SAMLSignatureInvalid)
def key_of_the_attacker_beside_the_certificate_of_the_provider(draft: Draft) -> None:
    """Two certificates, one of them the right one."""
    both = "".join(
        f"<ds:X509Data><ds:X509Certificate>{certificate_base64(make_certificate(name))}</ds:X509Certificate></ds:X509Data>"
        for name in ("idp", "attacker")
    )
    draft.options = SignatureOptions(key=make_key("attacker"), key_info=both)


@hostile("SAML-12", SAMLSignatureInvalid)
def key_of_another_provider(draft: Draft) -> None:
    """A provider that is trusted too, but not for this issuer. CVE-2018-7644."""
    draft.options = SignatureOptions(key=make_key("other idp"))


@hostile("SAML-12", SAMLAlgorithm)
def no_keys_pinned(draft: Draft) -> None:
    """No key at all verifies nothing."""
    draft.expect(keys=())
