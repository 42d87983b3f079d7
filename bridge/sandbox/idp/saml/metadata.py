"""The provider's own metadata."""

from datetime import datetime, timedelta

from lxml import etree
from lxml.builder import ElementMaker

from bridge.clock import format_utc
from bridge.sandbox.idp.saml.names import (
    EMAIL_FORMAT,
    METADATA,
    PERSISTENT_FORMAT,
    POST_BINDING,
    PROTOCOL,
    REDIRECT_BINDING,
    XMLDSIG,
)

VALIDITY = timedelta(days=30)

_MD = ElementMaker(namespace=METADATA, nsmap={"md": METADATA, "ds": XMLDSIG})
_DS = ElementMaker(namespace=XMLDSIG, nsmap={"ds": XMLDSIG})


def build_metadata(entity_id: str, sso_url: str, certificate: bytes, now: datetime) -> bytes:
    """Return the document that service providers need (SAML Metadata 2.4.3); ``certificate`` is PEM."""
    body = "".join(line for line in certificate.decode().splitlines() if not line.startswith("-----"))
    key = _DS.KeyInfo(_DS.X509Data(_DS.X509Certificate(body)))
    descriptor = _MD.IDPSSODescriptor(
        _MD.KeyDescriptor(key, use="signing"),
        _MD.NameIDFormat(PERSISTENT_FORMAT),
        _MD.NameIDFormat(EMAIL_FORMAT),
        _MD.SingleSignOnService(Binding=REDIRECT_BINDING, Location=sso_url),
        _MD.SingleSignOnService(Binding=POST_BINDING, Location=sso_url),
        protocolSupportEnumeration=PROTOCOL,
        WantAuthnRequestsSigned="true",
    )
    document = _MD.EntityDescriptor(descriptor, entityID=entity_id, validUntil=format_utc(now + VALIDITY))
    data: bytes = etree.tostring(document, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    return data
