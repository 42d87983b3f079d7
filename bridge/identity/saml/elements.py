"""Reading single things from an element: one child, one text, one moment. Absent and ambiguous are both refused.

Only child paths and qualified names are used. There is no search through the whole document, which could find what an
attacker placed first (CVE-2025-66567 and others). The names of everything that is read stand here, once.
"""

import re
from datetime import datetime

from bridge.errors import IdentityError, SAMLTimeFormat
from bridge.identity.saml.document import Element

_PROTOCOL = "{urn:oasis:names:tc:SAML:2.0:protocol}"
_ASSERTION = "{urn:oasis:names:tc:SAML:2.0:assertion}"

RESPONSE = f"{_PROTOCOL}Response"
LOGOUT_REQUEST = f"{_PROTOCOL}LogoutRequest"
LOGOUT_RESPONSE = f"{_PROTOCOL}LogoutResponse"
SESSION_INDEX = f"{_PROTOCOL}SessionIndex"
EXTENSIONS = f"{_PROTOCOL}Extensions"
STATUS = f"{_PROTOCOL}Status"
STATUS_CODE = f"{_PROTOCOL}StatusCode"
ISSUER = f"{_ASSERTION}Issuer"
ASSERTION = f"{_ASSERTION}Assertion"
ENCRYPTED_ASSERTION = f"{_ASSERTION}EncryptedAssertion"
SUBJECT = f"{_ASSERTION}Subject"
NAME_ID = f"{_ASSERTION}NameID"
ENCRYPTED_ID = f"{_ASSERTION}EncryptedID"
SUBJECT_CONFIRMATION = f"{_ASSERTION}SubjectConfirmation"
SUBJECT_CONFIRMATION_DATA = f"{_ASSERTION}SubjectConfirmationData"
CONDITIONS = f"{_ASSERTION}Conditions"
AUDIENCE_RESTRICTION = f"{_ASSERTION}AudienceRestriction"
AUDIENCE = f"{_ASSERTION}Audience"
ONE_TIME_USE = f"{_ASSERTION}OneTimeUse"
PROXY_RESTRICTION = f"{_ASSERTION}ProxyRestriction"
AUTHN_STATEMENT = f"{_ASSERTION}AuthnStatement"
AUTHN_CONTEXT = f"{_ASSERTION}AuthnContext"
AUTHN_CONTEXT_CLASS_REF = f"{_ASSERTION}AuthnContextClassRef"
ATTRIBUTE_STATEMENT = f"{_ASSERTION}AttributeStatement"
ATTRIBUTE = f"{_ASSERTION}Attribute"
ENCRYPTED_ATTRIBUTE = f"{_ASSERTION}EncryptedAttribute"
ATTRIBUTE_VALUE = f"{_ASSERTION}AttributeValue"

_XML_SPACE = " \t\r\n"
_UTC_TIME = re.compile(r"\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,12})?Z", re.ASCII)


def is_blank(text: str | None) -> bool:
    """Tell whether there is nothing but XML white space."""
    return text is None or not text.strip(_XML_SPACE)


def find_all(parent: Element, name: str) -> list[Element]:
    """Return the children of this name."""
    return list(parent.iterchildren(name))


def find_first(parent: Element, name: str) -> Element | None:
    """Return the first child of this name, or None."""
    return next(parent.iterchildren(name), None)


def find_only(parent: Element, name: str, refusal: type[IdentityError]) -> Element:
    """Return the one child of this name. Raises ``refusal`` if there is none, or a second one."""
    children = find_all(parent, name)
    if len(children) != 1:
        raise refusal(f"{len(children)} of {name.rpartition('}')[2]}")
    return children[0]


def read_text(element: Element, refusal: type[IdentityError]) -> str:
    """Return the whole text of an element, exactly as it is.

    Raises ``refusal`` if there are child elements: then a part of the text could be taken for the whole.
    """
    if len(element):
        raise refusal(f"{element.tag.rpartition('}')[2]} has child elements")
    return element.text or ""


def read_time(element: Element, attribute: str) -> datetime | None:
    """Return the moment in an attribute, in UTC, or None if the attribute is not there.

    Raises SAMLTimeFormat for an offset, a missing ``Z``, or a date that does not exist. SAML Core 1.3.3.
    """
    text = element.get(attribute)
    if text is None:
        return None
    if not _UTC_TIME.fullmatch(text):
        raise SAMLTimeFormat(f"{attribute} is not written in UTC")
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise SAMLTimeFormat(f"{attribute} is no date that exists") from error
