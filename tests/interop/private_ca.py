"""A certificate authority that only the clients of a test trust, and a server that speaks https and http at one port.

Some SDKs take any address, others know https alone. A signature covers the address, so both have to find the bridge at
the same one: the server looks at the first byte of each connection, which is 22 for TLS and a letter for HTTP.
"""

import datetime as dt
import ipaddress
import socket
import ssl
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from flask import Flask
from werkzeug.serving import ThreadedWSGIServer

from bridge.sandbox.long_requests import LongRequestHandler

_TLS_HANDSHAKE = b"\x16"


@dataclass(frozen=True)
class PrivateCA:
    """Where the files are: what clients trust, and what the server presents for ``localhost``."""

    certificate: Path
    server_certificate: Path
    server_key: Path

    @classmethod
    def make(cls, folder: Path) -> "PrivateCA":
        ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        ca = _certify("A CA of the test suite", ca_key.public_key(), "A CA of the test suite", ca_key, ca=True)
        leaf = _certify("localhost", key.public_key(), "A CA of the test suite", ca_key, ca=False)
        made = cls(folder / "ca.pem", folder / "server.pem", folder / "server.key")
        made.certificate.write_bytes(ca.public_bytes(Encoding.PEM))
        made.server_certificate.write_bytes(leaf.public_bytes(Encoding.PEM))
        made.server_key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return made

    @contextmanager
    def serve(self, app: Flask, url: str):
        """Serve an application at a loopback address, by http and https."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server_certificate, self.server_key)
        server = _EitherServer("127.0.0.1", int(url.rpartition(":")[2]), app, LongRequestHandler)
        server.tls = context
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
            server.server_close()


class _EitherServer(ThreadedWSGIServer):
    tls: ssl.SSLContext

    def finish_request(self, request: Any, client_address: Any) -> None:
        if request.recv(1, socket.MSG_PEEK) != _TLS_HANDSHAKE:
            super().finish_request(request, client_address)
            return
        with self.tls.wrap_socket(request, server_side=True) as encrypted:
            super().finish_request(encrypted, client_address)


_SIGNS_CERTIFICATES = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)
"""Python 3.13 takes no authority that does not say so."""


def _certify(subject: str, public_key: Any, issuer: str, key: Any, *, ca: bool) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    if ca:
        builder = builder.add_extension(_SIGNS_CERTIFICATES, critical=True)
    else:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    return builder.sign(key, hashes.SHA256())
