"""SAML-29: metadata as somebody between us and the provider, or a careless federation, would send it."""

from copy import deepcopy

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from bridge.attack.saml.messages import (
    EXCLUSIVE,
    IDP,
    MORE,
    NOW,
    NS,
    SignatureOptions,
    at,
    build_idp_metadata,
    certificate_base64,
    make_certificate,
    make_key,
    make_provider,
    sign,
)
from bridge.errors import FetchTooLarge, SAMLMetadata
from bridge.identity.saml.metadata import parse_idp_metadata, read_metadata_signer
from bridge.identity.saml.metadata_cache import MetadataCache
from bridge.identity.saml.metadata_source import find_source
from bridge.settings import check_configuration
from tests.unit.configurations import SAML, write_configuration

FEDERATION = "federation"
SIGNER = "metadata_signing_certificate"


def signer():
    return make_key(FEDERATION).public_key()


def options(name=FEDERATION, kind="rsa2048", **changes):
    return SignatureOptions(key=make_key(name, kind), certificate=make_certificate(name, kind), **changes)


def draft(xml=None, **attributes):
    root = etree.fromstring(xml or build_idp_metadata())
    root.set("ID", "_metadata1")
    for name, value in attributes.items():
        root.set(name, value)
    return root


def group(*entities):
    root = etree.Element(f"{{{NS['md']}}}EntitiesDescriptor", nsmap={"md": NS["md"]}, ID="_group1")
    root.extend([deepcopy(entity) for entity in entities])
    return root


def signed(root, signature=None):
    sign(root, signature or options())
    return root


def parse(root, key=None):
    xml = root if isinstance(root, bytes) else etree.tostring(root)
    return parse_idp_metadata(xml, IDP, NOW, key or signer())


def refusal(root, key=None):
    with pytest.raises(SAMLMetadata) as caught:
        parse(root, key)
    assert caught.value.code == "saml_metadata"
    return caught.value.detail


# ── Accepted ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "build",
    [
        lambda: signed(draft()),
        lambda: signed(group(draft())),
        lambda: signed(group(draft(build_idp_metadata(entity_id="https://other.example.com")), draft(ID="_m2"))),
        lambda: signed(draft(), options(prefixes="md ds")),
        lambda: signed(draft(), options(signature_method=f"{MORE}rsa-sha512")),
        lambda: signed(draft(), options(key_info="")),
        lambda: signed(draft(validUntil=at(60), cacheDuration="PT1H")),
        lambda: b"<!-- made by hand -->" + etree.tostring(signed(draft())),
        lambda: etree.tostring(signed(draft())).replace(b"<md:IDPSSO", b"<!-- harmless --><md:IDPSSO"),
    ],
    ids=["entity", "group", "one of a group", "prefixes", "sha512", "no KeyInfo", "times", "comment", "inner comment"],
)
def test_t_saml_29_metadata_that_the_configured_key_signed_is_accepted(build):
    assert parse(build()).keys_at(NOW) == (make_key("idp").public_key(),)


def test_t_saml_29_an_elliptic_key_signs_as_well():
    root = signed(draft(), options("curve", "p256", signature_method=f"{MORE}ecdsa-sha256"))
    assert parse(root, make_key("curve", "p256").public_key()).keys_at(NOW)


def test_t_saml_29_without_a_configured_key_a_signature_does_not_count():
    root = signed(draft(), options("stranger"))
    assert parse_idp_metadata(etree.tostring(root), IDP, NOW).keys_at(NOW)


def test_t_saml_29_a_large_federation_is_accepted():
    others = [
        draft(build_idp_metadata(entity_id=f"https://{number}.example"), ID=f"_e{number}") for number in range(900)
    ]
    root = signed(group(*others, draft()))
    assert 1_000_000 < len(etree.tostring(root)) < 4_000_000
    assert parse(root).entity_id == IDP


# ── Refused: the signature ───────────────────────────────────────────────────────────────────────────────────


def unsigned_group_with_signed_entity():
    return group(signed(draft()))


def changed_key():
    root = signed(draft())
    place = root.find(".//md:KeyDescriptor//ds:X509Certificate", NS)
    place.text = certificate_base64(make_certificate("attacker"))
    return root


def changed_address():
    root = signed(draft())
    root.find(".//md:SingleSignOnService", NS).set("Location", "https://evil.example/")
    return root


def added_key():
    root = signed(draft())
    role = root.find("md:IDPSSODescriptor", NS)
    role.insert(0, draft(build_idp_metadata(make_certificate("attacker"))).find(".//md:KeyDescriptor", NS))
    return root


def wrapped():
    """The signed entity is in an extension of a forged one, which refers to it."""
    genuine = signed(draft())
    forged = draft(build_idp_metadata(make_certificate("attacker")), ID="_forged")
    signature = genuine.find("ds:Signature", NS)
    forged.insert(0, deepcopy(signature))
    extension = etree.SubElement(forged, f"{{{NS['md']}}}Extensions")
    extension.append(genuine)
    return forged


def wrapped_under_the_same_id():
    root = wrapped()
    root.set("ID", "_metadata1")
    return root


def signature_deeper():
    root = signed(draft())
    root.find("md:IDPSSODescriptor", NS).append(root.find("ds:Signature", NS))
    return root


def longer_valid_until():
    root = signed(draft(validUntil=at(60)))
    root.set("validUntil", at(10_000_000))
    return root


def entity_added_to_a_signed_group():
    root = signed(group(draft(build_idp_metadata(entity_id="https://other.example.com"))))
    root.append(draft(build_idp_metadata(make_certificate("attacker")), ID="_m2"))
    return root


HOSTILE_SIGNATURES = {
    "none": (draft, "not signed"),
    "stranger's key": (lambda: signed(draft(), options("stranger")), "saml_signature_invalid"),
    "the provider's own message key": (lambda: signed(draft(), options("idp")), "saml_signature_invalid"),
    "stranger's key, our certificate in KeyInfo": (
        lambda: signed(draft(), SignatureOptions(key=make_key("stranger"), certificate=make_certificate(FEDERATION))),
        "saml_signature_invalid",
    ),
    "key of another kind": (
        lambda: signed(draft(), options("curve", "p256", signature_method=f"{MORE}ecdsa-sha256")),
        "saml_algorithm",
    ),
    "sha1": (
        lambda: signed(draft(), options(signature_method="http://www.w3.org/2000/09/xmldsig#rsa-sha1")),
        "saml_algorithm",
    ),
    "hmac": (
        lambda: signed(draft(), SignatureOptions(key=b"public", signature_method=f"{MORE}hmac-sha256")),
        "saml_algorithm",
    ),
    "whole document by an empty URI": (lambda: signed(draft(), options(uri="")), "saml_signature_reference"),
    "another element": (lambda: signed(draft(), options(uri="#_other")), "saml_signature_reference"),
    "no ID": (lambda: signed(etree.fromstring(build_idp_metadata())), "saml_signature_reference"),
    "one transform": (lambda: signed(draft(), options(transforms=(EXCLUSIVE,))), "saml_transform"),
    "XSLT": (
        lambda: signed(draft(), options(transforms=("http://www.w3.org/TR/1999/REC-xslt-19991116", EXCLUSIVE))),
        "saml_transform",
    ),
    "entity signed, group not": (unsigned_group_with_signed_entity, "not signed"),
    "key exchanged": (changed_key, "saml_signature_invalid"),
    "key added": (added_key, "saml_signature_invalid"),
    "address exchanged": (changed_address, "saml_signature_invalid"),
    "validUntil prolonged": (longer_valid_until, "saml_signature_invalid"),
    "entity added": (entity_added_to_a_signed_group, "saml_signature_invalid"),
    "wrapped": (wrapped, "saml_signature_reference"),
    "wrapped, same ID": (wrapped_under_the_same_id, "saml_signature_invalid"),
    "deeper": (signature_deeper, "not signed"),
}


@pytest.mark.parametrize(("build", "word"), HOSTILE_SIGNATURES.values(), ids=HOSTILE_SIGNATURES)
def test_t_saml_29_metadata_without_a_good_signature_of_the_configured_key_is_refused(build, word):
    assert word in refusal(build())


# ── Refused: the content, signed or not ──────────────────────────────────────────────────────────────────────

HOSTILE_CONTENT = {
    "other entity": (build_idp_metadata(entity_id="https://evil.example.com"), "0 entities"),
    "script as address": (build_idp_metadata(sso="javascript:alert(1)"), "not https"),
    "data as address": (build_idp_metadata(sso="data:text/html,x"), "not https"),
    "plain address": (build_idp_metadata(sso="http://idp.example.com/sso"), "not https"),
    "only encryption keys": (build_idp_metadata().replace(b'"signing"', b'"encryption"'), "no signing certificate"),
    "no longer valid": (
        build_idp_metadata().replace(b"<md:EntityDescriptor ", f'<md:EntityDescriptor validUntil="{at(-1)}" '.encode()),
        "valid until",
    ),
    "weak key": (build_idp_metadata(make_certificate("weak", "rsa1024")), "2048"),
}


@pytest.mark.parametrize(("xml", "word"), HOSTILE_CONTENT.values(), ids=HOSTILE_CONTENT)
@pytest.mark.parametrize("is_signed", [True, False], ids=["signed", "unsigned"])
def test_t_saml_29_bad_content_is_refused_even_where_the_right_key_signed_it(xml, word, is_signed):
    if is_signed:
        assert word in refusal(signed(draft(xml)))
    else:
        with pytest.raises(SAMLMetadata) as caught:
            parse_idp_metadata(xml, IDP, NOW)
        assert word in caught.value.detail


@pytest.mark.parametrize(
    ("start", "code"),
    [
        (b"<!DOCTYPE md:EntityDescriptor>", "markup declaration"),
        (b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>', "markup declaration"),
        (b'<?xml version="1.0" encoding="UTF-16"?>', "XML declaration"),
    ],
)
def test_t_saml_29_a_doctype_is_refused_before_the_signature_is_looked_at(start, code):
    genuine = etree.tostring(signed(draft()))
    assert parse(genuine)
    assert code in refusal(start + genuine)


def test_t_saml_29_ten_megabytes_are_refused_without_being_parsed():
    xml = etree.tostring(signed(draft()))
    assert "bytes" in refusal(xml + b" " * (10_000_000 - len(xml)))
    assert parse(xml + b" " * 1_000_000)


def test_t_saml_29_thousands_of_keys_are_refused():
    assert "signing keys" in refusal(signed(draft(build_idp_metadata(*[make_certificate("idp")] * 1_000))))


def test_t_saml_29_a_key_without_use_signs_and_its_twin_for_encryption_does_not():
    plain = build_idp_metadata()
    assert parse(signed(draft(plain.replace(b' use="signing"', b"")))).keys_at(NOW)
    assert refusal(signed(draft(plain.replace(b"signing", b"encryption"))))


# ── Living with it ───────────────────────────────────────────────────────────────────────────────────────────


def test_t_saml_29_poisoned_metadata_leaves_the_last_good_copy_in_force(tmp_path):
    documents = [etree.tostring(signed(draft()))]
    path = tmp_path / "federation.pem"
    path.write_bytes(make_certificate(FEDERATION).public_bytes(Encoding.PEM))
    cache = MetadataCache(make_provider(**{SIGNER: path}), lambda: documents[-1])
    cache.refresh(NOW)
    for build, _ in HOSTILE_SIGNATURES.values():
        documents.append(etree.tostring(build()))
        cache.refresh(NOW)
        assert cache.load(NOW).keys_at(NOW) == (make_key("idp").public_key(),)
    documents.append(etree.tostring(signed(draft(build_idp_metadata(make_certificate("next"))))))
    cache.refresh(NOW)
    assert cache.load(NOW).keys_at(NOW) == (make_key("next").public_key(),)


def test_t_saml_29_the_pinned_key_is_read_from_its_file_and_its_dates_do_not_matter(tmp_path):
    path = tmp_path / "federation.pem"
    path.write_bytes(make_certificate(FEDERATION, days=1).public_bytes(Encoding.PEM))
    assert read_metadata_signer(path) == signer()
    for content in (b"", b"nothing", make_certificate("weak", "rsa1024").public_bytes(Encoding.PEM)):
        path.write_bytes(content)
        with pytest.raises(SAMLMetadata):
            read_metadata_signer(path)
    with pytest.raises(SAMLMetadata):
        read_metadata_signer(tmp_path / "absent.pem")


def test_t_saml_29_a_pinned_certificate_that_is_none_is_found_by_check(tmp_path):
    files = {"providers/acme-saml.yaml": f"{SAML}{SIGNER}: federation.pem\n"}
    folder = write_configuration(tmp_path, files)
    (problem,) = check_configuration(folder)
    assert (problem.file.name, problem.line) == ("acme-saml.yaml", 6)
    pem = make_certificate(FEDERATION).public_bytes(Encoding.PEM)
    (folder / "providers" / "federation.pem").write_bytes(pem)
    assert check_configuration(folder) == []


def test_t_saml_29_an_answer_that_is_too_long_is_bad_metadata(monkeypatch):

    class Endless:
        def get(self, url, limits):
            assert limits.max_bytes < 10_000_000
            raise FetchTooLarge(url)

    with pytest.raises(SAMLMetadata):
        find_source("https://idp.example.com/metadata", Endless())()
