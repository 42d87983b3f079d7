"""Fuzzes the other documents that a SAML provider sends: logout messages, by both bindings, and metadata.

The first byte of an input says what the rest is:

- 0: the query of a redirect, as it came
- 1: a document that the provider deflates and signs for the query
- 2: a document in a form, as it came
- 3: a document that the provider signs for the form
- 4: metadata, from a place that vouches for it
- 5: metadata that its publisher signs

Nobody but the provider ends a session: what is accepted from 0 and 2 must be what the honest request says.
"""

import atheris

with atheris.instrument_imports(include=["bridge.identity"]):
    from bridge.identity.saml.expected import Expected
    from bridge.identity.saml.logout import verify_logout_request, verify_logout_response
    from bridge.identity.saml.logout_binding import LogoutMessage, read_form, read_query
    from bridge.identity.saml.metadata import parse_idp_metadata

import base64
import random

from lxml import etree

from bridge.attack.saml.messages import (
    IDP,
    MORE,
    NOW,
    NS,
    SP,
    SignatureOptions,
    build_idp_metadata,
    make_certificate,
    make_key,
    make_provider,
    sign,
)
from tests.attacks.saml.logout_messages import SLO, Logout
from tests.fuzz.harness import Judge, fuzz
from tests.fuzz.xml_changes import VALUES, parse, spoil

KEY = make_key("fuzz", "p256")
METHOD = f"{MORE}ecdsa-sha256"
OPTIONS = SignatureOptions(key=KEY, signature_method=METHOD)
EXPECTED = Expected(make_provider(), (KEY.public_key(),), SP, SLO, None, NOW)
EXPECTED_ANSWER = Expected(make_provider(), (KEY.public_key(),), SP, SLO, "_ours", NOW)
REQUEST, RESPONSE = Logout(key=KEY), Logout(kind="LogoutResponse", key=KEY)
ENDED = verify_logout_request(read_query(REQUEST.query(algorithm=METHOD).encode()), EXPECTED)
QUERY, SIGNED_QUERY, FORM, SIGNED_FORM, METADATA, SIGNED_METADATA = range(6)
_judge = Judge()


def test_one(content: bytes) -> None:
    """Judge one input."""
    if not content:
        return
    kind, rest = content[0] % 6, content[1:]
    if kind in {SIGNED_FORM, SIGNED_METADATA}:
        signed = _signed(rest)
        if signed is None:
            return
        rest = signed
    accepted = _judge.judge(lambda: _verify(kind, rest))
    if kind in {QUERY, FORM}:
        assert accepted in {None, ENDED}, "somebody else than the provider was believed"


def _verify(kind: int, rest: bytes) -> object:
    match kind:
        case 0:
            return _verify_logout(read_query(rest))
        case 1:
            logout = REQUEST if b"Request" in rest[:200] else RESPONSE
            return _verify_logout(read_query(logout.query("state", algorithm=METHOD, xml=rest).encode()))
        case 2 | 3:
            parameter = "SAMLRequest" if b"Request" in rest[:200] else "SAMLResponse"
            return _verify_logout(read_form([(parameter, base64.b64encode(rest).decode())]))
        case 4:
            return parse_idp_metadata(rest, IDP, NOW)
        case _:
            return parse_idp_metadata(rest, IDP, NOW, KEY.public_key())


def _verify_logout(message: LogoutMessage) -> object:
    if message.parameter == "SAMLResponse":
        return verify_logout_response(message, EXPECTED_ANSWER)
    return verify_logout_request(message, EXPECTED)


def _signed(document: bytes) -> bytes | None:
    root = parse(document)
    if root is None:
        return None
    try:
        sign(root, OPTIONS)
    except (ValueError, TypeError, etree.C14NError):
        return None  # cannot be signed, so nobody did
    return etree.tostring(root)


def seeds() -> list[bytes]:
    """Return the honest message of each kind."""
    metadata = build_idp_metadata(make_certificate("idp"), make_certificate("ec", "p256"))
    root = etree.fromstring(metadata)
    root.set("ID", "_metadata1")
    root.set("validUntil", "2026-03-09T09:00:00Z")
    root.set("cacheDuration", "P1DT2H")
    documents = [etree.tostring(logout.root) for logout in (REQUEST, RESPONSE)]
    found = [bytes([QUERY]) + logout.query("state", algorithm=METHOD).encode() for logout in (REQUEST, RESPONSE)]
    found += [bytes([kind]) + document for kind in (SIGNED_QUERY, FORM, SIGNED_FORM) for document in documents]
    found += [bytes([FORM]) + REQUEST.signed_xml(signature_method=METHOD)]
    return [
        *found,
        bytes([METADATA]) + metadata,
        *(bytes([kind]) + etree.tostring(root) for kind in (METADATA, SIGNED_METADATA)),
    ]


def change(content: bytes, source: random.Random) -> bytes:
    """Change the XML in an input."""
    if content[:1] and content[0] % 6 != QUERY:
        return content[:1] + spoil(content[1:], source)
    return atheris.Mutate(content, len(content) + 64)


if __name__ == "__main__":
    names = (
        "SAMLRequest=",
        "&SAMLResponse=",
        "&RelayState=",
        "&SigAlg=",
        "&Signature=",
        "SAMLEncoding=",
        "%00",
        "%",
        "+",
    )
    fuzz(
        test_one, seeds(), [value.encode() for value in (*VALUES, *names, *NS.values()) if 0 < len(value) < 60], change
    )
