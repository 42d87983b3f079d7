"""The provider's own keys and its clients' secrets: made at the first start, read afterwards.

Two signing keys, one for each protocol, so that what one signed can never pass for what the other signed.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from joserfc.jwk import RSAKey

from bridge.sandbox.idp.state import OIDCClient
from bridge.sandbox.signing_key import encode_private_key, load_or_create_token_key, write_private

_CERTIFICATE_LIFETIME = timedelta(days=3650)


@dataclass(frozen=True)
class SigningKeys:
    """What the provider signs with."""

    saml_private_key: bytes
    """PEM."""
    saml_certificate: bytes
    """PEM, self-signed: the metadata is what makes it trusted."""
    oidc_key: RSAKey
    """Its ``kid`` is the RFC 7638 thumbprint."""


def load_or_create_keys(folder: Path, common_name: str, now: datetime) -> SigningKeys:
    """Return the keys in ``folder``; those that were missing now exist there, readable by the owner alone."""
    key_file, certificate_file = folder / "idp-saml-signing.key", folder / "idp-saml-signing.crt"
    if not key_file.exists():
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        write_private(certificate_file, _issue_certificate(key, common_name, now))
        write_private(key_file, encode_private_key(key))
    return SigningKeys(
        saml_private_key=key_file.read_bytes(),
        saml_certificate=certificate_file.read_bytes(),
        oidc_key=load_or_create_token_key(folder / "idp-oidc-signing.key"),
    )


def load_or_create_client_secret(client: OIDCClient) -> str:
    """Return the client's secret; its file now exists, made with 256 random bits where it was missing.

    The relying party reads the same file, so call this before it starts.
    """
    if not client.client_secret.exists():
        write_private(client.client_secret, secrets.token_urlsafe(32).encode())
    return client.client_secret.read_text(encoding="utf-8").strip()


def _issue_certificate(key: rsa.RSAPrivateKey, common_name: str, now: datetime) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _CERTIFICATE_LIFETIME)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)
