"""A SAML response that somebody shows us, verified by the checks of a sign-in as far as that is possible.

Two things cannot be known outside of a sign-in: whether the question that it answers was ours, and whether it is used
for the first time. The first is taken from the response itself, the second is left open.
"""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

from bridge.errors import BridgeError, IdentityError, SAMLEncrypted, SAMLIssuer, SAMLSubject
from bridge.identity.providers import SAMLProvider
from bridge.identity.saml.document import Element, decode_base64, parse_untrusted
from bridge.identity.saml.elements import (
    ASSERTION,
    AUTHN_CONTEXT,
    AUTHN_CONTEXT_CLASS_REF,
    AUTHN_STATEMENT,
    ISSUER,
    NAME_ID,
    SUBJECT,
    find_first,
    find_only,
    read_text,
    read_time,
)
from bridge.identity.saml.service_provider import ServiceProvider
from bridge.identity.saml.statements import read_claims
from bridge.identity.shown import Shown, judge_shown
from bridge.identity.verified import VerifiedIdentity

_LONG_AGO = timedelta(days=1)


class ShownResponse:
    """A response as it came, of which nothing is known to be true."""

    def __init__(self, content: bytes) -> None:
        """Take the form field ``SAMLResponse`` as the browser's tools show it, or the XML in it.

        Raises Malformed if it is no small, unambiguous document.
        """
        self.encoded = _encode(content)
        self._document = parse_untrusted(decode_base64(self.encoded))

    def find_provider(self, providers: Mapping[str, SAMLProvider]) -> SAMLProvider:
        """Return the provider that it claims to be from. Raises SAMLIssuer if we know none of that name."""
        issuer = self._find_issuer()
        found = next((each for each in providers.values() if each.entity_id == issuer), None)
        if found is None:
            raise SAMLIssuer(f"by {ascii(issuer)[:300]}, which is no SAML provider in the settings")
        return found

    def verify(self, us: ServiceProvider, now: datetime) -> Shown:
        """Return who it is about and whether it passes every check, at this moment or else when it was issued.

        Raises a leaf of IdentityError where it passes neither and cannot be read without that.
        """
        return judge_shown(
            lambda moment: self._verify_at(us, moment),
            self._find_issued,
            lambda refusal: self.suppose(us.provider, now, refusal),
            now,
        )

    def suppose(self, provider: SAMLProvider, now: datetime, refusal: BridgeError) -> Shown:
        """Return who it says it is about, marked UNVERIFIED. Raises ``refusal`` itself if it cannot even be read."""
        try:
            identity = self._read(provider, now)
        except IdentityError as error:
            raise refusal from error
        return Shown(identity, "UNVERIFIED", f"{refusal.code}: {refusal.detail}", now)

    def _verify_at(self, us: ServiceProvider, moment: datetime) -> VerifiedIdentity:
        return us.verify(self.encoded, self._document.get("InResponseTo"), moment, moment - _LONG_AGO)

    def _find_issuer(self) -> str | None:
        issuer = find_first(self._document, ISSUER)
        assertion = find_first(self._document, ASSERTION)
        if issuer is None and assertion is not None:
            issuer = find_first(assertion, ISSUER)
        return None if issuer is None else issuer.text

    def _find_issued(self) -> datetime | None:
        try:
            return read_time(self._document, "IssueInstant")
        except IdentityError:
            return None

    def _read(self, provider: SAMLProvider, now: datetime) -> VerifiedIdentity:
        assertion = find_first(self._document, ASSERTION)
        if assertion is None:
            raise SAMLEncrypted("no assertion that can be read")
        at, acr = _read_authentication(assertion)
        return VerifiedIdentity(
            provider=provider.name,
            protocol="saml",
            issuer=provider.entity_id,
            subject=read_text(find_only(find_only(assertion, SUBJECT, SAMLSubject), NAME_ID, SAMLSubject), SAMLSubject),
            claims=read_claims(assertion, provider),
            authenticated_at=at or now,
            message_id="",
            accept_until=datetime.min.replace(tzinfo=UTC),
            acr=acr,
            authentication_time_stated=at is not None,
        )


def _read_authentication(assertion: Element) -> tuple[datetime | None, str | None]:
    statement = find_first(assertion, AUTHN_STATEMENT)
    if statement is None:
        return None, None
    context = find_first(statement, AUTHN_CONTEXT)
    class_ref = None if context is None else find_first(context, AUTHN_CONTEXT_CLASS_REF)
    return read_time(statement, "AuthnInstant"), None if class_ref is None else read_text(class_ref, SAMLSubject)


def _encode(content: bytes) -> str:
    """Return the form field, whichever way it was copied: as XML, as it was sent, or as a tool writes it down."""
    content = content.strip()
    if content.startswith(b"<"):
        return base64.b64encode(content).decode()
    text = content.decode("ascii", errors="replace").removeprefix("SAMLResponse=").partition("&")[0]
    return "".join((unquote(text) if "%" in text else text).split())
