"""Decides whether a SAML response is one that Alibaba Cloud would accept, independently of the bridge's own code.

:data:`CHECKS` is the whole list, in order; the console shows it to whoever signed in. Signatures are verified by
xmlsec with a certificate of the registered metadata and no other key. Every reading starts at the one assertion,
whose ``ID`` occurs once in the document and is what its signature references.

References: RAM, "SAML assertions for role-based SSO", "… for user-based SSO"; SAML Core 2.0; SAML Profiles 4.1.4.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import xmlsec
from lxml import etree

from bridge.sandbox.cloud.saml_metadata import IdPMetadata
from bridge.sts_wire.reply import STSFault, build_fault

MIN_ENCODED, MAX_ENCODED = 4, 100_000
LEEWAY = timedelta(seconds=60)

ROLE = "https://www.aliyun.com/SAML-Role/Attributes/Role"
ROLE_SESSION_NAME = "https://www.aliyun.com/SAML-Role/Attributes/RoleSessionName"
SESSION_DURATION = "https://www.aliyun.com/SAML-Role/Attributes/SessionDuration"

SAML = "{urn:oasis:names:tc:SAML:2.0:assertion}"
SAMLP = "{urn:oasis:names:tc:SAML:2.0:protocol}"
DS = "{http://www.w3.org/2000/09/xmldsig#}"

_SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
_BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
_NAMEID_FORMAT = re.compile(r"urn:oasis:names:tc:SAML:[12]\.[01]:nameid-format:")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z")
_EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
_TRANSFORMS = ["http://www.w3.org/2000/09/xmldsig#enveloped-signature", _EXCLUSIVE]
_SIGNATURES = {f"http://www.w3.org/2001/04/xmldsig-more#rsa-sha{size}" for size in (256, 384, 512)}
_DIGESTS = {
    "http://www.w3.org/2001/04/xmlenc#sha256",
    "http://www.w3.org/2001/04/xmldsig-more#sha384",
    "http://www.w3.org/2001/04/xmlenc#sha512",
}

Element: TypeAlias = "etree._Element"  # noqa: SLF001 - lxml has no public name for it


@dataclass(frozen=True)
class Expectation:
    """What a response must fit."""

    metadata: IdPMetadata
    recipient: str
    audience: str
    now: datetime


@dataclass(frozen=True)
class UnverifiedResponse:
    """A response that can be read; who wrote it is unknown. Its readings choose what to verify against."""

    root: Element
    assertion: Element

    def read_attribute(self, name: str) -> tuple[str, ...]:
        """Return the values of an attribute."""
        return _read_attributes(self.assertion).get(name, ())

    def read_audiences(self) -> tuple[str, ...]:
        """Return all audiences."""
        return tuple(_read_text(element) for element in self.assertion.iter(f"{SAML}Audience"))


@dataclass(frozen=True)
class SAMLStatement:
    """What a registered identity provider states, after every check."""

    assertion_id: str
    issuer: str
    subject: str
    subject_type: str
    """The ``NameID`` format without its prefix."""
    recipient: str
    attributes: Mapping[str, tuple[str, ...]]
    session_ends_at: datetime | None
    """``SessionNotOnOrAfter``; UTC."""
    accept_until: datetime
    """After this moment the same response would be refused as expired; UTC."""
    passed: tuple[str, ...]
    """The checks, in words."""


def parse_saml_response(encoded: str) -> UnverifiedResponse:
    """Read base64 of a complete response with exactly one assertion in it; nothing of it is verified.

    Raises ``AuthenticationFail.SAMLAssertion.Invalid``.
    """
    if not MIN_ENCODED <= len(encoded) <= MAX_ENCODED:
        raise _refuse("The SAML response must be 4 to 100,000 characters long")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(base64.b64decode("".join(encoded.split()), validate=True), parser)
    except (binascii.Error, ValueError, etree.XMLSyntaxError) as error:
        raise _refuse("The SAML response is not base64 of an XML document") from error
    if root.getroottree().docinfo.doctype or any(not isinstance(each.tag, str) for each in root.iter()):
        raise _refuse("The SAML response holds a DTD, a comment or a processing instruction")
    assertions = list(root.iter(f"{SAML}Assertion", f"{SAML}EncryptedAssertion"))
    if root.tag != f"{SAMLP}Response" or len(assertions) != 1 or assertions[0].tag != f"{SAML}Assertion":
        raise _refuse("The document must be a SAML response with exactly one plain assertion")
    if assertions[0].getparent() is not root:
        raise _refuse("The assertion must stand directly in the response")
    return UnverifiedResponse(root, assertions[0])


def verify_saml_response(response: UnverifiedResponse, expectation: Expectation) -> SAMLStatement:
    """Return what the response states; it has passed every check of :data:`CHECKS`.

    Raises ``AuthenticationFail.SAMLAssertion.Invalid`` or, for a time that has passed, ``….Expired``.
    """
    for _, check in CHECKS:
        check(response, expectation)
    assertion = response.assertion
    name_id = _find_one(_find_one(assertion, "Subject"), "NameID")
    data = _find_confirmation_data(assertion)
    session_end = _find_one(assertion, "AuthnStatement").get("SessionNotOnOrAfter")
    return SAMLStatement(
        assertion_id=assertion.get("ID", ""),
        issuer=expectation.metadata.entity_id,
        subject=_read_text(name_id),
        subject_type=_NAMEID_FORMAT.sub("", name_id.get("Format", "unspecified")),
        recipient=data.get("Recipient", ""),
        attributes=_read_attributes(assertion),
        session_ends_at=_read_time(session_end) if session_end is not None else None,
        accept_until=_read_time(data.get("NotOnOrAfter", "")) + LEEWAY,
        passed=tuple(sentence for sentence, _ in CHECKS),
    )


def _check_status(response: UnverifiedResponse, _: Expectation) -> None:
    """The identity provider did sign the person in (SAML Core 3.2.2.2)."""
    codes = response.root.findall(f"{SAMLP}Status/{SAMLP}StatusCode")
    if len(codes) != 1 or codes[0].get("Value") != _SUCCESS:
        raise _refuse("The status of the SAML response is not Success")


def _check_versions(response: UnverifiedResponse, _: Expectation) -> None:
    if any(element.get("Version") != "2.0" for element in (response.root, response.assertion)):
        raise _refuse("The SAML version is not 2.0")


def _check_issuer(response: UnverifiedResponse, expectation: Expectation) -> None:
    """The statement is by the provider whose metadata is registered, exactly (SAML Core 2.2.5)."""
    issuers = [_read_text(_find_one(response.assertion, "Issuer"))]
    issuers += [_read_text(element) for element in response.root.findall(f"{SAML}Issuer")]
    if set(issuers) != {expectation.metadata.entity_id}:
        raise _refuse("The issuer differs from the entity ID in the IdP metadata")


def _check_signatures(response: UnverifiedResponse, expectation: Expectation) -> None:
    """The assertion is signed with a registered certificate, and so is the response if it is signed at all.

    A signature anywhere else, or one that references something else, is how a forged assertion is wrapped beside
    a genuine one (threats SAML-01 to SAML-09).
    """
    root, assertion = response.root, response.assertion
    ids = [element.get("ID") for element in root.iter() if element.get("ID") is not None]
    signatures = list(root.iter(f"{DS}Signature"))
    if len(set(ids)) != len(ids) or any(each.getparent() not in (root, assertion) for each in signatures):
        raise _refuse("The SAML response repeats an ID or holds a signature in a wrong place")
    if len(assertion.findall(f"{DS}Signature")) != 1 or len(root.findall(f"{DS}Signature")) > 1:
        raise _refuse("The assertion is not signed")
    for signature in signatures:
        signed = signature.getparent()
        subject = "assertion" if signed is assertion else "response"
        if not _is_signature_good(signature, signed, expectation.metadata.certificates):
            raise _refuse(f"The {subject} signature is invalid")


def _is_signature_good(signature: Element, signed: Element, certificates: tuple[str, ...]) -> bool:
    """Whether the signature has the one accepted form, references ``signed``, and fits a certificate."""
    references = signature.findall(f"{DS}SignedInfo/{DS}Reference")
    methods = {
        name: [element.get("Algorithm") for element in signature.iter(f"{DS}{name}")]
        for name in ("CanonicalizationMethod", "SignatureMethod", "DigestMethod", "Transform")
    }
    if (
        not signed.get("ID")
        or [reference.get("URI") for reference in references] != [f"#{signed.get('ID')}"]
        or methods["Transform"] != _TRANSFORMS
        or methods["CanonicalizationMethod"] != [_EXCLUSIVE]
        or len(methods["SignatureMethod"]) != 1
        or not set(methods["SignatureMethod"]) <= _SIGNATURES
        or not set(methods["DigestMethod"]) <= _DIGESTS
        or signature.find(f"{DS}Object") is not None
    ):
        return False
    return any(_verify_with(certificate, signature, signed) for certificate in certificates)


def _verify_with(certificate: str, signature: Element, signed: Element) -> bool:
    context = xmlsec.SignatureContext()
    try:
        context.key = xmlsec.Key.from_memory(certificate, xmlsec.constants.KeyDataFormatCertPem)
        context.register_id(signed, "ID")
        context.verify(signature)
    except xmlsec.Error:
        return False
    return True


def _check_destination(response: UnverifiedResponse, expectation: Expectation) -> None:
    """The response was meant to be posted here (SAML Core 3.2.2)."""
    if response.root.get("Destination") != expectation.recipient:
        raise _refuse(f"The destination is not {expectation.recipient}")


def _check_recipient(response: UnverifiedResponse, expectation: Expectation) -> None:
    """One bearer confirmation, for exactly this address; otherwise the person who holds it may be a thief."""
    confirmation = _find_one(_find_one(response.assertion, "Subject"), "SubjectConfirmation")
    if confirmation.get("Method") != _BEARER:
        raise _refuse("The subject confirmation method is not bearer")
    if _find_confirmation_data(response.assertion).get("Recipient") != expectation.recipient:
        raise _refuse(f"The recipient is not {expectation.recipient}")


def _check_audience(response: UnverifiedResponse, expectation: Expectation) -> None:
    """Meant for us: an assertion for another service of the company must not work here (SAML Core 2.5.1.4)."""
    restriction = _find_one(_find_one(response.assertion, "Conditions"), "AudienceRestriction")
    if expectation.audience not in [_read_text(element) for element in restriction.findall(f"{SAML}Audience")]:
        raise _refuse(f"The audience is not {expectation.audience}")


def _check_times(response: UnverifiedResponse, expectation: Expectation) -> None:
    """Every time limit is kept, with a minute for clocks that differ; the session has not ended before it began."""
    now, assertion = expectation.now, response.assertion
    conditions, data = _find_one(assertion, "Conditions"), _find_confirmation_data(assertion)
    starts = [response.root.get("IssueInstant", ""), assertion.get("IssueInstant", "")]
    starts += [conditions.get("NotBefore", assertion.get("IssueInstant", ""))]
    ends = [data.get("NotOnOrAfter", ""), conditions.get("NotOnOrAfter", "")]
    if data.get("NotBefore") is not None or any(_read_time(start) > now + LEEWAY for start in starts):
        raise _refuse("The SAML assertion is not valid yet")
    if any(_read_time(end) <= now - LEEWAY for end in ends):
        raise build_fault("AuthenticationFail.SAMLAssertion.Expired")
    session_end = _find_one(assertion, "AuthnStatement").get("SessionNotOnOrAfter")
    if session_end is not None and _read_time(session_end) <= now:
        raise build_fault("AuthenticationFail.SAMLAssertion.Expired", "SessionNotOnOrAfter has passed.")


def _check_subject(response: UnverifiedResponse, _: Expectation) -> None:
    """One subject with one plain name."""
    name_id = _find_one(_find_one(response.assertion, "Subject"), "NameID")
    if not 1 <= len(_read_text(name_id)) <= 1024:  # noqa: PLR2004 - said in the message
        raise _refuse("The NameID must be 1 to 1,024 characters long")


Check: TypeAlias = Callable[[UnverifiedResponse, Expectation], None]

CHECKS: tuple[tuple[str, Check], ...] = (
    ("The response says that the sign-in succeeded", _check_status),
    ("Response and assertion are SAML 2.0", _check_versions),
    ("The issuer is the entity ID of the registered metadata", _check_issuer),
    ("The assertion is signed with a registered certificate", _check_signatures),
    ("The response was addressed to this page", _check_destination),
    ("The bearer confirmation names this page as recipient", _check_recipient),
    ("The audience is this service", _check_audience),
    ("Every time limit is kept", _check_times),
    ("There is one subject with a name", _check_subject),
)


def _refuse(message: str) -> STSFault:
    return build_fault("AuthenticationFail.SAMLAssertion.Invalid", f"{message}.")


def _find_one(parent: Element, name: str) -> Element:
    """Return the only child of this name; none or several is refused, since a reader could take another one."""
    children = parent.findall(f"{SAML}{name}")
    if len(children) != 1:
        raise _refuse(f"The assertion must have exactly one {name}")
    return children[0]


def _find_confirmation_data(assertion: Element) -> Element:
    return _find_one(_find_one(_find_one(assertion, "Subject"), "SubjectConfirmation"), "SubjectConfirmationData")


def _read_text(element: Element) -> str:
    """Return the whole text of an element without child elements."""
    if len(element):
        raise _refuse("A value of the assertion is not plain text")
    return element.text or ""


def _read_time(text: str) -> datetime:
    """Read a time in UTC with ``Z``, the only form that needs no guess."""
    if not _TIME.fullmatch(text):
        raise _refuse("A time of the SAML response is missing or not in UTC")
    try:
        return datetime.fromisoformat(f"{text[:19]}+00:00").astimezone(UTC)
    except ValueError as error:
        raise _refuse("A time of the SAML response is no real time") from error


def _read_attributes(assertion: Element) -> dict[str, tuple[str, ...]]:
    """Return all attributes by name; the same name twice adds up."""
    attributes: dict[str, tuple[str, ...]] = {}
    for attribute in assertion.iterfind(f"{SAML}AttributeStatement/{SAML}Attribute"):
        values = tuple(_read_text(value) for value in attribute.findall(f"{SAML}AttributeValue"))
        name = attribute.get("Name", "")
        attributes[name] = attributes.get(name, ()) + values
    return attributes
