"""How logout messages arrive: in the query of a redirect, signed beside the XML, or as a form field, signed within it.

In a query, the signature is over the parameters as they were written, in the prescribed order. Decoding them and
encoding them again gives other bytes for many honest senders, and for a dishonest one perhaps other parameters than
those that are read (CVE-2025-27773). So nothing is decoded before it is known that each parameter is there once, and
nothing is inflated before it is known who signed. SAML Bindings 3.4.4.1 and 3.5.4; threat SAML-30.
"""

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote, unquote_plus

from bridge.errors import SAMLBase64, SAMLEncoding, SAMLLogoutBinding, SAMLNotXML, SAMLTooLarge, SAMLUnsigned
from bridge.identity.saml.document import MESSAGE, Element, decode_base64, parse_untrusted
from bridge.identity.saml.elements import ISSUER
from bridge.identity.saml.signature import SIGNATURE, PublicKey, check_detached, verify_enveloped

MAX_QUERY_CHARACTERS = 16_384
MAX_RELAY_STATE_BYTES = 80
"""Bindings 3.4.3. A longer one is not returned."""

_MESSAGES = ("SAMLRequest", "SAMLResponse")
_OURS = frozenset({*_MESSAGES, "RelayState", "SigAlg", "Signature", "SAMLEncoding"})
_DEFLATE = "urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE"


@dataclass(frozen=True)
class QuerySignature:
    """A signature over a query."""

    method: str
    value: bytes
    signed: bytes
    """The parameters as they were written, in the prescribed order."""


@dataclass(frozen=True)
class LogoutMessage:
    """A message taken out of its binding, of which nothing is known to be true."""

    parameter: Literal["SAMLRequest", "SAMLResponse"]
    encoded: str
    relay_state: str | None
    signature: QuerySignature | None
    """None: it came by POST, and the signature is within."""


def read_query(query: bytes) -> LogoutMessage:
    """Return the message in the query string of a GET, which must be the raw one.

    Raises SAMLLogoutBinding if a parameter comes twice, is missing or is written in a second way, SAMLUnsigned without
    a signature, SAMLEncoding or SAMLBase64 if a value cannot be decoded.
    """
    if len(query) > MAX_QUERY_CHARACTERS:
        raise SAMLTooLarge(f"a query of {len(query)} bytes")
    try:
        pairs = [part.partition("=")[::2] for part in query.decode("ascii").split("&")]
        # A name that is only ours once it is decoded is one that the next program may take for ours.
        named = [(name, value) for name, value in pairs if unquote_plus(name, errors="strict") in _OURS]
    except UnicodeDecodeError as error:
        raise SAMLEncoding("a query that is not ASCII, or not UTF-8 once it is decoded") from error
    raw = dict(named)
    if len(raw) != len(named) or raw.keys() - _OURS:
        raise SAMLLogoutBinding("a parameter twice, or in an unusual spelling")
    parameter = _find_message(raw)
    if not raw.get("Signature") or not raw.get("SigAlg"):
        raise SAMLUnsigned("a query without Signature or SigAlg")
    if unquote(raw.get("SAMLEncoding", _DEFLATE)) != _DEFLATE:
        raise SAMLLogoutBinding("another encoding than DEFLATE")
    order = (parameter, "RelayState", "SigAlg")
    signature = QuerySignature(
        method=unquote(raw["SigAlg"]),
        value=_decode(unquote(raw["Signature"])),
        signed="&".join(f"{name}={raw[name]}" for name in order if name in raw).encode(),
    )
    try:
        relay_state = unquote_plus(raw["RelayState"], errors="strict") if "RelayState" in raw else None
    except UnicodeDecodeError as error:
        raise SAMLEncoding("a RelayState that is not UTF-8") from error
    return LogoutMessage(parameter, unquote(raw[parameter]), relay_state, signature)


def read_form(form: Sequence[tuple[str, str]]) -> LogoutMessage:
    """Return the message in a posted form. Raises SAMLLogoutBinding if a field comes twice or is missing."""
    ours = [(name, value) for name, value in form if name in {*_MESSAGES, "RelayState"}]
    fields = dict(ours)
    if len(fields) != len(ours):
        raise SAMLLogoutBinding("a field twice")
    parameter = _find_message(fields)
    return LogoutMessage(parameter, fields[parameter], fields.get("RelayState"), None)


def verify_message(message: LogoutMessage, root: str, keys: Sequence[PublicKey]) -> Element:
    """Return the root element, called ``root``, of a message that one of ``keys`` signed: read nothing else.

    Raises the leaves of ``Malformed`` and ``BadSignature``, or SAMLLogoutBinding.
    """
    if message.signature is not None:
        signature = message.signature
        check_detached(signature.method, signature.value, signature.signed, keys)
        document = parse_untrusted(inflate(_decode(message.encoded)))
        _check_root(document, root)
        if any(True for _ in document.iter("{*}Signature")):
            raise SAMLLogoutBinding("a signature within a message that came by redirect")
        return document
    document = parse_untrusted(decode_base64(message.encoded))
    _check_root(document, root)
    signatures = list(document.iter("{*}Signature"))
    if not signatures:
        raise SAMLUnsigned("the message is not signed")
    previous = signatures[0].getprevious()
    if (
        len(signatures) > 1
        or signatures[0].tag != SIGNATURE
        or signatures[0].getparent() is not document
        or (previous is not None and previous.tag != ISSUER)
    ):
        raise SAMLLogoutBinding("several signatures, or one that is not right after the issuer")
    return verify_enveloped(document, keys)


def inflate(deflated: bytes) -> bytes:
    """Return what was deflated (RFC 1951, without a header): all of it, and no more than a message may have.

    A few kB can inflate to many MB. Raises SAMLTooLarge or SAMLNotXML.
    """
    decompress = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    try:
        inflated = decompress.decompress(deflated, MESSAGE.document_bytes + 1)
    except zlib.error as error:
        raise SAMLNotXML("not deflated") from error
    if len(inflated) > MESSAGE.document_bytes:
        raise SAMLTooLarge("a message that inflates to more than any honest one")
    if not decompress.eof or decompress.unused_data:
        raise SAMLNotXML("deflated data that ends too early, or goes on behind its end")
    return inflated


def _find_message(parameters: dict[str, str]) -> Literal["SAMLRequest", "SAMLResponse"]:
    if "SAMLRequest" in parameters and "SAMLResponse" in parameters:
        raise SAMLLogoutBinding("a request and a response at once")
    for name in _MESSAGES:
        if parameters.get(name):
            return name  # type: ignore[return-value]  # one of the two names
    raise SAMLLogoutBinding("neither SAMLRequest nor SAMLResponse")


def _check_root(document: Element, root: str) -> None:
    if document.tag != root:
        raise SAMLLogoutBinding(f"root {ascii(document.tag)[:200]}")


def _decode(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded.replace("\r", "").replace("\n", ""), validate=True)
    except ValueError as error:
        raise SAMLBase64("not strict base64") from error
