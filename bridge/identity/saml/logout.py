"""Single logout: deciding about the provider's messages, and writing ours.

The checks, in the order in which they run:

1.  ``verify_message``: one message, signed by the provider, of the kind that its parameter announces
2.  ``check_children``: with the attributes and children that SAML knows, and no others
3.  ``check_version``, ``check_issuer``: SAML 2.0, with an ID, by this provider
4.  ``check_destination``: sent to exactly this address; a message for another service of the company is not ours
5.  ``check_times``: issued in the last ten minutes, and not over
6.  of a request: ``read_name_id``, ``read_session_indexes``: whom and what it is about
7.  of a response: ``check_in_response_to``: the answer to what this browser asked. Its status is not read: our session
    ended before we asked.

No cookie takes part in a request, since browsers send none into the frame in which it arrives. That a request counts
once is for the caller to check. SAML Core 3.7, Profiles 4.4, Bindings 3.4 and 3.5; threat SAML-30.
"""

import secrets
from datetime import datetime, timedelta

from lxml import etree

from bridge.clock import format_utc
from bridge.errors import (
    SAMLDestination,
    SAMLId,
    SAMLInResponseTo,
    SAMLIssuer,
    SAMLLogoutSession,
    SAMLSchema,
    SAMLTimeFormat,
    SAMLVersion,
)
from bridge.identity.ended import EndedAtProvider
from bridge.identity.saml.document import Element
from bridge.identity.saml.elements import (
    EXTENSIONS,
    ISSUER,
    LOGOUT_REQUEST,
    LOGOUT_RESPONSE,
    NAME_ID,
    SESSION_INDEX,
    STATUS,
    STATUS_CODE,
    find_all,
    find_only,
    is_blank,
    read_text,
    read_time,
)
from bridge.identity.saml.expected import Expected
from bridge.identity.saml.logout_binding import LogoutMessage, verify_message
from bridge.identity.saml.request import AuthnRequest
from bridge.identity.saml.subject import read_name_id
from bridge.identity.saml.validity import MAX_AGE, check_age, check_not_over
from bridge.identity.verified import VerifiedIdentity

MAX_SESSION_INDEXES = 20
MAX_SESSION_INDEX_CHARACTERS = 1024

_ATTRIBUTES = {"ID", "Version", "IssueInstant", "Destination", "Consent"}
_ENTITY_FORMAT = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"
_SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"


def verify_logout_request(message: LogoutMessage, expected: Expected) -> EndedAtProvider:
    """Return what the provider says is over. ``expected.acs_url`` is our logout address here.

    Raises a leaf of IdentityError. The caller makes sure that ``message_id`` is used once.
    """
    request = verify_message(message, LOGOUT_REQUEST, expected.keys)
    check_children(request, _ATTRIBUTES | {"NotOnOrAfter", "Reason"}, [ISSUER, EXTENSIONS, NAME_ID, SESSION_INDEX])
    check_version(request)
    check_issuer(request, expected)
    check_destination(request, expected)
    accept_until = check_times(request, expected)
    return EndedAtProvider(
        issuer=expected.provider.entity_id,
        subject=read_name_id(request, expected),
        session_indexes=read_session_indexes(request),
        message_id=request.get("ID"),
        accept_until=accept_until,
    )


def verify_logout_response(message: LogoutMessage, expected: Expected) -> None:
    """The provider answers our request, which this browser carried there; ``expected.request_id`` is its ID.

    Raises a leaf of IdentityError.
    """
    response = verify_message(message, LOGOUT_RESPONSE, expected.keys)
    check_children(response, _ATTRIBUTES | {"InResponseTo"}, [ISSUER, EXTENSIONS, STATUS])
    check_version(response)
    check_issuer(response, expected)
    check_destination(response, expected)
    check_times(response, expected)
    check_in_response_to(response, expected)


def check_children(message: Element, attributes: set[str], order: list[str]) -> None:
    """Attributes and children are those that SAML knows, in their order, without text between. Raises SAMLSchema.

    Of the children only ``SessionIndex`` may come more than once. A ``BaseID`` or ``EncryptedID`` names nobody to us.
    """
    if set(message.keys()) - attributes:
        raise SAMLSchema("a logout message with unknown attributes")
    children = [child.tag for child in message]
    once = [name for name in children if name != SESSION_INDEX]
    if len(set(once)) != len(once) or children != sorted(children, key=lambda name: _position(name, order)):
        raise SAMLSchema("a logout message with repeated or misplaced children")
    if not is_blank(message.text) or not all(is_blank(child.tail) for child in message):
        raise SAMLSchema("text in a logout message")


def check_version(message: Element) -> None:
    """It is SAML 2.0, and has an ID. Raises SAMLVersion or SAMLId."""
    if message.get("Version") != "2.0":
        raise SAMLVersion(f"version {ascii(message.get('Version', ''))[:20]}")
    if not message.get("ID"):
        raise SAMLId("no ID")


def check_issuer(message: Element, expected: Expected) -> None:
    """It is by exactly the provider at whose address it arrived. Raises SAMLIssuer."""
    issuer = find_only(message, ISSUER, SAMLIssuer)
    if read_text(issuer, SAMLIssuer) != expected.provider.entity_id:
        raise SAMLIssuer(f"by {ascii(issuer.text)[:300]}")
    if issuer.get("Format", _ENTITY_FORMAT) != _ENTITY_FORMAT or set(issuer.keys()) - {"Format"}:
        raise SAMLIssuer("an issuer that is no entity ID")


def check_destination(message: Element, expected: Expected) -> None:
    """It was sent to exactly our address, and says so, as signed messages must (Bindings 3.4.5.2).

    Raises SAMLDestination.
    """
    destination = message.get("Destination")
    if destination != expected.acs_url:
        raise SAMLDestination(f"sent to {ascii(destination)[:300]}")


def check_times(message: Element, expected: Expected) -> datetime:
    """Issued within the last minutes, and not over; return the last moment at which it would still be accepted.

    Raises SAMLTimeFormat, SAMLNotYet, SAMLStale or SAMLExpired.
    """
    issued = read_time(message, "IssueInstant")
    if issued is None:
        raise SAMLTimeFormat("no IssueInstant")
    check_age(issued, MAX_AGE, expected)
    end = read_time(message, "NotOnOrAfter")
    if end is not None:
        check_not_over(end, expected)
    return min(issued + MAX_AGE, end or issued + MAX_AGE) + expected.skew


def read_session_indexes(request: Element) -> tuple[str, ...]:
    """Return the provider's names of the sessions that are over; none: all of the person's.

    Raises SAMLLogoutSession. An empty one is refused, since to skip it could make "none" of "one".
    """
    indexes = tuple(read_text(element, SAMLLogoutSession) for element in find_all(request, SESSION_INDEX))
    if len(indexes) > MAX_SESSION_INDEXES:
        raise SAMLLogoutSession(f"{len(indexes)} of SessionIndex")
    if not all(0 < len(index) <= MAX_SESSION_INDEX_CHARACTERS for index in indexes):
        raise SAMLLogoutSession("a SessionIndex that is empty or too long")
    return indexes


def check_in_response_to(response: Element, expected: Expected) -> None:
    """It answers the request that this browser carried. Raises SAMLInResponseTo."""
    if expected.request_id is None or response.get("InResponseTo") != expected.request_id:
        raise SAMLInResponseTo("the answer to another logout request, or in another browser")


def build_logout_request(
    *, request_id: str, sp_entity_id: str, destination: str, identity: VerifiedIdentity, now: datetime
) -> AuthnRequest:
    """Return an unsigned request to end the person's session at the provider, the one that ours came from."""
    request = _begin("LogoutRequest", request_id, sp_entity_id, destination, now)
    request.set("NotOnOrAfter", format_utc(now + timedelta(minutes=5)))
    name = etree.SubElement(request, NAME_ID)
    name.text = identity.subject
    if identity.name_format is not None:
        name.set("Format", identity.name_format)
    if identity.session_index is not None:
        etree.SubElement(request, SESSION_INDEX).text = identity.session_index
    return AuthnRequest(id=request_id, xml=etree.tostring(request))


def build_logout_response(*, sp_entity_id: str, destination: str, request_id: str, now: datetime) -> AuthnRequest:
    """Return an unsigned answer: whatever there was of the person's session here is over."""
    response = _begin("LogoutResponse", f"_{secrets.token_hex(20)}", sp_entity_id, destination, now)
    response.set("InResponseTo", request_id)
    etree.SubElement(etree.SubElement(response, STATUS), STATUS_CODE, {"Value": _SUCCESS})
    return AuthnRequest(id=response.get("ID"), xml=etree.tostring(response))


def _begin(name: str, message_id: str, sp_entity_id: str, destination: str, now: datetime) -> Element:
    protocol = STATUS[1:].partition("}")[0]
    message = etree.Element(
        f"{{{protocol}}}{name}",
        {"ID": message_id, "Version": "2.0", "IssueInstant": format_utc(now), "Destination": destination},
        nsmap={"samlp": protocol, "saml": ISSUER[1:].partition("}")[0]},
    )
    etree.SubElement(message, ISSUER).text = sp_entity_id
    return message


def _position(name: str, order: list[str]) -> int:
    if name not in order:
        raise SAMLSchema("a logout message with unknown children")
    return order.index(name)
