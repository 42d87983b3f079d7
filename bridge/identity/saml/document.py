"""Parsing XML that a stranger wrote. Nothing else in Rambridge turns bytes into XML elements for reading.

Limits come before work: size and an upper bound of the number of elements are checked on the bytes, before the
parser sees them. So are encoding, DOCTYPE, comments and processing instructions, because a document that two
programs could read differently must not reach even one of them. This is safe on bytes only because the encoding
is settled first: in UTF-8 without NUL, ``<!`` and ``<?`` cannot be written in any other way.

XML 1.0; SAML Core 1.3.4 (identifiers); threats SAML-06, 07, 09, 13, 15, 16, 17.
"""

import binascii
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import TypeAlias
from xml.sax.saxutils import quoteattr

from lxml import etree

from bridge.errors import (
    SAMLDTD,
    SAMLBase64,
    SAMLCanonicalization,
    SAMLCommentOrPI,
    SAMLEncoding,
    SAMLId,
    SAMLNotXML,
    SAMLTooComplex,
    SAMLTooLarge,
)

Element: TypeAlias = etree._Element  # noqa: SLF001 - lxml gives its element class no other name


@dataclass(frozen=True)
class Limits:
    """How large a document may be, and whether it may hold comments and processing instructions."""

    document_bytes: int
    elements: int
    attributes: int
    """XML attributes and namespace declarations together."""
    comments: bool = False


MESSAGE = Limits(document_bytes=256 * 1024, elements=3_000, attributes=6_000)
METADATA = Limits(document_bytes=4 * 1024 * 1024, elements=60_000, attributes=240_000, comments=True)
MAX_DEPTH = 40
MAX_NAMESPACE_BYTES = 512

_BOM = b"\xef\xbb\xbf"
_DECLARATION = re.compile(
    rb"""<\?xml\s+version\s*=\s*(?P<v>["'])1\.0(?P=v)"""
    rb"""(?:\s+encoding\s*=\s*(?P<e>["'])utf-8(?P=e))?"""
    rb"""(?:\s+standalone\s*=\s*(?P<s>["'])(?:yes|no)(?P=s))?\s*\?>""",
    re.IGNORECASE,
)
_ANY_DECLARATION = re.compile(rb"<\?xml\s", re.IGNORECASE)
_MARKUP_DECLARATION = re.compile(rb"<!(?!\[CDATA\[|--)")
_COMMENT_OR_PI = re.compile(rb"<(?:!--|\?)")
_NAMESPACE = re.compile(rb"""xmlns(?::[^\s=:]*)?\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_XML_SPACE = " \t\r\n"
_NCNAME = re.compile(r"[^\W\d][\w.-]*")

_too_deep = etree.XPath("boolean(" + "/*" * (MAX_DEPTH + 1) + ")")
_count = etree.XPath("count(//*)")
_ids = etree.XPath("//@ID | //@Id", smart_strings=False)


class _Parsers(threading.local):
    """One parser per thread and kind: lxml's parsers lock, so threads that share one wait for each other."""

    def __init__(self) -> None:
        self.strict = _build_parser(keep_comments=True)
        self.lenient = _build_parser(keep_comments=False)


def _build_parser(*, keep_comments: bool) -> etree.XMLParser:
    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        recover=False,
        collect_ids=False,
        remove_comments=not keep_comments,
        remove_pis=not keep_comments,
    )


_parsers = _Parsers()


def decode_base64(encoded: str) -> bytes:
    """Return the bytes of a form field. Line breaks are allowed in it (SAML Bindings 3.5.4), nothing else is.

    Raises SAMLTooLarge before decoding, and SAMLBase64.
    """
    if len(encoded) > MESSAGE.document_bytes * 3 // 2:
        raise SAMLTooLarge(f"{len(encoded)} characters of base64")
    text = encoded.replace("\r", "").replace("\n", "")
    try:
        decoded = binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise SAMLBase64("not strict base64") from error
    if len(text) != -(-len(decoded) // 3) * 4:
        raise SAMLBase64("more padding than needed")
    if not decoded:
        raise SAMLBase64("empty")
    return decoded


def parse_untrusted(xml: bytes, limits: Limits = MESSAGE) -> Element:
    """Return the root element of a document that passed every check of this module.

    In a message, identifiers are unique. Metadata may hold comments and processing instructions; they are dropped, and
    the text around them is joined, so that a value is still read whole.

    Raises one of the SAML leaves of ``Malformed``.
    """
    check_size(xml, limits)
    xml = check_encoding(xml)
    check_no_dtd(xml)
    check_namespaces(xml)
    if not limits.comments:
        check_no_comments(xml)
    root = _parse(xml, _parsers.lenient if limits.comments else _parsers.strict)
    if root.getroottree().docinfo.doctype:
        raise SAMLDTD("a DOCTYPE that was not seen before parsing")
    check_complexity(root, limits)
    if not limits.comments:
        check_ids(root)
    return root


def parse_fragment(xml: bytes, namespaces: Mapping[str | None, str]) -> Element:
    """Return the one element that a stranger wrote, after every check that a whole message passes.

    ``namespaces`` are those in scope where the element belongs. Several providers encrypt an element without repeating
    the declarations above it (XML Encryption 4.4 reads it in its place), so it is parsed below an element that has
    them. A fragment that closes that element itself leaves a document that is not well-formed.

    Raises one of the SAML leaves of ``Malformed``.
    """
    check_size(xml, MESSAGE)
    xml = check_encoding(xml)
    check_no_dtd(xml)
    check_namespaces(xml)
    check_no_comments(xml)
    declared = "".join(
        f" xmlns{':' if prefix else ''}{prefix or ''}={quoteattr(uri)}" for prefix, uri in namespaces.items()
    )
    place = _parse(b"<place%b>%b</place>" % (declared.encode(), xml), _parsers.strict)
    check_complexity(place, MESSAGE)
    check_ids(place)
    if len(place) != 1 or (place.text or "").strip(_XML_SPACE) or (place[0].tail or "").strip(_XML_SPACE):
        raise SAMLNotXML("not exactly one element")
    return place[0]


def parse_canonical(canonical: bytes, limits: Limits = MESSAGE) -> Element:
    """Return the element that these canonical bytes, made from a parsed document and verified, write down.

    The document they come from passed :func:`parse_untrusted`, and canonical XML has no DOCTYPE and no other
    encoding than UTF-8. It can be longer, though: each element may have to repeat a namespace.
    """
    if len(canonical) > 2 * limits.document_bytes:
        raise SAMLTooLarge(f"{len(canonical)} bytes of canonical XML")
    return _parse(canonical, _parsers.strict)


def check_size(xml: bytes, limits: Limits) -> None:
    """The document is small. Without this, parsing alone could keep a worker busy. Raises SAMLTooLarge or -Complex."""
    if len(xml) > limits.document_bytes:
        raise SAMLTooLarge(f"{len(xml)} bytes")
    if xml.count(b"<") > 2 * limits.elements + 2:
        raise SAMLTooComplex(f"{xml.count(b'<')} tags")
    if xml.count(b"=") > limits.attributes:
        raise SAMLTooComplex(f"{xml.count(b'=')} attributes and namespace declarations")


def check_encoding(xml: bytes) -> bytes:
    """The document is UTF-8 and says nothing else; return it without byte order mark.

    Another encoding could hide a DOCTYPE from the checks that follow. Raises SAMLEncoding.
    """
    xml = xml.removeprefix(_BOM)
    try:
        xml.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SAMLEncoding("not UTF-8") from error
    if b"\x00" in xml:
        raise SAMLEncoding("NUL bytes: UTF-16 or UTF-32")
    if _ANY_DECLARATION.match(xml) and not _DECLARATION.match(xml):
        raise SAMLEncoding("an XML declaration other than version 1.0, encoding UTF-8")
    return xml


def check_no_dtd(xml: bytes) -> None:
    """There is no DOCTYPE and no entity declaration, not even a harmless one. Raises SAMLDTD.

    Entities can be made to grow, to read files and to fetch addresses; a DTD can declare attributes as IDs.
    """
    if _MARKUP_DECLARATION.search(xml):
        raise SAMLDTD("a markup declaration")


def check_no_comments(xml: bytes) -> None:
    """There are no comments and no processing instructions. Raises SAMLCommentOrPI.

    ``admin@corp<!---->.evil`` is ``admin@corp`` to a program that reads the first text node. CVE-2017-11427 and others.
    """
    declaration = _DECLARATION.match(xml)
    if _COMMENT_OR_PI.search(xml, declaration.end() if declaration else 0):
        raise SAMLCommentOrPI("a comment or processing instruction")


def check_namespaces(xml: bytes) -> None:
    """Every namespace is absolute and short. Raises SAMLCanonicalization.

    A relative one makes canonicalization fail, which one verifier took for an empty document (CVE-2025-66568); a long
    one makes canonical XML grow.
    """
    for double_quoted, single_quoted in set(_NAMESPACE.findall(xml)):
        namespace = double_quoted or single_quoted
        if namespace and (b":" not in namespace or len(namespace) > MAX_NAMESPACE_BYTES):
            raise SAMLCanonicalization("a relative or overlong namespace")


def check_complexity(root: Element, limits: Limits) -> None:
    """Depth and number of elements are those of an honest document. Raises SAMLTooComplex."""
    if _too_deep(root):
        raise SAMLTooComplex(f"deeper than {MAX_DEPTH}")
    if _count(root) > limits.elements:
        raise SAMLTooComplex(f"{_count(root):.0f} elements")


def check_ids(root: Element) -> None:
    """Identifiers are unqualified ``ID`` or ``Id``, NCNames, and unique. Raises SAMLId.

    With two elements of one ID, or ``x:ID`` or ``id`` beside ``ID``, two programs could mean different elements by one
    reference, and the one that was verified need not be the one that is read. SAML Core 1.3.4.
    """
    for name in set(chain.from_iterable(element.keys() for element in root.iter())):
        if name.rpartition("}")[2].lower() == "id" and name not in {"ID", "Id"}:
            raise SAMLId("an identifier in another attribute than ID or Id")
    identifiers = _ids(root)
    for identifier in identifiers:
        if not _NCNAME.fullmatch(identifier):
            raise SAMLId("an identifier that is no NCName")
    if len(set(identifiers)) != len(identifiers):
        raise SAMLId("an identifier that stands twice")


def _parse(xml: bytes, parser: etree.XMLParser) -> Element:
    try:
        return etree.fromstring(xml, parser)
    except etree.XMLSyntaxError as error:
        if error.code == etree.ErrorTypes.ERR_RESOURCE_LIMIT:
            raise SAMLTooComplex("a limit of the parser") from error
        raise SAMLNotXML("not well-formed") from error
