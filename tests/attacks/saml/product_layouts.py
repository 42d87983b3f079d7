"""Responses in the layouts of the products that companies run: prefixes, declarations, order, times, key information.

Each is written out as its product writes it, from documentation and captured messages, and then really signed. Nothing
here is ours: the names are those of the products' own defaults.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from lxml import etree

from bridge.attack.saml.encryption import (
    AES128_CBC,
    AES128_GCM,
    AES256_CBC,
    AES256_GCM,
    SHA1,
    EncryptionOptions,
    encrypt,
)
from bridge.attack.saml.messages import (
    ACS,
    DECRYPTION_KEYS,
    EXCLUSIVE,
    NOW,
    NS,
    REQUEST_ID,
    RSA_SHA256,
    SHA256,
    SP,
    at,
    certificate_base64,
    make_certificate,
    make_key,
    make_provider,
)
from bridge.identity.saml.expected import Expected

SAML, SAMLP, DS, XS, XSI = (NS[name] for name in ("saml", "samlp", "ds", "xs", "xsi"))
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
AC = "urn:oasis:names:tc:SAML:2.0:ac:classes"
EMAIL = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
UNSPECIFIED = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
ENTITY = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"
BASIC = "urn:oasis:names:tc:SAML:2.0:attrname-format:basic"
URI = "urn:oasis:names:tc:SAML:2.0:attrname-format:uri"
NO_FORMAT = "urn:oasis:names:tc:SAML:2.0:attrname-format:unspecified"
STATUS = "urn:oasis:names:tc:SAML:2.0:status:Success"
CLAIMS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims"
MICROSOFT = "http://schemas.microsoft.com"


def ms(seconds: float, fraction: str = "123") -> str:
    """Write a moment with a fraction of a second."""
    return f"{at(seconds)[:-1]}.{fraction}Z"


@dataclass
class Layout:
    """One message of a product, and what it means."""

    xml: str
    """The message; ``{response_signature}`` and ``{assertion_signature}`` stand where a signature belongs."""
    issuer: str
    subject: str
    claims: Mapping[str, list[str]]
    response_signature: str = ""
    assertion_signature: str = ""
    prefixes: str | None = None
    """The PrefixList of its signatures."""
    encryption: EncryptionOptions | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    """What the provider's file has to say."""
    request_id: str | None = REQUEST_ID
    declaration: str = ""
    """The XML declaration, if it has one."""

    def expected(self) -> Expected:
        return Expected(
            provider=make_provider(entity_id=self.issuer, **self.settings),
            keys=(make_key("idp").public_key(),),
            sp_entity_id=SP,
            acs_url=ACS,
            request_id=self.request_id,
            now=NOW,
            asked_at=NOW if self.request_id else None,
            decryption_keys=tuple(make_key(name) for name in DECRYPTION_KEYS),
        )

    def write(self) -> bytes:
        """Return the signed document."""
        text = self.xml.replace("{response_signature}", self.response_signature)
        root = etree.fromstring(text.replace("{assertion_signature}", self.assertion_signature))
        assertion = root.find(f"{{{SAML}}}Assertion")
        if self.assertion_signature:
            self._sign(root, assertion)
        if self.encryption is not None:
            encrypt(assertion, self.encryption, make_key(DECRYPTION_KEYS[0]).public_key())
        if self.response_signature:
            self._sign(root, root)
        return self.declaration.encode() + etree.tostring(root)

    def encode(self) -> str:
        return base64.b64encode(self.write()).decode()

    def _sign(self, root: Any, target: Any) -> None:
        """Fill in the signature that stands in the target (exclusive canonicalization, RSA with SHA-256)."""
        copy = deepcopy(root)
        place = copy if target is root else copy.find(f"{{{SAML}}}Assertion")
        signature = place.find(f"{{{DS}}}Signature")
        before, tail = signature.getprevious(), signature.tail or ""
        place.remove(signature)
        before.tail = (before.tail or "") + tail
        signature = target.find(f"{{{DS}}}Signature")
        reference = signature.find(f"{{{DS}}}SignedInfo/{{{DS}}}Reference")
        reference.set("URI", f"#{target.get('ID')}")
        digest = hashlib.sha256(self._canonicalize(place, self.prefixes)).digest()
        reference.find(f"{{{DS}}}DigestValue").text = base64.b64encode(digest).decode()
        signed = self._canonicalize(signature.find(f"{{{DS}}}SignedInfo"), None)
        value = make_key("idp").sign(signed, padding.PKCS1v15(), hashes.SHA256())
        signature.find(f"{{{DS}}}SignatureValue").text = base64.b64encode(value).decode()

    @staticmethod
    def _canonicalize(element: Any, prefixes: str | None) -> bytes:
        listed = prefixes.split() if prefixes else None
        return etree.tostring(element, method="c14n", exclusive=True, inclusive_ns_prefixes=listed, with_tail=False)


LAYOUTS: dict[str, Callable[[], Layout]] = {}
PRODUCTS = ("entra", "okta", "adfs", "keycloak", "shibboleth", "lemonldap", "google")


def layout(build: Callable[[], Layout]) -> Callable[[], Layout]:
    """Register a layout; its name begins with its product's."""
    assert build.__name__.startswith(PRODUCTS), build.__name__
    LAYOUTS[build.__name__] = build
    return build


def template(prefix: str = "ds", *, key_info: str = "", prefixes: str | None = None, ec: str = "ec") -> str:
    """Return a signature to be filled in, in the given prefix; empty: by a default namespace."""
    p, declared = (f"{prefix}:", f"xmlns:{prefix}") if prefix else ("", "xmlns")
    inclusive = ""
    if prefixes is not None:
        inclusive = f'<{ec}:InclusiveNamespaces xmlns:{ec}="{EXCLUSIVE}" PrefixList="{prefixes}"/>'
    return (
        f'<{p}Signature {declared}="{DS}"><{p}SignedInfo><{p}CanonicalizationMethod Algorithm="{EXCLUSIVE}"/>'
        f'<{p}SignatureMethod Algorithm="{RSA_SHA256}"/><{p}Reference URI=""><{p}Transforms>'
        f'<{p}Transform Algorithm="{DS}enveloped-signature"/>'
        f'<{p}Transform Algorithm="{EXCLUSIVE}">{inclusive}</{p}Transform></{p}Transforms>'
        f'<{p}DigestMethod Algorithm="{SHA256}"/><{p}DigestValue/></{p}Reference></{p}SignedInfo><{p}SignatureValue/>'
        f"{key_info}</{p}Signature>"
    )


def certificate(prefix: str = "ds", *, wrapped: bool = False) -> str:
    """Return the KeyInfo with the certificate, in lines of 76 where ``wrapped``."""
    p = f"{prefix}:" if prefix else ""
    text = certificate_base64(make_certificate("idp"))
    if wrapped:
        text = "\n" + "\n".join(text[start : start + 76] for start in range(0, len(text), 76)) + "\n"
    return f"<{p}KeyInfo><{p}X509Data><{p}X509Certificate>{text}</{p}X509Certificate></{p}X509Data></{p}KeyInfo>"


def key_value(prefix: str) -> str:
    """Return the public key itself, as KeyInfo's content."""
    p = f"{prefix}:" if prefix else ""
    numbers = make_key("idp").public_key().public_numbers()
    modulus = base64.b64encode(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")).decode()
    return (
        f"<{p}KeyValue><{p}RSAKeyValue><{p}Modulus>{modulus}</{p}Modulus><{p}Exponent>AQAB</{p}Exponent>"
        f"</{p}RSAKeyValue></{p}KeyValue>"
    )


def renamed(**prefixes: str) -> Callable[[Any], Any]:
    """Return what gives an EncryptedAssertion the product's own prefixes."""

    def rename(root: Any) -> Any:
        text = etree.tostring(root)
        for ours, theirs in prefixes.items():
            text = text.replace(f"{ours}:".encode(), f"{theirs}:".encode())
            text = text.replace(f"xmlns:{ours}=".encode(), f"xmlns:{theirs}=".encode())
        return etree.fromstring(text)

    return rename


# ── Entra ID ─────────────────────────────────────────────────────────────────────────────────────────────────
# Default namespaces redeclared per element, attributes before the AuthnStatement, an hour, dated back by five minutes.

ENTRA = "https://sts.windows.net/9c0d3a34-1f5e-4b7a-8f6a-2f1f1f4f8d11/"
ENTRA_GROUPS = ["0f3c1c1e-2a1d-4f0e-9a53-0a8ee8f5a001", "6a1b6f5e-77aa-4c83-8b51-6ac2a4d1b002"]
ENTRA_SIGNATURE = template("", key_info=certificate(""))


def entra(
    *, signed: str = "assertion", name_format: str = EMAIL, groups: list[str] | None = None, **more: Any
) -> Layout:
    groups = ENTRA_GROUPS if groups is None else groups
    claims = {
        f"{MICROSOFT}/identity/claims/tenantid": ["9c0d3a34-1f5e-4b7a-8f6a-2f1f1f4f8d11"],
        f"{MICROSOFT}/identity/claims/objectidentifier": ["d6f2f0f1-03cf-4a0d-8e7e-3f40f5a7d003"],
        f"{MICROSOFT}/identity/claims/displayname": ["林薇"],
        **({f"{MICROSOFT}/ws/2008/06/identity/claims/groups": groups} if groups else {}),
        f"{MICROSOFT}/identity/claims/identityprovider": [ENTRA],
        f"{MICROSOFT}/claims/authnmethodsreferences": [
            f"{MICROSOFT}/ws/2008/06/identity/authenticationmethod/password",
            f"{MICROSOFT}/claims/multipleauthn",
        ],
        f"{CLAIMS}/givenname": ["薇"],
        f"{CLAIMS}/surname": ["林"],
        f"{CLAIMS}/emailaddress": ["lin.wei@acme.example"],
        f"{CLAIMS}/name": ["lin.wei@acme.example"],
    }
    request_id = more.get("request_id", REQUEST_ID)
    answers = f' InResponseTo="{request_id}"' if request_id else ""
    attributes = "".join(
        f'<Attribute Name="{name}">'
        + "".join(f"<AttributeValue>{value}</AttributeValue>" for value in values)
        + "</Attribute>"
        for name, values in claims.items()
    )
    return Layout(
        xml=(
            f'<samlp:Response ID="_8e8dc5f6-9c2f-4f6b-8f0e-9d8f5b7a1c01" Version="2.0" IssueInstant="{ms(0)}" '
            f'Destination="{ACS}"{answers} xmlns:samlp="{SAMLP}"><Issuer xmlns="{SAML}">{ENTRA}</Issuer>'
            f'{{response_signature}}<samlp:Status><samlp:StatusCode Value="{STATUS}"/></samlp:Status>'
            f'<Assertion ID="_5b2c7b34-6a5e-4f0f-9a0e-0d3c8f7b2d00" IssueInstant="{ms(0, "120")}" Version="2.0" '
            f'xmlns="{SAML}"><Issuer>{ENTRA}</Issuer>{{assertion_signature}}<Subject>'
            f'<NameID Format="{name_format}">lin.wei@acme.example</NameID>'
            f'<SubjectConfirmation Method="{BEARER}"><SubjectConfirmationData{answers} '
            f'NotOnOrAfter="{ms(3600, "000")}" Recipient="{ACS}"/></SubjectConfirmation></Subject>'
            f'<Conditions NotBefore="{ms(-300, "000")}" NotOnOrAfter="{ms(3600, "000")}"><AudienceRestriction>'
            f"<Audience>{SP}</Audience></AudienceRestriction></Conditions>"
            f"<AttributeStatement>{attributes}</AttributeStatement>"
            f'<AuthnStatement AuthnInstant="{ms(-1200, "457")}" SessionIndex="_5b2c7b34-6a5e-4f0f-9a0e-0d3c8f7b2d00">'
            f"<AuthnContext><AuthnContextClassRef>{AC}:Password</AuthnContextClassRef></AuthnContext>"
            f"</AuthnStatement></Assertion></samlp:Response>"
        ),
        issuer=ENTRA,
        subject="lin.wei@acme.example",
        claims=claims,
        response_signature=ENTRA_SIGNATURE if signed in {"response", "both"} else "",
        assertion_signature=ENTRA_SIGNATURE if signed in {"assertion", "both"} else "",
        **more,
    )


@layout
def entra_assertion_signed():
    return entra()


@layout
def entra_response_signed():
    return entra(signed="response")


@layout
def entra_both_signed():
    return entra(signed="both")


@layout
def entra_persistent_name_without_groups():
    return entra(name_format=PERSISTENT, groups=[])


@layout
def entra_a_hundred_and_fifty_groups():
    return entra(groups=[f"{number:08x}-0000-4000-8000-000000000000" for number in range(150)])


@layout
def entra_from_my_apps():
    """IdP-initiated: no InResponseTo in either place."""
    return entra(request_id=None, settings={"idp_initiated": True})


@layout
def entra_token_encryption():
    """AES-256-CBC, which is all that Entra ID offers, in a signed response."""
    options = EncryptionOptions(content=AES256_CBC, digest=SHA1, tree=renamed(xenc="e"))
    return entra(signed="both", encryption=options, settings={"encryption_cbc": True})


# ── AD FS ────────────────────────────────────────────────────────────────────────────────────────────────────
# An issuer that is plain http, Consent, and a KeyInfo in a default namespace inside a prefixed signature.

ADFS = "http://adfs.acme.example/adfs/services/trust"
ADFS_SIGNATURE = template(
    "ds",
    key_info=f'<KeyInfo xmlns="{DS}"><ds:X509Data><ds:X509Certificate>{certificate_base64(make_certificate("idp"))}'
    "</ds:X509Certificate></ds:X509Data></KeyInfo>",
)


def adfs(
    *,
    signed: str = "assertion",
    context: str = f"{AC}:PasswordProtectedTransport",
    name_id: str = f'<NameID Format="{EMAIL}">lin.wei@acme.example</NameID>',
    subject: str = "lin.wei@acme.example",
    extra: Mapping[str, list[str]] | None = None,
    **more: Any,
) -> Layout:
    claims = {
        f"{CLAIMS}/upn": ["lin.wei@acme.example"],
        f"{CLAIMS}/emailaddress": ["lin.wei@acme.example"],
        "http://schemas.xmlsoap.org/claims/Group": ["Domain Users", "platform", "R&amp;D"],
        **(extra or {}),
    }
    attributes = "".join(
        f'<Attribute Name="{name}">'
        + "".join(f"<AttributeValue>{value}</AttributeValue>" for value in values)
        + "</Attribute>"
        for name, values in claims.items()
    )
    return Layout(
        xml=(
            f'<samlp:Response ID="_1c7d1b0e-8c9d-4f61-a3f5-3dfc2c4b0b11" Version="2.0" IssueInstant="{ms(0)}" '
            f'Destination="{ACS}" Consent="urn:oasis:names:tc:SAML:2.0:consent:unspecified" '
            f'InResponseTo="{REQUEST_ID}" xmlns:samlp="{SAMLP}"><Issuer xmlns="{SAML}">{ADFS}</Issuer>'
            f'{{response_signature}}<samlp:Status><samlp:StatusCode Value="{STATUS}" /></samlp:Status>'
            f'<Assertion ID="_3b6a8a3d-5f5c-4e53-9d2e-6fb2cb1ed322" IssueInstant="{ms(0)}" Version="2.0" '
            f'xmlns="{SAML}"><Issuer>{ADFS}</Issuer>{{assertion_signature}}<Subject>{name_id}'
            f'<SubjectConfirmation Method="{BEARER}"><SubjectConfirmationData InResponseTo="{REQUEST_ID}" '
            f'NotOnOrAfter="{ms(300)}" Recipient="{ACS}" /></SubjectConfirmation></Subject>'
            f'<Conditions NotBefore="{ms(-1, "998")}" NotOnOrAfter="{ms(3599, "998")}"><AudienceRestriction>'
            f"<Audience>{SP}</Audience></AudienceRestriction></Conditions>"
            f"<AttributeStatement>{attributes}</AttributeStatement>"
            f'<AuthnStatement AuthnInstant="{ms(-2, "811")}" SessionIndex="_3b6a8a3d-5f5c-4e53-9d2e-6fb2cb1ed322">'
            f"<AuthnContext><AuthnContextClassRef>{context}</AuthnContextClassRef></AuthnContext></AuthnStatement>"
            "</Assertion></samlp:Response>"
        ),
        issuer=ADFS,
        subject=subject,
        claims={name: [value.replace("&amp;", "&") for value in values] for name, values in claims.items()},
        response_signature=ADFS_SIGNATURE if signed in {"response", "both"} else "",
        assertion_signature=ADFS_SIGNATURE if signed in {"assertion", "both"} else "",
        **more,
    )


@layout
def adfs_assertion_signed():
    return adfs()


@layout
def adfs_message_and_assertion_signed():
    return adfs(signed="both")


@layout
def adfs_message_signed():
    return adfs(signed="response")


@layout
def adfs_windows_authentication():
    """Kerberos inside the company: a context of WS-Federation, and a name with a backslash."""
    name = "urn:oasis:names:tc:SAML:1.1:nameid-format:WindowsDomainQualifiedName"
    return adfs(
        context="urn:federation:authentication:windows",
        name_id=f'<NameID Format="{name}">ACME\\lin.wei</NameID>',
        subject="ACME\\lin.wei",
        extra={f"{MICROSOFT}/ws/2008/06/identity/claims/windowsaccountname": ["ACME\\lin.wei"]},
    )


@layout
def adfs_name_without_format():
    return adfs(name_id="<NameID>lin.wei@acme.example</NameID>")


@layout
def adfs_encrypted():
    options = EncryptionOptions(content=AES256_CBC, tree=renamed(xenc="e"))
    return adfs(signed="both", encryption=options, settings={"encryption_cbc": True})


# ── Okta ─────────────────────────────────────────────────────────────────────────────────────────────────────
# OpenSAML's writer: every element declares its own prefix, xs on the root and in the PrefixList.

OKTA = "http://www.okta.com/exk1fcia6d6EMsf331d8"
OKTA_SIGNATURE = template("ds", key_info=certificate("ds", wrapped=True), prefixes="xs")


def okta(
    *,
    signed: str = "both",
    name_format: str = UNSPECIFIED,
    session_end: str = "",
    claims: Mapping[str, list[str]] | None = None,
    **more: Any,
) -> Layout:
    claims = claims or {
        "firstName": ["Wei"],
        "lastName": ["Lin"],
        "email": ["lin.wei@acme.example"],
        "groups": ["Everyone", "platform"],
    }
    attributes = "".join(
        f'<saml2:Attribute Name="{name}" NameFormat="{NO_FORMAT}">'
        + "".join(
            f'<saml2:AttributeValue xmlns:xs="{XS}" xmlns:xsi="{XSI}" xsi:type="xs:string">{value}'
            "</saml2:AttributeValue>"
            for value in values
        )
        + "</saml2:Attribute>"
        for name, values in claims.items()
    )
    issuer = f'<saml2:Issuer xmlns:saml2="{SAML}" Format="{ENTITY}">{OKTA}</saml2:Issuer>'
    prefixed = "xs" in (more.get("prefixes", "xs") or "")
    signature = OKTA_SIGNATURE if prefixed else template("ds", key_info=certificate("ds"))
    settings = {"prefixes": "xs", "declaration": '<?xml version="1.0" encoding="UTF-8"?>'} | more
    return Layout(
        xml=(
            f'<saml2p:Response xmlns:saml2p="{SAMLP}" Destination="{ACS}" ID="id1789034519382191734127319" '
            f'InResponseTo="{REQUEST_ID}" IssueInstant="{ms(0)}" Version="2.0" xmlns:xs="{XS}">{issuer}'
            f'{{response_signature}}<saml2p:Status xmlns:saml2p="{SAMLP}"><saml2p:StatusCode Value="{STATUS}"/>'
            f'</saml2p:Status><saml2:Assertion xmlns:saml2="{SAML}" ID="id17890345194480661208733127" '
            f'IssueInstant="{ms(0)}" Version="2.0" xmlns:xs="{XS}">{issuer}{{assertion_signature}}'
            f'<saml2:Subject xmlns:saml2="{SAML}"><saml2:NameID Format="{name_format}">lin.wei@acme.example'
            f'</saml2:NameID><saml2:SubjectConfirmation Method="{BEARER}"><saml2:SubjectConfirmationData '
            f'InResponseTo="{REQUEST_ID}" NotOnOrAfter="{ms(300)}" Recipient="{ACS}"/></saml2:SubjectConfirmation>'
            f'</saml2:Subject><saml2:Conditions NotBefore="{ms(-300)}" NotOnOrAfter="{ms(300)}" '
            f'xmlns:saml2="{SAML}"><saml2:AudienceRestriction><saml2:Audience>{SP}</saml2:Audience>'
            f"</saml2:AudienceRestriction></saml2:Conditions>"
            f'<saml2:AuthnStatement AuthnInstant="{ms(-60)}" SessionIndex="{REQUEST_ID}"{session_end} '
            f'xmlns:saml2="{SAML}"><saml2:AuthnContext><saml2:AuthnContextClassRef>{AC}:PasswordProtectedTransport'
            "</saml2:AuthnContextClassRef></saml2:AuthnContext></saml2:AuthnStatement>"
            f'<saml2:AttributeStatement xmlns:saml2="{SAML}">{attributes}</saml2:AttributeStatement>'
            "</saml2:Assertion></saml2p:Response>"
        ),
        issuer=OKTA,
        subject="lin.wei@acme.example",
        claims=claims,
        response_signature=signature if signed in {"response", "both"} else "",
        assertion_signature=signature if signed in {"assertion", "both"} else "",
        **settings,
    )


@layout
def okta_both_signed():
    return okta()


@layout
def okta_assertion_signed():
    return okta(signed="assertion")


@layout
def okta_response_signed():
    return okta(signed="response", name_format=EMAIL)


@layout
def okta_without_prefix_list():
    return okta(prefixes=None)


@layout
def okta_with_an_end_of_the_session():
    return okta(session_end=f' SessionNotOnOrAfter="{ms(7200)}"')


@layout
def okta_encrypted():
    """OpenSAML puts the key beside the data, and the data points to it."""
    options = EncryptionOptions(content=AES256_GCM, layout="retrieval", digest=SHA1, tree=renamed(saml="saml2"))
    return okta(encryption=options)


@layout
def okta_encrypted_with_cbc():
    options = EncryptionOptions(content=AES256_CBC, layout="retrieval", digest=SHA1, tree=renamed(saml="saml2"))
    return okta(encryption=options, settings={"encryption_cbc": True})


# ── Keycloak ─────────────────────────────────────────────────────────────────────────────────────────────────
# dsig as prefix, the key in three forms, a default namespace that nothing uses, a SessionIndex of two parts.

KEYCLOAK = "https://sso.acme.example/realms/acme"


def keycloak_signature(*, full: bool = True) -> str:
    name = "<dsig:KeyName>FJ86GcF3jTbNLOco4NvZkUCIUmfYCqoqtOQeMfbhNlE</dsig:KeyName>"
    x509 = (
        f"<dsig:X509Data><dsig:X509Certificate>{certificate_base64(make_certificate('idp'))}"
        f"</dsig:X509Certificate></dsig:X509Data>"
    )
    inside = f"{name}{x509}{key_value('dsig')}" if full else name
    return template("dsig", key_info=f"<dsig:KeyInfo>{inside}</dsig:KeyInfo>")


def keycloak(
    *, signed: str = "both", roles: str = "list", name_format: str = EMAIL, full: bool = True, **more: Any
) -> Layout:
    claims = {"email": ["lin.wei@acme.example"], "groups": ["/platform", "/platform/oncall"]}
    role_names = ["offline_access", "manage-account", "default-roles-acme"]

    def attribute(name: str, values: list[str], friendly: str = "") -> str:
        return (
            f'<saml:Attribute{friendly} Name="{name}" NameFormat="{BASIC}">'
            + "".join(
                f'<saml:AttributeValue xmlns:xs="{XS}" xmlns:xsi="{XSI}" xsi:type="xs:string">{value}'
                "</saml:AttributeValue>"
                for value in values
            )
            + "</saml:Attribute>"
        )

    written = "".join(attribute(name, values, f' FriendlyName="{name}"') for name, values in claims.items())
    if roles == "list":
        written += attribute("Role", role_names)
    elif roles == "one by one":
        written += "".join(attribute("Role", [name]) for name in role_names)
    if roles:
        claims["Role"] = role_names
    signature = keycloak_signature(full=full)
    return Layout(
        xml=(
            f'<samlp:Response xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}" Destination="{ACS}" '
            f'ID="ID_b5cdc2ab-38ff-4ce5-a5c4-dd57f0f2ee44" InResponseTo="{REQUEST_ID}" IssueInstant="{ms(0)}" '
            f'Version="2.0"><saml:Issuer>{KEYCLOAK}</saml:Issuer>{{response_signature}}<samlp:Status>'
            f'<samlp:StatusCode Value="{STATUS}"/></samlp:Status><saml:Assertion xmlns="{SAML}" '
            f'ID="ID_8a4dcbbb-2d83-44b9-aa0c-2c1bbb8a6f02" IssueInstant="{ms(0)}" Version="2.0">'
            f"<saml:Issuer>{KEYCLOAK}</saml:Issuer>{{assertion_signature}}<saml:Subject>"
            f'<saml:NameID Format="{name_format}">lin.wei@acme.example</saml:NameID>'
            f'<saml:SubjectConfirmation Method="{BEARER}"><saml:SubjectConfirmationData '
            f'InResponseTo="{REQUEST_ID}" NotOnOrAfter="{ms(298)}" Recipient="{ACS}"/></saml:SubjectConfirmation>'
            f'</saml:Subject><saml:Conditions NotBefore="{ms(-2)}" NotOnOrAfter="{ms(58)}">'
            f"<saml:AudienceRestriction><saml:Audience>{SP}</saml:Audience></saml:AudienceRestriction>"
            f'</saml:Conditions><saml:AuthnStatement AuthnInstant="{ms(0)}" '
            f'SessionIndex="6a2a7a7c-1b6b-4d47-a0a1-aaa0c4e5ff0d::f8a4a7ee-c7ea-4b87-9b5f-b6c8d2a6e7e8" '
            f'SessionNotOnOrAfter="{ms(36000)}"><saml:AuthnContext><saml:AuthnContextClassRef>{AC}:unspecified'
            "</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>"
            f"<saml:AttributeStatement>{written}</saml:AttributeStatement></saml:Assertion></samlp:Response>"
        ),
        issuer=KEYCLOAK,
        subject="lin.wei@acme.example",
        claims=claims,
        response_signature=signature if signed in {"response", "both"} else "",
        assertion_signature=signature if signed in {"assertion", "both"} else "",
        **more,
    )


@layout
def keycloak_document_signed():
    return keycloak(signed="response")


@layout
def keycloak_assertion_signed():
    return keycloak(signed="assertion")


@layout
def keycloak_both_signed():
    return keycloak()


@layout
def keycloak_key_name_alone():
    return keycloak(full=False, name_format=PERSISTENT)


@layout
def keycloak_without_roles():
    return keycloak(roles="")


@layout
def keycloak_one_attribute_for_each_role():
    """The default of the scope role_list: "Single Role Attribute" off."""
    return keycloak(roles="one by one", settings={"repeated_attributes": "merge"})


@layout
def keycloak_encrypted():
    options = EncryptionOptions(content=AES256_GCM)
    return keycloak(encryption=options)


@layout
def keycloak_encrypted_document_signed():
    options = EncryptionOptions(content=AES128_CBC)
    return keycloak(signed="response", encryption=options, settings={"encryption_cbc": True})


# ── Shibboleth ───────────────────────────────────────────────────────────────────────────────────────────────
# Encrypted in a signed response by default; qualified names; attributes by OID; xsd as prefix; the client's address.

SHIBBOLETH = "https://idp.acme.example/idp/shibboleth"
OIDS = {
    "urn:oid:0.9.2342.19200300.100.1.1": ("uid", ["lin.wei"]),
    "urn:oid:0.9.2342.19200300.100.1.3": ("mail", ["lin.wei@acme.example", "wei.lin@acme.example"]),
    "urn:oid:1.3.6.1.4.1.5923.1.1.1.7": ("eduPersonEntitlement", ["urn:mace:acme:platform"]),
    "urn:oid:1.3.6.1.4.1.5923.1.1.1.9": ("eduPersonScopedAffiliation", ["staff@acme.example", "member@acme.example"]),
}


def shibboleth(*, signed: str = "response", typed: bool = False, hide_name: bool = False, **more: Any) -> Layout:
    value = f'<saml2:AttributeValue xmlns:xsi="{XSI}" xsi:type="xsd:string">' if typed else "<saml2:AttributeValue>"
    xsd = f' xmlns:xsd="{XS}"' if typed else ""
    attributes = "".join(
        f'<saml2:Attribute FriendlyName="{friendly}" Name="{name}" NameFormat="{URI}">'
        + "".join(f"{value}{text}</saml2:AttributeValue>" for text in values)
        + "</saml2:Attribute>"
        for name, (friendly, values) in OIDS.items()
    )
    signature = template("ds", key_info=certificate("ds", wrapped=True), prefixes="xsd" if typed else None)
    name_id = (
        f'<saml2:NameID Format="{PERSISTENT}" NameQualifier="{SHIBBOLETH}" SPNameQualifier="{SP}" '
        f'xmlns:saml2="{SAML}">AAdzZWNyZXQxz3Hkq2+8Y5yQw==</saml2:NameID>'
    )
    if hide_name:
        name_id = _hide(name_id)
    return Layout(
        xml=(
            f'<saml2p:Response xmlns:saml2p="{SAMLP}" Destination="{ACS}" ID="_6d1b9b1d0a8c4f5e9fe6aeae13b5b8c2" '
            f'InResponseTo="{REQUEST_ID}" IssueInstant="{ms(0)}" Version="2.0"{xsd}><saml2:Issuer '
            f'xmlns:saml2="{SAML}">{SHIBBOLETH}</saml2:Issuer>{{response_signature}}<saml2p:Status>'
            f'<saml2p:StatusCode Value="{STATUS}"/></saml2p:Status><saml2:Assertion xmlns:saml2="{SAML}" '
            f'ID="_9a3e7a0f5d1e4a0ab3b7c2f0f1c5d9e8" IssueInstant="{ms(0)}" Version="2.0"{xsd}>'
            f"<saml2:Issuer>{SHIBBOLETH}</saml2:Issuer>{{assertion_signature}}<saml2:Subject>{name_id}"
            f'<saml2:SubjectConfirmation Method="{BEARER}"><saml2:SubjectConfirmationData Address="192.0.2.7" '
            f'InResponseTo="{REQUEST_ID}" NotOnOrAfter="{ms(300)}" Recipient="{ACS}"/></saml2:SubjectConfirmation>'
            f'</saml2:Subject><saml2:Conditions NotBefore="{ms(0)}" NotOnOrAfter="{ms(300)}">'
            f"<saml2:AudienceRestriction><saml2:Audience>{SP}</saml2:Audience></saml2:AudienceRestriction>"
            f'</saml2:Conditions><saml2:AuthnStatement AuthnInstant="{ms(-1)}" '
            f'SessionIndex="_5c7ff1d3b2ef4c0d8a4f9a6c6a2a6d11" SessionNotOnOrAfter="{ms(3600)}">'
            f'<saml2:SubjectLocality Address="192.0.2.7"/><saml2:AuthnContext><saml2:AuthnContextClassRef>'
            f"{AC}:PasswordProtectedTransport</saml2:AuthnContextClassRef></saml2:AuthnContext>"
            f"</saml2:AuthnStatement><saml2:AttributeStatement>{attributes}</saml2:AttributeStatement>"
            "</saml2:Assertion></saml2p:Response>"
        ),
        issuer=SHIBBOLETH,
        subject="AAdzZWNyZXQxz3Hkq2+8Y5yQw==",
        claims={name: values for name, (_, values) in OIDS.items()},
        response_signature=signature if signed in {"response", "both"} else "",
        assertion_signature=signature if signed in {"assertion", "both"} else "",
        **{"prefixes": "xsd" if typed else None, "declaration": '<?xml version="1.0" encoding="UTF-8"?>', **more},
    )


def _hide(name_id: str) -> str:
    place = etree.fromstring(f'<place xmlns:saml2="{SAML}">{name_id}</place>')
    options = EncryptionOptions(wrapper="EncryptedID", content=AES128_GCM, number=2, tree=renamed(saml="saml2"))
    return etree.tostring(encrypt(place[0], options, make_key(DECRYPTION_KEYS[0]).public_key())).decode()


def _for_us(**more: Any) -> EncryptionOptions:
    """Encrypt as Shibboleth does: for whom, and for which certificate, stands beside the key."""
    ours = certificate_base64(make_certificate(DECRYPTION_KEYS[0]))
    hint = f"<ds:X509Data><ds:X509Certificate>\n{ours}\n</ds:X509Certificate></ds:X509Data>"
    settings = {"content": AES128_GCM, "recipient": SP, "digest": SHA1, "key_hint": hint, "tree": renamed(saml="saml2")}
    return EncryptionOptions(**(settings | more))


@layout
def shibboleth_encrypted_in_a_signed_response():
    return shibboleth(encryption=_for_us())


@layout
def shibboleth_encrypted_both_signed():
    return shibboleth(signed="both", encryption=_for_us(content=AES256_GCM))


@layout
def shibboleth_encrypted_with_cbc_for_old_services():
    return shibboleth(encryption=_for_us(content=AES128_CBC), settings={"encryption_cbc": True})


@layout
def shibboleth_plain_response_signed():
    return shibboleth()


@layout
def shibboleth_plain_assertion_signed():
    return shibboleth(signed="assertion")


@layout
def shibboleth_typed_values_with_a_prefix_list():
    return shibboleth(signed="both", typed=True)


@layout
def shibboleth_encrypted_name():
    return shibboleth(signed="both", hide_name=True)


# ── LemonLDAP::NG ────────────────────────────────────────────────────────────────────────────────────────────
# lasso's writer: declarations on the root alone, signatures in a default namespace, whole seconds.

LEMONLDAP = "https://auth.acme.example/saml/metadata"


def lemonldap(
    *, signed: str = "both", key: str = "certificate", typed: bool = False, name_format: str = EMAIL, **more: Any
) -> Layout:
    claims = {"uid": ["lin.wei"], "mail": ["lin.wei@acme.example"], "groups": ["platform", "employees"]}
    value_type = f' xmlns:xs="{XS}" xmlns:xsi="{XSI}" xsi:type="xs:string"' if typed else ""
    attributes = "".join(
        f'<saml:Attribute Name="{name}" NameFormat="{BASIC}" FriendlyName="{name}">'
        + "".join(f"<saml:AttributeValue{value_type}>{value}</saml:AttributeValue>" for value in values)
        + "</saml:Attribute>"
        for name, values in claims.items()
    )
    key_info = {
        "certificate": certificate("", wrapped=True),
        "value": f"<KeyInfo>\n{key_value('')}\n</KeyInfo>",
        "none": "",
    }[key]
    signature = template("", key_info=key_info)
    return Layout(
        xml=(
            f'<samlp:Response xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}" ID="_7D5C3E1A9F2B4C6D8E0F1A2B3C4D5E6F" '
            f'InResponseTo="{REQUEST_ID}" Version="2.0" IssueInstant="{at(0)}" Destination="{ACS}" '
            f'Consent="urn:oasis:names:tc:SAML:2.0:consent:obtained"><saml:Issuer>{LEMONLDAP}</saml:Issuer>'
            f'{{response_signature}}<samlp:Status><samlp:StatusCode Value="{STATUS}"/></samlp:Status>'
            f'<saml:Assertion Version="2.0" ID="_0A1B2C3D4E5F60718293A4B5C6D7E8F9" IssueInstant="{at(0)}">'
            f"<saml:Issuer>{LEMONLDAP}</saml:Issuer>{{assertion_signature}}<saml:Subject>"
            f'<saml:NameID Format="{name_format}">lin.wei@acme.example</saml:NameID>'
            f'<saml:SubjectConfirmation Method="{BEARER}"><saml:SubjectConfirmationData NotOnOrAfter="{at(300)}" '
            f'Recipient="{ACS}" InResponseTo="{REQUEST_ID}"/></saml:SubjectConfirmation></saml:Subject>'
            f'<saml:Conditions NotBefore="{at(-60)}" NotOnOrAfter="{at(300)}"><saml:AudienceRestriction>'
            f"<saml:Audience>{SP}</saml:Audience></saml:AudienceRestriction></saml:Conditions>"
            f'<saml:AuthnStatement AuthnInstant="{at(-10)}" SessionIndex="aGVsbG8tdGhpcy1pcy1hLXNlc3Npb24=" '
            f'SessionNotOnOrAfter="{at(72000)}"><saml:AuthnContext><saml:AuthnContextClassRef>'
            f"{AC}:PasswordProtectedTransport</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>"
            f"<saml:AttributeStatement>{attributes}</saml:AttributeStatement></saml:Assertion></samlp:Response>"
        ),
        issuer=LEMONLDAP,
        subject="lin.wei@acme.example",
        claims=claims,
        response_signature=signature if signed in {"response", "both"} else "",
        assertion_signature=signature if signed in {"assertion", "both"} else "",
        **more,
    )


@layout
def lemonldap_both_signed():
    return lemonldap()


@layout
def lemonldap_assertion_signed():
    return lemonldap(signed="assertion", typed=True)


@layout
def lemonldap_key_value_for_key_info():
    return lemonldap(key="value")


@layout
def lemonldap_without_key_info():
    return lemonldap(key="none", signed="response")


@layout
def lemonldap_encrypted():
    """AES-128-CBC is all that it offers."""
    options = EncryptionOptions(content=AES128_CBC)
    return lemonldap(encryption=options, settings={"encryption_cbc": True})


@layout
def lemonldap_persistent_name():
    return lemonldap(name_format=PERSISTENT)


# ── Google Workspace ─────────────────────────────────────────────────────────────────────────────────────────
# standalone="no", the certificate's subject in KeyInfo, xs:anyType, attributes before the AuthnStatement.

GOOGLE = "https://accounts.google.com/o/saml2?idpid=C01abcdef"
GOOGLE_SUBJECT = "ST=California,C=US,OU=Google For Work,CN=Google,L=Mountain View,O=Google Inc."
GOOGLE_SIGNATURE = template(
    "ds",
    key_info=f"<ds:KeyInfo><ds:X509Data><ds:X509SubjectName>{GOOGLE_SUBJECT}</ds:X509SubjectName>"
    f"<ds:X509Certificate>{certificate_base64(make_certificate('idp'))}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>",
)


def google(
    *,
    signed: str = "assertion",
    destination: bool = True,
    name_format: str = EMAIL,
    claims: Mapping[str, list[str]] | None = None,
    **more: Any,
) -> Layout:
    if claims is None:
        claims = {"email": ["lin.wei@acme.example"], "groups": ["platform", "All of Acme"]}
    request_id = more.get("request_id", REQUEST_ID)
    answers = f' InResponseTo="{request_id}"' if request_id else ""
    attributes = "".join(
        f'<saml2:Attribute Name="{name}">'
        + "".join(
            f'<saml2:AttributeValue xmlns:xs="{XS}" xmlns:xsi="{XSI}" xsi:type="xs:anyType">{value}'
            "</saml2:AttributeValue>"
            for value in values
        )
        + "</saml2:Attribute>"
        for name, values in claims.items()
    )
    statement = f"<saml2:AttributeStatement>{attributes}</saml2:AttributeStatement>" if claims else ""
    there = f' Destination="{ACS}"' if destination else ""
    return Layout(
        xml=(
            f'<saml2p:Response xmlns:saml2p="{SAMLP}"{there} ID="_e1c1dd92a8fe6b3d5c1f5b6e2a0e7f41"{answers} '
            f'IssueInstant="{ms(0)}" Version="2.0"><saml2:Issuer xmlns:saml2="{SAML}">{GOOGLE}</saml2:Issuer>'
            f'{{response_signature}}<saml2p:Status><saml2p:StatusCode Value="{STATUS}"/></saml2p:Status>'
            f'<saml2:Assertion xmlns:saml2="{SAML}" ID="_5d0cb0a3a9f7f0a1b2c3d4e5f6071829" '
            f'IssueInstant="{ms(0)}" Version="2.0"><saml2:Issuer>{GOOGLE}</saml2:Issuer>{{assertion_signature}}'
            f'<saml2:Subject><saml2:NameID Format="{name_format}">lin.wei@acme.example</saml2:NameID>'
            f'<saml2:SubjectConfirmation Method="{BEARER}"><saml2:SubjectConfirmationData{answers} '
            f'NotOnOrAfter="{ms(300)}" Recipient="{ACS}"/></saml2:SubjectConfirmation></saml2:Subject>'
            f'<saml2:Conditions NotBefore="{ms(-300)}" NotOnOrAfter="{ms(300)}"><saml2:AudienceRestriction>'
            f"<saml2:Audience>{SP}</saml2:Audience></saml2:AudienceRestriction></saml2:Conditions>{statement}"
            f'<saml2:AuthnStatement AuthnInstant="{ms(-3000, "000")}" '
            f'SessionIndex="_5d0cb0a3a9f7f0a1b2c3d4e5f6071829"><saml2:AuthnContext><saml2:AuthnContextClassRef>'
            f"{AC}:unspecified</saml2:AuthnContextClassRef></saml2:AuthnContext></saml2:AuthnStatement>"
            "</saml2:Assertion></saml2p:Response>"
        ),
        issuer=GOOGLE,
        subject="lin.wei@acme.example",
        claims=claims,
        response_signature=GOOGLE_SIGNATURE if signed in {"response", "both"} else "",
        assertion_signature=GOOGLE_SIGNATURE if signed in {"assertion", "both"} else "",
        **{"declaration": '<?xml version="1.0" encoding="UTF-8" standalone="no"?>', **more},
    )


@layout
def google_assertion_signed():
    return google()


@layout
def google_signed_response():
    """ "Signed response" is ticked: then the response is signed in place of the assertion."""
    return google(signed="response")


@layout
def google_without_destination():
    return google(destination=False)


@layout
def google_without_attributes():
    return google(claims={})


@layout
def google_name_of_no_format():
    return google(name_format=UNSPECIFIED)


@layout
def google_from_the_app_launcher():
    return google(request_id=None, settings={"idp_initiated": True})
