"""The ``Conditions`` of a verified assertion: for whom it is meant, when, and what may be done with it.

SAML Core 2.5.1; Profiles 4.1.4.2; threats SAML-14, 20, 21, 22.
"""

from datetime import datetime

from bridge.errors import SAMLAudience, SAMLConditions, SAMLLifetime, SAMLProxyRestriction
from bridge.identity.saml.document import Element
from bridge.identity.saml.elements import (
    AUDIENCE,
    AUDIENCE_RESTRICTION,
    CONDITIONS,
    ONE_TIME_USE,
    PROXY_RESTRICTION,
    find_all,
    find_only,
    read_text,
    read_time,
)
from bridge.identity.saml.expected import Expected
from bridge.identity.saml.trace import SAMLTrace
from bridge.identity.saml.validity import check_lifetime, check_not_over, check_started


def find_conditions(assertion: Element) -> Element:
    """Return the one ``Conditions``, in which every condition is of a kind that we know.

    A condition that we do not understand makes the assertion's validity undetermined (SAML Core 2.5.1). OneTimeUse
    needs nothing more: no assertion is accepted twice. Raises SAMLConditions.
    """
    conditions = find_only(assertion, CONDITIONS, SAMLConditions)
    for condition in conditions:
        if condition.tag not in {AUDIENCE_RESTRICTION, ONE_TIME_USE, PROXY_RESTRICTION}:
            raise SAMLConditions("an unknown condition")
    return conditions


def check_audience(conditions: Element, expected: Expected) -> None:
    """The assertion is meant for us: there is an AudienceRestriction, and each contains our entity ID exactly.

    Without this, an assertion issued to another service of the same company could be replayed here. Within one
    restriction any audience will do, but all restrictions must be met (SAML Core 2.5.1.4). Raises SAMLAudience.
    """
    restrictions = find_all(conditions, AUDIENCE_RESTRICTION)
    if not restrictions:
        raise SAMLAudience("no AudienceRestriction")
    for restriction in restrictions:
        audiences = [read_text(audience, SAMLAudience) for audience in find_all(restriction, AUDIENCE)]
        if expected.sp_entity_id not in audiences:
            raise SAMLAudience(f"meant for {ascii(audiences)[:300]}")


def check_proxy_restriction(conditions: Element) -> None:
    """The provider lets us issue something on the basis of its assertion, for whomever (SAML Core 2.5.1.6).

    A bridge that only signs people in locally would be of no use, so a forbidden count, and a list of audiences, in
    which the cloud cannot be, are refused. Raises SAMLProxyRestriction.
    """
    for restriction in find_all(conditions, PROXY_RESTRICTION):
        count = restriction.get("Count", "1")
        if not (count.isascii() and count.isdigit() and int(count[:6]) >= 1):
            raise SAMLProxyRestriction("nothing may be issued on the basis of this assertion")
        if len(restriction):
            raise SAMLProxyRestriction("what is issued on the basis of this assertion is limited to named audiences")


def check_validity(conditions: Element, issued: datetime, expected: Expected, trace: SAMLTrace) -> datetime:
    """The assertion is valid now, and not for long. Return its ``NotOnOrAfter``.

    Raises SAMLNotYet, SAMLExpired or SAMLLifetime; the last also if there is no end.
    """
    trace.at = "valid_from"
    start, end = read_time(conditions, "NotBefore"), read_time(conditions, "NotOnOrAfter")
    if start is not None:
        check_started(start, expected)
    trace.at = "valid_until"
    if end is None:
        raise SAMLLifetime("Conditions without NotOnOrAfter")
    check_not_over(end, expected)
    trace.at = "lifetime"
    check_lifetime(start, issued, end)
    return end
