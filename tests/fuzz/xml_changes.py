"""Changes one thing or a few in an XML document so that it stays one: what a careful attacker does, done blindly."""

import random
from copy import deepcopy
from typing import Any

from lxml import etree

VALUES = (
    *("", " ", "0", "1", "-1", "2.0", "1.1", "true", "_assertion1", "_response1", "_logout1", "#_assertion1", "#"),
    *("alice@example.com", "admin@example.com", "platform", "https://idp.example.com/saml", "https://evil.example/"),
    *("https://bridge.example.com/saml/corp/acs", "https://bridge.example.com/saml/corp/metadata"),
    *("9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "2026-03-02T09:00:00Z", "2026-03-02T09:00:00.9999999Z"),
    *("urn:oasis:names:tc:SAML:2.0:cm:bearer", "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"),
    *("urn:oasis:names:tc:SAML:2.0:nameid-format:transient", "urn:oasis:names:tc:SAML:2.0:status:Success"),
    *("é", "\u202eadmin", "admin\u200b", "\ud7ff", "x" * 2_000, "PT1H", "P9999Y", "AAAA", "A" * 341 + "="),
)


def parse(document: bytes) -> Any | None:
    """Return the root, or None if this is no XML."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    try:
        return etree.fromstring(document, parser)
    except etree.XMLSyntaxError:
        return None


def spoil(document: bytes, source: random.Random) -> bytes:
    """Return the document with one to three changes; what is no XML is returned as it is."""
    root = parse(document)
    if root is None:
        return document
    for _ in range(source.choice((1, 1, 1, 2, 3))):
        change(root, source)
    return etree.tostring(root)


def change(root: Any, source: random.Random) -> None:
    """Change one thing in the tree."""
    elements = [element for element in root.iter() if isinstance(element.tag, str)]
    target = source.choice(elements)
    other = source.choice(elements)
    kind = source.choice(("drop", "twice", "move", "wrap", "rename", "text", "tail", "attribute", "attribute", "swap"))
    parent = target.getparent()
    if kind == "text":
        target.text = source.choice((*VALUES, other.text or "", (target.text or "")[:-1]))
    elif kind == "tail" and parent is not None:
        target.tail = source.choice(VALUES)
    elif kind == "rename":
        target.tag = source.choice(
            (other.tag, etree.QName(target).localname, f"{{urn:x}}{etree.QName(target).localname}")
        )
    elif kind == "attribute":
        _change_attribute(target, other, source)
    elif parent is not None:
        _change_place(target, other, kind, source)


def _change_attribute(target: Any, other: Any, source: random.Random) -> None:
    names = list(target.attrib)
    if names and source.random() < 0.3:
        del target.attrib[source.choice(names)]
    elif names and source.random() < 0.6:
        name = source.choice(names)
        values = (*VALUES, *other.attrib.values(), target.attrib[name][:-1], target.attrib[name] + " ")
        target.attrib[name] = source.choice(values)
    else:
        target.set(
            source.choice((*other.attrib, "ID", "Id", "Format", "{urn:x}ID", "NotBefore", "Count")),
            source.choice(VALUES),
        )


def _change_place(target: Any, other: Any, kind: str, source: random.Random) -> None:
    parent = target.getparent()
    if kind == "drop":
        parent.remove(target)
    elif kind == "twice":
        parent.insert(parent.index(target) + source.choice((0, 1)), deepcopy(target))
    elif kind == "wrap":
        wrapper = etree.Element(source.choice((target.tag, other.tag, "x")))
        parent.replace(target, wrapper)
        wrapper.append(target)
    elif target not in other.iterancestors() and other is not target:
        if kind == "move":
            other.insert(source.randint(0, len(other)), target)
        else:
            parent.replace(target, deepcopy(other))
