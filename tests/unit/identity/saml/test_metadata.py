import base64
import re
import ssl
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from bridge.attack.saml.messages import IDP, NOW, at, build_idp_metadata, certificate_base64, make_certificate, make_key
from bridge.errors import SAMLMetadata
from bridge.identity.saml.metadata import parse_idp_metadata, read_certificate_file

RSA_ENCRYPTION = bytes.fromhex("06092a864886f70d010101")
"""1.2.840.113549.1.1.1, as it stands in a certificate."""


def parse(xml, now=NOW):
    return parse_idp_metadata(xml, IDP, now)


def refusal(xml, now=NOW):
    with pytest.raises(SAMLMetadata) as caught:
        parse(xml, now)
    return caught.value.detail


def test_addresses_and_keys_are_read():
    metadata = parse(build_idp_metadata())

    assert metadata.entity_id == IDP
    assert metadata.sso_redirect_url == "https://idp.example.com/sso"
    assert metadata.sso_post_url == "https://idp.example.com/sso"
    assert metadata.keys_at(NOW) == (make_key("idp").public_key(),)
    assert len(metadata.certificates[0].thumbprint) == 64
    assert metadata.valid_until is None


def test_several_keys_are_read_for_a_rollover():
    metadata = parse(build_idp_metadata(make_certificate("idp"), make_certificate("ec", "p256")))

    assert len(metadata.keys_at(NOW)) == 2


@pytest.mark.parametrize("fold", ["\n", "\n      ", "\r\n\t"])
def test_folded_certificate_is_read(fold):
    text = certificate_base64(make_certificate("idp"))
    folded = fold + fold.join(text[start : start + 64] for start in range(0, len(text), 64)) + fold

    assert parse(build_idp_metadata().replace(text.encode(), folded.encode())).keys_at(NOW)


def test_key_without_use_is_a_signing_key():
    assert parse(build_idp_metadata().replace(b' use="signing"', b"")).keys_at(NOW)


def test_encryption_key_is_none():
    assert "no signing certificate" in refusal(build_idp_metadata().replace(b'use="signing"', b'use="encryption"'))


OTHER_ROLES = """<md:SPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
 <md:KeyDescriptor use="signing"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate>
 </ds:X509Data></ds:KeyInfo></md:KeyDescriptor>
 <md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://x.example"/>
</md:SPSSODescriptor>"""


def test_keys_of_other_roles_are_not_the_providers():
    role = OTHER_ROLES.format(certificate=certificate_base64(make_certificate("other")))

    metadata = parse(build_idp_metadata(role=role))

    assert metadata.keys_at(NOW) == (make_key("idp").public_key(),)
    assert metadata.sso_post_url == "https://idp.example.com/sso"


def group(*entities, attributes=""):
    md = 'xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata"'
    return f"<md:EntitiesDescriptor {md} {attributes}>".encode() + b"".join(entities) + b"</md:EntitiesDescriptor>"


def test_entity_is_found_in_nested_groups():
    other = build_idp_metadata(make_certificate("other"), entity_id="https://other.example.com")

    assert parse(group(other, group(build_idp_metadata()))).keys_at(NOW) == (make_key("idp").public_key(),)


@pytest.mark.parametrize("entity_id", ["https://other.example.com", f"{IDP}/", IDP.upper(), f" {IDP}", ""])
def test_other_entity_is_refused(entity_id):
    assert "0 entities" in refusal(build_idp_metadata(entity_id=entity_id))


def test_entity_that_stands_twice_is_refused():
    assert "2 entities" in refusal(group(build_idp_metadata(), build_idp_metadata(make_certificate("other"))))


def test_entity_hidden_in_another_document_is_refused():
    assert "1 entities" in refusal(b"<x>" + build_idp_metadata() + b"</x>")


def test_certificates_that_expired_are_left_out():
    old = make_certificate("old", days=1)

    assert parse(build_idp_metadata(old, make_certificate("idp"))).keys_at(NOW) == (make_key("idp").public_key(),)
    assert "no signing certificate is valid now" in refusal(build_idp_metadata(old))


def test_certificate_that_is_not_valid_yet_is_left_out():
    later = make_certificate("later", not_before=NOW + timedelta(days=1))

    assert "no signing certificate is valid now" in refusal(build_idp_metadata(later))
    metadata = parse(build_idp_metadata(later, make_certificate("idp")))
    assert len(metadata.keys_at(NOW)) == 1
    assert len(metadata.keys_at(NOW + timedelta(days=2))) == 2


def test_certificate_that_expires_after_loading_verifies_nothing():
    metadata = parse(build_idp_metadata())

    with pytest.raises(SAMLMetadata):
        metadata.keys_at(NOW + timedelta(days=1000))


@pytest.mark.parametrize("place", [b"<md:EntityDescriptor ", b"<md:IDPSSODescriptor "])
def test_valid_until_is_honoured(place):
    def ending(end):
        return build_idp_metadata().replace(place, place + f'validUntil="{end}" '.encode())

    metadata = parse(ending(at(60)))

    assert metadata.valid_until == NOW + timedelta(seconds=60)
    assert "valid until" in refusal(ending(at(0)))
    assert "not written in UTC" in refusal(ending("tomorrow"))
    with pytest.raises(SAMLMetadata):
        metadata.keys_at(NOW + timedelta(seconds=60))


def test_valid_until_of_the_group_is_honoured():
    assert "valid until" in refusal(group(build_idp_metadata(), attributes=f'validUntil="{at(-1)}"'))


@pytest.mark.parametrize(("of_group", "of_entity"), [(60, 120), (120, 60)])
def test_of_several_ends_the_first_counts(of_group, of_entity):
    start = b"<md:EntityDescriptor "
    entity = build_idp_metadata().replace(start, start + f'validUntil="{at(of_entity)}" '.encode())
    metadata = parse(group(entity, attributes=f'validUntil="{at(of_group)}"'))
    assert metadata.valid_until == NOW + timedelta(seconds=60)


@pytest.mark.parametrize(
    "sso",
    [
        "http://idp.example.com/sso",
        "javascript:alert(1)",
        "//idp.example.com/sso",
        "https:///sso",
        "",
        "ftp://idp.example.com",
        "https://idp.example.com/a b",
        "http://localhost.evil.example/",
        "https://[::1",
    ],
)
def test_address_that_is_not_https_is_refused(sso):
    assert "not https" in refusal(build_idp_metadata(sso=sso))


@pytest.mark.parametrize("sso", ["http://127.0.0.1:8080/sso", "http://localhost:9/sso", "http://[::1]:9/sso"])
def test_http_on_the_same_machine_is_accepted(sso):
    assert parse(build_idp_metadata(sso=sso)).sso_post_url == sso


def test_metadata_without_address_is_refused():
    assert "no SingleSignOnService" in refusal(build_idp_metadata().replace(b"bindings:HTTP", b"bindings:OTHER"))


def test_weak_key_is_refused():
    assert "2048" in refusal(build_idp_metadata(make_certificate("weak", "rsa1024")))


def test_certificates_of_two_keys_in_one_descriptor_are_refused():
    second = certificate_base64(make_certificate("other")).encode()
    xml = build_idp_metadata().replace(
        b"</ds:X509Data>", b"<ds:X509Certificate>" + second + b"</ds:X509Certificate></ds:X509Data>"
    )

    assert "different keys" in refusal(xml)


def test_of_two_certificates_of_one_key_in_one_descriptor_the_first_counts():
    same = certificate_base64(make_certificate("idp")).encode()
    xml = build_idp_metadata().replace(
        b"</ds:X509Data>", b"<ds:X509Certificate>" + same + b"</ds:X509Certificate></ds:X509Data>"
    )
    assert parse(xml).certificates == parse(build_idp_metadata()).certificates


def test_a_certificate_is_valid_in_its_first_second_and_in_its_last():
    (certificate,) = parse(build_idp_metadata()).certificates
    for edge, outside in ((certificate.not_before, -1), (certificate.not_after, 1)):
        assert certificate.is_valid(edge)
        assert not certificate.is_valid(edge + timedelta(seconds=outside))


@pytest.mark.parametrize("text", [b"", b"AAAA", b"not base64!"])
def test_certificate_that_cannot_be_read_is_refused(text):
    certificate = certificate_base64(make_certificate("idp")).encode()

    assert "cannot be read" in refusal(build_idp_metadata().replace(certificate, text))


def test_certificate_of_a_year_that_does_not_exist_is_refused(tmp_path):
    certificate = make_certificate("idp", days=40_000).public_bytes(Encoding.DER)
    end = re.search(rb"\x18\x0f2\d{13}Z", certificate).group()
    spoilt = certificate.replace(end, b"\x18\x0f00000101000000Z")
    xml = build_idp_metadata(make_certificate("idp", days=40_000))
    known = certificate_base64(make_certificate("idp", days=40_000)).encode()
    assert known in xml
    assert "cannot be read" in refusal(xml.replace(known, base64.b64encode(spoilt)))
    file = tmp_path / "idp.pem"
    file.write_text(ssl.DER_cert_to_PEM_cert(spoilt))
    with pytest.raises(SAMLMetadata, match="cannot be read"):
        read_certificate_file(file)


@pytest.mark.parametrize(("mark", "accepted"), [(b" ", True), (b"!", False), (b"-", False)])
def test_between_the_letters_of_a_certificate_stands_nothing_but_white_space(mark, accepted):
    certificate = certificate_base64(make_certificate("idp")).encode()
    xml = build_idp_metadata().replace(certificate, certificate[:100] + mark + certificate[100:])
    if accepted:
        assert parse(xml).keys_at(NOW) == (make_key("idp").public_key(),)
    else:
        assert "cannot be read" in refusal(xml)


def test_a_key_of_a_kind_that_nobody_knows_is_refused_wherever_it_stands(tmp_path):
    known = make_certificate("idp").public_bytes(Encoding.DER)
    unknown = known.replace(RSA_ENCRYPTION, RSA_ENCRYPTION[:-1] + b"\x63")
    in_metadata = build_idp_metadata().replace(base64.b64encode(known), base64.b64encode(unknown))
    assert "cannot be read" in refusal(in_metadata)
    file = tmp_path / "idp.pem"
    file.write_text(ssl.DER_cert_to_PEM_cert(unknown))
    with pytest.raises(SAMLMetadata, match="cannot be read"):
        read_certificate_file(file)
    file.write_text(ssl.DER_cert_to_PEM_cert(known))
    assert read_certificate_file(file).key == make_key("idp").public_key()


def test_saml1_role_is_refused():
    xml = build_idp_metadata().replace(b"urn:oasis:names:tc:SAML:2.0:protocol", b"urn:oasis:names:tc:SAML:1.1:protocol")

    assert "0 IDPSSODescriptors" in refusal(xml)


@pytest.mark.parametrize(
    "xml", [b"", b"hello", b"<!DOCTYPE x><x/>", b"<x/>", b'<x xmlns="relative"/>', b"<x>" * 100 + b"</x>" * 100]
)
def test_something_else_is_refused(xml):
    assert refusal(xml)


def test_too_many_keys_are_refused():
    assert "17 signing keys" in refusal(build_idp_metadata(*[make_certificate("idp")] * 17))
