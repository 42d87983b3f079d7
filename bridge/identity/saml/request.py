"""Asking: our AuthnRequest for both bindings, and the metadata by which providers know us.

The metadata and the enveloped signature are python3-saml's. The request itself is built here: python3-saml writes
addresses into XML without escaping them, takes the time from the operating system, and asks for passwords by default.

SAML Core 3.4; Bindings 3.4 and 3.5; Metadata 2.4.4.
"""

import base64
import re
import secrets
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, urlsplit
from xml.sax.saxutils import escape

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from lxml import etree
from onelogin.saml2.metadata import OneLogin_Saml2_Metadata
from onelogin.saml2.utils import OneLogin_Saml2_Utils

from bridge.clock import format_utc
from bridge.identity.saml.document import METADATA, parse_untrusted
from bridge.identity.saml.elements import AUTHN_CONTEXT_CLASS_REF, ISSUER, NAME_ID, SUBJECT
from bridge.keys import SigningKey

_PROTOCOL = "urn:oasis:names:tc:SAML:2.0:protocol"
_REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
_POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
_UNSPECIFIED = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
_EMAIL_ADDRESS = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
_RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"

_MD = "{urn:oasis:names:tc:SAML:2.0:metadata}"
_DS = "{http://www.w3.org/2000/09/xmldsig#}"
_CONTENT_ENCRYPTION = ("http://www.w3.org/2009/xmlenc11#aes256-gcm", "http://www.w3.org/2009/xmlenc11#aes128-gcm")
_CBC_ENCRYPTION = ("http://www.w3.org/2001/04/xmlenc#aes256-cbc", "http://www.w3.org/2001/04/xmlenc#aes128-cbc")
_KEY_TRANSPORT = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"


@dataclass(frozen=True)
class AuthnRequest:
    """A request as XML, and the ID that its answer must name."""

    id: str
    xml: bytes


@dataclass(frozen=True)
class Redirect:
    """Send the browser there."""

    url: str
    request_id: str


@dataclass(frozen=True)
class PostForm:
    """Let the browser post these fields there."""

    url: str
    fields: Mapping[str, str]
    request_id: str


def build_authn_request(
    *,
    sp_entity_id: str,
    acs_url: str,
    sso_url: str,
    name_id_format: str | None,
    now: datetime,
    requested_authn_contexts: Sequence[str] = (),
    force_authn: bool = False,
    subject: str | None = None,
) -> AuthnRequest:
    """Return an unsigned request for an answer by POST at ``acs_url``. Its ID has 160 random bits (Core 1.3.4).

    ``subject`` is an e-mail address that somebody typed: a hint, so the answer may be about anybody.

    A provider may ignore what is asked of it, so the answer is checked for all of it.
    """
    request_id = f"_{secrets.token_hex(20)}"
    request = etree.Element(
        f"{{{_PROTOCOL}}}AuthnRequest",
        {
            "ID": request_id,
            "Version": "2.0",
            "IssueInstant": format_utc(now),
            "Destination": sso_url,
            "ProtocolBinding": _POST,
            "AssertionConsumerServiceURL": acs_url,
        },
        nsmap={"samlp": _PROTOCOL, "saml": ISSUER[1:].partition("}")[0]},
    )
    etree.SubElement(request, ISSUER).text = sp_entity_id
    if subject is not None:
        name_id = etree.SubElement(etree.SubElement(request, SUBJECT), NAME_ID, {"Format": _EMAIL_ADDRESS})
        name_id.text = subject
    policy = etree.SubElement(request, f"{{{_PROTOCOL}}}NameIDPolicy", {"AllowCreate": "true"})
    if name_id_format is not None:
        policy.set("Format", name_id_format)
    if force_authn:
        request.set("ForceAuthn", "true")
    if requested_authn_contexts:
        contexts = etree.SubElement(request, f"{{{_PROTOCOL}}}RequestedAuthnContext", {"Comparison": "exact"})
        for context in requested_authn_contexts:
            etree.SubElement(contexts, AUTHN_CONTEXT_CLASS_REF).text = context
    return AuthnRequest(id=request_id, xml=etree.tostring(request))


def build_redirect(
    request: AuthnRequest, sso_url: str, relay_state: str | None, key: SigningKey, parameter: str = "SAMLRequest"
) -> Redirect:
    """Return the signed message as an address. The signature is over the query as it is written (Bindings 3.4.4.1)."""
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    deflated = deflate.compress(request.xml) + deflate.flush()
    query = "&".join(
        f"{name}={quote(value, safe='')}"
        for name, value in (
            (parameter, base64.b64encode(deflated).decode()),
            ("RelayState", relay_state),
            ("SigAlg", _RSA_SHA256),
        )
        if value is not None
    )
    signature = key.private_key.sign(query.encode(), PKCS1v15(), hashes.SHA256())
    separator = "&" if urlsplit(sso_url).query else "?"
    url = f"{sso_url}{separator}{query}&Signature={quote(base64.b64encode(signature), safe='')}"
    return Redirect(url=url, request_id=request.id)


def build_post_form(
    request: AuthnRequest, sso_url: str, relay_state: str | None, key: SigningKey, parameter: str = "SAMLRequest"
) -> PostForm:
    """Return the message, with an enveloped signature, as form fields (Bindings 3.5.4)."""
    private_key = key.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    certificate = key.certificate.public_bytes(Encoding.PEM).decode()
    signed = OneLogin_Saml2_Utils.add_sign(request.xml.decode(), private_key, certificate)
    fields = {parameter: base64.b64encode(signed).decode()}
    if relay_state is not None:
        fields["RelayState"] = relay_state
    return PostForm(url=sso_url, fields=fields, request_id=request.id)


def build_sp_metadata(
    *,
    entity_id: str,
    acs_url: str,
    slo_url: str,
    name_id_format: str | None,
    certificates: Sequence[x509.Certificate],
    encryption_certificates: Sequence[x509.Certificate] = (),
    encryption_cbc: bool = False,
) -> bytes:
    """Return our metadata: one ACS, signed requests, signed assertions wanted, logout by two bindings, our keys.

    ``certificates`` are of the keys that we sign with, ``encryption_certificates`` of those to encrypt for, each with
    the algorithms that we open, the best one first.
    It is valid as long as the first certificate, since many providers read it once and keep it.
    """
    service_provider = {
        "entityId": _escape(entity_id),
        "assertionConsumerService": {"url": _escape(acs_url), "binding": _POST},
        "singleLogoutService": {"url": _escape(slo_url), "binding": _REDIRECT},
        "NameIDFormat": _escape(name_id_format or _UNSPECIFIED),
    }
    metadata = OneLogin_Saml2_Metadata.builder(
        service_provider,
        authnsign=True,
        wsign=True,
        valid_until=format_utc(certificates[0].not_valid_after_utc),
        cache_duration="PT24H",
    )
    # python3-saml knows one binding; the element for the other one stands right behind it.
    one = re.search(r"<md:SingleLogoutService\b[^>]*/>", metadata)
    if one is not None:
        metadata = metadata.replace(one[0], f"{one[0]}\n        {one[0].replace(_REDIRECT, _POST)}")
    for certificate in reversed(certificates):
        pem = certificate.public_bytes(Encoding.PEM).decode()
        metadata = OneLogin_Saml2_Metadata.add_x509_key_descriptors(metadata, pem, add_encryption=False)
    return _add_encryption(bytes(metadata), encryption_certificates, cbc=encryption_cbc)


def _add_encryption(metadata: bytes, certificates: Sequence[x509.Certificate], *, cbc: bool) -> bytes:
    """Add the keys to encrypt for behind those that verify (Metadata 2.4.1.1)."""
    if not certificates:
        return metadata
    root = parse_untrusted(metadata, METADATA)
    for place, certificate in enumerate(certificates, len(root.findall(f".//{_MD}KeyDescriptor"))):
        descriptor = etree.Element(f"{_MD}KeyDescriptor", {"use": "encryption"})
        data = etree.SubElement(etree.SubElement(descriptor, f"{_DS}KeyInfo"), f"{_DS}X509Data")
        encoded = base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()
        etree.SubElement(data, f"{_DS}X509Certificate").text = encoded
        for algorithm in (*_CONTENT_ENCRYPTION, *(_CBC_ENCRYPTION if cbc else ()), _KEY_TRANSPORT):
            etree.SubElement(descriptor, f"{_MD}EncryptionMethod", {"Algorithm": algorithm})
        root.find(f"{_MD}SPSSODescriptor").insert(place, descriptor)
    written: bytes = etree.tostring(root)
    return written


def _escape(text: str) -> str:
    return escape(text, {'"': "&quot;"})
