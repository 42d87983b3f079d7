"""What a verified assertion states: that the person authenticated, when and how, and which attributes they have.

SAML Core 2.7; threats SAML-13, 16, 20, 21, 23.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from bridge.errors import (
    ClaimNotSingle,
    GroupsUnknown,
    SAMLAttributeStructured,
    SAMLAttributeTwice,
    SAMLAuthnContext,
    SAMLAuthnStatement,
    SAMLEncrypted,
    SAMLSchema,
    SAMLSessionOver,
    SAMLStale,
    SAMLTooComplex,
)
from bridge.identity.providers import SAMLProvider
from bridge.identity.saml.document import Element
from bridge.identity.saml.elements import (
    ATTRIBUTE,
    ATTRIBUTE_STATEMENT,
    ATTRIBUTE_VALUE,
    AUTHN_CONTEXT,
    AUTHN_CONTEXT_CLASS_REF,
    AUTHN_STATEMENT,
    ENCRYPTED_ATTRIBUTE,
    find_all,
    find_first,
    find_only,
    read_text,
    read_time,
)
from bridge.identity.saml.expected import Expected
from bridge.identity.saml.trace import SAMLTrace
from bridge.identity.saml.validity import check_age, check_not_over
from bridge.identity.verified import Claim

MAX_ATTRIBUTES = 200
MAX_VALUES = 1_000
"""The values of one attribute. All elements together are limited before anything is read."""
MAX_SESSION_INDEX_CHARACTERS = 256

_XSI_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"


@dataclass(frozen=True)
class Authentication:
    """How and when the person authenticated at the provider."""

    at: datetime
    session_end: datetime | None
    session_index: str | None
    class_ref: str | None


def read_authentication(assertion: Element, expected: Expected, trace: SAMLTrace) -> Authentication:
    """Return the one ``AuthnStatement``; the authentication is as the settings want it, and its session not over.

    A provider may ignore what we ask for, so age, freshness and class are checked here. Raises SAMLAuthnStatement,
    SAMLAuthnContext, SAMLNotYet, SAMLStale or SAMLSessionOver.
    """
    trace.at = "authentication"
    statement = find_only(assertion, AUTHN_STATEMENT, SAMLAuthnStatement)
    at = read_time(statement, "AuthnInstant")
    if at is None:
        raise SAMLAuthnStatement("no AuthnInstant")
    trace.at = "authenticated"
    check_age(at, timedelta(seconds=expected.provider.max_authentication_age_seconds), expected)
    trace.at = "fresh"
    _check_fresh(at, expected)
    trace.at = "session_end"
    session_end = read_time(statement, "SessionNotOnOrAfter")
    if session_end is not None:
        check_not_over(session_end, expected, SAMLSessionOver)
        # A session without an end is often written 9999-12-31T23:59:59.9999999Z, which no timestamp can hold.
        session_end = session_end.replace(microsecond=0)
    session_index: str | None = statement.get("SessionIndex")
    if session_index is not None and len(session_index) > MAX_SESSION_INDEX_CHARACTERS:
        raise SAMLAuthnStatement("an overlong SessionIndex")
    trace.at = "authn_context"
    context = find_only(statement, AUTHN_CONTEXT, SAMLAuthnStatement)
    class_element = find_first(context, AUTHN_CONTEXT_CLASS_REF)
    class_ref = None if class_element is None else read_text(class_element, SAMLAuthnStatement)
    requested = expected.provider.requested_authn_contexts
    if requested and class_ref not in requested:
        raise SAMLAuthnContext(f"authenticated by {'nothing said' if class_ref is None else ascii(class_ref[:200])}")
    return Authentication(
        at=at,
        session_end=session_end,
        session_index=session_index,
        class_ref=class_ref,
    )


def _check_fresh(at: datetime, expected: Expected) -> None:
    """Where the settings force it, the person authenticated for this question, skew allowed. Raises SAMLStale.

    Providers write whole seconds, so the second in which we asked counts as a whole.
    """
    if not expected.provider.force_authn:
        return
    if expected.asked_at is None:
        raise SAMLStale("a new authentication is required, and nothing says since when")
    asked_at = expected.asked_at.replace(microsecond=0)
    if at < asked_at - expected.skew:
        raise SAMLStale(f"authenticated {(asked_at - at).total_seconds():.0f} s before we asked for it anew")


def read_claims(assertion: Element, provider: SAMLProvider) -> dict[str, Claim]:
    """Return the attributes under our names for them.

    A claim that the settings take from some attribute is never filled by another one that happens to be called like
    the claim. Groups that were left out because they are many (Entra ID then sends ``….link``) are not "no groups",
    which would lift a rule that denies by group (threat MAP-06). Raises ClaimNotSingle, GroupsUnknown, and what
    :func:`read_attributes` raises.
    """
    attributes = read_attributes(assertion)
    if f"{provider.claims.get(provider.groups_claim, provider.groups_claim)}.link" in attributes:
        raise GroupsUnknown("the provider sent a reference instead of the groups")
    theirs = frozenset(provider.claims.values())
    named = {name: values for name, values in attributes.items() if name not in theirs | provider.claims.keys()}
    named.update({ours: attributes[name] for ours, name in provider.claims.items() if name in attributes})
    claims: dict[str, Claim] = {}
    for name, values in named.items():
        if name not in provider.single_valued:
            claims[name] = list(values)
        elif len(values) > 1:
            raise ClaimNotSingle(f"{len(values)} values of {name[:100]!a}")
        elif values:
            claims[name] = values[0]
    return claims


def read_attributes(assertion: Element) -> dict[str, list[str]]:
    """Return all attributes by ``Name``; ``FriendlyName`` means nothing.

    The same name twice is ambiguous: one program takes the first, another the last. A value with child elements could
    be read in part, ``cloud-admins<x>-test</x>`` as ``cloud-admins``. An attribute that we cannot decrypt might be one
    that forbids something. Raises SAMLAttributeTwice, -Structured, SAMLEncrypted or SAMLTooComplex.
    """
    attributes: dict[str, list[str]] = {}
    for statement in find_all(assertion, ATTRIBUTE_STATEMENT):
        if find_first(statement, ENCRYPTED_ATTRIBUTE) is not None:
            raise SAMLEncrypted("an encrypted attribute")
        for attribute in find_all(statement, ATTRIBUTE):
            name = attribute.get("Name")
            if not name:
                raise SAMLSchema("an attribute without Name")
            if name in attributes:
                raise SAMLAttributeTwice(ascii(name[:100]))
            values = find_all(attribute, ATTRIBUTE_VALUE)
            if len(values) > MAX_VALUES or len(attributes) >= MAX_ATTRIBUTES:
                raise SAMLTooComplex("too many attributes, or values of one")
            attributes[name] = [read_text(value, SAMLAttributeStructured) for value in values if not _is_null(value)]
    return attributes


def _is_null(value: Element) -> bool:
    return value.text is None and value.get(_XSI_NIL) in {"true", "1"}
