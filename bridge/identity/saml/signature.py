"""An enveloped XML signature, verified: what comes back is the element that was signed, never a yes or no.

1. ``read_form``: the signature has the one form that honest providers send (SAML Core 5.4): children, one reference
   to the element it stands in, two known transforms, known algorithms. Nothing is computed before this, because a
   transform is a program that a stranger wrote.
2. ``check_value``: the signature value over the canonical ``SignedInfo`` is by a key that the caller pinned. KeyInfo
   is ignored: it is the sender's own claim about who the sender is.
3. ``check_digest``: the canonical bytes of the element, without this signature, have the digest that was signed. (The
   value comes first, so that a stranger cannot make us canonicalize a large element.)
4. Those canonical bytes are parsed, and the new element is returned. So what is read later is literally what was
   signed, wherever in a forged document the signed element stood (XSW, Somorovsky 2012).

XML-DSig core 3.2; exclusive canonicalization; RFC 4051, 6931; threats SAML-01 to 12.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from lxml import etree

from bridge.errors import (
    SAMLAlgorithm,
    SAMLCanonicalization,
    SAMLSignatureForm,
    SAMLSignatureInvalid,
    SAMLSignatureReference,
    SAMLTransform,
)
from bridge.identity.saml.document import MESSAGE, Element, Limits, parse_canonical
from bridge.identity.saml.elements import find_first, is_blank

PublicKey: TypeAlias = RSAPublicKey | ec.EllipticCurvePublicKey
Witness: TypeAlias = Callable[["CheckedValue"], None]
"""Is told of each signature value that was checked, good or not."""

_DS = "{http://www.w3.org/2000/09/xmldsig#}"
SIGNATURE = f"{_DS}Signature"

_ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
_EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
_INCLUSIVE_NAMESPACES = f"{{{_EXCLUSIVE}}}InclusiveNamespaces"
_MAX_PREFIXES = 32

_RSA_MIN_BITS = 2048
_EC_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
_SIGNATURE_METHODS: dict[str, tuple[type[PublicKey], hashes.HashAlgorithm]] = {
    f"{_MORE}rsa-sha256": (RSAPublicKey, hashes.SHA256()),
    f"{_MORE}rsa-sha384": (RSAPublicKey, hashes.SHA384()),
    f"{_MORE}rsa-sha512": (RSAPublicKey, hashes.SHA512()),
    f"{_MORE}ecdsa-sha256": (ec.EllipticCurvePublicKey, hashes.SHA256()),
    f"{_MORE}ecdsa-sha384": (ec.EllipticCurvePublicKey, hashes.SHA384()),
    f"{_MORE}ecdsa-sha512": (ec.EllipticCurvePublicKey, hashes.SHA512()),
}
_DIGEST_METHODS: dict[str, Callable[[bytes], "hashlib._Hash"]] = {
    "http://www.w3.org/2001/04/xmlenc#sha256": hashlib.sha256,
    f"{_MORE}sha384": hashlib.sha384,
    "http://www.w3.org/2001/04/xmlenc#sha512": hashlib.sha512,
}


KNOWN_METHODS = tuple(method.rpartition("#")[2] for method in _SIGNATURE_METHODS)
"""What people call the signature methods that are accepted."""


@dataclass(frozen=True)
class SignatureForm:
    """What a well-formed signature says. Nothing of it has been verified."""

    signed_info: Element
    signed_info_prefixes: tuple[str, ...]
    signature_method: str
    value: bytes
    element_prefixes: tuple[str, ...]
    digest_method: str
    digest: bytes


@dataclass(frozen=True)
class CheckedValue:
    """A signature value, the bytes that it is over, and whose it is: enough to ask the same of other keys."""

    method: str
    value: bytes
    signed: bytes
    """The canonical ``SignedInfo``."""
    key: PublicKey | None
    """The pinned key that made it; None: none of them did."""

    def is_by(self, keys: Sequence[PublicKey]) -> bool:
        """Tell whether one of these keys made the value. What it is a signature of is not looked at."""
        if self.key in keys:
            return True
        try:
            _check_value(self.method, self.value, self.signed, _find_usable(self.method, keys))
        except (SAMLAlgorithm, SAMLSignatureInvalid):
            return False
        return True


def verify_enveloped(
    parent: Element, keys: Sequence[PublicKey], limits: Limits = MESSAGE, witness: Witness | None = None
) -> Element:
    """Return what the signature that stands directly in ``parent`` covers, parsed from the bytes that were signed.

    ``limits`` are those of the document. The signature is taken out of ``parent``. ``witness`` is told the value
    and the key that made it. Raises one of the leaves of ``BadSignature``.
    """
    signature = find_first(parent, SIGNATURE)
    if signature is None:
        raise SAMLSignatureForm("no signature")
    form = read_form(signature, parent.get("ID"))
    check_value(form, keys, witness)
    _cut(signature)
    canonical = canonicalize(parent, form.element_prefixes)
    check_digest(form, canonical)
    return parse_canonical(canonical, limits)


def read_form(signature: Element, parent_id: str | None) -> SignatureForm:
    """Return the parts of a signature that has the one accepted form; compute nothing.

    Raises SAMLSignatureForm, -Reference, SAMLTransform, SAMLCanonicalization or SAMLAlgorithm.
    """
    signed_info, value, *_ = _children(signature, "SignedInfo", "SignatureValue", optional="KeyInfo")
    method, signature_method, reference = _children(
        signed_info, "CanonicalizationMethod", "SignatureMethod", "Reference"
    )
    transforms, digest_method, digest = _children(reference, "Transforms", "DigestMethod", "DigestValue")

    if parent_id is None or _attribute(reference, "URI", SAMLSignatureReference) != f"#{parent_id}":
        raise SAMLSignatureReference("the reference is not to the element in which the signature stands")
    if _attribute(method, "Algorithm", SAMLCanonicalization) != _EXCLUSIVE:
        raise SAMLCanonicalization("SignedInfo is not canonicalized exclusively")
    for element in (signature_method, digest_method, value, digest):
        if len(element):
            raise SAMLSignatureForm("a child where there is none")

    return SignatureForm(
        signed_info=signed_info,
        signed_info_prefixes=_read_prefixes(method),
        signature_method=_algorithm(signature_method, _SIGNATURE_METHODS),
        value=_decode(value),
        element_prefixes=_read_transforms(transforms),
        digest_method=_algorithm(digest_method, _DIGEST_METHODS),
        digest=_decode(digest),
    )


def check_value(form: SignatureForm, keys: Sequence[PublicKey], witness: Witness | None = None) -> None:
    """One of ``keys`` signed the canonical ``SignedInfo``; ``witness`` is told which.

    Raises SAMLAlgorithm if none of them fits the method or is long enough, else SAMLSignatureInvalid.
    """
    method, signed, key = form.signature_method, canonicalize(form.signed_info, form.signed_info_prefixes), None
    try:
        key = _check_value(method, form.value, signed, _find_usable(method, keys))
    finally:
        if witness is not None:
            witness(CheckedValue(method, form.value, signed, key))


def check_detached(method: str, value: bytes, signed: bytes, keys: Sequence[PublicKey]) -> None:
    """One of ``keys`` signed these bytes, to which no XML signature belongs (Bindings 3.4.4.1).

    Raises SAMLAlgorithm if the method is unknown, or none of the keys fits it, else SAMLSignatureInvalid.
    """
    if method not in _SIGNATURE_METHODS:
        raise SAMLAlgorithm(ascii(method[:100]))
    _check_value(method, value, signed, _find_usable(method, keys))


def _find_usable(method: str, keys: Sequence[PublicKey]) -> list[PublicKey]:
    key_type, _ = _SIGNATURE_METHODS[method]
    usable = [key for key in keys if isinstance(key, key_type) and is_strong(key)]
    if not usable:
        raise SAMLAlgorithm("no key of the provider fits the signature method")
    return usable


def _check_value(method: str, value: bytes, signed: bytes, keys: Sequence[PublicKey]) -> PublicKey:
    _, digest = _SIGNATURE_METHODS[method]
    for key in keys:
        if _verifies(key, value, signed, digest):
            return key
    raise SAMLSignatureInvalid("not by a key of the provider")


def check_digest(form: SignatureForm, canonical: bytes) -> None:
    """The digest that was signed is that of ``canonical``. Raises SAMLSignatureInvalid."""
    if not hmac.compare_digest(_DIGEST_METHODS[form.digest_method](canonical).digest(), form.digest):
        raise SAMLSignatureInvalid("the content is not what was signed")


def canonicalize(element: Element, inclusive_prefixes: Sequence[str]) -> bytes:
    """Return an element in exclusive canonical form without comments. Raises SAMLCanonicalization."""
    try:
        canonical: bytes = etree.tostring(
            element,
            method="c14n",
            exclusive=True,
            with_comments=False,
            inclusive_ns_prefixes=inclusive_prefixes,
        )
    except etree.C14NError as error:
        raise SAMLCanonicalization("no canonical form") from error
    if not canonical:
        raise SAMLCanonicalization("empty canonical form")
    return canonical


def is_strong(key: object) -> bool:
    """Tell whether a key is RSA of at least 2,048 bits, or on one of the curves P-256, P-384 and P-521."""
    if isinstance(key, RSAPublicKey):
        return key.key_size >= _RSA_MIN_BITS
    return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _EC_CURVES)


def _verifies(key: PublicKey, value: bytes, signed: bytes, digest: hashes.HashAlgorithm) -> bool:
    try:
        if isinstance(key, RSAPublicKey):
            key.verify(value, signed, PKCS1v15(), digest)
        else:
            key.verify(_encode_ecdsa(value, key), signed, ec.ECDSA(digest))
    except InvalidSignature:
        return False
    return True


def _encode_ecdsa(value: bytes, key: ec.EllipticCurvePublicKey) -> bytes:
    """Turn the two numbers that XML-DSig writes side by side (RFC 6931 2.3.6) into the DER that OpenSSL reads."""
    half = (key.key_size + 7) // 8
    if len(value) != 2 * half:
        raise InvalidSignature
    return encode_dss_signature(int.from_bytes(value[:half], "big"), int.from_bytes(value[half:], "big"))


def list_methods(signature: Element) -> list[str]:
    """Return the methods that a signature names, whatever else it may be: only to be shown."""
    named = signature.iter(f"{_DS}SignatureMethod", f"{_DS}DigestMethod")
    return [name_method(method.get("Algorithm", "")) for method in named]


def name_method(algorithm: str) -> str:
    """Return the part of an algorithm's address that people know it by."""
    return algorithm.rpartition("#")[2]


def _cut(signature: Element) -> None:
    """Take the signature out of its parent, but leave the text behind it, which is part of what was signed."""
    parent, previous = signature.getparent(), signature.getprevious()
    if signature.tail:
        if previous is None:
            parent.text = (parent.text or "") + signature.tail
        else:
            previous.tail = (previous.tail or "") + signature.tail
    parent.remove(signature)


def _children(element: Element, *names: str, optional: str | None = None) -> list[Element]:
    """Return the children if they are exactly these, with nothing but white space between them."""
    children = list(element)
    found = [child.tag for child in children]
    expected = [_DS + name for name in names]
    if found not in (expected, [*expected, f"{_DS}{optional}"]):
        raise SAMLSignatureForm(f"{element.tag.rpartition('}')[2]} with other children")
    if not is_blank(element.text) or not all(is_blank(child.tail) for child in children):
        raise SAMLSignatureForm(f"text in {element.tag.rpartition('}')[2]}")
    return children


def _attribute(element: Element, name: str, refusal: type[Exception]) -> str:
    """Return the value of the only attribute that an element may have."""
    if element.keys() != [name]:
        raise refusal(f"{element.tag.rpartition('}')[2]} without, or with more than, {name}")
    value: str = element.get(name)
    return value


def _algorithm(element: Element, known: Mapping[str, object]) -> str:
    algorithm = _attribute(element, "Algorithm", SAMLSignatureForm)
    if algorithm not in known:
        raise SAMLAlgorithm(ascii(algorithm[:100]))
    return algorithm


def _read_transforms(transforms: Element) -> tuple[str, ...]:
    """Return the inclusive prefixes, if the transforms are exactly enveloped signature, exclusive canonicalization."""
    children = list(transforms)
    algorithms = [_attribute(child, "Algorithm", SAMLTransform) for child in children]
    if [child.tag for child in children] != [f"{_DS}Transform"] * 2 or algorithms != [_ENVELOPED, _EXCLUSIVE]:
        raise SAMLTransform(ascii(algorithms)[:200])
    if len(children[0]):
        raise SAMLTransform("a child in the enveloped-signature transform")
    return _read_prefixes(children[1])


def _read_prefixes(method: Element) -> tuple[str, ...]:
    """Return the PrefixList of exclusive canonicalization; without one, nothing."""
    if not len(method):
        return ()
    if [child.tag for child in method] != [_INCLUSIVE_NAMESPACES]:
        raise SAMLTransform("a child other than InclusiveNamespaces")
    prefixes = tuple(_attribute(method[0], "PrefixList", SAMLTransform).split())
    if len(prefixes) > _MAX_PREFIXES or "#default" in prefixes:
        raise SAMLTransform("more prefixes than honest, or #default, which lxml cannot render")
    return prefixes


def _decode(element: Element) -> bytes:
    """Return the base64 content, in which line breaks and blanks are usual."""
    try:
        return base64.b64decode("".join((element.text or "").split()), validate=True)
    except ValueError as error:
        raise SAMLSignatureForm(f"{element.tag.rpartition('}')[2]} is not base64") from error
