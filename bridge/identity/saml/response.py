"""Deciding whether a SAML response is acceptable, and who it says somebody is.

The checks, in the order in which :func:`verify_response` makes them:

1.  ``decode_base64``, ``parse_untrusted``: one small UTF-8 document, with nothing in it that two programs could
    read differently
2.  ``check_root``: a response
3.  ``check_one_assertion``: with exactly one assertion in the one place for it, encrypted or not, as the settings say
4.  ``check_signature_places``: and signatures nowhere but in these two, once each
5.  ``verify_signatures``: every signature is there that must be, and every one that is there is the provider's; an
    encrypted assertion is opened after the response's signature and before its own (``decryption``)
6.  ``check_children``: the response has its own children and no others
7.  ``check_versions``, ``check_status``, ``check_issuers``: SAML 2.0, success, from this provider
8.  ``check_destination``, ``check_in_response_to``: sent here, in answer to our question
9.  ``check_issue_instants``: recently
10. ``find_conditions``, ``check_audience``, ``check_proxy_restriction``, ``check_validity``: for us, for use in the
    cloud, now
11. ``open_parts``, ``read_name_id``, ``check_confirmation``: about one lasting name, borne by the person in front of us
12. ``read_authentication``: who authenticated not too long ago
13. ``read_claims``: with attributes that have one meaning
14. ``check_schema``: and nothing that SAML does not know

From step 6 on, everything is read from the elements that ``signature.py`` returned, never from the document. The one
exception is a response without a signature of its own: it is only compared with what we expect, and no statement about
the person is taken from it. Unexpected is refused, absent is refused. SAML Core, Profiles 4.1.4; threats SAML-01 to 25.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from bridge.errors import (
    SAMLAssertionCount,
    SAMLDestination,
    SAMLEncrypted,
    SAMLId,
    SAMLIssuer,
    SAMLNotEncrypted,
    SAMLRoot,
    SAMLSchema,
    SAMLSignatureCount,
    SAMLSignaturePlace,
    SAMLStatus,
    SAMLSubject,
    SAMLTimeFormat,
    SAMLUnsigned,
    SAMLVersion,
)
from bridge.identity.saml.conditions import check_audience, check_proxy_restriction, check_validity, find_conditions
from bridge.identity.saml.decryption import decrypt_assertion, open_parts
from bridge.identity.saml.document import Element, decode_base64, parse_untrusted
from bridge.identity.saml.elements import (
    ASSERTION,
    ENCRYPTED_ASSERTION,
    EXTENSIONS,
    ISSUER,
    NAME_ID,
    RESPONSE,
    STATUS,
    STATUS_CODE,
    SUBJECT,
    find_first,
    find_only,
    is_blank,
    read_text,
    read_time,
)
from bridge.identity.saml.expected import Expected
from bridge.identity.saml.schema import check_schema
from bridge.identity.saml.signature import SIGNATURE, CheckedValue, verify_enveloped
from bridge.identity.saml.statements import read_authentication, read_claims
from bridge.identity.saml.subject import check_confirmation, check_in_response_to, read_name_id
from bridge.identity.saml.trace import SAMLTrace
from bridge.identity.saml.validity import MAX_AGE, check_age
from bridge.identity.verified import VerifiedIdentity

__all__ = ["Expected", "verify_response"]

_STATUS_PREFIX = "urn:oasis:names:tc:SAML:2.0:status:"
_SUCCESS = f"{_STATUS_PREFIX}Success"
_RESPONSE_ATTRIBUTES = {"ID", "Version", "IssueInstant", "Destination", "Consent", "InResponseTo"}
_ENTITY_FORMAT = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"


@dataclass(frozen=True)
class Verified:
    """A response whose signatures have been verified."""

    response: Element
    """Parsed from the signed bytes if ``response_is_signed``; else as it came, and proof of nothing."""
    response_is_signed: bool
    assertion: Element
    """Parsed from the signed bytes, or opened from signed ciphertext."""


def verify_response(encoded: str, expected: Expected, trace: SAMLTrace | None = None) -> VerifiedIdentity:
    """Return who the provider says this is; the message passed every check in the list above.

    ``encoded`` is the form field ``SAMLResponse``; ``trace`` takes down which check has begun. That the message is used
    for the first time is for the caller to find out, with ``message_id`` and ``accept_until``, before acting on the
    result. Raises a leaf of IdentityError.
    """
    trace = trace or SAMLTrace()
    trace.expected, trace.encoded = expected, encoded
    trace.at = "base64"
    trace.xml = decode_base64(encoded)
    trace.at = "document"
    trace.document = document = parse_untrusted(trace.xml)
    trace.at = "root"
    check_root(document)
    trace.at = "one_assertion"
    check_one_assertion(document, expected)
    trace.at = "signature_places"
    check_signature_places(document)
    verified = verify_signatures(document, expected, trace)
    trace.response, trace.assertion = response, assertion = verified.response, verified.assertion

    trace.at = "children"
    check_children(response)
    trace.at = "versions"
    check_versions(response, assertion)
    trace.at = "status"
    check_status(response)
    trace.at = "issuer"
    check_issuers(verified, expected)
    trace.at = "destination"
    check_destination(verified, expected)
    trace.at = "in_response_to"
    check_in_response_to(response, expected)
    issued = check_issue_instants(response, assertion, expected, trace)

    trace.at = "conditions"
    conditions = find_conditions(assertion)
    trace.at = "audience"
    check_audience(conditions, expected)
    trace.at = "proxy_restriction"
    proxy_count = check_proxy_restriction(conditions)
    valid_until = check_validity(conditions, issued, expected, trace)

    trace.at = "opened_parts"
    open_parts(assertion, expected)
    trace.at = "subject"
    subject = find_only(assertion, SUBJECT, SAMLSubject)
    trace.at = "name_id"
    name = read_name_id(subject, expected)
    confirmed_until = check_confirmation(subject, issued, expected, trace)
    authentication = read_authentication(assertion, expected, trace)
    trace.at = "attributes"
    claims = read_claims(assertion, expected.provider)
    trace.at = "schema"
    check_schema(assertion)

    ends = (
        issued + MAX_AGE,
        valid_until,
        confirmed_until,
        authentication.at + timedelta(seconds=expected.provider.max_authentication_age_seconds),
        authentication.session_end,
    )
    return VerifiedIdentity(
        provider=expected.provider.name,
        protocol="saml",
        issuer=expected.provider.entity_id,
        subject=name,
        claims=claims,
        authenticated_at=authentication.at,
        message_id=assertion.get("ID"),
        accept_until=min(end for end in ends if end is not None) + expected.skew,
        valid_until=authentication.session_end,
        acr=authentication.class_ref,
        session_index=authentication.session_index,
        name_format=find_only(subject, NAME_ID, SAMLSubject).get("Format"),
        proxy_count=proxy_count,
    )


def check_root(document: Element) -> None:
    """The document is a ``samlp:Response``: not a logout message, a bare assertion or an envelope. Raises SAMLRoot."""
    if document.tag != RESPONSE:
        raise SAMLRoot(f"root {ascii(document.tag)[:200]}")


def check_one_assertion(document: Element, expected: Expected) -> None:
    """There is one assertion, a child of the root, and nothing anywhere that is called like one.

    With two, the one that was verified need not be the one that is read (XSW). Look-alikes in other namespaces count,
    since they can only be there to confuse; so does a plain one beside an encrypted one. Raises SAMLAssertionCount;
    SAMLEncrypted or SAMLNotEncrypted if the settings want it the other way; or SAMLStatus if there is none because the
    provider reports an error.
    """
    found = list(document.iter("{*}Assertion", "{*}EncryptedAssertion"))
    if not found:
        check_status(document)
    if len(found) != 1 or found[0].getparent() is not document:
        raise SAMLAssertionCount(f"{len(found)} assertions, or one in a wrong place")
    if found[0].tag not in {ASSERTION, ENCRYPTED_ASSERTION}:
        raise SAMLAssertionCount("an assertion in another namespace")
    encrypted, policy = found[0].tag == ENCRYPTED_ASSERTION, expected.provider.encryption
    if encrypted and policy == "refuse":
        raise SAMLEncrypted("an encrypted assertion, which the settings refuse")
    if not encrypted and policy == "require":
        raise SAMLNotEncrypted("a plain assertion")


def check_signature_places(root: Element) -> None:
    """Signatures stand directly in the response or in the assertion, right after the issuer, at most one in each.

    ``root`` is the document, or an assertion that was encrypted. Raises SAMLSignaturePlace or SAMLSignatureCount.
    """
    assertion = find_first(root, ASSERTION)
    parents = []
    for signature in root.iter("{*}Signature"):
        parent, previous = signature.getparent(), signature.getprevious()
        if parent is root or parent is assertion:
            parents.append(parent)
        else:
            raise SAMLSignaturePlace("in neither response nor assertion")
        if signature.tag != SIGNATURE:
            raise SAMLSignaturePlace("a signature in another namespace")
        if parents.count(parent) > 1:
            raise SAMLSignatureCount("two in one element")
        if previous is not None and previous.tag != ISSUER:
            raise SAMLSignaturePlace("not right after the issuer")


def verify_signatures(document: Element, expected: Expected, trace: SAMLTrace) -> Verified:
    """Return response and assertion, each parsed from the bytes that were signed.

    Both signatures are verified in the document as it came, the outer one first, since it covers the inner one. (The
    canonical form of the response may lack a namespace declaration that the assertion's own PrefixList asks for.)

    Raises SAMLUnsigned if a signature that must be there is not, and the leaves of BadSignature.
    """
    assertion = find_first(document, ASSERTION)
    if assertion is None:
        return _verify_encrypted(document, expected, trace)
    response_is_signed = find_first(document, SIGNATURE) is not None
    assertion_is_signed = find_first(assertion, SIGNATURE) is not None
    trace.at = "signed"
    _check_signed(expected, response=response_is_signed, assertion=assertion_is_signed)
    response = _verify(document, "response_signature", expected, trace) if response_is_signed else document
    return Verified(
        response=response,
        response_is_signed=response_is_signed,
        assertion=_verify(assertion, "assertion_signature", expected, trace)
        if assertion_is_signed
        else find_first(response, ASSERTION),
    )


def _verify_encrypted(document: Element, expected: Expected, trace: SAMLTrace) -> Verified:
    """The same for an assertion that is encrypted. Raises SAMLEncrypted as well.

    Anybody can encrypt for us, so encryption proves nothing: the assertion is believed for its own signature, or for
    that of the response, which covers the ciphertext. What is opened is then taken from the verified response.
    """
    response_is_signed = find_first(document, SIGNATURE) is not None
    trace.at = "signed"
    _check_signed(expected, response=response_is_signed, assertion=True)
    response = _verify(document, "response_signature", expected, trace) if response_is_signed else document
    encrypted = find_first(response, ENCRYPTED_ASSERTION)
    trace.at = "decryption"
    assertion = decrypt_assertion(encrypted, expected, signature_covers_it=response_is_signed)
    trace.at = "inner_places"
    check_signature_places(assertion)
    assertion_is_signed = find_first(assertion, SIGNATURE) is not None
    trace.at = "inner_signed"
    _check_signed(expected, response=response_is_signed, assertion=assertion_is_signed)
    return Verified(
        response=response,
        response_is_signed=response_is_signed,
        assertion=_verify(assertion, "assertion_signature", expected, trace) if assertion_is_signed else assertion,
    )


def _verify(element: Element, check: str, expected: Expected, trace: SAMLTrace) -> Element:
    trace.at = check

    def take_down(value: CheckedValue) -> None:
        trace.signatures[check] = value

    return verify_enveloped(element, expected.keys, witness=take_down)


def _check_signed(expected: Expected, *, response: bool, assertion: bool) -> None:
    """Every signature is there that the settings want, and at least one."""
    required = expected.provider.signed
    if not response and (required in {"response", "both"} or not assertion):
        raise SAMLUnsigned("the response is not signed")
    if not assertion and required in {"assertion", "both"}:
        raise SAMLUnsigned("the assertion is not signed")


def check_children(response: Element) -> None:
    """The response, its signature taken out, has the attributes and children that SAML knows, and no text between them.

    The schema cannot be asked here: the one we have refuses a legitimate form of signature. Raises SAMLSchema.
    """
    if set(response.keys()) - _RESPONSE_ATTRIBUTES:
        raise SAMLSchema("a response with unknown attributes")
    order = [ISSUER, EXTENSIONS, STATUS, ASSERTION, ENCRYPTED_ASSERTION]
    children = [child.tag for child in response]
    if children != [name for name in order if name in children]:
        raise SAMLSchema("a response with unknown, repeated or misplaced children")
    if not is_blank(response.text) or not all(is_blank(child.tail) for child in response):
        raise SAMLSchema("text in a response")


def check_versions(response: Element, assertion: Element) -> None:
    """Both are SAML 2.0, and both have an ID. Raises SAMLVersion or SAMLId."""
    for element in (response, assertion):
        if element.get("Version") != "2.0":
            raise SAMLVersion(f"version {ascii(element.get('Version', ''))[:20]}")
        if element.get("ID") is None:
            raise SAMLId("no ID")


def check_status(response: Element) -> None:
    """The provider reports success. Raises SAMLStatus; the provider's own words go nowhere (SAML Core 3.2.2)."""
    code = find_only(find_only(response, STATUS, SAMLStatus), STATUS_CODE, SAMLStatus)
    value = code.get("Value", "")
    if value != _SUCCESS:
        raise SAMLStatus(ascii(value.removeprefix(_STATUS_PREFIX))[:100])


def check_issuers(verified: Verified, expected: Expected) -> None:
    """Assertion and response are by exactly the provider that this sign-in belongs to. Raises SAMLIssuer.

    The assertion must name it. The response must if it is signed, and may not name another one in any case
    (Profiles 4.1.4.2). Without this, one provider could speak for the people of another.
    """
    issuers = [find_only(verified.assertion, ISSUER, SAMLIssuer)]
    if verified.response_is_signed or find_first(verified.response, ISSUER) is not None:
        issuers.append(find_only(verified.response, ISSUER, SAMLIssuer))
    for issuer in issuers:
        if read_text(issuer, SAMLIssuer) != expected.provider.entity_id:
            raise SAMLIssuer(f"by {ascii(issuer.text)[:300]}")
        if issuer.get("Format", _ENTITY_FORMAT) != _ENTITY_FORMAT or set(issuer.keys()) - {"Format"}:
            raise SAMLIssuer("an issuer that is no entity ID")


def check_destination(verified: Verified, expected: Expected) -> None:
    """The response was sent to exactly our address, and says so if it is signed. Raises SAMLDestination.

    Bindings 3.5.5.2. Our address comes from the settings, never from the Host header of the request.
    """
    destination = verified.response.get("Destination")
    if destination is None and not verified.response_is_signed:
        return
    if destination != expected.acs_url:
        raise SAMLDestination(f"sent to {ascii(destination)[:300]}")


def check_issue_instants(response: Element, assertion: Element, expected: Expected, trace: SAMLTrace) -> datetime:
    """Both were issued within the last minutes; return when the assertion was.

    Raises SAMLTimeFormat, SAMLNotYet or SAMLStale.
    """
    trace.at = "response_issued"
    _check_issue_instant(response, expected)
    trace.at = "assertion_issued"
    return _check_issue_instant(assertion, expected)


def _check_issue_instant(element: Element, expected: Expected) -> datetime:
    issued = read_time(element, "IssueInstant")
    if issued is None:
        raise SAMLTimeFormat("no IssueInstant")
    check_age(issued, MAX_AGE, expected)
    return issued
