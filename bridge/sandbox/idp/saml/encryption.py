"""Encrypts assertions for a service provider, as its metadata asks for it."""

from typing import Any

import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from lxml import etree

from bridge.sandbox.idp.saml.names import ASSERTION


def encrypt_assertion(assertion: Any, certificate: x509.Certificate) -> Any:
    """Return an ``EncryptedAssertion`` for the holder of the certificate's key: AES-256-GCM, its key by RSA-OAEP.

    The key stands in the ``KeyInfo`` of the data, where most providers put it. The plaintext repeats every namespace
    declaration, since not every service provider reads it in its place.
    """
    encrypted = etree.Element(f"{{{ASSERTION}}}EncryptedAssertion", nsmap={"saml": ASSERTION})
    data = xmlsec.template.encrypted_data_create(
        encrypted, xmlsec.constants.TransformAes256Gcm, type=xmlsec.constants.TypeEncElement, ns="xenc"
    )
    xmlsec.template.encrypted_data_ensure_cipher_value(data)
    key_info = xmlsec.template.encrypted_data_ensure_key_info(data, ns="ds")
    key = xmlsec.template.add_encrypted_key(key_info, xmlsec.constants.TransformRsaOaep)
    xmlsec.template.encrypted_data_ensure_cipher_value(key)
    manager = xmlsec.KeysManager()
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    manager.add_key(xmlsec.Key.from_memory(pem, xmlsec.constants.KeyDataFormatCertPem))
    context = xmlsec.EncryptionContext(manager)
    context.key = xmlsec.Key.generate(xmlsec.constants.KeyDataAes, 256, xmlsec.constants.KeyDataTypeSession)
    encrypted.append(context.encrypt_binary(data, etree.tostring(assertion)))
    return encrypted
