"""Fuzzes the SAML response: the form field, the document, and what the provider itself signs or encrypts.

The first byte of an input says what the rest is:

- 0: the form field, as text
- 1: the document, as it came
- 2: a response whose assertion the provider signs as it is
- 3: the same, and the provider signs the response as well
- 4: what is encrypted for us in a response that the provider signs
- 5: an ``EncryptedAssertion`` in such a response

Nobody but the provider says who somebody is: what is accepted from 0 and 1 must be what the honest message says.
"""

import atheris

with atheris.instrument_imports(include=["bridge.identity"]):
    from bridge.identity.saml.response import verify_response

import base64
import random
from dataclasses import replace
from typing import Any

from lxml import etree

from bridge.attack.saml import cases_document, cases_encryption, cases_signature, cases_statement
from bridge.attack.saml.corpus import CASES
from bridge.attack.saml.encryption import EncryptionOptions, encrypt
from bridge.attack.saml.messages import DECRYPTION_KEYS, MORE, NS, Draft, SignatureOptions, make_key, sign
from tests.fuzz.harness import MAX_BYTES, Judge, fuzz
from tests.fuzz.xml_changes import VALUES, parse, spoil

FILES = (cases_document, cases_encryption, cases_signature, cases_statement)
KEY = make_key("fuzz", "p256")
OPTIONS = SignatureOptions(key=KEY, signature_method=f"{MORE}ecdsa-sha256")
HONEST = Draft(options=OPTIONS)
EXPECTED = replace(HONEST.expected, keys=(KEY.public_key(),))
IDENTITY = verify_response(HONEST.encode(), EXPECTED)
FIELD, DOCUMENT, SIGNED, SIGNED_TWICE, PLAINTEXT, ENCRYPTED = range(6)
_judge = Judge()


def test_one(content: bytes) -> None:
    """Judge one input."""
    if not content:
        return
    kind, rest = content[0] % 6, content[1:]
    field = build_field(kind, rest)
    if field is None:
        return
    identity = _judge.judge(lambda: verify_response(field, EXPECTED))
    if identity is not None and kind in {FIELD, DOCUMENT}:
        assert identity == IDENTITY, "somebody else than the provider was believed"


def build_field(kind: int, rest: bytes) -> str | None:  # noqa: PLR0911  one for each kind
    """Return the form field that an input means; None if it means nothing."""
    if kind == FIELD:
        return rest.decode("latin-1")
    if kind == DOCUMENT:
        return base64.b64encode(rest).decode()
    if kind == PLAINTEXT:
        return _write(_encrypted_response(EncryptionOptions(plaintext=lambda _: rest)))
    root = parse(rest)
    if root is None:
        return None
    try:
        if kind == ENCRYPTED:
            return _write(_encrypted_response(EncryptionOptions(tree=lambda _: root)))
        assertion = root.find(".//saml:Assertion", NS)
        if assertion is not None:
            sign(assertion, OPTIONS)
        if kind == SIGNED_TWICE:
            sign(root, OPTIONS)
    except (ValueError, TypeError, etree.C14NError):
        return None  # cannot be signed, so nobody did
    return _write(root)


def _encrypted_response(options: EncryptionOptions) -> Any:
    root = Draft(signed="none").root
    encrypt(root.find("saml:Assertion", NS), options, make_key(DECRYPTION_KEYS[0]).public_key())
    sign(root, OPTIONS)
    return root


def _write(root: Any) -> str:
    return base64.b64encode(etree.tostring(root)).decode()


def seeds() -> list[bytes]:
    """Return the honest message in every form, and every hostile one of the corpus."""
    honest = etree.tostring(HONEST.root)
    assertion = etree.tostring(HONEST.assertion, with_tail=False)
    encrypted = _encrypted_response(EncryptionOptions()).find("saml:EncryptedAssertion", NS)
    found = [
        bytes([FIELD]) + HONEST.encode().encode(),
        bytes([DOCUMENT]) + HONEST.write(),
        bytes([SIGNED]) + honest,
        bytes([SIGNED_TWICE]) + honest,
        bytes([PLAINTEXT]) + assertion,
        bytes([ENCRYPTED]) + etree.tostring(encrypted),
    ]
    for case in CASES:
        draft = case.draft()
        case.spoil(draft)
        try:
            document = base64.b64decode(draft.encode())
        except ValueError:
            continue  # the fault is in the base64
        if len(document) < MAX_BYTES:
            found.append(bytes([DOCUMENT]) + document)
            found.append(bytes([SIGNED]) + etree.tostring(draft.root))
    return found


def change(content: bytes, source: random.Random) -> bytes:
    """Change the XML in an input."""
    if content[:1] and content[0] % 6 != FIELD:
        return content[:1] + spoil(content[1:], source)
    return atheris.Mutate(content, len(content) + 64)


if __name__ == "__main__":
    names = (
        "ID",
        "InResponseTo",
        "xmlns:saml=",
        "<saml:Assertion",
        "</saml:Assertion>",
        "<!--",
        "<?",
        "<!DOCTYPE",
        "<![CDATA[",
    )
    fuzz(
        test_one, seeds(), [value.encode() for value in (*VALUES, *names, *NS.values()) if 0 < len(value) < 60], change
    )
