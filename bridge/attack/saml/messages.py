"""SAML responses as an honest provider writes them, from throw-away keys. A test changes the one thing it is about.

The signer here shares no code with the verifier: it makes whatever signature a test asks for, sound or not.
"""

import base64
import hashlib
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from lxml import etree

from bridge.attack.saml.encryption import EncryptionOptions, encrypt
from bridge.identity.providers import SAMLProvider
from bridge.identity.saml.response import Expected
from bridge.keys import SigningKey

IDP = "https://idp.example.com/saml"
SP = "https://bridge.example.com/saml/corp/metadata"
ACS = "https://bridge.example.com/saml/corp/acs"
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
REQUEST_ID = "_4fee3b046395c4e751011e97f8900b5273d56685"
PASSWORD = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
MFA = "https://refeds.org/profile/mfa"
EMAIL = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
DECRYPTION_KEYS = ("decryption", "decryption-next", "decryption-previous")
"""The names of the service provider's keys: current, next and previous."""
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"

NS = {
    "samlp": "urn:oasis:names:tc:SAML:2.0:protocol",
    "saml": "urn:oasis:names:tc:SAML:2.0:assertion",
    "md": "urn:oasis:names:tc:SAML:2.0:metadata",
    "ds": "http://www.w3.org/2000/09/xmldsig#",
    "xs": "http://www.w3.org/2001/XMLSchema",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
}
ENVELOPED = f"{NS['ds']}enveloped-signature"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
MORE = "http://www.w3.org/2001/04/xmldsig-more#"
RSA_SHA256 = f"{MORE}rsa-sha256"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"

_HASHES: dict[str, Any] = {
    "sha1": hashes.SHA1,
    "md5": hashes.MD5,
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}


def at(seconds: float) -> str:
    """Write the moment so many seconds after NOW."""
    return (NOW + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def make_key(name: str, kind: str = "rsa2048") -> Any:
    """Return the throw-away private key of this name: the same one each time within a run."""
    return _make_key(name, kind)


@cache
def _make_key(name: str, kind: str) -> Any:  # noqa: ARG001  the cache keeps a key for each
    curves: dict[str, Any] = {"p256": ec.SECP256R1, "p384": ec.SECP384R1, "p521": ec.SECP521R1, "k1": ec.SECP256K1}
    if kind in curves:
        return ec.generate_private_key(curves[kind]())
    return rsa.generate_private_key(public_exponent=65537, key_size=int(kind.removeprefix("rsa")))


@cache
def make_certificate(
    name: str, kind: str = "rsa2048", not_before: datetime = NOW - timedelta(days=30), days: int = 400
) -> x509.Certificate:
    """Return a self-signed certificate for the key of this name."""
    key = make_key(name, kind)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "idp.example.com")])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_before + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )


def make_signing_key(name: str = "sp") -> SigningKey:
    """Return a throw-away key with its certificate, as the service holds its own."""
    return SigningKey(id=name, private_key=make_key(name), certificate=make_certificate(name))


def make_provider(configured: SAMLProvider | None = None, **changes: Any) -> SAMLProvider:
    """Return a provider that is called as here, with these settings, and the rest as somebody configured it."""
    settings = {} if configured is None else configured.model_dump()
    names = {"name": "corp", "title": "Corp", "protocol": "saml", "entity_id": IDP, "metadata": "idp.xml"}
    return SAMLProvider.model_validate(settings | names | changes)


def certificate_base64(certificate: x509.Certificate) -> str:
    """Return a certificate as XML carries it."""
    return base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()


def element(tag: str, text: str | None = None, **attributes: str) -> Any:
    """Return a new element: ``element("saml:Audience", "https://…")``."""
    prefix, _, local_name = tag.partition(":")
    new = etree.Element(f"{{{NS[prefix]}}}{local_name}", attributes, nsmap={prefix: NS[prefix]})
    new.text = text
    return new


@dataclass
class SignatureOptions:
    """How to sign; the defaults are what nearly every provider does."""

    key: Any = None
    certificate: x509.Certificate | None = None
    signature_method: str = RSA_SHA256
    digest_method: str = SHA256
    canonicalization: str = EXCLUSIVE
    transforms: tuple[str, ...] = (ENVELOPED, EXCLUSIVE)
    prefixes: str | None = None
    """The PrefixList of the canonicalization of the element."""
    method_prefixes: str | None = None
    """The PrefixList of the canonicalization of SignedInfo: legitimate and rare."""
    uri: str | None = None
    key_info: str | None = None
    """XML instead of the certificate; an empty string leaves KeyInfo out."""


def sign(target: Any, options: SignatureOptions) -> Any:
    """Put a signature right behind the issuer of ``target``, or first; return the signature."""
    key = options.key if options.key is not None else make_key("idp")
    certificate = options.certificate or make_certificate("idp")
    inclusive = options.prefixes.split() if options.prefixes else None
    digest = _hash(options.digest_method, _canonicalize(target, inclusive))
    key_info = options.key_info
    if key_info is None:
        key_info = (
            f"<ds:X509Data><ds:X509Certificate>{certificate_base64(certificate)}</ds:X509Certificate></ds:X509Data>"
        )
    prefix_list = _prefix_list(options.prefixes)
    transforms = "".join(
        f'<ds:Transform Algorithm="{uri}">{prefix_list if uri == EXCLUSIVE else ""}</ds:Transform>'
        for uri in options.transforms
    )
    uri = options.uri if options.uri is not None else f"#{target.get('ID')}"
    signature = etree.fromstring(
        f'<ds:Signature xmlns:ds="{NS["ds"]}"><ds:SignedInfo>'
        f'<ds:CanonicalizationMethod Algorithm="{options.canonicalization}">{_prefix_list(options.method_prefixes)}'
        "</ds:CanonicalizationMethod>"
        f'<ds:SignatureMethod Algorithm="{options.signature_method}"/>'
        f'<ds:Reference URI="{uri}"><ds:Transforms>{transforms}</ds:Transforms>'
        f'<ds:DigestMethod Algorithm="{options.digest_method}"/>'
        f"<ds:DigestValue>{base64.b64encode(digest).decode()}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
        f"<ds:SignatureValue/>{f'<ds:KeyInfo>{key_info}</ds:KeyInfo>' if key_info else ''}</ds:Signature>"
    )
    issuer = target.find("saml:Issuer", NS)
    target.insert(0 if issuer is None else 1, signature)
    sign_again(signature, key, options)
    return signature


def sign_again(signature: Any, key: Any, options: SignatureOptions) -> None:
    """Compute SignatureValue anew over SignedInfo as it stands now."""
    inclusive = options.method_prefixes.split() if options.method_prefixes else None
    signed = _canonicalize(signature.find("ds:SignedInfo", NS), inclusive)
    algorithm = _HASHES.get(options.signature_method.rpartition("-")[2], hashes.SHA256)()
    if isinstance(key, ec.EllipticCurvePrivateKey):
        half = (key.key_size + 7) // 8
        value = b"".join(n.to_bytes(half, "big") for n in decode_dss_signature(key.sign(signed, ec.ECDSA(algorithm))))
    elif isinstance(key, bytes):
        value = hashlib.sha256(key + signed).digest()
    else:
        value = key.sign(signed, padding.PKCS1v15(), algorithm)
    signature.find("ds:SignatureValue", NS).text = base64.b64encode(value).decode()


def _prefix_list(prefixes: str | None) -> str:
    return f'<InclusiveNamespaces xmlns="{EXCLUSIVE}" PrefixList="{prefixes}"/>' if prefixes is not None else ""


def _canonicalize(target: Any, inclusive: list[str] | None) -> bytes:
    canonical: bytes = etree.tostring(target, method="c14n", exclusive=True, inclusive_ns_prefixes=inclusive)
    return canonical


def _hash(method: str, content: bytes) -> bytes:
    name = method.rpartition("#")[2].rpartition("-")[2]
    return hashlib.new(name if name in _HASHES else "sha256", content).digest()


_RESPONSE = """<samlp:Response xmlns:samlp="{samlp}" xmlns:saml="{saml}" ID="_response1" Version="2.0"
 IssueInstant="{now}" Destination="{acs}" InResponseTo="{request_id}"><saml:Issuer>{idp}</saml:Issuer>
 <samlp:Status><samlp:StatusCode Value="{success}"/></samlp:Status>
 <saml:Assertion xmlns:xs="{xs}" xmlns:xsi="{xsi}" ID="_assertion1" Version="2.0" IssueInstant="{now}">
  <saml:Issuer>{idp}</saml:Issuer>
  <saml:Subject>
   <saml:NameID Format="{email}">alice@example.com</saml:NameID>
   <saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">
    <saml:SubjectConfirmationData NotOnOrAfter="{end}" Recipient="{acs}" InResponseTo="{request_id}"/>
   </saml:SubjectConfirmation>
  </saml:Subject>
  <saml:Conditions NotBefore="{now}" NotOnOrAfter="{end}">
   <saml:AudienceRestriction><saml:Audience>{sp}</saml:Audience></saml:AudienceRestriction>
  </saml:Conditions>
  <saml:AuthnStatement AuthnInstant="{now}" SessionIndex="_session1" SessionNotOnOrAfter="{session_end}">
   <saml:AuthnContext><saml:AuthnContextClassRef>{password}</saml:AuthnContextClassRef></saml:AuthnContext>
  </saml:AuthnStatement>
  <saml:AttributeStatement>
   <saml:Attribute Name="mail" FriendlyName="e-mail">
    <saml:AttributeValue xsi:type="xs:string">alice@example.com</saml:AttributeValue>
   </saml:Attribute>
   <saml:Attribute Name="groups">{groups}</saml:Attribute>
  </saml:AttributeStatement>
 </saml:Assertion></samlp:Response>"""


@dataclass
class Draft:
    """A response in the making. Change ``root`` before it is signed, or register what happens to it afterwards."""

    signed: str = "assertion"
    """``assertion``, ``response``, ``both`` or ``none``."""
    groups: tuple[str, ...] = ("platform", "staff")
    context: str = PASSWORD
    """The authentication context class."""
    provider: SAMLProvider = field(default_factory=make_provider)
    request_id: str | None = REQUEST_ID
    options: SignatureOptions = field(default_factory=SignatureOptions)
    response_options: SignatureOptions | None = None
    """How the response is signed, if not like the assertion."""
    encryption: EncryptionOptions | None = None
    """How the assertion is encrypted, after its own signature and before that of the response."""
    expected: Expected = field(init=False)
    root: Any = field(init=False)
    _on_signed: list[Callable[[Any], Any]] = field(default_factory=list)
    _on_bytes: list[Callable[[bytes], bytes]] = field(default_factory=list)
    _on_text: list[Callable[[str], str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Write the valid message."""
        groups = "".join(
            f'<saml:AttributeValue xsi:type="xs:string">{group}</saml:AttributeValue>' for group in self.groups
        )
        self.root = etree.fromstring(
            _RESPONSE.format(
                **NS,
                now=at(0),
                end=at(300),
                session_end=at(8 * 3600),
                acs=ACS,
                request_id=self.request_id,
                idp=IDP,
                sp=SP,
                success=SUCCESS,
                email=EMAIL,
                password=self.context,
                groups=groups,
            )
        )
        if self.request_id is None:
            for answer in self.root.xpath("//*[@InResponseTo]"):
                del answer.attrib["InResponseTo"]
        self.expected = Expected(
            provider=self.provider,
            keys=(make_key("idp").public_key(),),
            sp_entity_id=SP,
            acs_url=ACS,
            request_id=self.request_id,
            now=NOW,
            asked_at=NOW if self.request_id else None,
            decryption_keys=tuple(make_key(name) for name in DECRYPTION_KEYS),
        )

    def find(self, path: str) -> Any:
        """Return the first element of a path, which may begin with ``//``: everything a test wants to change."""
        return self.root.xpath(path, namespaces=NS)[0]

    @property
    def assertion(self) -> Any:
        """The assertion, before it is signed."""
        return self.find("saml:Assertion")

    def expect(self, **changes: Any) -> None:
        """Change what the service provider expects."""
        self.expected = replace(self.expected, **changes)

    def after_signing(self, change: Callable[[Any], Any]) -> None:
        """Change the signed tree; what ``change`` returns, if anything, is the new root."""
        self._on_signed.append(change)

    def after_writing(self, change: Callable[[bytes], bytes]) -> None:
        """Change the document as bytes."""
        self._on_bytes.append(change)

    def after_encoding(self, change: Callable[[str], str]) -> None:
        """Change the base64 text."""
        self._on_text.append(change)

    def write(self) -> bytes:
        """Return the signed document."""
        root = deepcopy(self.root)
        assertion = root.find("saml:Assertion", NS)
        if self.signed in {"assertion", "both"} and assertion is not None:
            sign(assertion, self.options)
        if self.encryption is not None and assertion is not None:
            encrypt(assertion, self.encryption, make_key(DECRYPTION_KEYS[0]).public_key())
        if self.signed in {"response", "both"}:
            sign(root, self.response_options or self.options)
        for change in self._on_signed:
            changed = change(root)
            root = root if changed is None else changed
        document: bytes = etree.tostring(root)
        for change_bytes in self._on_bytes:
            document = change_bytes(document)
        return document

    def encode(self) -> str:
        """Return the form field."""
        text = base64.b64encode(self.write()).decode()
        for change in self._on_text:
            text = change(text)
        return text


def build_idp_metadata(
    *certificates: x509.Certificate,
    entity_id: str = IDP,
    sso: str = "https://idp.example.com/sso",
    role: str = "",
    slo: str = "",
) -> bytes:
    """Return the metadata of a provider with these signing certificates."""
    keys = "".join(
        f'<md:KeyDescriptor use="signing"><ds:KeyInfo><ds:X509Data>'
        f"<ds:X509Certificate>{certificate_base64(certificate)}</ds:X509Certificate>"
        f"</ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
        for certificate in certificates or (make_certificate("idp"),)
    )
    services = "".join(
        f'<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-{binding}" Location="{sso}"/>'
        for binding in ("Redirect", "POST")
    )
    services = slo + services
    return (
        f'<md:EntityDescriptor xmlns:md="{NS["md"]}" xmlns:ds="{NS["ds"]}" entityID="{entity_id}">'
        f'<md:IDPSSODescriptor protocolSupportEnumeration="{NS["samlp"]}">{keys}{services}</md:IDPSSODescriptor>'
        f"{role}</md:EntityDescriptor>"
    ).encode()
