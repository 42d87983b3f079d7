"""Builds and signs responses, with everything in them that enterprise providers put there.

XML is built from elements, never from text, so that no name or group can become markup.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lxml import etree
from lxml.builder import ElementMaker

from bridge.clock import format_utc
from bridge.sandbox.idp.saml.encryption import encrypt_assertion
from bridge.sandbox.idp.saml.names import (
    ASSERTION,
    BASIC_ATTRIBUTE,
    BEARER,
    EMAIL_FORMAT,
    ENTITY_FORMAT,
    PERSISTENT_FORMAT,
    PROTOCOL,
    SUCCESS,
    XMLSCHEMA,
    XMLSCHEMA_INSTANCE,
)
from bridge.sandbox.idp.saml.service_providers import KnownServiceProvider
from bridge.sandbox.idp.saml.signatures import Signer
from bridge.sandbox.idp.sessions import Session
from bridge.sandbox.idp.state import Person

LIFETIME = timedelta(minutes=5)

_SAML = ElementMaker(namespace=ASSERTION, nsmap={"saml": ASSERTION})
_SAMLP = ElementMaker(namespace=PROTOCOL, nsmap={"samlp": PROTOCOL, "saml": ASSERTION})


@dataclass(frozen=True)
class Addressee:
    """For whom a response is, and which question it answers."""

    service_provider: KnownServiceProvider
    acs_url: str
    in_response_to: str | None
    """None: nobody asked."""


class ResponseIssuer:
    """Speaks for the provider in SAML."""

    def __init__(self, entity_id: str, signer: Signer) -> None:
        """Take the provider's entity ID and its signer."""
        self._entity_id = entity_id
        self._signer = signer

    def issue_success(self, addressee: Addressee, session: Session, context: str, now: datetime) -> bytes:
        """Return a response about the signed-in person; assertion and response are both signed.

        Where the service provider is registered so, the signed assertion is encrypted before the response is signed.
        """
        response = self._build_response(addressee, _build_status(SUCCESS), now)
        assertion = self._build_assertion(addressee, session, context, now)
        response.append(assertion)
        self._signer.sign(assertion)
        provider = addressee.service_provider
        if provider.registration.encrypt and provider.encryption_certificate is not None:
            response.replace(assertion, encrypt_assertion(assertion, provider.encryption_certificate))
        self._signer.sign(response)
        return _serialize(response)

    def issue_failure(self, addressee: Addressee, status: tuple[str, str], now: datetime) -> bytes:
        """Return a signed response that says why there is no assertion: a status and a status below it."""
        response = self._build_response(addressee, _build_status(*status), now)
        self._signer.sign(response)
        return _serialize(response)

    def _build_response(self, addressee: Addressee, status: Any, now: datetime) -> Any:
        response = _SAMLP.Response(
            self._build_issuer(),
            status,
            ID=_create_id(),
            Version="2.0",
            IssueInstant=format_utc(now),
            Destination=addressee.acs_url,
        )
        if addressee.in_response_to is not None:
            response.set("InResponseTo", addressee.in_response_to)
        return response

    def _build_assertion(self, addressee: Addressee, session: Session, context: str, now: datetime) -> Any:
        end = format_utc(now + LIFETIME)
        entity_id = addressee.service_provider.registration.entity_id
        confirmation = _SAML.SubjectConfirmationData(Recipient=addressee.acs_url, NotOnOrAfter=end)
        if addressee.in_response_to is not None:
            confirmation.set("InResponseTo", addressee.in_response_to)
        return _SAML.Assertion(
            self._build_issuer(),
            _SAML.Subject(
                self._build_name_id(addressee, session.person),
                _SAML.SubjectConfirmation(confirmation, Method=BEARER),
            ),
            _SAML.Conditions(
                _SAML.AudienceRestriction(_SAML.Audience(entity_id)),
                NotBefore=format_utc(now),
                NotOnOrAfter=end,
            ),
            _SAML.AuthnStatement(
                _SAML.AuthnContext(_SAML.AuthnContextClassRef(context)),
                AuthnInstant=format_utc(session.authenticated_at),
                SessionIndex=session.index,
                SessionNotOnOrAfter=format_utc(session.ends_at),
            ),
            _build_attributes(session.person),
            ID=_create_id(),
            Version="2.0",
            IssueInstant=format_utc(now),
        )

    def _build_issuer(self) -> Any:
        return _SAML.Issuer(self._entity_id, Format=ENTITY_FORMAT)

    def _build_name_id(self, addressee: Addressee, person: Person) -> Any:
        """Return the e-mail address, or an identifier that no other service provider gets to see."""
        registration = addressee.service_provider.registration
        if registration.name_id_format == "emailAddress":
            return _SAML.NameID(person.mail, Format=EMAIL_FORMAT)
        text = f"{self._entity_id}\n{registration.entity_id}\n{person.uid}"
        return _SAML.NameID(
            hashlib.sha256(text.encode()).hexdigest()[:40],
            Format=PERSISTENT_FORMAT,
            NameQualifier=self._entity_id,
            SPNameQualifier=registration.entity_id,
        )


def _serialize(document: Any) -> bytes:
    data: bytes = etree.tostring(document, xml_declaration=True, encoding="UTF-8")
    return data


def _build_status(code: str, subcode: str | None = None) -> Any:
    element = _SAMLP.StatusCode(Value=code)
    if subcode is not None:
        element.append(_SAMLP.StatusCode(Value=subcode))
    return _SAMLP.Status(element)


def _build_attributes(person: Person) -> Any:
    attributes = {
        "uid": (person.uid,),
        "mail": (person.mail,),
        "displayName": (person.name,),
        "department": (person.department,),
        "title": (person.title,),
        "groups": person.groups,
    }
    statement = _SAML.AttributeStatement()
    for name, values in attributes.items():
        # The schema allows an attribute without values; providers leave it out.
        if values:
            attribute = _SAML.Attribute(Name=name, NameFormat=BASIC_ATTRIBUTE)
            attribute.extend(_build_value(value) for value in values)
            statement.append(attribute)
    return statement


def _build_value(text: str) -> Any:
    element = etree.Element(
        f"{{{ASSERTION}}}AttributeValue",
        {f"{{{XMLSCHEMA_INSTANCE}}}type": "xs:string"},
        nsmap={"saml": ASSERTION, "xs": XMLSCHEMA, "xsi": XMLSCHEMA_INSTANCE},
    )
    element.text = text
    return element


def _create_id() -> str:
    return "_" + secrets.token_hex(20)
