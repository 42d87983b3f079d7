"""Opening what is encrypted: one strict form, authenticated encryption, and one answer to everything that fails.

That is an assertion, or inside a verified one its name and its attributes.

1. ``read_form``: the element has one of the few forms that honest providers send: one ``EncryptedData``, one
   ``EncryptedKey`` inside its ``KeyInfo`` or beside it, RSA-OAEP, AES-GCM, both values in place. Nothing is computed
   before this, and nothing that the message points to is followed, other than to the key beside the data.
2. ``open_content``: each of our keys is tried until one opens it to a document. A key that does not unwrap gives a
   random content key, so that the content is always tried too: of what does not open, neither answer nor time says
   which step failed (Bleichenbacher 1998, Manger 2001; Jager and Somorovsky 2011).
3. The plaintext is a stranger's document, whoever encrypted it: it passes every check of :mod:`document`, is one
   element of the kind that belongs there, and holds nothing that a reader could take for more.

Encryption is no proof of anything, since anybody can encrypt for us; ``response.py`` sees to the signatures. AES-CBC
can be asked questions byte by byte, so it is opened only where the settings allow it and a signature of the provider
covers the ciphertext: over the response, or for what is inside an assertion over that. RSA 1.5, 3DES,
``CipherReference`` and a hundred keys are not known here at all.

Every failure is SAMLEncrypted; why stands in its ``detail`` alone. XML Encryption 1.1, 4 to 6; SAML Core 6; threat
SAML-26.
"""

import base64
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from bridge.errors import IdentityError, SAMLEncrypted
from bridge.identity.saml.document import Element, parse_fragment
from bridge.identity.saml.elements import (
    ASSERTION,
    ATTRIBUTE,
    ATTRIBUTE_STATEMENT,
    ATTRIBUTE_VALUE,
    ENCRYPTED_ATTRIBUTE,
    ENCRYPTED_ID,
    NAME_ID,
    SUBJECT,
    is_blank,
)
from bridge.identity.saml.expected import Expected

MAX_PARTS = 50
"""How many names and attributes one assertion may encrypt: each costs as much as an encrypted assertion."""

_XENC = "http://www.w3.org/2001/04/xmlenc#"
_XENC11 = "http://www.w3.org/2009/xmlenc11#"
_DS = "http://www.w3.org/2000/09/xmldsig#"

_DATA = f"{{{_XENC}}}EncryptedData"
_KEY = f"{{{_XENC}}}EncryptedKey"
_METHOD = f"{{{_XENC}}}EncryptionMethod"
_CIPHER_DATA = f"{{{_XENC}}}CipherData"
_CIPHER_VALUE = f"{{{_XENC}}}CipherValue"
_REFERENCE_LIST = f"{{{_XENC}}}ReferenceList"
_DATA_REFERENCE = f"{{{_XENC}}}DataReference"
_CARRIED_KEY_NAME = f"{{{_XENC}}}CarriedKeyName"
_KEY_INFO = f"{{{_DS}}}KeyInfo"
_RETRIEVAL = f"{{{_DS}}}RetrievalMethod"
_DIGEST_METHOD = f"{{{_DS}}}DigestMethod"
_MGF = f"{{{_XENC11}}}MGF"
_KEY_HINTS = {f"{{{_DS}}}{name}" for name in ("X509Data", "KeyName", "KeyValue")}
"""What may say for which of our keys the content key is encrypted. We try all of them, so it says nothing to us."""

_ELEMENT = f"{_XENC}Element"
_KEY_TYPE = f"{_XENC}EncryptedKey"
_GCM = {f"{_XENC11}aes128-gcm": 16, f"{_XENC11}aes256-gcm": 32}
_CBC = {f"{_XENC}aes128-cbc": 16, f"{_XENC}aes256-cbc": 32}
_OAEP_MGF1P = f"{_XENC}rsa-oaep-mgf1p"
_OAEP = f"{_XENC11}rsa-oaep"
_SHA1 = f"{_DS}sha1"
_MGF1_SHA1 = f"{_XENC11}mgf1sha1"
# SHA-1 is no weakness in OAEP, and many providers know no other; in signatures it is refused.
_DIGESTS: dict[str, hashes.HashAlgorithm] = {_SHA1: hashes.SHA1(), f"{_XENC}sha256": hashes.SHA256()}  # noqa: S303
_MGFS: dict[str, hashes.HashAlgorithm] = {
    _MGF1_SHA1: hashes.SHA1(),  # noqa: S303
    f"{_XENC11}mgf1sha256": hashes.SHA256(),
}

_IV_BYTES = 12
_TAG_BYTES = 16
_BLOCK_BYTES = 16


class _Part(NamedTuple):
    """What may be encrypted inside an assertion."""

    parent: str
    encrypted: str
    plain: str
    inside: frozenset[str]
    """What the plain element may hold."""


_PARTS = (
    _Part(SUBJECT, ENCRYPTED_ID, NAME_ID, frozenset()),
    _Part(ATTRIBUTE_STATEMENT, ENCRYPTED_ATTRIBUTE, ATTRIBUTE, frozenset({ATTRIBUTE_VALUE})),
)


@dataclass(frozen=True)
class EncryptedForm:
    """What a well-formed encrypted element says."""

    algorithm: str
    padding: OAEP
    wrapped_key: bytes
    content: bytes

    @property
    def is_cbc(self) -> bool:
        """Whether nothing in the ciphertext itself shows that it was changed."""
        return self.algorithm in _CBC

    @property
    def key_bytes(self) -> int:
        """How long the content key is."""
        return (_GCM | _CBC)[self.algorithm]


def decrypt_assertion(encrypted: Element, expected: Expected, *, signature_covers_it: bool) -> Element:
    """Return the assertion inside an ``EncryptedAssertion``. It is as trustworthy as a plain one: not at all yet.

    Args:
        encrypted: the element; from the verified response if that is signed.
        expected: the settings, and our keys.
        signature_covers_it: whether the response's signature was verified.

    Raises:
        SAMLEncrypted: it cannot be opened, or is nothing that an honest provider encrypts.
    """
    assertion = _open_element(encrypted, expected, signature_covers_it=signature_covers_it)
    if assertion.tag != ASSERTION or sum(1 for _ in assertion.iter("{*}Assertion", "{*}EncryptedAssertion")) != 1:
        raise SAMLEncrypted("what is in it is not one assertion")
    return assertion


def open_parts(assertion: Element, expected: Expected) -> None:
    """Put the name and the attributes that are encrypted one by one in their places, to be read like plain ones.

    For a verified assertion only, whose signature covers each ciphertext. In any other place something encrypted stays
    what it is, and is refused by who reads there (SAML Core 2.2.4, 2.7.3.2).

    Args:
        assertion: parsed from signed bytes; changed in place.
        expected: the settings, and our keys.

    Raises:
        SAMLEncrypted: the settings refuse encryption, there are too many, or one cannot be opened or is something else.
    """
    parts = [
        (encrypted, part)
        for part in _PARTS
        for parent in assertion.iterchildren(part.parent)
        for encrypted in parent.iterchildren(part.encrypted)
    ]
    if parts and expected.provider.encryption == "refuse":
        raise SAMLEncrypted("an encrypted name or attribute, which the settings refuse")
    if len(parts) > MAX_PARTS:
        raise SAMLEncrypted(f"{len(parts)} encrypted names and attributes")
    for encrypted, part in parts:
        opened = _open_element(encrypted, expected, signature_covers_it=True)
        if opened.tag != part.plain or any(element.tag not in part.inside for element in opened.iterdescendants()):
            raise SAMLEncrypted(f"what is in it is not one {_local_name(part.plain)}")
        opened.tail = encrypted.tail
        encrypted.getparent().replace(encrypted, opened)


def _open_element(encrypted: Element, expected: Expected, *, signature_covers_it: bool) -> Element:
    """Return the one element inside, of whatever kind."""
    if not expected.decryption_keys:
        raise SAMLEncrypted("something encrypted, and there is no key to open it")
    form = read_form(encrypted, expected.sp_entity_id)
    if form.is_cbc and not (expected.provider.encryption_cbc and signature_covers_it):
        raise SAMLEncrypted("AES-CBC, without a setting that allows it and a signature around it")
    refused: IdentityError | None = None
    for plaintext in open_content(form, expected.decryption_keys):
        try:
            return parse_fragment(plaintext, encrypted.nsmap)
        except IdentityError as error:
            refused = error
    if refused is None:
        raise SAMLEncrypted("none of our keys opens it")
    raise SAMLEncrypted(f"what is in it is not acceptable: {refused.code}: {refused.detail}") from refused


def read_form(encrypted: Element, recipient: str) -> EncryptedForm:
    """Return the parts of an encrypted element that has one of the accepted forms; compute nothing.

    The key stands in the ``KeyInfo`` of the data; or behind the data, and the ``KeyInfo`` points to it or is not there.
    """
    _check_attributes(encrypted)
    children = _children(encrypted, [_DATA], [_DATA, _KEY])
    data = children[0]
    _check_attributes(data, "Id", "Type", "MimeType")
    if data.get("Type", _ELEMENT) != _ELEMENT:
        raise SAMLEncrypted("encrypted content of another type than an element")
    method, *info, cipher_data = _children(data, [_METHOD, _KEY_INFO, _CIPHER_DATA], [_METHOD, _CIPHER_DATA])
    key = _find_key(children[1:], info)
    if key.get("Recipient", recipient) != recipient:
        raise SAMLEncrypted("a key for somebody else")
    _check_references(key, data)
    algorithm = _algorithm(method, (*_GCM, *_CBC))
    if len(method):
        raise SAMLEncrypted("a child in the EncryptionMethod of the data")
    key_method, *_ = list(key)
    return EncryptedForm(
        algorithm=algorithm,
        padding=_read_padding(key_method),
        wrapped_key=_read_cipher_value(next(child for child in key if child.tag == _CIPHER_DATA)),
        content=_read_cipher_value(cipher_data),
    )


def open_content(form: EncryptedForm, keys: Sequence[RSAPrivateKey]) -> Iterator[bytes]:
    """Yield what may be the plaintext. If no key opens it, each one got the same work, whatever was wrong.

    With AES-CBC a key that is not the one may seem to open it: its noise ends like padding once in sixteen times. Where
    the caller is content, the rest is not tried: whoever encrypted it knows already for which key that was.
    """
    opened = (_open(form, _unwrap(form, key)) for key in keys)
    return (plaintext for plaintext in opened if plaintext is not None)


def _unwrap(form: EncryptedForm, key: RSAPrivateKey) -> bytes:
    """Return the content key, or a random one if this is not it."""
    instead = secrets.token_bytes(form.key_bytes)
    try:
        unwrapped = key.decrypt(form.wrapped_key, form.padding)
    except ValueError:
        return instead
    return unwrapped if len(unwrapped) == form.key_bytes else instead


def _open(form: EncryptedForm, key: bytes) -> bytes | None:
    if form.is_cbc:
        return _open_cbc(form.content, key)
    if len(form.content) < _IV_BYTES + _TAG_BYTES:
        return None
    try:
        return AESGCM(key).decrypt(form.content[:_IV_BYTES], form.content[_IV_BYTES:], None)
    except InvalidTag:
        return None


def _open_cbc(content: bytes, key: bytes) -> bytes | None:
    """XML Encryption 5.2: the initialization vector first; the last byte says how much is padding of any value."""
    if len(content) < 2 * _BLOCK_BYTES or len(content) % _BLOCK_BYTES:
        return None
    decryptor = Cipher(AES(key), CBC(content[:_BLOCK_BYTES])).decryptor()
    padded = decryptor.update(content[_BLOCK_BYTES:]) + decryptor.finalize()
    return padded[: -padded[-1]] if 1 <= padded[-1] <= _BLOCK_BYTES else None


def _find_key(beside: list[Element], info: list[Element]) -> Element:
    """Return the one ``EncryptedKey``, of a form that we know."""
    if not info:
        inside = []
    else:
        _check_attributes(info[0], "Id")
        inside = _children(info[0], [_KEY], [_RETRIEVAL])
    if inside and inside[0].tag == _RETRIEVAL:
        key_id = beside[0].get("Id") if beside else None
        _check_attributes(inside[0], "URI", "Type")
        if len(inside[0]) or inside[0].get("Type", _KEY_TYPE) != _KEY_TYPE:
            raise SAMLEncrypted("a RetrievalMethod with transforms, or for something other than a key")
        if key_id is None or inside[0].get("URI") != f"#{key_id}":
            raise SAMLEncrypted("a RetrievalMethod that does not point to the key beside the data")
        inside = []
    keys = [*inside, *beside]
    if len(keys) != 1:
        raise SAMLEncrypted(f"{len(keys)} keys")
    key = keys[0]
    _check_attributes(key, "Id", "Recipient")
    optional_at_the_end: tuple[list[str], ...] = (
        [],
        [_REFERENCE_LIST],
        [_CARRIED_KEY_NAME],
        [_REFERENCE_LIST, _CARRIED_KEY_NAME],
    )
    _children(
        key,
        *([_METHOD, *hint, _CIPHER_DATA, *end] for hint in ([], [_KEY_INFO]) for end in optional_at_the_end),
    )
    for hint in key.iterchildren(_KEY_INFO):
        if any(child.tag not in _KEY_HINTS for child in hint):
            raise SAMLEncrypted("a KeyInfo of the key that says more than whose it is")
    return key


def _check_references(key: Element, data: Element) -> None:
    """A ``ReferenceList`` names the data, and nothing else."""
    for references in key.iterchildren(_REFERENCE_LIST):
        _check_attributes(references)
        (reference,) = _children(references, [_DATA_REFERENCE])
        _check_attributes(reference, "URI")
        if len(reference) or data.get("Id") is None or reference.get("URI") != f"#{data.get('Id')}":
            raise SAMLEncrypted("a key for something other than the data")


def _read_padding(method: Element) -> OAEP:
    """Return how the content key is encrypted: RSA-OAEP without a label (XML Encryption 1.1, 5.5.2)."""
    algorithm = _algorithm(method, (_OAEP_MGF1P, _OAEP))
    forms = [[], [_DIGEST_METHOD]]
    if algorithm == _OAEP:
        forms += [[_MGF], [_DIGEST_METHOD, _MGF], [_MGF, _DIGEST_METHOD]]
    children = {child.tag: child for child in _children(method, *forms)}
    if any(len(child) for child in children.values()):
        raise SAMLEncrypted("a child in the parameters of RSA-OAEP")
    digest = _algorithm(children[_DIGEST_METHOD], _DIGESTS) if _DIGEST_METHOD in children else _SHA1
    mask = _algorithm(children[_MGF], _MGFS) if _MGF in children else _MGF1_SHA1
    return OAEP(mgf=MGF1(_MGFS[mask]), algorithm=_DIGESTS[digest], label=None)


def _read_cipher_value(cipher_data: Element) -> bytes:
    """Return the value in place; a ``CipherReference`` would have us fetch something."""
    _check_attributes(cipher_data)
    (value,) = _children(cipher_data, [_CIPHER_VALUE])
    _check_attributes(value)
    if len(value):
        raise SAMLEncrypted("a child in a CipherValue")
    try:
        return base64.b64decode("".join((value.text or "").split()), validate=True)
    except ValueError as error:
        raise SAMLEncrypted("a CipherValue that is not base64") from error


def _algorithm(method: Element, known: Iterable[str]) -> str:
    _check_attributes(method, "Algorithm")
    algorithm: str = method.get("Algorithm", "")
    if algorithm not in set(known):
        raise SAMLEncrypted(f"algorithm {algorithm[:100]!a}")
    return algorithm


def _children(element: Element, *forms: list[str]) -> list[Element]:
    """Return the children if they are as one of the forms says, with nothing but white space between them."""
    children = list(element)
    if [child.tag for child in children] not in forms:
        raise SAMLEncrypted(f"{_local_name(element.tag)} with other children")
    if not is_blank(element.text) or not all(is_blank(child.tail) for child in children):
        raise SAMLEncrypted(f"text in {_local_name(element.tag)}")
    return children


def _check_attributes(element: Element, *names: str) -> None:
    if set(element.keys()) - set(names):
        raise SAMLEncrypted(f"{_local_name(element.tag)} with other attributes")


def _local_name(tag: str) -> str:
    return ascii(tag.rpartition("}")[2])[:100]
