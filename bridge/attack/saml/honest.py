"""What honest providers send, in all the layouts that we know of: each must be accepted, by us and by three others."""

import base64
from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta
from typing import Any

import xmlsec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from lxml import etree

from bridge.attack.saml.encryption import (
    AES128_CBC,
    AES128_GCM,
    AES256_CBC,
    MGF1_SHA1,
    MGF1_SHA256,
    OAEP,
    SHA1,
    SHA256,
    EncryptionOptions,
)
from bridge.attack.saml.messages import (
    DECRYPTION_KEYS,
    IDP,
    MFA,
    MORE,
    NOW,
    NS,
    PASSWORD,
    SP,
    Draft,
    SignatureOptions,
    at,
    certificate_base64,
    element,
    make_certificate,
    make_key,
    make_provider,
)

HONEST: dict[str, Callable[[], Draft]] = {}
OUTSIDE_THE_SCHEMA = {"prefix_list_in_signed_info"}
"""Legitimate, but the schema sets of python3-saml and signxml lack exclusive canonicalization."""
NOT_FOR_PYTHON3_SAML = {
    "encrypted_key_beside_without_pointer",
    "encrypted_without_type",
    "encrypted_with_sha256",
    "encrypted_with_oaep_11_and_sha1_said",
}
"""Legitimate, but python3-saml needs a KeyInfo and a Type, and its schemas do not know XML Encryption 1.1."""


def honest(build: Callable[[], Draft]) -> Callable[[], Draft]:
    """Register an honest message."""
    HONEST[build.__name__] = build
    return build


@honest
def assertion_signed() -> Draft:
    return Draft()


@honest
def response_signed() -> Draft:
    return Draft(signed="response")


@honest
def both_signed() -> Draft:
    return Draft(signed="both")


@honest
def both_signed_and_required() -> Draft:
    return Draft(signed="both", provider=make_provider(signed="both"))


@honest
def prefix_list() -> Draft:
    """OpenSAML lists the prefixes of types, which canonicalization does not see."""
    return Draft(options=SignatureOptions(prefixes="xs"))


@honest
def prefix_list_of_the_assertion_only() -> Draft:
    """The canonical response then lacks a declaration that the assertion's signature needs."""
    return Draft(signed="both", options=SignatureOptions(prefixes="xs xsi"), response_options=SignatureOptions())


@honest
def prefix_list_in_signed_info() -> Draft:
    return Draft(options=SignatureOptions(prefixes="xs", method_prefixes="ds saml"))


@honest
def empty_prefix_list() -> Draft:
    return Draft(options=SignatureOptions(prefixes=""))


@honest
def without_key_info() -> Draft:
    return Draft(options=SignatureOptions(key_info=""))


@honest
def rsa_sha384() -> Draft:
    return Draft(options=SignatureOptions(signature_method=f"{MORE}rsa-sha384", digest_method=f"{MORE}sha384"))


@honest
def rsa_sha512() -> Draft:
    sha512 = "http://www.w3.org/2001/04/xmlenc#sha512"
    return Draft(options=SignatureOptions(signature_method=f"{MORE}rsa-sha512", digest_method=sha512))


def _ecdsa(kind: str, digest: str) -> Draft:
    options = SignatureOptions(
        key=make_key("ec", kind), certificate=make_certificate("ec", kind), signature_method=f"{MORE}ecdsa-{digest}"
    )
    draft = Draft(options=options)
    draft.expect(keys=(make_key("ec", kind).public_key(),))
    return draft


@honest
def ecdsa_p256() -> Draft:
    return _ecdsa("p256", "sha256")


@honest
def ecdsa_p384() -> Draft:
    return _ecdsa("p384", "sha384")


@honest
def ecdsa_p521() -> Draft:
    return _ecdsa("p521", "sha512")


@honest
def ecdsa_p256_with_a_longer_digest() -> Draft:
    return _ecdsa("p256", "sha512")


@honest
def ecdsa_both_signed() -> Draft:
    draft = _ecdsa("p384", "sha384")
    draft.signed = "both"
    return draft


@honest
def rollover() -> Draft:
    """The second of two pinned keys signed."""
    draft = Draft()
    draft.expect(keys=(make_key("next").public_key(), make_key("ec", "p256").public_key(), *draft.expected.keys))
    return draft


@honest
def signed_by_xmlsec() -> Draft:
    """Signed by the library that most providers use, in its own layout."""
    draft = Draft(signed="none")

    @draft.after_signing
    def sign(root: Any) -> Any:
        assertion = root.find("saml:Assertion", NS)
        signature = xmlsec.template.create(assertion, xmlsec.Transform.EXCL_C14N, xmlsec.Transform.RSA_SHA256, ns="ds")
        assertion.insert(1, signature)
        reference = xmlsec.template.add_reference(signature, xmlsec.Transform.SHA256, uri="#_assertion1")
        xmlsec.template.add_transform(reference, xmlsec.Transform.ENVELOPED)
        xmlsec.template.add_transform(reference, xmlsec.Transform.EXCL_C14N)
        xmlsec.template.add_x509_data(xmlsec.template.ensure_key_info(signature))
        xmlsec.tree.add_ids(root, ["ID"])
        context = xmlsec.SignatureContext()
        pem = make_key("idp").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        context.key = xmlsec.Key.from_memory(pem, xmlsec.KeyFormat.PEM)
        context.key.load_cert_from_memory(make_certificate("idp").public_bytes(Encoding.PEM), xmlsec.KeyFormat.PEM)
        context.sign(signature)

    return draft


@honest
def on_one_line() -> Draft:
    draft = Draft(signed="both")
    for node in draft.root.iter():
        if len(node) and not (node.text or "").strip():
            node.text = None
        node.tail = None
    return draft


@honest
def default_namespaces() -> Draft:
    """No prefixes, each namespace declared where it begins, as Entra ID writes it."""
    draft = Draft()
    text = etree.tostring(draft.root).decode()
    for prefix in ("samlp", "saml"):
        text = (
            text.replace(f' xmlns:{prefix}="{NS[prefix]}"', "")
            .replace(f"<{prefix}:", "<")
            .replace(f"</{prefix}:", "</")
        )
    text = text.replace("<Response", f'<Response xmlns="{NS["samlp"]}"', 1)
    for name in ("Issuer", "Assertion"):
        text = text.replace(f"<{name}", f'<{name} xmlns="{NS["saml"]}"', 1)
    draft.root = etree.fromstring(text)
    return draft


@honest
def xml_declaration() -> Draft:
    draft = Draft()
    draft.after_writing(lambda xml: b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n' + xml)
    return draft


@honest
def xml_declaration_in_single_quotes() -> Draft:
    draft = Draft()
    draft.after_writing(lambda xml: b"<?xml version='1.0' encoding='utf-8'?>" + xml)
    return draft


@honest
def lines_in_base64() -> Draft:
    draft = Draft()
    draft.after_encoding(lambda text: base64.encodebytes(base64.b64decode(text)).decode().replace("\n", "\r\n"))
    return draft


@honest
def unsolicited() -> Draft:
    return Draft(request_id=None, provider=make_provider(idp_initiated=True))


@honest
def solicited_from_a_provider_that_may_begin() -> Draft:
    return Draft(provider=make_provider(idp_initiated=True))


@honest
def response_without_issuer_and_destination() -> Draft:
    """Neither is required of a response that is not signed."""
    draft = Draft()
    del draft.root.attrib["Destination"]
    draft.root.remove(draft.root[0])
    return draft


@honest
def issuer_with_format() -> Draft:
    draft = Draft(signed="both")
    for issuer in draft.root.iter(f"{{{NS['saml']}}}Issuer"):
        issuer.set("Format", "urn:oasis:names:tc:SAML:2.0:nameid-format:entity")
    return draft


@honest
def qualified_name() -> Draft:
    draft = Draft()
    name_id = draft.find("//saml:NameID")
    name_id.set("Format", "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent")
    name_id.set("NameQualifier", IDP)
    name_id.set("SPNameQualifier", SP)
    return draft


@honest
def name_without_format() -> Draft:
    draft = Draft()
    del draft.find("//saml:NameID").attrib["Format"]
    return draft


@honest
def several_audiences() -> Draft:
    draft = Draft()
    draft.find("//saml:AudienceRestriction").insert(0, element("saml:Audience", "https://other.example.net"))
    return draft


@honest
def two_audience_restrictions() -> Draft:
    draft = Draft()
    restriction = draft.find("//saml:AudienceRestriction")
    restriction.addnext(deepcopy(restriction))
    return draft


@honest
def one_time_use() -> Draft:
    draft = Draft()
    draft.find("//saml:Conditions").append(element("saml:OneTimeUse"))
    return draft


@honest
def proxy_count() -> Draft:
    draft = Draft()
    draft.find("//saml:Conditions").append(element("saml:ProxyRestriction", Count="2"))
    return draft


@honest
def second_bearer_confirmation_fits() -> Draft:
    draft = Draft()
    confirmation = draft.find("//saml:SubjectConfirmation")
    other = deepcopy(confirmation)
    other[0].set("Recipient", "https://other.example.net")
    confirmation.addprevious(other)
    return draft


@honest
def holder_of_key_beside_bearer() -> Draft:
    draft = Draft()
    confirmation = draft.find("//saml:SubjectConfirmation")
    other = deepcopy(confirmation)
    other.set("Method", "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key")
    confirmation.addprevious(other)
    return draft


@honest
def client_address() -> Draft:
    draft = Draft()
    draft.find("//saml:SubjectConfirmationData").set("Address", "192.0.2.7")
    return draft


@honest
def fractions_of_seconds() -> Draft:
    draft = Draft(signed="both")
    for node in draft.root.iter():
        for name, value in node.attrib.items():
            if value == at(0):
                node.set(name, value.replace("Z", ".0000000Z"))
    return draft


@honest
def hour_long_and_dated_back() -> Draft:
    """Valid for an hour from issue and dated five minutes back, as Entra ID does."""
    draft = Draft()
    draft.find("//saml:Conditions").set("NotBefore", at(-300))
    draft.find("//saml:Conditions").set("NotOnOrAfter", at(3600))
    return draft


@honest
def no_start() -> Draft:
    draft = Draft()
    del draft.find("//saml:Conditions").attrib["NotBefore"]
    return draft


@honest
def no_session() -> Draft:
    draft = Draft()
    statement = draft.find("//saml:AuthnStatement")
    del statement.attrib["SessionIndex"]
    del statement.attrib["SessionNotOnOrAfter"]
    return draft


@honest
def no_attributes() -> Draft:
    draft = Draft()
    draft.assertion.remove(draft.find("//saml:AttributeStatement"))
    return draft


@honest
def attributes_in_two_statements() -> Draft:
    draft = Draft()
    second = element("saml:AttributeStatement")
    second.append(draft.find("//saml:Attribute[@Name='groups']"))
    draft.assertion.append(second)
    return draft


@honest
def attribute_of_another_vocabulary() -> Draft:
    """AD FS adds attributes of its own to attributes."""
    draft = Draft()
    original = "{http://schemas.xmlsoap.org/ws/2009/09/identity/claims}OriginalIssuer"
    draft.find("//saml:Attribute").set(original, "urn:somebody")
    return draft


@honest
def types_declared_at_each_value() -> Draft:
    draft = Draft()
    text = etree.tostring(draft.root).decode()
    text = text.replace(f' xmlns:xs="{NS["xs"]}" xmlns:xsi="{NS["xsi"]}"', "")
    declared = f'<saml:AttributeValue xmlns:xs="{NS["xs"]}" xmlns:xsi="{NS["xsi"]}" '
    draft.root = etree.fromstring(text.replace("<saml:AttributeValue ", declared))
    return draft


@honest
def extensions() -> Draft:
    draft = Draft(signed="both")
    extensions = element("samlp:Extensions")
    extensions.append(etree.Element("{urn:x}Anything"))
    draft.find("samlp:Status").addprevious(extensions)
    return draft


@honest
def status_message() -> Draft:
    draft = Draft()
    draft.find("samlp:Status").append(element("samlp:StatusMessage", "welcome"))
    return draft


@honest
def thousand_groups() -> Draft:
    return Draft(groups=tuple(f"group-{number}" for number in range(1_000)))


@honest
def other_scripts() -> Draft:
    return Draft(groups=("平台", "Größe", "🚀"))


@honest
def authenticated_anew() -> Draft:
    return Draft(provider=make_provider(force_authn=True))


@honest
def authenticated_anew_by_a_clock_that_is_behind() -> Draft:
    draft = Draft(provider=make_provider(force_authn=True))
    draft.find("//saml:AuthnStatement").set("AuthnInstant", at(-60))
    return draft


@honest
def authenticated_anew_in_the_second_in_which_we_asked() -> Draft:
    """Providers write whole seconds."""
    draft = Draft(provider=make_provider(force_authn=True, clock_skew_seconds=0))
    draft.expect(asked_at=NOW + timedelta(milliseconds=900), now=NOW + timedelta(seconds=1))
    return draft


@honest
def second_of_two_requested_contexts() -> Draft:
    return Draft(context=MFA, provider=make_provider(requested_authn_contexts=[PASSWORD, MFA]))


@honest
def requested_context_unsolicited() -> Draft:
    provider = make_provider(idp_initiated=True, requested_authn_contexts=[PASSWORD])
    return Draft(request_id=None, provider=provider)


# ── Encrypted ────────────────────────────────────────────────────────────────────────────────────────────────


def _encrypted(signed: str = "both", settings: Any = None, **options: Any) -> Draft:
    return Draft(signed=signed, provider=make_provider(**settings or {}), encryption=EncryptionOptions(**options))


@honest
def encrypted_and_assertion_signed() -> Draft:
    return _encrypted("assertion")


@honest
def encrypted_and_response_signed() -> Draft:
    """The response's signature covers the ciphertext; there is none inside."""
    return _encrypted("response")


@honest
def encrypted_and_both_signed() -> Draft:
    return _encrypted()


@honest
def encrypted_where_it_is_required() -> Draft:
    return _encrypted(settings={"encryption": "require", "signed": "both"})


@honest
def encrypted_with_aes128() -> Draft:
    return _encrypted(content=AES128_GCM)


@honest
def encrypted_with_sha1_said() -> Draft:
    """Okta, AD FS and Entra ID name the default digest."""
    return _encrypted(digest=SHA1)


@honest
def encrypted_with_sha256_digest() -> Draft:
    return _encrypted(digest=SHA256)


@honest
def encrypted_with_sha256() -> Draft:
    """RSA-OAEP of XML Encryption 1.1, as Shibboleth can be told to."""
    return _encrypted(transport=OAEP, digest=SHA256, mgf=MGF1_SHA256)


@honest
def encrypted_with_oaep_11_and_defaults() -> Draft:
    return _encrypted(transport=OAEP)


@honest
def encrypted_with_oaep_11_and_sha1_said() -> Draft:
    return _encrypted(transport=OAEP, digest=SHA1, mgf=MGF1_SHA1)


@honest
def encrypted_key_beside_with_pointer() -> Draft:
    """OpenSAML's layout for peers, as Shibboleth sends it: a RetrievalMethod points to the key behind the data."""
    return _encrypted("assertion", layout="retrieval", recipient=SP)


@honest
def encrypted_key_beside_without_pointer() -> Draft:
    """The key's ReferenceList names the data."""
    return _encrypted("assertion", layout="beside", recipient=SP)


@honest
def encrypted_with_a_certificate_of_ours() -> Draft:
    """Shibboleth and Okta say for which certificate of ours."""
    certificate = certificate_base64(make_certificate(DECRYPTION_KEYS[0]))
    hint = f"<ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data>"
    return _encrypted(key_hint=hint)


@honest
def encrypted_with_the_serial_number_of_ours() -> Draft:
    """AD FS names issuer and serial number."""
    serial = "<ds:X509IssuerName>CN=x</ds:X509IssuerName><ds:X509SerialNumber>1</ds:X509SerialNumber>"
    return _encrypted(key_hint=f"<ds:X509Data><ds:X509IssuerSerial>{serial}</ds:X509IssuerSerial></ds:X509Data>")


@honest
def encrypted_without_type() -> Draft:
    return _encrypted(data_type=None)


@honest
def encrypted_for_the_next_key() -> Draft:
    """The provider read the metadata in which the next key stands already."""
    return _encrypted(key=make_key(DECRYPTION_KEYS[1]).public_key())


@honest
def encrypted_for_the_previous_key() -> Draft:
    """The provider has not read our metadata since we changed the key."""
    return _encrypted(key=make_key(DECRYPTION_KEYS[2]).public_key())


@honest
def encrypted_without_declarations() -> Draft:
    """What is above the assertion declares its prefix, as Keycloak and xmlsec leave it."""
    return _encrypted("assertion", declared=False)


@honest
def encrypted_without_declarations_under_a_signature() -> Draft:
    return _encrypted("response", declared=False)


@honest
def encrypted_in_default_namespaces() -> Draft:
    """No prefixes, and the assertion is in the default namespace of what is above it."""
    draft = default_namespaces()
    draft.signed = "response"
    draft.encryption = EncryptionOptions(
        plaintext=lambda xml: xml.replace(f' xmlns="{NS["saml"]}"'.encode(), b"", 1),
        tree=lambda tree: etree.fromstring(
            etree.tostring(tree)
            .replace(b"saml:EncryptedAssertion", b"EncryptedAssertion")
            .replace(b"xmlns:saml=", b"xmlns=", 1)
        ),
    )
    return draft


@honest
def encrypted_unsolicited() -> Draft:
    return Draft(
        request_id=None, provider=make_provider(idp_initiated=True), signed="both", encryption=EncryptionOptions()
    )


@honest
def encrypted_with_ecdsa_signatures() -> Draft:
    draft = _ecdsa("p256", "sha256")
    draft.signed, draft.encryption = "both", EncryptionOptions()
    return draft


@honest
def encrypted_thousand_groups() -> Draft:
    return Draft(groups=tuple(f"group-{number}" for number in range(1_000)), encryption=EncryptionOptions())


@honest
def encrypted_with_cbc_under_a_signature() -> Draft:
    """What AD FS and Entra ID do and cannot be told otherwise; only where the settings allow it."""
    return _encrypted(settings={"encryption_cbc": True}, content=AES256_CBC)


@honest
def encrypted_with_aes128_cbc_under_a_signature() -> Draft:
    """LemonLDAP::NG's default."""
    return _encrypted("response", settings={"encryption_cbc": True}, content=AES128_CBC)


@honest
def encrypted_by_xmlsec() -> Draft:
    """Encrypted by the library that most providers use, in its own layout."""
    draft = Draft(signed="assertion")

    @draft.after_signing
    def encrypt(root: Any) -> Any:
        assertion = root.find("saml:Assertion", NS)
        place = element("saml:EncryptedAssertion")
        root.replace(assertion, place)
        place.append(assertion)
        data = xmlsec.template.encrypted_data_create(
            root, xmlsec.Transform.AES256_GCM, type=xmlsec.EncryptionType.ELEMENT, ns="xenc"
        )
        xmlsec.template.encrypted_data_ensure_cipher_value(data)
        info = xmlsec.template.encrypted_data_ensure_key_info(data, ns="dsig")
        key = xmlsec.template.add_encrypted_key(info, xmlsec.Transform.RSA_OAEP)
        xmlsec.template.encrypted_data_ensure_cipher_value(key)
        manager = xmlsec.KeysManager()
        certificate = make_certificate(DECRYPTION_KEYS[0]).public_bytes(Encoding.PEM)
        manager.add_key(xmlsec.Key.from_memory(certificate, xmlsec.KeyFormat.CERT_PEM))
        context = xmlsec.EncryptionContext(manager)
        context.key = xmlsec.Key.generate(xmlsec.KeyData.AES, 256, xmlsec.KeyDataType.SESSION)
        context.encrypt_xml(data, assertion)

    return draft


def values_of(draft: Draft) -> Any:
    """Return the attributes as the provider meant them."""
    return {
        attribute.get("Name"): [value.text or "" for value in attribute]
        for attribute in draft.root.iter(f"{{{NS['saml']}}}Attribute")
    }
