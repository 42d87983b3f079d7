"""What the products that companies run really send is accepted and read whole; a changed letter in it is not."""

import base64
import re
from collections import Counter

import pytest
import xmlsec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lxml import etree

from bridge.attack.saml.messages import make_key
from bridge.errors import ClaimNotSingle, SAMLAttributeTwice, SAMLSignatureInvalid, SAMLTooComplex
from bridge.identity.saml.response import verify_response
from bridge.identity.saml.statements import MAX_VALUES, read_attributes
from tests.attacks.saml.product_layouts import DS, LAYOUTS, PRODUCTS, SAML, keycloak

every_layout = pytest.mark.parametrize("build", LAYOUTS.values(), ids=LAYOUTS)


@every_layout
def test_the_layout_is_accepted_and_read_whole(build):
    layout = build()
    identity = verify_response(layout.encode(), layout.expected())
    assert (identity.issuer, identity.subject) == (layout.issuer, layout.subject)
    assert identity.claims == layout.claims
    assert identity.acr


@every_layout
def test_its_twin_with_one_changed_letter_is_refused(build):
    layout = build()
    document = layout.write()
    if layout.encryption is None:
        changed = document.replace(b"acme.example</", b"acme.exampla</", 1)
    else:
        content = max(re.findall(rb"CipherValue>([^<]+)<", document), key=len)
        flipped = bytearray(base64.b64decode(content))
        flipped[-1] ^= 1
        changed = document.replace(content, base64.b64encode(bytes(flipped)))
    assert changed != document
    with pytest.raises(SAMLSignatureInvalid):
        verify_response(base64.b64encode(changed).decode(), layout.expected())


@every_layout
def test_xmlsec_takes_the_same_signatures_for_good(build):
    layout = build()
    root = etree.fromstring(layout.write())
    xmlsec.tree.add_ids(root, ["ID"])
    signatures = [root.find(f"{{{DS}}}Signature"), root.find(f"{{{SAML}}}Assertion/{{{DS}}}Signature")]
    found = [signature for signature in signatures if signature is not None]
    assert found or layout.encryption
    pem = make_key("idp").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for signature in found:
        context = xmlsec.SignatureContext()
        context.key = xmlsec.Key.from_memory(pem, xmlsec.KeyFormat.PEM)
        context.verify(signature)


def test_each_product_has_at_least_five_layouts_and_all_at_least_forty():
    counts = Counter(next(product for product in PRODUCTS if name.startswith(product)) for name in LAYOUTS)
    assert set(counts) == set(PRODUCTS)
    assert min(counts.values()) >= 5
    assert counts.total() >= 40


def test_t_saml_23_an_attribute_that_comes_again_is_merged_only_where_the_settings_say_so():
    layout = keycloak(roles="one by one")
    with pytest.raises(SAMLAttributeTwice):
        verify_response(layout.encode(), layout.expected())
    layout = keycloak(roles="one by one", settings={"repeated_attributes": "merge", "single_valued": ["Role"]})
    with pytest.raises(ClaimNotSingle):
        verify_response(layout.encode(), layout.expected())


@pytest.mark.parametrize(("values", "error"), [(MAX_VALUES, None), (MAX_VALUES + 1, SAMLTooComplex)])
def test_t_saml_16_merging_does_not_lift_the_limit_on_values(values, error):
    statement = etree.Element(f"{{{SAML}}}Assertion")
    attributes = etree.SubElement(statement, f"{{{SAML}}}AttributeStatement")
    for number in range(values):
        attribute = etree.SubElement(attributes, f"{{{SAML}}}Attribute", Name="Role")
        etree.SubElement(attribute, f"{{{SAML}}}AttributeValue").text = str(number)
    if error is None:
        assert read_attributes(statement, merge=True) == {"Role": [str(number) for number in range(values)]}
        return
    with pytest.raises(error):
        read_attributes(statement, merge=True)
