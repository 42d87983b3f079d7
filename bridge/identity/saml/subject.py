"""The ``Subject`` of a verified assertion: whom it is about, and what shows that its bearer is that person.

SAML Core 2.4; Profiles 4.1.4.2 and 4.1.4.3; threats SAML-19, 20, 21, 24.
"""

from datetime import datetime

from bridge.errors import (
    IdentityError,
    SAMLConfirmation,
    SAMLInResponseTo,
    SAMLNameID,
    SAMLRecipient,
    SAMLUnsolicited,
)
from bridge.identity.saml.document import Element
from bridge.identity.saml.elements import (
    NAME_ID,
    SUBJECT_CONFIRMATION,
    SUBJECT_CONFIRMATION_DATA,
    find_all,
    find_only,
    read_text,
    read_time,
)
from bridge.identity.saml.expected import Expected
from bridge.identity.saml.trace import SAMLTrace
from bridge.identity.saml.validity import check_lifetime, check_not_over

MAX_NAME_ID_CHARACTERS = 256

_BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
_TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
_UNSPECIFIED = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"


def read_name_id(subject: Element, expected: Expected) -> str:
    """Return the person's name at the provider: one lasting, visible name, given by that provider for us.

    A transient name is another one each time, so it cannot be anybody's account. A qualifier that names other parties
    makes it their name for somebody (SAML Core 2.2.2, 8.3). Raises SAMLNameID.
    """
    name_id = find_only(subject, NAME_ID, SAMLNameID)
    name = read_text(name_id, SAMLNameID)
    if not 1 <= len(name) <= MAX_NAME_ID_CHARACTERS or name.strip() != name or not name.isprintable():
        raise SAMLNameID("not 1 to 256 visible characters")
    name_format = name_id.get("Format", _UNSPECIFIED)
    wanted = expected.provider.name_id_format or name_format
    if name_format == _TRANSIENT or name_format != wanted or len(name_format) > MAX_NAME_ID_CHARACTERS:
        raise SAMLNameID(f"format {name_format[:100]!a}")
    if name_id.get("NameQualifier") not in {None, expected.provider.entity_id}:
        raise SAMLNameID("qualified by another provider")
    if name_id.get("SPNameQualifier") not in {None, expected.sp_entity_id}:
        raise SAMLNameID("qualified for another service provider")
    return name


def check_confirmation(subject: Element, issued: datetime, expected: Expected, trace: SAMLTrace) -> datetime:
    """At least one bearer confirmation is satisfied; return the end of the last one that is.

    Raises what is wrong with the last one, or SAMLConfirmation if there is none.
    """
    trace.at = "confirmation"
    refusal: IdentityError = SAMLConfirmation("no bearer confirmation")
    ends = []
    for confirmation in find_all(subject, SUBJECT_CONFIRMATION):
        if confirmation.get("Method") == _BEARER:
            try:
                ends.append(_check_bearer(confirmation, issued, expected, trace))
            except IdentityError as error:
                refusal = error
    if not ends:
        raise refusal
    return max(ends)


def check_in_response_to(element: Element, expected: Expected) -> None:
    """The element answers our question; or there was none, the provider may begin, and none is named.

    Without this, an assertion that an attacker obtained for himself could be put into another browser (login CSRF), and
    an answer could be kept and used for a later question. It is checked on the response and on the confirmation, since
    the response need not be signed. Some providers invent a value when nobody asked: that is no question of ours.
    Profiles 4.1.4.3, 4.1.5. Raises SAMLInResponseTo or SAMLUnsolicited.
    """
    if element.get("InResponseTo") != expected.request_id:
        raise SAMLInResponseTo(f"{element.tag.rpartition('}')[2]} answers {_cap(element.get('InResponseTo'))}")
    if expected.request_id is None and not expected.provider.idp_initiated:
        raise SAMLUnsolicited("this provider may not begin")


def _check_bearer(confirmation: Element, issued: datetime, expected: Expected, trace: SAMLTrace) -> datetime:
    """Whoever bears this assertion here and now is its subject. Profiles 4.1.4.2: Recipient and end, but no start."""
    trace.at = "confirmation"
    data = find_only(confirmation, SUBJECT_CONFIRMATION_DATA, SAMLConfirmation)
    if len(confirmation) != 1 or len(data):
        raise SAMLConfirmation("a confirmation by somebody, or something, else")
    trace.at = "recipient"
    if data.get("Recipient") != expected.acs_url:
        raise SAMLRecipient(f"to be delivered to {_cap(data.get('Recipient'))}")
    trace.at = "confirmation_in_response_to"
    check_in_response_to(data, expected)
    trace.at = "confirmation_until"
    if data.get("NotBefore") is not None:
        raise SAMLConfirmation("NotBefore in a bearer confirmation")
    end = read_time(data, "NotOnOrAfter")
    if end is None:
        raise SAMLConfirmation("no NotOnOrAfter in a bearer confirmation")
    check_not_over(end, expected)
    trace.at = "confirmation_lifetime"
    check_lifetime(None, issued, end)
    return end


def _cap(value: str | None) -> str:
    return "nothing" if value is None else ascii(value[:200])
