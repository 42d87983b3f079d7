"""What Alibaba Cloud registers about us: SAML metadata, and the OIDC discovery document with its keys.

The current key signs; the next one is published already, and the previous one still, so that a rotation needs no
moment at which both sides change at once.
"""

import base64
from collections.abc import Sequence
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from joserfc.jwk import RSAKey
from lxml import etree

from bridge.keys import SigningKey

_MD = "urn:oasis:names:tc:SAML:2.0:metadata"
_DS = "http://www.w3.org/2000/09/xmldsig#"
_REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"


def entity_id(public_url: str) -> str:
    """Return our SAML entity ID towards Alibaba Cloud, which is also where that metadata stands."""
    return f"{public_url}/cloud/saml/metadata"


def describe_us(public_url: str, keys: Sequence[SigningKey]) -> bytes:
    """Return the metadata that stands at our entity ID; ``keys`` are the published ones of ``saml-issuer``."""
    return build_saml_metadata(entity_id(public_url), f"{public_url}/sign-in", keys)


def build_saml_metadata(entity_id: str, sign_in_url: str, keys: Sequence[SigningKey]) -> bytes:
    """Return our identity-provider metadata, to be registered in RAM (SAML Metadata 2.4.3).

    Args:
        entity_id: the ``Issuer`` of our responses.
        sign_in_url: where a console sign-in page sends people: the portal.
        keys: the keys whose certificates to publish, the current one first.
    """
    entity = etree.Element(f"{{{_MD}}}EntityDescriptor", nsmap={"md": _MD, "ds": _DS}, entityID=entity_id)
    role = etree.SubElement(
        entity,
        f"{{{_MD}}}IDPSSODescriptor",
        WantAuthnRequestsSigned="false",
        protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol",
    )
    for key in keys:
        descriptor = etree.SubElement(role, f"{{{_MD}}}KeyDescriptor", use="signing")
        data = etree.SubElement(etree.SubElement(descriptor, f"{{{_DS}}}KeyInfo"), f"{{{_DS}}}X509Data")
        certificate = base64.b64encode(key.certificate.public_bytes(Encoding.DER)).decode("ascii")
        etree.SubElement(data, f"{{{_DS}}}X509Certificate").text = certificate
    name_id_format = etree.SubElement(role, f"{{{_MD}}}NameIDFormat")
    name_id_format.text = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
    etree.SubElement(role, f"{{{_MD}}}SingleSignOnService", Binding=_REDIRECT, Location=sign_in_url)
    document: bytes = etree.tostring(entity, encoding="UTF-8", xml_declaration=True, pretty_print=True)
    return document


def build_discovery(issuer: str, jwks_url: str) -> dict[str, Any]:
    """Return our discovery document as an issuer of tokens for the cloud (OIDC Discovery 3).

    People never sign in here by OIDC, so the document names no working authorization endpoint.
    """
    return {
        "issuer": issuer,
        "jwks_uri": jwks_url,
        "authorization_endpoint": f"{issuer}/sign-in",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "jti"],
    }


def build_jwks(keys: Sequence[SigningKey]) -> dict[str, Any]:
    """Return the public keys of our tokens (RFC 7517)."""
    return {
        "keys": [
            {
                **RSAKey.import_key(key.private_key.public_key()).as_dict(private=False),
                "kid": key.id,
                "use": "sig",
                "alg": "RS256",
            }
            for key in keys
        ]
    }
