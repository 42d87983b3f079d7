"""Reads the metadata of a SAML identity provider: its entity ID and the certificates that its signatures may use."""

import base64
import binascii
import textwrap
from dataclasses import dataclass

from lxml import etree

from bridge.sts_wire.reply import build_fault

METADATA = "{urn:oasis:names:tc:SAML:2.0:metadata}"
SIGNATURE = "{http://www.w3.org/2000/09/xmldsig#}"


@dataclass(frozen=True)
class IdPMetadata:
    """What an account knows about a SAML identity provider."""

    entity_id: str
    certificates: tuple[str, ...]
    """PEM."""


def parse_idp_metadata(document: bytes) -> IdPMetadata:
    """Read metadata that describes exactly one identity provider with at least one signing certificate.

    Raises ``AuthenticationFail.IDPMetadata.Invalid``.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(document, parser)
        entity_id = root.get("entityID", "") if root.tag == f"{METADATA}EntityDescriptor" else ""
        certificates = tuple(
            _write_pem(element.text or "")
            for key in root.iterfind(f"{METADATA}IDPSSODescriptor/{METADATA}KeyDescriptor")
            if key.get("use", "signing") == "signing"
            for element in key.iter(f"{SIGNATURE}X509Certificate")
        )
    except (etree.XMLSyntaxError, binascii.Error, ValueError) as error:
        raise build_fault("AuthenticationFail.IDPMetadata.Invalid") from error
    if not entity_id or not certificates or root.getroottree().docinfo.doctype:
        raise build_fault("AuthenticationFail.IDPMetadata.Invalid")
    return IdPMetadata(entity_id, certificates)


def _write_pem(encoded: str) -> str:
    body = base64.b64encode(base64.b64decode("".join(encoded.split()), validate=True)).decode()
    lines = "\n".join(textwrap.wrap(body, 64))
    return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"
