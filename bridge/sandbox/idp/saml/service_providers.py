"""What we know of the service providers: read from their metadata when first needed, and again every minute."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from bridge.clock import Clock
from bridge.sandbox.idp.refusals import Refused
from bridge.sandbox.idp.saml.documents import parse_document
from bridge.sandbox.idp.saml.names import METADATA, POST_BINDING, XMLDSIG
from bridge.sandbox.idp.state import IdPState, ServiceProvider

CACHE_LIFETIME = timedelta(minutes=1)
_MINIMUM_KEY_BITS = 2048


@dataclass(frozen=True)
class AssertionConsumer:
    """An address to which responses may be posted."""

    url: str
    index: str
    is_default: bool


@dataclass(frozen=True)
class KnownServiceProvider:
    """A registered service provider with what its metadata says."""

    registration: ServiceProvider
    consumers: tuple[AssertionConsumer, ...]
    """Never empty; POST binding only."""
    certificates: tuple[x509.Certificate, ...]
    """Its signing certificates; never empty."""
    encryption_certificate: x509.Certificate | None
    """The first one to encrypt for."""

    @property
    def default_acs_url(self) -> str:
        """The ACS for a response that nobody asked for, or that was asked for without naming one."""
        return next((each.url for each in self.consumers if each.is_default), self.consumers[0].url)


class ServiceProviders:
    """The registered service providers."""

    def __init__(self, state: IdPState, clock: Clock, fetch: Callable[[str], bytes]) -> None:
        """Use ``fetch`` to read the metadata addresses of the registrations, and no other address."""
        self._state = state
        self._clock = clock
        self._fetch = fetch
        self._cached: dict[str, tuple[KnownServiceProvider, datetime]] = {}

    def load(self, registration: ServiceProvider) -> KnownServiceProvider:
        """Return the service provider with its addresses and certificates.

        Raises :class:`Refused` if its metadata cannot be had or used.
        """
        known, until = self._cached.get(registration.name, (None, None))
        now = self._clock.now()
        if known is not None and until is not None and now < until:
            return known
        try:
            document = self._fetch(registration.metadata_url)
        except OSError as error:
            raise Refused("idp_metadata", "The application's metadata cannot be fetched.", 502) from error
        known = parse_metadata(document, registration)
        self._cached[registration.name] = (known, now + CACHE_LIFETIME)
        return known

    def load_by_entity_id(self, entity_id: str) -> KnownServiceProvider:
        """Return the service provider that calls itself ``entity_id``; raises :class:`Refused` if unknown."""
        for registration in self._state.saml_service_providers:
            if registration.entity_id == entity_id:
                return self.load(registration)
        raise Refused("idp_unknown_sp", "No application is registered under the request's Issuer.")


def parse_metadata(document: bytes, registration: ServiceProvider) -> KnownServiceProvider:
    """Return what the metadata says about the registered entity (SAML Metadata 2.4.4).

    Keys come from the ``SPSSODescriptor`` alone: one file may hold other roles with keys of their own.
    """
    root = parse_document(document)
    if root.tag != f"{{{METADATA}}}EntityDescriptor" or root.get("entityID") != registration.entity_id:
        raise Refused("idp_metadata", "The application's metadata is not that of the registered entity ID.", 502)
    descriptor = root.find(f"{{{METADATA}}}SPSSODescriptor")
    if descriptor is None:
        raise Refused("idp_metadata", "The application's metadata has no SPSSODescriptor.", 502)
    consumers = tuple(
        AssertionConsumer(
            url=each.get("Location", ""),
            index=each.get("index", ""),
            is_default=each.get("isDefault") in ("true", "1"),
        )
        for each in descriptor.iterfind(f"{{{METADATA}}}AssertionConsumerService")
        if each.get("Binding") == POST_BINDING
    )
    certificates = tuple(_read_certificates(descriptor, "signing"))
    encryption_certificate = next(iter(_read_certificates(descriptor, "encryption")), None)
    if registration.encrypt and encryption_certificate is None:
        raise Refused("idp_metadata", "The application's metadata has no certificate to encrypt for.", 502)
    if not consumers or not certificates:
        raise Refused(
            "idp_metadata", "The application's metadata lacks a signing certificate or an ACS for HTTP-POST.", 502
        )
    return KnownServiceProvider(registration, consumers, certificates, encryption_certificate)


def _read_certificates(descriptor: Any, use: str) -> list[x509.Certificate]:
    certificates = []
    for key in descriptor.iterfind(f"{{{METADATA}}}KeyDescriptor"):
        if key.get("use", use) != use:
            continue
        for element in key.iter(f"{{{XMLDSIG}}}X509Certificate"):
            body = "".join((element.text or "").split())
            pem = f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"
            try:
                certificate = x509.load_pem_x509_certificate(pem.encode())
            except ValueError as error:
                raise Refused("idp_metadata", "A certificate in the metadata cannot be read.", 502) from error
            public_key = certificate.public_key()
            if isinstance(public_key, rsa.RSAPublicKey) and public_key.key_size >= _MINIMUM_KEY_BITS:
                certificates.append(certificate)
    return certificates
