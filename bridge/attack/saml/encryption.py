"""Encrypting an assertion as providers do, or worse: whatever a test asks for. Nothing here is used to decrypt."""

import base64
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.keywrap import aes_key_wrap
from lxml import etree

XENC = "http://www.w3.org/2001/04/xmlenc#"
XENC11 = "http://www.w3.org/2009/xmlenc11#"
DS = "http://www.w3.org/2000/09/xmldsig#"
SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
AES128_GCM, AES192_GCM, AES256_GCM = (f"{XENC11}aes{bits}-gcm" for bits in (128, 192, 256))
AES128_CBC, AES256_CBC, TRIPLE_DES = f"{XENC}aes128-cbc", f"{XENC}aes256-cbc", f"{XENC}tripledes-cbc"
OAEP_MGF1P, OAEP, RSA_15 = f"{XENC}rsa-oaep-mgf1p", f"{XENC11}rsa-oaep", f"{XENC}rsa-1_5"
SHA1, SHA256, SHA512 = f"{DS}sha1", f"{XENC}sha256", f"{XENC}sha512"
MGF1_SHA1, MGF1_SHA256, MGF1_SHA512 = (f"{XENC11}mgf1sha{bits}" for bits in (1, 256, 512))

_KEY_BYTES = {AES128_GCM: 16, AES192_GCM: 24, AES256_GCM: 32, AES128_CBC: 16, AES256_CBC: 32, TRIPLE_DES: 24}
_HASHES: dict[str, Any] = {
    SHA1: hashes.SHA1,
    SHA256: hashes.SHA256,
    SHA512: hashes.SHA512,
    MGF1_SHA1: hashes.SHA1,
    MGF1_SHA256: hashes.SHA256,
    MGF1_SHA512: hashes.SHA512,
}


def unchanged(content: bytes) -> bytes:
    """Return what comes in."""
    return content


@dataclass
class EncryptionOptions:
    """How to encrypt; the defaults are what a current provider does."""

    key: Any = None
    """The public key of the service provider; its current one where absent."""
    content: str = AES256_GCM
    transport: str = OAEP_MGF1P
    digest: str | None = None
    mgf: str | None = None
    layout: str = "inside"
    """Where the key stands: ``inside`` the data's KeyInfo, ``retrieval`` (beside it, pointed to), or ``beside``."""
    recipient: str | None = None
    key_hint: str = ""
    """The KeyInfo of the key, as XML."""
    data_type: str | None = f"{XENC}Element"
    declared: bool = True
    """Whether the plaintext repeats the declarations that stand above it."""
    number: int = 1
    """What makes the identifiers of data and key their own, where there are several."""
    wrapper: str = "EncryptedAssertion"
    """``EncryptedID`` and ``EncryptedAttribute`` for a part of an assertion."""
    content_key: bytes | None = None
    plaintext: Callable[[bytes], bytes] = unchanged
    ciphertext: Callable[[bytes], bytes] = unchanged
    wrapped_key: Callable[[bytes], bytes] = unchanged
    tree: Callable[[Any], Any] = unchanged
    """Changes the finished EncryptedAssertion; what it returns, if anything, takes its place."""


def encrypt(assertion: Any, options: EncryptionOptions, key: Any) -> Any:
    """Put an ``EncryptedAssertion`` in the place of the assertion, and return it."""
    content_key = options.content_key or os.urandom(_KEY_BYTES.get(options.content, 32))
    content = options.ciphertext(_encrypt(options, content_key, options.plaintext(_write(assertion, options))))
    wrapped = options.wrapped_key(_wrap(options, content_key, options.key or key))
    encrypted = etree.fromstring(_build(options, content, wrapped))
    encrypted.tag = f"{{{SAML}}}{options.wrapper}"
    changed = options.tree(encrypted)
    encrypted = encrypted if changed is None else changed
    encrypted.tail = assertion.tail
    assertion.getparent().replace(assertion, encrypted)
    return encrypted


def _write(assertion: Any, options: EncryptionOptions) -> bytes:
    plaintext: bytes = etree.tostring(assertion, with_tail=False)
    return plaintext if options.declared else plaintext.replace(f' xmlns:saml="{SAML}"'.encode(), b"", 1)


def _encrypt(options: EncryptionOptions, key: bytes, plaintext: bytes) -> bytes:
    if options.content in {AES128_CBC, AES256_CBC, TRIPLE_DES}:
        algorithm = TripleDES(key) if options.content == TRIPLE_DES else AES(key)
        iv = os.urandom(algorithm.block_size // 8)
        padder = padding.ANSIX923(algorithm.block_size).padder()
        encryptor = Cipher(algorithm, CBC(iv)).encryptor()
        return iv + encryptor.update(padder.update(plaintext) + padder.finalize()) + encryptor.finalize()
    iv = os.urandom(12)
    return iv + AESGCM(key).encrypt(iv, plaintext, None)


def _wrap(options: EncryptionOptions, content_key: bytes, key: Any) -> bytes:
    if options.transport == RSA_15:
        return bytes(key.encrypt(content_key, rsa_padding.PKCS1v15()))
    if options.transport.endswith("kw-aes256"):
        return aes_key_wrap(bytes(32), content_key)
    mgf = _HASHES[options.mgf or MGF1_SHA1]() if options.transport == OAEP else hashes.SHA1()
    digest = _HASHES[options.digest or SHA1]()
    return bytes(key.encrypt(content_key, rsa_padding.OAEP(rsa_padding.MGF1(mgf), digest, label=None)))


def _build(options: EncryptionOptions, content: bytes, wrapped: bytes) -> str:
    digest = f'<ds:DigestMethod xmlns:ds="{DS}" Algorithm="{options.digest}"/>' if options.digest else ""
    mgf = f'<xenc11:MGF xmlns:xenc11="{XENC11}" Algorithm="{options.mgf}"/>' if options.mgf else ""
    recipient = f' Recipient="{options.recipient}"' if options.recipient else ""
    hint = f'<ds:KeyInfo xmlns:ds="{DS}">{options.key_hint}</ds:KeyInfo>' if options.key_hint else ""
    references = f'<xenc:ReferenceList><xenc:DataReference URI="#_data{options.number}"/></xenc:ReferenceList>'
    key = (
        f'<xenc:EncryptedKey xmlns:xenc="{XENC}" Id="_key{options.number}"{recipient}>'
        f'<xenc:EncryptionMethod Algorithm="{options.transport}">{digest}{mgf}</xenc:EncryptionMethod>'
        f"{hint}<xenc:CipherData><xenc:CipherValue>{base64.encodebytes(wrapped).decode()}</xenc:CipherValue>"
        f"</xenc:CipherData>{references if options.layout != 'inside' else ''}</xenc:EncryptedKey>"
    )
    retrieval = f'<ds:RetrievalMethod Type="{XENC}EncryptedKey" URI="#_key{options.number}"/>'
    info = {"inside": key, "retrieval": retrieval, "beside": ""}[options.layout]
    key_info = f'<ds:KeyInfo xmlns:ds="{DS}">{info}</ds:KeyInfo>' if info else ""
    data_type = f' Type="{options.data_type}"' if options.data_type else ""
    return (
        f'<saml:EncryptedAssertion xmlns:saml="{SAML}">'
        f'<xenc:EncryptedData xmlns:xenc="{XENC}" Id="_data{options.number}"{data_type}>'
        f'<xenc:EncryptionMethod Algorithm="{options.content}"/>'
        f"{key_info}"
        f"<xenc:CipherData><xenc:CipherValue>{base64.b64encode(content).decode()}</xenc:CipherValue></xenc:CipherData>"
        f"</xenc:EncryptedData>{key if options.layout != 'inside' else ''}</saml:EncryptedAssertion>"
    )
