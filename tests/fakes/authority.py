"""A certificate authority and a server's certificate, made for one test."""

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


def make_authority(folder, name):
    """Make an authority and a server certificate for 127.0.0.1; return the CA file and the server's context."""
    now = datetime.now(UTC)
    authority, leaf = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])

    def certificate(subject_name, key, *extensions):
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject_name)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(hours=1))
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(authority, hashes.SHA256())

    usages = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    usage = x509.KeyUsage(
        **dict.fromkeys((*usages, "encipher_only", "decipher_only"), False), key_cert_sign=True, crl_sign=True
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(authority.public_key())
    constraints = x509.BasicConstraints(ca=True, path_length=None)
    root = certificate(subject, authority, (constraints, True), (usage, True), (identifier, False))
    server = certificate(
        x509.Name([]),
        leaf,
        (x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), True),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), False),
    )
    ca_file, key_file = folder / f"{name}.pem", folder / f"{name}-server.pem"
    ca_file.write_bytes(root.public_bytes(Encoding.PEM))
    key_file.write_bytes(
        leaf.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + server.public_bytes(Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(key_file)
    return ca_file, context
