"""SAML metadata as RAM keeps it: whether it is ours, and what people compare in it."""

from dataclasses import dataclass
from typing import Any

from lxml import etree


@dataclass(frozen=True)
class Registered:
    """What counts of a metadata document."""

    entity_id: str
    certificates: tuple[str, ...]
    """Base64 of the DER, without spaces."""


def read_metadata(document: bytes) -> Registered | None:
    """Return whose metadata it is and with which certificates; None if it cannot be read."""
    root = _parse(document)
    if root is None:
        return None
    texts = tuple("".join((each.text or "").split()) for each in root.iter("{*}X509Certificate"))
    return Registered(root.get("entityID", ""), texts)


def same_metadata(one: bytes, other: bytes) -> bool:
    """Whether two documents say the same, whatever their spaces (C14N 2.0)."""
    return one == other or (_canonical(one) is not None and _canonical(one) == _canonical(other))


def describe_metadata(document: bytes) -> list[str]:
    """Return the lines by which people compare: the entity ID, and the certificates by their beginnings and ends."""
    found = read_metadata(document)
    if found is None:
        return ["no readable metadata"]
    return [f"entity ID: {found.entity_id}"] + [f"certificate: {shorten(each)}" for each in found.certificates]


def shorten(certificate: str) -> str:
    """Return the ends of a certificate; all of ours begin alike."""
    return f"{certificate[:12]}…{certificate[-16:]}"


def _canonical(document: bytes) -> str | None:
    root = _parse(document)
    if root is None:
        return None
    canonical: str = etree.canonicalize(etree.tostring(root, encoding="unicode"), strip_text=True)
    return canonical


def _parse(document: bytes) -> Any:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True)
    try:
        return etree.fromstring(document, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None
