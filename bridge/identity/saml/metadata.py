"""The provider's metadata: where its people sign in, and by which keys its statements are recognised.

Read strictly, by the same parser as messages. Keys come from the IDPSSODescriptor of the one entity with the configured
entity ID alone: a file can describe several entities, and one entity can also be a service provider or an attribute
authority with keys of its own. Nothing is kept of what has expired.

Where the administrator has named the key that signs the metadata, the root must carry a valid signature by exactly that
key, and everything is read from what was signed. Else the administrator vouches for the file, or the certificate of the
https server for the address.

Metadata 2.3, 2.4 and 3; threats SAML-12, 15, 29.
"""

import base64
import ipaddress
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bridge.errors import BadSignature, Malformed, SAMLMetadata, SAMLTimeFormat
from bridge.identity.providers import SAMLProvider
from bridge.identity.saml.document import METADATA, Element, parse_untrusted
from bridge.identity.saml.elements import find_first, read_text, read_time
from bridge.identity.saml.signature import SIGNATURE, PublicKey, is_strong, verify_enveloped

_MD = "{urn:oasis:names:tc:SAML:2.0:metadata}"
_DS = "{http://www.w3.org/2000/09/xmldsig#}"
_PROTOCOL = "urn:oasis:names:tc:SAML:2.0:protocol"
_REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
_POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
_MAX_CERTIFICATES = 16
_DURATION = re.compile(
    r"P(?:([0-9]{1,6})Y)?(?:([0-9]{1,6})M)?(?:([0-9]{1,6})D)?"
    r"(?:T(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9})(?:\.[0-9]{1,9})?S)?)?",
    re.ASCII,
)
_UNIT_SECONDS = (365 * 86_400, 30 * 86_400, 86_400, 3_600, 60, 1)


@dataclass(frozen=True)
class SigningCertificate:
    """A key of the provider, for as long as its certificate says. Nothing else of the certificate matters."""

    key: PublicKey
    thumbprint: str
    """SHA-256 of the certificate, in hexadecimal."""
    not_before: datetime
    not_after: datetime

    @property
    def short(self) -> str:
        """The thumbprint as people compare it: its first 16 digits."""
        return self.thumbprint[:16]

    def is_valid(self, now: datetime) -> bool:
        """Tell whether the certificate is valid at this moment."""
        return self.not_before <= now <= self.not_after


@dataclass(frozen=True)
class LogoutAddress:
    """Where single logout messages of one binding go."""

    url: str
    response_url: str
    """Where answers go: ``ResponseLocation``, else the same address (Metadata 2.2.2)."""


@dataclass(frozen=True)
class IdPMetadata:
    """What the provider says about itself."""

    entity_id: str
    sso_redirect_url: str | None
    sso_post_url: str | None
    certificates: tuple[SigningCertificate, ...]
    valid_until: datetime | None
    held: tuple[SigningCertificate, ...] = ()
    """What the provider publishes and no administrator has approved. Nothing is verified with it."""
    cache_duration: timedelta | None = None
    """How long the provider wants it to be kept before it is fetched again."""
    slo_redirect: LogoutAddress | None = None
    slo_post: LogoutAddress | None = None

    def hold_all_but(self, approved: Collection[PublicKey]) -> Self:
        """Return the same with only the approved keys in force; a key is approved, not a certificate.

        Raises SAMLMetadata if that leaves none.
        """
        kept = tuple(certificate for certificate in self.certificates if certificate.key in approved)
        held = tuple(certificate for certificate in self.certificates if certificate.key not in approved)
        if not kept:
            names = ", ".join(certificate.short for certificate in held)
            raise SAMLMetadata(f"nobody has approved a certificate of this metadata: {names}")
        return replace(self, certificates=kept, held=held)

    def keys_at(self, now: datetime) -> tuple[PublicKey, ...]:
        """Return the keys that verify the provider's signatures at this moment.

        Raises SAMLMetadata if the metadata, or each certificate, has expired since it was read.
        """
        if self.valid_until is not None and now >= self.valid_until:
            raise SAMLMetadata(f"the metadata was valid until {self.valid_until:%Y-%m-%d %H:%M}")
        keys = tuple(certificate.key for certificate in self.certificates if certificate.is_valid(now))
        if not keys:
            ends = ", ".join(f"{certificate.not_after:%Y-%m-%d}" for certificate in self.certificates)
            raise SAMLMetadata(f"no signing certificate is valid now (they end {ends})")
        return keys


def read_certificate_file(path: Path) -> SigningCertificate:
    """Return the certificate in a file (PEM) of the administrator's. Raises SAMLMetadata."""
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        _check_readable(certificate)
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise SAMLMetadata(f"the certificate in {path} cannot be read") from error
    return _read_certificate(certificate, f"the key in {path}")


def read_metadata_signer(path: Path) -> PublicKey:
    """Return the key of the certificate (PEM) that signs a provider's metadata. Only its key counts, not its dates.

    Raises SAMLMetadata.
    """
    return read_certificate_file(path).key


def read_idp_metadata(xml: bytes, provider: SAMLProvider, now: datetime) -> IdPMetadata:
    """Return what the provider's metadata says, under the conditions of its settings, approval aside.

    Raises SAMLMetadata, with what is wrong in words for an administrator.
    """
    signer = provider.metadata_signing_certificate
    days = provider.metadata_max_validity_days
    return parse_idp_metadata(
        xml,
        provider.entity_id,
        now,
        None if signer is None else read_metadata_signer(signer),
        None if days is None else timedelta(days=days),
    )


def hold_unapproved(metadata: IdPMetadata, provider: SAMLProvider) -> IdPMetadata:
    """Return the metadata with only those keys in force that the settings approve; all of them if they name none.

    Raises SAMLMetadata if that leaves none, or a file of the settings cannot be read.
    """
    if not provider.approved_certificates:
        return metadata
    return metadata.hold_all_but([read_certificate_file(path).key for path in provider.approved_certificates])


def parse_idp_metadata(
    xml: bytes,
    entity_id: str,
    now: datetime,
    signer: PublicKey | None = None,
    max_validity: timedelta | None = None,
) -> IdPMetadata:
    """Return what the metadata says about the provider ``entity_id``: at least one place to sign in and one valid key.

    With ``signer``, the root must be signed by that key. With ``max_validity``, the metadata must say until when it is
    valid, and no longer than that. Raises SAMLMetadata, with what is wrong in words for an administrator.
    """
    try:
        root = parse_untrusted(xml, METADATA)
        if signer is not None:
            root = _verify(root, signer)
        lineage = _find_entity(root, entity_id)
        role = _find_role(lineage[-1])
        metadata = IdPMetadata(
            entity_id=entity_id,
            sso_redirect_url=_find_sso_url(role, _REDIRECT),
            sso_post_url=_find_sso_url(role, _POST),
            certificates=tuple(_read_certificates(role)),
            valid_until=_read_valid_until([*lineage, role]),
            cache_duration=_read_cache_duration([*lineage, role]),
            slo_redirect=_find_logout_address(role, _REDIRECT),
            slo_post=_find_logout_address(role, _POST),
        )
    except (Malformed, BadSignature) as error:
        raise SAMLMetadata(f"the metadata is not acceptable: {error.detail}") from error
    if metadata.sso_redirect_url is None and metadata.sso_post_url is None:
        raise SAMLMetadata("no SingleSignOnService with HTTP-Redirect or HTTP-POST")
    metadata.keys_at(now)
    if max_validity is not None:
        _check_validity(metadata.valid_until, now, max_validity)
    return metadata


def _check_validity(valid_until: datetime | None, now: datetime, longest: timedelta) -> None:
    """Whoever has withdrawn a key can then be sure when an old copy ends, wherever somebody replays it."""
    if valid_until is None:
        raise SAMLMetadata("the metadata has no validUntil, which the settings demand")
    if valid_until > now + longest:
        raise SAMLMetadata(f"the metadata is valid until {valid_until:%Y-%m-%d}, longer than {longest.days} days")


def _verify(root: Element, signer: PublicKey) -> Element:
    """Return what the signature in the root covers: nothing else of the document is read."""
    if find_first(root, SIGNATURE) is None:
        raise SAMLMetadata("the metadata is not signed")
    try:
        return verify_enveloped(root, [signer], METADATA)
    except BadSignature as error:
        raise SAMLMetadata(f"the signature of the metadata: {error.code}: {error.detail}") from error


def _find_entity(root: Element, entity_id: str) -> list[Element]:
    """Return the entity descriptor, preceded by the groups that it stands in."""
    entities = [entity for entity in root.iter(f"{_MD}EntityDescriptor") if entity.get("entityID") == entity_id]
    if root.tag not in {f"{_MD}EntityDescriptor", f"{_MD}EntitiesDescriptor"} or len(entities) != 1:
        raise SAMLMetadata(f"{len(entities)} entities with the entity ID {ascii(entity_id)[:300]}")
    return [*reversed(list(entities[0].iterancestors())), entities[0]]


def _find_role(entity: Element) -> Element:
    roles = [
        role
        for role in entity.findall(f"{_MD}IDPSSODescriptor")
        if _PROTOCOL in role.get("protocolSupportEnumeration", "").split()
    ]
    if len(roles) != 1:
        raise SAMLMetadata(f"{len(roles)} IDPSSODescriptors for SAML 2.0")
    return roles[0]


def _find_sso_url(role: Element, binding: str) -> str | None:
    """Return the first address of this binding; browsers are sent there with what we signed, so it must be https."""
    for service in role.findall(f"{_MD}SingleSignOnService"):
        if service.get("Binding") == binding:
            url: str = service.get("Location", "")
            if not _is_https_or_loopback(url):
                raise SAMLMetadata(f"the sign-in address {ascii(url)[:300]} is not https")
            return url
    return None


def _find_logout_address(role: Element, binding: str) -> LogoutAddress | None:
    """Return the first single logout address of this binding; what we send there is signed, so it must be https."""
    for service in role.findall(f"{_MD}SingleLogoutService"):
        if service.get("Binding") == binding:
            url: str = service.get("Location", "")
            address = LogoutAddress(url, service.get("ResponseLocation") or url)
            for place in (address.url, address.response_url):
                if not _is_https_or_loopback(place):
                    raise SAMLMetadata(f"the logout address {ascii(place)[:300]} is not https")
            return address
    return None


def _is_https_or_loopback(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    if not host or not url.isprintable() or " " in url:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _read_valid_until(elements: list[Element]) -> datetime | None:
    try:
        ends = [read_time(element, "validUntil") for element in elements]
    except SAMLTimeFormat as error:
        raise SAMLMetadata("a validUntil that is not written in UTC") from error
    return min((end for end in ends if end is not None), default=None)


def _read_cache_duration(elements: list[Element]) -> timedelta | None:
    """Return the shortest ``cacheDuration``. One that cannot be read is none: it is advice, and has bounds anyway."""
    found = [_DURATION.fullmatch(element.get("cacheDuration", "")) for element in elements]
    seconds = [
        sum(int(number or 0) * unit for number, unit in zip(match.groups(), _UNIT_SECONDS, strict=True))
        for match in found
        if match and any(match.groups())
    ]
    return timedelta(seconds=min(seconds)) if seconds else None


def _read_certificates(role: Element) -> Iterator[SigningCertificate]:
    descriptors = [item for item in role.findall(f"{_MD}KeyDescriptor") if item.get("use", "signing") == "signing"]
    if len(descriptors) > _MAX_CERTIFICATES:
        raise SAMLMetadata(f"{len(descriptors)} signing keys")
    found = False
    for descriptor in descriptors:
        certificates = [
            _parse_certificate(read_text(element, SAMLMetadata))
            for element in descriptor.findall(f"{_DS}KeyInfo/{_DS}X509Data/{_DS}X509Certificate")
        ]
        # A chain would make its issuer's key a signing key as well; more than one name for the same key is fine.
        if len({_spki(certificate) for certificate in certificates}) > 1:
            raise SAMLMetadata("a KeyDescriptor with certificates of different keys")
        for certificate in certificates[:1]:
            found = True
            yield _read_certificate(certificate)
    if not found:
        raise SAMLMetadata("no signing certificate in the IDPSSODescriptor")


def _parse_certificate(text: str) -> x509.Certificate:
    """Return the certificate in base64, which providers fold and indent."""
    try:
        certificate = x509.load_der_x509_certificate(base64.b64decode("".join(text.split()), validate=True))
        _check_readable(certificate)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SAMLMetadata("a certificate that cannot be read") from error
    return certificate


def _check_readable(certificate: x509.Certificate) -> None:
    """What is used of it can be read. Raises ValueError, for instance for the year 0, or UnsupportedAlgorithm."""
    certificate.public_key()
    _ = certificate.not_valid_before_utc, certificate.not_valid_after_utc


def _read_certificate(certificate: x509.Certificate, what: str = "a signing key") -> SigningCertificate:
    key = certificate.public_key()
    if not is_strong(key):
        raise SAMLMetadata(f"{what} is neither RSA of 2048 bits or more nor on P-256, P-384 or P-521")
    return SigningCertificate(
        key=key,  # type: ignore[arg-type]  # is_strong lets only these through
        thumbprint=certificate.fingerprint(hashes.SHA256()).hex(),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
    )


def _spki(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
