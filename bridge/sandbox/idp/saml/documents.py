"""Reading XML that others wrote; nothing else in the sandbox provider parses any."""

from typing import Any

from lxml import etree

from bridge.sandbox.idp.refusals import Refused

MAXIMUM_BYTES = 256 * 1024


def parse_document(data: bytes) -> Any:
    """Return the root element of a plain document: no DOCTYPE, comment or processing instruction, nothing fetched.

    Comments are refused, because text that is split by one reads differently in different programs.
    """
    if len(data) > MAXIMUM_BYTES:
        raise Refused("saml_too_large", "The XML document is too large.")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise Refused("saml_not_xml", "This is not a well-formed XML document.") from error
    tree = root.getroottree()
    if tree.docinfo.doctype:
        raise Refused("saml_dtd", "The XML document has a DOCTYPE.")
    if any(not isinstance(node.tag, str) for node in (*root.iter(), *root.itersiblings(preceding=True))):
        raise Refused("saml_comment_or_pi", "The XML document has a comment or a processing instruction.")
    return root
