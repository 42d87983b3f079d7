"""SAML-26: encrypted assertions that no honest provider sends.

Two kinds of twin: ``ASSERTION`` is signed inside alone, as most providers do it, so that whoever holds a genuine
message can change its ciphertext; ``BOTH`` has a signature around the ciphertext as well.
"""

import base64
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from lxml import etree

from bridge.attack.saml.corpus import hostile, hostile_table
from bridge.attack.saml.encryption import (
    AES128_CBC,
    AES192_GCM,
    AES256_CBC,
    DS,
    MGF1_SHA512,
    OAEP,
    RSA_15,
    SHA512,
    TRIPLE_DES,
    XENC,
    EncryptionOptions,
)
from bridge.attack.saml.messages import NS, Draft, SignatureOptions, at, element, make_key
from bridge.errors import (
    SAMLAssertionCount,
    SAMLAudience,
    SAMLEncrypted,
    SAMLExpired,
    SAMLNotEncrypted,
    SAMLSignatureInvalid,
    SAMLSignaturePlace,
    SAMLStatus,
    SAMLUnsigned,
)

ASSERTION: dict[str, Any] = {"encryption": EncryptionOptions}
BOTH: dict[str, Any] = {"signed": "both", "encryption": EncryptionOptions}
RETRIEVAL: dict[str, Any] = {"encryption": lambda: EncryptionOptions(layout="retrieval")}
CBC: dict[str, Any] = {
    "signed": "both",
    "policy": {"encryption_cbc": True},
    "encryption": lambda: EncryptionOptions(content=AES256_CBC),
}

NAMES = {**NS, "xenc": XENC}


def find(root: Any, path: Any) -> Any:
    return root.xpath(path, namespaces=NAMES)[0]


def flip(content: bytes, place: int) -> bytes:
    changed = bytearray(content)
    changed[place] ^= 0x01
    return bytes(changed)


# ── What the settings say ────────────────────────────────────────────────────────────────────────────────────


@hostile("SAML-26", SAMLEncrypted, policy={"encryption": "refuse"})
def encrypted_where_it_is_refused(draft: Draft) -> None:
    draft.encryption = EncryptionOptions()


@hostile("SAML-26", SAMLNotEncrypted, policy={"encryption": "require"}, **ASSERTION)
def plain_where_encryption_is_required(draft: Draft) -> None:
    draft.encryption = None


# ── Encryption proves nothing ────────────────────────────────────────────────────────────────────────────────


@hostile("SAML-26", SAMLUnsigned, **ASSERTION)
def encrypted_but_unsigned(draft: Draft) -> None:
    """Anybody can encrypt for us. CVE-2024-4985 and CVE-2024-9487."""
    draft.signed = "none"


@hostile("SAML-26", SAMLSignatureInvalid, **ASSERTION)
def encrypted_and_signed_by_a_stranger(draft: Draft) -> None:
    draft.options = SignatureOptions(key=make_key("stranger"))


@hostile(
    "SAML-26",
    SAMLUnsigned,
    signed="both",
    policy={"signed": "assertion"},
    encryption=EncryptionOptions,
)
def unsigned_inside_where_the_assertion_must_be_signed(draft: Draft) -> None:
    draft.signed = "response"


@hostile(
    "SAML-26",
    SAMLUnsigned,
    signed="both",
    policy={"signed": "response"},
    encryption=EncryptionOptions,
)
def unsigned_outside_where_the_response_must_be_signed(draft: Draft) -> None:
    draft.signed = "assertion"


@hostile("SAML-26", SAMLSignatureInvalid, **ASSERTION)
def changed_before_encryption(draft: Draft) -> None:
    """A name changed after signing: hidden, but still not what was signed."""
    draft.encryption.plaintext = lambda xml: xml.replace(b"alice@", b"admin@")


@hostile("SAML-26", SAMLSignatureInvalid, **BOTH)
def other_ciphertext_under_a_response_signature(draft: Draft) -> None:
    """A forged assertion, well encrypted for us, in the place of the signed ciphertext."""
    forged = type(draft)(signed="none", encryption=EncryptionOptions())

    @draft.after_signing
    def swap(root: Any) -> Any:
        other = etree.fromstring(forged.write())
        root.replace(find(root, "saml:EncryptedAssertion"), find(other, "saml:EncryptedAssertion"))


@hostile("SAML-26", SAMLSignaturePlace, **ASSERTION)
def signature_deeper_inside(draft: Draft) -> None:
    draft.encryption.plaintext = lambda xml: xml.replace(b"<ds:Signature ", b"<saml:Advice><ds:Signature ").replace(
        b"</ds:Signature>", b"</ds:Signature></saml:Advice>"
    )


# ── What is beside it, and around it ─────────────────────────────────────────────────────────────────────────


@hostile("SAML-26", SAMLAssertionCount, **ASSERTION)
def plain_forgery_beside_the_encrypted_one(draft: Draft) -> None:
    draft.after_signing(lambda root: root.append(deepcopy(draft.assertion)))


@hostile("SAML-26", SAMLAssertionCount, **ASSERTION)
def plain_forgery_before_the_encrypted_one(draft: Draft) -> None:
    draft.after_signing(lambda root: find(root, "saml:EncryptedAssertion").addprevious(deepcopy(draft.assertion)))


@hostile("SAML-26", SAMLAssertionCount, **ASSERTION)
def plain_forgery_inside_the_encrypted_one(draft: Draft) -> None:
    draft.after_signing(lambda root: find(root, "saml:EncryptedAssertion").append(deepcopy(draft.assertion)))


@hostile("SAML-26", SAMLAssertionCount, **ASSERTION)
def twice(draft: Draft) -> None:
    """The same element a second time, with other identifiers."""

    def again(root: Any) -> Any:
        other = deepcopy(find(root, "saml:EncryptedAssertion"))
        for node in other.iter():
            node.attrib.pop("Id", None)
        root.append(other)

    draft.after_signing(again)


@hostile("SAML-26", SAMLAssertionCount, **ASSERTION)
def in_extensions(draft: Draft) -> None:
    def move(root: Any) -> Any:
        extensions = element("samlp:Extensions")
        find(root, "samlp:Status").addprevious(extensions)
        extensions.append(find(root, "saml:EncryptedAssertion"))

    draft.after_signing(move)


@hostile("SAML-26", SAMLStatus, **BOTH)
def beside_an_error(draft: Draft) -> None:
    draft.find("//samlp:StatusCode").set("Value", "urn:oasis:names:tc:SAML:2.0:status:Responder")


@hostile("SAML-26", SAMLAudience, **ASSERTION)
def for_another_service(draft: Draft) -> None:
    draft.find("//saml:Audience").text = "https://other.example.net"


@hostile("SAML-26", SAMLExpired, policy={"clock_skew_seconds": 60}, **ASSERTION)
def expired_inside(draft: Draft) -> None:
    draft.find("//saml:Conditions").set("NotBefore", at(-400))
    draft.find("//saml:Conditions").set("NotOnOrAfter", at(-100))


# ── Algorithms ───────────────────────────────────────────────────────────────────────────────────────────────


@hostile_table(
    "SAML-26",
    SAMLEncrypted,
    {
        "rsa_15": {"transport": RSA_15},
        "key_wrap": {"transport": f"{XENC}kw-aes256"},
        "digest_sha512": {"digest": SHA512},
        "mgf_sha512": {"transport": OAEP, "mgf": MGF1_SHA512},
        "mgf_of_the_older_kind": {"mgf": "http://www.w3.org/2009/xmlenc11#mgf1sha1"},
        "triple_des": {"content": TRIPLE_DES},
        "aes192": {"content": AES192_GCM},
        "aes128_cbc": {"content": AES128_CBC},
        "aes256_cbc": {"content": AES256_CBC},
        "unknown": {"content": "urn:rot13"},
    },
    policy={"encryption_cbc": False},
    **BOTH,
)
def algorithm(draft: Draft, changes: Any) -> None:
    """Bleichenbacher's RSA 1.5, 64-bit blocks, and ciphers that nothing holds together."""
    draft.encryption = EncryptionOptions(**changes)


@hostile("SAML-26", SAMLEncrypted, **CBC)
def cbc_without_a_signature_around_it(draft: Draft) -> None:
    """Whoever can change ciphertext and see an answer can read it (Jager and Somorovsky 2011)."""
    draft.signed = "assertion"


@hostile_table("SAML-26", SAMLSignatureInvalid, {"iv": 0, "first": 16, "last": -1}, **CBC)
def cbc_flipped_under_a_signature(draft: Draft, place: Any) -> None:
    def change(root: Any) -> Any:
        value = find(root, "saml:EncryptedAssertion/xenc:EncryptedData/xenc:CipherData/xenc:CipherValue")
        value.text = base64.b64encode(flip(base64.b64decode(value.text), place)).decode()

    draft.after_signing(change)


@hostile_table(
    "SAML-26",
    SAMLEncrypted,
    {"flipped": lambda c: flip(c, 20), "cut": lambda c: c[:-5], "one_block": lambda c: c[:16], "empty": lambda _: b""},
    **CBC,
)
def cbc_that_does_not_open(draft: Draft, change: Any) -> None:
    """Signed by the provider as it is, so it is no attack; but no other answer either."""
    draft.encryption.ciphertext = change


# ── Keys and ciphertexts that do not fit ─────────────────────────────────────────────────────────────────────


@hostile_table(
    "SAML-26",
    SAMLEncrypted,
    {
        "iv": lambda c: flip(c, 0),
        "first": lambda c: flip(c, 12),
        "middle": lambda c: flip(c, len(c) // 2),
        "tag": lambda c: flip(c, -1),
        "cut": lambda c: c[:-1],
        "longer": lambda c: c + b"\0",
        "iv_alone": lambda c: c[:12],
        "too_short": lambda c: c[:27],
        "empty": lambda _: b"",
    },
    **ASSERTION,
)
def ciphertext(draft: Draft, change: Any) -> None:
    draft.encryption.ciphertext = change


@hostile_table(
    "SAML-26",
    SAMLEncrypted,
    {
        "flipped": lambda w: flip(w, 100),
        "zero": lambda w: bytes(len(w)),
        "all_ones": lambda w: b"\xff" * len(w),
        "cut": lambda w: w[:-1],
        "longer": lambda w: w + b"\0",
        "empty": lambda _: b"",
    },
    **ASSERTION,
)
def wrapped_key(draft: Draft, change: Any) -> None:
    draft.encryption.wrapped_key = change


@hostile("SAML-26", SAMLEncrypted, **ASSERTION)
def for_a_strangers_key(draft: Draft) -> None:
    draft.encryption.key = make_key("stranger").public_key()


@hostile("SAML-26", SAMLEncrypted, **ASSERTION)
def for_a_key_that_is_gone(draft: Draft) -> None:
    draft.encryption.key = make_key("decryption-of-long-ago").public_key()


@hostile("SAML-26", SAMLEncrypted, **ASSERTION)
def content_key_of_another_length(draft: Draft) -> None:
    """RSA opens, but not to a key for AES-256: the same answer as if it had not opened."""
    draft.encryption.content_key = bytes(range(16))


@hostile("SAML-26", SAMLEncrypted, **ASSERTION)
def for_our_signing_key_of_the_provider(draft: Draft) -> None:
    """The provider's own key is public too."""
    draft.encryption.key = make_key("idp").public_key()


# ── Forms ────────────────────────────────────────────────────────────────────────────────────────────────────


def _text(path: Any, text: Any) -> Any:
    def change(tree: Any) -> Any:
        find(tree, path).text = text

    return change


def _child(path: str, name: str, **attributes: str) -> Callable[[Any], Any]:
    def change(tree: Any) -> Any:
        etree.SubElement(find(tree, path), name, attributes)

    return change


def _set(path: Any, name: Any, value: Any) -> Any:
    def change(tree: Any) -> Any:
        find(tree, path).set(name, value)

    return change


def _remove(path: Any) -> Any:
    def change(tree: Any) -> Any:
        node = find(tree, path)
        node.getparent().remove(node)

    return change


def _reference(path: Any) -> Any:
    """A place to fetch the value from, instead of the value."""

    def change(tree: Any) -> Any:
        value = find(tree, path)
        reference = etree.Element(f"{{{XENC}}}CipherReference", {"URI": "https://evil.example.com/x"})
        value.getparent().replace(value, reference)

    return change


def _keys(number: Any) -> Any:
    def change(tree: Any) -> Any:
        key = find(tree, "//xenc:EncryptedKey")
        for _ in range(number - 1):
            other = deepcopy(key)
            del other.attrib["Id"]
            key.addnext(other)

    return change


def _beside(tree: Any) -> Any:
    """The same key inside and beside."""
    key = deepcopy(find(tree, "//xenc:EncryptedKey"))
    del key.attrib["Id"]
    tree.append(key)


def _nested(tree: Any) -> Any:
    """Encrypted data in the place of the key's own value."""
    value = find(tree, "//xenc:EncryptedKey/xenc:CipherData/xenc:CipherValue")
    inner = deepcopy(find(tree, "xenc:EncryptedData"))
    for node in inner.iter():
        node.attrib.pop("Id", None)
    value.append(inner)


_DATA = "xenc:EncryptedData"
_KEY = "//xenc:EncryptedKey"


@hostile_table(
    "SAML-26",
    SAMLEncrypted,
    {
        "no_data": _remove(_DATA),
        "no_key": _remove(_KEY),
        "no_key_info": _remove("//ds:KeyInfo"),
        "two_keys": _keys(2),
        "hundred_keys": _keys(100),
        "key_inside_and_beside": _beside,
        "nested": _nested,
        "content_by_reference": _reference(f"{_DATA}/xenc:CipherData/xenc:CipherValue"),
        "key_by_reference": _reference(f"{_KEY}/xenc:CipherData/xenc:CipherValue"),
        "content_not_base64": _text(f"{_DATA}/xenc:CipherData/xenc:CipherValue", "!!!!"),
        "key_not_base64": _text(f"{_KEY}/xenc:CipherData/xenc:CipherValue", "AAA"),
        "text_between": _text(_DATA, "x"),
        "content_type": _set(_DATA, "Type", f"{XENC}Content"),
        "unknown_attribute": _set(_DATA, "Encoding", "https://x"),
        "recipient": _set(_KEY, "Recipient", "https://other.example.net"),
        "key_size": _child(f"{_DATA}/xenc:EncryptionMethod", f"{{{XENC}}}KeySize"),
        "label": _child(f"{_KEY}/xenc:EncryptionMethod", f"{{{XENC}}}OAEPparams"),
        "properties": _child(_DATA, f"{{{XENC}}}EncryptionProperties"),
        "retrieval_for_the_content_key": _child(
            f"{_KEY}/..", f"{{{DS}}}RetrievalMethod", URI="https://evil.example.com"
        ),
        "unknown_child": _child(".", "{urn:x}Anything"),
    },
    **ASSERTION,
)
def form(draft: Draft, change: Any) -> None:
    """Not the form that honest providers send: nothing is computed, and nothing fetched."""
    draft.encryption.tree = change


@hostile_table(
    "SAML-26",
    SAMLEncrypted,
    {
        "elsewhere": _set("//ds:RetrievalMethod", "URI", "https://evil.example.com/key"),
        "to_another_element": _set("//ds:RetrievalMethod", "URI", "#_response1"),
        "to_the_whole_document": _set("//ds:RetrievalMethod", "URI", ""),
        "by_xpointer": _set("//ds:RetrievalMethod", "URI", "#xpointer(/)"),
        "for_a_certificate": _set("//ds:RetrievalMethod", "Type", f"{DS}X509Data"),
        "with_transforms": _child("//ds:RetrievalMethod", f"{{{DS}}}Transforms"),
        "to_nothing": _remove(_KEY),
        "data_elsewhere": _set("//xenc:DataReference", "URI", "#_response1"),
        "by_a_key_of_its_own": _child(f"{_KEY}", f"{{{DS}}}KeyInfo"),
    },
    **RETRIEVAL,
)
def retrieval(draft: Draft, change: Any) -> None:
    draft.encryption.tree = change


@hostile("SAML-26", SAMLEncrypted, **ASSERTION)
def key_that_is_encrypted_by_another_key(draft: Draft) -> None:
    draft.encryption.key_hint = '<ds:RetrievalMethod URI="https://evil.example.com/key"/>'


# ── What is inside ───────────────────────────────────────────────────────────────────────────────────────────


@hostile_table(
    "SAML-26",
    SAMLEncrypted,
    {
        "nothing": lambda _: b"",
        "garbage": lambda _: bytes(range(256)),
        "text": lambda _: b"alice@example.com",
        "half": lambda xml: xml[: len(xml) // 2],
        "text_before": lambda xml: b"x" + xml,
        "text_behind": lambda xml: xml + b"x",
        "two": lambda xml: xml + xml.replace(b"_assertion1", b"_assertion2"),
        "doctype": lambda xml: b"<!DOCTYPE x>" + xml,
        "entity": lambda xml: b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + xml,
        "comment": lambda xml: xml.replace(b"alice@example.com<", b"alice@example.com<!-- -->.evil<"),
        "processing_instruction": lambda xml: xml.replace(b"alice", b"<?x?>alice"),
        "declaration": lambda xml: b'<?xml version="1.0"?>' + xml,
        "utf16": lambda xml: xml.decode().encode("utf-16"),
        "nul": lambda xml: xml + b"\0",
        "response": lambda xml: f'<samlp:Response xmlns:samlp="{NS["samlp"]}">'.encode() + xml + b"</samlp:Response>",
        "other_namespace": lambda xml: xml.replace(NS["saml"].encode(), b"urn:other"),
        "other_element": lambda xml: xml.replace(b"saml:Assertion", b"saml:Evidence"),
        "nested_assertion": lambda xml: xml.replace(
            b"<saml:Subject>", b"<saml:Advice>" + xml + b"</saml:Advice><saml:Subject>"
        ),
        "nested_encrypted": lambda xml: xml.replace(
            b"<saml:Subject>", b"<saml:Advice><saml:EncryptedAssertion/></saml:Advice><saml:Subject>"
        ),
        "identifier_twice": lambda xml: xml.replace(b"<saml:Subject>", b'<saml:Subject ID="_assertion1">'),
        "elements": lambda xml: xml.replace(b"<saml:Subject>", b"<saml:x/>" * 5_000 + b"<saml:Subject>"),
        "depth": lambda xml: xml.replace(b"<saml:Subject>", b"<x>" * 60 + b"</x>" * 60 + b"<saml:Subject>"),
        "relative_namespace": lambda xml: xml.replace(b"<saml:Subject>", b'<saml:Subject xmlns:r="relative">'),
        "breaks_out": lambda xml: xml + b"</place><place>" + xml,
        "opens_cdata": lambda xml: xml + b"<![CDATA[",
        "opens_an_element": lambda xml: xml + b"<place>",
    },
    **ASSERTION,
)
def plaintext(draft: Draft, change: Any) -> None:
    """The plaintext is a stranger's document too, and passes every check of one."""
    draft.encryption.plaintext = change


@hostile("SAML-26", SAMLEncrypted, encryption=lambda: EncryptionOptions(declared=False))
def prefix_that_means_something_else_there(draft: Draft) -> None:
    """The prefix of an element that does not declare it is read in its place; there it is another namespace."""
    draft.after_writing(
        lambda xml: (
            xml.replace(b"<saml:EncryptedAssertion", b'<s:EncryptedAssertion xmlns:saml="urn:other"')
            .replace(b"</saml:EncryptedAssertion", b"</s:EncryptedAssertion")
            .replace(b"<samlp:Response", f'<samlp:Response xmlns:s="{NS["saml"]}"'.encode())
        )
    )
