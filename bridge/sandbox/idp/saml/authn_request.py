"""Decides whether an AuthnRequest is acceptable, and what it asks for.

The order: decode, parse, find the registered issuer, verify its signature, then read. Before the signature only the
``Issuer`` is read, to choose the certificates.
"""

import re
import zlib
from base64 import b64decode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote_plus

from bridge.sandbox.idp.refusals import Refused
from bridge.sandbox.idp.saml.documents import MAXIMUM_BYTES, parse_document
from bridge.sandbox.idp.saml.names import ASSERTION, POST_BINDING, PROTOCOL
from bridge.sandbox.idp.saml.service_providers import KnownServiceProvider, ServiceProviders
from bridge.sandbox.idp.saml.signatures import verify_enveloped, verify_query

MAXIMUM_AGE = timedelta(minutes=5)
CLOCK_SKEW = timedelta(minutes=1)
_RELAY_STATE_BYTES = 80
_NCNAME = re.compile(r"[A-Za-z_][A-Za-z0-9._-]{0,255}")


@dataclass(frozen=True)
class AuthnRequest:
    """A verified request of a registered service provider."""

    service_provider: KnownServiceProvider
    id: str
    acs_url: str
    """One of the addresses of the service provider's metadata."""
    relay_state: str | None
    demands_fresh_sign_in: bool
    """``ForceAuthn``."""
    is_passive: bool
    """``IsPassive``: the person must not be shown anything."""
    name_id_format: str | None
    requested_contexts: tuple[str, ...]
    """The acceptable authentication contexts, in the order of preference; empty: any."""
    context_comparison: str
    maximum_age: timedelta | None = None


def verify_redirect(query_string: str, endpoint: str, providers: ServiceProviders, now: datetime) -> AuthnRequest:
    """Return the request that came by the HTTP-Redirect binding (SAML Bindings 3.4)."""
    parameters: dict[str, str] = {}
    for part in query_string.split("&"):
        name, _, value = part.partition("=")
        if name in parameters:
            raise Refused("idp_parameter_twice", "A parameter came twice.")
        parameters[name] = value
    if "SAMLRequest" not in parameters:
        raise Refused("idp_no_request", "There is no SAMLRequest here.")
    root = parse_document(_inflate(_decode_base64(unquote_plus(parameters["SAMLRequest"]))))
    provider = providers.load_by_entity_id(_read_issuer(root))
    verify_query(parameters, provider.certificates)
    relay_state = parameters.get("RelayState")
    return _read(root, provider, endpoint, relay_state and unquote_plus(relay_state), now)


def verify_post(
    saml_request: str, relay_state: str | None, endpoint: str, providers: ServiceProviders, now: datetime
) -> AuthnRequest:
    """Return the request that came by the HTTP-POST binding (SAML Bindings 3.5)."""
    root = parse_document(_decode_base64("".join(saml_request.split())))
    provider = providers.load_by_entity_id(_read_issuer(root))
    verify_enveloped(root, provider.certificates)
    return _read(root, provider, endpoint, relay_state, now)


def _decode_base64(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError as error:
        raise Refused("saml_base64", "The SAMLRequest is not base64.") from error


def _inflate(data: bytes) -> bytes:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        # One byte more than allowed: enough to see that it is too much, and never more than that.
        document = inflater.decompress(data, MAXIMUM_BYTES + 1)
    except zlib.error as error:
        raise Refused("saml_deflate", "The SAMLRequest is not deflated.") from error
    if not inflater.eof and len(document) <= MAXIMUM_BYTES:
        raise Refused("saml_deflate", "The SAMLRequest is cut off.")
    return document


def _read_issuer(root: Any) -> str:
    if root.tag != f"{{{PROTOCOL}}}AuthnRequest":
        raise Refused("saml_root", "This is not an AuthnRequest.")
    issuers = root.findall(f"{{{ASSERTION}}}Issuer")
    if len(issuers) != 1 or not issuers[0].text or len(issuers[0]):
        raise Refused("idp_unknown_sp", "The request has no Issuer.")
    return str(issuers[0].text)


def _read(
    root: Any, provider: KnownServiceProvider, endpoint: str, relay_state: str | None, now: datetime
) -> AuthnRequest:
    if root.get("Version") != "2.0":
        raise Refused("saml_version", "The request is not SAML 2.0.")
    if not _NCNAME.fullmatch(root.get("ID", "")):
        raise Refused("saml_id", "The request has no usable ID.")
    # A signed message must say where it was meant to go (SAML Bindings 3.4.5.2 and 3.5.5.2).
    if root.get("Destination") != endpoint:
        raise Refused("saml_destination", "The request was meant for another address.")
    _check_issue_instant(root.get("IssueInstant", ""), now)
    if relay_state is not None and len(relay_state.encode()) > _RELAY_STATE_BYTES:
        raise Refused("saml_relay_state", "RelayState is longer than 80 bytes.")
    policy = root.find(f"{{{PROTOCOL}}}NameIDPolicy")
    contexts = root.find(f"{{{PROTOCOL}}}RequestedAuthnContext")
    return AuthnRequest(
        service_provider=provider,
        id=root.get("ID"),
        acs_url=_choose_acs(root, provider),
        relay_state=relay_state,
        demands_fresh_sign_in=root.get("ForceAuthn") in ("true", "1"),
        is_passive=root.get("IsPassive") in ("true", "1"),
        name_id_format=None if policy is None else policy.get("Format"),
        requested_contexts=()
        if contexts is None
        else tuple(each.text or "" for each in contexts.iterfind(f"{{{ASSERTION}}}AuthnContextClassRef")),
        context_comparison="exact" if contexts is None else contexts.get("Comparison", "exact"),
    )


def _check_issue_instant(text: str, now: datetime) -> None:
    """The request is from now: an old one may have been kept by somebody for this moment."""
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z", text):
        raise Refused("saml_time_format", "The request's IssueInstant is not a time in UTC.")
    try:
        issued_at = datetime.fromisoformat(text).astimezone(UTC)
    except ValueError as error:
        raise Refused("saml_time_format", "The request's IssueInstant is no real time.") from error
    if not now - MAXIMUM_AGE <= issued_at <= now + CLOCK_SKEW:
        raise Refused("idp_request_time", "The request is too old, or from the future.")


def _choose_acs(root: Any, provider: KnownServiceProvider) -> str:
    """Return where to post the answer: an address of the metadata, whatever the request says.

    Even a signed request must not choose freely: the assertion is for the address that was registered.
    """
    if root.get("ProtocolBinding", POST_BINDING) != POST_BINDING:
        raise Refused("idp_binding", "Only HTTP-POST is offered for the response.")
    url, index = root.get("AssertionConsumerServiceURL"), root.get("AssertionConsumerServiceIndex")
    if url is None and index is None:
        return provider.default_acs_url
    for consumer in provider.consumers:
        if url in (None, consumer.url) and index in (None, consumer.index):
            return consumer.url
    raise Refused("idp_acs", "The request names an ACS that is not in the application's metadata.")
