"""The signed SAML response that we present to Alibaba Cloud, to STS or through the person's browser.

The cloud's rules are: one assertion, signed with a key of our registered metadata (RSA-SHA256, exclusive
canonicalization); our entity ID as issuer; the console's ACS as ``Recipient`` and the site's entity ID as audience;
for a role, exactly one ``role,provider`` pair. Everything is built as elements, so that no name can become markup.
https://www.alibabacloud.com/help/en/ram/ : "SAML role-based SSO", "user-based SSO", "SAML assertions".
"""

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import xmlsec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from lxml import etree
from xmlsec import constants

from bridge.clock import format_utc
from bridge.exchange.accounts import Account
from bridge.identity.verified import VerifiedIdentity
from bridge.keys import SigningKey

SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
SAMLP = "urn:oasis:names:tc:SAML:2.0:protocol"
ROLE = "https://www.aliyun.com/SAML-Role/Attributes/Role"
ROLE_SESSION_NAME = "https://www.aliyun.com/SAML-Role/Attributes/RoleSessionName"
SESSION_DURATION = "https://www.aliyun.com/SAML-Role/Attributes/SessionDuration"

BACKDATE = timedelta(minutes=2)
"""How far the cloud's clock may be behind ours."""
LIFETIME = timedelta(minutes=3)
"""How long the response may travel."""

CLOCK_ALLOWANCE_SECONDS = 60
"""How much later ``SessionNotOnOrAfter`` is than the session that we ask for: without it, a clock that is a second
ahead of ours would find that the session asked for does not fit."""


@dataclass(frozen=True)
class Statement:
    """What one outgoing response says."""

    issuer: str
    recipient: str
    audience: str
    subject: str
    subject_format: str
    attributes: Mapping[str, str]
    authenticated_at: datetime
    """When the person authenticated at their provider, never later than that (threat OUT-04); UTC."""
    session_ends_at: datetime
    """``SessionNotOnOrAfter``: the cloud gives no session beyond it; UTC."""
    proxy_count: int | None = None
    """How many assertions may be based on this one in turn (SAML Core 2.5.1.6); None: the provider sets no limit."""


def count_further(identity: VerifiedIdentity) -> int | None:
    """Return the ``proxy_count`` of what is based on the provider's assertion: one less than it allows us."""
    return None if identity.proxy_count is None else identity.proxy_count - 1


def state_role(
    account: Account,
    role: str,
    *,
    session_name: str,
    issuer: str,
    duration_seconds: int,
    now: datetime,
    authenticated_at: datetime,
    proxy_count: int | None = None,
) -> Statement:
    """Return the statement that lets its bearer become one RAM role of one account, for STS and console alike."""
    return Statement(
        issuer=issuer,
        recipient=account.console_addresses.role_sso_url,
        audience=account.console_addresses.role_sso_audience,
        subject=session_name,
        subject_format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
        attributes={
            ROLE: f"{account.role_arn(role)},{account.saml_provider_arn}",
            ROLE_SESSION_NAME: session_name,
            SESSION_DURATION: str(duration_seconds),
        },
        authenticated_at=authenticated_at,
        session_ends_at=now + timedelta(seconds=duration_seconds + CLOCK_ALLOWANCE_SECONDS),
        proxy_count=proxy_count,
    )


@dataclass(frozen=True)
class IssuedResponse:
    """A signed response, ready for a form field or an STS parameter."""

    assertion_id: str
    encoded: str
    """The whole response in base64; a bearer secret for a few minutes."""

    def __repr__(self) -> str:
        """Show the identifier alone."""
        return f"IssuedResponse({self.assertion_id!r})"


def issue_response(statement: Statement, key: SigningKey, now: datetime) -> IssuedResponse:
    """Return a response whose assertion is signed with ``key`` and valid for a few minutes from ``now`` (UTC)."""
    response = etree.Element(f"{{{SAMLP}}}Response", nsmap={"samlp": SAMLP, "saml": SAML})
    _stamp(response, now)
    response.set("Destination", statement.recipient)
    _add(response, "Issuer", text=statement.issuer)
    status = etree.SubElement(response, f"{{{SAMLP}}}Status")
    etree.SubElement(status, f"{{{SAMLP}}}StatusCode", Value="urn:oasis:names:tc:SAML:2.0:status:Success")
    assertion = _add_assertion(response, statement, now)
    _sign(assertion, key)
    document = etree.tostring(response, encoding="UTF-8", xml_declaration=True)
    return IssuedResponse(assertion.get("ID") or "", base64.b64encode(document).decode("ascii"))


def _add_assertion(response: etree._Element, statement: Statement, now: datetime) -> etree._Element:
    assertion = _add(response, "Assertion")
    _stamp(assertion, now)
    _add(assertion, "Issuer", text=statement.issuer)
    subject = _add(assertion, "Subject")
    _add(subject, "NameID", text=statement.subject, Format=statement.subject_format)
    confirmation = _add(subject, "SubjectConfirmation", Method="urn:oasis:names:tc:SAML:2.0:cm:bearer")
    not_on_or_after = format_utc(now + LIFETIME)
    _add(confirmation, "SubjectConfirmationData", NotOnOrAfter=not_on_or_after, Recipient=statement.recipient)
    conditions = _add(assertion, "Conditions", NotBefore=format_utc(now - BACKDATE), NotOnOrAfter=not_on_or_after)
    _add(_add(conditions, "AudienceRestriction"), "Audience", text=statement.audience)
    if statement.proxy_count is not None:
        _add(conditions, "ProxyRestriction", Count=str(statement.proxy_count))
    authentication = _add(
        assertion,
        "AuthnStatement",
        AuthnInstant=format_utc(min(statement.authenticated_at, now)),
        SessionIndex=str(assertion.get("ID")),
        SessionNotOnOrAfter=format_utc(statement.session_ends_at),
    )
    context = _add(authentication, "AuthnContext")
    _add(context, "AuthnContextClassRef", text="urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified")
    if statement.attributes:
        attributes = _add(assertion, "AttributeStatement")
        for name, value in statement.attributes.items():
            attribute = _add(
                attributes, "Attribute", Name=name, NameFormat="urn:oasis:names:tc:SAML:2.0:attrname-format:uri"
            )
            _add(attribute, "AttributeValue", text=value)
    return assertion


def _add(parent: etree._Element, name: str, text: str | None = None, **attributes: str) -> etree._Element:
    element = etree.SubElement(parent, f"{{{SAML}}}{name}", attributes)
    element.text = text
    return element


def _stamp(element: etree._Element, now: datetime) -> None:
    element.set("ID", "_" + secrets.token_hex(20))
    element.set("Version", "2.0")
    element.set("IssueInstant", format_utc(now))


def _sign(assertion: etree._Element, key: SigningKey) -> None:
    signature = xmlsec.template.create(assertion, constants.TransformExclC14N, constants.TransformRsaSha256, ns="ds")
    assertion.insert(1, signature)  # the schema wants it right after Issuer
    reference = xmlsec.template.add_reference(signature, constants.TransformSha256, uri=f"#{assertion.get('ID')}")
    xmlsec.template.add_transform(reference, constants.TransformEnveloped)
    xmlsec.template.add_transform(reference, constants.TransformExclC14N)
    xmlsec.template.add_x509_data(xmlsec.template.ensure_key_info(signature))
    xmlsec.tree.add_ids(assertion, ["ID"])
    context = xmlsec.SignatureContext()
    pem = key.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    context.key = xmlsec.Key.from_memory(pem, constants.KeyDataFormatPem)
    context.key.load_cert_from_memory(key.certificate.public_bytes(Encoding.PEM), constants.KeyDataFormatPem)
    context.sign(signature)
