"""Each form of a signature that is known, and the nearest one that is not."""

from itertools import product

import pytest
from lxml import etree

from bridge.attack.saml.messages import ENVELOPED, EXCLUSIVE, MORE, NS, Draft, SignatureOptions, make_key, sign_again
from bridge.errors import (
    IdentityError,
    SAMLAlgorithm,
    SAMLCanonicalization,
    SAMLSignatureForm,
    SAMLSignatureInvalid,
    SAMLSignatureReference,
    SAMLTransform,
)
from bridge.identity.saml.signature import check_detached, read_form, verify_enveloped
from tests.attacks.saml.logout_messages import sign_bytes

XENC = "http://www.w3.org/2001/04/xmlenc#"
DIGESTS = [f"{XENC}sha256", f"{MORE}sha384", f"{XENC}sha512"]
METHODS = {f"{MORE}{kind}-sha{bits}": kind for kind, bits in product(("rsa", "ecdsa"), (256, 384, 512))}


def signed(**options):
    return etree.fromstring(Draft(options=SignatureOptions(**options)).write()).find("saml:Assertion", NS)


def public(kind="rsa2048"):
    return make_key("idp", kind).public_key()


def spoiled(change, *, again=True, **options):
    """Return an assertion whose signature was changed, and its value computed anew."""
    assertion = signed(**options)
    signature = assertion.find("ds:Signature", NS)
    change(signature)
    if again:
        sign_again(signature, make_key("idp"), SignatureOptions(**options))
    return assertion


def refusal(assertion, *keys):
    with pytest.raises(IdentityError) as refused:
        verify_enveloped(assertion, keys or (public(),))
    return type(refused.value)


@pytest.mark.parametrize("digest", DIGESTS)
@pytest.mark.parametrize("method", METHODS)
def test_each_method_and_digest_verifies(method, digest):
    kind = "rsa2048" if METHODS[method] == "rsa" else "p256"
    assertion = signed(key=make_key("idp", kind), signature_method=method, digest_method=digest)
    assert verify_enveloped(assertion, [public(kind)]).get("ID") == "_assertion1"


@pytest.mark.parametrize("kind", ["p256", "p384", "p521"])
def test_each_curve_verifies(kind):
    assertion = signed(key=make_key("idp", kind), signature_method=f"{MORE}ecdsa-sha256")
    assert verify_enveloped(assertion, [public(kind)]) is not None


def test_another_curve_does_not():
    assertion = signed(key=make_key("idp", "k1"), signature_method=f"{MORE}ecdsa-sha256")
    assert refusal(assertion, public("k1")) is SAMLAlgorithm


@pytest.mark.parametrize("cut", [1, -1, 2])
def test_an_elliptic_value_of_another_length_is_refused(cut):
    key = make_key("idp", "p256")
    value = sign_bytes(b"x", key, f"{MORE}ecdsa-sha256")
    check_detached(f"{MORE}ecdsa-sha256", value, b"x", [public("p256")])
    zero_between = value[:32] + b"\0" + value[32:]  # the same two numbers, written otherwise
    for other in (value[:-cut] if cut > 0 else value + b"\0", zero_between, b"\0" + value, b""):
        with pytest.raises(SAMLSignatureInvalid):
            check_detached(f"{MORE}ecdsa-sha256", other, b"x", [public("p256")])


def test_the_prefixes_are_at_most_32():
    most = " ".join(f"p{number}" for number in range(32))
    assert verify_enveloped(signed(prefixes=most), [public()]) is not None
    assert refusal(signed(prefixes=f"{most} q")) is SAMLTransform
    assert refusal(signed(method_prefixes=f"{most} q")) is SAMLTransform


def test_the_default_namespace_in_a_list_of_prefixes_is_refused():
    form = signed(prefixes="xs").find("ds:Signature", NS)
    for prefixes in form.iter(f"{{{EXCLUSIVE}}}InclusiveNamespaces"):
        prefixes.set("PrefixList", "xs #default")
    with pytest.raises(SAMLTransform):
        read_form(form, "_assertion1")


def child(path, tag="{urn:x}y"):
    return lambda signature: etree.SubElement(signature.find(path, NS), tag)


def text(path):
    return lambda signature: setattr(signature.find(path, NS), "text", "x")


def tail(path):
    return lambda signature: setattr(signature.find(path, NS), "tail", "X")


def attribute(path, name="Id", value="_x"):
    return lambda signature: signature.find(path, NS).set(name, value)


def gone(path):
    def change(signature):
        element = signature.find(path, NS)
        element.getparent().remove(element)

    return change


def second(path):
    def change(signature):
        element = signature.find(path, NS)
        element.addnext(etree.fromstring(etree.tostring(element)))

    return change


def tagged(path, tag):
    return lambda signature: setattr(signature.find(path, NS), "tag", tag)


DS = f"{{{NS['ds']}}}"
INFO = "ds:SignedInfo"
REFERENCE = f"{INFO}/ds:Reference"
TRANSFORM = f"{REFERENCE}/ds:Transforms/ds:Transform"
FORMS = {
    "a child of SignatureMethod": (child(f"{INFO}/ds:SignatureMethod"), SAMLSignatureForm),
    "a child of DigestMethod": (child(f"{REFERENCE}/ds:DigestMethod"), SAMLSignatureForm),
    "a child of DigestValue": (child(f"{REFERENCE}/ds:DigestValue"), SAMLSignatureForm),
    "a child of the first transform": (child(TRANSFORM), SAMLTransform),
    "a child of CanonicalizationMethod": (child(f"{INFO}/ds:CanonicalizationMethod"), SAMLTransform),
    "a child of SignedInfo": (child(INFO), SAMLSignatureForm),
    "text in SignedInfo": (text(INFO), SAMLSignatureForm),
    "text behind SignatureMethod": (tail(f"{INFO}/ds:SignatureMethod"), SAMLSignatureForm),
    "text in Reference": (text(REFERENCE), SAMLSignatureForm),
    "an Id of SignatureMethod": (attribute(f"{INFO}/ds:SignatureMethod"), SAMLSignatureForm),
    "an Id of DigestMethod": (attribute(f"{REFERENCE}/ds:DigestMethod"), SAMLSignatureForm),
    "an Id of Reference": (attribute(REFERENCE), SAMLSignatureReference),
    "a Type of Reference": (attribute(REFERENCE, "Type", "urn:x"), SAMLSignatureReference),
    "an Id of CanonicalizationMethod": (attribute(f"{INFO}/ds:CanonicalizationMethod"), SAMLCanonicalization),
    "an Id of a transform": (attribute(TRANSFORM), SAMLTransform),
    "no CanonicalizationMethod": (gone(f"{INFO}/ds:CanonicalizationMethod"), SAMLSignatureForm),
    "no Transforms": (gone(f"{REFERENCE}/ds:Transforms"), SAMLSignatureForm),
    "two references": (second(REFERENCE), SAMLSignatureForm),
    "three transforms": (second(TRANSFORM), SAMLTransform),
    "one transform": (gone(TRANSFORM), SAMLTransform),
    "a transform of another name": (tagged(TRANSFORM, f"{DS}Other"), SAMLTransform),
    "a transform of another namespace": (tagged(TRANSFORM, "{urn:x}Transform"), SAMLTransform),
    "two KeyInfos": (second("ds:KeyInfo"), SAMLSignatureForm),
    "an Object": (lambda signature: etree.SubElement(signature, f"{DS}Object"), SAMLSignatureForm),
    "text behind KeyInfo": (tail("ds:KeyInfo"), SAMLSignatureForm),
    "text in Signature": (lambda signature: setattr(signature, "text", "x"), SAMLSignatureForm),
    "a digest that is no base64": (
        lambda signature: setattr(signature.find(f"{REFERENCE}/ds:DigestValue", NS), "text", "!"),
        SAMLSignatureForm,
    ),
    "an empty digest": (
        lambda signature: setattr(signature.find(f"{REFERENCE}/ds:DigestValue", NS), "text", None),
        SAMLSignatureInvalid,
    ),
    "another digest": (
        lambda signature: setattr(signature.find(f"{REFERENCE}/ds:DigestValue", NS), "text", "AAAA"),
        SAMLSignatureInvalid,
    ),
}


@pytest.mark.parametrize(("change", "error"), FORMS.values(), ids=FORMS)
def test_a_signature_of_another_form_is_refused_although_its_value_is_right(change, error):
    assert verify_enveloped(spoiled(lambda signature: None), [public()]) is not None
    assert refusal(spoiled(change)) is error


def test_a_child_of_the_value_is_refused():
    assert refusal(spoiled(child("ds:SignatureValue"), again=False)) is SAMLSignatureForm


def test_a_signature_without_key_info_is_of_the_form():
    assert verify_enveloped(signed(key_info=""), [public()]) is not None


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"digest_method": f"{NS['ds']}sha1"}, SAMLAlgorithm),
        ({"signature_method": f"{NS['ds']}rsa-sha1"}, SAMLAlgorithm),
        ({"digest_method": f"{MORE}sha224"}, SAMLAlgorithm),
        ({"canonicalization": "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"}, SAMLCanonicalization),
        ({"canonicalization": f"{EXCLUSIVE}WithComments"}, SAMLCanonicalization),
        ({"transforms": (EXCLUSIVE, ENVELOPED)}, SAMLTransform),
        ({"transforms": (ENVELOPED, f"{EXCLUSIVE}WithComments")}, SAMLTransform),
        ({"uri": "#_response1"}, SAMLSignatureReference),
        ({"uri": ""}, SAMLSignatureReference),
        ({"uri": "_assertion1"}, SAMLSignatureReference),
    ],
)
def test_another_algorithm_or_reference_is_refused(options, error):
    assert refusal(signed(**options)) is error


def test_an_element_without_an_id_cannot_be_meant():
    with pytest.raises(SAMLSignatureReference):
        read_form(signed(uri="#None").find("ds:Signature", NS), None)


@pytest.mark.parametrize(("before", "behind"), [(None, None), ("a", None), (None, "b"), ("a", "b")])
@pytest.mark.parametrize("first", [True, False])
def test_the_text_behind_a_signature_stays_where_it_is(first, before, behind):
    draft = Draft(signed="none")
    assertion = draft.assertion
    issuer = assertion.find("saml:Issuer", NS)
    if first:
        assertion.remove(issuer)
        assertion.text = f"{before or ''}{behind or ''}" or None
    else:
        issuer.tail = f"{before or ''}{behind or ''}" or None
    draft.signed = "assertion"

    def move_text(root):
        signature = root.find("saml:Assertion/ds:Signature", NS)
        signature.tail = behind
        previous = signature.getprevious()
        if previous is None:
            signature.getparent().text = before
        else:
            previous.tail = before

    draft.after_signing(move_text)
    found = verify_enveloped(etree.fromstring(draft.write()).find("saml:Assertion", NS), [public()])
    text = found.text if first else found.find("saml:Issuer", NS).tail
    assert (text or "") == f"{before or ''}{behind or ''}"


def test_a_detached_signature_of_an_unknown_method_is_refused():
    with pytest.raises(SAMLAlgorithm):
        check_detached(f"{NS['ds']}rsa-sha1", b"", b"", [public()])
    with pytest.raises(SAMLAlgorithm):
        check_detached(f"{MORE}rsa-sha256", b"", b"", [make_key("weak", "rsa1024").public_key()])
