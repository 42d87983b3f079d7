import pytest
from lxml import etree

from bridge.attack.saml.messages import MORE, NS, Draft, SignatureOptions, make_key
from bridge.errors import SAMLAlgorithm, SAMLCanonicalization, SAMLSignatureForm, SAMLSignatureInvalid
from bridge.identity.saml import signature as signatures
from bridge.identity.saml.signature import canonicalize, is_strong, list_methods, name_method, verify_enveloped


def signed(**options):
    root = etree.fromstring(Draft(options=SignatureOptions(**options)).write())
    return root.find("saml:Assertion", NS)


def public(name="idp", kind="rsa2048"):
    return make_key(name, kind).public_key()


def test_returned_element_is_a_new_one_without_signature():
    assertion = signed()

    verified = verify_enveloped(assertion, [public()])

    assert verified is not assertion
    assert verified.getparent() is None
    assert verified.find("ds:Signature", NS) is None
    assert canonicalize(verified, ()) == canonicalize(assertion, ())


def test_change_of_the_document_does_not_reach_the_returned_element():
    assertion = signed()

    verified = verify_enveloped(assertion, [public()])
    assertion.find("saml:Subject/saml:NameID", NS).text = "admin@example.com"

    assert verified.find("saml:Subject/saml:NameID", NS).text == "alice@example.com"


def test_text_around_the_signature_is_kept():
    draft = Draft(signed="none")
    draft.assertion[0].tail = " before "
    draft.assertion.remove(draft.assertion[0])
    draft.assertion.text = "first"
    draft.signed = "assertion"
    root = etree.fromstring(draft.write())

    assert verify_enveloped(root.find("saml:Assertion", NS), [public()]).text == "first"


def test_any_of_the_pinned_keys_may_have_signed():
    assert verify_enveloped(signed(), [public("next"), public("ec", "p256"), public()]) is not None


def test_no_signature_is_refused():
    with pytest.raises(SAMLSignatureForm):
        verify_enveloped(Draft().assertion, [public()])


def test_weak_key_among_the_pinned_ones_verifies_nothing():
    with pytest.raises(SAMLSignatureInvalid):
        verify_enveloped(signed(key=make_key("weak", "rsa1024")), [public("weak", "rsa1024"), public()])


def test_elliptic_key_is_not_tried_for_an_rsa_method():
    with pytest.raises(SAMLAlgorithm):
        verify_enveloped(signed(), [public("ec", "p256")])


def test_ecdsa_value_of_another_curve_is_refused():
    assertion = signed(key=make_key("ec", "p384"), signature_method=f"{MORE}ecdsa-sha256")

    with pytest.raises(SAMLSignatureInvalid):
        verify_enveloped(assertion, [public("ec", "p256")])


def test_element_without_canonical_form_is_refused():
    with pytest.raises(SAMLCanonicalization):
        canonicalize(etree.Element("{relative}a"), ())


@pytest.mark.parametrize(
    ("kind", "strong"),
    [
        *(("rsa1024", False), ("rsa2047", False), ("rsa2048", True)),
        *(("k1", False), ("p256", True), ("p384", True), ("p521", True)),
    ],
)
def test_strength(kind, strong):
    assert is_strong(public("any", kind)) is strong


def test_something_else_is_no_strong_key():
    assert not is_strong("key")


def test_a_checked_value_tells_whose_it_is():
    checked = []
    verify_enveloped(signed(), [public()], witness=checked.append)
    with pytest.raises(SAMLSignatureInvalid):
        verify_enveloped(signed(), [public("other")], witness=checked.append)
    assert [value.key for value in checked] == [public(), None]
    for value in checked:
        assert value.is_by([public("other"), public()]) is True
        assert value.is_by([public("other")]) is False
        assert value.is_by([public("other", "p256")]) is False
        assert value.is_by([]) is False


def test_comments_are_no_part_of_a_canonical_form():
    assert canonicalize(etree.fromstring("<a>b<!-- c -->d</a>"), ()) == b"<a>bd</a>"


def test_the_methods_of_a_signature_are_told_by_the_names_that_people_know():
    signature = signed().find("ds:Signature", NS)
    assert list_methods(signature) == ["rsa-sha256", "sha256"]
    signature.find("ds:SignedInfo/ds:SignatureMethod", NS).attrib.clear()
    signature.find("ds:SignedInfo/ds:Reference/ds:DigestMethod", NS).set("Algorithm", "urn:a#b#c")
    assert list_methods(signature) == ["", "c"]
    assert name_method("urn:x") == "urn:x"


def test_the_methods_that_are_accepted_are_known_by_the_same_names():
    methods = [f"{kind}-sha{bits}" for kind in ("rsa", "ecdsa") for bits in (256, 384, 512)]
    assert sorted(signatures.KNOWN_METHODS) == sorted(methods)
    assert [name_method(f"{MORE}{method}") for method in methods] == methods
    assert list_methods(signed().find("ds:Signature", NS))[0] in signatures.KNOWN_METHODS
